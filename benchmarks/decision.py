# SPDX-License-Identifier: Apache-2.0
"""The joint decision: an asker and k holders of lists, two of whom have features, over TLS.

Six features and a rule on two further values, reasons named; limits at a third and two thirds of
the scores, a third of the lists declines. Wall time, bytes and rounds are those of the asker, with
all its links; the parties make their own correlations meanwhile, so nothing is prepared. Outcomes
are compared with the same rules in the open. The floor is the asker's bare exchange of as many
bytes with all holders, in as many rounds; over links with a shape, what they alone take. All
processes share this machine's cores: with a machine each, they work at the same time. They share
its memory too: a party takes about 0.6 GB, more where it has more applicants, so 16 holders are
measured in the sweep, with few.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.net.mesh import Mesh
from mpc.protocols import decision, seeds
from mpc.protocols.decision import Known, Model, Plan, Rule
from mpc.protocols.threshold import Listed, Terms
from mpc.protocols.triples import vole

from . import parties
from ._lists import ASKER, keys, listed, names
from ._options import sizes, some_of, two_or_more, whole
from .parties import Seat, Times, floor_of, link_params, timed
from .record import Record

_OWNED = 3  # features of each owner
_WEIGHTS = np.array([0.9, -0.6, 0.4, 0.7, -0.5, 0.3])


QUICK = "--holders 2 --sizes 50x200 --repeat 1"
SWEEP = "--holders 2,4,8 --sizes 32x2000,64x2000,128x2000 --repeat 1"
GROWS_WITH = (("applicants",), ("holders",))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Holders, sizes, links."""
    parser.add_argument(
        "--holders", type=two_or_more, default="2,4,8", help="how many, with commas between"
    )
    parser.add_argument(
        "--sizes",
        type=sizes("applicants", "entries"),
        default="256x20000",
        help="applicants x entries of each list and rows",
    )
    parser.add_argument(
        "--shapes",
        type=some_of(*parties.SHAPES),
        default="tls",
        help="of " + ", ".join(parties.SHAPES),
    )
    parser.add_argument("--repeat", type=whole, default=2)


def run(options: argparse.Namespace) -> list[Record]:
    """Measure every size with every number of holders."""
    records = []
    for holders in options.holders:
        measured = parties.play(names(holders), _job, options)
        for case, (times, floor) in measured[ASKER].items():
            asked, rows, shape = case
            params = {"holders": holders, "applicants": asked, "rows": rows, **link_params(shape)}
            records.append(times.record("decision.wall", params, floor))
            records.append(times.each("decision.applicant", params, asked))
            for side in names(holders)[:2]:
                records += measured[side][case][0].parts("decision.stage", params, side)
    return records


def _job(seat: Seat, options: argparse.Namespace) -> dict[Any, tuple[Times, tuple[str, float]]]:
    found = {}
    for asked, rows in options.sizes:
        for shape in options.shapes:
            times = _measured(seat, asked, rows, shape, options.repeat)
            floor = floor_of(seat, shape, options.repeat, times, *seat.names)
            found[asked, rows, shape] = times, floor
    return found


def _plan(holders: tuple[str, ...]) -> Plan:
    owners = holders[:2]
    fell = Rule("fell", {(owners[0], "now"): 1.0, (owners[0], "before"): -0.7}, 0.0, "decline", 1e3)
    return Plan(
        lists=Terms(ASKER, -(-len(holders) // 3), dict.fromkeys(holders, 1), "shares"),
        features={owner: tuple(f"{owner}.{j}" for j in range(_OWNED)) for owner in owners},
        refer_from=0.4,
        decline_from=0.6,
        rules=(fell,),
        reasons=2,
    )


def _table(place: int, rows: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The standardised features of the numbers below ``rows``, and the values of rules."""
    generator = np.random.default_rng([place, rows])
    standardised = generator.normal(size=(rows, _OWNED))
    return standardised, generator.uniform(5e4, 1e5, (rows, 2 if place == 0 else 0))


def _measured(seat: Seat, asked: int, rows: int, shape: str, repeat: int) -> Times:
    holders = seat.names[1:]
    plan, model = _plan(holders), Model(_WEIGHTS, 0.0)
    known, own = None, None
    if seat.me != ASKER:
        place = holders.index(seat.me)
        own = Listed(keys(listed(place, asked, rows)))
        if seat.me in plan.owners:
            known = Known(keys(np.arange(rows)), *_table(place, rows))
    applicants = keys(np.arange(asked))

    def work(mesh: Mesh) -> Any:
        given = {"seeds": seeds.agree(mesh), "triples": vole.source(mesh)}
        if seat.me == ASKER:
            return decision.asker(mesh, plan, applicants, model, **given)
        return decision.other(mesh, plan, listed=own, known=known, **given)

    def right(found: Any) -> bool:
        return seat.me != ASKER or _agrees(found, plan, asked, rows)

    return timed(seat, shape, repeat, lambda mesh: mesh, work, right)


def _agrees(found: decision.Decisions, plan: Plan, asked: int, rows: int) -> bool:
    """Whether outcomes and reasons are those in the open, but at scores on the edge of a limit."""
    met = np.arange(asked) < rows
    tables = [_table(place, rows) for place in range(2)]
    z = np.zeros((asked, 2 * _OWNED))
    z[met] = np.hstack([standardised for standardised, _ in tables])[:asked]
    fell = np.zeros(asked, bool)
    now, before = tables[0][1][:asked].T
    fell[met] = now < 0.7 * before
    weight = sum(
        np.isin(np.arange(asked), listed(place, asked, rows)).astype(int)
        for place in range(len(plan.lists.weights))
    )
    parts = z * _WEIGHTS
    logit = parts.sum(axis=1)
    limits = [np.log(p / (1 - p)) for p in (plan.decline_from, plan.refer_from)]
    declined = (weight >= plan.lists.threshold) | fell | (met & (logit >= limits[0]))
    outcome = np.where(declined, 2, np.where(~met | (logit >= limits[1]), 1, 0))
    largest = np.argsort(-parts, axis=1, kind="stable")[:, : plan.reasons]
    reasons = np.zeros(parts.shape, bool)
    np.put_along_axis(reasons, largest, declined[:, None], axis=1)
    clear = np.min([np.abs(logit - limit) for limit in limits], axis=0) > 1e-6
    return np.array_equal(found.outcome[clear], outcome[clear]) and np.array_equal(
        found.reasons[clear], reasons[clear]
    )
