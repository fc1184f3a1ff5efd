# SPDX-License-Identifier: Apache-2.0
"""The settings of a switching network for a permutation: one level of it.

The loop is written once; the simd backend compiles it, and the portable one interprets it. Its time
and the addresses it touches depend on the permutation, which the one who routes it knows: it is a
local computation, as sorting is.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc import kernels

Places = NDArray[np.int64]
Bits = NDArray[np.uint8]


def route(sources: Places, starts: Places) -> tuple[Bits, Bits, Places]:
    """Settings of the outer switches, and the permutations that are left to the inner networks.

    Output o of segment k, ``starts[k]`` to ``starts[k + 1]``, is to come from its input
    ``sources[starts[k] + o]``, counted within the segment. Its inputs 2i and 2i + 1 are input i of
    the upper and of the lower inner network, or the other way round where ``before`` is one for
    this pair, and the same for outputs and ``after``; pairs are counted over all segments. The last
    of an odd number goes through the lower one. A segment of two has no switch behind it. The inner
    permutations stand where their segment stood, the upper one first.
    """
    pairs = np.concatenate([[0], np.cumsum(np.diff(starts) // 2)])
    before = np.zeros(int(pairs[-1]), np.uint8)
    after = np.zeros_like(before)
    inner = np.empty_like(sources)
    _loop()(sources, starts, pairs, before, after, inner)
    return before, after, inner


@cache
def _compiled() -> Any:
    from numba import njit

    return njit(nogil=True, cache=True)(_route)


def _loop() -> Any:
    return _compiled() if kernels.backend() == "simd" else _route


def _route(
    sources: Places, starts: Places, pairs: Places, before: Bits, after: Bits, inner: Places
) -> None:
    largest = 0
    for k in range(len(starts) - 1):
        largest = max(largest, starts[k + 1] - starts[k])
    targets = np.empty(largest, np.int64)
    # Which inner network an output takes: 0 the upper, 1 the lower, 2 not known yet.
    side = np.empty(largest, np.int8)
    for k in range(len(starts) - 1):
        first = starts[k]
        size = starts[k + 1] - first
        if size < 3:
            for o in range(size):
                inner[first + o] = 0
            if size == 2:
                before[pairs[k]] = sources[first]
            continue
        for o in range(size):
            targets[sources[first + o]] = o
            side[o] = 2
        half = size // 2
        # The path of an odd size goes through the lower network at both its ends: it comes first.
        for turn in range(half + size % 2):
            forced = size % 2 == 1 and turn == 0
            o = 2 * half if forced else 2 * (turn - size % 2)
            lower = 1 if forced else 0
            while side[o] == 2:
                side[o] = lower
                came = sources[first + o]
                if came == 2 * half:
                    break  # the last input has no neighbour
                neighbour = targets[came ^ 1]
                side[neighbour] = 1 - lower
                # The output beside that one must take the other network again.
                o = neighbour ^ 1
        for i in range(half):
            after[pairs[k] + i] = side[2 * i]
            before[pairs[k] + i] = side[targets[2 * i]]
        for o in range(size):
            came = sources[first + o]
            inner[first + o // 2 + half * side[o]] = came // 2
