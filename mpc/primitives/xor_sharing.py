# SPDX-License-Identifier: Apache-2.0
"""Sharing of bits by XOR among n parties, 64 bits to a word.

Bits lie along the last axis, packed as ``mpc.kernels.bits`` packs them: bit j of word i is bit
64 i + j. n vectors of words whose XOR is the secret; any n - 1 of them are uniform. What stands
behind the last bit in its word is not part of the secret and may be anything.

    s, t = shares of this party
    s ^ t, ~s, s & public      local
    s & t                      TypeError: takes a round, ``boolean.both``
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError, KeyMismatch
from mpc.kernels import bits
from mpc.primitives.rng import SYSTEM, Rng, uint64

Words = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class XorShare:
    """What party number ``party`` of ``parties`` holds of bits (..., count), as words (..., w).

    Public words are taken in by party 0 alone, so every party runs the same expression.
    """

    words: Words
    count: int
    party: int
    parties: int

    __array_ufunc__ = None

    def __post_init__(self) -> None:
        if self.words.dtype != np.uint64 or self.words.ndim < 1:
            raise ConfigError(f"bits are shared as uint64 (..., w), not {self.words.dtype}")
        if self.words.shape[-1] != bits.words(self.count):
            raise ConfigError(f"{self.words.shape[-1]} words hold no {self.count} bits")
        if not 0 <= self.party < self.parties:
            raise ConfigError(f"party {self.party} is not one of {self.parties}")

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the bits, not of the words."""
        return (*self.words.shape[:-1], self.count)

    def __getitem__(self, index: Any) -> XorShare:
        """A selection along the first axis of several."""
        if self.words.ndim < 2:
            raise ConfigError("packed bits are not picked apart; their first axis is")
        return replace(self, words=self.words[index])

    def rows(self, count: int) -> XorShare:
        """The bits (n,) cut into ``count`` rows of equal length."""
        whole = bits.unpack(self.words, self.count).reshape(count, -1)
        return replace(self, words=bits.pack(whole), count=whole.shape[1])

    def __xor__(self, other: XorShare | Words) -> XorShare:
        if isinstance(other, XorShare):
            self.require_like(other)
            return replace(self, words=self.words ^ other.words)
        return replace(self, words=self.words ^ other) if self.party == 0 else self

    def __invert__(self) -> XorShare:
        return replace(self, words=~self.words) if self.party == 0 else self

    def __and__(self, public: Words) -> XorShare:
        if isinstance(public, XorShare):
            raise TypeError("AND of shares communicates; use boolean.both")
        return replace(self, words=self.words & public)

    def require_like(self, other: XorShare) -> None:
        """KeyMismatch unless ``other`` is the same party's share of as many bits."""
        if (self.party, self.parties) != (other.party, other.parties):
            raise KeyMismatch("the operands are shares of different parties")
        if self.count != other.count:
            raise KeyMismatch(f"the operands are {self.count} and {other.count} bits")

    def __repr__(self) -> str:
        return f"XorShare(<secret>, shape={self.shape}, party={self.party} of {self.parties})"

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError("comparing shares communicates; use a comparison protocol")

    def __bool__(self) -> NoReturn:
        raise TypeError("a share has no truth value; reveal the result of a protocol instead")

    __hash__ = None  # type: ignore[assignment]  # the way to say that it has no hash


def public(values: NDArray[Any], party: int, parties: int) -> XorShare:
    """Public bits (..., n), as zeros and ones, in a trivial sharing: party 0 holds them."""
    packed = bits.pack(np.asarray(values, np.uint8))
    held = packed if party == 0 else np.zeros_like(packed)
    return XorShare(held, np.shape(values)[-1], party, parties)


def split(values: NDArray[Any], parties: int, *, rng: Rng = SYSTEM) -> tuple[XorShare, ...]:
    """Shares of bits (..., n), given as zeros and ones, for parties 0 to ``parties`` - 1."""
    packed, count = bits.pack(np.asarray(values, np.uint8)), np.shape(values)[-1]
    random = [uint64(rng, packed.shape) for _ in range(parties - 1)]
    rest = np.bitwise_xor.reduce([packed, *random])
    return tuple(XorShare(held, count, i, parties) for i, held in enumerate([rest, *random]))


def reconstruct(shares: Sequence[XorShare]) -> NDArray[np.uint8]:
    """The shared bits as zeros and ones, from the shares of all parties in any order."""
    if not shares or sorted(s.party for s in shares) != list(range(shares[0].parties)):
        raise KeyMismatch("need one share of each party")
    for share in shares:
        if share.shape != shares[0].shape:
            raise KeyMismatch("the shares differ in shape")
    whole = np.bitwise_xor.reduce([share.words for share in shares])
    return bits.unpack(whole, shares[0].count)
