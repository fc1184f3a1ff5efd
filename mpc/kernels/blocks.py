# SPDX-License-Identifier: Apache-2.0
"""Four 128-bit blocks in one AVX-512 register, as a numba type with the few instructions we need.

A block is two uint64 words, low word first, so that an array (n, 2) of uint64 holds n blocks in the
order of their bytes in memory. Only ``*_simd`` modules import this one: it needs numba and, to run,
a CPU with VAES and VPCLMULQDQ (Ice Lake, Zen 4 and later).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import extending
from numba.core import types
from numba.core.datamodel.models import PrimitiveModel
from numba.core.datamodel.registry import register_default

# numba passes the typing context itself, which its annotations do not say.
intrinsic: Any = extending.intrinsic

WORD = ir.IntType(64)
VECTOR = ir.VectorType(WORD, 8)
NARROW = ir.VectorType(ir.IntType(32), 16)


class BlocksType(types.Type):
    """The numba type of a register of four blocks."""

    def __init__(self) -> None:
        super().__init__(name="Blocks")


BLOCKS = BlocksType()


@register_default(BlocksType)
class _BlocksModel(PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, VECTOR)


def _address(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """The address of word ``index`` of a contiguous array, of any shape, seen as flat words."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(builder.bitcast(data, WORD.as_pointer()), [index])


def _call(builder: Any, name: str, values: list[Any]) -> Any:
    signature = ir.FunctionType(VECTOR, [value.type for value in values])
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, signature, name)
    return builder.call(function, values)


@intrinsic
def load(_context: Any, array: Any, _index: Any) -> Any:
    """The eight words from flat position ``index`` of a contiguous uint64 array, unaligned."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address = _address(context, builder, signature.args[0], args[0], args[1])
        return builder.load(builder.bitcast(address, VECTOR.as_pointer()), align=8)

    return BLOCKS(array, types.int64), generate


@intrinsic
def store(_context: Any, array: Any, _index: Any, value: Any) -> Any:
    """Write eight words to flat position ``index`` of a contiguous uint64 array, unaligned."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address = _address(context, builder, signature.args[0], args[0], args[1])
        builder.store(args[2], builder.bitcast(address, VECTOR.as_pointer()), align=8)
        return context.get_dummy_value()

    return types.void(array, types.int64, value), generate


@intrinsic
def spread(_context: Any, array: Any, _index: Any) -> Any:
    """The one block at flat word ``index`` of a contiguous uint64 array, four times."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address = _address(context, builder, signature.args[0], args[0], args[1])
        pair = ir.VectorType(WORD, 2)
        block = builder.load(builder.bitcast(address, pair.as_pointer()), align=8)
        mask = ir.Constant(ir.VectorType(ir.IntType(32), 8), [0, 1] * 4)
        return builder.shuffle_vector(block, ir.Constant(pair, ir.Undefined), mask)

    return BLOCKS(array, types.int64), generate


@intrinsic
def store_block(_context: Any, array: Any, _index: Any, value: Any) -> Any:
    """Write the lowest block to flat word ``index`` of a contiguous uint64 array."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address = _address(context, builder, signature.args[0], args[0], args[1])
        pair = ir.VectorType(WORD, 2)
        mask = ir.Constant(ir.VectorType(ir.IntType(32), 2), [0, 1])
        block = builder.shuffle_vector(args[2], ir.Constant(VECTOR, ir.Undefined), mask)
        builder.store(block, builder.bitcast(address, pair.as_pointer()), align=8)
        return context.get_dummy_value()

    return types.void(array, types.int64, value), generate


@intrinsic
def add(_context: Any, x: Any, y: Any) -> Any:
    """x + y modulo 2^64 in each word."""

    def generate(_c: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.add(*args)

    return BLOCKS(x, y), generate


@intrinsic
def xor(_context: Any, x: Any, y: Any) -> Any:
    """x ^ y."""

    def generate(_c: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.xor(*args)

    return BLOCKS(x, y), generate


@intrinsic
def aes_round(_context: Any, x: Any, key: Any) -> Any:
    """One AES round on each block (FIPS 197, section 5.1: ShiftRows, SubBytes, MixColumns, key)."""

    def generate(_c: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return _call(builder, "llvm.x86.aesni.aesenc.512", list(args))

    return BLOCKS(x, key), generate


@intrinsic
def aes_last_round(_context: Any, x: Any, key: Any) -> Any:
    """The last AES round, without MixColumns."""

    def generate(_c: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return _call(builder, "llvm.x86.aesni.aesenclast.512", list(args))

    return BLOCKS(x, key), generate


def _carryless(halves: int, doc: str) -> Any:
    """The product of 64-bit polynomials; ``halves`` picks a word of x (bit 0) and of y (bit 4)."""

    def product(_context: Any, x: Any, y: Any) -> Any:
        def generate(_c: Any, builder: Any, _signature: Any, args: Any) -> Any:
            which = ir.Constant(ir.IntType(8), halves)
            return _call(builder, "llvm.x86.pclmulqdq.512", [*args, which])

        return BLOCKS(x, y), generate

    product.__doc__ = doc
    return intrinsic(product)


clmul_low = _carryless(0x00, "low word of x times low word of y, in each block")
clmul_high_low = _carryless(0x01, "high word of x times low word of y, in each block")
clmul_low_high = _carryless(0x10, "low word of x times high word of y, in each block")
clmul_high = _carryless(0x11, "high word of x times high word of y, in each block")


def _permute(order: list[int], doc: str) -> Any:
    """The words of x and of a zero register (its words are 8 to 15) in a fixed order."""

    def permuted(_context: Any, x: Any) -> Any:
        def generate(_c: Any, builder: Any, _signature: Any, args: Any) -> Any:
            mask = ir.Constant(ir.VectorType(ir.IntType(32), 8), order)
            return builder.shuffle_vector(args[0], ir.Constant(VECTOR, [0] * 8), mask)

        return BLOCKS(x), generate

    permuted.__doc__ = doc
    return intrinsic(permuted)


low_up = _permute([8, 0, 8, 2, 8, 4, 8, 6], "x << 64 in each block")
high_down = _permute([1, 8, 3, 8, 5, 8, 7, 8], "x >> 64 in each block")
swap_words = _permute([1, 0, 3, 2, 5, 4, 7, 6], "the two words of each block exchanged")
next_block = _permute([2, 3, 4, 5, 6, 7, 0, 1], "the blocks turned by one: x1 x2 x3 x0")


@intrinsic
def word_up(_context: Any, x: Any) -> Any:
    """x << 32 in each block."""

    def generate(_c: Any, builder: Any, _signature: Any, args: Any) -> Any:
        narrow = builder.bitcast(args[0], NARROW)
        order = [place for base in range(0, 16, 4) for place in (16, base, base + 1, base + 2)]
        mask = ir.Constant(NARROW, order)
        moved = builder.shuffle_vector(narrow, ir.Constant(NARROW, [0] * 16), mask)
        return builder.bitcast(moved, VECTOR)

    return BLOCKS(x), generate


@intrinsic
def last_word_rotated(_context: Any, x: Any) -> Any:
    """RotWord (FIPS 197, section 5.2) of the last 32-bit word of each block, in all four words."""

    def generate(_c: Any, builder: Any, _signature: Any, args: Any) -> Any:
        narrow = builder.bitcast(args[0], NARROW)
        mask = ir.Constant(NARROW, [3] * 4 + [7] * 4 + [11] * 4 + [15] * 4)
        word = builder.shuffle_vector(narrow, ir.Constant(NARROW, ir.Undefined), mask)
        low = builder.lshr(word, ir.Constant(NARROW, [8] * 16))
        high = builder.shl(word, ir.Constant(NARROW, [24] * 16))
        return builder.bitcast(builder.or_(low, high), VECTOR)

    return BLOCKS(x), generate


def _interleave(order: list[int], doc: str) -> Any:
    """Blocks of x and y in a fixed order."""

    def joined(_context: Any, x: Any, y: Any) -> Any:
        def generate(_c: Any, builder: Any, _signature: Any, args: Any) -> Any:
            mask = ir.Constant(ir.VectorType(ir.IntType(32), 8), order)
            return builder.shuffle_vector(args[0], args[1], mask)

        return BLOCKS(x, y), generate

    joined.__doc__ = doc
    return intrinsic(joined)


zip_low = _interleave([0, 1, 8, 9, 2, 3, 10, 11], "x0 y0 x1 y1, where xi, yi are blocks")
zip_high = _interleave([4, 5, 12, 13, 6, 7, 14, 15], "x2 y2 x3 y3, where xi, yi are blocks")
