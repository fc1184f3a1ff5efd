# SPDX-License-Identifier: Apache-2.0
"""GF(2^128) on four elements at a time with VPCLMULQDQ; what each function does: ``gf128``.

A product is three registers before reduction: ``low`` (bits 0 to 127), ``middle`` (bits 64 to 191)
and ``high`` (bits 128 to 255). They add up, so a sum of products is reduced once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mpc.kernels.blocks import (
    clmul_high,
    clmul_high_low,
    clmul_low,
    clmul_low_high,
    high_down,
    load,
    low_up,
    spread,
    store,
    store_block,
    xor,
)

Words = NDArray[np.uint64]

# x^128 = x^7 + x^2 + x + 1.
TAIL = np.array([0x87, 0], np.uint64)
_ZERO = np.zeros(2, np.uint64)


@njit(inline="always")
def reduced(low: Any, middle: Any, high: Any, tail: Any) -> Any:
    """The element that the three registers of a product stand for."""
    low, high = xor(low, low_up(middle)), xor(high, high_down(middle))
    top = clmul_high_low(high, tail)
    low, high = xor(low, low_up(top)), xor(high, high_down(top))
    return xor(low, clmul_low(high, tail))


@njit(inline="always")
def product(x: Any, y: Any, tail: Any) -> Any:
    """x * y, four at a time."""
    middle = xor(clmul_high_low(x, y), clmul_low_high(x, y))
    return reduced(clmul_low(x, y), middle, clmul_high(x, y), tail)


@njit(inline="always")
def _block_at(array: Words, i: int, stride: int) -> Any:
    return load(array, i) if stride else spread(array, 0)


@njit(nogil=True, cache=True)
def _multiply_add(
    tail: Words, acc: Words, acc_stride: int, x: Words, y: Words, y_stride: int, out: Words
) -> None:
    """out = acc + x * y; where a stride is zero, one element of the operand serves for all."""
    t = spread(tail, 0)
    words = x.size
    full = words - words % 8
    for i in range(0, full, 8):
        p = product(load(x, i), _block_at(y, i, y_stride), t)
        store(out, i, xor(_block_at(acc, i, acc_stride), p))
    if full < words:
        rest = np.zeros((3, 8), np.uint64)
        rest[0, : words - full] = x.ravel()[full:]
        store(rest, 8, spread(y, 0))
        store(rest, 16, spread(acc, 0))
        if y_stride:
            rest[1, : words - full] = y.ravel()[full:]
        if acc_stride:
            rest[2, : words - full] = acc.ravel()[full:]
        p = product(load(rest, 0), load(rest, 8), t)
        store(rest, 16, xor(load(rest, 16), p))
        out.ravel()[full:] = rest[2, : words - full]


@njit(nogil=True, cache=True)
def _dot(tail: Words, x: Words, y: Words, out: Words) -> None:
    words = x.size
    full = words - words % 8
    rest = np.zeros((2, 8), np.uint64)
    low = load(rest, 0)
    middle, high = low, low
    for i in range(0, full, 8):
        a, b = load(x, i), load(y, i)
        low = xor(low, clmul_low(a, b))
        middle = xor(middle, xor(clmul_high_low(a, b), clmul_low_high(a, b)))
        high = xor(high, clmul_high(a, b))
    rest[0, : words - full] = x.ravel()[full:]
    rest[1, : words - full] = y.ravel()[full:]
    a, b = load(rest, 0), load(rest, 8)
    low = xor(low, clmul_low(a, b))
    middle = xor(middle, xor(clmul_high_low(a, b), clmul_low_high(a, b)))
    high = xor(high, clmul_high(a, b))
    store(rest, 0, reduced(low, middle, high, spread(tail, 0)))
    out[0] = rest[0, 0] ^ rest[0, 2] ^ rest[0, 4] ^ rest[0, 6]
    out[1] = rest[0, 1] ^ rest[0, 3] ^ rest[0, 5] ^ rest[0, 7]


@njit(nogil=True, cache=True)
def _dots(tail: Words, x: Words, y: Words, out: Words) -> None:
    for i in range(x.shape[0]):
        _dot(tail, x[i], y, out[i])


@njit(nogil=True, cache=True)
def _powers(tail: Words, x: Words, out: Words) -> None:
    """out[i] = x^(i+1): four at a time by x^4, once the first four are made one by one."""
    t = spread(tail, 0)
    count = out.shape[0]
    first = np.zeros((4, 2), np.uint64)
    one = spread(x, 0)
    power = one
    for i in range(4):
        store_block(first, 2 * i, power)
        if i < 3:
            power = product(power, one, t)
    now = load(first, 0)
    flat = out.ravel()
    i = 0
    while i + 4 <= count:
        store(out, 2 * i, now)
        now = product(now, power, t)
        i += 4
    store(first, 0, now)
    flat[2 * i :] = first.ravel()[: 2 * (count - i)]


def multiply_add(acc: Words, x: Words, y: Words) -> Words:
    out = np.empty_like(x)
    _multiply_add(TAIL, acc, 1, x, y, int(y.size == x.size), out)
    return out


def multiply(x: Words, y: Words) -> Words:
    out = np.empty_like(x)
    _multiply_add(TAIL, _ZERO, 0, x, y, int(y.size == x.size), out)
    return out


def dot(x: Words, y: Words) -> Words:
    out = np.empty(2, np.uint64)
    _dot(TAIL, x, y, out)
    return out


def dots(x: Words, y: Words) -> Words:
    out = np.empty((len(x), 2), np.uint64)
    _dots(TAIL, x, y, out)
    return out


def powers(x: Words, count: int) -> Words:
    out = np.empty((count, 2), np.uint64)
    _powers(TAIL, x, out)
    return out
