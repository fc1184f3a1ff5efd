# SPDX-License-Identifier: Apache-2.0
"""Ten limbs at a time: the straight runs of instructions that big integers are made of.

A number is rows of eight lanes, one row of 64 bytes per limb of 52 bits, lowest first. A *column*
is a sum of partial products of one weight: a signed 64-bit word per lane, of any value, whose carry
is not yet taken. Ten limbs fit 512 bits with eight to spare, and ten multipliers with their eleven
running columns fit the 32 registers of AVX-512; so one row of the multiplicand is read once for
twenty multiply-adds.

The intrinsics here pass blocks of ten rows as tuples, which LLVM keeps in registers.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from mpc.kernels.lanes import (
    LIMB_BITS,
    VECTOR,
    emits,
    high,
    instruction,
    lanes,
    low,
    read,
    splat,
    spread,
    write,
)

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


@emits(block, block, types.intp, types.intp, lanes, types.intp)
def pick_block(builder: Any, values: Any, address: Any, pitch: Any, digit: Any, first: Any) -> Any:
    """Of a table's sixteen entries from ``first`` on, those that the digits name.

    The table holds one row of entries per limb, ``pitch`` bytes apart. Lanes whose digit names none
    of the sixteen keep the given values. The lookup is a permutation of registers, so every digit
    takes the same time.
    """
    window = builder.and_(digit, splat(-16))
    chosen = builder.icmp_unsigned("==", window, spread(builder, first))
    out = []
    for row in _rows(builder, values):
        sixteen = [_row(builder, address, 0), _row(builder, address, 1)]
        picked = instruction(builder, "avx512.vpermi2var.q.512", [sixteen[0], digit, sixteen[1]])
        out.append(builder.select(chosen, picked, row))
        address = builder.add(address, pitch)
    return _block(builder, out)


@emits(block, types.intp, block, types.intp, block)
def multiply(builder: Any, z: Any, running: Any, x: Any, y: Any) -> Any:
    """Add ten limbs at ``x`` times ten limbs ``y`` to the columns at ``z``.

    The ten lowest columns come in as ``running`` and are written; the next ten are read from ``z``,
    and returned running: they are the lowest ten of the next ten limbs of x.
    """
    columns, factors = _rows(builder, running), _rows(builder, y)
    for j in range(BLOCK):
        columns.append(_row(builder, z, BLOCK + j))
        limb = _row(builder, x, j)
        for i in range(BLOCK):
            columns[i] = low(builder, columns[i], limb, factors[i])
        for i in range(BLOCK):
            columns[i + 1] = high(builder, columns[i + 1], limb, factors[i])
        _put(builder, z, j, columns.pop(0))
    return _block(builder, columns)


@emits(block, types.intp, block, block)
def multiply_pairs(builder: Any, z: Any, running: Any, x: Any) -> Any:
    """:func:`multiply` of ten limbs by themselves, but each pair of two limbs once."""
    columns, limbs = _rows(builder, running), _rows(builder, x)
    for j in range(BLOCK):
        columns.append(_row(builder, z, BLOCK + j))
        for i in range(j):
            columns[i] = low(builder, columns[i], limbs[j], limbs[i])
        for i in range(j):
            columns[i + 1] = high(builder, columns[i + 1], limbs[j], limbs[i])
        _put(builder, z, j, columns.pop(0))
    return _block(builder, columns)


@emits(types.none, types.intp, types.intp)
def double_and_square(builder: Any, z: Any, x: Any) -> None:
    """Double twenty columns at ``z`` and add the squares of ten limbs at ``x``."""
    for j in range(BLOCK):
        limb = _row(builder, x, j)
        for column, half in ((2 * j, low), (2 * j + 1, high)):
            value = _row(builder, z, column)
            _put(builder, z, column, half(builder, builder.add(value, value), limb, limb))


@emits(block, types.intp, types.intp, types.intp, types.intp)
def eliminate(builder: Any, z: Any, m: Any, n: Any, inverse: Any) -> Any:
    """Make the ten lowest columns at ``z`` vanish by adding a multiple m of the modulus.

    Writes the ten limbs of m, adds m times the ten lowest limbs of n, and returns the ten columns
    above, running. ``inverse`` is the address of -1/n modulo 2**52. Of a Montgomery reduction this
    is the part in which each step waits for the one before.
    """
    columns = [_row(builder, z, i) for i in range(BLOCK)]
    limbs = [_row(builder, n, i) for i in range(BLOCK)]
    factor = _row(builder, inverse, 0)
    for j in range(BLOCK):
        columns.append(_row(builder, z, BLOCK + j))
        multiple = low(builder, splat(0), columns[0], factor)
        _put(builder, m, j, multiple)
        vanishing = low(builder, columns[0], multiple, limbs[0])
        # The next column first: the next step waits for it alone.
        columns[1] = low(builder, columns[1], multiple, limbs[1])
        columns[1] = high(builder, columns[1], multiple, limbs[0])
        columns[1] = builder.add(columns[1], builder.ashr(vanishing, splat(LIMB_BITS)))
        for i in range(2, BLOCK):
            columns[i] = low(builder, columns[i], multiple, limbs[i])
        for i in range(1, BLOCK):
            columns[i + 1] = high(builder, columns[i + 1], multiple, limbs[i])
        columns.pop(0)
    return _block(builder, columns)
