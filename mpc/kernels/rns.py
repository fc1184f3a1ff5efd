# SPDX-License-Identifier: Apache-2.0
"""Arithmetic on integers held as residues modulo several primes: products, rescaling, rounding.

The vectors are uint32 (n, primes, size), canonical residues as in ``ntt``. Bajard, Eynard, Hasan,
Zucca, "A Full RNS Variant of FV like Somewhat Homomorphic Encryption Schemes" (SAC 2016, eprint
2016/510) and Halevi, Polyakov, Shoup, "An Improved RNS Variant of the BFV Homomorphic Encryption
Scheme" (CT-RSA 2019, eprint 2018/117) round with approximate quotients; here the modulus that is
rounded away is one prime, or two whose product is a word, so all of it is exact. Time depends on
shapes alone, but in the portable backend on how the processor divides.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from mpc import kernels

Residues = NDArray[np.uint32]

MODULUS_BITS = 29
"""A prime times five is a word of 32 bits."""

_LANES = 8


def _kernel(size: int) -> ModuleType:
    if kernels.backend() == "simd" and size % _LANES == 0:
        from mpc.kernels import rns_simd

        return rns_simd
    from mpc.kernels import rns_portable

    return rns_portable


def multiply_add(total: Residues, x: Residues, y: Residues, primes: Sequence[int]) -> Residues:
    """``total + x * y``, of ``total`` and ``x`` (n, primes, size) and ``y`` (primes, size)."""
    _check(primes, total, x, y[None])
    if total.shape != x.shape or y.shape != x.shape[1:]:
        raise ValueError(f"residues of shapes {total.shape}, {x.shape} and {y.shape}")
    return _kernel(x.shape[2]).multiply_add(total, x, y, tuple(primes))


def scale(values: Residues, source: Sequence[int], target: Sequence[int]) -> Residues:
    """round(v S' / S) modulo each prime of ``target``, whose product is S', for v modulo S = p q.

    With h = (S - 1) / 2 and w = v S' + h modulo S that is (v S' + h - w) / S, so modulo each prime
    of S' it is (h - w) / S. ``source`` is two primes p, q, none of them in ``target``.
    """
    _check(source, values)
    _check(target)
    if len(source) != 2 or not set(source).isdisjoint(target):
        raise ValueError(f"rounding from the primes {tuple(source)} to {tuple(target)}")
    return _kernel(values.shape[2]).scale(values, tuple(source), tuple(target))


def rescale(values: Residues, primes: Sequence[int], keep: int) -> Residues:
    """v divided by all primes but the first ``keep``, last first, each time to the nearest."""
    _check(primes, values)
    if not 0 < keep <= len(primes) or 2 * min(primes) < max(primes):
        raise ValueError(f"rescaling to {keep} of {len(primes)} primes")
    return _kernel(values.shape[2]).rescale(values, tuple(primes), keep)


def small(values: NDArray[np.int8], primes: Sequence[int]) -> Residues:
    """Residues (..., primes, size) of integers (..., size)."""
    _check(primes)
    signed = values[..., None, :].astype(np.int32)
    q = np.array(primes, np.int32)[:, None]
    return (signed + (q & (signed >> 31))).astype(np.uint32)


def wide(words: Residues, bits: int, primes: Sequence[int]) -> Residues:
    """Uniform integers in [-2^(bits-1), 2^(bits-1)) of uniform words (n, 4, size), the lowest
    first; ``bits`` is 97 to 128."""
    _check(primes)
    if words.dtype != np.uint32 or words.ndim != 3 or words.shape[1] != 4 or not 96 < bits <= 128:
        raise ValueError(f"integers of {bits} bits from {words.dtype} {words.shape}")
    held = words.copy()
    held[:, 3] >>= np.uint32(128 - bits)
    return _kernel(words.shape[2]).wide(held, 1 << (bits - 1), tuple(primes))


def _check(primes: Sequence[int], *arrays: Residues) -> None:
    if not primes or max(primes) >> MODULUS_BITS or len(set(primes)) != len(primes):
        raise ValueError(f"the moduli {tuple(primes)} are not distinct below 2^{MODULUS_BITS}")
    for array in arrays:
        if array.dtype != np.uint32 or array.ndim != 3 or array.shape[1] != len(primes):
            raise ValueError(
                f"residues are uint32 (n, {len(primes)}, size), not {array.dtype} {array.shape}"
            )
