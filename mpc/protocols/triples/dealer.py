# SPDX-License-Identifier: Apache-2.0
"""Correlations from a dealer: a process that computes with nobody and sees no input; semi-honest.

    every party k                         dealer
      DealerHello          ------------>  the computing parties, in their order
                           <------------  DealerSeed, one for each party
      CorrelationRequest   ------------>  expands all seeds, adds up, computes the rest
    the first party        <------------  Correction

The requests of all parties must be alike, so parties that are about to use different things are
stopped with ParameterMismatch; those that wait for nothing go on until they hear of it.

All shares are AES-CTR keystream of the parties' seeds, but for those of the first party in what
follows from the uniform arrays: it gets these, 8 bytes for each word, and the others get nothing
but their seed (Araki et al. 2018 and others use this for three parties).

Learns: the dealer, which kinds are drawn and how many, and so what is computed on which sizes; it
gets no message that depends on an input. The parties learn nothing. But the dealer knows every
mask: **together with any one computing party it could read all that is opened**, and so every
input, and if it lies about a correlation the results are wrong, unnoticed. So it must be run by
someone else: ``serve`` and ``source`` both refuse a dealer that is one of the computing parties.
"""

from __future__ import annotations

import numpy as np

from mpc.errors import ConfigError, ParameterMismatch, ProtocolError
from mpc.kernels import aes
from mpc.net import columns
from mpc.net.channel import Channel
from mpc.net.mesh import Mesh
from mpc.pb.v1 import triples_pb2 as pb
from mpc.primitives.rng import SYSTEM, Rng
from mpc.protocols.triples import Triples, kinds
from mpc.protocols.triples.kinds import Against, Arrays, Field, Kind, Operand, Words

_LARGEST_WORDS = 1 << 21  # of a batch, all arrays of a party together, unless one unit has more
_LARGEST_UNIT = 1 << 27  # words of one unit of a kind, which is made whole: 1 GiB of each party


def source(mesh: Mesh, channel: Channel) -> Triples:
    """Triples from the dealer at the other end of ``channel``; close it when the job is done.

    Raises ConfigError where the dealer is a party of ``mesh``.
    """
    if channel.peer in mesh.names:
        raise ConfigError(f"the dealer {channel.peer!r} is a computing party; it must not be")
    channel.send(pb.DealerHello(parties=mesh.names))
    seed = channel.recv(pb.DealerSeed).seed
    if len(seed) != aes.KEY_BYTES:
        raise ProtocolError(channel.peer, f"a seed has {aes.KEY_BYTES} bytes, not {len(seed)}")
    return Triples(_Dealt(channel, _Stream(seed), mesh.names.index(mesh.me)))


def serve(mesh: Mesh, *, rng: Rng = SYSTEM) -> None:
    """Be the dealer of all other parties of ``mesh``, until they need no more.

    Raises ConfigError where the computing parties say that this process is one of them, and
    ParameterMismatch where they do not ask for the same.
    """
    parties = _agreed(mesh)
    streams = []
    for name in parties:
        seed = rng.bytes(aes.KEY_BYTES)
        mesh.channel(name).send(pb.DealerSeed(seed=seed))
        streams.append(_Stream(seed))
    operands: dict[int, Words] = {}
    first = mesh.channel(parties[0])
    while (request := _requested(mesh, parties)).kind:
        kind = _wanted(first.peer, request, operands, len(parties))
        correction = _corrected(kind, streams, operands)
        first.send(pb.Correction(words=columns.pack(correction)))


def _agreed(mesh: Mesh) -> tuple[str, ...]:
    """The computing parties in their order, which all of them say alike."""
    hellos = {name: tuple(hello.parties) for name, hello in mesh.gather(pb.DealerHello).items()}
    parties = next(iter(hellos.values()))
    for name, told in hellos.items():
        if mesh.me in told:
            raise ConfigError(f"{name} counts the dealer {mesh.me!r} among the computing parties")
        if told != parties:
            raise ParameterMismatch(name, "parties", str(parties), str(told))
    if set(parties) != set(mesh.peers) or len(parties) != len(mesh.peers):
        raise ConfigError(f"{parties} compute, but the dealer has channels to {mesh.peers}")
    return parties


def _requested(mesh: Mesh, parties: tuple[str, ...]) -> pb.CorrelationRequest:
    """What all parties ask for next."""
    first = mesh.channel(parties[0]).recv(pb.CorrelationRequest)
    for name in parties[1:]:
        other = mesh.channel(name).recv(pb.CorrelationRequest)
        if other != first:
            raise ParameterMismatch(name, "correlation", kinds.told(first), kinds.told(other))
    return first


def _wanted(
    peer: str, request: pb.CorrelationRequest, operands: dict[int, Words], parties: int
) -> Kind:
    try:
        kind = kinds.named(request.kind, list(request.parameters), request.count)
    except ConfigError as error:
        raise ProtocolError(peer, f"asks for {error}") from None
    if kind != _bounded(kind) or _unit_words(kind) > _LARGEST_UNIT:
        raise ProtocolError(peer, f"asks for too much at once: {kind}")
    if isinstance(kind, kinds.Operand | kinds.Against) and kind.holder >= parties:
        raise ProtocolError(peer, f"asks for products with party {kind.holder} of {parties}")
    if isinstance(kind, kinds.Against):
        held = operands.get(kind.number)
        if held is None or held.shape != (kind.rows, kind.columns):
            raise ProtocolError(peer, f"asks for rows against an unknown operand: {kind}")
    return kind


def _corrected(kind: Kind, streams: list[_Stream], operands: dict[int, Words]) -> Words:
    """The first party's shares of all arrays that are not free, one after the other."""
    shares = [_expanded(kind, stream, party) for party, stream in enumerate(streams)]
    fields = kind.fields()
    free = {
        field.name: _total(field, [share[field.name] for share in shares])
        for field in fields
        if field.free
    }
    if isinstance(kind, Operand):
        operands[kind.number] = free["b"][0]
    whole = kind.complete(free, operands)
    parts = [np.empty(0, np.uint64)]
    for field in fields:
        if not field.free:
            others = _total(field, [share[field.name] for share in shares[1:]])
            value = whole[field.name]
            parts.append((value ^ others if field.xor else value - others).reshape(-1))
    return np.concatenate(parts)


class _Stream:
    """The keystream of one seed, read from its start; the party and the dealer read it alike."""

    __slots__ = ("_keys", "_position")

    def __init__(self, seed: bytes) -> None:
        self._keys = aes.schedule(seed)
        self._position = 0

    def words(self, shape: tuple[int, ...]) -> Words:
        count = int(np.prod(shape, dtype=np.int64))
        blocks = -(-count // 2)
        drawn = aes.counter(self._keys, blocks, self._position)
        self._position += blocks
        return drawn.reshape(-1)[:count].reshape(shape)

    def __repr__(self) -> str:
        return "Stream(<secret>)"


class _Dealt:
    """This party's side: its stream, for the first party what the dealer sends, and shares of
    fixed operands."""

    __slots__ = ("_channel", "_operands", "_party", "_stream")

    def __init__(self, channel: Channel, stream: _Stream, party: int) -> None:
        self._channel = channel
        self._operands: dict[int, Words] = {}
        self._stream = stream
        self._party = party

    def make(self, kind: Kind) -> Arrays:
        kind = _bounded(kinds.whole(kind))
        if _unit_words(kind) > _LARGEST_UNIT:
            raise ConfigError(f"a dealer makes up to {_LARGEST_UNIT} words at once, not {kind}")
        self._channel.send(kinds.request(kind))
        arrays = _expanded(kind, self._stream, self._party)
        if not self._party:
            arrays |= self._correction(kind)
        if isinstance(kind, Operand):
            self._operands[kind.number] = arrays["b"][0]
        if isinstance(kind, Against):
            arrays["c"] = kind.apart(arrays["a"], arrays["c"], self._operands)
        return arrays

    def _correction(self, kind: Kind) -> Arrays:
        """What the dealer sends to the first party."""
        rest = [(field.name, kinds.shape(kind, field)) for field in kind.fields() if not field.free]
        sizes = [int(np.prod(shape, dtype=np.int64)) for _, shape in rest]
        message = self._channel.recv(pb.Correction)
        words = columns.unpack_uint64(message.words, count=sum(sizes), peer=self._channel.peer)
        arrays, start = {}, 0
        for (name, shape), size in zip(rest, sizes, strict=True):
            arrays[name] = words[start : start + size].reshape(shape)
            start += size
        return arrays

    def close(self, *, failed: bool = False) -> None:
        """Tell the dealer that nothing more is needed, unless this party has failed."""
        if not failed:
            self._channel.send(pb.CorrelationRequest())


def _bounded(kind: Kind) -> Kind:
    """``kind`` with no more than a batch holds, at least one unit."""
    most = max(1, _LARGEST_WORDS // max(1, _unit_words(kind)))
    return kinds.whole(kind, max(kind.UNIT, min(kinds.units(kind), most) * kind.UNIT))


def _unit_words(kind: Kind) -> int:
    """Words of all arrays of a party for one unit of ``kind``."""
    return sum(int(np.prod(field.tail, dtype=np.int64)) * field.per for field in kind.fields())


def _expanded(kind: Kind, stream: _Stream, party: int) -> Arrays:
    """A party's shares of ``kind``; for the first party of free arrays only."""
    return {
        field.name: stream.words(kinds.shape(kind, field))
        if field.held_by(party)
        else kinds.absent(kind, field)
        for field in kind.fields()
        if field.free or party
    }


def _total(field: Field, shares: list[Words]) -> Words:
    stacked = np.stack(shares)
    if field.xor:
        return np.asarray(np.bitwise_xor.reduce(stacked))
    return np.asarray(np.sum(stacked, axis=0, dtype=np.uint64))
