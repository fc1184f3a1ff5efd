# SPDX-License-Identifier: Apache-2.0
"""Sums of multiples of a few points, compiled: what a proof of one element takes.

A comb has of a point P the multiples 1 to 8 of P, 2^32 P, 2^64 P, ..., 2^224 P, so that the eight
slices of a scalar share their doublings (Lim, Lee, "More Flexible Exponentiation with
Precomputation", CRYPTO 1994). It takes 224 doublings, once; then a sum takes 28, and 64 additions
for each of its terms, where ``mul`` takes 252 and 64. It has 10 kB, so several lie in the cache.

Signed digits of four bits as in ``multiples``. No branch and no address depends on points or
scalars.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.kernels.compiled import inner, kernel
from mpc.kernels.lanes import address
from mpc.kernels.ristretto.edwards import (
    WINDOWS,
    fill_table,
    identity,
    plus_digit,
    sixteenfold,
)
from mpc.kernels.ristretto.field import ONES, load_word
from mpc.kernels.ristretto.multiples import RECODING_WORDS, TABLE_WORDS, recode_row
from mpc.kernels.ristretto.rows import (
    NUMBER_WORDS,
    SCRATCH,
    new_points,
    put_point,
    read_point,
    words_of,
)

SLICES = 8
STEPS = WINDOWS // SLICES  # windows of a slice


@inner
def _fill_comb(point: Any, comb: int) -> None:
    """Write the comb of a point to an address."""
    for each in range(SLICES):
        if each:
            for _ in range(STEPS):
                point = sixteenfold(point)
        fill_table(point, comb + 8 * TABLE_WORDS * each)


@inner
def _sum(first: int, stop: int, tables: Any, which: Any, recoded: Any, kind: Any) -> Any:
    """The sum of terms ``first`` to ``stop``."""
    total = identity(kind)
    for step in range(STEPS - 1, -1, -1):
        if step < STEPS - 1:
            total = sixteenfold(total)
        for term in range(first, stop):
            comb = address(tables) + 8 * TABLE_WORDS * SLICES * which[term]
            for each in range(SLICES):
                window = STEPS * each + step
                at = NUMBER_WORDS * term + window // 16
                words = load_word(address(recoded), at, kind)
                table = comb + 8 * TABLE_WORDS * each
                total = plus_digit(total, table, words, window % 16 * 4)
    return total


@kernel
def _combs(start: int, stop: int, points: Any, tables: Any, kind: Any, block: Any) -> None:
    for row in range(start, stop):
        comb = address(tables) + 8 * TABLE_WORDS * SLICES * row
        _fill_comb(read_point(points, row, row + 1, block, kind), comb)


@kernel
def _sums(
    start: int,
    stop: int,
    tables: Any,
    which: Any,
    scalars: Any,
    constant: Any,
    bounds: Any,
    out: Any,
    kind: Any,
    block: Any,
) -> None:
    """Sums ``start`` to ``stop``, as points."""
    for row in range(len(scalars)):
        recode_row(scalars, row, constant, scalars)
    for group in range(start, stop):
        total = _sum(bounds[group], bounds[group + 1], tables, which, scalars, kind)
        put_point(total, block, out, group, stop, kind)


def combs(points: NDArray[np.uint64], known: NDArray[np.uint64] | None) -> NDArray[np.uint64]:
    """The combs ``known``, and those of the points behind them."""
    before = 0 if known is None else len(known)
    tables = np.empty((before + len(points), SLICES * TABLE_WORDS), np.uint64)
    if known is not None:
        tables[:before] = known
    if len(points):
        _combs.over(len(points), 0, words_of(points), tables[before:], ONES, scratch=SCRATCH)
    return tables


def sums_of(
    tables: NDArray[np.uint64],
    which: NDArray[np.int64],
    scalars: NDArray[np.uint64],
    bounds: NDArray[np.int64],
) -> NDArray[np.uint64]:
    """For each group the sum of multiples of the points that ``tables`` has the combs of."""
    out = new_points(len(bounds) - 1)
    recoded = scalars.copy()
    arrays = tables, which, recoded, RECODING_WORDS, bounds, words_of(out)
    _sums.over(len(out), 0, *arrays, ONES, scratch=SCRATCH)
    return out
