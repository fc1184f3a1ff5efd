# SPDX-License-Identifier: Apache-2.0
"""Correlated randomness without a dealer, between two processes: a second, bytes, rounds.

Each party has one thread, and they talk over a pipe, so that nothing but the protocol is measured.
Rates are counts over the time until both have their shares, after one batch that makes the base
transfers (``sharing.first`` is a product with them, in seconds) and loads the kernels. Rows against
a matrix are what a joint score of so many features takes; one row is in seconds.

The floor is the wire: how much of the time the bytes alone take over the pipe, in the same run.
AES-128 in counter mode, in blocks a second on one core, is for comparison.

``sharing.among`` is the seconds in which so many parties, over gRPC with TLS, make products; its
floor is the bare exchange of as many bytes as the first party's, in as many rounds.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from mpc import kernels
from mpc.kernels import aes
from mpc.net import columns
from mpc.net.channel import Channel
from mpc.net.mesh import Mesh
from mpc.net.traced import Traced
from mpc.pb.v1.columns_pb2 import Column
from mpc.protocols.triples import Triples, kinds, sines, vole
from mpc.protocols.triples.kinds import Arrays, Kind, Words

from . import parties
from ._options import several, two_or_more, whole
from .parties import Seat, Times, exchanged, timed
from .record import Record, middle
from .vole import PipeLink

_NAMES = ("near", "far")
_AES_BLOCKS = 1 << 20
_WIRE_BYTES = 1 << 20

QUICK = "--count 256 --rows 300 --features 4 --parties 2,3 --repeat 1"
SWEEP = "--count 256,2048,16384 --rows 1024,16384,262144 --parties 2,3,4,8 --repeat 3"
GROWS_WITH = (("count",), ("parties",))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Counts and sizes."""
    parser.add_argument(
        "--count", type=several, default="20000", help="of each kind but the matrices"
    )
    parser.add_argument("--rows", type=several, default="100000", help="against a matrix")
    parser.add_argument("--features", type=whole, default=32, help="its size")
    parser.add_argument(
        "--parties", type=two_or_more, default="2,3,5", help="how many make products together"
    )
    parser.add_argument("--repeat", type=whole, default=5)


def run(options: argparse.Namespace) -> list[Record]:
    """Measure the floors, then every kind."""
    with kernels.use(threads=1):
        keys = aes.schedule(bytes(16))
        rates = []
        for _ in range(options.repeat + 1):
            begun = time.perf_counter()
            aes.counter(keys, _AES_BLOCKS)
            rates.append(_AES_BLOCKS / (time.perf_counter() - begun))
    blocks, spread = middle(rates[1:])
    records = [
        Record(benchmark="sharing.aes", unit="block/s", median=blocks, spread=spread, checked=True)
    ]
    context = multiprocessing.get_context("spawn")
    near, far = context.Pipe()
    process = context.Process(target=_far, args=(far,))
    process.start()
    try:
        with kernels.use(threads=1):
            records += _measured(near, options)
    finally:
        near.send(None)
        process.join()
    for count in options.parties:
        names = [f"party_{place}" for place in range(count)]
        times, floor = parties.play(names, _together, options)[names[0]]
        params = {"kind": "products", "parties": count, "count": _first(options)}
        records.append(times.record("sharing.among", params, floor))
    return records


def _first(options: argparse.Namespace) -> int:
    """The least of the counts asked for."""
    return min(options.count)


def _together(seat: Seat, options: argparse.Namespace) -> tuple[Times, float]:
    """Products made by all, their base transfers not counted."""
    kind = kinds.Products(_first(options))

    def ready(mesh: Mesh) -> Triples:
        triples = vole.source(mesh)
        triples.draw(kinds.Products(1))
        return triples

    def right(mine: Arrays) -> bool:
        words = np.concatenate([mine[name] for name in "abc"])
        shown = seat.mesh().exchange(Column(**columns.pack(words.view(np.uint8).reshape(-1, 8))))
        whole = sum((columns.unpack_uint64(m, peer=n) for n, m in shown.items()), start=words)
        a, b, c = np.split(whole, 3)
        return np.array_equal(a * b, c)

    with kernels.use(threads=1):
        times = timed(seat, "tls", options.repeat, ready, lambda t: t.draw(kind).take(), right)
        return times, exchanged(seat, "tls", options.repeat, times, *seat.names)


def _mesh(link: Any, me: str) -> Mesh:
    return Mesh(me, _NAMES, {link.peer: Channel(link)})


def _far(pipe: Connection) -> None:
    """The other party: does what it is told, and hands back its shares."""
    link = PipeLink(pipe, "near")
    triples: Triples | None = None
    with kernels.use(threads=1):
        while (order := pipe.recv()) is not None:
            if order == "wire":
                pipe.send_bytes(pipe.recv_bytes())
                continue
            if order == "anew" or triples is None:
                triples = vole.source(_mesh(link, "far"))
                continue
            shares = _made(triples, order)
            pipe.send_bytes(b"done")
            pipe.send(shares)


def _made(triples: Triples, kind: Kind) -> Arrays:
    """What the pool has nothing of, so that it is made now."""
    if isinstance(kind, kinds.Against):
        mask = triples.fixed(kind.rows, kind.columns)
        return {**triples.against(mask, kind.count).take(), "b": mask.mask}
    return triples.draw(kind).take()


def _measured(pipe: Connection, options: argparse.Namespace) -> list[Record]:
    wire = _wire(pipe, options.repeat)
    records = [wire]
    features = options.features
    near = _Near(pipe, wire.median * 1e6)
    records.append(near.seconds("sharing.first", kinds.Products(1), options.repeat, anew=True))
    one_row = kinds.Against(0, features, 1, 1)
    records.append(near.seconds("sharing.first_row", one_row, options.repeat, anew=True))
    records.append(near.seconds("sharing.row", one_row, options.repeat))
    made = [kind for n in options.count for kind in _kinds(n)]
    made += [kinds.Against(0, features, 1, rows) for rows in options.rows]
    return records + [near.rate(kind, options.repeat) for kind in made]


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


def _wire(pipe: Connection, repeat: int) -> Record:
    rates = []
    for _ in range(repeat):
        pipe.send("wire")
        begun = time.perf_counter()
        pipe.send_bytes(bytes(_WIRE_BYTES))
        back = pipe.recv_bytes()
        rates.append(2 * len(back) / (time.perf_counter() - begun) / 1e6)
    median, spread = middle(rates)
    return Record(benchmark="sharing.wire", unit="MB/s", median=median, spread=spread, checked=True)


class _Near:
    """This party, which measures."""

    def __init__(self, pipe: Connection, wire: float) -> None:
        self._pipe = pipe
        self._wire = wire
        self._anew()

    def _anew(self) -> None:
        self._link = Traced(PipeLink(self._pipe, "far"), digest=False)
        self._pipe.send("anew")
        self._triples = vole.source(_mesh(self._link, "near"))

    def rate(self, kind: Kind, repeat: int) -> Record:
        """How many of ``kind`` are made in a second."""
        return self._record(
            "sharing.correlations", kind, "1/s", repeat, lambda seconds: kind.count / seconds
        )

    def seconds(self, name: str, kind: Kind, repeat: int, *, anew: bool = False) -> Record:
        """How long one batch takes; with its base transfers, where it starts ``anew``."""
        return self._record(name, kind, "s", repeat, lambda seconds: seconds, anew=anew)

    def _record(
        self,
        name: str,
        kind: Kind,
        unit: str,
        repeat: int,
        figure: Callable[[float], float],
        *,
        anew: bool = False,
    ) -> Record:
        times, checked = [], True
        for turn in range(repeat + 1):
            if anew:
                self._anew()
            before = self._link.traffic
            self._pipe.send(kind)
            begun = time.perf_counter()
            mine = _made(self._triples, kind)
            self._pipe.recv_bytes()
            # The first run compiles or loads the kernels, and is not counted.
            if turn:
                times.append(time.perf_counter() - begun)
            checked = checked and _holds(kind, mine, self._pipe.recv())
        after = self._link.traffic
        moved = after.sent_bytes + after.received_bytes - before.sent_bytes - before.received_bytes
        median, spread = middle([figure(seconds) for seconds in times])
        return Record(
            benchmark=name,
            params={
                "kind": kinds.name(kind),
                "of": "x".join(map(str, kinds.parameters(kind))) or "-",
                "count": kind.count,
            },
            unit=unit,
            median=median,
            spread=spread,
            bytes=moved,
            rounds=after.rounds - before.rounds,
            floor=("wire", moved / self._wire / middle(times)[0]),
            checked=checked,
        )


def _holds(kind: Kind, mine: Arrays, theirs: Arrays) -> bool:
    """Whether the shares are of what ``kind`` says."""
    whole: dict[str, Words] = {}
    for field in kind.fields():
        left, right = mine[field.name], theirs[field.name]
        whole[field.name] = left ^ right if field.xor else left + right
    operands = {}
    if isinstance(kind, kinds.Against):
        operands[kind.number] = mine["b"] + theirs["b"]
        # Each party has left out what it can multiply alone.
        whole["c"] = whole["c"] + sum(part["a"] @ part["b"] for part in (mine, theirs))
    units = 2 * sines.ERROR_UNITS + 0.5 if isinstance(kind, kinds.Sines) else 0
    return all(
        bool(np.all(np.abs((whole[name] - array).view(np.int64)) <= units))
        for name, array in kind.complete(whole, operands).items()
    )
