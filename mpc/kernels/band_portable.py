# SPDX-License-Identifier: Apache-2.0
"""The loops of the band matrix store on whole numbers and whole arrays: the reference.

A store is an array (columns, words) of values of any number of 64-bit words. Row i is the word
vector ``bits[i]``, whose bit j chooses column ``firsts[i] + j``; its value is the sum (XOR) of the
chosen columns. Rows are sorted by ``firsts``, and row i is item ``order[i]``'s, so that its value
goes in and comes out at that place.

``encode``  fill the store so that every row has its value; columns that are free keep what the
            store held. The rows ``starts[c]`` to ``starts[c + 1]`` lie in the c-th of equal parts
            of the columns, each of which is solved by itself. Returns -1, or a part whose rows
            are dependent.
``decode``  the value of every row
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Indices = NDArray[np.int64]


def encode(
    bits: Words, firsts: Indices, order: Indices, starts: Indices, values: Words, store: Words
) -> int:
    parts = len(starts) - 1
    width = len(store) // parts
    for part in range(parts):
        mine = slice(starts[part], starts[part + 1])
        columns = store[part * width : (part + 1) * width]
        pivots = _eliminated(bits[mine], firsts[mine] - part * width, values[order[mine]], columns)
        if pivots is None:
            return part
        _back_substitute(pivots, columns)
    return -1


def _eliminated(
    bits: Words, firsts: Indices, values: Words, columns: Words
) -> dict[int, int] | None:
    """Rows reduced to distinct first columns: by that column, the row from there on as a number.

    The column itself gets the value of its row.
    """
    pivots: dict[int, int] = {}
    for row, first, value in zip(bits, firsts.tolist(), values, strict=True):
        left, column, right = int.from_bytes(row.tobytes(), "little"), first, value.copy()
        while left:
            leading = (left & -left).bit_length() - 1
            left >>= leading
            column += leading
            if column not in pivots:
                break
            left ^= pivots[column]
            right ^= columns[column]
        if not left:
            return None
        pivots[column] = left
        columns[column] = right
    return pivots


def _back_substitute(pivots: dict[int, int], columns: Words) -> None:
    for column in sorted(pivots, reverse=True):
        row = pivots[column]
        chosen = np.frombuffer(row.to_bytes(row.bit_length() // 8 + 1, "little"), np.uint8)
        places = column + np.flatnonzero(np.unpackbits(chosen, bitorder="little"))
        columns[column] = np.bitwise_xor.reduce(columns[places], axis=0)


def decode(bits: Words, firsts: Indices, order: Indices, store: Words) -> Words:
    sums = np.zeros((len(firsts), store.shape[1]), np.uint64)
    last = len(store) - 1
    for j in range(64 * bits.shape[1]):
        chosen = -(bits[:, j // 64] >> np.uint64(j % 64) & np.uint64(1))
        # Beyond the band no bit is set, and what would be read there may not exist.
        sums ^= chosen[:, None] & store[np.minimum(firsts + j, last)]
    out = np.empty_like(sums)
    out[order] = sums
    return out
