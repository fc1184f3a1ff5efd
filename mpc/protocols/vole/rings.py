# SPDX-License-Identifier: Apache-2.0
"""What the values of a vector OLE are, and what they are multiplied in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpc.kernels import gf128
from mpc.primitives import lpn, puncturable

Words = NDArray[np.uint64]

_ROW_BYTES, _WORD_BYTES = 16, 8
_MOST_INSIDE = 4
_SUM_BYTES = 32  # both sums of a tree's level


@dataclass(frozen=True, slots=True)
class Ring:
    """Values of ``value_bits`` bits: polynomials of GF(2^128), or integers modulo 2^64."""

    name: str
    value_bits: int
    modular: bool = False

    @property
    def rows_per_point(self) -> int:
        """Correlated rows for the value at one point of the noise; for bits that is always one."""
        return 0 if self.value_bits == 1 else self.value_bits

    @property
    def inside(self) -> int:
        """How many of the lowest bits of c are a, as b has zeros there: all of it, or none."""
        return self.value_bits if self.value_bits <= _MOST_INSIDE else 0

    def fitted(self, delta: Words) -> Words:
        """``delta`` (2,) as the ring needs it. Where a is inside c, its lowest bits are those of
        one, and its highest are zero, so that they stay as they are in a product with a."""
        if not self.inside:
            return delta
        low, unreduced = (1 << self.inside) - 1, 64 - (self.inside - 1)
        first = delta[0] & ~np.uint64(low) | np.uint64(1)
        return np.array([first, delta[1] & np.uint64((1 << unreduced) - 1)], np.uint64)

    def noise(self, count: int) -> lpn.Noise:
        """The noise that ``count`` values are compressed from."""
        return lpn.noise(count, 1 if self.modular else self.value_bits)

    def few(self, count: int) -> bool:
        """Whether ``count`` values take fewer bytes as correlated rows than by way of trees."""
        noise = self.noise(count)
        row = _ROW_BYTES + (_WORD_BYTES if self.modular else 0)
        trees = noise.points * puncturable.depth(noise.block) * (_ROW_BYTES + _SUM_BYTES)
        return count * self.value_bits * row <= trees + noise.points * self.rows_per_point * row


BITS = Ring("bits", 1)
"""a in {0, 1}, the product in GF(2^128): correlated oblivious transfer."""

NIBBLES = Ring("nibbles", 4)
"""a in GF(2)[X] of degree below 4, the product in GF(2^128): oblivious choice among sixteen.
121 bits of delta are random."""

WORDS = Ring("words", 64)
"""a in GF(2)[X] of degree below 64, the product in GF(2^128)."""

BLOCKS = Ring("blocks", 128)
"""a in GF(2^128)."""

Z64 = Ring("Z_2^64", 64, modular=True)
"""Everything modulo 2^64."""


def combined(rows: Words, width: int) -> Words:
    """Each ``width`` rows (n * width, 2) as one element: the sum of row k times X^k, (n, 2)."""
    powers = np.zeros((width, 2), np.uint64)
    powers[np.arange(width), np.arange(width) // 64] = np.uint64(1) << np.arange(
        width, dtype=np.uint64
    ) % np.uint64(64)
    count = len(rows) // width
    scaled = gf128.multiply(rows, np.tile(powers, (count, 1)))
    sums: Words = np.bitwise_xor.reduce(scaled.reshape(count, width, 2), axis=1)
    return sums


def elements(values: Words) -> Words:
    """Words (n,) or elements (n, 2) as elements (n, 2) of GF(2^128)."""
    if values.ndim == 2:
        return values
    return np.stack([values, np.zeros_like(values)], axis=1)


def bits_of(values: Words, width: int | None = None) -> NDArray[np.uint8]:
    """The ``width`` low bits of each value, or all, the lowest first, one after the other."""
    octets = np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1)
    return np.unpackbits(octets, axis=1, count=width, bitorder="little").reshape(-1)
