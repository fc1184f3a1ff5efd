# SPDX-License-Identifier: Apache-2.0
"""Jobs on shares, run by n parties on threads, with correlations made in the clear."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from google.protobuf.message import Message

from mpc import testing
from mpc.net import columns
from mpc.net.channel import Channel
from mpc.net.mesh import Mesh
from mpc.pb.v1 import arith_pb2
from mpc.pb.v1.columns_pb2 import Column
from mpc.primitives.rng import uint64
from mpc.primitives.sharing import Share
from mpc.protocols import arith, seeds
from mpc.protocols.triples import Triples, kinds
from mpc.protocols.triples.kinds import Against, Arrays, Field, Kind, Operand


class Ideal:
    """What a party would get from a dealer that all trust: every party draws the same stream."""

    def __init__(self, party: int, parties: int, seed: int | str = 0) -> None:
        self._rng = testing.seeded(f"ideal {seed}")
        self._party = party
        self._parties = parties
        self._operands: dict[int, Any] = {}
        self._masks: dict[int, Any] = {}

    def make(self, kind: Kind) -> Arrays:
        kind = kinds.whole(kind)
        fields = kind.fields()
        free = {f.name: uint64(self._rng, kinds.shape(kind, f)) for f in fields if f.free}
        if isinstance(kind, Operand):
            self._operands[kind.number] = free["b"][0]
        whole = free | kind.complete(free, self._operands)
        shares = {f.name: self._share(whole[f.name], f) for f in fields}
        if isinstance(kind, Operand):
            self._masks[kind.number] = shares["b"][0]
        if isinstance(kind, Against):
            shares["c"] = kind.apart(shares["a"], shares["c"], self._masks)
        return shares

    def close(self) -> None:
        """There is nobody to tell."""

    def _share(self, value: Any, field: Field) -> Any:
        holders = [party for party in range(self._parties) if field.held_by(party)]
        random = [uint64(self._rng, value.shape) for _ in holders[1:]]
        rest = value
        for words in random:
            rest = rest ^ words if field.xor else rest - words
        shares = dict(zip(holders, [rest, *random], strict=True))
        return shares.get(self._party, np.zeros_like(value))


@dataclass(frozen=True)
class Party:
    """What a job has to work with."""

    mesh: Mesh
    seeds: seeds.Seeds
    triples: Triples

    def share(self, values: Any, *, owner: int = 0, fraction_bits: int = 20) -> Share:
        """Shares of ``values``, which the owner knows; the others take their shape alone."""
        name, shape = self.mesh.names[owner], np.shape(values)
        mine = values if self.mesh.me == name else None
        return self.seeds.share(mine, owner=name, shape=shape, fraction_bits=fraction_bits)

    def reveal(self, x: Share) -> Any:
        return arith.reveal(self.mesh, x)


class Recording:
    """A channel that keeps every message that came, and may change one on its way out."""

    def __init__(self, channel: Channel, change: Callable[[Message], None] | None = None) -> None:
        self.peer = channel.peer
        self.came: list[Message] = []
        self._channel = channel
        self._change = change

    def send(self, message: Message, **bulk: Any) -> None:
        for name, array in bulk.items():
            getattr(message, name).CopyFrom(Column(**columns.pack(array)))
        if self._change is not None:
            self._change(message)
        self._channel.send(message)

    def put(self, frame: bytes) -> None:
        if self._change is None:
            self._channel.put(frame)
            return
        name = frame[2 : 2 + frame[1]].decode().rpartition(".")[2]
        message = getattr(arith_pb2, name).FromString(frame[2 + frame[1] :])
        self.send(message)

    def exchange(self, message: Message) -> Any:
        self.send(message)
        return self.recv(type(message))

    def recv(self, kind: type[Any]) -> Any:
        message = self._channel.recv(kind)
        self.came.append(message)
        return message


def recorded(mesh: Mesh, change: Callable[[Message], None] | None = None) -> Mesh:
    """``mesh`` with a ``Recording`` for every channel."""
    channels: Any = {name: Recording(mesh.channel(name), change) for name in mesh.peers}
    return Mesh(mesh.me, mesh.names, channels)


def openings(mesh: Mesh, *, width: int | None = None) -> list[bytes]:
    """What was in every opening that reached the party of a ``recorded`` mesh, or in those of
    numbers of ``width`` bytes."""
    return [
        message.words.data
        for name in mesh.peers
        for message in mesh.channel(name).came  # type: ignore[attr-defined]
        if isinstance(message, arith_pb2.Opening) and width in (None, message.words.width)
    ]


def chi_square(data: bytes) -> float:
    """How far bytes are from uniform, in standard deviations of the statistic, which is close to
    normal with mean 255."""
    counts = np.bincount(np.frombuffer(data, np.uint8), minlength=256)
    expected = len(data) / 256
    return float((((counts - expected) ** 2 / expected).sum() - 255) / (2 * 255) ** 0.5)


def looks_uniform(data: bytes) -> bool:
    """Whether bytes are no further from uniform than chance goes but once in ten million."""
    assert len(data) > 256 * 20, "too few bytes to tell"
    return chi_square(data) < 5.2


def evenly(values: Any, cells: int) -> bool:
    """Whether whole numbers below ``cells`` are no further from uniform than chance goes, as
    ``looks_uniform``."""
    assert len(values) >= 20 * cells, "too few numbers to tell"
    counts, mean = np.bincount(values, minlength=cells), len(values) / cells
    freedom = cells - 1
    return float(((counts - mean) ** 2 / mean).sum()) < freedom + 5.2 * (2 * freedom) ** 0.5 + 20


def view(parties: int, job: Callable[[Party], Any], *, seeds: int) -> bytes:
    """All that the last party receives in openings, over many runs of one job."""
    seen: list[bytes] = []

    def play(party: Party) -> None:
        job(party)
        if party.mesh.me == party.mesh.names[-1]:
            seen.extend(openings(party.mesh))

    for seed in range(seeds):
        compute(parties, play, seed=f"view {seed}", wrap=recorded)
    return b"".join(seen)


def compute(
    parties: int,
    job: Callable[[Party], Any],
    *,
    seed: int | str = 0,
    wrap: Callable[[Mesh], Mesh] = lambda mesh: mesh,
) -> list[Any]:
    """What ``job`` gives at each of the parties p0, p1, ..."""

    def role(number: int) -> Callable[[Mesh], Any]:
        def play(mesh: Mesh) -> Any:
            mesh = wrap(mesh)
            agreed = seeds.agree(mesh, rng=testing.seeded(f"{seed} {number}"))
            return job(Party(mesh, agreed, Triples(Ideal(number, parties, seed))))

        return play

    return list(testing.run_mesh({f"p{i}": role(i) for i in range(parties)}).values())
