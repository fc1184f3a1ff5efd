# SPDX-License-Identifier: Apache-2.0
"""Multiples of points of ristretto255, and sums of them, compiled.

``mul`` and ``mul_fixed`` have signed digits of four bits, take no branch and touch no address
that depends on points or scalars. ``sums`` does both, and so is for what the other side knows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.kernels.compiled import inner, kernel
from mpc.kernels.lanes import address
from mpc.kernels.ristretto.edwards import (
    RECODING,
    TABLE,
    WINDOWS,
    doubled,
    extended,
    fill_odd_table,
    fill_table,
    identity,
    multiplied,
    plus_digit,
    sixteenfold,
    summed,
)
from mpc.kernels.ristretto.field import LIMBS, ONES, lanes_of, load_element, load_word
from mpc.kernels.ristretto.rows import (
    NUMBER_WORDS,
    SCRATCH,
    gather,
    kind_for,
    new_points,
    plain,
    put_point,
    read_point,
    words_of,
)
from mpc.kernels.ristretto.xmd import SCRATCH_WORDS

MUL_SECONDS, FIXED_SECONDS, SUM_SECONDS = 5e-6, 1e-5, 1e-5
TABLE_WORDS = TABLE * LIMBS  # of one point, one at a time
DIGITS, NAF_BITS = 256, 5  # of a scalar in ``sums``


RECODING_WORDS = np.frombuffer(RECODING.to_bytes(32, "little"), "<u8").copy()


@inner
def recode_row(scalars: Any, row: int, constant: Any, out: Any) -> None:
    """One scalar plus RECODING."""
    carry = np.uint64(0)
    for i in range(NUMBER_WORDS):
        partial = scalars[row, i] + constant[i]
        out[row, i] = partial + carry
        carry = np.uint64(partial < constant[i]) | np.uint64(out[row, i] < partial)


@kernel
def _recode(start: int, stop: int, scalars: Any, constant: Any, out: Any, _scratch: Any) -> None:
    for row in range(start, stop):
        recode_row(scalars, row, constant, out)


@kernel
def _mul(start: int, stop: int, points: Any, recoded: Any, out: Any, kind: Any, block: Any) -> None:
    one_for_all = len(recoded) == 1
    for first in range(start, stop, lanes_of(kind)):
        table = address(block) + 8 * SCRATCH_WORDS
        fill_table(read_point(points, first, stop, block, kind), table)
        if one_for_all:
            gather(recoded, 0, 1, block, kind)
        else:
            gather(recoded, first, stop, block, kind)
        product = multiplied(table, address(block), kind)
        put_point(product, block, out, first, stop, kind)


@kernel
def _fixed_table(start: int, stop: int, points: Any, tables: Any, kind: Any, block: Any) -> None:
    point = read_point(points, 0, 1, block, kind)
    for window in range(start, stop):
        fill_table(point, address(tables) + 8 * TABLE_WORDS * window)
        point = sixteenfold(point)


@kernel
def _mul_fixed(
    start: int, stop: int, tables: Any, recoded: Any, out: Any, kind: Any, block: Any
) -> None:
    for row in range(start, stop):
        gather(recoded, row, stop, block, kind)
        point = identity(kind)
        for window in range(WINDOWS):
            words = load_word(address(block), window // 16, kind)
            table = address(tables) + 8 * TABLE_WORDS * window
            point = plus_digit(point, table, words, window % 16 * 4)
        put_point(point, block, out, row, stop, kind)


@inner
def _plus_multiple(point: Any, table: int, digit: Any, kind: Any) -> Any:
    """A point plus an odd multiple, looked up where it lies."""
    at = 4 * (abs(digit) // 2)
    y_minus_x, y_plus_x = load_element(table, at, kind), load_element(table, at + 1, kind)
    z2, t2d = load_element(table, at + 2, kind), load_element(table, at + 3, kind)
    if digit > 0:
        return extended(summed(point, (y_minus_x, y_plus_x, z2, t2d)))
    # As in ``plus_digit``.
    e, f, g, h = summed(point, (y_plus_x, y_minus_x, z2, t2d))
    return extended((e, g, f, h))


@inner
def _write_naf(scalars: Any, row: int, digits: Any) -> None:
    """The digits of a scalar below 2^253, odd or zero and from -15 to 15, of which any five in a
    row have at most one that is not zero."""
    place, carry = 0, np.int64(0)
    while place < DIGITS:
        word, shift = place // 64, np.uint64(place % 64)
        bits = scalars[row, word] >> shift
        if place % 64 > 64 - NAF_BITS and word + 1 < NUMBER_WORDS:
            bits |= scalars[row, word + 1] << np.uint64(64 - place % 64)
        window = carry + np.int64(bits & np.uint64((1 << NAF_BITS) - 1))
        if window % 2 == 0:
            digits[place, row] = 0
            place += 1
            continue
        carry = np.int64(window > 1 << NAF_BITS - 1)
        digits[place, row] = window - (carry << NAF_BITS)
        for each in range(place + 1, min(place + NAF_BITS, DIGITS)):
            digits[each, row] = 0
        place += NAF_BITS


@kernel
def _sums(
    start: int,
    stop: int,
    points: Any,
    scalars: Any,
    bounds: Any,
    digits: Any,
    tables: Any,
    out: Any,
    kind: Any,
    block: Any,
) -> None:
    for group in range(start, stop):
        for row in range(bounds[group], bounds[group + 1]):
            table = address(tables) + 8 * TABLE_WORDS * row
            fill_odd_table(read_point(points, row, row + 1, block, kind), table)
            _write_naf(scalars, row, digits)
        total = identity(kind)
        for place in range(DIGITS - 1, -1, -1):
            x, y, z, _ = total
            total = extended(doubled(x, y, z))
            for row in range(bounds[group], bounds[group + 1]):
                digit = np.int64(digits[place, row])
                if digit != 0:
                    table = address(tables) + 8 * TABLE_WORDS * row
                    total = _plus_multiple(total, table, digit, kind)
        put_point(total, block, out, group, stop, kind)


def mul(points: NDArray[np.uint64], scalars: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Multiples of points by (n, 4) scalars below 2^253, or by a single one of shape (1, 4)."""
    out = new_points(len(points))
    _mul.over(
        len(points),
        MUL_SECONDS,
        words_of(points),
        _recoded(scalars),
        words_of(out),
        kind_for(len(points)),
        scratch=SCRATCH,
    )
    return out


def fixed_table(point: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Of one point, the multiples by 1 to 8 times each power of sixteen, cached."""
    tables = np.empty((WINDOWS, TABLE_WORDS), np.uint64)
    _fixed_table.over(WINDOWS, 0, words_of(point), tables, ONES, scratch=SCRATCH)
    return tables


def mul_fixed(table: NDArray[np.uint64], scalars: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Multiples by (n, 4) scalars below 2^253 of the point that a table is of."""
    out = new_points(len(scalars))
    arrays = table, _recoded(scalars), words_of(out), ONES
    _mul_fixed.over(len(scalars), FIXED_SECONDS, *arrays, scratch=SCRATCH)
    return out


def sums(
    points: NDArray[np.uint64], scalars: NDArray[np.uint64], bounds: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """The sum of multiples of each group of rows (Straus 1964), in variable time.

    The doublings are a group's together. A row takes an addition for each digit that is not zero,
    one in six in the non-adjacent form of width 5 (Solinas, "Efficient Arithmetic on Koblitz
    Curves", Designs, Codes and Cryptography 19, 2000).
    """
    groups = len(bounds) - 1
    out, tables = new_points(groups), np.empty((len(points), TABLE_WORDS), np.uint64)
    digits = np.empty((DIGITS, len(points)), np.int8)
    arrays = words_of(points), plain(scalars), bounds, digits, tables, words_of(out), ONES
    _sums.over(groups, SUM_SECONDS * len(points) / max(1, groups), *arrays, scratch=SCRATCH)
    return out


def _recoded(scalars: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The scalars plus RECODING."""
    out = np.empty(scalars.shape, np.uint64)
    _recode.over(len(scalars), 0, words_of(scalars), RECODING_WORDS, out)
    return out
