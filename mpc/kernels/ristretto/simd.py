# SPDX-License-Identifier: Apache-2.0
"""ristretto255, compiled: eight at a time on lanes of 52-bit limbs, or one at a time on words.

``portable`` has the same functions, to read. The hashes always work on eight at a time.

Nothing branches or addresses memory by a value, valid or not, secret or not; hashing shows the
lengths of its items.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.kernels.compiled import kernel
from mpc.kernels.lanes import address
from mpc.kernels.ristretto import portable
from mpc.kernels.ristretto.comb import combs, sums_of
from mpc.kernels.ristretto.edwards import ONE, ZERO, cached, extended, summed
from mpc.kernels.ristretto.field import frozen, lanes_of, load_number, low_255_bits, minus
from mpc.kernels.ristretto.group import (
    after_decode,
    after_encode,
    after_map,
    before_decode,
    before_encode,
    before_map,
    root_pair,
)
from mpc.kernels.ristretto.multiples import fixed_table, mul, mul_fixed, sums
from mpc.kernels.ristretto.rows import (
    SCRATCH,
    gather,
    kind_for,
    new_points,
    plain,
    put_mask,
    put_number,
    put_point,
    read_number,
    read_point,
    words_of,
)
from mpc.kernels.ristretto.xmd import OUTPUT_BYTES, digest_kernel, expand_kernel, rest_of, tail_of

__all__ = [
    "add",
    "comb_sums",
    "decode",
    "digests",
    "encode",
    "expand",
    "fixed_table",
    "mul",
    "mul_fixed",
    "negate",
    "one_way_map",
    "sums",
]

FEW_HASHES = 8  # below it they are hashed one by one, by OpenSSL
# What a row takes on one core, roughly: whether to cut a batch over threads.
ADD_SECONDS, HASH_SECONDS, ROOT_SECONDS = 5e-8, 3e-7, 5e-7


@kernel
def _decode(
    start: int, stop: int, encodings: Any, points: Any, valid: Any, kind: Any, block: Any
) -> None:
    count = lanes_of(kind)
    for first in range(start, stop, 2 * count):
        # Where only one group is left the second one is its last row, done twice.
        second = min(first + count, stop - 1)
        raw1 = read_number(encodings, first, stop, block, kind)
        raw2 = read_number(encodings, second, stop, block, kind)
        s1, s2 = frozen(raw1), frozen(raw2)
        before1, before2 = before_decode(s1), before_decode(s2)
        root1, root2 = root_pair(ONE(s1), before1[3], ONE(s2), before2[3])
        valid1, point1 = after_decode(raw1, s1, before1, root1)
        valid2, point2 = after_decode(raw2, s2, before2, root2)
        put_point(point1, block, points, first, stop, kind)
        put_point(point2, block, points, second, stop, kind)
        put_mask(valid1, block, valid, first, stop, kind)
        put_mask(valid2, block, valid, second, stop, kind)


@kernel
def _encode(start: int, stop: int, points: Any, encodings: Any, kind: Any, block: Any) -> None:
    count = lanes_of(kind)
    for first in range(start, stop, 2 * count):
        second = min(first + count, stop - 1)
        point1 = read_point(points, first, stop, block, kind)
        point2 = read_point(points, second, stop, block, kind)
        before1, before2 = before_encode(point1), before_encode(point2)
        one = ONE(point1[0])
        root1, root2 = root_pair(one, before1[2], one, before2[2])
        put_number(after_encode(point1, before1, root1), block, encodings, first, stop, kind)
        put_number(after_encode(point2, before2, root2), block, encodings, second, stop, kind)


@kernel
def _one_way_map(start: int, stop: int, halves: Any, points: Any, kind: Any, block: Any) -> None:
    for first in range(start, stop, lanes_of(kind)):
        gather(halves, first, stop, block, kind)
        t1 = low_255_bits(load_number(address(block), 0, kind))
        t2 = low_255_bits(load_number(address(block), 1, kind))
        before1, before2 = before_map(t1), before_map(t2)
        root1, root2 = root_pair(before1[1], before1[2], before2[1], before2[2])
        other = cached(after_map(t2, before2, root2))
        point = extended(summed(after_map(t1, before1, root1), other))
        put_point(point, block, points, first, stop, kind)


@kernel
def _add(start: int, stop: int, left: Any, right: Any, out: Any, kind: Any, block: Any) -> None:
    for first in range(start, stop, lanes_of(kind)):
        other = cached(read_point(right, first, stop, block, kind))
        point = extended(summed(read_point(left, first, stop, block, kind), other))
        put_point(point, block, out, first, stop, kind)


@kernel
def _negate(start: int, stop: int, points: Any, out: Any, kind: Any, block: Any) -> None:
    for first in range(start, stop, lanes_of(kind)):
        x, y, z, t = read_point(points, first, stop, block, kind)
        negative = minus(ZERO(x), x), y, z, minus(ZERO(t), t)
        put_point(negative, block, out, first, stop, kind)


def decode(encodings: NDArray[np.uint8]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Points of (n, 32) encodings, and which are valid; the identity stands for invalid ones."""
    count = len(encodings)
    points, valid = new_points(count), np.empty((count, 1), np.uint64)
    _decode.over(
        count,
        ROOT_SECONDS,
        words_of(encodings),
        words_of(points),
        valid,
        kind_for(count),
        scratch=SCRATCH,
    )
    return points, valid[:, 0] != 0


def encode(points: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """(n, 32) encodings of (n, 4, 4) points."""
    out = np.empty((len(points), 32), np.uint8)
    _encode.over(
        len(points),
        ROOT_SECONDS,
        words_of(points),
        words_of(out),
        kind_for(len(points)),
        scratch=SCRATCH,
    )
    return out


def one_way_map(uniform: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """RFC 9496, section 4.3.4: points of (n, 64) uniform bytes."""
    out = new_points(len(uniform))
    _one_way_map.over(
        len(uniform),
        2 * ROOT_SECONDS,
        words_of(uniform),
        words_of(out),
        kind_for(len(uniform)),
        scratch=SCRATCH,
    )
    return out


def add(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Sums of points, row by row."""
    out = new_points(len(left))
    _add.over(
        len(left),
        ADD_SECONDS,
        words_of(left),
        words_of(right),
        words_of(out),
        kind_for(len(left)),
        scratch=SCRATCH,
    )
    return out


def negate(points: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Inverses of points."""
    out = new_points(len(points))
    _negate.over(
        len(points),
        ADD_SECONDS,
        words_of(points),
        words_of(out),
        kind_for(len(points)),
        scratch=SCRATCH,
    )
    return out


def comb_sums(
    known: NDArray[np.uint64] | None,
    encodings: NDArray[np.uint8],
    which: NDArray[np.int64],
    scalars: NDArray[np.uint64],
    bounds: NDArray[np.int64],
    plus: NDArray[np.uint64],
) -> tuple[NDArray[np.uint8], NDArray[np.uint64], NDArray[np.bool_]]:
    """Encodings of sums of multiples; what is known of points are their combs."""
    points, valid = decode(encodings) if len(encodings) else (new_points(0), np.empty(0, np.bool_))
    tables = combs(points, known)
    if len(bounds) == 1:
        return np.empty((0, 32), np.uint8), tables, valid
    totals = sums_of(tables, which, scalars, bounds)
    if len(plus):
        totals[: len(plus)] = add(totals[: len(plus)], plus)
    return encode(totals), tables, valid


def expand(data: NDArray[np.uint8], offsets: NDArray[np.int64], dst: bytes) -> NDArray[np.uint8]:
    """expand_message_xmd to 64 bytes of each item ``data[offsets[i]:offsets[i + 1]]``."""
    if len(offsets) <= FEW_HASHES:
        return portable.expand(data, offsets, dst)
    out = np.empty((len(offsets) - 1, OUTPUT_BYTES), np.uint8)
    arrays = *_laid_out(data, offsets), plain(tail_of(dst)), rest_of(dst), words_of(out)
    expand_kernel.over(len(out), HASH_SECONDS, *arrays, scratch=SCRATCH)
    return out


def digests(data: NDArray[np.uint8], offsets: NDArray[np.int64], tail: bytes) -> NDArray[np.uint8]:
    """SHA-512 of each item followed by ``tail``."""
    if len(offsets) <= FEW_HASHES:
        return portable.digests(data, offsets, tail)
    out = np.empty((len(offsets) - 1, OUTPUT_BYTES), np.uint8)
    arrays = *_laid_out(data, offsets), plain(np.frombuffer(tail, np.uint8)), words_of(out)
    digest_kernel.over(len(out), HASH_SECONDS / 2, *arrays, scratch=SCRATCH)
    return out


def _laid_out(
    data: NDArray[np.uint8], offsets: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Only the items' part of the buffer, which is copied when it is read-only."""
    return plain(data[offsets[0] : offsets[-1]]), offsets - offsets[0]
