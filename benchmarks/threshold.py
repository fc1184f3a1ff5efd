# SPDX-License-Identifier: Apache-2.0
"""On how many lists a key stands: an asker and k holders, in processes connected by TLS.

Each holder's list has a quarter of the keys; a key is told that stands on the lists of at least a
third of the holders, by weight. Wall time, bytes and rounds are those of the asker, with all its
links; the parties make their own correlations meanwhile, so nothing is prepared. In the form
``mutual`` all k + 1 have a list and ask as many keys, one after the other in one run. Answers are
compared with the lists in the open. The floor is the asker's bare exchange of as many bytes with
all holders, in as many rounds; over links with a shape, what they alone take. k processes share
this machine's cores: with a machine each, they work at the same time.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.net.mesh import Mesh
from mpc.protocols import seeds, threshold
from mpc.protocols.threshold import Listed, Output, Terms
from mpc.protocols.triples import vole

from . import parties
from ._lists import ASKER, keys, listed, names
from ._options import several, sizes, some_of, whole
from .parties import Seat, Times, floor_of, link_params, timed
from .record import Record

QUICK = "--holders 2 --sizes 50x200 --repeat 1"
SWEEP = (
    "--holders 2,4,8 --sizes 256x16384,2048x16384,16384x16384,2048x2048,2048x131072 "
    "--outputs bit --shapes tls --repeat 1"
)
GROWS_WITH = (("keys",), ("rows",), ("holders",))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Holders, sizes, outputs, links."""
    parser.add_argument(
        "--holders", type=several, default="3,8,16", help="how many, with commas between"
    )
    parser.add_argument(
        "--sizes",
        type=sizes("keys", "entries"),
        default="1000x100000",
        help="keys x entries of each list",
    )
    parser.add_argument(
        "--outputs", type=some_of("bit", "count"), default="bit,count", help="of bit, count"
    )
    parser.add_argument(
        "--forms",
        type=some_of("one", "mutual"),
        default="one",
        help="of one (asker), mutual: all have a list, and ask",
    )
    parser.add_argument(
        "--weights", type=several, default="1", help="of the lists, in turn, with commas between"
    )
    parser.add_argument(
        "--shapes",
        type=some_of(*parties.SHAPES),
        default="tls",
        help="of " + ", ".join(parties.SHAPES),
    )
    parser.add_argument("--repeat", type=whole, default=3)


def run(options: argparse.Namespace) -> list[Record]:
    """Measure every size with every number of holders."""
    records = []
    for holders in options.holders:
        measured = parties.play(names(holders), _job, options)
        for case, (own, floor) in measured[ASKER].items():
            form, asked, rows, output, shape = case
            params = {"holders": holders, "keys": asked, "rows": rows, "output": output}
            if form == "mutual":
                params["form"] = form
            if set(options.weights) != {1}:
                params["weights"] = ",".join(map(str, options.weights))
            params |= link_params(shape)
            right = all(seen[case][0].checked for seen in measured.values())
            times = replace(own, checked=right)
            every = asked * (holders + 1 if form == "mutual" else 1)
            records.append(times.record("threshold.wall", params, floor))
            records.append(times.each("threshold.key", params, every))
            for side in names(holders)[:2]:
                records += measured[side][case][0].parts("threshold.stage", params, side)
    return records


def _job(seat: Seat, options: argparse.Namespace) -> dict[Any, tuple[Times, tuple[str, float]]]:
    cases = product(options.forms, options.sizes, options.outputs, options.shapes)
    found = {}
    for form, (asked, rows), output, shape in cases:
        every = _terms(seat.names, output, options.weights)
        measured = _mutual if form == "mutual" else _one
        times = measured(seat, every, asked, rows, shape, options.repeat)
        floor = floor_of(seat, shape, options.repeat, times, *seat.names)
        found[form, asked, rows, output, shape] = times, floor
    return found


def _terms(names: Sequence[str], output: Output, weights: Sequence[int]) -> dict[str, Terms]:
    """Those of each as the asker: the lists of the others, by weight, and a third of them all."""
    weighed = dict(zip(names, cycle(weights), strict=False))
    every = {}
    for me in names:
        others = {name: weight for name, weight in weighed.items() if name != me}
        every[me] = Terms(me, -(-sum(others.values()) // 3), others, output)
    return every


def _one(
    seat: Seat, every: dict[str, Terms], asked: int, rows: int, shape: str, repeat: int
) -> Times:
    terms = every[ASKER]
    own = np.arange(asked) if seat.me == ASKER else _list(seat, seat.me, asked, rows)
    mine = keys(own)

    def work(mesh: Mesh) -> Any:
        given = {"seeds": seeds.agree(mesh), "triples": vole.source(mesh)}
        if seat.me == ASKER:
            return threshold.asker(mesh, terms, mine, **given)
        return threshold.holder(mesh, terms, Listed(mine), **given)

    def right(found: Any) -> bool:
        return seat.me != ASKER or np.array_equal(found, _in_the_open(seat, terms, asked, rows))

    return timed(seat, shape, repeat, lambda mesh: mesh, work, right)


def _mutual(
    seat: Seat, every: dict[str, Terms], asked: int, rows: int, shape: str, repeat: int
) -> Times:
    customers, mine = keys(np.arange(asked)), Listed(keys(_list(seat, seat.me, asked, rows)))

    def work(mesh: Mesh) -> Any:
        given = {"seeds": seeds.agree(mesh), "triples": vole.source(mesh)}
        return threshold.mutual(mesh, every, customers, mine, **given)

    def right(found: Any) -> bool:
        return np.array_equal(found, _in_the_open(seat, every[seat.me], asked, rows))

    return timed(seat, shape, repeat, lambda mesh: mesh, work, right)


def _list(seat: Seat, name: str, asked: int, rows: int) -> NDArray[Any]:
    return listed(seat.names.index(name), asked, rows)


def _in_the_open(seat: Seat, terms: Terms, asked: int, rows: int) -> NDArray[Any]:
    counts = np.zeros(asked, np.int64)
    for name, weight in terms.weights.items():
        counts += weight * np.isin(np.arange(asked), _list(seat, name, asked, rows))
    return counts >= terms.threshold if terms.output == "bit" else counts
