# SPDX-License-Identifier: Apache-2.0
"""Pippenger's buckets for eight lanes at a time, each lane with bases and digits of its own.

Bases and buckets lie in memory element by element, ``pitch`` words apart, a multiple of eight, so
that a lane finds its own by address; eight words of eight lanes are turned into rows in registers.
Which base and which bucket shows in the cache: exponents are not secret here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numpy.typing import NDArray

from mpc.kernels.bigint.blocks import WORDS
from mpc.kernels.bigint.montgomery import SCRATCH, Routines, mul, one_of, square
from mpc.kernels.bigint.rows import ROW, copy
from mpc.kernels.compiled import inner, kernel
from mpc.kernels.lanes import (
    COUNT,
    WORD,
    address,
    broadcast,
    emits,
    load,
    pointer,
    read,
    select,
    store,
    write,
)

Words = NDArray[np.uint64]

Lanes = Any

Table = tuple[int, int, int]
"""Where buckets begin, words from one to the next, and bytes from those of one lane to the next."""

Modulus = tuple[int, int, int, int, Routines]
"""Where a modulus and the scratch of products begin; limbs, digits, and the products."""

DIGIT = 32
"""A step is the number of a base, and from this bit on the digit of its exponent."""

_NUMBER = ir.Constant(WORD, (1 << DIGIT) - 1)


def _turn(builder: Any, rows: list[Any]) -> list[Any]:
    """Transpose eight rows of eight words, by exchanging halves of 1, 2 and 4 columns."""
    for half in (1, 2, 4):
        low = [j if not j & half else COUNT + j - half for j in range(COUNT)]
        high = [j + half if not j & half else COUNT + j for j in range(COUNT)]
        orders = [ir.Constant(ir.VectorType(ir.IntType(32), COUNT), o) for o in (low, high)]
        for i in (i for i in range(COUNT) if not i & half):
            pair = rows[i], rows[i + half]
            rows[i], rows[i + half] = (builder.shuffle_vector(*pair, order) for order in orders)
    return rows


def _elements(
    builder: Any, table: Any, steps: Any, shift: Any, pitch: Any, apart: Any
) -> list[Any]:
    """The address of each lane's element: the one its step names, in the lane's own table."""
    out = []
    for lane in range(COUNT):
        step = builder.load(pointer(builder, steps, lane, WORD))
        number = builder.and_(builder.lshr(step, shift), _NUMBER)
        place = builder.add(table, builder.mul(number, pitch))
        out.append(builder.add(place, builder.mul(apart, ir.Constant(WORD, lane))))
    return out


@emits(types.none, types.intp, *[types.intp] * 5)
def _collect(
    builder: Any, out: Any, table: Any, steps: Any, shift: Any, pitch: Any, apart: Any
) -> None:
    """Eight words of each lane's element, as eight rows."""
    places = _elements(builder, table, steps, shift, pitch, apart)
    rows = _turn(builder, [read(builder, place, 0) for place in places])
    for i, row in enumerate(rows):
        write(builder, out, WORDS * i, row)


@emits(types.none, types.intp, *[types.intp] * 5)
def _spread(
    builder: Any, x: Any, table: Any, steps: Any, shift: Any, pitch: Any, apart: Any
) -> None:
    """The opposite: write eight rows as eight words of each lane's element."""
    elements = _turn(builder, [read(builder, x, WORDS * i) for i in range(COUNT)])
    places = _elements(builder, table, steps, shift, pitch, apart)
    for place, words in zip(places, elements, strict=True):
        write(builder, place, 0, words)


@inner
def collect_base(out: int, bases: int, steps: int, pitch: int) -> None:
    """The bases that the lanes' steps name."""
    for row in range(0, pitch, WORDS):
        _collect(out + ROW * row, bases + 8 * row, steps, 0, 8 * pitch, 0)


@inner
def collect_bucket(out: int, buckets: int, steps: int, pitch: int, apart: int) -> None:
    """The buckets that the lanes' steps name."""
    for row in range(0, pitch, WORDS):
        _collect(out + ROW * row, buckets + 8 * row, steps, DIGIT, 8 * pitch, apart)


@inner
def spread_bucket(x: int, buckets: int, steps: int, pitch: int, apart: int) -> None:
    """Write the buckets that the lanes' steps name."""
    for row in range(0, pitch, WORDS):
        _spread(x + ROW * row, buckets + 8 * row, steps, DIGIT, 8 * pitch, apart)


@inner
def fill(buckets: int, entries: int, one: int, work: int, pitch: int) -> None:
    """Set all buckets of all lanes to one."""
    store(work, 0, broadcast(np.uint64(0)))
    spread_bucket(one, buckets, work, pitch, 0)
    for entry in range(1, entries * COUNT):
        for word in range(0, pitch, WORDS):
            store(buckets + 8 * pitch * entry, word, load(buckets, word))


@inner
def keep(x: int, other: int, mask: Lanes, rows: int) -> None:
    """Put the rows at ``other`` in place of those at x, but for lanes whose mask is all ones."""
    for row in range(rows):
        kept = select(mask, load(x + ROW * row, 0), load(other + ROW * row, 0))
        store(x + ROW * row, 0, kept)


@kernel
def flatten_all(
    start: int, stop: int, flat: Words, pitch: int, x: Words, rows: int, scratch: Words
) -> None:
    """The limbs of each element in a row, ``pitch`` words from one to the next."""
    lanes, held = address(scratch), address(scratch) + ROW
    for lane in range(COUNT):
        scratch[0, 0, lane] = lane << DIGIT
    for group in range(start, stop):
        copy(held, address(x) + ROW * rows * group, rows)
        spread_bucket(held, address(flat) + 8 * pitch * COUNT * group, lanes, pitch, 0)


@inner
def arrange_window(
    steps: Words,
    counts: NDArray[np.int64],
    exponents: Words,
    base: int,
    element: int,
    terms: range,
    parity: int,
    parities: int,
    seen: NDArray[np.int64],
) -> None:
    """The steps of one window: those that meet their bucket first, and then the others."""
    at = 0
    for late in range(2):
        for term in terms:
            digit = exponents[(element + term) // COUNT, (element + term) % COUNT]
            if digit == 0 or digit % np.uint64(parities) != np.uint64(parity):
                continue
            bucket = digit // np.uint64(parities) + np.uint64(parities - 1)
            if late == 0 and seen[bucket] < 0:
                seen[bucket] = term
            elif late == 0 or seen[bucket] == term:
                continue
            steps[at] = np.uint64(base + term) | bucket << np.uint64(DIGIT)
            at += 1
        counts[late] = at


@kernel
def arrange_all(
    start: int,
    stop: int,
    steps: Words,
    counts: NDArray[np.int64],
    exponents: Words,
    outputs: int,
    terms: int,
    shares: int,
    parities: int,
    spans: int,
    windows: int,
    seen: NDArray[np.int64],
) -> None:
    """What each task multiplies, window by window: (groups, windows, steps, 8).

    A task is one of the ``spans`` runs of windows, of all digits or of the even or the odd ones, of
    one of the ``shares`` of the terms, of one output, of one row of bases, in this order.
    ``exponents`` are digits of all outputs and terms; where there are two ``parities``, the bucket
    of a digit is that of its half and one. Bucket 0 takes what steps that are left over put there.
    Terms whose digit is zero are left out, and the first of each digit comes first, because it
    needs no product: ``counts`` (tasks, windows, 2) says how many first ones there are, and how
    many in all.
    """
    for task in range(start, stop):
        span, rest = task % spans, task // spans
        parity, rest = rest % parities, rest // parities
        share, rest = rest % shares, rest // shares
        output, row = rest % outputs, rest // outputs
        for window in range(windows):
            seen[:] = -1
            place = span * windows + window
            if place < exponents.shape[1]:
                arrange_window(
                    steps[task // COUNT, window, :, task % COUNT],
                    counts[task, window],
                    exponents[:, place],
                    row * terms,
                    output * terms,
                    range(share, terms, shares),
                    parity,
                    parities,
                    seen,
                )


@inner
def multiply_into_buckets(
    buckets: Table, bases: int, steps: int, counts: NDArray[np.int64], x: int, y: int, ring: Modulus
) -> None:
    """Each step's base into its bucket, which the first of the steps find empty."""
    table, pitch, apart = buckets
    modulus, work, limbs, digits, routines = ring
    for at in range(counts[1]):
        step = steps + ROW * at
        collect_base(x, bases, step, pitch)
        if at >= counts[0]:
            collect_bucket(y, table, step, pitch, apart)
            mul(routines, x, x, y, modulus, work, limbs, digits)
        spread_bucket(x, table, step, pitch, apart)


@inner
def raise_buckets(
    total: int,
    running: int,
    x: int,
    named: int,
    buckets: Table,
    last: int,
    first: int,
    ring: Modulus,
) -> None:
    """The product of the buckets from ``first`` to ``last``, each as often as it stands in this.

    ``running`` is left as the product of all.
    """
    table, pitch, apart = buckets
    modulus, work, limbs, digits, routines = ring
    for entry in range(last, first - 1, -1):
        store(named, 0, broadcast(np.uint64(entry << DIGIT)))
        collect_bucket(x, table, named, pitch, apart)
        if entry == last:
            copy(running, x, limbs * digits)
            copy(total, x, limbs * digits)
        else:
            mul(routines, running, running, x, modulus, work, limbs, digits)
            mul(routines, total, total, running, modulus, work, limbs, digits)


@kernel
def pippenger_all(
    start: int,
    stop: int,
    out: Words,
    bases: Words,
    pitch: int,
    steps: Words,
    counts: NDArray[np.int64],
    most: int,
    window: int,
    windows: int,
    odd: Words,
    n: Words,
    n_step: int,
    limbs: int,
    digits: int,
    routines: Routines,
    scratch: Words,
) -> None:
    """out = the product over steps of base**digit, each window raised to its place.

    ``counts`` (groups, windows, 2): as many steps first meet their bucket in every lane, and as
    many are there at most; ``most`` is what there is room for. ``odd``, (groups, 1, 8) or nothing,
    has all bits set in lanes whose steps are of odd digits, where the others' are of even ones.
    """
    rows, halved = limbs * digits, len(odd) > 0
    entries = (1 << window - 1) + 1 if halved else 1 << window
    work = address(scratch)
    x = work + ROW * SCRATCH * limbs
    running, total = x + ROW * pitch, x + ROW * 2 * pitch
    named, buckets = x + ROW * 3 * pitch, x + ROW * (3 * pitch + 1)
    apart = 8 * pitch * entries
    table = (buckets, pitch, apart)
    for group in range(start, stop):
        modulus, to = address(n) + n_step * group, address(out) + ROW * rows * group
        ring, one = (modulus, work, limbs, digits, routines), one_of(modulus, limbs)
        copy(to, one, rows)
        for i in range(windows - 1, -1, -1):
            for _ in range(window if i < windows - 1 else 0):
                square(routines, to, to, modulus, work, limbs, digits)
            copy(x, one, rows)
            fill(buckets, entries, x, named, pitch)
            step = address(steps) + ROW * (group * windows + i) * most
            multiply_into_buckets(table, address(bases), step, counts[group, i], x, running, ring)
            first = 2 if halved else 1
            raise_buckets(total, running, x, named, table, entries - 1, first, ring)
            if halved:
                # A digit is twice its half, and one more if it is odd.
                square(routines, total, total, modulus, work, limbs, digits)
                store(named, 0, broadcast(np.uint64(1 << DIGIT)))
                collect_bucket(x, buckets, named, pitch, apart)
                mul(routines, running, running, x, modulus, work, limbs, digits)
                keep(running, one, load(address(odd), 8 * group), rows)
                mul(routines, total, total, running, modulus, work, limbs, digits)
            mul(routines, to, to, total, modulus, work, limbs, digits)
