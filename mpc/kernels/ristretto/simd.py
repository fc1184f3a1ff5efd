# SPDX-License-Identifier: Apache-2.0
"""ristretto255 on eight lanes of 52-bit limbs. ``portable`` has the same functions, to read.

Nothing branches or addresses memory by a value, valid or not, secret or not; hashing shows the
lengths of its items.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.kernels.compiled import inner, kernel
from mpc.kernels.lanes import COUNT, address, store
from mpc.kernels.ristretto.edwards import (
    ONE,
    RECODING,
    TABLE_WORDS,
    ZERO,
    cached,
    extended,
    fill_table,
    multiplied,
    summed,
)
from mpc.kernels.ristretto.field import frozen, load_number, low_255_bits, minus, store_number
from mpc.kernels.ristretto.group import (
    after_decode,
    after_encode,
    after_map,
    before_decode,
    before_encode,
    before_map,
    root_pair,
)
from mpc.kernels.ristretto.xmd import (
    OUTPUT_BYTES,
    SCRATCH_WORDS,
    digest_kernel,
    expand_kernel,
    rest_of,
    tail_of,
)

NUMBER_WORDS = 4
POINT_WORDS = 4 * NUMBER_WORDS
# What a row takes on one core, roughly: whether to cut a batch over threads.
ADD_SECONDS, HASH_SECONDS, ROOT_SECONDS, MUL_SECONDS = 5e-8, 3e-7, 5e-7, 5e-6


@inner
def _gather(rows: Any, first: int, stop: int, block: Any) -> None:
    """Eight rows of words side by side; past the end, the last row again."""
    for lane in range(COUNT):
        row = min(first + lane, stop - 1)
        for word in range(rows.shape[1]):
            block[word * COUNT + lane] = rows[row, word]


@inner
def _scatter(block: Any, rows: Any, first: int, stop: int) -> None:
    for lane in range(min(COUNT, stop - first)):
        for word in range(rows.shape[1]):
            rows[first + lane, word] = block[word * COUNT + lane]


@inner
def _point(rows: Any, first: int, stop: int, block: Any) -> Any:
    _gather(rows, first, stop, block)
    at = address(block)
    step = NUMBER_WORDS * COUNT
    y, z = load_number(at, step), load_number(at, 2 * step)
    return load_number(at, 0), y, z, load_number(at, 3 * step)


@inner
def _put_point(point: Any, block: Any, rows: Any, first: int, stop: int) -> None:
    at = address(block)
    step = NUMBER_WORDS * COUNT
    store_number(at, 0, point[0])
    store_number(at, step, point[1])
    store_number(at, 2 * step, point[2])
    store_number(at, 3 * step, point[3])
    _scatter(block, rows, first, stop)


@inner
def _number(rows: Any, first: int, stop: int, block: Any) -> Any:
    _gather(rows, first, stop, block)
    return load_number(address(block), 0)


@inner
def _put_number(element: Any, block: Any, rows: Any, first: int, stop: int) -> None:
    store_number(address(block), 0, element)
    _scatter(block, rows, first, stop)


@inner
def _put_mask(mask: Any, block: Any, rows: Any, first: int, stop: int) -> None:
    store(address(block), 0, mask)
    _scatter(block, rows, first, stop)


@kernel
def _decode(start: int, stop: int, encodings: Any, points: Any, valid: Any, block: Any) -> None:
    for first in range(start, stop, 2 * COUNT):
        # Where only one group is left the second one is its last row, done twice.
        second = min(first + COUNT, stop - 1)
        raw1 = _number(encodings, first, stop, block)
        raw2 = _number(encodings, second, stop, block)
        s1, s2 = frozen(raw1), frozen(raw2)
        before1, before2 = before_decode(s1), before_decode(s2)
        root1, root2 = root_pair(ONE(), before1[3], ONE(), before2[3])
        valid1, point1 = after_decode(raw1, s1, before1, root1)
        valid2, point2 = after_decode(raw2, s2, before2, root2)
        _put_point(point1, block, points, first, stop)
        _put_point(point2, block, points, second, stop)
        _put_mask(valid1, block, valid, first, stop)
        _put_mask(valid2, block, valid, second, stop)


@kernel
def _encode(start: int, stop: int, points: Any, encodings: Any, block: Any) -> None:
    for first in range(start, stop, 2 * COUNT):
        second = min(first + COUNT, stop - 1)
        point1 = _point(points, first, stop, block)
        point2 = _point(points, second, stop, block)
        before1, before2 = before_encode(point1), before_encode(point2)
        root1, root2 = root_pair(ONE(), before1[2], ONE(), before2[2])
        _put_number(after_encode(point1, before1, root1), block, encodings, first, stop)
        _put_number(after_encode(point2, before2, root2), block, encodings, second, stop)


@kernel
def _one_way_map(start: int, stop: int, halves: Any, points: Any, block: Any) -> None:
    for first in range(start, stop, COUNT):
        _gather(halves, first, stop, block)
        t1 = low_255_bits(load_number(address(block), 0))
        t2 = low_255_bits(load_number(address(block), NUMBER_WORDS * COUNT))
        before1, before2 = before_map(t1), before_map(t2)
        root1, root2 = root_pair(before1[1], before1[2], before2[1], before2[2])
        other = cached(after_map(t2, before2, root2))
        point = extended(summed(after_map(t1, before1, root1), other))
        _put_point(point, block, points, first, stop)


@kernel
def _add(start: int, stop: int, left: Any, right: Any, out: Any, block: Any) -> None:
    for first in range(start, stop, COUNT):
        other = cached(_point(right, first, stop, block))
        point = extended(summed(_point(left, first, stop, block), other))
        _put_point(point, block, out, first, stop)


@kernel
def _negate(start: int, stop: int, points: Any, out: Any, block: Any) -> None:
    for first in range(start, stop, COUNT):
        x, y, z, t = _point(points, first, stop, block)
        _put_point((minus(ZERO(), x), y, z, minus(ZERO(), t)), block, out, first, stop)


@kernel
def _mul(start: int, stop: int, points: Any, recoded: Any, out: Any, block: Any) -> None:
    one_for_all = len(recoded) == 1
    for first in range(start, stop, COUNT):
        table = address(block) + 8 * SCRATCH_WORDS
        fill_table(_point(points, first, stop, block), table)
        if one_for_all:
            _gather(recoded, 0, 1, block)
        else:
            _gather(recoded, first, stop, block)
        _put_point(multiplied(table, address(block)), block, out, first, stop)


def _scratch() -> NDArray[np.uint64]:
    """A block and a table, which begins at a line of the cache as every vector in it does."""
    words = np.empty(SCRATCH_WORDS + TABLE_WORDS + COUNT, np.uint64)
    skip = -words.ctypes.data % 64 // 8
    return words[skip : skip + SCRATCH_WORDS + TABLE_WORDS]


def _words(array: NDArray[Any]) -> NDArray[np.uint64]:
    """Rows of bytes, or points, as rows of words."""
    rows: NDArray[Any] = np.ascontiguousarray(array).reshape(len(array), math.prod(array.shape[1:]))
    return _plain(rows.view(np.uint64))


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    """The array, copied if it is read-only or unaligned, which numba would compile anew for."""
    return np.require(array, requirements=["C", "A", "W"])


def _new_points(count: int) -> NDArray[np.uint64]:
    return np.empty((count, 4, NUMBER_WORDS), np.uint64)


def decode(encodings: NDArray[np.uint8]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Points of (n, 32) encodings, and which are valid; the identity stands for invalid ones."""
    count = len(encodings)
    points, valid = _new_points(count), np.empty((count, 1), np.uint64)
    _decode.over(count, ROOT_SECONDS, _words(encodings), _words(points), valid, scratch=_scratch)
    return points, valid[:, 0] != 0


def encode(points: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """(n, 32) encodings of (n, 4, 4) points."""
    out = np.empty((len(points), 32), np.uint8)
    _encode.over(len(points), ROOT_SECONDS, _words(points), _words(out), scratch=_scratch)
    return out


def one_way_map(uniform: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """RFC 9496, section 4.3.4: points of (n, 64) uniform bytes."""
    out = _new_points(len(uniform))
    _one_way_map.over(
        len(uniform), 2 * ROOT_SECONDS, _words(uniform), _words(out), scratch=_scratch
    )
    return out


def add(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Sums of points, row by row."""
    out = _new_points(len(left))
    _add.over(len(left), ADD_SECONDS, _words(left), _words(right), _words(out), scratch=_scratch)
    return out


def negate(points: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Inverses of points."""
    out = _new_points(len(points))
    _negate.over(len(points), ADD_SECONDS, _words(points), _words(out), scratch=_scratch)
    return out


def mul(points: NDArray[np.uint64], scalars: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Multiples of points by (n, 4) scalars below 2^253, or by a single one of shape (1, 4)."""
    out = _new_points(len(points))
    _mul.over(
        len(points), MUL_SECONDS, _words(points), _recoded(scalars), _words(out), scratch=_scratch
    )
    return out


def _recoded(scalars: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The scalars plus RECODING, word by word with carries."""
    out = np.empty(scalars.shape, np.uint64)
    carry = np.zeros(len(scalars), np.uint64)
    for i in range(NUMBER_WORDS):
        constant = np.uint64(RECODING >> (64 * i) & (2**64 - 1))
        partial = scalars[:, i] + constant
        out[:, i] = partial + carry
        carry = ((partial < constant) | (out[:, i] < carry)).astype(np.uint64)
    return out


def expand(data: NDArray[np.uint8], offsets: NDArray[np.int64], dst: bytes) -> NDArray[np.uint8]:
    """expand_message_xmd to 64 bytes of each item ``data[offsets[i]:offsets[i + 1]]``."""
    out = np.empty((len(offsets) - 1, OUTPUT_BYTES), np.uint8)
    arrays = *_laid_out(data, offsets), _plain(tail_of(dst)), rest_of(dst), _words(out)
    expand_kernel.over(len(out), HASH_SECONDS, *arrays, scratch=_scratch)
    return out


def digests(data: NDArray[np.uint8], offsets: NDArray[np.int64], tail: bytes) -> NDArray[np.uint8]:
    """SHA-512 of each item followed by ``tail``."""
    out = np.empty((len(offsets) - 1, OUTPUT_BYTES), np.uint8)
    arrays = *_laid_out(data, offsets), _plain(np.frombuffer(tail, np.uint8)), _words(out)
    digest_kernel.over(len(out), HASH_SECONDS / 2, *arrays, scratch=_scratch)
    return out


def _laid_out(
    data: NDArray[np.uint8], offsets: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Only the items' part of the buffer, which is copied when it is read-only."""
    return _plain(data[offsets[0] : offsets[-1]]), offsets - offsets[0]
