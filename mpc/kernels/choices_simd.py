# SPDX-License-Identifier: Apache-2.0
"""Pads of few bits on four blocks at a time; what the function does: ``choices``."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mpc.kernels.aes_simd import _permute, _spread_keys
from mpc.kernels.blocks import add, load, spread, store, xor
from mpc.kernels.choices import WIDTHS, Tables
from mpc.kernels.lanes import bit_and

Words = NDArray[np.uint64]


@njit(nogil=True, cache=True)
def _pads(
    schedule: Words, keys: Words, shifts: Words, width: int, lowest: Words, out: Words
) -> None:
    k = _spread_keys(schedule)
    low = spread(lowest, 0)
    for i in range(0, keys.size, 16):
        a, b = load(keys, i), load(keys, i + 8)
        s, t = xor(a, a), xor(b, b)
        for v in range(15, -1, -1):
            shift = spread(shifts, 2 * v)
            x, y = xor(a, shift), xor(b, shift)
            # Doubled, the bits before stand one place higher.
            for _ in range(width):
                s, t = add(s, s), add(t, t)
            s = add(s, bit_and(xor(_permute(x, k), x), low))
            t = add(t, bit_and(xor(_permute(y, k), y), low))
        store(out, i, s)
        store(out, i + 8, t)


def pads(schedule: Words, keys: Words, shifts: Words, width: int) -> Tables:
    padded = np.zeros((-(-len(keys) // 8) * 8, 2), np.uint64)
    padded[: len(keys)] = keys
    lowest = np.array([2**width - 1, 0], np.uint64)
    _pads(schedule, padded, np.ascontiguousarray(shifts), width, lowest, padded)
    tables: Tables = padded[: len(keys), 0].astype(WIDTHS[width])
    return tables
