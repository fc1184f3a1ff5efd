# SPDX-License-Identifier: Apache-2.0
"""The two halves of an expand-convolute code: a running convolution, and a sparse gather.

A vector is uint64: (n, 2) for elements of 128 bits, added by XOR, or (n,) for words, added by XOR
or, where ``modular``, modulo 2^64. Which code they make, and how strong it is: ``primitives.lpn``.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from mpc import kernels

Words = NDArray[np.uint64]

MEMORY = 24
"""How many later places, besides the one after them, the convolution may add a value to."""


def _kernel() -> ModuleType:
    if kernels.backend() == "simd":
        from mpc.kernels import lpn_simd

        return lpn_simd
    from mpc.kernels import lpn_portable

    return lpn_portable


def accumulate(values: Words, taps: NDArray[np.uint32], *, modular: bool = False) -> None:
    """Convolve in place: each value, in order, is added to some of those that follow it.

    ``values[i]`` goes to ``i + 1 + k`` for every bit k < 24 of ``taps[i]``, and always to
    ``i + 25``; places are counted modulo n, so the last values go on to the first.
    """
    _check(values, modular)
    if len(values) < MEMORY + 2 or len(taps) != len(values):
        raise ValueError(f"{len(values)} values, at least {MEMORY + 2}, and {len(taps)} taps")
    _kernel().accumulate(values, taps, modular)


def gather(
    out: Words,
    values: Words,
    picks: NDArray[np.uint32],
    *,
    first: int,
    length: int,
    modular: bool = False,
) -> None:
    """Add to each of ``out`` one value of the segment of ``length`` values from ``first``.

    Which one: ``picks[i]`` as a fraction of 2^32, times ``length``.
    """
    _check(out, modular)
    _check(values, modular)
    if out.ndim != values.ndim or len(picks) != len(out):
        raise ValueError(f"{out.shape} sums of {values.shape} by {len(picks)} picks")
    if first < 0 or length < 1 or first + length > len(values) or length >= 1 << 32:
        raise ValueError(f"segment {first} + {length} of {len(values)} values")
    _kernel().gather(out, values, picks, first, length, modular)


def _check(values: Words, modular: bool) -> None:
    shape = values.shape[1:]
    if values.dtype != np.uint64 or shape not in ((), (2,)) or not values.flags.c_contiguous:
        raise ValueError(f"a vector is uint64 (n,) or (n, 2), not {values.dtype} {values.shape}")
    if modular and shape:
        raise ValueError("sums modulo 2^64 are of words, not of pairs of words")
