# SPDX-License-Identifier: Apache-2.0
"""The halves of an expand-convolute code on eight lanes of words; what they do: ``lpn``.

The convolution keeps the next values in registers, four of 128 bits or eight words in each, and
adds every value to them under masks made of its taps. The gather is one pass over the outputs for
each segment, which stays in the second-level cache (the caller cuts segments of about a megabyte).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import types
from numpy.typing import NDArray

from mpc.kernels.blocks import BLOCKS, VECTOR, WORD, add, intrinsic, load, store, xor

Words = NDArray[np.uint64]

_PAIR = ir.VectorType(WORD, 2)


def _spread_lane(words: list[int]) -> Any:
    """One value of a register, in every place of the result."""

    def spread(_context: Any, x: Any) -> Any:
        def generate(_c: Any, builder: Any, _signature: Any, args: Any) -> Any:
            mask = ir.Constant(ir.VectorType(ir.IntType(32), 8), words)
            return builder.shuffle_vector(args[0], ir.Constant(VECTOR, ir.Undefined), mask)

        return BLOCKS(x), generate

    return intrinsic(spread)


_block0, _block1, _block2, _block3 = (_spread_lane([2 * i, 2 * i + 1] * 4) for i in range(4))
_word0, _word1, _word2, _word3 = (_spread_lane([i] * 8) for i in range(4))
_word4, _word5, _word6, _word7 = (_spread_lane([i] * 8) for i in range(4, 8))


@intrinsic
def _both(_context: Any, x: Any, y: Any) -> Any:
    """x & y."""

    def generate(_c: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.and_(*args)

    return BLOCKS(x, y), generate


@intrinsic
def _where(_context: Any, x: Any, _bits: Any) -> Any:
    """Word j of x where bit j of ``bits`` is set, else 0."""

    def generate(_c: Any, builder: Any, _signature: Any, args: Any) -> Any:
        byte = builder.trunc(args[1], ir.IntType(8))
        mask = builder.bitcast(byte, ir.VectorType(ir.IntType(1), 8))
        return builder.select(mask, args[0], ir.Constant(VECTOR, [0] * 8))

    return BLOCKS(x, types.int64), generate


@intrinsic
def _xor_block(_context: Any, out: Any, _i: Any, values: Any, _j: Any) -> Any:
    """Add the block at flat word j of ``values`` to the block at flat word i of ``out``."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def address(array_type: Any, array: Any, index: Any) -> Any:
            data = context.make_array(array_type)(context, builder, array).data
            words = builder.gep(builder.bitcast(data, WORD.as_pointer()), [index])
            return builder.bitcast(words, _PAIR.as_pointer())

        target = address(signature.args[0], args[0], args[1])
        source = address(signature.args[2], args[2], args[3])
        total = builder.xor(builder.load(target, align=8), builder.load(source, align=8))
        builder.store(total, target, align=8)
        return context.get_dummy_value()

    return types.void(out, types.int64, values, types.int64), generate


def _masks() -> Words:
    """For each four bits the register that is all ones in the blocks whose bit is set."""
    bits = np.arange(16)[:, None] >> np.arange(4) & 1
    return np.repeat(bits.astype(np.uint64) * np.uint64(2**64 - 1), 2, axis=1)


_MASKS = _masks()


@njit(inline="always")
def _ahead(tap: Any, lane: int) -> Any:
    """The taps of lane ``lane`` as bits counted from the first lane of its register."""
    return np.int64((tap & 0xFFFFFF | 1 << 24) << (lane + 1))


@njit(inline="always")
def _add_block(w: Any, value: Any, bits: Any, masks: Any) -> Any:
    return (
        xor(w[0], _both(value, load(masks, 8 * (bits & 15)))),
        xor(w[1], _both(value, load(masks, 8 * (bits >> 4 & 15)))),
        xor(w[2], _both(value, load(masks, 8 * (bits >> 8 & 15)))),
        xor(w[3], _both(value, load(masks, 8 * (bits >> 12 & 15)))),
        xor(w[4], _both(value, load(masks, 8 * (bits >> 16 & 15)))),
        xor(w[5], _both(value, load(masks, 8 * (bits >> 20 & 15)))),
        xor(w[6], _both(value, load(masks, 8 * (bits >> 24 & 15)))),
        xor(w[7], _both(value, load(masks, 8 * (bits >> 28)))),
    )


@njit(nogil=True, cache=True)
def _accumulate_blocks(values: Words, taps: Any, masks: Words) -> int:
    """All but the last values; returns how many were done. Reads 32 places ahead."""
    size = max(0, len(values) - 32) // 4 * 4
    if size == 0:
        return 0
    w = (
        load(values, 0),
        load(values, 8),
        load(values, 16),
        load(values, 24),
        load(values, 32),
        load(values, 40),
        load(values, 48),
        load(values, 56),
    )
    for i in range(0, size, 4):
        w = _add_block(w, _block0(w[0]), _ahead(taps[i], 0), masks)
        w = _add_block(w, _block1(w[0]), _ahead(taps[i + 1], 1), masks)
        w = _add_block(w, _block2(w[0]), _ahead(taps[i + 2], 2), masks)
        w = _add_block(w, _block3(w[0]), _ahead(taps[i + 3], 3), masks)
        store(values, 2 * i, w[0])
        w = (w[1], w[2], w[3], w[4], w[5], w[6], w[7], load(values, 2 * i + 64))
    for j in range(8):
        # The tuple is of one type, so numba lets a variable index it.
        store(values, 2 * size + 8 * j, w[j])
    return size


@njit
def _sum(x: Any, y: Any, modular: Any) -> Any:
    # numba compiles only the branch that the type of ``modular``, None or bool, selects.
    if modular is None:
        return xor(x, y)
    return add(x, y)


@njit
def _add_word(w: Any, value: Any, bits: Any, modular: Any) -> Any:
    return (
        _sum(w[0], _where(value, bits), modular),
        _sum(w[1], _where(value, bits >> 8), modular),
        _sum(w[2], _where(value, bits >> 16), modular),
        _sum(w[3], _where(value, bits >> 24), modular),
        _sum(w[4], _where(value, bits >> 32), modular),
    )


@njit(nogil=True, cache=True)
def _accumulate_words(values: Words, taps: Any, modular: Any) -> int:
    """The same on words; ``modular`` is True, or None for XOR."""
    size = max(0, len(values) - 40) // 8 * 8
    if size == 0:
        return 0
    w = (
        load(values, 0),
        load(values, 8),
        load(values, 16),
        load(values, 24),
        load(values, 32),
    )
    for i in range(0, size, 8):
        w = _add_word(w, _word0(w[0]), _ahead(taps[i], 0), modular)
        w = _add_word(w, _word1(w[0]), _ahead(taps[i + 1], 1), modular)
        w = _add_word(w, _word2(w[0]), _ahead(taps[i + 2], 2), modular)
        w = _add_word(w, _word3(w[0]), _ahead(taps[i + 3], 3), modular)
        w = _add_word(w, _word4(w[0]), _ahead(taps[i + 4], 4), modular)
        w = _add_word(w, _word5(w[0]), _ahead(taps[i + 5], 5), modular)
        w = _add_word(w, _word6(w[0]), _ahead(taps[i + 6], 6), modular)
        w = _add_word(w, _word7(w[0]), _ahead(taps[i + 7], 7), modular)
        store(values, i, w[0])
        w = (w[1], w[2], w[3], w[4], load(values, i + 40))
    for j in range(5):
        store(values, size + 8 * j, w[j])
    return size


@njit(nogil=True, cache=True)
def _finish(values: Words, taps: Any, start: int, modular: bool) -> None:
    """The values from ``start``, which reach past the end; ``values`` is (n, words)."""
    size = len(values)
    for i in range(start, size):
        bits = taps[i] & 0xFFFFFF | 1 << 24
        for k in range(25):
            if bits >> k & 1:
                place = (i + 1 + k) % size
                for word in range(values.shape[1]):
                    if modular:
                        values[place, word] += values[i, word]
                    else:
                        values[place, word] ^= values[i, word]


@njit(nogil=True, cache=True)
def _gather_blocks(out: Words, values: Words, picks: Any, first: int, length: int) -> None:
    for i in range(len(out)):
        place = first + np.int64(np.uint64(picks[i]) * np.uint64(length) >> np.uint64(32))
        _xor_block(out, 2 * i, values, 2 * place)


@njit(nogil=True, cache=True)
def _gather_words(
    out: Words, values: Words, picks: Any, first: int, length: int, modular: bool
) -> None:
    if modular:
        for i in range(len(out)):
            place = first + np.int64(np.uint64(picks[i]) * np.uint64(length) >> np.uint64(32))
            out[i] += values[place]
    else:
        for i in range(len(out)):
            place = first + np.int64(np.uint64(picks[i]) * np.uint64(length) >> np.uint64(32))
            out[i] ^= values[place]


def accumulate(values: Words, taps: NDArray[np.uint32], modular: bool) -> None:
    if values.ndim == 2:
        done = _accumulate_blocks(values, taps, _MASKS)
    else:
        done = _accumulate_words(values, taps, True if modular else None)
    _finish(values.reshape(len(values), -1), taps, done, modular)


def gather(
    out: Words, values: Words, picks: NDArray[np.uint32], first: int, length: int, modular: bool
) -> None:
    if out.ndim == 2:
        _gather_blocks(out, values, picks, first, length)
    else:
        _gather_words(out, values, picks, first, length, modular)
