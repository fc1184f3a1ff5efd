# SPDX-License-Identifier: Apache-2.0
"""Bit transpose, compiled; what it does: ``transpose``."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_MASKS = np.array(
    [
        0x00000000FFFFFFFF,
        0x0000FFFF0000FFFF,
        0x00FF00FF00FF00FF,
        0x0F0F0F0F0F0F0F0F,
        0x3333333333333333,
        0x5555555555555555,
    ],
    np.uint64,
)


@njit(nogil=True, cache=True)
def _rows(columns: Words, masks: Words, out: Words) -> None:
    blocks = columns.shape[1]
    square = np.empty(64, np.uint64)
    for block in range(blocks):
        for half in range(2):
            for word in range(2):
                for i in range(64):
                    square[i] = columns[64 * half + i, block, word]
                # Exchange the off-diagonal quarters of ever smaller squares (Warren, Hacker's
                # Delight, 7-3).
                step = 32
                for level in range(6):
                    mask, shift = masks[level], np.uint64(step)
                    for start in range(0, 64, 2 * step):
                        for i in range(start, start + step):
                            moved = (square[i] >> shift ^ square[i + step]) & mask
                            square[i] ^= moved << shift
                            square[i + step] ^= moved
                    step >>= 1
                for i in range(64):
                    out[128 * block + 64 * word + i, half] = square[i]


def rows(columns: Words) -> Words:
    out = np.empty((128 * columns.shape[1], 2), np.uint64)
    _rows(columns, _MASKS, out)
    return out
