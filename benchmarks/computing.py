# SPDX-License-Identifier: Apache-2.0
"""Computing on shares between processes over gRPC with TLS: the online part, triples ready.

One more process, the dealer, makes the correlations before the clock starts, and before links take
their shape; how long the parties take to make them on their own is in ``sharing``. Seconds are
those of the first party. The floor is its bare exchange with the others of as many bytes both ways,
in as many rounds, over the same links in the same run; over links with a shape, what they alone
take for its messages.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mpc import testing
from mpc.net import columns
from mpc.net.mesh import Mesh
from mpc.pb.v1 import arith_pb2 as pb
from mpc.primitives import sharing, xor_sharing
from mpc.primitives.sharing import Share
from mpc.protocols import arith, compare
from mpc.protocols.triples import Triples, dealer

from . import parties
from ._options import several, some_of, two_or_more, whole
from .parties import (
    DEALER,
    Seat,
    Times,
    dealing,
    floor_of,
    link_params,
    timed,
    without_dealer,
)
from .record import Record

FRACTION_BITS = 20

QUICK = "--count 2000 --matrix 16 --shapes tls --parties 2,3 --repeat 2"
SWEEP = (
    "--count 256,4096,16384,1048576 --matrix 32,64,128,1024 --parties 2,3,4,8 "
    "--shapes tls,lan,wan,slow --most 16384 --shaped-parties 2 --repeat 2"
)
GROWS_WITH = (("size",), ("parties",))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Sizes, and what is measured."""
    parser.add_argument("--count", type=several, default="1000000", help="elements of a vector")
    parser.add_argument("--matrix", type=several, default="512", help="rows and columns")
    parser.add_argument("--operations", type=some_of(*_OPERATIONS), default=",".join(_OPERATIONS))
    parser.add_argument(
        "--parties", type=two_or_more, default="2", help="how many compute, with commas between"
    )
    parser.add_argument(
        "--most", type=whole, default=1 << 20, help="elements over shaped links and of more parties"
    )
    parser.add_argument(
        "--shaped-parties", type=whole, default=64, help="at most, over shaped links"
    )
    parser.add_argument(
        "--shapes",
        type=some_of(*parties.SHAPES),
        default="tls,wan",
        help="of " + ", ".join(parties.SHAPES),
    )
    parser.add_argument("--repeat", type=whole, default=3)


def run(options: argparse.Namespace) -> list[Record]:
    """Measure every operation among so many parties under every shape of the link."""
    records = []
    for count in options.parties:
        names = tuple(f"party_{place}" for place in range(count))
        found = parties.play((*names, DEALER), _job, options)[names[0]]
        for (name, shape, size), (times, floor) in found.items():
            params = {"operation": name, **link_params(shape), "parties": count, "size": size}
            records.append(times.record("computing.wall", params, floor))
            records += times.parts("computing.stage", params, names[0])
    return records


Measured = tuple[Times, tuple[str, float]]
"""The times, and the name and the seconds of their floor."""


@dataclass(frozen=True, slots=True)
class _Held:
    """What a party has when the clock starts."""

    mesh: Mesh
    triples: Triples
    x: Share
    y: Share


def _job(seat: Seat, options: argparse.Namespace) -> dict[Any, Measured]:
    out = {}
    computing = len(_computing(seat.names))
    few = computing <= options.shaped_parties
    for shape in (shape for shape in options.shapes if few or shape not in parties.LINKS):
        for name in options.operations:
            sizes = options.matrix if name == "matmul" else options.count
            for size in sizes:
                elements = size * size if name == "matmul" else size
                if elements <= options.most or (computing == 2 and shape == "tls"):
                    out[name, shape, size] = _measured(seat, name, shape, size, options.repeat)
    return out


def _measured(seat: Seat, name: str, shape: str, size: int, repeat: int) -> Measured:
    x, y = _inputs((size, size) if name == "matmul" else (size,))
    work = _OPERATIONS[name]
    if seat.me == DEALER:
        times = dealing(seat, shape, repeat)
    else:
        times = timed(
            seat,
            shape,
            repeat,
            lambda mesh: _ready(mesh, x, y, work),
            work,
            lambda found: _right(seat, name, found, x, y),
            depth=2,
        )
    return times, floor_of(seat, shape, repeat, times, *_computing(seat.names))


def _computing(names: Sequence[str]) -> list[str]:
    return [name for name in names if name != DEALER]


def _inputs(size: tuple[int, ...]) -> tuple[Any, Any]:
    draw = np.random.default_rng(1)
    return draw.normal(0, 100, size), draw.normal(0, 100, size)


def _ready(mesh: Mesh, x: Any, y: Any, work: Callable[[_Held], Any]) -> _Held:
    inner = without_dealer(mesh)
    # All draw the same shares, for the benchmark alone.
    left, right = (
        sharing.split(z, len(inner.names), fraction_bits=FRACTION_BITS, rng=testing.seeded(name))[
            inner.names.index(mesh.me)
        ]
        for name, z in (("x", x), ("y", y))
    )
    triples = dealer.source(inner, mesh.channel(DEALER))
    if x.ndim == 2:
        triples.prepare_fixed(*y.shape, len(x))
    else:
        # A first run tells what it takes.
        work(_Held(inner, triples, left, right))
        triples.prepare(list(triples.drawn))
    triples.close()
    return _Held(inner, triples, left, right)


def _right(seat: Seat, name: str, found: Any, x: Any, y: Any) -> bool:
    """Whether the parties' shares are of the plain result; they show them to each other."""
    mesh = without_dealer(seat.mesh())
    words = np.ascontiguousarray(found.words)
    shown = mesh.exchange(pb.HandedShares(words=columns.pack(words.reshape(-1))))
    parts = [found]
    for peer, message in shown.items():
        theirs = columns.unpack_uint64(message.words, peer=peer).reshape(words.shape)
        parts.append(replace(found, words=theirs, party=mesh.names.index(peer)))
    if name == "less_than":
        return np.array_equal(xor_sharing.reconstruct(parts), x < y)
    expected = {"mul": lambda: x * y, "matmul": lambda: x @ y, "truncate": lambda: x}[name]()
    tolerance = {"truncate": 2.0**-9}.get(name, 1e-2)
    return bool(np.abs(sharing.reconstruct(parts) - expected).max() <= tolerance)


_OPERATIONS: dict[str, Callable[[_Held], Any]] = {
    "mul": lambda held: arith.mul(held.mesh, held.x, held.y, held.triples),
    "truncate": lambda held: arith.truncate(held.mesh, held.x, 10, held.triples),
    "less_than": lambda held: compare.less_than(held.mesh, held.x, held.y, held.triples),
    "matmul": lambda held: arith.matmul(held.mesh, held.x, held.y, held.triples),
}
