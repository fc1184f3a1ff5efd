# SPDX-License-Identifier: Apache-2.0
"""The twisted Edwards curve -x^2 + y^2 = 1 + d x^2 y^2, for numba code.

Coordinates after Hisil, Wong, Carter and Dawson, "Twisted Edwards curves revisited" (2008), whose
sum is complete on this curve: it has no exceptional case, so no lane needs a branch.

* extended:  (X, Y, Z, T), x = X/Z, y = Y/Z, T = XY/Z
* completed: (E, F, G, H), what a sum or a double ends in: X = EF, Y = GH, Z = FG, T = EH
* cached:    (Y - X, Y + X, 2Z, 2dT), the second operand of a sum

All coordinates are tight elements of ``field``.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from mpc.kernels.compiled import inner
from mpc.kernels.ristretto.constants import D
from mpc.kernels.ristretto.field import (
    constant,
    load_element,
    load_word,
    loose_minus,
    loose_plus,
    loose_square,
    loose_times,
    minus,
    operation,
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
    return minus(y, x), plus(y, x), plus(z, z), times(t, TWO_D(t))


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


def _digit(kind: Any, b: Any, words: Any, shift: Any) -> Any:
    nibbles = b.and_(b.lshr(words, kind.spread(b, shift)), kind.splat(15))
    return b.sub(nibbles, kind.splat(8))


@operation("word")
def _digit_is_negative(kind: Any, b: Any, words: Any, shift: Any) -> Any:
    """Where bits ``shift`` to ``shift + 3`` of the words, less eight, are negative."""
    return b.ashr(_digit(kind, b, words, shift), kind.splat(63))


@operation("word")
def _digit_has_size(kind: Any, b: Any, words: Any, shift: Any, size: Any) -> Any:
    """Where bits ``shift`` to ``shift + 3`` of words, less eight, are plus or minus ``size``."""
    digit = _digit(kind, b, words, shift)
    sign = kind.opaque(b, b.ashr(digit, kind.splat(63)))
    absolute = b.sub(b.xor(digit, sign), sign)
    return b.sext(b.icmp_unsigned("==", absolute, kind.spread(b, size)), kind.TYPE)


@inlined
def _selected(table: int, words: Any, shift: int) -> Any:
    """The cached multiple of the digit's size, by a scan of the whole table."""
    y_minus_x, y_plus_x, z2, t2d = ONE(words), ONE(words), TWO(words), ZERO(words)
    for k in range(MULTIPLES):
        found = _digit_has_size(words, shift, k + 1)
        y_minus_x = select(found, load_element(table, 4 * k, words), y_minus_x)
        y_plus_x = select(found, load_element(table, 4 * k + 1, words), y_plus_x)
        z2 = select(found, load_element(table, 4 * k + 2, words), z2)
        t2d = select(found, load_element(table, 4 * k + 3, words), t2d)
    return y_minus_x, y_plus_x, z2, t2d


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
    first = cached(point)
    multiple = point
    for k in range(MULTIPLES):
        y_minus_x, y_plus_x, z2, t2d = cached(multiple)
        store_element(table, 4 * k, y_minus_x)
        store_element(table, 4 * k + 1, y_plus_x)
        store_element(table, 4 * k + 2, z2)
        store_element(table, 4 * k + 3, t2d)
        multiple = extended(summed(multiple, first))


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
