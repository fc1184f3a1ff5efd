# SPDX-License-Identifier: Apache-2.0
"""Sums of multiples of a few encoded points, encoded, compiled: what a proof of one element takes.

All in one call: decoding, multiples and encoding share their code, which else, loaded anew for
every call, takes as long as the arithmetic.

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
    ONE,
    WINDOWS,
    cached,
    extended,
    fill_table,
    identity,
    plus_digit,
    sixteenfold,
    summed,
)
from mpc.kernels.ristretto.field import ONES, frozen, load_number, load_word, low_255_bits
from mpc.kernels.ristretto.group import (
    after_decode,
    after_encode,
    after_map,
    before_decode,
    before_encode,
    before_map,
    root_pair,
)
from mpc.kernels.ristretto.multiples import RECODING_WORDS, TABLE_WORDS, recode_row
from mpc.kernels.ristretto.rows import (
    NUMBER_WORDS,
    POINT_WORDS,
    gather,
    put_mask,
    put_number,
    put_point,
    read_number,
    read_point,
    scratch,
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


@inner
def _plus_mapped(total: Any, halves: Any, row: int, kind: Any, block: Any) -> Any:
    """A point plus what a row of uniform bytes maps to."""
    gather(halves, row, row + 1, block, kind)
    t1 = low_255_bits(load_number(address(block), 0, kind))
    t2 = low_255_bits(load_number(address(block), 1, kind))
    before1, before2 = before_map(t1), before_map(t2)
    root1, root2 = root_pair(before1[1], before1[2], before2[1], before2[2])
    total = extended(summed(total, cached(after_map(t1, before1, root1))))
    return extended(summed(total, cached(after_map(t2, before2, root2))))


@kernel
def _comb_sums(
    start: int,
    stop: int,
    encodings: Any,
    tables: Any,
    valid: Any,
    which: Any,
    scalars: Any,
    constant: Any,
    bounds: Any,
    halves: Any,
    points: Any,
    out: Any,
    kind: Any,
    block: Any,
) -> None:
    """Groups ``start`` to ``stop``; the combs of ``encodings`` are the last of ``tables``."""
    fresh = len(encodings)
    for first in range(0, fresh, 2):
        # Where only one is left it is done twice.
        second = min(first + 1, fresh - 1)
        raw1 = read_number(encodings, first, fresh, block, kind)
        raw2 = read_number(encodings, second, fresh, block, kind)
        s1, s2 = frozen(raw1), frozen(raw2)
        before1, before2 = before_decode(s1), before_decode(s2)
        root1, root2 = root_pair(ONE(s1), before1[3], ONE(s2), before2[3])
        valid1, point1 = after_decode(raw1, s1, before1, root1)
        valid2, point2 = after_decode(raw2, s2, before2, root2)
        put_mask(valid1, block, valid, first, fresh, kind)
        put_mask(valid2, block, valid, second, fresh, kind)
        put_point(point1, block, points, 0, 2, kind)
        put_point(point2, block, points, 1, 2, kind)
        for row in range(first, second + 1):
            comb = address(tables) + 8 * TABLE_WORDS * SLICES * (len(tables) - fresh + row)
            _fill_comb(read_point(points, row - first, 2, block, kind), comb)
    for row in range(len(scalars)):
        recode_row(scalars, row, constant, scalars)
    for first in range(start, stop, 2):
        second = min(first + 1, stop - 1)
        for group in range(first, second + 1):
            total = _sum(bounds[group], bounds[group + 1], tables, which, scalars, kind)
            if group < len(halves):
                total = _plus_mapped(total, halves, group, kind, block)
            put_point(total, block, points, group - first, 2, kind)
        point1 = read_point(points, 0, 2, block, kind)
        point2 = read_point(points, second - first, 2, block, kind)
        before1, before2 = before_encode(point1), before_encode(point2)
        one = ONE(point1[0])
        root1, root2 = root_pair(one, before1[2], one, before2[2])
        put_number(after_encode(point1, before1, root1), block, out, first, stop, kind)
        put_number(after_encode(point2, before2, root2), block, out, second, stop, kind)


def comb_sums(
    known: NDArray[np.uint64] | None,
    encodings: NDArray[np.uint8],
    which: NDArray[np.int64],
    scalars: NDArray[np.uint64],
    bounds: NDArray[np.int64],
    plus: NDArray[np.uint8],
) -> tuple[NDArray[np.uint8], NDArray[np.uint64], NDArray[np.bool_]]:
    """Encodings of sums of multiples; what is known of points are their combs."""
    before, groups = 0 if known is None else len(known), len(bounds) - 1
    tables = np.empty((before + len(encodings), SLICES * TABLE_WORDS), np.uint64)
    if known is not None:
        tables[:before] = known
    valid, out = np.empty((len(encodings), 1), np.uint64), np.empty((groups, 32), np.uint8)
    _comb_sums(
        0,
        groups,
        words_of(encodings),
        tables,
        valid,
        which,
        scalars.copy(),
        RECODING_WORDS,
        bounds,
        words_of(plus),
        np.empty((2, POINT_WORDS), np.uint64),
        words_of(out),
        ONES,
        scratch(),
    )
    return out, tables, valid[:, 0] != 0
