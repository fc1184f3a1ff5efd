# SPDX-License-Identifier: Apache-2.0
"""The loops of the band matrix store, compiled; what each function does: ``band_portable``.

A row in elimination is held in the words of columns that it touches, from the word of its first
column: rows then meet with their words in line, and none is ever shifted by bits. A row never grows
past the end of its band, since rows before it end no later.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numpy.typing import NDArray

from mpc.kernels.compiled import inner, kernel
from mpc.kernels.lanes import emits

Words = NDArray[np.uint64]
Indices = NDArray[np.int64]

_ROW_SECONDS = 1e-6


@emits(types.int64, types.uint64)
def _lowest(builder: Any, word: Any) -> Any:
    """The place of the lowest bit of a word that is not zero."""
    return builder.cttz(word, ir.Constant(ir.IntType(1), 1))


@inner
def _aligned(bits: Words, shift: int, held: Words) -> None:
    """A band shifted up by ``shift`` < 64 bits, in one word more."""
    carried = np.uint64(0)
    for k in range(len(bits)):
        held[k] = bits[k] << np.uint64(shift) | carried
        carried = bits[k] >> np.uint64(1) >> np.uint64(63 - shift)
    held[len(bits)] = carried


@inner
def _reduced(held: Words, value: Words, word: int, pivots: Words, columns: Words) -> int:
    """Reduce a row that begins in ``word`` to a first column that no pivot has; -1 for none."""
    size, passed = len(held), 0
    while passed < size:
        if held[0] == 0:
            for k in range(1, size):
                held[k - 1] = held[k]
            held[size - 1] = 0
            word += 1
            passed += 1
            continue
        column = 64 * word + _lowest(held[0])
        if pivots[column, 0] == 0:
            return column
        for k in range(size):
            held[k] ^= pivots[column, k]
        for k in range(len(value)):
            value[k] ^= columns[column, k]
    return -1


@inner
def _back_substitute(pivots: Words, columns: Words, value: Words) -> None:
    for column in range(len(columns) - 1, -1, -1):
        if pivots[column, 0]:
            value[:] = columns[column]
            for k in range(pivots.shape[1]):
                left = pivots[column, k]
                if k == 0:
                    left &= left - np.uint64(1)
                first = 64 * (column // 64 + k)
                while left:
                    chosen = first + _lowest(left)
                    left &= left - np.uint64(1)
                    for word in range(len(value)):
                        value[word] ^= columns[chosen, word]
            columns[column] = value


@kernel
def _encode(
    first: int,
    last: int,
    bits: Words,
    firsts: Indices,
    order: Indices,
    starts: Indices,
    values: Words,
    store: Words,
    failed: Indices,
    scratch: tuple[Words, Words, Words],
) -> None:
    pivots, held, value = scratch
    width = len(pivots)
    for part in range(first, last):
        columns = store[part * width : (part + 1) * width]
        pivots[:] = 0
        for row in range(starts[part], starts[part + 1]):
            begin = firsts[row] - part * width
            _aligned(bits[row], begin % 64, held)
            value[:] = values[order[row]]
            column = _reduced(held, value, begin // 64, pivots, columns)
            if column < 0:
                failed[part] = 1
                break
            pivots[column] = held
            columns[column] = value
        if not failed[part]:
            _back_substitute(pivots, columns, value)


@kernel
def _decode(
    first: int,
    last: int,
    bits: Words,
    firsts: Indices,
    order: Indices,
    store: Words,
    out: Words,
    value: Words,
) -> None:
    for row in range(first, last):
        value[:] = 0
        for k in range(bits.shape[1]):
            left = bits[row, k]
            while left:
                chosen = firsts[row] + 64 * k + _lowest(left)
                left &= left - np.uint64(1)
                for word in range(len(value)):
                    value[word] ^= store[chosen, word]
        out[order[row]] = value


def encode(
    bits: Words, firsts: Indices, order: Indices, starts: Indices, values: Words, store: Words
) -> int:
    parts = len(starts) - 1
    width, size, words = len(store) // parts, bits.shape[1] + 1, store.shape[1]
    failed = np.zeros(parts, np.int64)

    def scratch() -> tuple[Words, Words, Words]:
        pivots = np.empty((width, size), np.uint64)
        return pivots, np.empty(size, np.uint64), np.empty(words, np.uint64)

    seconds = _ROW_SECONDS * len(bits) / parts
    _encode.over(
        parts, seconds, bits, firsts, order, starts, values, store, failed, scratch=scratch
    )
    return int(failed.argmax()) if failed.any() else -1


def decode(bits: Words, firsts: Indices, order: Indices, store: Words) -> Words:
    words = store.shape[1]
    out = np.empty((len(bits), words), np.uint64)
    _decode.over(
        len(bits),
        _ROW_SECONDS,
        bits,
        firsts,
        order,
        store,
        out,
        scratch=lambda: np.empty(words, np.uint64),
    )
    return out
