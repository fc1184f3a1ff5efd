# SPDX-License-Identifier: Apache-2.0
"""Squarings of two elements alone: the limbs of a number side by side in the lanes, with IFMA.

A product of eight pairs takes as long where fewer are wanted, as when the last powers of a product
of powers are joined, each of which waits for the one before. Here a register holds eight limbs of
one number, and of the other's steps some are done while one of its own waits for the last.

A step multiplies by one limb, and adds the multiple of n by which the lowest column vanishes: the
almost-Montgomery product of Gueron and Krasnov (2016, "Accelerating Big Integer Arithmetic Using
Intel IFMA Extensions"), with the bounds of :mod:`mpc.kernels.bigint.montgomery`, whose elements
these are. Modulo n**2 a square is x0*x0 and 2*x0*x1 less the multiplier of the first.

A *pair* is two numbers of ``8*width`` words each, one after the other, zero above their limbs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from mpc import kernels
from mpc.kernels.bigint.rows import LIMB, ROW
from mpc.kernels.compiled import inner, routine
from mpc.kernels.lanes import (
    COUNT,
    LIMB_BITS,
    WORD,
    emits,
    high,
    load_word,
    low,
    pointer,
    read,
    splat,
    spread,
    store_word,
    write,
)

MOST = 80
"""Limbs up to which squarings are done here. Columns are below 2**61 then: four terms a limb."""

_MASK = ir.Constant(WORD, (1 << LIMB_BITS) - 1)
_BITS = ir.Constant(WORD, LIMB_BITS)
_LOWEST = ir.Constant(ir.IntType(32), 0)
_NEXT = ir.Constant(ir.VectorType(ir.IntType(32), COUNT), list(range(1, COUNT + 1)))


class _Number:
    """One of a pair, on its way through the steps of a product."""

    def __init__(self, builder: Any, width: int, begins: list[Any]) -> None:
        self.builder = builder
        self.out, self.x, self.y, self.less = begins
        places = range(width)
        self.columns = [cgutils.alloca_once_value(builder, splat(0)) for _ in places]
        self.over = cgutils.alloca_once_value(builder, ir.Constant(WORD, 0))

    def step(self, i: Any, n: Any, inverse: Any) -> None:
        """Multiply by limb ``i`` of y, and make the lowest column, less that limb, vanish."""
        builder, columns = self.builder, [self.builder.load(column) for column in self.columns]
        limb = spread(builder, builder.load(pointer(builder, self.y, i, WORD)))
        self._add(low, columns, self.x, limb)
        place = pointer(builder, self.less, i, WORD)
        lowest = builder.add(builder.extract_element(columns[0], _LOWEST), builder.load(self.over))
        lowest = builder.sub(lowest, builder.load(place))
        multiple = builder.and_(builder.mul(lowest, inverse), _MASK)
        builder.store(multiple, place)
        # What it gets is what it lacks to a multiple of 2**52.
        builder.store(builder.ashr(builder.add(lowest, _MASK), _BITS), self.over)
        factor = spread(builder, multiple)
        self._add(low, columns, n, factor)
        above = [*columns[1:], splat(0)]
        columns = [
            builder.shuffle_vector(*both, _NEXT) for both in zip(columns, above, strict=True)
        ]
        self._add(high, columns, self.x, limb)
        self._add(high, columns, n, factor)
        for place, column in zip(self.columns, columns, strict=True):
            builder.store(column, place)

    def _add(self, half: Callable[..., Any], columns: list[Any], x: Any, factor: Any) -> None:
        for i, column in enumerate(columns):
            columns[i] = half(self.builder, column, read(self.builder, x, COUNT * i), factor)

    def end(self) -> None:
        """Write the columns, the carry that is left in the lowest."""
        builder = self.builder
        for i, column in enumerate(self.columns):
            write(builder, self.out, COUNT * i, builder.load(column))
        place = pointer(builder, self.out, 0, WORD)
        builder.store(builder.add(builder.load(place), builder.load(self.over)), place)


def _multiplier(width: int) -> Any:
    """Of two pairs: out = (x*y - less + m*n)/R as columns, and m in place of ``less``."""

    def multiply(
        builder: Any, out: Any, x: Any, y: Any, less: Any, n: Any, inverse: Any, limbs: Any
    ) -> None:
        first, apart = [out, x, y, less], ir.Constant(WORD, width * ROW)
        second = [builder.add(begin, apart) for begin in first]
        numbers = [_Number(builder, width, begins) for begins in (first, second)]
        with cgutils.for_range(builder, limbs) as loop:
            for number in numbers:
                number.step(loop.index, n, inverse)
        for number in numbers:
            number.end()

    multiply.__name__ = f"multiply_{width}"
    return emits(types.none, *[types.intp] * 7)(multiply)


_multiply_5, _multiply_8, _multiply_10 = map(_multiplier, (5, 8, 10))


@inner
def _multiply(
    width: int, out: int, x: int, y: int, less: int, n: int, inverse: int, limbs: int
) -> None:
    if width == 5:
        _multiply_5(out, x, y, less, n, inverse, limbs)
    elif width == 8:
        _multiply_8(out, x, y, less, n, inverse, limbs)
    else:
        _multiply_10(out, x, y, less, n, inverse, limbs)
    for number in (out, out + ROW * width):
        over = np.int64(0)
        for limb in range(limbs):
            column = np.int64(load_word(number, limb)) + over
            store_word(number, limb, column & np.int64(LIMB))
            over = column >> LIMB_BITS


@inner
def _gather(pair: int, x: int, width: int, limbs: int) -> None:
    """The elements in the first two lanes of some rows."""
    for lane in range(2):
        for limb in range(COUNT * width):
            word = load_word(x, COUNT * limb + lane) if limb < limbs else np.uint64(0)
            store_word(pair, COUNT * width * lane + limb, np.int64(word))


@inner
def _scatter(x: int, pair: int, width: int, limbs: int) -> None:
    """The opposite."""
    for lane in range(2):
        for limb in range(limbs):
            word = load_word(pair, COUNT * width * lane + limb)
            store_word(x, COUNT * limb + lane, np.int64(word))


@inner
def _double(twice: int, pair: int, width: int) -> None:
    """A pair doubled, as limbs; of neither number the highest bit of the last limb is set."""
    before = np.uint64(0)
    for word in range(2 * COUNT * width):
        limb = load_word(pair, word)
        doubled = limb << np.uint64(1) | before >> np.uint64(LIMB_BITS - 1)
        store_word(twice, word, np.int64(doubled & LIMB))
        before = limb


@routine
def _square_pair(x: int, times: int, n: int, scratch: int, limbs: int, digits: int) -> None:
    width = 5 if limbs <= 5 * COUNT else 8 if limbs <= 8 * COUNT else 10
    pair, inverse = 2 * ROW * width, np.int64(load_word(n, COUNT * limbs))
    first, second = scratch, scratch + pair
    twice, m, modulus = scratch + 2 * pair, scratch + 3 * pair, scratch + 4 * pair
    _gather(modulus, n, width, limbs)
    for digit in range(digits):
        _gather(first + pair * digit, x + ROW * limbs * digit, width, limbs)
    for _ in range(times):
        for word in range(2 * COUNT * width):
            store_word(m, word, 0)
        if digits == 2:
            _double(twice, first, width)
        _multiply(width, first, first, first, m, modulus, inverse, limbs)
        if digits == 2:
            _multiply(width, second, second, twice, m, modulus, inverse, limbs)
    for digit in range(digits):
        _scatter(x + ROW * limbs * digit, first + pair * digit, width, limbs)


def square_pair() -> int:
    """Where it begins: the elements in the first two lanes to the power of 2**times, and others
    as they were or any; or 0 where there are no instructions for it."""
    return _square_pair.address if kernels.wide() else 0
