# SPDX-License-Identifier: Apache-2.0
"""128 columns of bits turned into rows of 128 bits: what oblivious transfer extension does.

Bit i of a block, two uint64 words with the low one first, is bit i % 64 of word i // 64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpc import kernels

Words = NDArray[np.uint64]


def rows(columns: Words) -> Words:
    """Of ``columns`` (128, blocks, 2), the rows (128 * blocks, 2): bit j of row i is bit i of
    column j."""
    if columns.dtype != np.uint64 or columns.ndim != 3 or columns.shape[::2] != (128, 2):
        raise ValueError(f"128 columns of blocks are (128, n, 2), not {columns.shape}")
    if kernels.backend() == "simd":
        from mpc.kernels import transpose_simd

        return transpose_simd.rows(np.ascontiguousarray(columns))
    # Squares of 128 by 128 bits, which stay in the caches. Packing what lies apart would take four
    # times as long as moving it first.
    squares = np.ascontiguousarray(columns.swapaxes(0, 1)).view(np.uint8)
    bits = np.unpackbits(squares, axis=2, bitorder="little").swapaxes(1, 2)
    packed = np.packbits(np.ascontiguousarray(bits), axis=2, bitorder="little")
    return packed.view(np.uint64).reshape(-1, 2)
