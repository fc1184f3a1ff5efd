# SPDX-License-Identifier: Apache-2.0
"""Levels of switching networks, compiled; what each function does: ``switches_portable``."""

from __future__ import annotations

import numpy as np
from numba import njit

from mpc.kernels import switches_portable
from mpc.kernels.switches_portable import Bits, Starts, Words

_compiled = njit(nogil=True, cache=True)

route = _compiled(switches_portable.route)
joined = _compiled(switches_portable.joined)
carry = _compiled(switches_portable.carry)


@njit(inline="always")
def _half(starts: Starts, k: int, outward: bool) -> int:
    size = starts[k + 1] - starts[k]
    return 0 if outward and size < 3 else size // 2


@njit(nogil=True, cache=True)
def _differences(
    words: Words, bits: Bits, starts: Starts, outward: bool, apart: Words, unlike: Bits
) -> None:
    width, switch = words.shape[1], 0
    for k in range(len(starts) - 1):
        half = _half(starts, k, outward)
        step, far = (1, half) if outward else (2, 1)
        for i in range(half):
            one = starts[k] + step * i
            for j in range(width):
                apart[switch, j] = words[one + far, j] - words[one, j]
            unlike[switch] = bits[one + far] ^ bits[one]
            switch += 1


@njit(nogil=True, cache=True)
def _switch(
    words: Words,
    bits: Bits,
    starts: Starts,
    outward: bool,
    moved: Words,
    flipped: Bits,
    new_words: Words,
    new_bits: Bits,
) -> None:
    width, switch = words.shape[1], 0
    for k in range(len(starts) - 1):
        first = starts[k]
        half = _half(starts, k, outward)
        for at in range(first + 2 * half, starts[k + 1]):
            new_words[at] = words[at]
            new_bits[at] = bits[at]
        step, far = (1, half) if outward else (2, 1)
        to_step, to_far = (2, 1) if outward else (1, half)
        for i in range(half):
            one, to = first + step * i, first + to_step * i
            for j in range(width):
                new_words[to, j] = words[one, j] + moved[switch, j]
                new_words[to + to_far, j] = words[one + far, j] - moved[switch, j]
            new_bits[to] = bits[one] ^ flipped[switch]
            new_bits[to + to_far] = bits[one + far] ^ flipped[switch]
            switch += 1


def differences(words: Words, bits: Bits, starts: Starts, outward: bool) -> tuple[Words, Bits]:
    sizes = np.diff(starts)
    count = int(np.sum((sizes // 2)[sizes > 2]) if outward else np.sum(sizes // 2))
    apart = np.empty((count, words.shape[1]), np.uint64)
    unlike = np.empty(count, np.uint8)
    _differences(words, bits, starts, outward, apart, unlike)
    return apart, unlike


def switch(
    words: Words, bits: Bits, starts: Starts, outward: bool, moved: Words, flipped: Bits
) -> tuple[Words, Bits]:
    new_words, new_bits = np.empty_like(words), np.empty_like(bits)
    _switch(words, bits, starts, outward, moved, flipped, new_words, new_bits)
    return new_words, new_bits
