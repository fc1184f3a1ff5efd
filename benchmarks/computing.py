# SPDX-License-Identifier: Apache-2.0
"""Computing on shares between two processes over gRPC with TLS: the online part, triples ready.

A third process, the dealer, makes the correlations before the clock starts; how long the parties
take to make them on their own is in ``sharing``. Seconds are those of the first party. The floor is
the bare exchange of as many bytes both ways, in as many rounds, over the same link in the same run.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mpc import testing
from mpc.net import columns
from mpc.net.mesh import Mesh
from mpc.pb.v1 import arith_pb2 as pb
from mpc.primitives import sharing, xor_sharing
from mpc.primitives.sharing import Share
from mpc.protocols import arith, compare, opening
from mpc.protocols.triples import Triples, dealer

from . import parties
from .parties import Seat, Times, timed
from .record import Record

_COMPUTING = ("near", "far")
FRACTION_BITS = 20


QUICK = "--count 2000 --matrix 16 --shapes tls --repeat 2"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Sizes, and what is measured."""
    parser.add_argument("--count", type=int, default=1_000_000, help="elements of a vector")
    parser.add_argument("--matrix", type=int, default=512, help="rows and columns of a matrix")
    parser.add_argument("--operations", default=",".join(_OPERATIONS))
    parser.add_argument("--shapes", default="tls,wan", help="of " + ", ".join(parties.SHAPES))
    parser.add_argument("--repeat", type=int, default=5)


def run(options: argparse.Namespace) -> list[Record]:
    """Measure every operation under every shape of the link."""
    measured = parties.play((*_COMPUTING, "dealer"), _job, options)["near"]
    return [
        times.record(
            "computing.wall",
            {
                "operation": name,
                "link": shape,
                "size": options.matrix if name == "matmul" else options.count,
            },
            floor,
        )
        for (name, shape), (times, floor) in measured.items()
    ]


@dataclass(frozen=True, slots=True)
class _Held:
    """What a party has when the clock starts."""

    mesh: Mesh
    triples: Triples
    x: Share
    y: Share


def _job(seat: Seat, options: argparse.Namespace) -> dict[Any, tuple[Times, float]]:
    out = {}
    for shape in options.shapes.split(","):
        for name in options.operations.split(","):
            work = _OPERATIONS[name]
            size = (options.matrix, options.matrix) if name == "matmul" else (options.count,)
            x, y = _inputs(size)
            if seat.me == "dealer":
                times = timed(seat, shape, options.repeat, _dealt, _nothing, _always)
            else:
                times = timed(
                    seat,
                    shape,
                    options.repeat,
                    lambda mesh, x=x, y=y, work=work: _ready(mesh, x, y, work),
                    work,
                    lambda found, x=x, y=y, name=name: _right(seat, name, found, x, y),
                )
            floor = timed(
                seat, shape, options.repeat, _inner, lambda m, t=times: _bare(m, t), _always
            )
            out[name, shape] = times, floor.median
    return out


def _dealt(mesh: Mesh) -> None:
    dealer.serve(mesh)


def _nothing(_: Any) -> None:
    pass


def _always(_: Any) -> bool:
    return True


def _inner(mesh: Mesh) -> Mesh | None:
    """The two that compute."""
    if mesh.me == "dealer":
        return None
    channels = {name: mesh.channel(name) for name in _COMPUTING if name != mesh.me}
    return Mesh(mesh.me, _COMPUTING, channels)


def _inputs(size: tuple[int, ...]) -> tuple[Any, Any]:
    draw = np.random.default_rng(1)
    return draw.normal(0, 100, size), draw.normal(0, 100, size)


def _ready(mesh: Mesh, x: Any, y: Any, work: Callable[[_Held], Any]) -> _Held:
    inner = _inner(mesh)
    assert inner is not None
    party = _COMPUTING.index(mesh.me)
    # Both draw the same shares, for the benchmark alone.
    left = sharing.split(x, 2, fraction_bits=FRACTION_BITS, rng=testing.seeded("x"))[party]
    right = sharing.split(y, 2, fraction_bits=FRACTION_BITS, rng=testing.seeded("y"))[party]
    triples = dealer.source(inner, mesh.channel("dealer"))
    if x.ndim == 2:
        triples.prepare_fixed(*y.shape, len(x))
    else:
        # A first run tells what it takes.
        work(_Held(inner, triples, left, right))
        triples.prepare(list(triples.drawn))
    triples.close()
    return _Held(inner, triples, left, right)


def _bare(mesh: Mesh | None, times: Times) -> None:
    """As many bytes in as many rounds, in messages of the size that an opening has."""
    if mesh is None:
        return
    words = np.zeros(times.bytes // (2 * 8 * times.rounds), np.uint64)
    block = opening.BLOCK_BYTES // 8
    blocks = [words[start : start + block] for start in range(0, len(words), block)]
    for _ in range(times.rounds):
        for part in blocks:
            mesh.broadcast(pb.Opening(words=columns.pack(part)))
        for _ in blocks:
            for message in mesh.gather(pb.Opening).values():
                columns.unpack_uint64(message.words, peer="peer")


def _right(seat: Seat, name: str, found: Any, x: Any, y: Any) -> bool:
    """Whether both parties' shares are of the plain result; they show them to each other."""
    other = "far" if seat.me == "near" else "near"
    mesh, _ = seat.mesh()
    words = np.ascontiguousarray(found.words)
    column = mesh.channel(other).exchange(pb.HandedShares(words=columns.pack(words.reshape(-1))))
    theirs = columns.unpack_uint64(column.words, peer=other).reshape(words.shape)
    party = found.party
    if name == "less_than":
        both = [found, xor_sharing.XorShare(theirs, found.count, 1 - party, 2)]
        return np.array_equal(xor_sharing.reconstruct(both), x < y)
    plain = sharing.reconstruct([found, Share(theirs, 1 - party, 2, found.fraction_bits)])
    expected = {"mul": lambda: x * y, "matmul": lambda: x @ y, "truncate": lambda: x}[name]()
    tolerance = {"truncate": 2.0**-9}.get(name, 1e-2)
    return bool(np.abs(plain - expected).max() <= tolerance)


_OPERATIONS: dict[str, Callable[[_Held], Any]] = {
    "mul": lambda held: arith.mul(held.mesh, held.x, held.y, held.triples),
    "truncate": lambda held: arith.truncate(held.mesh, held.x, 10, held.triples),
    "less_than": lambda held: compare.less_than(held.mesh, held.x, held.y, held.triples),
    "matmul": lambda held: arith.matmul(held.mesh, held.x, held.y, held.triples),
}
