# SPDX-License-Identifier: Apache-2.0
"""Loops over the rows of numbers: a row of 64 bytes holds one limb of eight lanes."""

from __future__ import annotations

import numpy as np

from mpc.kernels.bigint.blocks import BLOCK, ROW, load_block, store_block, zero_block
from mpc.kernels.compiled import inner
from mpc.kernels.lanes import (
    LIMB_BITS,
    add,
    bit_and,
    broadcast,
    load,
    shift_signed,
    store,
    sub,
    zero,
)

__all__ = ["LIMB", "ROW", "accumulate", "add_below_radix", "carry", "clear", "copy", "double"]

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
def accumulate(out: int, x: int, limbs: int) -> None:
    """out += x, as columns."""
    for row in range(limbs):
        store(out + ROW * row, 0, add(load(out + ROW * row, 0), load(x + ROW * row, 0)))


@inner
def add_below_radix(out: int, x: int, y: int, radix: int, limbs: int) -> None:
    """x + y, and if that reaches R = 2**(52*limbs), less R plus ``radix``, which is R modulo n."""
    over, mask = zero(), broadcast(LIMB)
    for row in range(limbs):
        column = add(add(load(x + ROW * row, 0), load(y + ROW * row, 0)), over)
        store(out + ROW * row, 0, bit_and(column, mask))
        over = shift_signed(column, LIMB_BITS)
    exceeds, over = sub(zero(), over), zero()
    for row in range(limbs):
        more = bit_and(load(radix + ROW * row, 0), exceeds)
        column = add(add(load(out + ROW * row, 0), more), over)
        store(out + ROW * row, 0, bit_and(column, mask))
        over = shift_signed(column, LIMB_BITS)
