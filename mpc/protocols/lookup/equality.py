# SPDX-License-Identifier: Apache-2.0
"""Whether two parties' 64-bit words are equal, in shares: one bit each for every pair of words.

The asker's word is cut into symbols of 4 bits. For each, the holder has a table of 16 bits, and the
asker gets the one that its symbol chooses: table[c] = r ^ [c == the holder's symbol], r random. The
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

Why not ANDs of packed bits: the 63 of one comparison take 126 transfers and six openings, which
``triples`` would make. This takes 21 vector OLEs, 53 bytes and three rounds.

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

RUN = 49_932
"""Comparisons of one run of vector OLE, 2^20 of these, which is what bounds memory."""

_CHOICES = 21  # of a comparison: 16 symbols, then 4, then 1


def asker(channel: Channel, words: Words, session: bytes, rng: Rng) -> Bits:
    """Bits (n,) that are, XOR those of the holder, one where the words are equal."""
    out = np.empty(len(words), np.uint8)
    for run in _runs(len(words)):
        symbols = _symbols(words[run])
        count = len(words[run])
        a, c = vole.receiver(channel, _CHOICES * count, ring=vole.NIBBLES, rng=rng)
        held = np.concatenate([a[:, None], c], axis=1)
        while len(symbols) >= count:
            bits = _choose(channel, symbols, held[: len(symbols)], session)
            held, symbols = held[len(symbols) :], _joined(bits)
        out[run] = bits
    return out


def holder(channel: Channel, words: Words, session: bytes, rng: Rng) -> Bits:
    """The holder's side of ``asker``."""
    out = np.empty(len(words), np.uint8)
    for run in _runs(len(words)):
        symbols = _symbols(words[run])
        count = len(words[run])
        delta, b = vole.sender(channel, _CHOICES * count, ring=vole.NIBBLES, rng=rng)
        while len(symbols) >= count:
            octets = np.frombuffer(rng.bytes(-(-len(symbols) // 8)), np.uint8)
            bits = np.unpackbits(octets, count=len(symbols))
            tables = np.uint16(1) << symbols.astype(np.uint16) ^ np.negative(bits.astype(np.uint16))
            _offer(channel, tables, b[: len(symbols)], delta, session)
            b, symbols = b[len(symbols) :], _joined(bits ^ np.uint8(1))
        out[run] = bits
    return out


def _symbols(words: Words) -> Bits:
    """Words (n,) as symbols (16 n,)."""
    return _nibbles(words.astype("<u8").view(np.uint8))


def _nibbles(octets: Bits) -> Bits:
    return np.stack([octets & 15, octets >> 4], axis=1).reshape(-1)


def _joined(bits: Bits) -> Bits:
    """Each four bits as one symbol; fewer are none."""
    whole = len(bits) // 4 * 4
    return np.packbits(bits[:whole].reshape(-1, 4), axis=1, bitorder="little").reshape(-1)


def _runs(count: int) -> Iterator[slice]:
    for start in range(0, count, RUN):
        yield slice(start, min(count, start + RUN))


def _choose(channel: Channel, symbols: Bits, held: Words, session: bytes) -> Bits:
    """The asker's bit of each table; ``held`` are a and c (n, 3)."""
    masked = np.zeros(len(symbols) + len(symbols) % 2, np.uint8)
    masked[: len(symbols)] = held[:, 0].astype(np.uint8) ^ symbols
    corrections = masked[0::2] | masked[1::2] << 4
    channel.send(pb.LookupChoices(corrections=corrections.tobytes()))
    message = channel.recv(pb.LookupTables).tables
    count, peer = len(symbols), channel.peer
    tables = columns.unpack(message, width=2, count=count, peer=peer).view("<u2")
    schedule = aes.schedule(session[: aes.KEY_BYTES])
    pads = aes.correlation_robust(schedule, held[:, 1:])[:, 0].astype(np.uint8)
    return ((tables[:, 0] >> symbols ^ pads) & 1).astype(np.uint8)


def _offer(
    channel: Channel, tables: NDArray[np.uint16], b: Words, delta: Words, session: bytes
) -> None:
    """Let the asker choose a bit of each table."""
    data = channel.recv(pb.LookupChoices).corrections
    if len(data) != -(-len(tables) // 2):
        raise ProtocolError(channel.peer, f"{len(data)} bytes of choices for {len(tables)}")
    corrections = _nibbles(np.frombuffer(data, np.uint8))[: len(tables)]
    factors = np.zeros((choices.CHOICES, 2), np.uint64)
    factors[:, 0] = np.arange(choices.CHOICES)
    multiples = gf128.multiply(factors, delta)
    schedule = aes.schedule(session[: aes.KEY_BYTES])
    pads = choices.pads(schedule, b ^ multiples[corrections], multiples)
    channel.send(pb.LookupTables(tables=columns.pack((tables ^ pads).reshape(-1, 1))))
