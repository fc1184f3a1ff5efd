# SPDX-License-Identifier: Apache-2.0
"""Rows of words in memory, as the elements that kernels work on: in numba code, and before it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc import kernels
from mpc.kernels.compiled import inner
from mpc.kernels.lanes import COUNT, address
from mpc.kernels.ristretto.edwards import TABLE
from mpc.kernels.ristretto.field import (
    EIGHTS,
    LIMBS,
    ONES,
    lanes_of,
    load_number,
    store_number,
    store_word,
)
from mpc.kernels.ristretto.xmd import SCRATCH_WORDS

NUMBER_WORDS = 4
POINT_WORDS = 4 * NUMBER_WORDS
SCRATCH = SCRATCH_WORDS + TABLE * LIMBS * COUNT
"""Words for a block and a table."""

FEW = 4  # below it, one at a time is sooner


@inner
def gather(rows: Any, first: int, stop: int, block: Any, kind: Any) -> None:
    """Rows of words side by side, as many as there are lanes; past the end, the last row again."""
    count = lanes_of(kind)
    for lane in range(count):
        row = min(first + lane, stop - 1)
        for word in range(rows.shape[1]):
            block[word * count + lane] = rows[row, word]


@inner
def scatter(block: Any, rows: Any, first: int, stop: int, kind: Any) -> None:
    count = lanes_of(kind)
    for lane in range(min(count, stop - first)):
        for word in range(rows.shape[1]):
            rows[first + lane, word] = block[word * count + lane]


@inner
def read_point(rows: Any, first: int, stop: int, block: Any, kind: Any) -> Any:
    gather(rows, first, stop, block, kind)
    at = address(block)
    y, z = load_number(at, 1, kind), load_number(at, 2, kind)
    return load_number(at, 0, kind), y, z, load_number(at, 3, kind)


@inner
def put_point(point: Any, block: Any, rows: Any, first: int, stop: int, kind: Any) -> None:
    at = address(block)
    store_number(at, 0, point[0])
    store_number(at, 1, point[1])
    store_number(at, 2, point[2])
    store_number(at, 3, point[3])
    scatter(block, rows, first, stop, kind)


@inner
def read_number(rows: Any, first: int, stop: int, block: Any, kind: Any) -> Any:
    gather(rows, first, stop, block, kind)
    return load_number(address(block), 0, kind)


@inner
def put_number(element: Any, block: Any, rows: Any, first: int, stop: int, kind: Any) -> None:
    store_number(address(block), 0, element)
    scatter(block, rows, first, stop, kind)


@inner
def put_mask(mask: Any, block: Any, rows: Any, first: int, stop: int, kind: Any) -> None:
    store_word(address(block), 0, mask)
    scatter(block, rows, first, stop, kind)


def kind_for(count: int) -> Any:
    """Eight at a time where the lanes multiply words and are filled; else one at a time."""
    return EIGHTS if kernels.wide() and count >= FEW else ONES


def words_of(array: NDArray[Any]) -> NDArray[np.uint64]:
    """Rows of bytes, or points, as rows of words."""
    words = plain(array).view(np.uint64)
    return words if words.ndim == 2 else words.reshape(len(words), POINT_WORDS)


def plain(array: NDArray[Any]) -> NDArray[Any]:
    """The array, copied if it is read-only or unaligned, which numba would compile anew for."""
    return array if array.flags.carray else np.require(array, requirements=["C", "A", "W"])


def new_points(count: int) -> NDArray[np.uint64]:
    return np.empty((count, 4, NUMBER_WORDS), np.uint64)
