# SPDX-License-Identifier: Apache-2.0
"""The field of 2^128 elements, over vectors.

GF(2)[X] / (X^128 + X^7 + X^2 + X + 1). An element is two uint64 words, the low one first, and bit i
of the 128 is the coefficient of X^i (so 1 is [1, 0] and X is [2, 0]). This is the field of GCM with
the bits of every byte in the other order. Addition is XOR, which numpy has: ``x ^ y``.

Time depends on lengths alone in the simd backend, and in the portable one.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from mpc.kernels import vaes

Words = NDArray[np.uint64]

ONE = np.array([1, 0], np.uint64)


def _kernel() -> ModuleType:
    if vaes.simd():
        from mpc.kernels import gf128_simd

        return gf128_simd
    from mpc.kernels import gf128_portable

    return gf128_portable


def multiply(x: Words, y: Words) -> Words:
    """x * y, of vectors (..., 2) of one shape, or of a vector and one element (2,)."""
    x, y = _operands(x, y)
    return _kernel().multiply(x.reshape(-1, 2), y.reshape(-1, 2)).reshape(x.shape)


def multiply_add(acc: Words, x: Words, y: Words) -> Words:
    """acc + x * y, where ``acc`` has the shape of ``x``, and y that shape or (2,)."""
    x, y = _operands(x, y)
    if acc.shape != x.shape:
        raise ValueError(f"a sum of {acc.shape} and {x.shape}")
    flat = _elements(acc).reshape(-1, 2)
    return _kernel().multiply_add(flat, x.reshape(-1, 2), y.reshape(-1, 2)).reshape(x.shape)


def dot(x: Words, y: Words) -> Words:
    """The inner product (2,) of two vectors (n, 2)."""
    if x.shape != y.shape or x.ndim != 2:
        raise ValueError(f"an inner product of {x.shape} and {y.shape}")
    return _kernel().dot(_elements(x), _elements(y))


def dots(x: Words, y: Words) -> Words:
    """The inner products (n, 2) of each vector of (n, m, 2) with one (m, 2)."""
    if x.ndim != 3 or x.shape[1:] != y.shape:
        raise ValueError(f"inner products of {x.shape} with {y.shape}")
    return _kernel().dots(_elements(x), _elements(y))


def powers(x: Words, count: int) -> Words:
    """x, x^2, ..., x^count of one element (2,), as (count, 2)."""
    if count < 1:
        raise ValueError(f"at least one power, not {count}")
    return _kernel().powers(_elements(x), count)


def square(x: Words) -> Words:
    """x * x."""
    return multiply(x, x)


def inverse(x: Words) -> Words:
    """1 / x of each element, as x^(2^128 - 2) (Itoh and Tsujii 1988); zero has no inverse."""
    if not np.all(np.any(_elements(x), axis=-1)):
        raise ZeroDivisionError("zero has no inverse in GF(2^128)")
    # ``power`` is x^(2^bits - 1), and bits goes through 1, 3, 7, ..., 127.
    power, bits = x, 1
    for _ in range(6):
        shifted = power
        for _ in range(bits):
            shifted = square(shifted)
        power = multiply(square(multiply(shifted, power)), x)
        bits = 2 * bits + 1
    return square(power)


def _operands(x: Words, y: Words) -> tuple[Words, Words]:
    if x.ndim == 1:
        x, y = y, x
    if y.shape not in (x.shape, (2,)):
        raise ValueError(f"a product of {x.shape} and {y.shape}")
    return _elements(x), _elements(y)


def _elements(array: Words) -> Words:
    if array.dtype != np.uint64 or array.ndim < 1 or array.shape[-1] != 2:
        raise ValueError(f"elements are uint64 (..., 2), not {array.dtype} {array.shape}")
    return np.ascontiguousarray(array)
