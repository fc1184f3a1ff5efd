# SPDX-License-Identifier: Apache-2.0
"""Rows as pieces that masks of 34 bits are added to, and words from shares of what comes out.

A row is two pieces of 32 zeros, which tell that its key is in the table, and its values: one piece
of 8 w bits for one of w <= 4 octets, and above that its lowest 32 bits and its highest 8 w - 32. A
piece p of b bits stands as 2 p, modulo 2^(b + 1), and the lowest ones of two, modulo 2^34, so that
their highest bit is zero. The two sides get shares a and h of 4 p, or of up to 3 more (``masked``),
which are halved twice. With a0, h0 the lowest bits::

    floor((a + h) / 2) = floor(a / 2) + floor(h / 2) + a0 h0

If the sum is even, both lowest bits are zero or both are one and carry; if it is odd, one of them
is one, the one to be dropped. That is exact modulo half of what the shares were modulo, and so for
a value's highest piece modulo 2^b. What the lowest of two is too large by, 2^33, is taken back as
``widths`` does it, with a1, h1 the highest bits of what was halved once::

        - 2^33 (a1 + h1 - a1 h1)

Products of bits are transfers of the asker's choice, of as many octets as the place of the product
leaves: w for a value's lowest bits, w - 4 for the highest, and for what is taken back.

Pieces of a key that is not in the table are uniform, so that its two of 32 bits are zeros with
probability 2^-64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpc.primitives import lwr
from mpc.protocols.lookup.transfers import Times

Words = NDArray[np.uint64]

TAGS, _TAG_BITS = 2, 32
"""Pieces that say whether a key is in the table, and their bits."""

_HALF = 32  # bits of the lowest piece of two

PIECE_OCTETS = 5
"""Of the longest piece: its 34 bits."""

_ROWS = 1 << 12  # at a time, so that they stay in a cache


@dataclass(frozen=True, slots=True)
class Pieces:
    """Of rows with ``columns`` values of ``octets`` octets."""

    columns: int
    octets: int

    @property
    def halves(self) -> bool:
        """Whether a value takes two pieces."""
        return 8 * self.octets > _HALF

    @property
    def bits(self) -> list[int]:
        """Of each piece as it stands in a row."""
        whole = 8 * self.octets + 1
        value = [_HALF + 2, whole - _HALF] if self.halves else [whole]
        return TAGS * [_TAG_BITS + 1] + self.columns * value

    @property
    def masks(self) -> int:
        """How many times a row takes the masks of one input."""
        return -(-len(self.bits) // lwr.SIZE)

    @property
    def width(self) -> int:
        """How many octets a row takes."""
        return -(-sum(self.bits) // 8)

    @property
    def last(self) -> np.uint64:
        """The bits of a row's last word that pieces take."""
        return np.uint64(2**64 - 1) >> np.uint64(-sum(self.bits) % 64)

    @property
    def transfers(self) -> int:
        """How many products of bits a key takes."""
        return 2 * len(self.bits) + self.columns * self.halves

    def of(self, values: Words) -> Words:
        """The pieces (n, p) of rows, as they stand in them, before any mask."""
        out = np.zeros((len(values), len(self.bits)), np.uint64)
        if self.halves:
            out[:, TAGS::2] = (values & np.uint64((1 << _HALF) - 1)) << np.uint64(1)
            out[:, TAGS + 1 :: 2] = values >> np.uint64(_HALF) << np.uint64(1)
        else:
            out[:, TAGS:] = values << np.uint64(1)
        return out

    def pack(self, pieces: Words) -> Words:
        """Rows of words (n, ``width`` / 8) of pieces, of which only their bits are looked at."""
        out = np.zeros((len(pieces), -(-self.width // 8)), np.uint64)
        for start in range(0, len(pieces), _ROWS):
            rows, into = pieces[start : start + _ROWS], out[start : start + _ROWS]
            for piece, (bits, word, shift) in enumerate(self._places()):
                held = rows[:, piece] & _low(bits)
                into[:, word] |= held << np.uint64(shift)
                if shift + bits > 64:
                    into[:, word + 1] |= held >> np.uint64(64 - shift)
        return out

    def unpack(self, words: Words) -> Words:
        """The pieces (n, p) of rows of words."""
        out = np.empty((len(words), len(self.bits)), np.uint64)
        for piece, (bits, word, shift) in enumerate(self._places()):
            held = words[:, word] >> np.uint64(shift)
            if shift + bits > 64:
                held |= words[:, word + 1] << np.uint64(64 - shift)
            out[:, piece] = held & _low(bits)
        return out

    def join(self, shares: Words, times: Times) -> tuple[Words, Words]:
        """From shares (n, p) of twice the pieces, or of 1, 2 or 3 more, of which one bit more is
        looked at, shares of a word (n,), which is zero if the key is in the table, and of its
        values (n, ``columns``) modulo 2^(8 ``octets``)."""
        bits = np.array(self.bits)
        lowest = (shares & np.uint64(1)).astype(np.uint8)
        shares = ((shares & _low(bits + 1)) >> np.uint64(1)) + times(lowest, PIECE_OCTETS)
        lowest = (shares & np.uint64(1)).astype(np.uint8)
        shares = (shares & _low(bits)) >> np.uint64(1)
        tags = shares[:, :TAGS] + times(lowest[:, :TAGS], _TAG_BITS // 8)
        tags &= _low(_TAG_BITS)
        tag = tags[:, 0] | tags[:, 1] << np.uint64(_TAG_BITS)
        if not self.halves:
            return tag, shares[:, TAGS:] + times(lowest[:, TAGS:], self.octets)
        low, high = shares[:, TAGS::2], shares[:, TAGS + 1 :: 2]
        low, above = low + times(lowest[:, TAGS::2], self.octets), low >> np.uint64(_HALF)
        rest = self.octets - _HALF // 8
        high = high + times(lowest[:, TAGS + 1 :: 2], rest)
        above -= times(above.astype(np.uint8), rest)
        values: Words = low + (high << np.uint64(_HALF)) - (above << np.uint64(_HALF + 1))
        return tag, values

    def opposite(self, tags: Words) -> Words:
        """The words of the other side's that say zero with ``tags``."""
        half = _low(_TAG_BITS)
        return np.asarray(np.negative(tags) & half | np.negative(tags & ~half))

    def _places(self) -> list[tuple[int, int, int]]:
        """The bits of each piece, the word that it begins in, and where there."""
        ends = np.cumsum(self.bits).tolist()
        return [(bits, *divmod(end - bits, 64)) for bits, end in zip(self.bits, ends, strict=True)]


def _low(bits: int | NDArray[np.int64]) -> Words:
    """Words of which the lowest ``bits`` are ones."""
    return np.asarray((np.uint64(1) << np.asarray(bits, np.uint64)) - np.uint64(1))
