# SPDX-License-Identifier: Apache-2.0
"""Arithmetic modulo 2^64 on lanes of eight words; what each function does: ``ring``.

The matrix product keeps a tile of the result in registers, and goes along panels of the right
factor that were copied so that their words follow each other in the cache. With AVX-512 the tile is
four rows by sixteen columns. AVX2 has no product of words (``vpmullq``): from x = x0 + 2^32 x1 and
y alike, the tile of two rows by eight columns keeps sums of x0 y0 and, modulo 2^32, of x0 y1 and
x1 y0, the halves of a lane, as products of 32 bits with the word whose halves changed places. Its
multiplications are what limits it: on Zen 3 they take 1.5 cycles for four words, and the rest of
the loop fits beside them as long as a panel stays in the first cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numpy.typing import NDArray

from mpc import kernels
from mpc.kernels.compiled import inner, kernel
from mpc.kernels.lanes import (
    COUNT,
    VECTOR,
    WORD,
    address,
    emits,
    lanes,
    load,
    low_added,
    pointer,
    splat,
    spread,
    store,
    zero,
)

Words = NDArray[np.uint64]

ROWS, COLUMNS = (4, 16) if kernels.wide() else (2, 8)
DEPTH = (1 << 12) // COLUMNS  # rows of a panel, which stays in the first cache: 32 KiB
_PRODUCT_SECONDS = 0.1e-9  # of one multiplication and addition, on one core
_ELEMENT_SECONDS = 1e-9

_HALF_WORDS = ir.VectorType(ir.IntType(32), 2 * COUNT)
_CROSSED = ir.Constant(_HALF_WORDS, [half ^ 1 for half in range(2 * COUNT)])


@emits(lanes, lanes, lanes, lanes)
def _added(builder: Any, total: Any, x: Any, y: Any) -> Any:
    """``total + x * y`` modulo 2^64 in each lane."""
    return builder.add(total, builder.mul(x, y))


@emits(lanes, lanes, lanes, lanes)
def _halves_added(builder: Any, total: Any, x: Any, y: Any) -> Any:
    """``total + x * y`` modulo 2^32 in each half of a lane (``vpmulld``)."""
    held = [builder.bitcast(value, _HALF_WORDS) for value in (total, x, y)]
    return builder.bitcast(builder.add(held[0], builder.mul(*held[1:])), VECTOR)


@emits(lanes, types.intp, types.intp)
def _spread(builder: Any, address: Any, word: Any) -> Any:
    """The word that is ``word`` words after an address, in all lanes."""
    return spread(builder, builder.load(pointer(builder, address, word, WORD), align=8))


@emits(lanes, lanes)
def _turned(builder: Any, x: Any) -> Any:
    """The halves of each lane, each in the place of the other (``vpshufd``)."""
    halves = builder.bitcast(x, _HALF_WORDS)
    return builder.bitcast(builder.shuffle_vector(halves, halves, _CROSSED), VECTOR)


@emits(lanes, lanes, lanes)
def _joined(builder: Any, low: Any, halves: Any) -> Any:
    """``low`` and 2^32 times the sum of the two halves of each lane."""
    high = builder.add(builder.shl(halves, splat(32)), builder.and_(halves, splat(2**64 - 2**32)))
    return builder.add(low, high)


@inner
def _pack(panel: Words, y: Words, top: int, depth: int, left: int, width: int) -> None:
    """Copy ``depth`` rows by ``width`` columns of y, the missing columns as zeros."""
    for k in range(depth):
        row = panel[k * COLUMNS : (k + 1) * COLUMNS]
        for j in range(width):
            row[j] = y[top + k, left + j]
        for j in range(width, COLUMNS):
            row[j] = np.uint64(0)


@inner
def _four_rows(tile: Words, x: int, row: int, depth: int, panel: int) -> None:
    """Four rows of a tile: ``depth`` words each from ``x`` on, a ``row`` apart, by the panel."""
    a0, a1, b0, b1 = zero(), zero(), zero(), zero()
    c0, c1, d0, d1 = zero(), zero(), zero(), zero()
    for k in range(depth):
        y0, y1 = load(panel, COLUMNS * k), load(panel, COLUMNS * k + 8)
        p, q = _spread(x, k), _spread(x, row + k)
        a0, a1 = _added(a0, p, y0), _added(a1, p, y1)
        b0, b1 = _added(b0, q, y0), _added(b1, q, y1)
        r, s = _spread(x, 2 * row + k), _spread(x, 3 * row + k)
        c0, c1 = _added(c0, r, y0), _added(c1, r, y1)
        d0, d1 = _added(d0, s, y0), _added(d1, s, y1)
    to = address(tile)
    store(to, 0, a0)
    store(to, 8, a1)
    store(to, 16, b0)
    store(to, 24, b1)
    store(to, 32, c0)
    store(to, 40, c1)
    store(to, 48, d0)
    store(to, 56, d1)


@inner
def _two_rows(tile: Words, x: int, row: int, depth: int, panel: int) -> None:
    """Two rows of a tile, by halves of words."""
    a, b, c, d = zero(), zero(), zero(), zero()
    for k in range(depth):
        y = load(panel, COLUMNS * k)
        turned = _turned(y)
        p, q = _spread(x, k), _spread(x, row + k)
        a, b = low_added(a, p, y), _halves_added(b, p, turned)
        c, d = low_added(c, q, y), _halves_added(d, q, turned)
    store(address(tile), 0, _joined(a, b))
    store(address(tile), 8, _joined(c, d))


_rows = _four_rows if kernels.wide() else _two_rows


@inner
def _one_row(tile: Words, x: int, depth: int, panel: int) -> None:
    for left in range(0, COLUMNS, 8):
        total = zero()
        for k in range(depth):
            total = _added(total, _spread(x, k), load(panel, COLUMNS * k + left))
        store(address(tile), left, total)


@kernel
def _blocks(start: int, stop: int, out: Words, x: Words, y: Words, scratch: Words) -> None:
    """Rows ``start`` to ``stop`` of out += x @ y."""
    inside, columns = y.shape
    panel, tile = scratch[: COLUMNS * DEPTH], scratch[COLUMNS * DEPTH :]
    for top in range(0, inside, DEPTH):
        depth = min(DEPTH, inside - top)
        for left in range(0, columns, COLUMNS):
            width = min(COLUMNS, columns - left)
            _pack(panel, y, top, depth, left, width)
            row = start
            while row < stop:
                many = ROWS if row + ROWS <= stop else 1
                first = address(x) + 8 * (row * inside + top)
                if many == ROWS:
                    _rows(tile, first, inside, depth, address(panel))
                else:
                    _one_row(tile, first, depth, address(panel))
                for i in range(many):
                    for j in range(width):
                        out[row + i, left + j] += tile[i * COLUMNS + j]
                row += many


@kernel
def _vectors(start: int, stop: int, out: Words, x: Words, y: Words, scratch: Words) -> None:
    """Rows ``start`` to ``stop`` of out = x @ y.T, y having few rows."""
    length = x.shape[1]
    full = length - length % 8
    sums = address(scratch)
    for row in range(start, stop):
        for column in range(y.shape[0]):
            total = zero()
            left, right = address(x[row]), address(y[column])
            for k in range(0, full, 8):
                total = _added(total, load(left, k), load(right, k))
            store(sums, 0, total)
            word = np.uint64(0)
            for k in range(8):
                word += scratch[k]
            for k in range(full, length):
                word += x[row, k] * y[column, k]
            out[row, column] = word


@kernel
def _multiply_add(
    start: int, stop: int, out: Words, total: Words, x: Words, y: Words, _scratch: Words
) -> None:
    for i in range(start, stop):
        out[i] = total[i] + x[i] * y[i]


@kernel
def _beaver(
    start: int,
    stop: int,
    out: Words,
    c: Words,
    d: Words,
    b: Words,
    e: Words,
    a: Words,
    leads: int,
    _scratch: Words,
) -> None:
    mine = np.uint64(leads)
    for i in range(start, stop):
        out[i] = c[i] + d[i] * b[i] + e[i] * (a[i] + mine * d[i])


def by_blocks(x: Words, y: Words) -> Words:
    out = np.zeros((len(x), y.shape[1]), np.uint64)
    x, y = (array if array.flags.writeable else array.copy() for array in (x, y))
    seconds = _PRODUCT_SECONDS * y.size
    _blocks.over(len(x), seconds, out, x, y, scratch=COLUMNS * DEPTH + ROWS * COLUMNS)
    return out


def by_vectors(x: Words, y: Words) -> Words:
    out = np.empty((len(x), len(y)), np.uint64)
    x, y = (array if array.flags.writeable else array.copy() for array in (x, y))
    seconds = _PRODUCT_SECONDS * (y.size + 8 * len(y))
    _vectors.over(len(x), seconds, out, x, y, scratch=8)
    return out


def multiply_add(total: Words, x: Words, y: Words) -> Words:
    out = np.empty(total.shape, np.uint64)
    held = [flat(array) for array in (total, x, y)]
    _multiply_add.over(out.size, _ELEMENT_SECONDS, out.reshape(-1), *held)
    return out


def beaver(c: Words, d: Words, b: Words, e: Words, a: Words, leads: bool) -> Words:
    out = np.empty(c.shape, np.uint64)
    held = [flat(array) for array in (c, d, b, e, a)]
    _beaver.over(out.size, _ELEMENT_SECONDS, out.reshape(-1), *held, int(leads))
    return out


def flat(array: Words) -> Words:
    """The words one after the other, for a loop."""
    # Arrays from a message are read-only, and would compile the loop a second time.
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat if flat.flags.writeable else flat.copy()
