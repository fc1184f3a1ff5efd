# SPDX-License-Identifier: Apache-2.0
"""Products with IFMA: ten limbs of eight lanes at a time."""

from __future__ import annotations

from mpc.kernels.bigint.blocks import (
    BLOCK,
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
from mpc.kernels.bigint.rows import ROW, carry
from mpc.kernels.compiled import inner


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
def put_long(z: int, x: int, y: int, _differences: int, _work: int, limbs: int) -> None:
    """``put_product``."""
    put_product(z, x, y, limbs)


@inner
def put_cross(z: int, x: int, y: int, _differences: int, _work: int, limbs: int) -> None:
    """Set the columns to x0*y1 + x1*y0, of numbers of two digits."""
    put_product(z, x, y + ROW * limbs, limbs)
    add_product(z, x + ROW * limbs, y, limbs)


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
def reduce(z: int, less: int, m: int, n: int, _products: int, limbs: int) -> None:
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


@inner
def fold(z: int, less: int, m: int, n: int, products: int, limbs: int) -> None:
    """``reduce``: without finding m there is nothing to gain."""
    reduce(z, less, m, n, products, limbs)


@inner
def carry_folded(out: int, z: int, products: int, limbs: int) -> None:
    """``carry_upper``."""
    carry_upper(out, z, products, limbs)


@inner
def carry_upper(out: int, z: int, _products: int, limbs: int) -> None:
    """Limbs from the upper half of the columns at z; what is carried out of the last is dropped."""
    carry(out, z + ROW * limbs, limbs)


@inner
def factors(_out: int, x: int, _rows: int) -> int:
    """Limbs as products take them, which is as they are."""
    return x


@inner
def settle(_z: int, _limbs: int) -> None:
    """Columns are nothing but sums of products."""
