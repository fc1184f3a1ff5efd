# SPDX-License-Identifier: Apache-2.0
"""Arithmetic modulo 2^64 on lanes of eight words; what each function does: ``ring``.

The matrix product keeps four rows by sixteen columns of the result in registers, and goes along
panels of the right factor that were copied so that their words follow each other in the cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.kernels.compiled import inner, kernel
from mpc.kernels.lanes import address, broadcast, emits, lanes, load, store, zero

Words = NDArray[np.uint64]

PANEL = 16  # columns of a panel: two registers
DEPTH = 256  # rows of a panel, which then fills most of the first-level cache
ROWS = 4
_PRODUCT_SECONDS = 0.1e-9  # of one multiplication and addition, on one core
_ELEMENT_SECONDS = 1e-9


@emits(lanes, lanes, lanes, lanes)
def _added(builder: Any, total: Any, x: Any, y: Any) -> Any:
    """``total + x * y`` modulo 2^64 in each lane (``vpmullq``)."""
    return builder.add(total, builder.mul(x, y))


@inner
def _pack(panel: Words, y: Words, top: int, depth: int, left: int, width: int) -> None:
    """Copy ``depth`` rows by ``width`` columns of y, the missing columns as zeros."""
    for k in range(depth):
        for j in range(width):
            panel[k * PANEL + j] = y[top + k, left + j]
        for j in range(width, PANEL):
            panel[k * PANEL + j] = np.uint64(0)


@inner
def _four_rows(tile: Words, x: Words, row: int, top: int, depth: int, panel: int) -> None:
    """Four rows of a tile: the products of x[row:row + 4, top:top + depth] with the panel."""
    a0, a1, b0, b1 = zero(), zero(), zero(), zero()
    c0, c1, d0, d1 = zero(), zero(), zero(), zero()
    for k in range(depth):
        y0, y1 = load(panel, PANEL * k), load(panel, PANEL * k + 8)
        p, q = broadcast(x[row, top + k]), broadcast(x[row + 1, top + k])
        a0, a1 = _added(a0, p, y0), _added(a1, p, y1)
        b0, b1 = _added(b0, q, y0), _added(b1, q, y1)
        r, s = broadcast(x[row + 2, top + k]), broadcast(x[row + 3, top + k])
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
def _one_row(tile: Words, x: Words, row: int, top: int, depth: int, panel: int) -> None:
    a0, a1 = zero(), zero()
    for k in range(depth):
        p = broadcast(x[row, top + k])
        a0 = _added(a0, p, load(panel, PANEL * k))
        a1 = _added(a1, p, load(panel, PANEL * k + 8))
    store(address(tile), 0, a0)
    store(address(tile), 8, a1)


@kernel
def _blocks(start: int, stop: int, out: Words, x: Words, y: Words, scratch: Words) -> None:
    """Rows ``start`` to ``stop`` of out += x @ y."""
    inside, columns = y.shape
    panel, tile = scratch[: PANEL * DEPTH], scratch[PANEL * DEPTH :]
    for top in range(0, inside, DEPTH):
        depth = min(DEPTH, inside - top)
        for left in range(0, columns, PANEL):
            width = min(PANEL, columns - left)
            _pack(panel, y, top, depth, left, width)
            row = start
            while row < stop:
                many = ROWS if row + ROWS <= stop else 1
                if many == ROWS:
                    _four_rows(tile, x, row, top, depth, address(panel))
                else:
                    _one_row(tile, x, row, top, depth, address(panel))
                for i in range(many):
                    for j in range(width):
                        out[row + i, left + j] += tile[i * PANEL + j]
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
    start: int, stop: int, out: Words, total: Words, x: Words, y: Words, _scratch: None
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
    _scratch: None,
) -> None:
    mine = np.uint64(leads)
    for i in range(start, stop):
        out[i] = c[i] + d[i] * b[i] + e[i] * (a[i] + mine * d[i])


def by_blocks(x: Words, y: Words) -> Words:
    out = np.zeros((len(x), y.shape[1]), np.uint64)
    x, y = (array if array.flags.writeable else array.copy() for array in (x, y))
    seconds = _PRODUCT_SECONDS * y.size
    _blocks.over(len(x), seconds, out, x, y, scratch=_panel_and_tile)
    return out


def by_vectors(x: Words, y: Words) -> Words:
    out = np.empty((len(x), len(y)), np.uint64)
    x, y = (array if array.flags.writeable else array.copy() for array in (x, y))
    seconds = _PRODUCT_SECONDS * (y.size + 8 * len(y))
    _vectors.over(len(x), seconds, out, x, y, scratch=lambda: np.empty(8, np.uint64))
    return out


def multiply_add(total: Words, x: Words, y: Words) -> Words:
    out = np.empty(total.shape, np.uint64)
    held = [flat(array) for array in (total, x, y)]
    _multiply_add.over(out.size, _ELEMENT_SECONDS, out.reshape(-1), *held, scratch=_nothing)
    return out


def beaver(c: Words, d: Words, b: Words, e: Words, a: Words, leads: bool) -> Words:
    out = np.empty(c.shape, np.uint64)
    held = [flat(array) for array in (c, d, b, e, a)]
    _beaver.over(out.size, _ELEMENT_SECONDS, out.reshape(-1), *held, int(leads), scratch=_nothing)
    return out


def flat(array: Words) -> Words:
    """The words one after the other, for a loop."""
    # Arrays from a message are read-only, and would compile the loop a second time.
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat if flat.flags.writeable else flat.copy()


def _nothing() -> None:
    return None


def _panel_and_tile() -> Words:
    return np.empty(PANEL * DEPTH + ROWS * PANEL, np.uint64)
