# SPDX-License-Identifier: Apache-2.0
"""One level, or two, of switching networks, on whole arrays or in plain loops: the reference.

A level has segments, ``starts[k]`` to ``starts[k + 1]``, each a network of its own. The way in: a
switch for each elements 2i and 2i + 1 of a segment of s, then element 2i goes to place i, the upper
half, and 2i + 1 to place s // 2 + i, the lower. The last of an odd number stays. The way out is the
reverse, moves and then switches, but segments of two have none there. Switches are counted over all
segments.

``differences``  of each switch's two elements: second minus first of words, XOR of bits
``switch``       adds ``moved`` to the first and takes it from the second, XORs ``flipped`` to both,
                 and moves
``route``        the settings of both ways for the permutation in which output o of a segment is its
                 input ``sources[starts[k] + o]``, and the permutations of the inner segments; where
                 not ``cut[k]``, there are none, and the segment is an inner one as it is

Two levels make blocks of four elements 4j to 4j + 3, and of four switches: of the first two, of the
last two, and then, in the upper half and in the lower, of what came there. Their ways lead to place
j of each quarter. An element without a neighbour goes to the lower half, as if its switch were set.

``joined``       the settings of both levels as one symbol of four bits for each block
``carry``        the bits of each block into four bits of an octet, or ``back``, in place; these
                 stand beside each other or, where ``apart``, in the quarters; segments of
                 ``least`` to ``most`` elements alone take part
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Bits = NDArray[np.uint8]
Starts = NDArray[np.int64]
Sources = NDArray[np.int32]


def differences(words: Words, bits: Bits, starts: Starts, outward: bool) -> tuple[Words, Bits]:
    (first, second), _ = _ends(starts, outward)
    return words[second] - words[first], bits[second] ^ bits[first]


def switch(
    words: Words, bits: Bits, starts: Starts, outward: bool, moved: Words, flipped: Bits
) -> tuple[Words, Bits]:
    (first, second), (to_first, to_second) = _ends(starts, outward)
    new_words, new_bits = words.copy(), bits.copy()
    new_words[to_first], new_words[to_second] = words[first] + moved, words[second] - moved
    new_bits[to_first], new_bits[to_second] = bits[first] ^ flipped, bits[second] ^ flipped
    return new_words, new_bits


def _ends(starts: Starts, outward: bool) -> tuple[tuple[Starts, Starts], tuple[Starts, Starts]]:
    """Where the two elements of each switch come from, and where they go."""
    sizes = np.diff(starts)
    halves = np.where(sizes > 2, sizes // 2, 0) if outward else sizes // 2
    begin, half = np.repeat(starts[:-1], halves), np.repeat(halves, halves)
    within = np.arange(len(begin)) - np.repeat(np.cumsum(halves) - halves, halves)
    apart = begin + within, begin + half + within
    beside = begin + 2 * within, begin + 2 * within + 1
    return (apart, beside) if outward else (beside, apart)


def route(
    sources: Sources,
    starts: Starts,
    cut: NDArray[np.bool_],
    before: Bits,
    after: Bits,
    inner: Sources,
    scratch: Sources,
) -> None:
    # What an output's source leads to, and the half that an output goes through: 0 the upper one,
    # 1 the lower, 2 not known yet.
    targets, side = scratch[0], scratch[1]
    turned_in, turned_out = 0, 0
    for k in range(len(starts) - 1):
        first = starts[k]
        size = starts[k + 1] - first
        half = size // 2
        if not cut[k]:
            inner[first : first + size] = sources[first : first + size]
            continue
        if size < 3:
            inner[first : first + size] = 0
            if size == 2:
                before[turned_in] = sources[first]
                turned_in += 1
            continue
        for o in range(size):
            targets[sources[first + o]] = o
            side[o] = 2
        # The way of an odd number's last is the lower half at both ends: it comes first.
        odd = size - 2 * half
        for turn in range(half + odd):
            o = 2 * half if turn < odd else 2 * (turn - odd)
            lower = 1 if turn < odd else 0
            while side[o] == 2:
                side[o] = lower
                came = sources[first + o]
                if came == 2 * half:
                    break  # the last input has no neighbour
                neighbour = targets[came ^ 1]
                side[neighbour] = 1 - lower
                # The output beside that one must take the other half again.
                o = neighbour ^ 1
        for i in range(half):
            before[turned_in + i] = side[targets[2 * i]]
            after[turned_out + i] = side[2 * i]
        turned_in += half
        turned_out += half
        for o in range(size):
            inner[first + o // 2 + half * side[o]] = sources[first + o] // 2


def joined(starts: Starts, outward: bool, first: Bits, second: Bits, symbols: Bits) -> None:
    block, outer, inner = 0, 0, 0
    for k in range(len(starts) - 1):
        size = starts[k + 1] - starts[k]
        if size < 4:
            continue
        half = size // 2
        # Two elements have no switch on the way out.
        upper = 0 if outward and half < 3 else half // 2
        lower = 0 if outward and size - half < 3 else (size - half) // 2
        for j in range((size + 3) // 4):
            a = first[outer + 2 * j] if 2 * j < half else 1
            b = first[outer + 2 * j + 1] if 2 * j + 1 < half else 1
            c = second[inner + j] if j < upper else 2 * j + 1 >= half
            d = second[inner + upper + j] if j < lower else 2 * j + 1 >= size - half
            symbols[block] = a | b << 1 | c << 2 | d << 3
            block += 1
        outer += half
        inner += upper + lower


def carry(
    bits: Bits, blocks: Bits, starts: Starts, apart: bool, least: int, most: int, back: bool
) -> None:
    block = 0
    for k in range(len(starts) - 1):
        first, size = starts[k], starts[k + 1] - starts[k]
        if size < least or size > most:
            continue
        half = size // 2
        lower = first + half
        ends = (first + half // 2, lower, lower + (size - half) // 2, first + size)
        for j in range((size + 3) // 4):
            held = int(blocks[block]) if back else 0
            for i in range(4):
                at, end = first + 4 * j + i, ends[3]
                if apart:
                    at, end = (ends[i - 1] if i else first) + j, ends[i]
                if at < end and back:
                    bits[at] = held >> i & 1
                elif at < end:
                    held |= int(bits[at]) << i
            blocks[block] = held
            block += 1
