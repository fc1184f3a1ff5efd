# SPDX-License-Identifier: Apache-2.0
"""As many lanes as fit one register, and how such a part multiplies limbs.

With AVX-512 a part is all eight lanes, and IFMA adds halves of products to columns. With AVX2 it is
four lanes; limbs are made doubles once and products of them are as :mod:`mpc.kernels.doubles` says,
with rounding towards zero: each half is too large by a constant. What a column has got too much of
is known when the code is made, and is taken from it once, at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from mpc import kernels
from mpc.kernels import doubles
from mpc.kernels.lanes import COUNT, LIMB_BITS, WORD, high, low, pointer

WORDS_A_ROW = COUNT


@dataclass(frozen=True, slots=True)
class Column:
    """A sum of halves of products, that is ``excess`` too large modulo 2**64."""

    value: Any
    excess: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """Lanes ``first`` to ``first + lanes``, and how many multipliers its registers hold at once."""

    builder: Any
    first: int
    lanes: int
    multipliers: int

    @property
    def vector(self) -> Any:
        return ir.VectorType(WORD, self.lanes)

    def splat(self, value: int) -> Any:
        return ir.Constant(self.vector, [value] * self.lanes)

    def read(self, address: Any, row: int) -> Any:
        return self.builder.load(self._place(address, row), align=8)

    def write(self, address: Any, row: int, value: Any) -> None:
        self.builder.store(value, self._place(address, row), align=8)

    def take(self, rows: Iterable[Any]) -> list[Any]:
        """This part's lanes of whole rows."""
        if self.lanes == COUNT:
            return list(rows)
        order = _order(range(self.first, self.first + self.lanes))
        return [
            self.builder.shuffle_vector(row, ir.Constant(row.type, ir.Undefined), order)
            for row in rows
        ]

    def limb(self, x: Any) -> Any:
        """The low 52 bits."""
        return x if kernels.wide() else self.builder.and_(x, self.splat((1 << LIMB_BITS) - 1))

    def factor(self, limb: Any) -> Any:
        """A limb as products take it."""
        return limb if kernels.wide() else doubles.double(self.builder, limb)

    def low(self, column: Column, x: Any, y: Any) -> Column:
        """With the low half of the product of two factors."""
        if kernels.wide():
            return Column(low(self.builder, column.value, x, y))
        half, _ = doubles.truncated(self.builder, x, y)
        return self._with(column, half, doubles.LOW_ZERO)

    def high(self, column: Column, x: Any, y: Any) -> Column:
        """With the high half of the product of two factors."""
        if kernels.wide():
            return Column(high(self.builder, column.value, x, y))
        _, half = doubles.truncated(self.builder, x, y)
        return self._with(column, half, doubles.HIGH_ZERO)

    def low_limb(self, x: Any, y: Any) -> tuple[Any, Any]:
        """The low half of the product of two factors alone: as a limb, and as a factor."""
        if kernels.wide():
            row = self.limb(low(self.builder, self.splat(0), x, y))
            return row, row
        half, _ = doubles.truncated(self.builder, x, y)
        row = self.builder.sub(half, self.splat(doubles.LOW_ZERO))
        return row, doubles.less_whole(self.builder, half)

    def plus(self, x: Column, y: Column) -> Column:
        return Column(self.builder.add(x.value, y.value), x.excess + y.excess)

    def add_products(self, columns: list[Column], products: Sequence[tuple[int, Any, Any]]) -> None:
        """Add products x*y to columns i and i + 1, for each (i, x, y)."""
        if kernels.wide():
            # All low halves first, so that no two instructions in a row wait for each other.
            for i, x, y in products:
                columns[i] = self.low(columns[i], x, y)
            for i, x, y in products:
                columns[i + 1] = self.high(columns[i + 1], x, y)
        else:
            for i, x, y in products:
                columns[i] = self.low(columns[i], x, y)
                columns[i + 1] = self.high(columns[i + 1], x, y)

    def settled(self, column: Column) -> Any:
        """The column's own value."""
        excess = column.excess % (1 << 64)
        return self.builder.sub(column.value, self.splat(excess)) if excess else column.value

    def _with(self, column: Column, half: Any, zero: int) -> Column:
        return Column(doubles.plus(self.builder, column.value, half), column.excess + zero)

    def _place(self, address: Any, row: int) -> Any:
        return pointer(self.builder, address, row * WORDS_A_ROW + self.first, self.vector)


def parts(builder: Any) -> list[Part]:
    """What eight lanes are worked on in."""
    if kernels.wide():
        return [Part(builder, 0, COUNT, 10)]
    return [Part(builder, first, 4, 4) for first in (0, 4)]


def joined(builder: Any, parts_of_rows: list[list[Any]]) -> list[Any]:
    """Whole rows, of the rows of each part."""
    if len(parts_of_rows) == 1:
        return parts_of_rows[0]
    order = _order(range(COUNT))
    return [builder.shuffle_vector(*halves, order) for halves in zip(*parts_of_rows, strict=True)]


def _order(places: Iterable[int]) -> Any:
    listed = list(places)
    return ir.Constant(ir.VectorType(ir.IntType(32), len(listed)), listed)
