# SPDX-License-Identifier: Apache-2.0
"""The reference backend of :mod:`mpc.kernels.bigint`: gmpy2 integers in object arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import cycle
from operator import index, mul
from typing import Any

import gmpy2
import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from mpc.kernels.bigint.arithmetic import COMB_BYTES
from mpc.kernels.bigint.integers import inverted_all, survey
from mpc.kernels.bigint.residues import Residues

# Six bits take 64 elements a window: 5 MiB for 1024-bit exponents modulo a 4096-bit number.
COMB_WINDOW = 6


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PortableArithmetic:
    """Modulo ``moduli``, which are the squares of ``roots`` or the same numbers."""

    moduli: tuple[mpz, ...]
    roots: tuple[mpz, ...]

    @classmethod
    def of(cls, moduli: tuple[int, ...], *, square: bool) -> PortableArithmetic:
        roots = tuple(mpz(n) for n in moduli)
        return cls(tuple(n * n for n in roots) if square else roots, roots)

    def part(self, positions: list[int]) -> PortableArithmetic:
        return PortableArithmetic(
            tuple(self.moduli[i] for i in positions), tuple(self.roots[i] for i in positions)
        )

    def holds(self, x: Residues) -> bool:
        return x.data.ndim == 1

    def load(self, packed: NDArray[np.uint8]) -> Residues:
        values = (_integer(row) for row in packed)
        return _residues(v % n for v, n in zip(values, cycle(self.moduli), strict=False))

    def load_folded(self, packed: NDArray[np.uint8]) -> tuple[Residues, Residues]:
        x = self.load(packed)
        return x, self.modulo_root(x)

    def store(self, x: Residues) -> NDArray[np.uint8]:
        width = max(-(-n.bit_length() // 8) for n in self.moduli)
        packed = b"".join(int(value).to_bytes(width, "little") for value in x.data)
        return np.frombuffer(packed, np.uint8).reshape(len(x), width)

    def mul(self, x: Residues, y: Residues) -> Residues:
        return _residues(
            a * b % n for a, b, n in zip(x.data, cycle(y.data), cycle(self.moduli), strict=False)
        )

    def square(self, x: Residues, times: int = 1) -> Residues:
        for _ in range(times):
            x = self.mul(x, x)
        return x

    def power(self, x: Residues, exponents: NDArray[np.uint8], bits: int) -> Residues:
        e = [_integer(row) & ((1 << bits) - 1) for row in exponents]
        triples = zip(x.data, cycle(e), cycle(self.moduli), strict=False)
        return _residues(gmpy2.powmod_sec(a, e, n) if e else mpz(1) for a, e, n in triples)

    def comb(self, base: Residues, bits: int, window: int | None) -> PortableComb:
        n = self.moduli[0]
        window = window or _comb_window(bits, -(-n.bit_length() // 8))
        bases = [base.data[0]]
        for _ in range(-(-bits // window) - 1):
            bases.append(gmpy2.powmod(bases[-1], 1 << window, n))
        return self.joint_comb(_residues(bases), window)

    def joint_comb(self, bases: Residues, window: int) -> PortableComb:
        return PortableComb.of(bases.data, self.moduli[0], window)

    def survey(self, integers: NDArray[Any]) -> tuple[int, int, int]:
        return survey(integers)

    def multiexp(
        self, bases: Residues, exponents: NDArray[np.uint8], bits: int, _used: int
    ) -> Residues:
        rows = [[_integer(e) for e in row] for row in exponents]
        above, _ = self._multiexp(bases, rows, bits)
        return above

    def multiexp_signed(
        self, bases: Residues, exponents: NDArray[Any], bits: int, _used: int
    ) -> Residues:
        rows = [[mpz(index(e)) for e in row] for row in exponents]
        above, below = self._multiexp(bases, rows, bits)
        return self.mul(above, self.inverse(below))

    def _multiexp(
        self, bases: Residues, rows: list[list[mpz]], bits: int
    ) -> tuple[Residues, Residues]:
        """Of each row of bases the outputs, as numerators and denominators."""
        terms, n = len(rows[0]), self.moduli[0]
        runs = [bases.data[start : start + terms] for start in range(0, len(bases), terms)]
        found = [_multiexp(run, row, bits, n) for run in runs for row in rows]
        above, below = zip(*found, strict=True)
        return _residues(above), _residues(below)

    def product(self, x: Residues) -> Residues:
        n = self.moduli[0]
        return _residues([reduce(lambda a, b: a * b % n, x.data)])

    def inverse(self, x: Residues) -> Residues:
        return _residues(inverted_all(x.data, self.moduli[0]))

    def embed(self, m: Residues) -> Residues:
        return _residues(1 + a * n for a, n in zip(m.data, cycle(self.roots), strict=False))

    def log(self, x: Residues) -> Residues:
        return _residues((a - 1) // n for a, n in zip(x.data, cycle(self.roots), strict=False))

    def modulo_root(self, x: Residues) -> Residues:
        return _residues(a % n for a, n in zip(x.data, cycle(self.roots), strict=False))

    def crt(self, parts: Sequence[PortableArithmetic], scales: Sequence[int]) -> PortableCrt:
        whole = self.moduli[0]
        moduli = tuple(part.moduli[0] for part in parts)
        weights = (
            whole // n * gmpy2.invert(whole // n, n) * scale
            for n, scale in zip(moduli, scales, strict=True)
        )
        return PortableCrt(whole, moduli, tuple(weights))

    @classmethod
    def fermat(cls, parts: Sequence[PortableArithmetic]) -> PortableFermat:
        return PortableFermat(tuple(part.roots[0] for part in parts))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PortableComb:
    """``table[i][e]`` is the i-th base to the power e."""

    table: tuple[tuple[mpz, ...], ...]
    modulus: mpz
    window: int

    @classmethod
    def of(cls, bases: Iterable[mpz], modulus: mpz, window: int) -> PortableComb:
        table = []
        for base in bases:
            row = [mpz(1)]
            for _ in range((1 << window) - 1):
                row.append(row[-1] * base % modulus)
            table.append(tuple(row))
        return cls(tuple(table), modulus, window)

    @property
    def nbytes(self) -> int:
        return sum(-(-v.bit_length() // 8) for row in self.table for v in row)

    def power(self, exponents: NDArray[np.uint8]) -> Residues:
        return _residues(self._one(_integer(row)) for row in exponents)

    def _one(self, exponent: mpz) -> mpz:
        mask, product = (1 << self.window) - 1, mpz(1)
        for i, row in enumerate(self.table):
            product = product * row[(exponent >> (i * self.window)) & mask] % self.modulus
        return product


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PortableCrt:
    """``weights[i]`` is a scale modulo the i-th modulus and 0 modulo the others."""

    whole: mpz
    moduli: tuple[mpz, ...]
    weights: tuple[mpz, ...]

    def split(self, x: Residues) -> list[Residues]:
        return [_residues(value % n for value in x.data) for n in self.moduli]

    def join(self, parts: Sequence[Residues]) -> Residues:
        columns = zip(*(part.data for part in parts), strict=True)
        return _residues(sum(map(mul, column, self.weights)) % self.whole for column in columns)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PortableFermat:
    """Powers modulo the squares of ``primes``."""

    primes: tuple[mpz, ...]

    def power(self, vectors: Sequence[Residues]) -> list[Residues]:
        return [
            _residues(gmpy2.powmod_sec(a, p - 1, p * p) for a in x.data)
            for x, p in zip(vectors, self.primes, strict=True)
        ]


def _comb_window(bits: int, width: int) -> int:
    """The bits of a window for exponents of ``bits`` bits and elements of ``width`` bytes."""
    sizes = ((w, -(-bits // w) * width << w) for w in range(COMB_WINDOW, 0, -1))
    return next((w for w, size in sizes if size <= COMB_BYTES), 1)


def _integer(row: NDArray[np.uint8]) -> mpz:
    return mpz.from_bytes(row.tobytes(), "little")


def _residues(values: Iterable[mpz]) -> Residues:
    listed: list[Any] = list(values)
    data = np.empty(len(listed), dtype=object)
    data[:] = listed
    return Residues(data, len(listed))


def _multiexp(bases: NDArray[Any], exponents: list[mpz], bits: int, n: mpz) -> tuple[mpz, mpz]:
    """Pippenger's bucket method, on windows of about log2 of the number of terms.

    Only the highest digits have a sign; the product of the negative ones is the second result.
    """
    window = max(1, min(12, len(exponents).bit_length() - 2))
    mask, out, below = (1 << window) - 1, mpz(1), mpz(1)
    lows = list(reversed(range(0, bits, window)))
    for low in lows:
        out = reduce(lambda value, _: value * value % n, range(window), out)
        below = reduce(lambda value, _: value * value % n, range(window if below > 1 else 0), below)
        buckets: dict[int, mpz] = {}
        for base, exponent in zip(bases, exponents, strict=True):
            digit = int(exponent >> low)
            if digit := digit if low == lows[0] else digit & mask:
                buckets[digit] = buckets[digit] * base % n if digit in buckets else base
        out = out * _raised(buckets, 1, n) % n
        if low == lows[0]:
            below = _raised(buckets, -1, n)
    return out, below


def _raised(buckets: dict[int, mpz], sign: int, n: mpz) -> mpz:
    """bucket**digit over all digits of one sign, by running products from the largest down."""
    running = total = mpz(1)
    largest = max((sign * digit for digit in buckets), default=0)
    for digit in range(largest, 0, -1):
        running = running * buckets.get(sign * digit, 1) % n
        total = total * running % n
    return total
