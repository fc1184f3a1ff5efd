# SPDX-License-Identifier: Apache-2.0
"""Digits of public exponents, and which bases they put into which buckets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpc.kernels.compiled import inner, kernel
from mpc.kernels.lanes import COUNT, load_word

Words = NDArray[np.uint64]

Integers = NDArray[np.int64]

Cut = tuple[int, int, int, int, int, int, int, int, int]
"""How outputs are cut into tasks: tasks, outputs, terms, shares, bits of a kind, spans, windows of
a span, bits of a window, and 1 if the highest digit has a sign."""

Exponents = tuple[int, int]
"""Where those of all outputs and terms begin, as words, and words of each."""


@inner
def digit_of(packed: int, words: int, element: int, bit: int, width: int) -> int:
    """``width`` bits, from ``bit`` on, of one of the elements at an address, which are runs of
    words."""
    word, shift = bit >> 6, np.uint64(bit & 63)
    if word >= words:
        return 0
    value = load_word(packed, words * element + word) >> shift
    if (bit & 63) + width > 64 and word + 1 < words:
        value |= load_word(packed, words * element + word + 1) << (np.uint64(64) - shift)
    return int(np.int64(value & ((np.uint64(1) << np.uint64(width)) - np.uint64(1))))


@kernel
def digits_all(
    start: int,
    stop: int,
    out: Words,
    packed: int,
    words: int,
    bits: int,
    window: int,
    windows: int,
    _scratch: Words,
) -> None:
    """The lowest ``bits`` of elements, cut into windows: out is (groups, windows, 8)."""
    for element in range(start, stop):
        for i in range(windows):
            width = min(window, bits - window * i)
            digit = digit_of(packed, words, element, window * i, width)
            out[element // 8, i, element % 8] = np.uint64(digit)


@inner
def place_of(digit: int, kinds: int, window: int, signed: bool) -> tuple[int, int]:
    """Of which kind a digit is, and to which bucket of these it goes unless it is 0, or the lowest.

    There are 2**kinds kinds, by its lowest bits, and the others are the number of the bucket. Of
    ``signed`` digits the lowest bit of the kind is the sign, and the rest comes of the magnitude.
    """
    if not signed:
        return digit & ((1 << kinds) - 1), digit >> kinds
    negative = digit >> (window - 1)
    digit = (1 << window) - digit if negative else digit
    kind = digit & ((1 << (kinds - 1)) - 1)
    return 2 * kind + negative, digit >> (kinds - 1)


@inner
def count(
    ends: Integers, keys: Integers, exponents: Exponents, group: int, window: int, cut: Cut
) -> int:
    """Count the terms in each bucket of a group of tasks; ``keys`` get a bucket and a term each.

    Bucket ``b`` of a lane is number 8*b + lane. A task is of digits of one kind, of one share of
    the terms, of one of the spans of windows, from the highest, of one output, of one row of bases,
    in this order. Returns how many keys there are; what comes after them is written too.
    """
    packed, words = exponents
    tasks, outputs, terms, shares, kinds, spans, windows, width, signed = cut
    lanes, found = min(COUNT, tasks - COUNT * group), 0
    for lane in range(lanes):
        task = COUNT * group + lane
        kind, rest = task & ((1 << kinds) - 1), task >> kinds
        share, rest = rest % shares, rest // shares
        span, rest = spans - 1 - rest % spans, rest // spans
        output, row = rest % outputs, rest // outputs
        bit = (span * windows + window) * width
        # The terms are gone through once for the kinds of a group.
        if bit >= 64 * words or (kind > 0 and lane > 0):
            continue
        highest = signed > 0 and span == spans - 1
        for term in range(share, terms, shares):
            digit = digit_of(packed, words, output * terms + term, bit, width)
            # The lowest is twice the half of it, so that no bucket is for its magnitude alone.
            lowest = highest & (digit == 1 << (width - 1))
            digit = 3 << (width - 2) if lowest else digit
            of, bucket = place_of(digit, kinds, width, highest)
            to = lane + of - kind
            # No branch: nobody foresees which terms belong to this group.
            here = (digit != 0) & (to >= 0) & (to < lanes)
            bucket = COUNT * bucket + to if here else 0
            for _ in range(1 + lowest):
                keys[found] = bucket << 32 | row * terms + term
                ends[bucket] += here
                found += here
    return found


@inner
def arrange(
    ends: Integers,
    terms_of: Integers,
    keys: Integers,
    exponents: Exponents,
    group: int,
    window: int,
    cut: Cut,
) -> None:
    """The terms of all buckets one after the other, and where those of each end."""
    ends[:] = 0
    found, before = count(ends, keys, exponents, group, window, cut), 0
    for bucket in range(len(ends)):
        held, ends[bucket] = ends[bucket], before
        before += held
    for i in range(found):
        bucket = keys[i] >> 32
        terms_of[ends[bucket]] = keys[i] & 0xFFFFFFFF
        ends[bucket] += 1
