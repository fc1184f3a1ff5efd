# SPDX-License-Identifier: Apache-2.0
"""Sixteen pads of few bits for each of n keys: what hides a table from who chooses one entry."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.kernels import aes, vaes

Words = NDArray[np.uint64]
Tables = NDArray[np.unsignedinteger[Any]]

CHOICES = 16
WIDTHS: dict[int, np.dtype[np.unsignedinteger[Any]]] = {
    1: np.dtype(np.uint16),
    4: np.dtype(np.uint64),
}
"""Bits of an entry, and what holds a table of sixteen."""
_BLOCK = 1 << 13  # keys whose hashes stay in the cache


def pads(schedule: Words, keys: Words, shifts: Words, width: int = 1) -> Tables:
    """Pads (n,) of ``width`` bits, 1 or 4, as one word of 16 of these: uint16 or uint64.

    Pad v, in the bits from ``width * v`` on, is the lowest bits of ``aes.correlation_robust`` of
    key ^ ``shifts[v]``. ``schedule`` are round keys, ``keys`` uint64 (n, 2), ``shifts`` (16, 2).
    """
    if keys.dtype != np.uint64 or keys.ndim != 2 or keys.shape[1] != 2:
        raise ValueError(f"keys are uint64 (n, 2), not {keys.dtype} {keys.shape}")
    if shifts.dtype != np.uint64 or shifts.shape != (CHOICES, 2):
        raise ValueError(f"shifts are uint64 (16, 2), not {shifts.dtype} {shifts.shape}")
    if width not in WIDTHS:
        raise ValueError(f"pads have 1 or 4 bits, not {width}")
    if vaes.simd():
        from mpc.kernels import choices_simd

        return choices_simd.pads(schedule, np.ascontiguousarray(keys), shifts, width)
    out = np.zeros(len(keys), WIDTHS[width])
    for start in range(0, len(keys), _BLOCK):
        block = slice(start, start + _BLOCK)
        for v in range(CHOICES):
            hashed = aes.correlation_robust(schedule, keys[block] ^ shifts[v])[:, 0]
            out[block] |= (hashed & np.uint64(2**width - 1)).astype(out.dtype) << width * v
    return out
