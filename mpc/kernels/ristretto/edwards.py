# SPDX-License-Identifier: Apache-2.0
"""The twisted Edwards curve -x^2 + y^2 = 1 + d x^2 y^2, eight points at a time, for numba code.

Coordinates after Hisil, Wong, Carter and Dawson, "Twisted Edwards curves revisited" (2008), whose
sum is complete on this curve: it has no exceptional case, so no lane needs a branch.

* extended:  (X, Y, Z, T), x = X/Z, y = Y/Z, T = XY/Z
* completed: (E, F, G, H), what a sum or a double ends in: X = EF, Y = GH, Z = FG, T = EH
* cached:    (Y - X, Y + X, 2Z, 2dT), the second operand of a sum

All coordinates are tight elements of ``field``.
"""

from __future__ import annotations

from typing import Any

from numba import njit, types

from mpc.kernels.compiled import inner
from mpc.kernels.lanes import COUNT, VECTOR, emits, lanes, load, splat, spread
from mpc.kernels.ristretto.constants import D
from mpc.kernels.ristretto.field import (
    WORDS,
    constant,
    load_element,
    loose_minus,
    loose_plus,
    loose_square,
    loose_times,
    minus,
    plus,
    select,
    store_element,
    tight,
    times,
)

ZERO = constant(0)
ONE = constant(1)
TWO = constant(2)
TWO_D = constant(2 * D)

inlined = njit(forceinline=True)
"""For short functions of elements, which would travel through memory in a call."""

MULTIPLES = 8  # digits run from -8 to 7
TABLE_WORDS = MULTIPLES * 4 * WORDS
WINDOWS = 64
# Added to a scalar below 2^253 this makes every digit of four bits count 8 too much, so that its
# nibbles, less eight, are signed digits of the scalar itself, found without a chain of carries.
RECODING = int("8" * WINDOWS, 16)


@inlined
def doubled(x: Any, y: Any, z: Any) -> Any:
    """Twice a point, completed (section 3.3, with F and H both negated); no T is needed."""
    a = loose_square(x)
    b = loose_square(y)
    c = loose_square(z)
    e = loose_times(x, y)
    f = loose_minus(loose_plus(loose_plus(c, c), a), b)
    return tight(loose_plus(e, e)), tight(f), minus(b, a), plus(a, b)


@inlined
def extended(completed: Any) -> Any:
    """The extended coordinates of a completed point."""
    e, f, g, h = completed
    return times(e, f), times(g, h), times(f, g), times(e, h)


@inlined
def cached(point: Any) -> Any:
    """A point as second operand of ``summed``."""
    x, y, z, t = point
    return minus(y, x), plus(y, x), plus(z, z), times(t, TWO_D())


@inlined
def summed(point: Any, other: Any) -> Any:
    """Extended plus cached, completed (section 3.1)."""
    x, y, z, t = point
    y_minus_x, y_plus_x, z2, t2d = other
    a = loose_times(minus(y, x), y_minus_x)
    b = loose_times(plus(y, x), y_plus_x)
    c = loose_times(t, t2d)
    d = loose_times(z, z2)
    return minus(b, a), minus(d, c), plus(d, c), plus(b, a)


def _digit(builder: Any, words: Any, shift: Any) -> Any:
    nibbles = builder.and_(builder.lshr(words, spread(builder, shift)), splat(15))
    return builder.sub(nibbles, splat(8))


@emits(lanes, lanes, types.intp)
def _digit_is_negative(builder: Any, words: Any, shift: Any) -> Any:
    """Where bits ``shift`` to ``shift + 3`` of the words, less eight, are negative."""
    return builder.ashr(_digit(builder, words, shift), splat(63))


@emits(lanes, lanes, types.intp, types.intp)
def _digit_has_size(builder: Any, words: Any, shift: Any, size: Any) -> Any:
    """Where bits ``shift`` to ``shift + 3`` of words, less eight, are plus or minus ``size``."""
    digit = _digit(builder, words, shift)
    sign = builder.ashr(digit, splat(63))
    absolute = builder.sub(builder.xor(digit, sign), sign)
    return builder.sext(builder.icmp_unsigned("==", absolute, spread(builder, size)), VECTOR)


@inlined
def _selected(table: int, words: Any, shift: int) -> Any:
    """The cached multiple of the digit's size, by a scan of the whole table."""
    y_minus_x, y_plus_x, z2, t2d = ONE(), ONE(), TWO(), ZERO()
    for k in range(MULTIPLES):
        found = _digit_has_size(words, shift, k + 1)
        at = 4 * WORDS * k
        y_minus_x = select(found, load_element(table, at), y_minus_x)
        y_plus_x = select(found, load_element(table, at + WORDS), y_plus_x)
        z2 = select(found, load_element(table, at + 2 * WORDS), z2)
        t2d = select(found, load_element(table, at + 3 * WORDS), t2d)
    return y_minus_x, y_plus_x, z2, t2d


@inner
def _plus_digit(point: Any, table: int, words: Any, shift: int) -> Any:
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
def fill_table(point: Any, table: int) -> None:
    """Write the cached multiples 1 to 8 of a point to ``TABLE_WORDS`` words at an address."""
    first = cached(point)
    multiple = point
    for k in range(MULTIPLES):
        y_minus_x, y_plus_x, z2, t2d = cached(multiple)
        at = 4 * WORDS * k
        store_element(table, at, y_minus_x)
        store_element(table, at + WORDS, y_plus_x)
        store_element(table, at + 2 * WORDS, z2)
        store_element(table, at + 3 * WORDS, t2d)
        multiple = extended(summed(multiple, first))


@inner
def multiplied(table: int, scalars: int) -> Any:
    """The multiple of the table's point by recoded scalars, four times eight words, extended.

    The same operations on the same addresses for every scalar.
    """
    top = WINDOWS - 1
    words = load(scalars, top // 16 * COUNT)
    point = _plus_digit((ZERO(), ONE(), ONE(), ZERO()), table, words, top % 16 * 4)
    for window in range(top - 1, -1, -1):
        x, y, z, _ = point
        for _ in range(3):
            e, f, g, h = doubled(x, y, z)
            x, y, z = times(e, f), times(g, h), times(f, g)
        words = load(scalars, window // 16 * COUNT)
        point = _plus_digit(extended(doubled(x, y, z)), table, words, window % 16 * 4)
    return point
