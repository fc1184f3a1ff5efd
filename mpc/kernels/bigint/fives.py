# SPDX-License-Identifier: Apache-2.0
"""Products on AVX2: five limbs of four lanes at a time, which is what sixteen registers hold.

The eight lanes of a row are worked on as two halves. Halves of products are as ``truncated`` of
:mod:`mpc.kernels.doubles` gives them, each too large by a constant. Of how many halves a column is
the sum follows from its place, so that the columns are put right where they are read, and not in
the loops: those are five instructions of arithmetic for a product of limbs, and little else.

Rows of *factors* are limbs as doubles, which is how products take them. ``z`` are columns, as
:mod:`mpc.kernels.bigint.blocks` has them, but for what they are too large by.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import models, register_model

from mpc.kernels import doubles
from mpc.kernels.bigint.blocks import ROW
from mpc.kernels.lanes import LIMB_BITS, WORD, emits, lanes, pointer

FIVE = 5
HALF = 32
"""Bytes of four lanes."""

LOW, HIGH = doubles.LOW_ZERO, doubles.HIGH_ZERO
"""What a low and a high half of a product are too large by."""

LIFT = 1 << 63
"""Added to a signed column, so that its carry is shifted out as an unsigned number."""

LIFTED = 1 << (63 - LIMB_BITS)
"""What the carry is too large by then."""

_LANES = 4
_VECTOR = ir.VectorType(WORD, _LANES)
_FIVE = ir.ArrayType(_VECTOR, FIVE)


class HalfType(types.Type):
    """The type of a register of four words."""

    def __init__(self) -> None:
        super().__init__(name="HalfOfLanes")


half = HalfType()


@register_model(HalfType)
class _HalfModel(models.PrimitiveModel):
    def __init__(self, manager: Any, of: Any) -> None:
        super().__init__(manager, of, _VECTOR)


five = types.UniTuple(half, FIVE)


def _splat(value: int) -> Any:
    return ir.Constant(_VECTOR, [value % (1 << 64)] * _LANES)


def _read(builder: Any, address: Any, row: int) -> Any:
    return builder.load(pointer(builder, address, row * ROW // 8, _VECTOR), align=8)


def _write(builder: Any, address: Any, row: int, value: Any) -> None:
    builder.store(value, pointer(builder, address, row * ROW // 8, _VECTOR), align=8)


def _pack(builder: Any, rows: list[Any]) -> Any:
    values = ir.Constant(_FIVE, ir.Undefined)
    for i, row in enumerate(rows):
        values = builder.insert_value(values, row, i)
    return values


def _rows(builder: Any, values: Any) -> list[Any]:
    return [builder.extract_value(values, i) for i in range(FIVE)]


def _as_double(builder: Any, word: Any) -> Any:
    return builder.bitcast(word, ir.VectorType(ir.DoubleType(), _LANES))


def _factor(builder: Any, limb: Any) -> Any:
    """The words of a limb's double."""
    return builder.bitcast(doubles.double(builder, limb), _VECTOR)


def _add_product(builder: Any, columns: list[Any], i: int, x: Any, y: Any) -> None:
    """Add x*y to columns i and i + 1."""
    low, high = doubles.truncated(builder, _as_double(builder, x), _as_double(builder, y))
    columns[i] = doubles.plus(builder, columns[i], low)
    columns[i + 1] = doubles.plus(builder, columns[i + 1], high)


@emits(lanes, lanes)
def factor(builder: Any, limb: Any) -> Any:
    """A limb of eight lanes as a factor."""
    return builder.bitcast(doubles.double(builder, limb), limb.type)


@emits(five, types.intp)
def load_five(builder: Any, address: Any) -> Any:
    """Five rows."""
    return _pack(builder, [_read(builder, address, i) for i in range(FIVE)])


@emits(five, types.intp)
def load_factors(builder: Any, address: Any) -> Any:
    """Five rows of limbs, as factors."""
    return _pack(builder, [_factor(builder, _read(builder, address, i)) for i in range(FIVE)])


@emits(types.none, types.intp, five)
def store_five(builder: Any, address: Any, values: Any) -> None:
    """Write five rows."""
    for i, value in enumerate(_rows(builder, values)):
        _write(builder, address, i, value)


@emits(five)
def zero_five(builder: Any) -> Any:
    """Five rows of zero."""
    return _pack(builder, [_splat(0)] * FIVE)


def _multiplier(name: str, *, new: bool) -> Any:
    """Of five factors in memory at ``x`` by five others, ``y``.

    The five lowest columns come in as ``running`` and are written at ``z``; the five above are read
    from there or are ``new``, and returned running: they are the lowest for the next five of x.
    """

    def emit(builder: Any, z: Any, running: Any, x: Any, y: Any) -> Any:
        columns, multipliers = _rows(builder, running), _rows(builder, y)
        for j in range(FIVE):
            columns.append(_splat(0) if new else _read(builder, z, FIVE + j))
            limb = _read(builder, x, j)
            for i, multiplier in enumerate(multipliers):
                _add_product(builder, columns, i + j, limb, multiplier)
            _write(builder, z, j, columns[j])
        return _pack(builder, columns[FIVE:])

    emit.__name__ = name
    return emits(five, types.intp, five, types.intp, five)(emit)


multiply = _multiplier("multiply", new=False)
multiply_new = _multiplier("multiply_new", new=True)


def _mixer(name: str, *, new: bool) -> Any:
    """Of five factors by themselves, the products of two different ones, once each.

    Columns are as for ``_multiplier``.
    """

    def emit(builder: Any, z: Any, running: Any, x: Any) -> Any:
        columns, limbs = _rows(builder, running), _rows(builder, x)
        for j in range(FIVE):
            columns.append(_splat(0) if new else _read(builder, z, FIVE + j))
            for i in range(j):
                _add_product(builder, columns, i + j, limbs[j], limbs[i])
            _write(builder, z, j, columns[j])
        return _pack(builder, columns[FIVE:])

    emit.__name__ = name
    return emits(five, types.intp, five, five)(emit)


mix = _mixer("mix", new=False)
mix_new = _mixer("mix_new", new=True)


@emits(types.none, types.intp, types.intp)
def double_and_square(builder: Any, z: Any, x: Any) -> None:
    """Double the columns 0 and 1, and add the square of the factor at x."""
    columns = [_read(builder, z, i) for i in range(2)]
    columns = [builder.add(column, column) for column in columns]
    limb = _read(builder, x, 0)
    _add_product(builder, columns, 0, limb, limb)
    for i in range(2):
        _write(builder, z, i, columns[i])


def _spread(builder: Any, word: Any) -> Any:
    first = builder.insert_element(
        ir.Constant(_VECTOR, ir.Undefined), word, ir.Constant(ir.IntType(32), 0)
    )
    order = ir.Constant(ir.VectorType(ir.IntType(32), _LANES), [0] * _LANES)
    return builder.shuffle_vector(first, ir.Constant(_VECTOR, ir.Undefined), order)


def _carried(builder: Any, columns: list[Any]) -> tuple[list[Any], Any]:
    """Limbs of columns that are not negative, and what is carried out of the last."""
    limbs, over = [], None
    for column in columns:
        whole = column if over is None else builder.add(column, over)
        limbs.append(builder.and_(whole, _splat((1 << LIMB_BITS) - 1)))
        over = builder.lshr(whole, _splat(LIMB_BITS))
    return limbs, over


def _settled(builder: Any, z: Any, less: Any, excess: Any, more: Any) -> list[Any]:
    """Limbs, also written, of the five columns at z less the rows at ``less``.

    Of the columns ``excess`` and for each next one ``more`` is subtracted besides, and what is
    carried is added to the column above.
    """
    columns = []
    for i in range(FIVE):
        # A column is signed: it is lifted, and what that carries is taken from the next one.
        lift = LIFT - (LIFTED if i else 0)
        settled = builder.sub(
            builder.add(_read(builder, z, i), _splat(lift)), _read(builder, less, i)
        )
        columns.append(builder.sub(settled, _spread(builder, excess)))
        excess = builder.add(excess, more)
    limbs, over = _carried(builder, columns)
    for i, limb in enumerate(limbs):
        _write(builder, z, i, limb)
    above = builder.add(_read(builder, z, FIVE), over)
    _write(builder, z, FIVE, builder.sub(above, _splat(LIFTED)))
    return limbs


@emits(five, types.intp, types.intp, types.uint64, types.uint64)
def settled_factors(builder: Any, z: Any, less: Any, excess: Any, more: Any) -> Any:
    """The limbs of five columns, as factors; see ``_settled``."""
    limbs = _settled(builder, z, less, excess, more)
    return _pack(builder, [_factor(builder, limb) for limb in limbs])


@emits(five, types.intp, types.intp, types.intp, types.intp, types.uint64, types.uint64)
def multiples(builder: Any, z: Any, less: Any, m: Any, inverse: Any, excess: Any, more: Any) -> Any:
    """The five limbs of m for which adding m*n makes the five columns at z vanish, as factors.

    The columns become limbs as ``_settled`` says. ``inverse`` are five factors, -1/n modulo 2**260.
    """
    limbs = _settled(builder, z, less, excess, more)
    sums = [_splat(-(i + 1) * LOW - i * HIGH) for i in range(FIVE)] + [_splat(0)]
    for j, limb in enumerate(limbs):
        multiplicand = _factor(builder, limb)
        for i in range(FIVE - j):
            _add_product(builder, sums, i + j, multiplicand, _read(builder, inverse, i))
    found, _ = _carried(builder, sums[:FIVE])
    for i, limb in enumerate(found):
        _write(builder, m, i, limb)
    return _pack(builder, [_factor(builder, limb) for limb in found])


@emits(types.none, types.intp)
def carry_five(builder: Any, z: Any) -> None:
    """Carry five columns that have vanished modulo 2**260 to the one above."""
    columns = []
    for i in range(FIVE):
        excess = (i + 1) * LOW + i * HIGH
        columns.append(builder.sub(_read(builder, z, i), _splat(excess)))
    _, over = _carried(builder, columns)
    _write(builder, z, FIVE, builder.add(_read(builder, z, FIVE), over))
