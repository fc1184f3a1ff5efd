# SPDX-License-Identifier: Apache-2.0
"""Whether two parties' 64-bit words are equal, in shares: one bit each for every pair of words.

The asker's word is cut into symbols of 4 bits. For each, the holder has a table of 16 bits, of which
the asker gets the one that its symbol chooses: table[c] = r ^ [c == its own symbol], r random. The
asker's 16 bits and the complements of the holder's 16 r are equal if and only if the words are; so
the same is done with them, 4 symbols, and once more with 1::

    asker, symbols x                              holder, tables T
      random a, c = a D + b     <- vole.NIBBLES ->    D, b
      a ^ x                     -- LookupChoices -->  K_v = b + (a + x) D + v D, for v of 0 to 15
      bit x, with H(c)          <-- LookupTables --   T[v] ^ H(K_v)

since K_x = c: choice among 2^k by one vector OLE, as in Kolesnikov, Kumaresan, Rosulek, Trieu,
"Efficient Batched Oblivious PRF" (CCS 2016), whose code is here the multiplication by D in
GF(2^128); the other K_v differ from c by multiples of D. Equality by tables: Couteau, "New
Protocols for Secure Equality Test and Comparison" (ACNS 2018).

Why not ANDs of packed bits: the 63 of one comparison take 126 transfers and six openings. This takes
21 vector OLEs, 53 bytes and three rounds.

H is correlation robust (``kernels.aes``) under a key of the run, and the c are uniform: a curious
asker that knows another table bit has guessed D. To the holder a + x is uniform.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ProtocolError
from mpc.kernels import aes, choices, gf128
from mpc.net import columns
from mpc.net.channel import Channel
from mpc.pb.v1 import lookup_pb2 as pb
from mpc.primitives.rng import Rng
from mpc.protocols import vole

Words = NDArray[np.uint64]
Bits = NDArray[np.uint8]

RUN = 1 << 20
"""Choices of one run of vector OLE, which is what bounds memory."""


def asker(channel: Channel, words: Words, session: bytes, rng: Rng) -> Bits:
    """Bits (n,) that are, XOR those of the holder, one where the words are equal."""
    symbols = _symbols(words)
    while True:
        bits = _choose(channel, symbols, session, rng)
        if len(bits) == len(words):
            return bits
        symbols = _joined(bits)


def holder(channel: Channel, words: Words, session: bytes, rng: Rng) -> Bits:
    """The holder's side of ``asker``."""
    symbols = _symbols(words)
    while True:
        octets = np.frombuffer(rng.bytes(-(-len(symbols) // 8)), np.uint8)
        bits = np.unpackbits(octets, count=len(symbols))
        every = np.negative(bits.astype(np.uint16))
        _offer(channel, np.uint16(1) << symbols.astype(np.uint16) ^ every, session, rng)
        if len(bits) == len(words):
            return bits
        symbols = _joined(bits ^ 1)


def _symbols(words: Words) -> Bits:
    """Words (n,) as symbols (16 n,)."""
    octets = words.astype("<u8").view(np.uint8)
    return np.stack([octets & 15, octets >> 4], axis=1).reshape(-1)


def _joined(bits: Bits) -> Bits:
    """Each four bits as one symbol."""
    return np.packbits(bits.reshape(-1, 4), axis=1, bitorder="little").reshape(-1)


def _runs(count: int) -> Iterator[slice]:
    for start in range(0, count, RUN):
        yield slice(start, min(count, start + RUN))


def _choose(channel: Channel, symbols: Bits, session: bytes, rng: Rng) -> Bits:
    out = np.empty(len(symbols), np.uint8)
    schedule = aes.schedule(session[: aes.KEY_BYTES])
    for run in _runs(len(symbols)):
        chosen, peer = symbols[run], channel.peer
        a, c = vole.receiver(channel, len(chosen), ring=vole.NIBBLES, rng=rng)
        masked = np.zeros(len(chosen) + len(chosen) % 2, np.uint8)
        masked[: len(chosen)] = a.astype(np.uint8) ^ chosen
        corrections = masked[0::2] | masked[1::2] << 4
        channel.send(pb.LookupChoices(corrections=corrections.tobytes()))
        message = channel.recv(pb.LookupTables).tables
        tables = columns.unpack(message, width=2, count=len(chosen), peer=peer).view("<u2")
        pads = aes.correlation_robust(schedule, c)[:, 0].astype(np.uint8)
        out[run] = (tables[:, 0] >> chosen ^ pads) & 1
    return out


def _offer(channel: Channel, tables: NDArray[np.uint16], session: bytes, rng: Rng) -> None:
    for run in _runs(len(tables)):
        held = tables[run]
        delta, b = vole.sender(channel, len(held), ring=vole.NIBBLES, rng=rng)
        data = channel.recv(pb.LookupChoices).corrections
        if len(data) != -(-len(held) // 2):
            raise ProtocolError(channel.peer, f"{len(data)} bytes of choices for {len(held)}")
        octets = np.frombuffer(data, np.uint8)
        corrections = np.stack([octets & 15, octets >> 4], axis=1).reshape(-1)[: len(held)]
        masked = held ^ _pads(b, corrections, delta, session)
        channel.send(pb.LookupTables(tables=columns.pack(masked.reshape(-1, 1))))


def _pads(b: Words, corrections: Bits, delta: Words, session: bytes) -> NDArray[np.uint16]:
    """For each choice, one bit of H(b + (correction + v) delta) in bit v."""
    schedule = aes.schedule(session[: aes.KEY_BYTES])
    factors = np.zeros((choices.CHOICES, 2), np.uint64)
    factors[:, 0] = np.arange(choices.CHOICES)
    multiples = gf128.multiply(factors, delta)
    return choices.pads(schedule, b ^ multiples[corrections], multiples)
