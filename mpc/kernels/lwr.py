# SPDX-License-Identifier: Apache-2.0
"""The loops of a pseudorandom function from learning with rounding, ``primitives.lwr``.

A number modulo q = t1 t2 is two residues, uint32, on the first axis of an array. A polynomial
modulo X^18 + X^9 + 1 and t is held as its values at the 18 primitive 27th roots of unity modulo t,
"in the hat domain", where products are pointwise.

``expand``    the 80 polynomials that a seed stands for
``products``  their inner product with 80 secret polynomials, without ever holding ``expand``
``rounded``   coefficients of polynomials, scaled from q down to some bits

Compiled, time depends on seeds alone, by the words that are drawn again. The portable reference
divides, which takes longer for some numbers than for others.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from mpc import kernels
from mpc.kernels import vaes
from mpc.kernels.lwr_portable import MODULI, RANK, SIZE, Q

__all__ = ["MODULI", "RANK", "SIZE", "Q", "expand", "products", "rounded"]

Words = NDArray[np.uint64]
Residues = NDArray[np.uint32]


def _kernel(simd: bool) -> ModuleType:
    if simd:
        from mpc.kernels import lwr_simd

        return lwr_simd
    from mpc.kernels import lwr_portable

    return lwr_portable


def expand(seeds: Words) -> Residues:
    """The polynomials of each of n seeds (n, 2), exactly uniform: (2, n, RANK, SIZE).

    Their source is AES-128 in counter mode with the seed as key, in words of 32 bits: the first
    1440 make residues modulo t1, the next 1440 modulo t2. A word that is not below the highest
    multiple of t is replaced by the next that is, of those from 2880 on; the places of such words
    take from these in turn.
    """
    return _kernel(vaes.simd()).expand(_checked_seeds(seeds))


def products(secret: Residues, seeds: Words) -> Residues:
    """The sums over RANK of the pointwise products of ``secret`` and ``expand``: (2, n, SIZE)."""
    _check(secret, (2, RANK, SIZE))
    return _kernel(vaes.simd()).products(np.ascontiguousarray(secret), _checked_seeds(seeds))


def rounded(values: Residues, bits: int, dither: Words | None = None) -> Words:
    """floor(2^bits (c + d) / q) of the coefficients c of n polynomials (2, n, SIZE): (n, SIZE).

    At most 35 ``bits``; d is ``dither`` (n, SIZE) / 2^64, or 0. A result may be 2^bits itself,
    where c + d is next to q.
    """
    _check(values, (2, *values.shape[1:2], SIZE))
    shape = (values.shape[1], SIZE)
    if dither is None:
        dither = np.zeros(shape, np.uint64)
    if dither.dtype != np.uint64 or dither.shape != shape or not 0 < bits <= 35:
        raise ValueError(f"{bits} bits, and a dither of {dither.dtype} {dither.shape}, not {shape}")
    held = np.ascontiguousarray(values), bits, np.ascontiguousarray(dither)
    return _kernel(kernels.backend() == "simd").rounded(*held)


def _check(residues: Residues, shape: tuple[int, ...]) -> None:
    if residues.dtype != np.uint32 or residues.shape != shape:
        raise ValueError(f"residues are uint32 {shape}, not {residues.dtype} {residues.shape}")
    for of, modulus in zip(residues, MODULI, strict=True):
        if of.size and of.max() >= modulus:
            raise ValueError(f"a residue modulo {modulus} is not below it")


def _checked_seeds(seeds: Words) -> Words:
    if seeds.dtype != np.uint64 or seeds.ndim != 2 or seeds.shape[1] != 2:
        raise ValueError(f"seeds are uint64 (n, 2), not {seeds.dtype} {seeds.shape}")
    return np.ascontiguousarray(seeds)
