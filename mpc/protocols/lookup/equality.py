# SPDX-License-Identifier: Apache-2.0
"""Whether two parties' 64-bit words are equal, in shares: one bit each for every pair of words.

The asker's word is cut into symbols of 4 bits. For each, the holder has a table of 16 bits, and the
asker gets the one that its symbol chooses (``sixteen``): table[c] = r ^ [c == the holder's symbol],
r random. The asker's 16 bits and the complements of the holder's 16 r are equal if and only if the
words are; so the same is done with them, 4 symbols, and once more with 1. Equality by tables:
Couteau, "New Protocols for Secure Equality Test and Comparison" (ACNS 2018).

Why not ANDs of packed bits: the 63 of one comparison take 126 transfers and six openings, which
``triples`` would make. This takes 21 vector OLEs, 53 bytes and three rounds.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mpc.primitives.rng import Rng
from mpc.protocols.lookup import sixteen
from mpc.protocols.lookup.sixteen import Chooser, Offerer

Words = NDArray[np.uint64]
Bits = NDArray[np.uint8]

CHOICES = 21
"""Choices of a comparison: 16 symbols, then 4, then 1."""

_RUN = 49_932  # comparisons at a time, of about 2^20 choices, which is what bounds memory


def asker(chooser: Chooser, words: Words) -> Bits:
    """Bits (n,) that are, XOR those of the holder, one where the words are equal."""
    out = np.empty(len(words), np.uint8)
    for run in _runs(len(words)):
        count, symbols = len(words[run]), _symbols(words[run])
        while len(symbols) >= count:
            chooser.choose(symbols)
            bits = chooser.take(len(symbols), 1)
            symbols = _joined(bits)
        out[run] = bits
    return out


def holder(offerer: Offerer, words: Words, rng: Rng) -> Bits:
    """The holder's side of ``asker``."""
    out = np.empty(len(words), np.uint8)
    for run in _runs(len(words)):
        count, symbols = len(words[run]), _symbols(words[run])
        while len(symbols) >= count:
            octets = np.frombuffer(rng.bytes(-(-len(symbols) // 8)), np.uint8)
            bits = np.unpackbits(octets, count=len(symbols))
            offerer.expect(len(symbols))
            offerer.offer(_TABLES[bits, symbols])
            symbols = _joined(bits ^ np.uint8(1))
        out[run] = bits
    return out


_TABLES = np.uint16(1) << np.arange(16, dtype=np.uint16) ^ np.array([[0], [0xFFFF]], np.uint16)
"""The table for each random bit and symbol."""


def _symbols(words: Words) -> Bits:
    """Words (n,) as symbols (16 n,)."""
    return sixteen.nibbles(words.astype("<u8").view(np.uint8))


def _joined(bits: Bits) -> Bits:
    """Each four bits as one symbol; fewer are none."""
    whole = len(bits) // 4 * 4
    octets = np.packbits(bits[:whole], bitorder="little")
    return sixteen.nibbles(octets)[: whole // 4]


def _runs(count: int) -> Iterator[slice]:
    for start in range(0, count, _RUN):
        yield slice(start, min(count, start + _RUN))
