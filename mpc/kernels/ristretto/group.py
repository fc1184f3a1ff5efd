# SPDX-License-Identifier: Apache-2.0
"""The formulas of RFC 9496 (ristretto255), for numba code, on both kinds of elements of ``field``.

Square roots are one long chain of squarings, each waiting for the one before. So two elements (or
two groups of eight) go through them together, which fills the pipeline, and a function that needs
roots comes in two halves, before and after ``root_pair``.
"""

from __future__ import annotations

from typing import Any

from mpc.kernels.compiled import inner
from mpc.kernels.ristretto import constants
from mpc.kernels.ristretto.edwards import ONE, ZERO, extended, inlined
from mpc.kernels.ristretto.field import (
    both,
    constant,
    either,
    frozen,
    is_negative,
    minus,
    opposite,
    plus,
    same,
    select,
    square,
    times,
)

MINUS_ONE = constant(-1)
D = constant(constants.D)
SQRT_M1 = constant(constants.SQRT_M1)
SQRT_AD_MINUS_ONE = constant(constants.SQRT_AD_MINUS_ONE)
INVSQRT_A_MINUS_D = constant(constants.INVSQRT_A_MINUS_D)
ONE_MINUS_D_SQ = constant(constants.ONE_MINUS_D_SQ)
D_MINUS_ONE_SQ = constant(constants.D_MINUS_ONE_SQ)


@inlined
def _absolute(x: Any) -> Any:
    """The nonnegative one of x and -x, frozen."""
    canonical = frozen(x)
    return select(is_negative(canonical), frozen(minus(ZERO(x), canonical)), canonical)


@inner
def _squared(x: Any, y: Any, count: int) -> Any:
    for _ in range(count):
        x, y = square(x), square(y)
    return x, y


@inner
def _power_pair(x: Any, y: Any) -> Any:
    """Both to the power (P - 5) / 8 = 2^252 - 3."""
    x2, y2 = square(x), square(y)
    x8, y8 = _squared(x2, y2, 2)
    x9, y9 = times(x8, x), times(y8, y)
    x11, y11 = times(x9, x2), times(y9, y2)
    # From here on the number in a name is how many ones the exponent is in binary.
    x5, y5 = times(square(x11), x9), times(square(y11), y9)
    a, b = _squared(x5, y5, 5)
    x10, y10 = times(a, x5), times(b, y5)
    a, b = _squared(x10, y10, 10)
    x20, y20 = times(a, x10), times(b, y10)
    a, b = _squared(x20, y20, 20)
    x40, y40 = times(a, x20), times(b, y20)
    a, b = _squared(x40, y40, 10)
    x50, y50 = times(a, x10), times(b, y10)
    a, b = _squared(x50, y50, 50)
    x100, y100 = times(a, x50), times(b, y50)
    a, b = _squared(x100, y100, 100)
    x200, y200 = times(a, x100), times(b, y100)
    a, b = _squared(x200, y200, 50)
    x250, y250 = times(a, x50), times(b, y50)
    a, b = _squared(x250, y250, 2)
    return times(a, x), times(b, y)


@inlined
def _before_root(u: Any, v: Any) -> Any:
    """u v^3 and u v^7."""
    v2 = square(v)
    uv3 = times(times(v2, v), u)
    return uv3, times(uv3, square(v2))


@inner
def _after_root(u: Any, v: Any, r: Any) -> Any:
    check = frozen(times(v, square(r)))
    minus_u = minus(ZERO(u), u)
    correct = same(check, frozen(u))
    flipped = same(check, frozen(minus_u))
    flipped_i = same(check, frozen(times(minus_u, SQRT_M1(u))))
    r = select(either(flipped, flipped_i), times(r, SQRT_M1(r)), r)
    return either(correct, flipped), _absolute(r)


@inner
def root_pair(u: Any, v: Any, s: Any, t: Any) -> Any:
    """SQRT_RATIO_M1 (section 4.2) of u/v and of s/t: masks of the squares, and frozen roots."""
    uv3, uv7 = _before_root(u, v)
    st3, st7 = _before_root(s, t)
    p, q = _power_pair(uv7, st7)
    return _after_root(u, v, times(uv3, p)), _after_root(s, t, times(st3, q))


@inlined
def before_decode(s: Any) -> Any:
    """u1, u2 and v of section 4.3.1, and v u2^2, whose inverse root is wanted; of a frozen s."""
    ss = square(s)
    u1, u2 = minus(ONE(s), ss), plus(ONE(s), ss)
    u2_sqr = square(u2)
    v = minus(minus(ZERO(s), times(D(s), square(u1))), u2_sqr)
    return u1, u2, v, times(v, u2_sqr)


@inner
def after_decode(raw: Any, s: Any, before: Any, root: Any) -> Any:
    """Where the encoding is valid, and the point; ``raw`` is ``s`` as it came, not reduced.

    ``s`` below P and equal to ``raw`` is what canonical means. A ``raw`` of 2 P or more, which
    ``frozen`` does not reduce, differs from it too.
    """
    u1, u2, v, _ = before
    was_square, invsqrt = root
    den_x = times(invsqrt, u2)
    den_y = times(times(invsqrt, den_x), v)
    x = _absolute(times(plus(s, s), den_x))
    y = frozen(times(u1, den_y))
    t = frozen(times(x, y))
    negative = either(is_negative(s), is_negative(t))
    rejected = either(negative, same(y, ZERO(s)))
    valid = both(both(was_square, same(raw, s)), opposite(rejected))
    # The identity stands for what is rejected, so that nobody computes with a point off the curve.
    point = select(valid, x, ZERO(s)), select(valid, y, ONE(s)), ONE(s), select(valid, t, ZERO(s))
    return valid, point


@inlined
def before_encode(point: Any) -> Any:
    """u1 and u2 of section 4.3.2, and u1 u2^2, whose inverse root is wanted."""
    x, y, z, _ = point
    u1 = times(plus(z, y), minus(z, y))
    u2 = times(x, y)
    return u1, u2, times(u1, square(u2))


@inner
def after_encode(point: Any, before: Any, root: Any) -> Any:
    """The encoding, as a frozen element."""
    x, y, z, t = point
    u1, u2, _ = before
    den1, den2 = times(root[1], u1), times(root[1], u2)
    z_inv = times(times(den1, den2), t)
    rotate = is_negative(frozen(times(t, z_inv)))
    x, y = select(rotate, times(y, SQRT_M1(y)), x), select(rotate, times(x, SQRT_M1(x)), y)
    den_inv = select(rotate, times(den1, INVSQRT_A_MINUS_D(x)), den2)
    y = select(is_negative(frozen(times(x, z_inv))), minus(ZERO(y), y), y)
    return _absolute(times(den_inv, minus(z, y)))


@inlined
def before_map(t: Any) -> Any:
    """r, u and v of MAP in section 4.3.4; the root of u/v is wanted."""
    r = times(SQRT_M1(t), square(t))
    u = times(plus(r, ONE(t)), ONE_MINUS_D_SQ(t))
    return r, u, times(minus(MINUS_ONE(t), times(r, D(t))), plus(r, D(t)))


@inner
def after_map(t: Any, before: Any, root: Any) -> Any:
    """The point that ``t`` maps to, extended."""
    r, _, v = before
    was_square, s = root
    s = select(was_square, s, minus(ZERO(s), _absolute(times(s, t))))
    c = select(was_square, MINUS_ONE(s), r)
    n = minus(times(times(c, minus(r, ONE(s))), D_MINUS_ONE_SQ(s)), v)
    ss = square(s)
    w0, w1 = times(plus(s, s), v), times(n, SQRT_AD_MINUS_ONE(s))
    w2, w3 = minus(ONE(s), ss), plus(ONE(s), ss)
    return extended((w0, w3, w1, w2))
