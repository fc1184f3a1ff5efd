# SPDX-License-Identifier: Apache-2.0
"""Ten limbs at a time: the straight runs of instructions that big integers are made of.

A number is rows of eight lanes, one row of 64 bytes per limb of 52 bits, lowest first. A *column*
is a sum of partial products of one weight: a signed 64-bit word per lane, of any value, whose carry
is not yet taken. Ten limbs fit 512 bits with eight to spare, and ten multipliers with their eleven
running columns fit the 32 registers of AVX-512; so one row of the multiplicand is read once for
twenty multiply-adds. AVX2 has 16 registers of half the size: there a block is worked on in two
*parts* of four lanes each, and four multipliers at a time.

The intrinsics here pass blocks of ten rows as tuples, which LLVM keeps in registers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types

from mpc.kernels.bigint.parts import Column, Part, joined, parts
from mpc.kernels.lanes import LIMB_BITS, VECTOR, emits, lanes, read, splat, write

BLOCK = 10
ROW = 64
WORDS = ROW // 8

block = types.UniTuple(lanes, BLOCK)
_BLOCK = ir.ArrayType(VECTOR, BLOCK)


def _row(builder: Any, address: Any, row: int) -> Any:
    return read(builder, address, row * WORDS)


def _put(builder: Any, address: Any, row: int, value: Any) -> None:
    write(builder, address, row * WORDS, value)


def _rows(builder: Any, values: Any) -> list[Any]:
    return [builder.extract_value(values, i) for i in range(BLOCK)]


def _block(builder: Any, rows: list[Any]) -> Any:
    values = ir.Constant(_BLOCK, ir.Undefined)
    for i, row in enumerate(rows):
        values = builder.insert_value(values, row, i)
    return values


@emits(block, types.intp)
def load_block(builder: Any, address: Any) -> Any:
    """Ten rows."""
    return _block(builder, [_row(builder, address, i) for i in range(BLOCK)])


@emits(types.none, types.intp, block)
def store_block(builder: Any, address: Any, values: Any) -> None:
    """Write ten rows."""
    for i, value in enumerate(_rows(builder, values)):
        _put(builder, address, i, value)


@emits(block)
def zero_block(builder: Any) -> Any:
    """Ten rows of zero."""
    return _block(builder, [splat(0)] * BLOCK)


@emits(block, lanes, block, types.intp)
def replace_block(builder: Any, mask: Any, values: Any, address: Any) -> Any:
    """The rows at ``address`` in lanes whose mask is all ones, and the given ones in the others."""
    chosen = builder.icmp_signed("<", mask, splat(0))
    rows = enumerate(_rows(builder, values))
    return _block(
        builder, [builder.select(chosen, _row(builder, address, i), row) for i, row in rows]
    )


def _old(part: Part, z: Any, row: int) -> Column:
    return Column(part.read(z, row))


def _new(part: Part, _z: Any, _row: int) -> Column:
    return Column(part.splat(0))


def _each_part(builder: Any, rows_of: Callable[[Part], list[Any]]) -> Any:
    """A block, of what each part makes of it."""
    return _block(builder, joined(builder, [rows_of(part) for part in parts(builder)]))


def _multiplier(name: str, above: Callable[..., Column], *, last: bool = False) -> Any:
    """Of ten limbs by ten others: ``x`` is an address, ``y`` a block.

    The ten lowest columns come in as ``running`` and are written at ``z``; the ten above are read
    from there or begin at zero, and returned running: they are the lowest for the next ten limbs of
    x. ``last`` says that the written columns are complete columns of a square's mixed products:
    they are doubled, and the squares of the upper five limbs of y added.
    """

    def part_of(part: Part, z: Any, running: Any, x: Any, y: Any) -> list[Any]:
        builder = part.builder
        columns = [Column(row) for row in part.take(_rows(builder, running))]
        factors = [part.factor(row) for row in part.take(_rows(builder, y))]
        for first in range(0, BLOCK, part.multipliers):
            chosen = list(enumerate(factors[first : first + part.multipliers], first))
            for j in range(BLOCK):
                while len(columns) < j + first + len(chosen) + 1:
                    columns.append(above(part, z, len(columns)))
                limb = part.factor(part.read(x, j))
                part.add_products(columns, [(j + i, limb, factor) for i, factor in chosen])
                if j < len(chosen):
                    place = first + j
                    column = columns[place]
                    if last:
                        column = _doubled(part, column, factors[BLOCK // 2 + place // 2], place)
                    part.write(z, place, part.settled(column))
        return [part.settled(column) for column in columns[BLOCK:]]

    def emit(builder: Any, z: Any, running: Any, x: Any, y: Any) -> Any:
        return _each_part(builder, lambda part: part_of(part, z, running, x, y))

    emit.__name__ = name
    return emits(block, types.intp, block, types.intp, block)(emit)


def _squarer(name: str, above: Callable[..., Column]) -> Any:
    """Of ten limbs by themselves, each pair of two limbs once.

    The lowest columns are then complete: they are written doubled, and with the squares of the
    lower five limbs.
    """

    def part_of(part: Part, z: Any, running: Any, x: Any) -> list[Any]:
        builder = part.builder
        columns = [Column(row) for row in part.take(_rows(builder, running))]
        limbs = [part.factor(row) for row in part.take(_rows(builder, x))]
        for j in range(BLOCK):
            columns.append(above(part, z, BLOCK + j))
            part.add_products(columns, [(j + i, limbs[j], limbs[i]) for i in range(j)])
            column = _doubled(part, columns[j], limbs[j // 2], j)
            part.write(z, j, part.settled(column))
        return [part.settled(column) for column in columns[BLOCK:]]

    def emit(builder: Any, z: Any, running: Any, x: Any) -> Any:
        return _each_part(builder, lambda part: part_of(part, z, running, x))

    emit.__name__ = name
    return emits(block, types.intp, block, block)(emit)


def _doubled(part: Part, column: Column, limb: Any, place: int) -> Column:
    """Twice a column of mixed products, and the half of the limb's square that belongs to it."""
    half = part.high if place % 2 else part.low
    twice = part.builder.add(column.value, column.value)
    return half(Column(twice, 2 * column.excess), limb, limb)


multiply = _multiplier("multiply", _old)
multiply_new = _multiplier("multiply_new", _new)
multiply_last = _multiplier("multiply_last", _old, last=True)
multiply_new_last = _multiplier("multiply_new_last", _new, last=True)
square_block = _squarer("square_block", _old)
square_new_block = _squarer("square_new_block", _new)


@emits(types.none, types.intp, block, block)
def put_last(builder: Any, z: Any, running: Any, x: Any) -> None:
    """Write the highest ten columns of a square, doubled and with x's upper squares."""
    for part in parts(builder):
        limbs = [part.factor(row) for row in part.take(_rows(builder, x))]
        for j, column in enumerate(part.take(_rows(builder, running))):
            sum_ = _doubled(part, Column(column), limbs[BLOCK // 2 + j // 2], j)
            part.write(z, j, part.settled(sum_))


class _Elimination:
    """One part's way through ``eliminate``."""

    def __init__(self, part: Part, z: Any, less: Any, n: Any, inverse: Any) -> None:
        rows, builder = range(BLOCK), part.builder
        self.part = part
        self.columns = [Column(builder.sub(part.read(z, i), part.read(less, i))) for i in rows]
        self.columns += [Column(part.read(z, BLOCK + i)) for i in rows]
        self.limbs = [part.factor(part.read(n, i)) for i in rows]
        self.inverse = part.factor(part.read(inverse, 0))
        self.waiting: list[tuple[int, Any, int]] = []

    def step(self, j: int, m: Any) -> None:
        """Make column ``j`` vanish. The next step waits for the column above alone."""
        part, columns, limbs, builder = self.part, self.columns, self.limbs, self.part.builder
        least = part.factor(part.limb(part.settled(columns[j])))
        row, multiple = part.low_limb(least, self.inverse)
        part.write(m, j, row)
        vanished = part.settled(part.low(columns[j], multiple, limbs[0]))
        above = part.high(Column(part.splat(0)), multiple, limbs[0])
        urgent = part.low(
            Column(above.value, above.excess + columns[j + 1].excess), multiple, limbs[1]
        )
        urgent = Column(builder.add(urgent.value, columns[j + 1].value), urgent.excess)
        carried = builder.ashr(vanished, part.splat(LIMB_BITS))
        columns[j + 1] = Column(builder.add(urgent.value, carried), urgent.excess)
        # A processor takes the oldest instruction that is ready, so what is not urgent stands
        # behind the urgent part of the next step.
        self.add_late()
        self.add_multiple(j, multiple, 2)
        self.waiting = [(j, multiple, i) for i in range(3, BLOCK + 1)]

    def add_late(self) -> None:
        for late in self.waiting:
            self.add_multiple(*late)

    def add_multiple(self, step: int, multiple: Any, i: int) -> None:
        """What column ``step + i`` gets of multiple * n."""
        column = self.columns[step + i]
        if i < BLOCK:
            column = self.part.low(column, multiple, self.limbs[i])
        self.columns[step + i] = self.part.high(column, multiple, self.limbs[i - 1])


@emits(block, types.intp, types.intp, types.intp, types.intp, types.intp)
def eliminate(builder: Any, z: Any, less: Any, m: Any, n: Any, inverse: Any) -> Any:
    """Make the ten lowest columns at ``z``, less the rows at ``less``, vanish by adding m*n.

    Writes the ten limbs of m (which may be over ``less``), adds them times the ten lowest limbs of
    n, and returns the ten columns above, running. ``inverse`` is the address of -1/n modulo 2**52.
    Of a Montgomery reduction this is the part in which each step waits for the one before.
    """
    runs = [_Elimination(part, z, less, n, inverse) for part in parts(builder)]
    for j in range(BLOCK):
        for run in runs:
            run.step(j, m)
    for run in runs:
        run.add_late()
    rows = [[run.part.settled(column) for column in run.columns[BLOCK:]] for run in runs]
    return _block(builder, joined(builder, rows))
