# SPDX-License-Identifier: Apache-2.0
"""Entries of tables by secret digits, at the same addresses and in the same time for every digit.

Where each lane has a table of its own, every entry is read and masked. Where the lanes share one,
a word is found by permuting two registers that hold it of sixteen entries, and masked only between
sixteens. Such a table is (rows/5, entries/16, 5, 16), which is the order it is read in, and four
lane groups look it up at once, so that it comes from the cache a quarter as often.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from mpc.kernels.bigint.blocks import BLOCK, ROW, WORDS, replace_block, store_block, zero_block
from mpc.kernels.compiled import inner
from mpc.kernels.lanes import (
    VECTOR,
    broadcast,
    emits,
    equal,
    lanes,
    pick,
    read,
    splat,
    spread,
    write,
)

SIXTEEN = 16
PIECE = 5
"""Rows looked up at a time: for four groups they fill twenty registers."""

FOUR = 4

Lanes = Any

_one = types.UniTuple(lanes, PIECE)
_four = types.UniTuple(lanes, PIECE * FOUR)


def _pack(builder: Any, rows: list[Any]) -> Any:
    values = ir.Constant(ir.ArrayType(VECTOR, len(rows)), ir.Undefined)
    for i, row in enumerate(rows):
        values = builder.insert_value(values, row, i)
    return values


def _nothing(name: str, groups: int) -> Any:
    """Rows to begin with."""

    def emit(builder: Any) -> Any:
        return _pack(builder, [splat(0)] * (PIECE * groups))

    emit.__name__ = name
    return emits(_one if groups == 1 else _four)(emit)


def _picker(name: str, groups: int) -> Any:
    """Of sixteen entries, the ``first`` on, take those that the digits of each group name.

    ``table`` points to five rows of the sixteen; the digits of the groups are ``step`` bytes apart.
    Lanes whose digit names none of the sixteen keep their values.
    """

    def emit(builder: Any, values: Any, table: Any, digits: Any, step: Any, first: Any) -> Any:
        low = [read(builder, table, 2 * WORDS * i) for i in range(PIECE)]
        high = [read(builder, table, 2 * WORDS * i + WORDS) for i in range(PIECE)]
        out, wanted = [], spread(builder, first)
        for group in range(groups):
            digit = read(builder, digits, 0)
            chosen = builder.icmp_unsigned("==", builder.and_(digit, splat(-SIXTEEN)), wanted)
            for i in range(PIECE):
                found = pick(builder, low[i], digit, high[i])
                kept = builder.extract_value(values, group * PIECE + i)
                out.append(builder.select(chosen, found, kept))
            digits = builder.add(digits, step)
        return _pack(builder, out)

    emit.__name__ = name
    of = _one if groups == 1 else _four
    return emits(of, of, types.intp, types.intp, types.intp, types.intp)(emit)


def _putter(name: str, groups: int) -> Any:
    """Write five rows of each group, the groups ``step`` bytes apart."""

    def emit(builder: Any, out: Any, step: Any, values: Any) -> None:
        for group in range(groups):
            for i in range(PIECE):
                write(builder, out, WORDS * i, builder.extract_value(values, group * PIECE + i))
            out = builder.add(out, step)

    emit.__name__ = name
    return emits(types.none, types.intp, types.intp, _one if groups == 1 else _four)(emit)


_none_of_one, _none_of_four = _nothing("_none_of_one", 1), _nothing("_none_of_four", FOUR)
_pick_one, _pick_four = _picker("_pick_one", 1), _picker("_pick_four", FOUR)
_put_one, _put_four = _putter("_put_one", 1), _putter("_put_four", FOUR)


@inner
def look_up(out: int, table: int, digits: int, entries: int, rows: int) -> None:
    """For one lane group: the entry that each lane's digit names."""
    for row in range(0, rows, PIECE):
        found = _none_of_one()
        for entry in range(0, entries, SIXTEEN):
            found = _pick_one(found, table, digits, 0, entry)
            table += 8 * SIXTEEN * PIECE
        _put_one(out + ROW * row, 0, found)


@inner
def look_up_four(out: int, table: int, digits: int, step: int, entries: int, rows: int) -> None:
    """For four lane groups: ``out`` are four elements, ``step`` the bytes between their digits."""
    for row in range(0, rows, PIECE):
        found = _none_of_four()
        for entry in range(0, entries, SIXTEEN):
            found = _pick_four(found, table, digits, step, entry)
            table += 8 * SIXTEEN * PIECE
        _put_four(out + ROW * row, ROW * rows, found)


@inner
def look_up_next(
    out: int, table: int, digits: int, step: int, left: int, entries: int, rows: int
) -> int:
    """For four lane groups, or for one if fewer are left; returns for how many."""
    if left >= FOUR:
        look_up_four(out, table, digits, step, entries, rows)
        return FOUR
    look_up(out, table, digits, entries, rows)
    return 1


@inner
def scan(out: int, table: int, digit: Lanes, entries: int, rows: int) -> None:
    """Of a table (entries, rows, 8), in each lane the entry that its digit names."""
    for row in range(0, rows, BLOCK):
        chosen = zero_block()
        for entry in range(entries):
            mask = equal(digit, broadcast(np.uint64(entry)))
            chosen = replace_block(mask, chosen, table + ROW * (entry * rows + row))
        store_block(out + ROW * row, chosen)
