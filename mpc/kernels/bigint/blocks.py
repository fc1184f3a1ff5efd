# SPDX-License-Identifier: Apache-2.0
"""Ten limbs at a time: the straight runs of instructions that big integers are made of.

A number is rows of eight lanes, one row of 64 bytes per limb of 52 bits, lowest first. A *column*
is a sum of partial products of one weight: a signed 64-bit word per lane, of any value, whose carry
is not yet taken. Ten limbs fit 512 bits with eight to spare, and ten multipliers with their eleven
running columns fit the 32 registers of AVX-512; so one row of the multiplicand is read once for
twenty multiply-adds. (AVX2 goes by :mod:`mpc.kernels.bigint.fives`.)

The intrinsics here pass blocks of ten rows as tuples, which LLVM keeps in registers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types

from mpc.kernels.lanes import LIMB_BITS, VECTOR, emits, high, lanes, low, read, splat, write

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


def _old(builder: Any, z: Any, row: int) -> Any:
    return _row(builder, z, row)


def _new(_builder: Any, _z: Any, _row: int) -> Any:
    return splat(0)


def _add_products(builder: Any, columns: list[Any], products: list[tuple[int, Any, Any]]) -> None:
    """Add products x*y to columns i and i + 1, for each (i, x, y)."""
    # All low halves first, so that no two instructions in a row wait for each other.
    for i, x, y in products:
        columns[i] = low(builder, columns[i], x, y)
    for i, x, y in products:
        columns[i + 1] = high(builder, columns[i + 1], x, y)


def _multiplier(name: str, above: Callable[..., Any], *, last: bool = False) -> Any:
    """Of ten limbs by ten others: ``x`` is an address, ``y`` a block.

    The ten lowest columns come in as ``running`` and are written at ``z``; the ten above are read
    from there or begin at zero, and returned running: they are the lowest for the next ten limbs of
    x. ``last`` says that the written columns are complete columns of a square's mixed products:
    they are doubled, and the squares of the upper five limbs of y added.
    """

    def emit(builder: Any, z: Any, running: Any, x: Any, y: Any) -> Any:
        columns, factors = _rows(builder, running), _rows(builder, y)
        for j in range(BLOCK):
            columns.append(above(builder, z, BLOCK + j))
            limb = _row(builder, x, j)
            products = [(j + i, limb, factor) for i, factor in enumerate(factors)]
            _add_products(builder, columns, products)
            column = columns[j]
            if last:
                column = _doubled(builder, column, factors[BLOCK // 2 + j // 2], j)
            _put(builder, z, j, column)
        return _block(builder, columns[BLOCK:])

    emit.__name__ = name
    return emits(block, types.intp, block, types.intp, block)(emit)


def _squarer(name: str, above: Callable[..., Any]) -> Any:
    """Of ten limbs by themselves, each pair of two limbs once.

    The lowest columns are then complete: they are written doubled, and with the squares of the
    lower five limbs.
    """

    def emit(builder: Any, z: Any, running: Any, x: Any) -> Any:
        columns, limbs = _rows(builder, running), _rows(builder, x)
        for j in range(BLOCK):
            columns.append(above(builder, z, BLOCK + j))
            _add_products(builder, columns, [(j + i, limbs[j], limbs[i]) for i in range(j)])
            _put(builder, z, j, _doubled(builder, columns[j], limbs[j // 2], j))
        return _block(builder, columns[BLOCK:])

    emit.__name__ = name
    return emits(block, types.intp, block, block)(emit)


def _doubled(builder: Any, column: Any, limb: Any, place: int) -> Any:
    """Twice a column of mixed products, and the half of the limb's square that belongs to it."""
    half = high if place % 2 else low
    return half(builder, builder.add(column, column), limb, limb)


multiply = _multiplier("multiply", _old)
multiply_new = _multiplier("multiply_new", _new)
multiply_last = _multiplier("multiply_last", _old, last=True)
multiply_new_last = _multiplier("multiply_new_last", _new, last=True)
square_block = _squarer("square_block", _old)
square_new_block = _squarer("square_new_block", _new)


@emits(types.none, types.intp, block, block)
def put_last(builder: Any, z: Any, running: Any, x: Any) -> None:
    """Write the highest ten columns of a square, doubled and with x's upper squares."""
    limbs = _rows(builder, x)
    for j, column in enumerate(_rows(builder, running)):
        _put(builder, z, j, _doubled(builder, column, limbs[BLOCK // 2 + j // 2], j))


class _Elimination:
    """The way through ``eliminate``."""

    def __init__(self, builder: Any, z: Any, less: Any, n: Any, inverse: Any) -> None:
        rows = range(BLOCK)
        self.builder = builder
        self.columns = [builder.sub(_row(builder, z, i), _row(builder, less, i)) for i in rows]
        self.columns += [_row(builder, z, BLOCK + i) for i in rows]
        self.limbs = [_row(builder, n, i) for i in rows]
        self.inverse = _row(builder, inverse, 0)
        self.waiting: list[tuple[int, Any, int]] = []

    def step(self, j: int, m: Any) -> None:
        """Make column ``j`` vanish. The next step waits for the column above alone."""
        builder, columns, limbs = self.builder, self.columns, self.limbs
        multiple = low(builder, splat(0), columns[j], self.inverse)
        _put(builder, m, j, multiple)
        vanished = low(builder, columns[j], multiple, limbs[0])
        above = high(builder, splat(0), multiple, limbs[0])
        urgent = builder.add(low(builder, above, multiple, limbs[1]), columns[j + 1])
        carried = builder.ashr(vanished, splat(LIMB_BITS))
        columns[j + 1] = builder.add(urgent, carried)
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
            column = low(self.builder, column, multiple, self.limbs[i])
        self.columns[step + i] = high(self.builder, column, multiple, self.limbs[i - 1])


@emits(block, types.intp, types.intp, types.intp, types.intp, types.intp)
def eliminate(builder: Any, z: Any, less: Any, m: Any, n: Any, inverse: Any) -> Any:
    """Make the ten lowest columns at ``z``, less the rows at ``less``, vanish by adding m*n.

    Writes the ten limbs of m (which may be over ``less``), adds them times the ten lowest limbs of
    n, and returns the ten columns above, running. ``inverse`` is the address of -1/n modulo 2**52.
    Of a Montgomery reduction this is the part in which each step waits for the one before.
    """
    run = _Elimination(builder, z, less, n, inverse)
    for j in range(BLOCK):
        run.step(j, m)
    run.add_late()
    return _block(builder, run.columns[BLOCK:])
