# SPDX-License-Identifier: Apache-2.0
"""BLAKE2s on sixteen strings at a time, one per 32-bit lane, for ``hashing``."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numpy.typing import NDArray

from mpc.kernels.lanes import VECTOR, address, emits, read, write

LANES = 16
_BLOCK_BYTES = 64
_HALF = ir.IntType(32)
_HALVES = ir.VectorType(_HALF, LANES)

# RFC 7693, sections 2.6 and 2.7.
IV = (
    0x6A09E667,
    0xBB67AE85,
    0x3C6EF372,
    0xA54FF53A,
    0x510E527F,
    0x9B05688C,
    0x1F83D9AB,
    0x5BE0CD19,
)
SIGMA = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
    (14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3),
    (11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4),
    (7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8),
    (9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13),
    (2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9),
    (12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11),
    (13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10),
    (6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5),
    (10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0),
)
# Where the parts of a group of sixteen stand in its scratch words: 16 message words, the state of
# 8, then the byte counts, the last-block masks and the masks of strings still being read.
_MESSAGE, _STATE, _COUNT, _LAST, _ACTIVE, _ROWS = 0, 16, 24, 25, 26, 27


def _splat(value: int) -> Any:
    return ir.Constant(_HALVES, [value] * LANES)


def _mixed(builder: Any, v: list[Any], places: tuple[int, int, int, int], x: Any, y: Any) -> None:
    """The function G of RFC 7693, section 3.1, in place."""
    a, b, c, d = places

    def turned(value: Any, bits: int) -> Any:
        right = builder.lshr(value, _splat(bits))
        return builder.or_(right, builder.shl(value, _splat(32 - bits)))

    v[a] = builder.add(builder.add(v[a], v[b]), x)
    v[d] = turned(builder.xor(v[d], v[a]), 16)
    v[c] = builder.add(v[c], v[d])
    v[b] = turned(builder.xor(v[b], v[c]), 12)
    v[a] = builder.add(builder.add(v[a], v[b]), y)
    v[d] = turned(builder.xor(v[d], v[a]), 8)
    v[c] = builder.add(v[c], v[d])
    v[b] = turned(builder.xor(v[b], v[c]), 7)


@emits(types.none, types.intp)
def _compress(builder: Any, scratch: Any) -> None:
    """The function F of RFC 7693, section 3.2, on a group; strings that ended keep their state."""

    def row(index: int) -> Any:
        return builder.bitcast(read(builder, scratch, 8 * index), _HALVES)

    m = [row(_MESSAGE + i) for i in range(16)]
    h = [row(_STATE + i) for i in range(8)]
    v = h + [_splat(value) for value in IV]
    v[12] = builder.xor(v[12], row(_COUNT))
    v[14] = builder.xor(v[14], row(_LAST))
    for s in SIGMA:
        for i in range(4):
            _mixed(builder, v, (i, 4 + i, 8 + i, 12 + i), m[s[2 * i]], m[s[2 * i + 1]])
        for i in range(4):
            places = (i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
            _mixed(builder, v, places, m[s[8 + 2 * i]], m[s[9 + 2 * i]])
    for i in range(8):
        change = builder.and_(builder.xor(v[i], v[i + 8]), row(_ACTIVE))
        value = builder.bitcast(builder.xor(h[i], change), VECTOR)
        write(builder, scratch, 8 * (_STATE + i), value)


@emits(types.none, types.intp, types.intp)
def _begin(builder: Any, scratch: Any, state: Any) -> None:
    """All strings open, with one state of eight 32-bit words."""
    words = builder.inttoptr(state, _HALF.as_pointer())
    for i in range(8):
        word = builder.load(builder.gep(words, [ir.Constant(_HALF, i)]))
        first = builder.insert_element(_splat(0), word, ir.Constant(_HALF, 0))
        spread = builder.shuffle_vector(first, _splat(0), _splat(0))
        write(builder, scratch, 8 * (_STATE + i), builder.bitcast(spread, VECTOR))
    write(builder, scratch, 8 * _LAST, ir.Constant(VECTOR, [0] * 8))
    write(builder, scratch, 8 * _ACTIVE, ir.Constant(VECTOR, [2**64 - 1] * 8))


@emits(types.none, types.intp)
def _clear(builder: Any, scratch: Any) -> None:
    """Zero the message words."""
    for i in range(16):
        write(builder, scratch, 8 * (_MESSAGE + i), ir.Constant(VECTOR, [0] * 8))


def _at(builder: Any, base: Any, byte: Any, of: Any) -> Any:
    return builder.inttoptr(builder.add(base, byte), of.as_pointer())


@emits(types.uint32, types.intp, types.intp)
def _get(builder: Any, base: Any, byte: Any) -> Any:
    """The four bytes from any place."""
    return builder.load(_at(builder, base, byte, _HALF), align=1)


@emits(types.uint32, types.intp, types.intp)
def _get_byte(builder: Any, base: Any, byte: Any) -> Any:
    return builder.zext(builder.load(_at(builder, base, byte, ir.IntType(8))), _HALF)


@emits(types.none, types.intp, types.intp, types.uint32)
def _put(builder: Any, base: Any, byte: Any, value: Any) -> None:
    builder.store(value, _at(builder, base, byte, _HALF), align=4)


@njit(inline="always")
def _lay(base: int, start: int, length: int, to: int) -> None:
    """Put up to 64 bytes of a string into its lane of the message, which begins at ``to``."""
    whole = length & ~3
    for byte in range(0, whole, 4):
        _put(to, 16 * byte, _get(base, start + byte))
    if length & 3:
        tail = np.uint32(0)
        for byte in range(length & 3):
            tail |= _get_byte(base, start + whole + byte) << np.uint32(8 * byte)
        _put(to, 16 * whole, tail)


@njit(nogil=True, cache=True)
def _digests(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    start_state: NDArray[np.uint32],
    done: int,
    out: NDArray[np.uint32],
    words: NDArray[np.uint64],
) -> None:
    """``done`` bytes (a key's block) are in ``start_state`` already."""
    count, size = out.shape
    scratch, base, state, target = address(words), address(data), address(start_state), address(out)
    for first in range(0, count, LANES):
        group = min(LANES, count - first)
        _begin(scratch, state)
        position = 0
        open_strings = group
        while open_strings:
            _clear(scratch)
            for lane in range(group):
                to = scratch + 4 * lane
                start = offsets[first + lane] + position
                left = offsets[first + lane + 1] - start
                if position and _get(to, 64 * _LAST):
                    _put(to, 64 * _ACTIVE, np.uint32(0))
                    continue
                taken = min(left, _BLOCK_BYTES)
                _lay(base, start, taken, to)
                _put(to, 64 * _COUNT, np.uint32(done + position + taken))
                if left <= _BLOCK_BYTES:
                    _put(to, 64 * _LAST, np.uint32(0xFFFFFFFF))
                    open_strings -= 1
            _compress(scratch)
            position += _BLOCK_BYTES
        for lane in range(group):
            for word in range(size):
                place = 4 * ((first + lane) * size + word)
                _put(target, place, _get(scratch, 64 * (_STATE + word) + 4 * lane))


@njit(nogil=True, cache=True)
def _joined(
    left: NDArray[np.uint32],
    right: NDArray[np.uint32],
    start_state: NDArray[np.uint32],
    done: int,
    out: NDArray[np.uint32],
    words: NDArray[np.uint64],
) -> None:
    """One block for each pair of rows, whose words are known to fit it."""
    count, size = out.shape
    a, b = left.shape[1], right.shape[1]
    scratch, state, target = address(words), address(start_state), address(out)
    first_base, second_base = address(left), address(right)
    for first in range(0, count, LANES):
        group = min(LANES, count - first)
        _begin(scratch, state)
        for lane in range(group):
            to = scratch + 4 * lane
            for word in range(a):
                _put(to, 64 * word, _get(first_base, 4 * ((first + lane) * a + word)))
            for word in range(b):
                _put(to, 64 * (a + word), _get(second_base, 4 * ((first + lane) * b + word)))
            _put(to, 64 * _COUNT, np.uint32(done + 4 * (a + b)))
            _put(to, 64 * _LAST, np.uint32(0xFFFFFFFF))
        _compress(scratch)
        for lane in range(group):
            for word in range(size):
                place = 4 * ((first + lane) * size + word)
                _put(target, place, _get(scratch, 64 * (_STATE + word) + 4 * lane))


def _parameters(key: bytes, person: bytes, size: int) -> NDArray[np.uint32]:
    """The state before any block (RFC 7693, section 2.5, and the full block of BLAKE2, 2.8)."""
    block = bytes([size, len(key), 1, 1]) + bytes(20) + person.ljust(8, b"\0")
    return np.array(IV, np.uint32) ^ np.frombuffer(block, "<u4")


@njit(nogil=True, cache=True)
def _absorb(state: NDArray[np.uint32], block: NDArray[np.uint32]) -> None:
    """One block that is not the last, the first of its string."""
    words = np.zeros((_ROWS, 8), np.uint64)
    rows = words.view(np.uint32)
    _begin(address(words), address(state))
    for word in range(16):
        rows[word, 0] = block[word]
    rows[_COUNT, 0] = np.uint32(_BLOCK_BYTES)
    _compress(address(words))
    state[:] = rows[_STATE:_COUNT, 0]


def _start(key: bytes, person: bytes, size: int) -> tuple[NDArray[np.uint32], int]:
    """The state before the string, and how many bytes are in it."""
    state = _parameters(key, person, size)
    if not key:
        return state, 0
    _absorb(state, np.frombuffer(key.ljust(_BLOCK_BYTES, b"\0"), np.uint32))
    return state, _BLOCK_BYTES


def _scratch() -> NDArray[np.uint64]:
    """Made by who calls the kernel: numba would free it there before its address is used last."""
    return np.zeros(8 * _ROWS, np.uint64)


def joined(
    left: NDArray[np.uint64], right: NDArray[np.uint64], key: bytes, person: bytes, size: int
) -> NDArray[np.uint64]:
    out = np.empty((len(left), size // 4), np.uint32)
    state, done = _start(key, person, size)
    _joined(left.view(np.uint32), right.view(np.uint32), state, done, out, _scratch())
    return out.view(np.uint64)


def digests(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], key: bytes, person: bytes, size: int
) -> NDArray[np.uint64]:
    out = np.empty((len(offsets) - 1, size // 4), np.uint32)
    state, done = _start(key, person, size)
    _digests(data, offsets, state, done, out, _scratch())
    if key:
        # The key's block is then the only one, so it was the last one too.
        empty = hashlib.blake2s(key=key, person=person, digest_size=size).digest()
        out[offsets[1:] == offsets[:-1]] = np.frombuffer(empty, np.uint32)
    return out.view(np.uint64)
