# SPDX-License-Identifier: Apache-2.0
"""Pads of one bit on four blocks at a time; what the function does: ``choices``."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mpc.kernels.aes_simd import _permute, _spread_keys
from mpc.kernels.blocks import add, load, spread, store, xor
from mpc.kernels.lanes import bit_and

Words = NDArray[np.uint64]

_LOWEST = np.array([1, 0], np.uint64)


@njit(nogil=True, cache=True)
def _pads(schedule: Words, keys: Words, shifts: Words, lowest: Words, out: Words) -> None:
    k = _spread_keys(schedule)
    one = spread(lowest, 0)
    for i in range(0, keys.size, 16):
        a, b = load(keys, i), load(keys, i + 8)
        s, t = xor(a, a), xor(b, b)
        for v in range(15, -1, -1):
            shift = spread(shifts, 2 * v)
            x, y = xor(a, shift), xor(b, shift)
            # Doubled, the bits before stand one place higher.
            s = add(add(s, s), bit_and(xor(_permute(x, k), x), one))
            t = add(add(t, t), bit_and(xor(_permute(y, k), y), one))
        store(out, i, s)
        store(out, i + 8, t)


def pads(schedule: Words, keys: Words, shifts: Words) -> NDArray[np.uint16]:
    padded = np.zeros((-(-len(keys) // 8) * 8, 2), np.uint64)
    padded[: len(keys)] = keys
    _pads(schedule, padded, np.ascontiguousarray(shifts), _LOWEST, padded)
    return padded[: len(keys), 0].astype(np.uint16)
