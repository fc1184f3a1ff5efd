# SPDX-License-Identifier: Apache-2.0
"""Number-theoretic transforms, and the sum of products that an evaluator of ciphertexts works out.

For a prime q = 1 mod 2n with n a power of two, Z_q holds a primitive 2n-th root of unity psi, and
the polynomial X^n + 1 has the n roots psi^(2 i + 1). A forward transform takes the coefficients of
a polynomial modulo X^n + 1 to its values at these, its slots, in the order of the reversed bits of
i; so a product of polynomials is one of slots. The transforms are algorithms 1 and 2 of Longa,
Naehrig, "Speeding up the Number Theoretic Transform for Faster Ideal Lattice-Based Cryptography"
(CANS 2016, eprint 2016/504), with the products of Harvey, "Faster arithmetic for number-theoretic
transforms" (2014, section 2), after Shoup: with c = floor(w 2^32 / q) at hand, x w modulo q is
x w - floor(x c / 2^32) q or q less, for any x below 2^32.

Residues are uint32 in [0, q), here and there; their vectors have an axis of one place per prime
before the last. Values are not looked at: what takes how long depends on shapes only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType

import gmpy2
import numpy as np
from numpy.typing import NDArray

from mpc import kernels

Residues = NDArray[np.uint32]

MODULUS_BITS = 30
"""A prime times four is a word of 32 bits, which leaves room for sums not yet reduced."""

LEAST_SIZE = 8

LEAST_LANES = 64
"""Below this size registers have too little to hold."""


def _kernel(size: int) -> ModuleType:
    if kernels.backend() == "simd" and size >= LEAST_LANES:
        from mpc.kernels import ntt_simd

        return ntt_simd
    from mpc.kernels import ntt_portable

    return ntt_portable


@dataclass(frozen=True, slots=True, eq=False)
class Transform:
    """Between coefficients modulo X^size + 1 and slots, modulo each of some primes.

    ``roots`` (way, prime, 2, size) holds psi's powers for the way forward, then those of its
    inverse, each in the order of reversed bits, and beside them Shoup's companions. The first power
    of each is 1, which no transform needs: back, 1/size stands in its place.
    """

    primes: tuple[int, ...]
    size: int
    roots: Residues

    @staticmethod
    def of(primes: Sequence[int], size: int) -> Transform:
        """The transform of a power of two, at least 8, for primes = 1 mod 2 size below 2^30."""
        return _of(tuple(primes), size)

    def forward(self, values: Residues) -> Residues:
        """The slots of polynomials (..., primes, size)."""
        rows = self._rows(values)
        return _kernel(self.size).forward(rows, self).reshape(values.shape)

    def inverse(self, values: Residues) -> Residues:
        """The coefficients of polynomials whose slots are ``values`` (..., primes, size)."""
        rows = self._rows(values)
        return _kernel(self.size).inverse(rows, self).reshape(values.shape)

    @property
    def moduli(self) -> Residues:
        """The primes as a vector."""
        return np.array(self.primes, np.uint32)

    def _rows(self, values: Residues) -> Residues:
        shape = (len(self.primes), self.size)
        _check("polynomials", values, values.shape[:-2] + shape)
        return _plain(values).reshape(-1, *shape)


@cache
def _of(primes: tuple[int, ...], size: int) -> Transform:
    if size < LEAST_SIZE or size & (size - 1):
        raise ValueError(f"a transform of {size} places: not a power of two from {LEAST_SIZE} on")
    if not primes:
        raise ValueError("a transform modulo no prime")
    for prime in primes:
        if prime >> MODULUS_BITS or prime % (2 * size) != 1 or not gmpy2.is_prime(prime):
            raise ValueError(
                f"{prime} is no prime below 2^{MODULUS_BITS} that is 1 modulo {2 * size}"
            )
    forward = [_powers(_root(prime, size), prime, size) for prime in primes]
    inverse = [_powers(pow(_root(prime, size), -1, prime), prime, size) for prime in primes]
    for powers, prime in zip(inverse, primes, strict=True):
        powers[0] = pow(size, -1, prime)
    both = np.array([forward, inverse], np.uint64)
    companions = (both << np.uint64(32)) // np.array(primes, np.uint64)[:, None]
    roots = np.stack([both, companions], axis=2).astype(np.uint32)
    roots.flags.writeable = False
    return Transform(primes, size, roots)


def _root(prime: int, size: int) -> int:
    """A primitive 2 size-th root of unity."""
    candidates = (pow(base, (prime - 1) // (2 * size), prime) for base in range(2, prime))
    return next(root for root in candidates if pow(root, size, prime) == prime - 1)


def _powers(root: int, prime: int, size: int) -> list[int]:
    """Those below ``size``, in the order of the reversed bits of exponents."""
    powers = [1]
    # The exponents of the half added are those of the half there is, plus half as much as before.
    step = size // 2
    while step:
        factor = pow(root, step, prime)
        powers += [power * factor % prime for power in powers]
        step //= 2
    return powers


def combine(plain: Residues, ciphertexts: Residues, slots: Transform, ring: Transform) -> Residues:
    """For each block, the sum over terms of its plaintexts times the ciphertexts.

    ``plain`` (blocks, terms, 2, size) holds slots modulo the two primes t1, t2 of ``slots``. As a
    polynomial, a plaintext has coefficients modulo t1 t2, here as x1 + t1 y with x1 in [0, t1) and
    y in (-t2/2, t2/2]. ``ciphertexts`` (terms, polynomials, primes, size) are slots modulo the
    primes of ``ring``, and so is the result (blocks, polynomials, primes, size). Blocks are cut
    over threads; where plaintexts are many, a few blocks at a time take as long as all of them.
    """
    size = ring.size
    if len(slots.primes) != 2 or slots.size != size or slots.primes[0] == slots.primes[1]:
        raise ValueError("plaintexts are polynomials of the ring's size modulo two primes")
    if max(slots.primes) >= min(ring.primes):
        raise ValueError("a prime of the plaintexts is not below all of the ring's")
    if plain.ndim != 4 or ciphertexts.ndim != 4:
        raise ValueError("plaintexts and ciphertexts are arrays of four axes")
    blocks, terms, polynomials = plain.shape[0], plain.shape[1], ciphertexts.shape[1]
    _check("plaintexts", plain, (blocks, terms, 2, size))
    _check("ciphertexts", ciphertexts, (terms, polynomials, len(ring.primes), size))
    return _kernel(size).combine(_plain(plain), _plain(ciphertexts), slots, ring)


def _check(what: str, values: Residues, shape: tuple[int, ...]) -> None:
    if values.dtype != np.uint32 or values.shape != shape:
        raise ValueError(f"{what} are uint32 {shape}, not {values.dtype} {values.shape}")


def _plain(values: Residues) -> Residues:
    """Copied if read-only or not where words begin, as off the wire: a kernel is compiled once."""
    return np.require(values, requirements=["C", "A", "W"])
