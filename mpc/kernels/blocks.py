# SPDX-License-Identifier: Apache-2.0
"""Four 128-bit blocks at a time: the lanes of ``lanes``, taken in pairs.

A block is two words, the low one first, so that a uint64 array (n, 2) holds n blocks in the order
of their bytes in memory. ``load``, ``store``, ``spread`` and ``store_block`` take a contiguous
array of any shape and count its words; they check nothing. The instructions on blocks are VAES and
VPCLMULQDQ, which ``vaes`` looks for, on 512 bits at once or on 256 twice.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic as _intrinsic

from mpc.kernels import vaes
from mpc.kernels.lanes import VECTOR, WORD, add, by_halves, emits, instruction
from mpc.kernels.lanes import bit_xor as xor
from mpc.kernels.lanes import lanes as _lanes

__all__ = ["BLOCKS", "VECTOR", "WORD", "add", "intrinsic", "xor"]

BLOCKS = _lanes

# numba passes the typing context itself, which its annotations do not say.
intrinsic: Any = _intrinsic

NARROW = ir.VectorType(ir.IntType(32), 16)
_PAIR = ir.VectorType(WORD, 2)
_NOTHING = ir.Constant(VECTOR, ir.Undefined)
_ZERO = ir.Constant(VECTOR, [0] * 8)


def _order(places: list[int]) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(32), len(places)), places)


def _place(context: Any, builder: Any, signature: Any, args: Any, of: Any) -> Any:
    """A pointer into the first argument, an array, at the word that the second one says."""
    data = context.make_array(signature.args[0])(context, builder, args[0]).data
    word = builder.gep(builder.bitcast(data, WORD.as_pointer()), [args[1]])
    return builder.bitcast(word, of.as_pointer())


@intrinsic
def load(_context: Any, array: Any, _word: Any) -> Any:
    """The four blocks from a word of an array."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(_place(context, builder, signature, args, VECTOR), align=8)

    return BLOCKS(array, types.int64), generate


@intrinsic
def spread(_context: Any, array: Any, _word: Any) -> Any:
    """The one block at a word of an array, four times."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        block = builder.load(_place(context, builder, signature, args, _PAIR), align=8)
        nothing = ir.Constant(_PAIR, ir.Undefined)
        return builder.shuffle_vector(block, nothing, _order([0, 1] * 4))

    return BLOCKS(array, types.int64), generate


@intrinsic
def store(_context: Any, array: Any, _word: Any, value: Any) -> Any:
    """Write four blocks to a word of an array."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[2], _place(context, builder, signature, args, VECTOR), align=8)
        return context.get_dummy_value()

    return types.void(array, types.int64, value), generate


@intrinsic
def store_block(_context: Any, array: Any, _word: Any, value: Any) -> Any:
    """Write the first block to a word of an array."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        block = builder.shuffle_vector(args[2], _NOTHING, _order([0, 1]))
        builder.store(block, _place(context, builder, signature, args, _PAIR), align=8)
        return context.get_dummy_value()

    return types.void(array, types.int64, value), generate


def _on_blocks(builder: Any, name: str, args: list[Any], *immediate: Any) -> Any:
    if vaes.width() == 512:
        return instruction(builder, f"{name}.512", [*args, *immediate])
    return by_halves(
        builder, args, lambda half: instruction(builder, f"{name}.256", [*half, *immediate])
    )


@emits(BLOCKS, BLOCKS, BLOCKS)
def aes_round(builder: Any, x: Any, key: Any) -> Any:
    """One AES round on each block (FIPS 197, section 5.1: ShiftRows, SubBytes, MixColumns, key)."""
    return _on_blocks(builder, "aesni.aesenc", [x, key])


@emits(BLOCKS, BLOCKS, BLOCKS)
def aes_last_round(builder: Any, x: Any, key: Any) -> Any:
    """The last AES round, without MixColumns."""
    return _on_blocks(builder, "aesni.aesenclast", [x, key])


def _product(builder: Any, x: Any, y: Any, halves: int) -> Any:
    """Products of 64-bit polynomials; ``halves`` picks a word of x (bit 0) and one of y (bit 4)."""
    return _on_blocks(builder, "pclmulqdq", [x, y], ir.Constant(ir.IntType(8), halves))


@emits(BLOCKS, BLOCKS, BLOCKS)
def clmul_low(builder: Any, x: Any, y: Any) -> Any:
    """Low word of x times low word of y, in each block."""
    return _product(builder, x, y, 0x00)


@emits(BLOCKS, BLOCKS, BLOCKS)
def clmul_high_low(builder: Any, x: Any, y: Any) -> Any:
    """High word of x times low word of y, in each block."""
    return _product(builder, x, y, 0x01)


@emits(BLOCKS, BLOCKS, BLOCKS)
def clmul_low_high(builder: Any, x: Any, y: Any) -> Any:
    """Low word of x times high word of y, in each block."""
    return _product(builder, x, y, 0x10)


@emits(BLOCKS, BLOCKS, BLOCKS)
def clmul_high(builder: Any, x: Any, y: Any) -> Any:
    """High word of x times high word of y, in each block."""
    return _product(builder, x, y, 0x11)


@emits(BLOCKS, BLOCKS)
def low_up(builder: Any, x: Any) -> Any:
    """x << 64 in each block."""
    return builder.shuffle_vector(x, _ZERO, _order([8, 0, 8, 2, 8, 4, 8, 6]))


@emits(BLOCKS, BLOCKS)
def high_down(builder: Any, x: Any) -> Any:
    """x >> 64 in each block."""
    return builder.shuffle_vector(x, _ZERO, _order([1, 8, 3, 8, 5, 8, 7, 8]))


@emits(BLOCKS, BLOCKS)
def next_block(builder: Any, x: Any) -> Any:
    """The blocks turned by one: x1 x2 x3 x0."""
    return builder.shuffle_vector(x, _NOTHING, _order([2, 3, 4, 5, 6, 7, 0, 1]))


@emits(BLOCKS, BLOCKS, BLOCKS)
def zip_low(builder: Any, x: Any, y: Any) -> Any:
    """Blocks x0 y0 x1 y1."""
    return builder.shuffle_vector(x, y, _order([0, 1, 8, 9, 2, 3, 10, 11]))


@emits(BLOCKS, BLOCKS, BLOCKS)
def zip_high(builder: Any, x: Any, y: Any) -> Any:
    """Blocks x2 y2 x3 y3."""
    return builder.shuffle_vector(x, y, _order([4, 5, 12, 13, 6, 7, 14, 15]))


@emits(BLOCKS, BLOCKS)
def word_up(builder: Any, x: Any) -> Any:
    """x << 32 in each block."""
    order = [place for base in range(0, 16, 4) for place in (16, base, base + 1, base + 2)]
    zero = ir.Constant(NARROW, [0] * 16)
    moved = builder.shuffle_vector(builder.bitcast(x, NARROW), zero, _order(order))
    return builder.bitcast(moved, VECTOR)


@emits(BLOCKS, BLOCKS)
def last_word_rotated(builder: Any, x: Any) -> Any:
    """RotWord (FIPS 197, section 5.2) of the last 32-bit word of each block, in all four words."""
    order = _order([3] * 4 + [7] * 4 + [11] * 4 + [15] * 4)
    narrow = builder.bitcast(x, NARROW)
    word = builder.shuffle_vector(narrow, ir.Constant(NARROW, ir.Undefined), order)
    low = builder.lshr(word, ir.Constant(NARROW, [8] * 16))
    high = builder.shl(word, ir.Constant(NARROW, [24] * 16))
    return builder.bitcast(builder.or_(low, high), VECTOR)
