# SPDX-License-Identifier: Apache-2.0
"""Arithmetic modulo 2^64 over arrays of uint64: what shares are computed with.

The matrix product is blocked for the cache, which NumPy's own for integers is not, and the step of
Beaver's multiplication makes one pass over memory, where an expression makes one for each operator.
Time depends on shapes alone. Pseudorandom words from seeds: ``mpc.kernels.aes.counter``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpc import kernels

Words = NDArray[np.uint64]

_FEW_COLUMNS = 4  # so many are cheaper as products with a vector than padded to a block


def matmul(x: Words, y: Words) -> Words:
    """``x @ y`` modulo 2^64, of matrices or vectors with NumPy's meaning of the shapes."""
    _check(x, y)
    if not (1 <= x.ndim <= 2 and 1 <= y.ndim <= 2) or x.shape[-1] != y.shape[0]:
        raise ValueError(f"a matrix product of {x.shape} and {y.shape}")
    if kernels.backend() != "simd":
        return np.asarray(x @ y, np.uint64)
    from mpc.kernels import ring_simd

    left = np.ascontiguousarray(np.atleast_2d(x))
    right = y[:, None] if y.ndim == 1 else y
    if right.shape[1] <= _FEW_COLUMNS:
        out = ring_simd.by_vectors(left, np.ascontiguousarray(right.T))
    elif len(left) <= _FEW_COLUMNS:
        out = ring_simd.by_vectors(np.ascontiguousarray(right.T), left).T
    else:
        out = ring_simd.by_blocks(left, right)
    return np.ascontiguousarray(out).reshape(x.shape[:-1] + y.shape[1:])


def multiply_add(total: Words, x: Words, y: Words) -> Words:
    """``total + x * y`` modulo 2^64, of arrays of one shape."""
    _check_shapes(total, x, y)
    if kernels.backend() != "simd":
        return np.asarray(total + x * y)
    from mpc.kernels import ring_simd

    return ring_simd.multiply_add(total, x, y)


def beaver(c: Words, d: Words, b: Words, e: Words, a: Words, *, leads: bool) -> Words:
    """``c + d * b + e * a``, and ``+ d * e`` where ``leads``: a party's share of a product.

    Beaver, "Efficient Multiparty Protocols Using Circuit Randomization" (CRYPTO 1991): with a, b
    and c = a * b shared and d = x - a, e = y - b open, the sum over the parties, one of which
    leads, is x * y.
    """
    _check_shapes(c, d, b, e, a)
    if kernels.backend() != "simd":
        return np.asarray(c + d * b + e * (a + d) if leads else c + d * b + e * a)
    from mpc.kernels import ring_simd

    return ring_simd.beaver(c, d, b, e, a, leads)


def shift_signed(x: Words, bits: int) -> Words:
    """Two's complement words, shifted right by 0 to 63 bits: copies of the sign come in."""
    _check(x)
    if not 0 <= bits < 64:
        raise ValueError(f"a shift of a word by {bits} bits")
    # One pass in NumPy too, so both backends share it.
    return np.asarray(x.view(np.int64) >> bits).view(np.uint64)


def _check_shapes(*arrays: Words) -> None:
    _check(*arrays)
    if len({array.shape for array in arrays}) != 1:
        raise ValueError(f"arrays of shapes {[array.shape for array in arrays]}")


def _check(*arrays: Words) -> None:
    for array in arrays:
        if array.dtype != np.uint64:
            raise ValueError(f"words are uint64, not {array.dtype}")
