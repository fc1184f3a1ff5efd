# SPDX-License-Identifier: Apache-2.0
"""On how many lists a key stands: an asker and k holders, in processes connected by TLS.

Each holder's list has a quarter of the keys; a key is told that stands on the lists of at least a
third of the holders. Wall time, bytes and rounds are those of the asker, with all its links; the
parties make their own correlations meanwhile, so nothing is prepared. Answers are compared with
the lists in the open. The floor is the asker's bare exchange of as many bytes with all holders, in
as many rounds. k processes share this machine's cores: with a machine each, they work at the same
time.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.net.mesh import Mesh
from mpc.protocols import seeds, threshold
from mpc.protocols.threshold import Listed, Terms
from mpc.protocols.triples import vole

from . import parties
from ._lists import ASKER, keys, listed, names
from ._options import several, sizes, some_of, whole
from .parties import Seat, Times, exchanged, link_params, timed
from .record import Record

QUICK = "--holders 2 --sizes 50x200 --repeat 1"
SWEEP = (
    "--holders 2,4,8 --sizes 256x65536,4096x65536,65536x65536,4096x4096,4096x1048576 "
    "--outputs bit --shapes tls --repeat 2"
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
        for case, (times, floor) in measured[ASKER].items():
            asked, rows, output, shape = case
            params = {"holders": holders, "keys": asked, "rows": rows, "output": output}
            params |= link_params(shape)
            records.append(times.record("threshold.wall", params, floor))
            records.append(times.each("threshold.key", params, asked))
            for side in names(holders)[:2]:
                records += measured[side][case][0].parts("threshold.stage", params, side)
    return records


def _job(seat: Seat, options: argparse.Namespace) -> dict[Any, tuple[Times, float]]:
    found = {}
    for asked, rows in options.sizes:
        for output in options.outputs:
            for shape in options.shapes:
                times = _measured(seat, asked, rows, output, shape, options.repeat)
                floor = exchanged(seat, shape, options.repeat, times, *seat.names)
                found[asked, rows, output, shape] = times, floor
    return found


def _measured(seat: Seat, asked: int, rows: int, output: Any, shape: str, repeat: int) -> Times:
    holders = seat.names[1:]
    terms = Terms(ASKER, -(-len(holders) // 3), dict.fromkeys(holders, 1), output)
    own = None if seat.me == ASKER else listed(holders.index(seat.me), asked, rows)
    mine = keys(np.arange(asked) if own is None else own)

    def work(mesh: Mesh) -> Any:
        given = {"seeds": seeds.agree(mesh), "triples": vole.source(mesh)}
        if seat.me == ASKER:
            return threshold.asker(mesh, terms, mine, **given)
        return threshold.holder(mesh, terms, Listed(mine), **given)

    def right(found: Any) -> bool:
        return seat.me != ASKER or np.array_equal(found, _in_the_open(terms, asked, rows))

    return timed(seat, shape, repeat, lambda mesh: mesh, work, right)


def _in_the_open(terms: Terms, asked: int, rows: int) -> NDArray[Any]:
    counts = np.zeros(asked, np.int64)
    for place in range(len(terms.weights)):
        counts += np.isin(np.arange(asked), listed(place, asked, rows))
    return counts >= terms.threshold if terms.output == "bit" else counts
