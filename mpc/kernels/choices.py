# SPDX-License-Identifier: Apache-2.0
"""Sixteen pads of one bit for each of n keys: what hides a table of bits from who chooses one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpc.kernels import aes, vaes

Words = NDArray[np.uint64]

CHOICES = 16
_BLOCK = 1 << 13  # keys whose hashes stay in the cache


def pads(schedule: Words, keys: Words, shifts: Words) -> NDArray[np.uint16]:
    """Bit v of each word (n,) is the lowest of ``aes.correlation_robust`` of key ^ ``shifts[v]``.

    ``schedule`` are round keys, ``keys`` uint64 (n, 2), ``shifts`` (16, 2).
    """
    if keys.dtype != np.uint64 or keys.ndim != 2 or keys.shape[1] != 2:
        raise ValueError(f"keys are uint64 (n, 2), not {keys.dtype} {keys.shape}")
    if shifts.dtype != np.uint64 or shifts.shape != (CHOICES, 2):
        raise ValueError(f"shifts are uint64 (16, 2), not {shifts.dtype} {shifts.shape}")
    if vaes.simd():
        from mpc.kernels import choices_simd

        return choices_simd.pads(schedule, np.ascontiguousarray(keys), shifts)
    out = np.zeros(len(keys), np.uint16)
    for start in range(0, len(keys), _BLOCK):
        block = slice(start, start + _BLOCK)
        for v in range(CHOICES):
            hashed = aes.correlation_robust(schedule, keys[block] ^ shifts[v])[:, 0]
            out[block] |= (hashed & np.uint64(1)).astype(np.uint16) << np.uint16(v)
    return out
