# SPDX-License-Identifier: Apache-2.0
"""GF(2^128) by shift and add on numpy arrays: the reference. What each function does: ``gf128``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_TAIL = np.uint64(0x87)
_ONE, _TOP = np.uint64(1), np.uint64(63)


def multiply(x: Words, y: Words) -> Words:
    low, high = np.zeros(x.shape[:-1], np.uint64), np.zeros(x.shape[:-1], np.uint64)
    a, b = x[..., 0].copy(), x[..., 1].copy()
    for bit in range(128):
        chosen = -(y[..., bit // 64] >> np.uint64(bit % 64) & _ONE)
        low ^= a & chosen
        high ^= b & chosen
        # x becomes x * X: shifted by one, with X^128 replaced by X^7 + X^2 + X + 1.
        a, b = a << _ONE ^ -(b >> _TOP) & _TAIL, b << _ONE ^ a >> _TOP
    return np.stack([low, high], axis=-1)


def multiply_add(acc: Words, x: Words, y: Words) -> Words:
    return acc ^ multiply(x, y)


def dot(x: Words, y: Words) -> Words:
    return np.bitwise_xor.reduce(multiply(x, y), axis=0)


def dots(x: Words, y: Words) -> Words:
    return np.stack([dot(row, y) for row in x]) if len(x) else np.empty((0, 2), np.uint64)


def powers(x: Words, count: int) -> Words:
    """By doubling: the second half of the powers is the first half times its last."""
    out = np.empty((count, 2), np.uint64)
    out[:1] = x
    done = 1
    while done < count:
        more = min(done, count - done)
        out[done : done + more] = multiply(out[:more], out[done - 1 : done])
        done += more
    return out
