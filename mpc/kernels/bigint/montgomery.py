# SPDX-License-Identifier: Apache-2.0
"""Products of eight pairs at a time, modulo n or modulo n**2, in almost-Montgomery form.

With R = 2**(52*limbs), at least 256 times n, an element v mod n is kept as any number below 10n
that is v*R modulo n. A product of two such numbers, plus the multiple of n that makes it divisible
by R, is after that division below 2n (Walter 1999), so that nothing is compared or subtracted on
the way, and a few elements can be added before the next product.

Modulo n**2 an element is kept as two such digits, x0 + x1*n, and is v*R modulo n**2. If m is the
multiplier of the exact division, x0*y0 + m*n = R*t, then modulo n**2

    x*y/R = t + n*((x0*y1 + x1*y0 - m)/R mod n)

so a product is three products and two reductions of the size of n: 10*limbs**2 multiply-adds, where
one of numbers of twice the size takes 16. A squaring takes 7 against 12. The second reduction need
not give its m, and may be one of more n (``fold``): second digits are kept below 16n, and of two
numbers whose first are below 10n that of the product is below 4n: (2*160/256 + 2)*n.

On AVX2 long products among these are made of halves (:mod:`mpc.kernels.bigint.karatsuba`).

Addresses are bytes; ``n`` points to the limbs of the modulus, then INVERSE rows of -1/n, and
those of 2**(-52*INVERSE) modulo n; all of these follow as factors, and then the element one.
The scratch of a product is SCRATCH times ``limbs`` rows. ``digits`` is 1 modulo n, 2 modulo n**2.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import types

from mpc import kernels
from mpc.kernels.bigint import karatsuba, narrow, pairs, wide
from mpc.kernels.bigint.rows import LIMB, ROW, clear, double
from mpc.kernels.compiled import call, inner, routine
from mpc.kernels.lanes import (
    LIMB_BITS,
    add,
    bit_and,
    broadcast,
    emits,
    load,
    select,
    shift_signed,
    store,
    sub,
    zero,
)

Lanes = Any
SCRATCH = 7
INVERSE = 5
"""Rows of -1/n modulo 2**(52*5), which follow those of n."""


@inner
def factors_of(n: int, limbs: int) -> int:
    """Of a modulus at n, where it is as products take it."""
    return n + ROW * (2 * limbs + INVERSE)


@inner
def one_of(n: int, limbs: int) -> int:
    """Of a modulus at n, where the element one is."""
    return n + ROW * 2 * (2 * limbs + INVERSE)


products = wide if kernels.wide() else narrow
long_products = wide if kernels.wide() else karatsuba


@routine
def _mul(out: int, x: int, y: int, n: int, scratch: int, limbs: int, digits: int) -> None:
    low, m, high = scratch, scratch + ROW * 2 * limbs, scratch + ROW * 3 * limbs
    modulus, work = factors_of(n, limbs), scratch + ROW * 5 * limbs
    clear(m, limbs)
    long_products.put_long(low, x, y, high, work, limbs)
    products.reduce(low, m, m, modulus, 1, limbs)
    if digits == 2:
        # The lower half of ``low`` has vanished.
        long_products.put_cross(high, x, y, low, work, limbs)
        products.fold(high, m, m, modulus, 2, limbs)
        products.carry_folded(out + ROW * limbs, high, 3, limbs)
    products.carry_upper(out, low, 2, limbs)


@routine
def _square(out: int, x: int, n: int, scratch: int, limbs: int, digits: int) -> None:
    low, m, high = scratch, scratch + ROW * 2 * limbs, scratch + ROW * 3 * limbs
    modulus, work = factors_of(n, limbs), scratch + ROW * 5 * limbs
    clear(m, limbs)
    products.put_square(low, products.factors(work, x, limbs), limbs)
    products.reduce(low, m, m, modulus, 1, limbs)
    if digits == 2:
        twice = scratch + ROW * 6 * limbs
        double(twice, x, limbs)
        long_products.put_long(high, x + ROW * limbs, twice, low, work, limbs)
        products.fold(high, m, m, modulus, 1, limbs)
        products.carry_folded(out + ROW * limbs, high, 2, limbs)
    products.carry_upper(out, low, 2, limbs)


@routine
def _add_product(z: int, x: int, y: int, scratch: int, limbs: int) -> None:
    products.add_product(z, products.factors(scratch, x, limbs), y, limbs)
    products.settle(z, limbs)


Routines = tuple[int, int, int, int]


@cache
def routines() -> Routines:
    """Where the products begin. Kernels take this, and pass it to the functions below."""
    return _mul.address, _square.address, _add_product.address, pairs.square_pair()


_routines = types.UniTuple(types.intp, 4)


@emits(types.none, _routines, *[types.intp] * 7)
def mul(
    builder: Any,
    routines: Any,
    out: Any,
    x: Any,
    y: Any,
    n: Any,
    scratch: Any,
    limbs: Any,
    digits: Any,
) -> None:
    """x*y; ``out`` may be x or y."""
    call(builder, builder.extract_value(routines, 0), [out, x, y, n, scratch, limbs, digits])


@emits(types.none, _routines, *[types.intp] * 6)
def square(
    builder: Any, routines: Any, out: Any, x: Any, n: Any, scratch: Any, limbs: Any, digits: Any
) -> None:
    """x*x; ``out`` may be x."""
    call(builder, builder.extract_value(routines, 1), [out, x, n, scratch, limbs, digits])


@emits(types.none, _routines, *[types.intp] * 6)
def _call_square_pair(
    builder: Any, routines: Any, x: Any, times: Any, n: Any, scratch: Any, limbs: Any, digits: Any
) -> None:
    call(builder, builder.extract_value(routines, 3), [x, times, n, scratch, limbs, digits])


@inner
def square_two(
    routines: Routines, x: int, times: int, n: int, scratch: int, limbs: int, digits: int
) -> None:
    """x**(2**times) in the first two lanes, in its place; in others any element."""
    if routines[3] and limbs <= pairs.MOST:
        _call_square_pair(routines, x, times, n, scratch, limbs, digits)
    else:
        for _ in range(times):
            square(routines, x, x, n, scratch, limbs, digits)


@emits(types.none, _routines, *[types.intp] * 5)
def add_exactly(
    builder: Any, routines: Any, z: Any, x: Any, y: Any, scratch: Any, limbs: Any
) -> None:
    """Add x*y to the 2*limbs columns at z."""
    call(builder, builder.extract_value(routines, 2), [z, x, y, scratch, limbs])


@inner
def subtract_once(out: int, x: int, n: int, scratch: int, limbs: int) -> Lanes:
    """x - n where that is not negative, else x; returns all ones in lanes of the latter."""
    for row in range(limbs):
        store(scratch + ROW * row, 0, sub(load(x + ROW * row, 0), load(n + ROW * row, 0)))
    over, mask = zero(), broadcast(LIMB)
    for row in range(limbs):
        column = add(load(scratch + ROW * row, 0), over)
        store(scratch + ROW * row, 0, bit_and(column, mask))
        over = shift_signed(column, LIMB_BITS)
    for row in range(limbs):
        kept = load(x + ROW * row, 0)
        store(out + ROW * row, 0, select(over, kept, load(scratch + ROW * row, 0)))
    return over
