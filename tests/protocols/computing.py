# SPDX-License-Identifier: Apache-2.0
"""Jobs on shares, run by n parties on threads, with correlations made in the clear."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
from google.protobuf.message import Message
from numpy.typing import NDArray

from mpc import testing
from mpc.net import columns
from mpc.net.channel import Channel
from mpc.net.mesh import Mesh
from mpc.pb.v1 import arith_pb2
from mpc.pb.v1.columns_pb2 import Column
from mpc.primitives.rng import uint64
from mpc.primitives.sharing import Share
from mpc.protocols import arith, opening, seeds
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


def views(
    parties: int, job: Callable[[Party], Any], *, seeds: int
) -> dict[tuple[str, str], NDArray[np.uint8]]:
    """What the parties see in openings, over many runs of one job: the bits in use of each step.

    By each party's name all that the others send it, and by ``opened`` what the openings come to,
    which all see. Results, at the step ``reveal``, are left out.
    """
    seen: dict[tuple[str, str], list[Any]] = defaultdict(list)

    def saw(mesh: Mesh, step: str, came: list[Any], opened: list[Any], bits: int) -> None:
        seen[mesh.me, step] += [_low_bits(words, bits) for words in came]
        if mesh.me == mesh.names[0]:
            seen["opened", step] += [_low_bits(words, bits) for words in opened]

    def together(mesh: Mesh, step: str, **arrays: Any) -> Any:
        with _received(mesh) as came:
            sums, xors = openers[0](mesh, step, **arrays)
        added = sum(array.size for array in sums)
        if step != "reveal":
            saw(mesh, step, [words[:added] for words in came], sums, 64)
            saw(mesh, f"{step}, bits", [words[added:] for words in came], xors, 64)
        return sums, xors

    def residues(mesh: Mesh, step: str, words: Any, bits: int) -> Any:
        with _received(mesh) as came:
            opened = openers[1](mesh, step, words, bits)
        saw(mesh, step, came, [opened], bits)
        return opened

    openers = opening.together, opening.residues
    with (
        mock.patch.object(opening, "together", together),
        mock.patch.object(opening, "residues", residues),
    ):
        for seed in range(seeds):
            compute(parties, job, seed=f"view {seed}", wrap=recorded)
    streams = {key: np.concatenate(parts) for key, parts in seen.items() if parts}
    return {key: stream for key, stream in streams.items() if len(stream)}


@contextmanager
def _received(mesh: Mesh) -> Iterator[list[Any]]:
    """From each peer, the words of the openings that reach the party of a ``recorded`` mesh."""
    channels: list[Any] = [mesh.channel(name) for name in mesh.peers]
    before = [len(channel.came) for channel in channels]
    words: list[Any] = []
    yield words
    for channel, start in zip(channels, before, strict=True):
        parts = [message.words for message in channel.came[start:]]
        words.append(
            np.concatenate([np.frombuffer(part.data, f"<u{part.width}") for part in parts])
        )


def _low_bits(words: Any, count: int) -> Any:
    """So many low bits of each word, one after the other; there must be none above them."""
    wide = np.ascontiguousarray(words.reshape(-1), "<u8").view(np.uint8).reshape(-1, 8)
    found = np.unpackbits(wide, axis=1, bitorder="little")
    assert not found[:, count:].any(), f"more than {count} bits"
    return found[:, :count].reshape(-1)


def even(bits: NDArray[np.uint8]) -> bool:
    """Whether bits are no further from uniform than chance goes but once in ten million.

    By chi-square of as many as 8 together, and as few as one, so that each pattern is to come 20
    times at least; close to normal in the form of Wilson and Hilferty (1931).
    """
    size = next((size for size in (8, 4, 2, 1) if len(bits) >= size * (20 << size)), None)
    assert size is not None, "too few bits to tell"
    grouped = bits[: len(bits) // size * size].reshape(-1, size)
    counts = np.bincount(np.packbits(grouped, axis=1)[:, 0] >> (8 - size), minlength=1 << size)
    expected, k = len(grouped) / (1 << size), (1 << size) - 1
    ratio = ((counts - expected) ** 2 / expected).sum() / k
    return bool(np.cbrt(ratio) - (1 - 2 / (9 * k)) < 5.2 * (2 / (9 * k)) ** 0.5)


def views_are_uniform(parties: int, job: Callable[[Party], Any], *, seeds: int) -> bool:
    """Whether all ``views`` of the job are, at each step and of each party."""
    seen = views(parties, job, seeds=seeds)
    assert {who for who, _ in seen} == {*(f"p{i}" for i in range(parties)), "opened"}
    return all(even(bits) for bits in seen.values())


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
