# SPDX-License-Identifier: Apache-2.0
"""Correlated randomness without a dealer, between processes over TLS: a second, bytes, rounds.

This is the part of computing on shares that is done offline; the online part, with correlations
ready, is ``computing``. Each party is a process with one thread for its kernels, so a rate is that
of a core a party: the count over the time until the first party has its shares, all having started
together. Base transfers are not in it, but in ``sharing.first``, a product with them, in seconds.
``against`` is products of rows with a matrix of so many features, what a joint score takes; one row
is in seconds.

The floor is the wire: of ``tls`` the bare exchange of as many bytes in as many rounds over the same
link in the same run; of a link with a shape, what that alone takes for its messages: each leaves
when those that its sender waited for are there, behind those before it. ``sharing.each`` is the
time of one in that of AES-128 blocks by OpenSSL on one core, whose rate is ``sharing.aes``.

``sharing.among`` is the seconds in which so many parties make products.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from mpc import kernels
from mpc.net import columns
from mpc.net.mesh import Mesh
from mpc.pb.v1.columns_pb2 import Column
from mpc.protocols.triples import Triples, kinds, sines, vole
from mpc.protocols.triples.kinds import Arrays, Kind, Words

from . import parties
from ._options import several, some_of, two_or_more, whole
from .harness import floors
from .harness.timing import rate
from .parties import LINKS, Seat, Times, exchange, floor_of, link_params, timed
from .record import Record

_SIDES = ("near", "far")
_WIRE_BYTES = 2 << 20  # both ways

QUICK = "--count 256 --rows 300 --features 4 --shapes tls --parties 2,3 --repeat 1"
SWEEP = (
    "--count 256,2048,16384 --rows 1024,16384,131072 --shapes tls,lan,wan,slow --most 1024 "
    "--parties 2,3,4,8 --repeat 2"
)
GROWS_WITH = (("count",), ("parties",))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Counts, sizes and links."""
    parser.add_argument(
        "--count", type=several, default="20000", help="of each kind but the matrices"
    )
    parser.add_argument("--rows", type=several, default="100000", help="against a matrix")
    parser.add_argument("--features", type=whole, default=32, help="its size")
    parser.add_argument(
        "--parties", type=two_or_more, default="2,3,5", help="how many make products together"
    )
    parser.add_argument(
        "--shapes",
        type=some_of(*parties.SHAPES),
        default="tls,lan,wan",
        help="of " + ", ".join(parties.SHAPES),
    )
    parser.add_argument(
        "--most", type=whole, default=5000, help="count and rows over links that are shaped"
    )
    parser.add_argument("--repeat", type=whole, default=3)


def run(options: argparse.Namespace) -> list[Record]:
    """Measure AES, then every kind over every link, then products of more parties."""
    work = floors.aes()
    blocks, spread = rate(work.run, work.count, options.repeat)
    records = [
        Record(benchmark="sharing.aes", unit="block/s", median=blocks, spread=spread, checked=True)
    ]
    for made in parties.play(_SIDES, _job, options)[_SIDES[0]]:
        records += made.records(blocks)
    for count in options.parties:
        names = [f"party_{place}" for place in range(count)]
        (made,) = parties.play(names, _among, options)[names[0]]
        records += made.records(blocks)
    return records


@dataclass(frozen=True, slots=True)
class _Made:
    """What was measured of making a kind (None: of the wire alone), and the name and the seconds of
    its floor."""

    benchmark: str
    shape: str
    parties: int
    kind: Kind | None
    times: Times
    floor: tuple[str, float] | None

    def records(self, blocks: float) -> Iterator[Record]:
        """Seconds; or a rate, and over the plain link the time of one in AES, and the stages."""
        params: dict[str, object] = link_params(self.shape)
        if self.kind is not None:
            params = {
                "kind": kinds.name(self.kind),
                "of": "x".join(map(str, kinds.parameters(self.kind))) or "-",
                "count": self.kind.count,
                "parties": self.parties,
                **params,
            }
        record = self.times.record(self.benchmark, params, self.floor)
        if self.kind is None:
            yield self.times.rate(record, self.times.bytes / 1e6, "MB/s")
        elif self.benchmark != "sharing.correlations":
            yield record
        else:
            yield self.times.rate(record, self.kind.count, "1/s")
            if self.shape not in LINKS:
                one = self.times.each("sharing.each", params, self.kind.count)
                median, spread = (blocks * of / 1e6 for of in (one.median, one.spread))
                yield replace(one, unit="AES blocks", median=median, spread=spread)
        if self.kind is not None and self.shape not in LINKS:
            made = self.benchmark.removeprefix("sharing.")
            yield from self.times.parts("sharing.stage", {"made": made, **params}, _SIDES[0])


def _job(seat: Seat, options: argparse.Namespace) -> list[_Made]:
    """Everything that two parties make, over every link."""
    with kernels.use(threads=1):
        return [made for shape in options.shapes for made in _over(seat, shape, options)]


def _over(seat: Seat, shape: str, options: argparse.Namespace) -> Iterator[_Made]:
    def sizes(asked: Sequence[int]) -> list[int]:
        return sorted({min(n, options.most) if shape in LINKS else n for n in asked})

    made = partial(_made, seat, shape, options.repeat)
    features, one_row = options.features, kinds.Against(0, options.features, 1, 1)
    yield _wire(seat, shape, options.repeat)
    yield made("sharing.first", kinds.Products(1), anew=True)
    yield made("sharing.first_row", one_row, anew=True)
    yield made("sharing.row", one_row)
    for kind in (kind for n in sizes(options.count) for kind in _kinds(n)):
        yield made("sharing.correlations", kind)
    for rows in sizes(options.rows):
        yield made("sharing.correlations", kinds.Against(0, features, 1, rows))


def _kinds(n: int) -> list[Kind]:
    return [
        kinds.Products(n),
        kinds.Squares(n),
        kinds.Ands(n),
        kinds.Bits(64 * n),
        kinds.Selections(64 * n),
        kinds.Numbers(64, n),
        kinds.Truncations(16, n),
        kinds.Sines(24, 10, 20, max(1, n // 20)),
    ]


def _among(seat: Seat, options: argparse.Namespace) -> list[_Made]:
    """Products of the least of the counts asked for, made by all, over the link as it is."""
    kind = kinds.Products(min(options.count))
    with kernels.use(threads=1):
        return [_made(seat, "tls", options.repeat, "sharing.among", kind)]


def _wire(seat: Seat, shape: str, repeat: int) -> _Made:
    def bare(mesh: Mesh) -> None:
        exchange([mesh.channel(name) for name in mesh.peers], _WIRE_BYTES, 1)

    times = timed(seat, shape, repeat, lambda mesh: mesh, bare, lambda _: True)
    floor = ("link", times.reached.seconds) if shape in LINKS else None
    return _Made("sharing.wire", shape, len(seat.names), None, times, floor)


def _made(
    seat: Seat, shape: str, repeat: int, benchmark: str, kind: Kind, *, anew: bool = False
) -> _Made:
    """``kind`` made by all, its base transfers counted where they are made ``anew``."""

    def ready(mesh: Mesh) -> Triples:
        triples = vole.source(mesh)
        if not anew:
            triples.draw(kinds.Products(1))
        return triples

    def right(mine: Arrays) -> bool:
        return _holds(kind, [mine, *_shown(seat.mesh(), mine)])

    times = timed(seat, shape, repeat, ready, partial(_drawn, kind), right, depth=2)
    floor = floor_of(seat, shape, repeat, times, *seat.names)
    return _Made(benchmark, shape, len(seat.names), kind, times, floor)


def _drawn(kind: Kind, triples: Triples) -> Arrays:
    """What the pool has nothing of, so that it is made now."""
    if isinstance(kind, kinds.Against):
        mask = triples.fixed(kind.rows, kind.columns)
        return {**triples.against(mask, kind.count).take(), "b": mask.mask}
    return triples.draw(kind).take()


def _shown(mesh: Mesh, mine: Arrays) -> list[Arrays]:
    """The shares of all others, which are shown for the benchmark alone."""
    others: dict[str, Arrays] = {name: {} for name in mesh.peers}
    for field, array in mine.items():
        words = np.ascontiguousarray(array).reshape(-1)
        for name, message in mesh.exchange(Column(**columns.pack(words))).items():
            theirs = columns.unpack_uint64(message, peer=name, count=len(words))
            others[name][field] = theirs.reshape(array.shape)
    return list(others.values())


def _holds(kind: Kind, parts: Sequence[Arrays]) -> bool:
    """Whether the parties' shares are of what ``kind`` says."""
    whole: dict[str, Words] = {}
    for field in kind.fields():
        add = np.bitwise_xor if field.xor else np.add
        whole[field.name] = add.reduce([part[field.name] for part in parts])
    operands = {}
    if isinstance(kind, kinds.Against):
        operands[kind.number] = np.add.reduce([part["b"] for part in parts])
        # Each party has left out what it can multiply alone.
        whole["c"] = whole["c"] + sum(part["a"] @ part["b"] for part in parts)
    units = 2 * sines.ERROR_UNITS + 0.5 if isinstance(kind, kinds.Sines) else 0
    return all(
        bool(np.all(np.abs((whole[name] - array).view(np.int64)) <= units))
        for name, array in kind.complete(whole, operands).items()
    )
