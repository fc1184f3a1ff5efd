# SPDX-License-Identifier: Apache-2.0
"""The loops of the key-value store, compiled; what each function does: ``okvs_portable``.

A cluster's columns, its rows and its part of the store stay in the second-level cache while it is
worked on. Values are worked on by two words at a time, out of as many as they have, so that this
part is small; where one is left, its low and high word are the same word, which costs less than a
branch. Rows are peeled once for all words.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Rows = NDArray[np.uint32]
Placed = tuple[Rows, Words, NDArray[np.int64]]

_FREE = np.uint32(0xFFFFFFFF)


@njit(inline="always")
def _scaled(chance: np.uint64, bound: int) -> np.uint64:
    return ((chance & np.uint64(0xFFFFFFFF)) * np.uint64(bound)) >> np.uint64(32)


@njit(nogil=True, cache=True)
def _place(places: Words, dense: Words, clusters: int, width: int, keep: np.uint64) -> Placed:
    count = len(places)
    half = np.uint64(32)
    starts = np.zeros(clusters + 1, np.int64)
    for i in range(count):
        starts[np.int64(_scaled(places[i, 1] >> half, clusters)) + 1] += 1
    for cluster in range(clusters):
        starts[cluster + 1] += starts[cluster]
    following = starts[:-1].copy()
    rows = np.empty((count, 4), np.uint32)
    bits = np.empty(count, np.uint64)
    for i in range(count):
        low, high = places[i, 0], places[i, 1]
        mine = np.int64(_scaled(high >> half, clusters))
        at = following[mine]
        following[mine] = at + 1
        a = _scaled(low, width)
        b = _scaled(low >> half, width - 1)
        c = _scaled(high, width - 2)
        b += np.uint64(b >= a)
        c += np.uint64(c >= min(a, b))
        c += np.uint64(c >= max(a, b))
        rows[at, 0], rows[at, 1], rows[at, 2], rows[at, 3] = a, b, c, i
        bits[at] = dense[i, 0] & keep
    return rows, bits, starts


@njit(inline="always")
def _drop(row: int, rows: Rows, columns: Rows, queue: Rows, tail: int) -> int:
    """Take a row out of its three columns; columns left with one row join the queue."""
    for j in range(3):
        column = rows[row, j]
        columns[column, 0] -= np.uint32(1)
        columns[column, 1] ^= np.uint32(row)
        if columns[column, 0] == 1:
            queue[tail] = column
            tail += 1
    return tail


@njit(nogil=True)
def _set_aside(rows: Rows, columns: Rows, pivots: Rows, queue: Rows, gap: Rows, gaps: int) -> int:
    """All rows but one of a column of least weight leave; returns how many left in all."""
    least, chosen = np.uint32(0xFFFFFFFF), 0
    for column in range(len(columns)):
        if 0 < columns[column, 0] < least:
            least, chosen = columns[column, 0], column
    kept = False
    for row in range(len(rows)):
        inside = rows[row, 0] == chosen or rows[row, 1] == chosen or rows[row, 2] == chosen
        if pivots[row] == _FREE and inside:
            if kept and gaps < len(gap):
                gap[gaps] = row
                pivots[row] = _FREE - np.uint32(1)
                _drop(row, rows, columns, queue, 0)
                gaps += 1
            elif kept:
                return -1
            kept = True
    return gaps


@njit(nogil=True, cache=True)
def _peel(rows: Rows, width: int, order: Rows, pivots: Rows, gap: Rows) -> int:
    """Order the rows so that each has a column that no later one has. Returns the gap, or -1.

    ``order`` gets the rows in turn, ``pivots`` each row's column, ``gap`` the rows left over.
    """
    count = len(rows)
    columns = np.zeros((width, 2), np.uint32)
    # A queue rather than a stack: rows that follow each other then do not depend on each other,
    # and the processor works on several at once, here and when values are solved for.
    queue = np.empty(width + 3, np.uint32)
    pivots[:] = _FREE
    for row in range(count):
        for j in range(3):
            columns[rows[row, j], 0] += np.uint32(1)
            columns[rows[row, j], 1] ^= np.uint32(row)
    taken, gaps = 0, 0
    while True:
        head, tail = 0, 0
        for column in range(width):
            if columns[column, 0] == 1:
                queue[tail] = column
                tail += 1
        while head < tail:
            column = queue[head]
            head += 1
            if columns[column, 0] == 1:
                row = columns[column, 1]
                order[taken] = row
                pivots[row] = column
                taken += 1
                tail = _drop(row, rows, columns, queue, tail)
        if taken + gaps == count:
            return gaps
        gaps = _set_aside(rows, columns, pivots, queue, gap, gaps)
        if gaps < 0:
            return -1


@njit(nogil=True, cache=True)
def _tables(dense: Words, size: int, tables: Words) -> None:
    """For each byte of a row's dense bits, the sums of the columns that its 256 values choose."""
    width = len(dense) // size
    for part in range((width + 7) // 8):
        base = 512 * part
        tables[base], tables[base + 1] = 0, 0
        for value in range(1, 256):
            bit = 0
            while not value >> bit & 1:
                bit += 1
            low, high = np.uint64(0), np.uint64(0)
            if 8 * part + bit < width:
                at = (8 * part + bit) * size
                low, high = dense[at], dense[at + size - 1]
            rest = base + 2 * (value & (value - 1))
            tables[base + 2 * value] = tables[rest] ^ low
            tables[base + 2 * value + 1] = tables[rest + 1] ^ high


@njit(inline="always")
def _row_sum(
    row: Rows, bits: np.uint64, store: Words, size: int, tables: Words, parts: int
) -> tuple[np.uint64, np.uint64]:
    a, b, c = np.int64(row[0]) * size, np.int64(row[1]) * size, np.int64(row[2]) * size
    last = size - 1
    low = store[a] ^ store[b] ^ store[c]
    high = store[a + last] ^ store[b + last] ^ store[c + last]
    for part in range(parts):
        at = 512 * part + 2 * np.int64(bits >> np.uint64(8 * part) & np.uint64(255))
        low ^= tables[at]
        high ^= tables[at + 1]
    return low, high


@njit(nogil=True, cache=True)
def _backfill(
    rows: Rows,
    bits: Words,
    values: Words,
    order: Rows,
    pivots: Rows,
    store: Words,
    size: int,
    tables: Words,
    parts: int,
) -> None:
    """Solve for the pivots in reverse; each row's pivot holds what others do not read yet."""
    last = size - 1
    for turn in range(len(order) - 1, -1, -1):
        row = np.int64(order[turn])
        pivot = np.int64(pivots[row]) * size
        store[pivot], store[pivot + last] = 0, 0
        low, high = _row_sum(rows[row], bits[row], store, size, tables, parts)
        store[pivot] = low ^ values[row * size]
        store[pivot + last] = high ^ values[row * size + last]


@njit(nogil=True)
def _masks(rows: Rows, bits: Words, order: Rows, pivots: Rows, width: int) -> Words:
    """For each sparse column, which dense columns its solution depends on."""
    masks = np.zeros(width, np.uint64)
    for turn in range(len(order) - 1, -1, -1):
        row = order[turn]
        total = bits[row]
        for j in range(3):
            if rows[row, j] != pivots[row]:
                total ^= masks[rows[row, j]]
        masks[pivots[row]] = total
    return masks


@njit(nogil=True)
def _eliminate(lefts: Words, rights: Words, dense: Words, size: int) -> bool:
    """Set dense values so that the columns ``lefts[i]`` chooses sum to ``rights[i]``."""
    last = size - 1
    count = len(lefts)
    chosen = np.zeros(count, np.int64)
    for i in range(count):
        if lefts[i] == 0:
            return False
        bit = 0
        while not lefts[i] >> np.uint64(bit) & np.uint64(1):
            bit += 1
        chosen[i] = bit
        for k in range(count):
            if k != i and lefts[k] >> np.uint64(bit) & np.uint64(1):
                lefts[k] ^= lefts[i]
                rights[2 * k] ^= rights[2 * i]
                rights[2 * k + 1] ^= rights[2 * i + 1]
    for i in range(count):
        pivot = chosen[i] * size
        low, high = rights[2 * i], rights[2 * i + 1]
        for bit in range(len(dense) // size):
            if bit != chosen[i] and lefts[i] >> np.uint64(bit) & np.uint64(1):
                low ^= dense[bit * size]
                high ^= dense[bit * size + last]
        dense[pivot], dense[pivot + last] = low, high
    return True


@njit(nogil=True, cache=True)
def _solve_gap(
    rows: Rows,
    bits: Words,
    values: Words,
    order: Rows,
    pivots: Rows,
    gap: Rows,
    store: Words,
    size: int,
    width: int,
) -> bool:
    """Choose the dense values so that the rows of the gap hold too."""
    masks = _masks(rows, bits, order, pivots, width)
    nothing = np.zeros(0, np.uint64)
    _backfill(rows, bits, values, order, pivots, store, size, nothing, 0)
    lefts = np.zeros(len(gap), np.uint64)
    rights = np.zeros(2 * len(gap), np.uint64)
    last = size - 1
    for i in range(len(gap)):
        row = np.int64(gap[i])
        a, b, c = rows[row, 0], rows[row, 1], rows[row, 2]
        lefts[i] = bits[row] ^ masks[a] ^ masks[b] ^ masks[c]
        low, high = _row_sum(rows[row], bits[row], store, size, nothing, 0)
        rights[2 * i] = low ^ values[row * size]
        rights[2 * i + 1] = high ^ values[row * size + last]
    return _eliminate(lefts, rights, store[width * size :], size)


@njit(nogil=True)
def _words(of: Words, first: int, last: int, word: int, size: int) -> Words:
    """One or two words of some values side by side: a copy, but where there are no others."""
    if size == of.shape[1]:
        return of.ravel()[first * size : last * size]
    return of[first:last, word : word + size].copy().ravel()


@njit(nogil=True)
def _filled(
    rows: Rows,
    bits: Words,
    values: Words,
    order: Rows,
    pivots: Rows,
    gap: Rows,
    part: Words,
    size: int,
    width: int,
    tables: Words,
) -> bool:
    """Solve for one or two words of all values, in the order of the peeled rows."""
    if len(gap) and not _solve_gap(rows, bits, values, order, pivots, gap, part, size, width):
        return False
    dense = part[width * size :]
    _tables(dense, size, tables)
    parts = (len(dense) // size + 7) // 8
    _backfill(rows, bits, values, order, pivots, part, size, tables, parts)
    return True


@njit(nogil=True, cache=True)
def encode(
    rows: Rows,
    bits: Words,
    starts: NDArray[np.int64],
    values: Words,
    store: Words,
    width: int,
    dense: int,
    limit: int,
) -> int:
    words, whole = values.shape[1], width + dense
    tables = np.empty(512 * ((dense + 7) // 8), np.uint64)
    for cluster in range(len(starts) - 1):
        start, end = starts[cluster], starts[cluster + 1]
        mine, my_bits = rows[start:end], bits[start:end]
        first, last = cluster * whole, (cluster + 1) * whole
        order, pivots = np.empty(end - start, np.uint32), np.empty(end - start, np.uint32)
        gap = np.empty(limit, np.uint32)
        gaps = _peel(mine, width, order, pivots, gap)
        if gaps < 0:
            return cluster
        order, gap = order[: end - start - gaps], gap[:gaps]
        for word in range(0, words, 2):
            size = min(2, words - word)
            taken = _words(values, start, end, word, size)
            part = _words(store, first, last, word, size)
            if not _filled(mine, my_bits, taken, order, pivots, gap, part, size, width, tables):
                return cluster
            if size < words:
                store[first:last, word : word + size] = part.reshape(whole, size)
    return -1


@njit(nogil=True, cache=True)
def _decode(
    rows: Rows,
    bits: Words,
    starts: NDArray[np.int64],
    store: Words,
    width: int,
    dense: int,
    out: Words,
) -> None:
    words, whole = store.shape[1], width + dense
    parts = (dense + 7) // 8
    tables = np.empty(512 * parts, np.uint64)
    for cluster in range(len(starts) - 1):
        for word in range(0, words, 2):
            size = min(2, words - word)
            part = _words(store, cluster * whole, (cluster + 1) * whole, word, size)
            _tables(part[width * size :], size, tables)
            for row in range(starts[cluster], starts[cluster + 1]):
                low, high = _row_sum(rows[row], bits[row], part, size, tables, parts)
                out[row, word] = low
                out[row, word + size - 1] = high


def place(places: Words, dense: Words, clusters: int, width: int, bits: int) -> Placed:
    return _place(places, dense, clusters, width, np.uint64((1 << bits) - 1))


def decode(
    rows: Rows, bits: Words, starts: NDArray[np.int64], store: Words, width: int, dense: int
) -> Words:
    out = np.empty((len(rows), store.shape[1]), np.uint64)
    _decode(rows, bits, starts, store, width, dense, out)
    return out


def peel(rows: Rows, width: int, limit: int) -> NDArray[np.int64] | None:
    order, pivots = np.empty(len(rows), np.uint32), np.empty(len(rows), np.uint32)
    gap = np.empty(limit, np.uint32)
    gaps = _peel(rows, width, order, pivots, gap)
    if gaps < 0:
        return None
    out = pivots.astype(np.int64)
    out[gap[:gaps]] = -1
    return out
