# SPDX-License-Identifier: Apache-2.0
"""On how many lists a key stands: an asker and k holders, in processes connected by TLS.

Each holder's list has a quarter of the keys; a key is told that stands on the lists of at least a
third of the holders. Wall time, bytes and rounds are those of the asker, with all its links; the
parties make their own correlations meanwhile, so nothing is prepared. Answers are compared with
the lists in the open. k processes share this machine's cores: with a machine each, they work at the
same time.
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
from .parties import Seat, Times, timed
from .record import Record

QUICK = "--holders 2 --sizes 50x200 --repeat 1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Holders, sizes, outputs, links."""
    parser.add_argument("--holders", default="3,8,16", help="how many, with commas between")
    parser.add_argument("--sizes", default="1000x100000", help="keys x entries of each list")
    parser.add_argument("--outputs", default="bit,count", help="of bit, count")
    parser.add_argument("--shapes", default="tls", help="of " + ", ".join(parties.SHAPES))
    parser.add_argument("--repeat", type=int, default=3)


def run(options: argparse.Namespace) -> list[Record]:
    """Measure every size with every number of holders."""
    records = []
    for holders in (int(number) for number in options.holders.split(",")):
        for (asked, rows, output, shape), times in parties.play(names(holders), _job, options)[
            ASKER
        ].items():
            params = {"holders": holders, "keys": asked, "rows": rows, "output": output}
            params |= {} if shape == "tls" else {"link": shape}
            records.append(times.record("threshold.wall", params, None))
            records.append(times.each("threshold.key", params, asked))
    return records


def _job(seat: Seat, options: argparse.Namespace) -> dict[Any, Times]:
    measured = {}
    for size in options.sizes.split(","):
        asked, rows = (int(number) for number in size.split("x"))
        for output in options.outputs.split(","):
            for shape in options.shapes.split(","):
                measured[asked, rows, output, shape] = _measured(
                    seat, asked, rows, output, shape, options.repeat
                )
    return measured


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
