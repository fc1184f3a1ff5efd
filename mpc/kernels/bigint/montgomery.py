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
one of numbers of twice the size takes 16. A squaring takes 7 against 12. For two digits below 10n
the second is below 2n too: (2*100/256 + 1)*n.

Addresses are bytes; ``n`` points to the limbs of the modulus and then one row of -1/n mod 2**52.
The scratch of a product is SCRATCH times ``limbs`` rows. ``digits`` is 1 modulo n, 2 modulo n**2.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from mpc.kernels.bigint.blocks import (
    BLOCK,
    ROW,
    eliminate,
    load_block,
    multiply,
    multiply_last,
    multiply_new,
    multiply_new_last,
    put_last,
    square_block,
    square_new_block,
    store_block,
    zero_block,
)
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
SCRATCH = 6
LIMB = np.uint64((1 << LIMB_BITS) - 1)


@inner
def clear(z: int, rows: int) -> None:
    """Zero a multiple of ten rows."""
    for row in range(0, rows, BLOCK):
        store_block(z + ROW * row, zero_block())


@inner
def copy(out: int, x: int, limbs: int) -> None:
    """A multiple of ten rows."""
    for row in range(0, limbs, BLOCK):
        store_block(out + ROW * row, load_block(x + ROW * row))


@inner
def carry(out: int, z: int, limbs: int) -> None:
    """Limbs of 52 bits from columns; what is carried out of the last is dropped."""
    over, mask = zero(), broadcast(LIMB)
    for row in range(limbs):
        column = add(load(z + ROW * row, 0), over)
        store(out + ROW * row, 0, bit_and(column, mask))
        over = shift_signed(column, LIMB_BITS)


@inner
def double(out: int, x: int, limbs: int) -> None:
    """2*x, as limbs."""
    over, mask = zero(), broadcast(LIMB)
    for row in range(limbs):
        limb = load(x + ROW * row, 0)
        column = add(add(limb, limb), over)
        store(out + ROW * row, 0, bit_and(column, mask))
        over = shift_signed(column, LIMB_BITS)


@inner
def add_product(z: int, x: int, y: int, limbs: int) -> None:
    """Add x*y to the 2*limbs columns at z."""
    for i in range(0, limbs, BLOCK):
        factors = load_block(y + ROW * i)
        running = load_block(z + ROW * i)
        for j in range(0, limbs, BLOCK):
            running = multiply(z + ROW * (i + j), running, x + ROW * j, factors)
        store_block(z + ROW * (i + limbs), running)


@inner
def put_product(z: int, x: int, y: int, limbs: int) -> None:
    """Set the 2*limbs columns at z to x*y."""
    top = limbs - BLOCK
    factors, running = load_block(y), zero_block()
    for j in range(0, limbs, BLOCK):
        running = multiply_new(z + ROW * j, running, x + ROW * j, factors)
    store_block(z + ROW * limbs, running)
    for i in range(BLOCK, limbs, BLOCK):
        factors = load_block(y + ROW * i)
        running = load_block(z + ROW * i)
        for j in range(0, top, BLOCK):
            running = multiply(z + ROW * (i + j), running, x + ROW * j, factors)
        running = multiply_new(z + ROW * (i + top), running, x + ROW * top, factors)
        store_block(z + ROW * (i + limbs), running)


@inner
def put_square(z: int, x: int, limbs: int) -> None:
    """Set the 2*limbs columns at z to x*x."""
    top = limbs - BLOCK
    factors, running = load_block(x), zero_block()
    running = square_new_block(z, running, factors)
    if top:
        running = multiply_new_last(z + ROW * BLOCK, running, x + ROW * BLOCK, factors)
        for j in range(2 * BLOCK, limbs, BLOCK):
            running = multiply_new(z + ROW * j, running, x + ROW * j, factors)
        store_block(z + ROW * limbs, running)
        for i in range(BLOCK, top, BLOCK):
            to, j = z + ROW * 2 * i, i + BLOCK
            factors = load_block(x + ROW * i)
            running = square_block(to, load_block(to), factors)
            if j < top:
                running = multiply_last(to + ROW * BLOCK, running, x + ROW * j, factors)
                for j in range(i + 2 * BLOCK, top, BLOCK):
                    running = multiply(z + ROW * (i + j), running, x + ROW * j, factors)
                running = multiply_new(z + ROW * (i + top), running, x + ROW * top, factors)
            else:
                running = multiply_new_last(to + ROW * BLOCK, running, x + ROW * j, factors)
            store_block(z + ROW * (i + limbs), running)
        to, factors = z + ROW * 2 * top, load_block(x + ROW * top)
        running = square_new_block(to, load_block(to), factors)
    put_last(z + ROW * (2 * limbs - BLOCK), running, factors)


@inner
def reduce(z: int, less: int, m: int, n: int, limbs: int) -> None:
    """Subtract ``less`` from the columns at z, and add m*n so that the lower half vanishes.

    m is written, and may be over ``less``.
    """
    inverse = n + ROW * limbs
    for i in range(0, limbs, BLOCK):
        running = eliminate(z + ROW * i, less + ROW * i, m + ROW * i, n, inverse)
        multiples = load_block(m + ROW * i)
        for j in range(BLOCK, limbs, BLOCK):
            running = multiply(z + ROW * (i + j), running, n + ROW * j, multiples)
        store_block(z + ROW * (i + limbs), running)


@routine
def _mul(out: int, x: int, y: int, n: int, scratch: int, limbs: int, digits: int) -> None:
    low, m = scratch, scratch + ROW * 2 * limbs
    clear(m, limbs)
    put_product(low, x, y, limbs)
    reduce(low, m, m, n, limbs)
    if digits == 2:
        high = scratch + ROW * 3 * limbs
        put_product(high, x, y + ROW * limbs, limbs)
        add_product(high, x + ROW * limbs, y, limbs)
        reduce(high, m, m, n, limbs)
        carry(out + ROW * limbs, high + ROW * limbs, limbs)
    carry(out, low + ROW * limbs, limbs)


@routine
def _square(out: int, x: int, n: int, scratch: int, limbs: int, digits: int) -> None:
    low, m = scratch, scratch + ROW * 2 * limbs
    clear(m, limbs)
    put_square(low, x, limbs)
    reduce(low, m, m, n, limbs)
    if digits == 2:
        high, twice = scratch + ROW * 3 * limbs, scratch + ROW * 5 * limbs
        double(twice, x, limbs)
        put_product(high, x + ROW * limbs, twice, limbs)
        reduce(high, m, m, n, limbs)
        carry(out + ROW * limbs, high + ROW * limbs, limbs)
    carry(out, low + ROW * limbs, limbs)


@routine
def _add_product(z: int, x: int, y: int, limbs: int) -> None:
    add_product(z, x, y, limbs)


Routines = tuple[int, int, int]


def routines() -> Routines:
    """Where the products begin. Kernels take this, and pass it to the functions below."""
    return _mul.address, _square.address, _add_product.address


_routines = types.UniTuple(types.intp, 3)


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


@emits(types.none, _routines, *[types.intp] * 4)
def add_exactly(builder: Any, routines: Any, z: Any, x: Any, y: Any, limbs: Any) -> None:
    """Add x*y to the 2*limbs columns at z."""
    call(builder, builder.extract_value(routines, 2), [z, x, y, limbs])


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
