# SPDX-License-Identifier: Apache-2.0
"""Packed bits, compiled; what each function does: ``bits``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpc.kernels.compiled import kernel
from mpc.kernels.ring_simd import flat

Words = NDArray[np.uint64]

_SQUARE_SECONDS = 60e-9
_ELEMENT_SECONDS = 1e-9
# For steps of 32, 16, ... 1: the bits of a word whose number has no such step in it.
MASKS = np.array(
    [sum(1 << bit for bit in range(64) if not bit & 32 >> k) for k in range(6)], np.uint64
)


@kernel
def _transpose(
    start: int, stop: int, out: Words, masks: Words, source: Words, scratch: Words
) -> None:
    for square in range(start, stop):
        for i in range(64):
            scratch[i] = source[64 * square + i]
        step = 32
        for level in range(6):
            mask, shift = masks[level], np.uint64(step)
            for first in range(0, 64, 2 * step):
                for i in range(first, first + step):
                    upper, lower = scratch[i], scratch[i + step]
                    swapped = (upper >> shift ^ lower) & mask
                    scratch[i + step] = lower ^ swapped
                    scratch[i] = upper ^ swapped << shift
            step >>= 1
        for i in range(64):
            out[64 * square + i] = scratch[i]


@kernel
def _and_step(
    start: int,
    stop: int,
    out: Words,
    c: Words,
    d: Words,
    b: Words,
    e: Words,
    a: Words,
    leads: np.uint64,
    _scratch: Words,
) -> None:
    for i in range(start, stop):
        out[i] = c[i] ^ d[i] & b[i] ^ e[i] & (a[i] ^ leads & d[i])


def transposed(square: Words) -> Words:
    count = len(square) // 64
    out = np.empty((count, 64), np.uint64)
    _transpose.over(
        count,
        _SQUARE_SECONDS,
        out.reshape(-1),
        MASKS,
        flat(square),
        scratch=64,
    )
    return out


def and_step(c: Words, d: Words, b: Words, e: Words, a: Words, leads: bool) -> Words:
    out = np.empty(c.shape, np.uint64)
    held = [flat(array) for array in (c, d, b, e, a)]
    every = np.uint64(2**64 - 1 if leads else 0)
    _and_step.over(out.size, _ELEMENT_SECONDS, out.reshape(-1), *held, every)
    return out
