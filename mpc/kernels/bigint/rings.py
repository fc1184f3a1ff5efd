# SPDX-License-Identifier: Apache-2.0
"""The rings and what is done in them: arguments are checked here, and done by the backend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import index
from typing import Any

import gmpy2
import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError, CryptoError, EncodingOverflow
from mpc.kernels.bigint.arithmetic import Arithmetic, CombTable
from mpc.kernels.bigint.integers import (
    Exponents,
    Integers,
    below,
    bit_length,
    exceeds,
    inverted,
    magnitudes,
    packed_exponents,
    raise_all,
)
from mpc.kernels.bigint.residues import LANES, Residues, concatenate

RAISED_OUTPUTS = 16
"""From so many outputs on, raising all exponents costs less than a sign in their digits."""


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
            (index(value) % modulus).to_bytes(width, "little")
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
        self._require_canonical(packed)
        return self.reduce(packed)

    def _require_canonical(self, packed: NDArray[np.uint8]) -> None:
        if packed.dtype != np.uint8 or packed.ndim != 2 or packed.shape[1] != self.width:
            found = f"{packed.dtype} of shape {packed.shape}"
            raise ConfigError(f"elements are {self.width} bytes each, not {found}")
        if len(self.moduli) > 1:
            self._modulus_of(len(packed))
        bounds = np.frombuffer(
            b"".join(modulus.to_bytes(self.width, "little") for modulus in self.moduli), np.uint8
        ).reshape(-1, self.width)
        if (bad := np.flatnonzero(~below(packed, bounds))).size:
            raise EncodingOverflow(f"element {bad[0]} is not below the modulus")

    def reduce(self, packed: NDArray[np.uint8]) -> Residues:
        """Little-endian integers of any size, uint8 (count, any width), reduced."""
        if packed.dtype != np.uint8 or packed.ndim != 2:
            found = f"{packed.dtype} of shape {packed.shape}"
            raise ConfigError(f"elements are rows of bytes, not {found}")
        self._modulus_of(len(packed))
        return self.arithmetic.load(packed)

    def to_bytes(self, x: Residues) -> NDArray[np.uint8]:
        """uint8 (count, width), little-endian, each below its modulus."""
        self.check(x)
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
        self.check(x, y)
        return self.arithmetic.mul(x, y)

    def square(self, x: Residues) -> Residues:
        self.check(x)
        return self.arithmetic.square(x)

    def power(self, x: Residues, exponents: Exponents, bits: int | None = None) -> Residues:
        """x**exponents, constant-time in values and exponents of at most ``bits`` bits.

        ``exponents`` is uint8 (count, width), little-endian, or one non-negative int for all
        elements; ``bits`` is public and is the width, or the int's bit length, if not given.
        """
        packed, bits = packed_exponents(exponents, bits)
        if len(packed) not in (len(x), 1):
            raise ConfigError(f"{len(packed)} exponents do not fit {len(x)} elements")
        self.check(x)
        return self.arithmetic.power(x, packed, bits)

    def power_signed(self, x: Residues, exponents: Integers) -> Residues:
        """x**exponents for one public integer of either sign per element.

        Time depends on the widest exponent and on how many are negative.
        """
        if len(exponents) != len(x):
            raise ConfigError(f"{len(exponents)} exponents do not fit {len(x)} elements")
        packed, negative = magnitudes(exponents)
        bits = bit_length(packed)
        flip = np.flatnonzero(negative)
        if 0 < len(flip) == len(x):
            x = self.inverse(x)
        elif len(flip):
            x = x.replaced(flip, self._part(flip.tolist()).inverse(x[flip]))
        return self.power(x, packed, bits)

    def comb(self, base: Residues, bits: int, window: int | None = None) -> Comb:
        """The table for powers of one element with exponents below 2**bits."""
        if len(base) != 1 or len(self.moduli) != 1:
            raise ConfigError("a comb is for one base and one modulus")
        self.check(base)
        if bits < 1 or (window is not None and not 1 <= window <= 8):
            raise ConfigError("a comb takes exponents of at least 1 bit and windows of 1 to 8 bits")
        return Comb(bits, self.arithmetic.comb(base, bits, window))

    def joint_comb(self, bases: Residues, bits: int) -> Comb:
        """The table for products of powers of several bases, with exponents of ``bits`` bits each.

        They are taken as one exponent, of which the lowest ``bits`` belong to the first base.
        """
        if len(bases) < 1 or len(self.moduli) != 1:
            raise ConfigError("a joint comb is for at least one base, and one modulus")
        self.check(bases)
        if not 1 <= bits <= 8:
            raise ConfigError("a joint comb takes exponents of 1 to 8 bits")
        return Comb(bits * len(bases), self.arithmetic.joint_comb(bases, bits))

    def inverse(self, x: Residues) -> Residues:
        """The inverses, at three products each and one extended gcd for the whole vector.

        Raises CryptoError where an element shares a factor with the modulus. Not constant-time.
        """
        if len(self.moduli) > 1:
            return self._inverse_each(x)
        self.check(x)
        return self.arithmetic.inverse(x)

    def product(self, x: Residues, rows: int = 1) -> Residues:
        """The product of each of ``rows`` equal runs of elements."""
        if len(self.moduli) > 1 or rows < 1 or len(x) % rows:
            raise ConfigError(f"{len(x)} elements do not make {rows} rows of one ring")
        self.check(x)
        columns = len(x) // rows
        if columns == 0:
            return self.ones(rows)
        if rows == 1:
            return self.arithmetic.product(x)
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
        depends on them. Negatives cost one inversion for each row of bases, a product of the bases
        and a squaring for each bit if there are many in many outputs; else one inversion for all.
        """
        if exponents.ndim != 2 or len(self.moduli) > 1:
            raise ConfigError("multiexp takes a matrix of exponents and one modulus")
        if exponents.dtype.kind not in "biuO":
            raise ConfigError(f"exponents are integers, not {exponents.dtype}")
        self.check(bases)
        outputs, terms = exponents.shape
        if terms == 0 or len(bases) % terms:
            raise ConfigError(f"{len(bases)} bases do not make rows of {terms}")
        if outputs == 0 or len(bases) == 0:
            return self.ones(0)
        least, most, used = self.arithmetic.survey(exponents)
        bits = max(most, -least).bit_length()
        if least >= 0:
            packed, _ = magnitudes(exponents.ravel())
            packed = packed.reshape(outputs, terms, -1)
            return self.arithmetic.multiexp(bases, packed, bits, used)
        if outputs >= RAISED_OUTPUTS and 2 * used >= exponents.size:
            return self._multiexp_raised(bases, exponents, bits)
        return self.arithmetic.multiexp_signed(bases, exponents, bits, used)

    def _multiexp_raised(self, bases: Residues, exponents: NDArray[Any], bits: int) -> Residues:
        """Add 2**bits to all exponents, and divide by the product of the bases to that power."""
        outputs, terms = exponents.shape
        rows = len(bases) // terms
        packed = raise_all(exponents, bits)
        raised = self.arithmetic.multiexp(bases, packed, bits + 1, exponents.size)
        excess = self.inverse(self.arithmetic.square(self.product(bases, rows), bits))
        return self.mul(raised, excess if rows == 1 else excess[np.arange(rows).repeat(outputs)])

    def _part(self, positions: list[int]) -> Ring:
        """The ring of the elements at ``positions``."""
        if len(self.moduli) == 1:
            return self
        moduli = tuple(self.moduli[position] for position in positions)
        return Ring(moduli, self.arithmetic.part(positions))

    def _inverse_each(self, x: Residues) -> Residues:
        values = zip(self.decode(x), self._modulus_of(len(x)), strict=True)
        return self.encode([int(inverted(value, modulus)) for value, modulus in values])

    def check(self, *vectors: Residues) -> None:
        """The kernels read memory by these shapes, so that they are looked at here."""
        for x in vectors:
            if not self.arithmetic.holds(x):
                raise ConfigError("a vector of another ring or of another backend")
            if len(self.moduli) > 1:
                self._modulus_of(len(x))

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

    def units_from_bytes(self, packed: NDArray[np.uint8]) -> Residues:
        """``from_bytes`` of elements that must be invertible: CryptoError if one is not."""
        self._require_canonical(packed)
        x, few = self.arithmetic.load_folded(packed)
        # One product and one gcd for all. An element that is not invertible is 0, or gives n away.
        [product] = self.root.decode(self.root.product(few))
        if gmpy2.gcd(product, self.root.moduli[0]) != 1:
            raise CryptoError("an element shares a factor with the modulus")
        return x

    def embed(self, m: Residues) -> Residues:
        """1 + m*n, for m of ``root``: g**m of Paillier with g = 1 + n, without exponentiation."""
        self.root.check(m)
        return self.arithmetic.embed(m)

    def log(self, x: Residues) -> Residues:
        """m of x = 1 + m*n, as elements of ``root``. For other x the result means nothing."""
        self.check(x)
        return self.arithmetic.log(x)

    def modulo_root(self, x: Residues) -> Residues:
        """x modulo n, as elements of ``root``."""
        self.check(x)
        return self.arithmetic.modulo_root(x)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Comb:
    """Powers by table, without squarings, of exponents below ``2**bits``.

    The exponent is cut into windows of w bits, and the table holds base**(e * 2**(w*i)) for every
    window i and digit e: ``ceil(bits/w) * 2**w`` elements, whose size is ``nbytes``. The default w
    keeps it within 36 MiB for exponents up to a quarter as long as the modulus, the square of n.
    In a joint comb each window has a base of its own.
    """

    bits: int
    table: CombTable

    @property
    def nbytes(self) -> int:
        return self.table.nbytes

    def power(self, exponents: Exponents) -> Residues:
        """base**exponents for uint8 (count, width); see the module for what is constant-time.

        Raises EncodingOverflow for an exponent that has more bits than the comb.
        """
        packed, bits = packed_exponents(exponents, None)
        if bits > self.bits and exceeds(packed, self.bits):
            raise EncodingOverflow(f"an exponent is wider than the comb's {self.bits} bits")
        return self.table.power(packed)
