# SPDX-License-Identifier: Apache-2.0
"""Long products on AVX2 by those of halves (Karatsuba and Ofman 1962): three instead of four.

With x = x0 + x1*B and y = y0 + y1*B,

    x*y = x0*y0*(1 + B) + x1*y1*(B + B**2) - (x0 - x1)*(y0 - y1)*B

Of the differences the magnitudes are multiplied, and what has a sign is the product. Columns are as
:mod:`mpc.kernels.bigint.narrow` has them: those of the sum are too large by exactly what those of a
product made row by row are, once the product of differences has been settled. Single columns may be
negative, which columns may be anyway.
"""

from __future__ import annotations

from typing import Any

from mpc.kernels.bigint.fives import factor
from mpc.kernels.bigint.narrow import add_product, excess_of, factors, put_product
from mpc.kernels.bigint.rows import LIMB, ROW
from mpc.kernels.compiled import inner
from mpc.kernels.lanes import (
    LIMB_BITS,
    add,
    bit_and,
    bit_xor,
    broadcast,
    load,
    shift_right,
    store,
    sub,
    zero,
)

Lanes = Any

LEAST = 40
"""Limbs from which on this is faster."""


@inner
def _compare(out: int, x: int, half: int) -> Lanes:
    """Limbs of x0 - x1, modulo B; returns zero in lanes where x1 is larger, else 1."""
    # Added to each limb, less what the row above is too large by then: carries are 0 or 1.
    lift, mask = broadcast(LIMB), broadcast(LIMB)
    over = broadcast(1)
    for row in range(half):
        less = sub(load(x + ROW * row, 0), load(x + ROW * (half + row), 0))
        column = add(add(less, lift), over)
        store(out + ROW * row, 0, bit_and(column, mask))
        over = shift_right(column, LIMB_BITS)
    return over


@inner
def _put_differences(out: int, x: int, y: int, work: int, limbs: int) -> Lanes:
    """Set the ``limbs`` columns at ``out`` to |x0 - x1| * |y0 - y1|; ``work`` are as many rows.

    Returns all ones in lanes where the product of the differences is not negative, else zero.
    """
    half, mask, one = limbs // 2, broadcast(LIMB), broadcast(1)
    first, second = work, work + ROW * half
    over, carried = _compare(first, x, half), _compare(second, y, half)
    signs = bit_xor(over, carried)
    over, carried = sub(one, over), sub(one, carried)
    flip, other = bit_and(sub(zero(), over), mask), bit_and(sub(zero(), carried), mask)
    for row in range(half):
        column = add(bit_xor(load(first + ROW * row, 0), flip), over)
        store(first + ROW * row, 0, factor(bit_and(column, mask)))
        over = shift_right(column, LIMB_BITS)
        column = add(bit_xor(load(second + ROW * row, 0), other), carried)
        store(second + ROW * row, 0, bit_and(column, mask))
        carried = shift_right(column, LIMB_BITS)
    put_product(out, first, second, half)
    return sub(signs, one)


@inner
def _put_halves(z: int, x: int, y: int, limbs: int) -> None:
    """Of factors x and limbs y: x0*y0 and x1*y1, one after the other."""
    half = limbs // 2
    put_product(z, x, y, half)
    put_product(z + ROW * limbs, x + ROW * half, y + ROW * half, half)


@inner
def _add_halves(z: int, x: int, y: int, limbs: int) -> None:
    """Add x0*y0 and x1*y1 to what ``_put_halves`` left."""
    half = limbs // 2
    add_product(z, x, y, half)
    add_product(z + ROW * limbs, x + ROW * half, y + ROW * half, half)


@inner
def _signed(at: int, minus: Lanes, row: int, half: int) -> Lanes:
    """A column of a product of differences, settled, and negated where ``minus`` is all ones."""
    settled = sub(load(at + ROW * row, 0), broadcast(excess_of(row, half)))
    return sub(bit_xor(settled, minus), minus)


@inner
def _join_halves(z: int, differences: int, minus: Lanes, limbs: int) -> None:
    """Make the columns of the product of those of the halves and of the differences."""
    half = limbs // 2
    for row in range(half):
        lower, upper = z + ROW * (half + row), z + ROW * (limbs + row)
        both = add(load(lower, 0), load(upper, 0))
        first = _signed(differences, minus, row, half)
        second = _signed(differences, minus, half + row, half)
        store(lower, 0, add(add(both, load(z + ROW * row, 0)), first))
        store(upper, 0, add(add(both, load(upper + ROW * half, 0)), second))


@inner
def _add_differences(z: int, differences: int, minus: Lanes, limbs: int) -> None:
    """Put in those of a second product, whose halves were added to those of the first."""
    half = limbs // 2
    for row in range(limbs):
        column = z + ROW * (half + row)
        store(column, 0, add(load(column, 0), _signed(differences, minus, row, half)))


@inner
def put_long(z: int, x: int, y: int, differences: int, work: int, limbs: int) -> None:
    """Set the 2*limbs columns at z to x*y; both scratches are ``limbs`` rows."""
    if limbs < LEAST:
        put_product(z, factors(work, x, limbs), y, limbs)
        return
    minus = _put_differences(differences, x, y, work, limbs)
    _put_halves(z, factors(work, x, limbs), y, limbs)
    _join_halves(z, differences, minus, limbs)


@inner
def put_cross(z: int, x: int, y: int, differences: int, work: int, limbs: int) -> None:
    """Set the columns to x0*y1 + x1*y0, of numbers of two digits; see ``put_long``."""
    other, multiplier = x + ROW * limbs, y + ROW * limbs
    if limbs < LEAST:
        put_product(z, factors(work, x, limbs), multiplier, limbs)
        add_product(z, factors(work, other, limbs), y, limbs)
        return
    minus = _put_differences(differences, x, multiplier, work, limbs)
    _put_halves(z, factors(work, x, limbs), multiplier, limbs)
    _add_halves(z, factors(work, other, limbs), y, limbs)
    _join_halves(z, differences, minus, limbs)
    minus = _put_differences(differences, other, y, work, limbs)
    _add_differences(z, differences, minus, limbs)
