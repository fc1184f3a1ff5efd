# SPDX-License-Identifier: Apache-2.0
"""Vectors of integers modulo an odd number of 64 to 8192 bits, or modulo the square of one.

    ring = modulo(n)                         integers mod n; several moduli: one per element
    ring = modulo_square(n)                  integers mod n**2
    x = ring.encode([3, 5])                  Residues: opaque, in the backend's inner form
    x = ring.from_bytes(packed)              uint8 (count, ring.width), little-endian, below n
    x = ring.reduce(packed)                  the same of any width and size, reduced
    ring.decode(x), ring.to_bytes(x)         and back; always canonical
    len(x), x[3:8], x[[2, 0]]                and concatenate([x, y])
    ring.mul(x, y), ring.square(x)           element by element; either length may be 1
    ring.power(x, exponents)                 secret exponents, one for all or one per element
    ring.power_signed(x, integers)           public exponents of either sign, one per element
    comb = ring.comb(base, bits)             a table for one base, then comb.power(exponents)
    ring.inverse(x), ring.product(x)         batch inversion; products by a tree
    ring.multiexp(bases, matrix)             out[i] = product over j of bases[j]**matrix[i, j]

Modulo the square of n, which is Paillier's ring, with integers m modulo n beside it:

    ring.root                                the ring of integers modulo n
    ring.embed(m)                            1 + m*n, of m: a vector of ring.root
    ring.log(x)                              back: m of x = 1 + m*n

    crt = Crt(ring, parts)                   parts: rings whose coprime moduli multiply to ring's
    crt.split(x), crt.join(vectors)          the Chinese remainder theorem

Exponents that are secret come as uint8 (count, width), little-endian, which is what random bytes
are, or as one non-negative int for all elements.

**Time and secrets.** In the simd backend ``reduce``, ``from_bytes``, ``to_bytes``, ``mul``,
``square``, ``power``, ``Comb.power``, ``embed``, ``log`` and ``Crt`` take no branch and touch no
address that depends on values or exponents; of an exponent only the width shows. In the portable
backend ``power`` is GMP's ``mpz_powm_sec``, which tells an exponent of zero and the number of its
machine words, and the rest is not constant-time: a comb picks table entries by secret digits.
``inverse``, ``power_signed``, ``multiexp``, ``encode`` and ``decode`` are constant-time in neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import gmpy2
import numpy as np
from numpy.typing import NDArray

from mpc import kernels
from mpc.errors import ConfigError, CryptoError, EncodingOverflow
from mpc.kernels.bigint.arithmetic import Arithmetic, CombTable, CrtPlan
from mpc.kernels.bigint.integers import (
    Exponents,
    Integers,
    below,
    bit_length,
    magnitudes,
    packed_exponents,
    raise_all,
)
from mpc.kernels.bigint.residues import LANES, Residues, concatenate

__all__ = [
    "Comb",
    "Crt",
    "Residues",
    "Ring",
    "SquareRing",
    "concatenate",
    "modulo",
    "modulo_square",
]

MIN_BITS, MAX_BITS = 64, 8192

RAISED_OUTPUTS = 4
"""From so many outputs on, raising all exponents costs less than negative ones apart."""


def modulo(modulus: int | Sequence[int]) -> Ring:
    """The ring of integers modulo one odd number, or modulo several: the i-th for element i."""
    moduli = _moduli(modulus, MAX_BITS)
    return Ring(moduli, _arithmetic(moduli, square=False))


def modulo_square(root: int | Sequence[int]) -> SquareRing:
    """The ring modulo ``root**2``, ``root`` of 64 to 8192 bits; several: one per element.

    An element x is kept as two digits x0 + x1*root, which makes a product 10 and a squaring 7 row
    operations where the plain Montgomery form of the same number takes 16 and 12.
    """
    roots = _moduli(root, MAX_BITS)
    return SquareRing(
        tuple(root * root for root in roots),
        _arithmetic(roots, square=True),
        Ring(roots, _arithmetic(roots, square=False)),
    )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Ring:
    """Integers modulo ``moduli``: one for every element, or one each."""

    moduli: tuple[int, ...]
    arithmetic: Arithmetic

    def __repr__(self) -> str:
        return f"{type(self).__name__}(<{self.moduli[0].bit_length()} bits>)"

    @property
    def width(self) -> int:
        """Bytes of one element."""
        return max(-(-modulus.bit_length() // 8) for modulus in self.moduli)

    def encode(self, values: Integers) -> Residues:
        """Python, gmpy2 or numpy integers of either sign, reduced."""
        moduli = self._modulus_of(len(values))
        width = self.width
        packed = b"".join(
            (int(value) % modulus).to_bytes(width, "little")
            for value, modulus in zip(values, moduli, strict=True)
        )
        return self.reduce(np.frombuffer(packed, np.uint8).reshape(len(values), width))

    def decode(self, x: Residues) -> list[int]:
        """The elements as Python integers in [0, modulus)."""
        return [int.from_bytes(row, "little") for row in self.to_bytes(x)]

    def from_bytes(self, packed: NDArray[np.uint8]) -> Residues:
        """Little-endian integers, uint8 (count, width), each of which must be below its modulus.

        Raises EncodingOverflow for one that is not: an element has one encoding.
        """
        if packed.ndim != 2 or packed.shape[1] != self.width:
            raise ConfigError(f"elements are {self.width} bytes each, not of shape {packed.shape}")
        bounds = np.frombuffer(
            b"".join(modulus.to_bytes(self.width, "little") for modulus in self.moduli), np.uint8
        ).reshape(-1, self.width)
        if (bad := np.flatnonzero(~below(packed, bounds))).size:
            raise EncodingOverflow(f"element {bad[0]} is not below the modulus")
        return self.reduce(packed)

    def reduce(self, packed: NDArray[np.uint8]) -> Residues:
        """Little-endian integers of any size, uint8 (count, any width), reduced."""
        self._modulus_of(len(packed))
        return self.arithmetic.load(packed)

    def to_bytes(self, x: Residues) -> NDArray[np.uint8]:
        """uint8 (count, width), little-endian, each below its modulus."""
        return self.arithmetic.store(x)

    def ones(self, count: int) -> Residues:
        packed = np.zeros((count, self.width), np.uint8)
        packed[:, 0] = 1
        return self.reduce(packed)

    def mul(self, x: Residues, y: Residues) -> Residues:
        """Products; of two different lengths one must be 1, and that element meets all others."""
        if len(x) == 1 != len(y):
            x, y = y, x
        if len(y) not in (len(x), 1):
            raise ConfigError(f"vectors of {len(x)} and {len(y)} elements do not multiply")
        return self.arithmetic.mul(x, y)

    def square(self, x: Residues) -> Residues:
        return self.arithmetic.square(x)

    def power(self, x: Residues, exponents: Exponents, bits: int | None = None) -> Residues:
        """x**exponents, constant-time in values and exponents of at most ``bits`` bits.

        ``exponents`` is uint8 (count, width), little-endian, or one non-negative int for all
        elements; ``bits`` is public and is the width, or the int's bit length, if not given.
        """
        packed, bits = packed_exponents(exponents, bits)
        if len(packed) not in (len(x), 1):
            raise ConfigError(f"{len(packed)} exponents do not fit {len(x)} elements")
        return self.arithmetic.power(x, packed, bits)

    def power_signed(self, x: Residues, exponents: Integers) -> Residues:
        """x**exponents for one public integer of either sign per element.

        Time depends on the widest exponent and on how many are negative.
        """
        if len(exponents) != len(x):
            raise ConfigError(f"{len(exponents)} exponents do not fit {len(x)} elements")
        packed, negative = magnitudes(exponents)
        bits = bit_length(packed)
        if flip := np.flatnonzero(negative).tolist():
            order = np.arange(len(x))
            order[flip] = len(x) + np.arange(len(flip))
            x = concatenate([x, self._part(flip).inverse(x[flip])])[order]
        return self.power(x, packed, bits)

    def comb(self, base: Residues, bits: int, window: int | None = None) -> Comb:
        """The table for powers of one element with exponents below 2**bits."""
        if len(base) != 1 or len(self.moduli) != 1:
            raise ConfigError("a comb is for one base and one modulus")
        if bits < 1 or (window is not None and not 1 <= window <= 8):
            raise ConfigError("a comb takes exponents of at least 1 bit and windows of 1 to 8 bits")
        return Comb(bits, self.arithmetic.comb(base, bits, window))

    def inverse(self, x: Residues) -> Residues:
        """The inverses, at three products each and one extended gcd for the whole vector.

        Raises CryptoError where an element shares a factor with the modulus. Not constant-time.
        """
        if len(self.moduli) > 1 or len(x) <= 1:
            return self._inverse_each(x)
        half = len(x) // 2
        left, right, rest = x[:half], x[half : 2 * half], x[2 * half :]
        inverse = self.inverse(concatenate([self.mul(left, right), rest]))
        pairs = inverse[:half]
        return concatenate([self.mul(pairs, right), self.mul(pairs, left), inverse[half:]])

    def product(self, x: Residues, rows: int = 1) -> Residues:
        """The product of each of ``rows`` equal runs of elements."""
        if len(self.moduli) > 1 or rows < 1 or len(x) % rows:
            raise ConfigError(f"{len(x)} elements do not make {rows} rows of one ring")
        columns = len(x) // rows
        if columns == 0:
            return self.ones(rows)
        if rows > 1:
            # Columns first, so that halves are runs: their product halves the columns.
            x = x[np.arange(len(x)).reshape(rows, columns).T.ravel()]
        while columns > 1:
            # Halves of whole lane groups, while there are any, are cut without copying.
            pairs = columns // 2 if columns < 2 * LANES else columns // (2 * LANES) * LANES
            half = pairs * rows
            x = concatenate([self.mul(x[:half], x[half : 2 * half]), x[2 * half :]])
            columns -= pairs
        return x

    def multiexp(self, bases: Residues, exponents: NDArray[Any]) -> Residues:
        """Products of powers: for an integer matrix (m, d) of either sign and d bases, m elements.

        With b*d bases in rows of d it gives b*m elements, row by row. Exponents are public: time
        depends on them. Negatives cost one inversion for each row of bases if there are many in
        many outputs, else one for all.
        """
        if exponents.ndim != 2 or len(self.moduli) > 1:
            raise ConfigError("multiexp takes a matrix of exponents and one modulus")
        outputs, terms = exponents.shape
        if terms == 0 or len(bases) % terms:
            raise ConfigError(f"{len(bases)} bases do not make rows of {terms}")
        if outputs == 0 or len(bases) == 0:
            return self.ones(0)
        packed, negative = magnitudes(exponents.ravel())
        packed, negative = packed.reshape(outputs, terms, -1), negative.reshape(outputs, terms, 1)
        if not negative.any():
            return self.arithmetic.multiexp(bases, packed)
        if outputs >= RAISED_OUTPUTS and 2 * np.count_nonzero(exponents) >= exponents.size:
            return self._multiexp_raised(bases, exponents, bit_length(packed))
        signed = np.concatenate([np.where(negative, 0, packed), np.where(negative, packed, 0)])
        both = self.arithmetic.multiexp(bases, signed.astype(np.uint8))
        # Each row of bases gave its positive outputs, then its negative ones.
        order = np.arange(len(both)).reshape(-1, 2, outputs)
        below = self.inverse(both[order[:, 1].ravel()])
        return self.mul(both[order[:, 0].ravel()], below)

    def _multiexp_raised(self, bases: Residues, exponents: NDArray[Any], bits: int) -> Residues:
        """Add 2**bits to all exponents, and divide by the product of the bases to that power."""
        outputs, terms = exponents.shape
        rows = len(bases) // terms
        raised = self.arithmetic.multiexp(bases, raise_all(exponents, bits))
        excess = self.power(self.product(bases, rows), 1 << bits)
        return self.mul(raised, self.inverse(excess)[np.repeat(np.arange(rows), outputs)])

    def _part(self, positions: list[int]) -> Ring:
        """The ring of the elements at ``positions``."""
        if len(self.moduli) == 1:
            return self
        moduli = tuple(self.moduli[position] for position in positions)
        return Ring(moduli, self.arithmetic.part(positions))

    def _inverse_each(self, x: Residues) -> Residues:
        values = zip(self.decode(x), self._modulus_of(len(x)), strict=True)
        try:
            return self.encode([int(gmpy2.invert(value, modulus)) for value, modulus in values])
        except ZeroDivisionError:
            raise CryptoError("an element shares a factor with the modulus") from None

    def _modulus_of(self, count: int) -> Sequence[int]:
        if len(self.moduli) == 1:
            return self.moduli * count
        if len(self.moduli) != count:
            raise ConfigError(f"{count} elements do not fit {len(self.moduli)} moduli")
        return self.moduli


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SquareRing(Ring):
    """Integers modulo the square of ``root``'s modulus."""

    root: Ring

    def embed(self, m: Residues) -> Residues:
        """1 + m*n, for m of ``root``: g**m of Paillier with g = 1 + n, without exponentiation."""
        return self.arithmetic.embed(m)

    def log(self, x: Residues) -> Residues:
        """m of x = 1 + m*n, as elements of ``root``. For other x the result means nothing."""
        return self.arithmetic.log(x)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Comb:
    """Powers of one base by table, without squarings; exponents are below ``2**bits``.

    The exponent is cut into windows of w bits, and the table holds base**(e * 2**(w*i)) for every
    window i and digit e: ``ceil(bits/w) * 2**w`` elements, whose size is ``nbytes``. The default w
    keeps it within 32 MiB.
    """

    bits: int
    table: CombTable

    @property
    def nbytes(self) -> int:
        return self.table.nbytes

    def power(self, exponents: Exponents) -> Residues:
        """base**exponents for uint8 (count, width); see the module for what is constant-time."""
        packed, bits = packed_exponents(exponents, None)
        if bits > self.bits and bit_length(packed) > self.bits:
            raise EncodingOverflow(f"an exponent is wider than the comb's {self.bits} bits")
        return self.table.power(packed)


class Crt:
    """The Chinese remainder theorem between ``ring`` and ``parts``, whose moduli multiply to its.

    Either all are plain rings, or all are modulo squares.
    """

    __slots__ = ("_plan", "parts", "ring")

    def __init__(self, ring: Ring, parts: Sequence[Ring]) -> None:
        if any(len(r.moduli) != 1 for r in (ring, *parts)):
            raise ConfigError("the Chinese remainder theorem is between rings of one modulus each")
        if ring.moduli[0] != prod(part.moduli[0] for part in parts):
            raise ConfigError("the moduli of the parts do not multiply to the modulus")
        self.ring = ring
        self.parts = tuple(parts)
        self._plan: CrtPlan = ring.arithmetic.crt([part.arithmetic for part in parts])

    def __repr__(self) -> str:
        return f"Crt({self.ring!r}, <{len(self.parts)} parts>)"

    def split(self, x: Residues) -> list[Residues]:
        """x modulo each part."""
        return self._plan.split(x)

    def join(self, parts: Sequence[Residues]) -> Residues:
        """The elements that leave ``parts``."""
        if len(parts) != len(self.parts) or len({len(part) for part in parts}) != 1:
            raise ConfigError(f"join takes {len(self.parts)} vectors of one length")
        return self._plan.join(parts)


def _arithmetic(moduli: tuple[int, ...], *, square: bool) -> Arithmetic:
    if kernels.backend() == "simd":
        from mpc.kernels.bigint.simd import SimdArithmetic

        return SimdArithmetic.of(moduli, square=square)
    from mpc.kernels.bigint.portable import PortableArithmetic

    return PortableArithmetic.of(moduli, square=square)


def _moduli(modulus: int | Sequence[int], most: int) -> tuple[int, ...]:
    moduli = tuple(int(n) for n in (modulus if isinstance(modulus, Sequence) else (modulus,)))
    if not moduli:
        raise ConfigError("a ring takes at least one modulus")
    for n in moduli:
        if n % 2 == 0 or not MIN_BITS <= n.bit_length() <= most:
            # The modulus may be a secret prime, so it is not part of the message.
            raise ConfigError(
                f"a modulus is odd and of {MIN_BITS} to {most} bits; this has {n.bit_length()}"
            )
    return moduli
