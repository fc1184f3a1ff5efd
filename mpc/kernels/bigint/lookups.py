# SPDX-License-Identifier: Apache-2.0
"""Entries of tables by secret digits, at the same addresses and in the same time for every digit.

Where each lane has a table of its own, every entry is read and masked. Where the lanes share one,
four lane groups look it up at once: a shuffle of bytes takes one byte of a limb for 32 elements out
of those of sixteen entries, and gives zero for digits that name none of the sixteen. Such a table
is (rows, entries/16, 7, 16) bytes, the order it is read in: a limb of 52 bits has seven bytes.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from mpc import kernels
from mpc.kernels.bigint.blocks import ROW, WORDS
from mpc.kernels.bigint.fives import FIVE, HALF, half
from mpc.kernels.compiled import inner
from mpc.kernels.lanes import emits, instruction, lanes, pointer

SIXTEEN = 16
BYTES = 7
"""Of a limb."""

FOUR = 4
INDEX_ROWS = 8
"""Rows that hold the indices of a lookup among up to 256 entries."""

Lanes = Any

_OCTET, _WORD = ir.IntType(8), ir.IntType(64)
_OCTETS = ir.VectorType(_OCTET, 32)
_HALF = ir.VectorType(_WORD, 4)
_EVERY_OCTET = 0x0101010101010101

_planes = types.UniTuple(half, BYTES)


def _shuffled(builder: Any, x: Any, y: Any, order: list[int]) -> Any:
    return builder.shuffle_vector(
        x, y, ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order)
    )


def _interleaved(builder: Any, x: Any, y: Any, size: int) -> list[Any]:
    """Runs of ``size`` bytes of x and y in turn: of the lower and upper half of 16 bytes each."""
    out = []
    for begin in (0, 8):
        order = []
        for lane in (0, 16):
            for at in range(lane + begin, lane + begin + 8, size):
                order += [*range(at, at + size), *range(32 + at, 32 + at + size)]
        out.append(_shuffled(builder, x, y, order))
    return out


def _elements(builder: Any, planes: list[Any]) -> list[Any]:
    """Of eight registers with a byte each of 32 elements: eight with four whole elements."""
    pairs = [_interleaved(builder, planes[k], planes[k + 1], 1) for k in range(0, 8, 2)]
    out = []
    for part in (0, 1):
        low = _interleaved(builder, pairs[0][part], pairs[1][part], 2)
        high = _interleaved(builder, pairs[2][part], pairs[3][part], 2)
        for halves in zip(low, high, strict=True):
            out += _interleaved(builder, *halves, 4)
    return out


@emits(half, types.UniTuple(types.intp, FOUR))
def _digits(builder: Any, groups: Any) -> Any:
    """A byte for each lane of four groups of digits, in the order that ``_elements`` takes them."""
    halves = []
    for group in range(FOUR):
        address = builder.extract_value(groups, group)
        halves += [builder.load(pointer(builder, address, at, _HALF), align=8) for at in (0, 4)]
    sums = []
    for four in (halves[:4], halves[4:]):
        shifted = [builder.shl(x, _HALF([16 * i] * 4)) for i, x in enumerate(four)]
        sums.append(builder.or_(builder.or_(*shifted[:2]), builder.or_(*shifted[2:])))
    even = _shuffled(builder, sums[0], sums[1], [0, 4, 2, 6])
    odd = _shuffled(builder, sums[0], sums[1], [1, 5, 3, 7])
    return builder.or_(even, builder.shl(odd, _HALF([8] * 4)))


@emits(types.none, types.intp, half, types.intp)
def _put_index(builder: Any, out: Any, digits: Any, sixteen: Any) -> None:
    """Of digits that are among these sixteen the place there; of others a byte above 127."""
    first = builder.mul(sixteen, ir.Constant(_WORD, SIXTEEN * _EVERY_OCTET))
    words = _HALF(ir.Undefined)
    for lane in range(4):
        words = builder.insert_element(words, first, ir.Constant(ir.IntType(32), lane))
    place = builder.bitcast(builder.xor(digits, words), _OCTETS)
    of = ir.FunctionType(_OCTETS, [_OCTETS] * 2)
    add = builder.module.declare_intrinsic("llvm.uadd.sat.v32i8", (), of)
    index = builder.call(add, [place, _OCTETS([0x80 - SIXTEEN] * 32)])
    builder.store(index, pointer(builder, out, 0, _OCTETS), align=8)


@emits(_planes)
def _nothing(builder: Any) -> Any:
    """No entry is found yet."""
    planes = ir.Constant(ir.ArrayType(_HALF, BYTES), ir.Undefined)
    for i in range(BYTES):
        planes = builder.insert_value(planes, _HALF([0] * 4), i)
    return planes


@emits(_planes, _planes, types.intp, types.intp)
def _look_among(builder: Any, planes: Any, table: Any, index: Any) -> Any:
    """Of a row of sixteen entries at ``table``, those that are named there."""
    places = builder.load(pointer(builder, index, 0, _OCTETS), align=8)
    for i in range(BYTES):
        line = ir.VectorType(_OCTET, SIXTEEN)
        octets = builder.load(pointer(builder, table, 2 * i, line), align=8)
        twice = _shuffled(builder, octets, line(ir.Undefined), [*range(SIXTEEN)] * 2)
        found = builder.bitcast(instruction(builder, "avx2.pshuf.b", [twice, places]), _HALF)
        found = builder.or_(builder.extract_value(planes, i), found)
        planes = builder.insert_value(planes, found, i)
    return planes


@emits(types.none, types.intp, types.intp, _planes)
def _put(builder: Any, out: Any, apart: Any, planes: Any) -> None:
    """Write one row of four groups, which are ``apart`` bytes from each other."""
    octets = [builder.bitcast(builder.extract_value(planes, i), _OCTETS) for i in range(BYTES)]
    octets.append(_OCTETS([0] * 32))
    for i, found in enumerate(_elements(builder, octets)):
        address = builder.add(out, builder.mul(apart, ir.Constant(_WORD, i // 2)))
        words = builder.bitcast(found, _HALF)
        builder.store(words, pointer(builder, address, 4 * (i % 2), _HALF), align=8)


@inner
def look_up_next(
    out: int, index: int, table: int, digits: int, step: int, left: int, entries: int, rows: int
) -> int:
    """For four lane groups, or what is ``left`` of them: the entries that the lanes' digits name.

    ``out`` has room for four elements; the digits of the groups are ``step`` bytes apart. Returns
    for how many groups. ``index`` are INDEX_ROWS rows of scratch.
    """
    last = min(FOUR, left) - 1
    named = _digits(
        (digits, digits + step * min(1, last), digits + step * min(2, last), digits + step * last)
    )
    sixteens = entries // SIXTEEN
    for sixteen in range(sixteens):
        _put_index(index + HALF * sixteen, named, sixteen)
    for row in range(rows):
        found = _nothing()
        for sixteen in range(sixteens):
            found = _look_among(found, table, index + HALF * sixteen)
            table += BYTES * SIXTEEN
        _put(out + ROW * row, ROW * rows, found)
    return last + 1


_TYPE, _PART = (lanes, ROW) if kernels.wide() else (half, HALF)
_VECTOR = ir.VectorType(_WORD, _PART // 8)
_two = types.UniTuple(_TYPE, 2)
_chosen = types.UniTuple(_TYPE, 2 * FIVE)
"""Five rows for each of two digits, which the registers of AVX2 hold for four lanes."""


def _read(builder: Any, address: Any, row: int) -> Any:
    return builder.load(pointer(builder, address, row * WORDS, _VECTOR), align=8)


def _pack(builder: Any, rows: list[Any]) -> Any:
    values = ir.Constant(ir.ArrayType(_VECTOR, len(rows)), ir.Undefined)
    for i, row in enumerate(rows):
        values = builder.insert_value(values, row, i)
    return values


@emits(_two, types.intp, types.intp)
def _load_two(builder: Any, first: Any, second: Any) -> Any:
    return _pack(builder, [_read(builder, first, 0), _read(builder, second, 0)])


@emits(_chosen)
def _zero(builder: Any) -> Any:
    return _pack(builder, [_VECTOR([0] * _VECTOR.count)] * (2 * FIVE))


@emits(_chosen, _chosen, _two, types.intp, types.intp)
def _choose(builder: Any, values: Any, digits: Any, entry: Any, address: Any) -> Any:
    """The rows at ``address`` for digits that name this entry, the given ones for the others."""
    named = _VECTOR(ir.Undefined)
    for lane in range(_VECTOR.count):
        named = builder.insert_element(named, entry, ir.Constant(ir.IntType(32), lane))
    digit = (builder.extract_value(digits, k) for k in range(2))
    equal = [builder.icmp_unsigned("==", x, named) for x in digit]
    for i in range(FIVE):
        row = _read(builder, address, i)
        for k in range(2):
            before = builder.extract_value(values, FIVE * k + i)
            chosen = builder.select(equal[k], row, before)
            values = builder.insert_value(values, chosen, FIVE * k + i)
    return values


@emits(types.none, types.intp, types.intp, _chosen)
def _store(builder: Any, first: Any, second: Any, values: Any) -> None:
    for i in range(2 * FIVE):
        row = pointer(builder, first if i < FIVE else second, i % FIVE * WORDS, _VECTOR)
        builder.store(builder.extract_value(values, i), row, align=8)


@inner
def scan_twice(
    first: int, second: int, table: int, digit: int, other: int, entries: int, rows: int
) -> None:
    """Of a table (entries, rows, 8), in each lane the entries that two digits name.

    A table is larger than the nearest cache, and reading it is what takes the time.
    """
    for row in range(0, rows, FIVE):
        for place in range(0, ROW, _PART):
            at, digits = place + ROW * row, _load_two(digit + place, other + place)
            chosen = _zero()
            for entry in range(entries):
                chosen = _choose(chosen, digits, entry, table + at + ROW * rows * entry)
            _store(first + at, second + at, chosen)
