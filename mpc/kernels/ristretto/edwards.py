# SPDX-License-Identifier: Apache-2.0
"""The twisted Edwards curve -x^2 + y^2 = 1 + d x^2 y^2, for numba code.

Coordinates after Hisil, Wong, Carter and Dawson, "Twisted Edwards curves revisited" (2008), whose
sum is complete on this curve: it has no exceptional case, so no lane needs a branch.

* extended:  (X, Y, Z, T), x = X/Z, y = Y/Z, T = XY/Z
* completed: (E, F, G, H), what a sum or a double ends in: X = EF, Y = GH, Z = FG, T = EH
* cached:    (Y - X, Y + X, 2Z, 2dT), the second operand of a sum

Extended coordinates are products of ``field``, and all others are factors.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit
from numba.core import cgutils

from mpc.kernels.compiled import inner
from mpc.kernels.lanes import pointer
from mpc.kernels.ristretto.constants import D
from mpc.kernels.ristretto.field import (
    LIMBS,
    Limbs,
    constant,
    factor,
    factor_minus,
    factor_plus,
    load_word,
    loose_minus,
    loose_plus,
    loose_square,
    loose_times,
    operation,
    select,
    store_element,
    times,
)

ZERO = constant(0)
ONE = constant(1)
TWO = constant(2)
TWO_D = constant(2 * D)

inlined = njit(forceinline=True)
"""For short functions of elements, which would travel through memory in a call."""

MULTIPLES = 8  # digits run from -8 to 7
TABLE = 4 * MULTIPLES  # elements
WINDOWS = 64
# Added to a scalar below 2^253 this makes every digit of four bits count 8 too much, so that its
# nibbles, less eight, are signed digits of the scalar itself, found without a chain of carries.
RECODING = int("8" * WINDOWS, 16)


@inlined
def identity(like: Any) -> Any:
    """The neutral point, extended."""
    return ZERO(like), ONE(like), ONE(like), ZERO(like)


@inlined
def doubled(x: Any, y: Any, z: Any) -> Any:
    """Twice a point, completed (section 3.3, with F and H both negated); no T is needed."""
    a = loose_square(x)
    b = loose_square(y)
    c = loose_square(z)
    h = loose_plus(a, b)
    e = factor_minus(loose_square(factor_plus(x, y)), h)
    f = loose_minus(loose_plus(loose_plus(c, c), a), b)
    return e, factor(f), factor_minus(b, a), factor(h)


@inlined
def extended(completed: Any) -> Any:
    """The extended coordinates of a completed point."""
    e, f, g, h = completed
    return times(e, f), times(g, h), times(f, g), times(e, h)


@inlined
def cached(point: Any) -> Any:
    """A point as second operand of ``summed``."""
    x, y, z, t = point
    return factor_minus(y, x), factor_plus(y, x), factor_plus(z, z), times(t, TWO_D(t))


@inlined
def summed(point: Any, other: Any) -> Any:
    """Extended plus cached, completed (section 3.1)."""
    x, y, z, t = point
    y_minus_x, y_plus_x, z2, t2d = other
    a = loose_times(factor_minus(y, x), y_minus_x)
    b = loose_times(factor_plus(y, x), y_plus_x)
    c = loose_times(t, t2d)
    d = loose_times(z, z2)
    return factor_minus(b, a), factor_minus(d, c), factor_plus(d, c), factor_plus(b, a)


def _digit(kind: Any, b: Any, words: Any, shift: Any) -> Any:
    nibbles = b.and_(b.lshr(words, kind.spread(b, shift)), kind.splat(15))
    return b.sub(nibbles, kind.splat(8))


@operation("word")
def _digit_is_negative(kind: Any, b: Any, words: Any, shift: Any) -> Any:
    """Where bits ``shift`` to ``shift + 3`` of the words, less eight, are negative."""
    return b.ashr(_digit(kind, b, words, shift), kind.splat(63))


@operation("elements")
def _selected(kind: Any, b: Any, table: Any, words: Any, shift: Any) -> list[Limbs]:
    """The cached multiple of the digit's size, by a scan of the whole table, line by line."""
    digit = _digit(kind, b, words, shift)
    sign = b.ashr(digit, kind.splat(63))
    size = kind.lined(b, kind.opaque(b, b.sub(b.xor(digit, sign), sign)))
    each, entry = kind.LINE.count, 4 * LIMBS * kind.COUNT
    neutral = [
        limb for value in (1, 1, 2, 0) for limb in (value, 0, 0, 0, 0) for _ in range(kind.COUNT)
    ]
    chosen = [
        cgutils.alloca_once_value(b, ir.Constant(kind.LINE, neutral[at : at + each]))
        for at in range(0, entry, each)
    ]
    with cgutils.for_range(b, ir.Constant(table.type, MULTIPLES)) as loop:
        here = b.add(loop.index, ir.Constant(table.type, 1))
        found = b.sext(b.icmp_unsigned("==", size, kind.lined(b, kind.spread(b, here))), kind.LINE)
        first = b.add(table, b.mul(loop.index, ir.Constant(table.type, 8 * entry)))
        for i, line in enumerate(chosen):
            read = b.load(pointer(b, first, each * i, kind.LINE), align=8)
            kept = b.load(line)
            b.store(b.xor(kept, b.and_(found, b.xor(read, kept))), line)
    limbs = kind.words_of(b, [b.load(line) for line in chosen])
    return [limbs[at : at + LIMBS] for at in range(0, 4 * LIMBS, LIMBS)]


@inner
def plus_digit(point: Any, table: int, words: Any, shift: int) -> Any:
    """A point plus the digit's multiple, extended."""
    y_minus_x, y_plus_x, z2, t2d = _selected(table, words, shift)
    # The negative of a cached point has the first two swapped and the last negated, and a negated
    # last swaps F and G.
    negative = _digit_is_negative(words, shift)
    first = select(negative, y_plus_x, y_minus_x)
    second = select(negative, y_minus_x, y_plus_x)
    e, f, g, h = summed(point, (first, second, z2, t2d))
    return extended((e, select(negative, g, f), select(negative, f, g), h))


@inner
def sixteenfold(point: Any) -> Any:
    """Sixteen times a point, extended."""
    x, y, z, _ = point
    for _ in range(3):
        e, f, g, h = doubled(x, y, z)
        x, y, z = times(e, f), times(g, h), times(f, g)
    return extended(doubled(x, y, z))


@inner
def fill_table(point: Any, table: int) -> None:
    """Write the cached multiples 1 to 8 of a point to ``TABLE`` elements at an address."""
    _fill(point, cached(point), table)


@inner
def fill_odd_table(point: Any, table: int) -> None:
    """Write the cached multiples 1, 3, ..., 15 as ``fill_table`` does."""
    x, y, z, _ = point
    _fill(point, cached(extended(doubled(x, y, z))), table)


@inner
def _fill(multiple: Any, step: Any, table: int) -> None:
    for k in range(MULTIPLES):
        y_minus_x, y_plus_x, z2, t2d = cached(multiple)
        store_element(table, 4 * k, y_minus_x)
        store_element(table, 4 * k + 1, y_plus_x)
        store_element(table, 4 * k + 2, z2)
        store_element(table, 4 * k + 3, t2d)
        multiple = extended(summed(multiple, step))


@inner
def multiplied(table: int, scalars: int, like: Any) -> Any:
    """The multiple of the table's point by recoded scalars, of four words, extended.

    The same operations on the same addresses for every scalar.
    """
    top = WINDOWS - 1
    words = load_word(scalars, top // 16, like)
    point = plus_digit(identity(words), table, words, top % 16 * 4)
    for window in range(top - 1, -1, -1):
        words = load_word(scalars, window // 16, like)
        point = plus_digit(sixteenfold(point), table, words, window % 16 * 4)
    return point
