# SPDX-License-Identifier: Apache-2.0
"""Sorting and looking up uniform 128-bit tags, compiled; what each function does: ``matching``.

Tags are uniform, so their top bits cut them into even buckets: first so many that each fits the
first-level cache, then into buckets of about ten, which insertion finishes.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Words = NDArray[np.uint64]


@njit(inline="always")
def _bucket(word: np.uint64, above: int, bits: int) -> np.int64:
    """The next ``bits`` bits of a word below its ``above`` top ones."""
    if bits == 0:
        return np.int64(0)
    return np.int64((word << np.uint64(above)) >> np.uint64(64 - bits))


@njit(inline="always")
def _scatter(
    source: Words, target: Words, starts: NDArray[np.int64], above: int, bits: int
) -> None:
    """Counting sort by the next bits; ``starts`` gets where each bucket begins."""
    starts[:] = 0
    for i in range(len(source)):
        starts[_bucket(source[i, 0], above, bits) + 1] += 1
    for bucket in range(1, len(starts)):
        starts[bucket] += starts[bucket - 1]
    for i in range(len(source)):
        mine = _bucket(source[i, 0], above, bits)
        at = starts[mine]
        starts[mine] = at + 1
        target[at, 0], target[at, 1] = source[i, 0], source[i, 1]
    # Each start is now where the next bucket begins.
    for bucket in range(len(starts) - 1, 0, -1):
        starts[bucket] = starts[bucket - 1]
    starts[0] = 0


@njit(inline="always")
def _insertion(tags: Words) -> None:
    for i in range(1, len(tags)):
        low, high = tags[i, 0], tags[i, 1]
        k = i - 1
        while k >= 0 and (tags[k, 0] > low or (tags[k, 0] == low and tags[k, 1] > high)):
            tags[k + 1, 0], tags[k + 1, 1] = tags[k, 0], tags[k, 1]
            k -= 1
        tags[k + 1, 0], tags[k + 1, 1] = low, high


@njit(nogil=True, cache=True)
def _sort(tags: Words, outer_bits: int, inner_bits: int, out: Words) -> None:
    outer = np.empty((1 << outer_bits) + 1, np.int64)
    inner = np.empty((1 << inner_bits) + 1, np.int64)
    rough = np.empty_like(tags)
    _scatter(tags, rough, outer, 0, outer_bits)
    for bucket in range(1 << outer_bits):
        start, end = outer[bucket], outer[bucket + 1]
        _scatter(rough[start:end], out[start:end], inner, outer_bits, inner_bits)
        for part in range(1 << inner_bits):
            _insertion(out[start + inner[part] : start + inner[part + 1]])


@njit(nogil=True, cache=True)
def _positions(needles: Words, haystack: Words, bits: int, out: NDArray[np.int64]) -> None:
    starts = np.zeros((1 << bits) + 1, np.uint32)
    for i in range(len(haystack)):
        starts[_bucket(haystack[i, 0], 0, bits) + 1] += np.uint32(1)
    for bucket in range(1, len(starts)):
        starts[bucket] += starts[bucket - 1]
    for i in range(len(needles)):
        low, high = needles[i, 0], needles[i, 1]
        mine = _bucket(low, 0, bits)
        out[i] = -1
        for k in range(starts[mine], starts[mine + 1]):
            if haystack[k, 0] == low and haystack[k, 1] == high:
                out[i] = k
                break


def sort(tags: Words) -> Words:
    out = np.empty_like(tags)
    bits = max(0, len(tags).bit_length() - 4)
    inner = min(bits, 6)
    _sort(tags, bits - inner, inner, out)
    return out


def positions(needles: Words, haystack: Words) -> NDArray[np.int64]:
    out = np.empty(len(needles), np.int64)
    _positions(needles, haystack, max(0, len(haystack).bit_length() - 2), out)
    return out
