# SPDX-License-Identifier: Apache-2.0
"""The loops of the band matrix store on eight lanes; what each function does: ``band_portable``.

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
from mpc.kernels.lanes import COUNT, address, bit_xor, emits, load, pointer, store, zero

Words = NDArray[np.uint64]
Indices = NDArray[np.int64]

_ROW_SECONDS = 0.4e-6
_AHEAD = 16  # how many rows before its turn a value is asked for: they lie in no order


@emits(types.int64, types.uint64)
def _lowest(builder: Any, word: Any) -> Any:
    """The place of the lowest bit of a word that is not zero."""
    return builder.cttz(word, ir.Constant(ir.IntType(1), 1))


@emits(types.none, types.intp, types.int64)
def _ask(builder: Any, begin: Any, word: Any) -> None:
    """Have the cache line ``word`` words after an address fetched, without waiting for it."""
    of = ir.IntType(8).as_pointer()
    flags = [ir.IntType(32)] * 3
    fetch = ir.FunctionType(ir.VoidType(), [of, *flags])
    place = builder.bitcast(pointer(builder, begin, word), of)
    hints = [ir.Constant(kind, hint) for kind, hint in zip(flags, (0, 3, 1), strict=True)]
    called = builder.module.declare_intrinsic("llvm.prefetch", (of,), fetch)
    builder.call(called, [place, *hints])


@inner
def _sum(row: Words, column: int, columns: Words, value: Words) -> None:
    """The sum of the columns that a row chooses whose bit 0 is ``column``.

    Sixteen words of it at a time; the last register begins early enough to end with the value.
    """
    words = columns.shape[1]
    origin, to, last = address(columns), address(value), words - COUNT
    for word in range(0, words, 2 * COUNT):
        one, two = min(word, last), min(word + COUNT, last)
        low, high = zero(), zero()
        for k in range(len(row)):
            left = row[k]
            while left:
                place = (column + 64 * k + _lowest(left)) * words
                left &= left - np.uint64(1)
                low = bit_xor(low, load(origin, place + one))
                high = bit_xor(high, load(origin, place + two))
        store(to, one, low)
        store(to, two, high)


@inner
def _aligned(bits: Words, shift: int, held: Words) -> None:
    """A band shifted up by ``shift`` < 64 bits, in one word more."""
    carried = np.uint64(0)
    for k in range(len(bits)):
        held[k] = bits[k] << np.uint64(shift) | carried
        carried = bits[k] >> np.uint64(1) >> np.uint64(63 - shift)
    held[len(bits)] = carried


@inner
def _reduced(held: Words, word: int, pivots: Words, taken: Words) -> int:
    """Reduce a row that begins in ``word`` to a first column that no pivot has; -1 for none.

    ``taken`` gets the columns of the pivots that were taken from it, as a row itself.
    """
    size, passed = len(held), 0
    taken[:] = 0
    while passed < size:
        if held[0] == 0:
            for k in range(1, size):
                held[k - 1] = held[k]
            held[size - 1] = 0
            passed += 1
            continue
        place = _lowest(held[0])
        column = 64 * (word + passed) + place
        if pivots[column, 0] == 0:
            return column
        taken[passed] |= np.uint64(1) << np.uint64(place)
        for k in range(size):
            held[k] ^= pivots[column, k]
    return -1


@inner
def _back_substitute(pivots: Words, columns: Words, value: Words) -> None:
    for column in range(len(columns) - 1, -1, -1):
        if pivots[column, 0]:
            _sum(pivots[column], column // 64 * 64, columns, value)
            for word in range(len(value)):
                columns[column, word] = value[word]


@kernel
def _encode(
    first: int,
    last: int,
    bits: Words,
    firsts: Indices,
    order: Indices,
    starts: Indices,
    values: Words,
    filled: Words,
    failed: Indices,
    width: int,
    scratch: Words,
) -> None:
    size, words = bits.shape[1] + 1, filled.shape[1]
    pivots = scratch[: width * size].reshape(width, size)
    held, taken = scratch[width * size :][:size], scratch[(width + 1) * size :][:size]
    value = scratch[(width + 2) * size :][:words]
    for part in range(first, last):
        columns = filled[part * width : (part + 1) * width]
        pivots[:] = 0
        for row in range(starts[part], starts[part + 1]):
            soon = order[min(row + _AHEAD, len(order) - 1)] * words
            for word in range(0, words + COUNT - 1, COUNT):
                _ask(address(values), soon + min(word, words - 1))
            begin = firsts[row] - part * width
            _aligned(bits[row], begin % 64, held)
            column = _reduced(held, begin // 64, pivots, taken)
            if column < 0:
                failed[part] = 1
                break
            _sum(taken, begin // 64 * 64, columns, value)
            for word in range(words):
                columns[column, word] = value[word] ^ values[order[row], word]
            for k in range(len(held)):
                pivots[column, k] = held[k]
        if not failed[part]:
            _back_substitute(pivots, columns, value)


@kernel
def _decode(
    first: int,
    last: int,
    bits: Words,
    firsts: Indices,
    order: Indices,
    columns: Words,
    out: Words,
    scratch: Words,
) -> None:
    value = scratch[: columns.shape[1]]
    for row in range(first, last):
        _sum(bits[row], firsts[row], columns, value)
        out[order[row]] = value


def encode(
    bits: Words, firsts: Indices, order: Indices, starts: Indices, values: Words, store: Words
) -> int:
    parts = len(starts) - 1
    width, size = len(store) // parts, bits.shape[1] + 1
    wide, filled = _wide(values), _wide(store)
    failed = np.zeros(parts, np.int64)

    seconds = _ROW_SECONDS * len(bits) / parts
    args = bits, firsts, order, starts, wide, filled, failed, width
    _encode.over(parts, seconds, *args, scratch=(width + 2) * size + filled.shape[1])
    if filled is not store:
        store[:] = filled[:, : store.shape[1]]
    return int(failed.argmax()) if failed.any() else -1


def decode(bits: Words, firsts: Indices, order: Indices, store: Words) -> Words:
    filled = _wide(store)
    out = np.empty((len(bits), filled.shape[1]), np.uint64)
    args = bits, firsts, order, filled, out
    _decode.over(len(bits), _ROW_SECONDS, *args, scratch=filled.shape[1])
    return np.ascontiguousarray(out[:, : store.shape[1]])


def _wide(values: Words) -> Words:
    """The values, or where they are shorter than a register a copy that is not."""
    words = values.shape[1]
    return values if words >= COUNT else np.pad(values, ((0, 0), (0, COUNT - words)))
