# SPDX-License-Identifier: Apache-2.0
"""Sorting vectors of uniform 128-bit tags, and finding the tags of one in another.

Tags are uint64 (n, 2), ordered by the first word, then by the second. They are pseudorandom in all
uses; others are sorted rightly too, but slowly.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpc import kernels

Words = NDArray[np.uint64]


def sort(tags: Words) -> Words:
    """The same tags in ascending order, which tells nothing of the order they came in."""
    if kernels.backend() == "simd":
        from mpc.kernels import matching_simd

        return matching_simd.sort(np.ascontiguousarray(tags))
    return tags[np.lexsort((tags[:, 1], tags[:, 0]))]


def positions(needles: Words, haystack: Words) -> NDArray[np.int64]:
    """For each needle a position in the ascending ``haystack`` that holds it, or -1."""
    if kernels.backend() == "simd":
        from mpc.kernels import matching_simd

        return matching_simd.positions(
            np.ascontiguousarray(needles), np.ascontiguousarray(haystack)
        )
    found = np.full(len(needles), -1, np.int64)
    at = np.searchsorted(haystack[:, 0], needles[:, 0])
    # Tags with one first word stand next to each other, hardly ever more than one.
    left = np.flatnonzero(at < len(haystack))
    while len(left):
        left = left[haystack[at[left], 0] == needles[left, 0]]
        hit = haystack[at[left], 1] == needles[left, 1]
        found[left[hit]] = at[left[hit]]
        left = left[~hit]
        at[left] += 1
        left = left[at[left] < len(haystack)]
    return found


def ascending(tags: Words) -> bool:
    """Whether no tag is below the one before it, as ``sort`` leaves them."""
    before, after = tags[:-1], tags[1:]
    equal = before[:, 0] == after[:, 0]
    return bool(np.all((before[:, 0] < after[:, 0]) | (equal & (before[:, 1] <= after[:, 1]))))
