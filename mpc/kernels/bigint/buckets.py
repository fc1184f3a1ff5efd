# SPDX-License-Identifier: Apache-2.0
"""Pippenger's buckets for eight lanes at a time, each lane with digits and buckets of its own.

Bases and buckets lie in memory element by element, ``pitch`` words apart, a multiple of eight, so
that a lane takes any by its address; eight words of eight lanes are turned into rows in registers.
So whose bucket it is does not bind a lane to it: the products that fill the buckets of all lanes
are done eight at a time, in an order in which no two of the eight are of one bucket. Which base and
which bucket shows in the cache: exponents are not secret here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numpy.typing import NDArray

from mpc.kernels.bigint.blocks import WORDS
from mpc.kernels.bigint.digits import Cut, Exponents, Integers, arrange
from mpc.kernels.bigint.folds import Modulus, join_groups, join_within
from mpc.kernels.bigint.montgomery import SCRATCH, Routines, mul, one_of, square
from mpc.kernels.bigint.rows import ROW, copy
from mpc.kernels.compiled import inner, kernel
from mpc.kernels.lanes import (
    COUNT,
    WORD,
    address,
    emits,
    load,
    load_word,
    pointer,
    read,
    select,
    store,
    store_word,
    write,
)
from mpc.kernels.team import look, pause, take

Words = NDArray[np.uint64]

Lanes = Any

TOGETHER = 8
"""Groups that are laid out at a time: what is counted for each of them binds threads together."""

Table = tuple[int, int, int, int]
"""Where the element one, the bases and the buckets begin; words from one element to the next."""


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


def _places(builder: Any, places: Any, offset: Any) -> list[Any]:
    """The address of each lane's element, and so many bytes further."""
    rows = range(COUNT)
    found = [builder.load(pointer(builder, places, lane, WORD)) for lane in rows]
    return [builder.add(place, offset) for place in found]


@emits(types.none, types.intp, types.intp, types.intp)
def _collect(builder: Any, out: Any, places: Any, offset: Any) -> None:
    """Eight words of each lane's element, as eight rows."""
    rows = _turn(builder, [read(builder, place, 0) for place in _places(builder, places, offset)])
    for i, row in enumerate(rows):
        write(builder, out, WORDS * i, row)


@emits(types.none, types.intp, types.intp, types.intp)
def _spread(builder: Any, x: Any, places: Any, offset: Any) -> None:
    """The opposite: write eight rows as eight words of each lane's element."""
    elements = _turn(builder, [read(builder, x, WORDS * i) for i in range(COUNT)])
    for place, words in zip(_places(builder, places, offset), elements, strict=True):
        write(builder, place, 0, words)


@inner
def collect(out: int, places: int, pitch: int) -> None:
    """The elements at eight addresses, as rows."""
    for row in range(0, pitch, WORDS):
        _collect(out + ROW * row, places, 8 * row)


@inner
def spread(x: int, places: int, pitch: int) -> None:
    """Write rows as the elements at eight addresses."""
    for row in range(0, pitch, WORDS):
        _spread(x + ROW * row, places, 8 * row)


@inner
def keep(x: int, other: int, mask: Lanes, rows: int) -> None:
    """Put the rows at ``other`` in place of those at x, but for lanes whose mask is all ones."""
    for row in range(rows):
        kept = select(mask, load(x + ROW * row, 0), load(other + ROW * row, 0))
        store(x + ROW * row, 0, kept)


@inner
def flatten(flat: int, pitch: int, x: Words, rows: int, counts: int, work: int) -> None:
    """The limbs of each element of x in a row of ``flat``: some groups at a time, by all threads
    that have it in common.

    Two words of ``counts`` say how many groups are begun and done. Whoever finds no more waits for
    these: the thread that begins last has slept until now, and delays nobody.
    """
    held, done = work + ROW, counts + 8
    first = take(counts, TOGETHER)
    while first < len(x):
        for group in range(first, min(first + TOGETHER, len(x))):
            for lane in range(COUNT):
                store_word(work, lane, flat + 8 * pitch * (COUNT * group + lane))
            copy(held, address(x) + ROW * rows * group, rows)
            spread(held, work, pitch)
        take(done, TOGETHER)
        first = take(counts, TOGETHER)
    while look(done) < len(x):
        pause()


@inner
def multiply_step(places: Integers, filled: int, x: int, y: int, pitch: int, ring: Modulus) -> None:
    """Of eight lanes, or as many as are filled: write the product of two elements to a third."""
    modulus, work, limbs, digits, routines = ring
    if filled == 0:
        return
    for lane in range(filled, COUNT):
        for row in range(3):
            # What is done in the first lane is done once more.
            places[COUNT * row + lane] = places[COUNT * row]
    collect(x, address(places), pitch)
    collect(y, address(places) + ROW, pitch)
    mul(routines, x, x, y, modulus, work, limbs, digits)
    spread(x, address(places) + 2 * ROW, pitch)


@inner
def multiply_into_buckets(
    table: Integers,
    spaces: Table,
    ends: Integers,
    terms_of: Integers,
    active: Integers,
    places: Integers,
    x: int,
    y: int,
    ring: Modulus,
) -> int:
    """Multiply the terms of each bucket; ``table`` gets the address of each product.

    First the second terms of all buckets, then the third, and so on: so a bucket comes again only
    after all others that have as many. Returns the highest bucket that is not empty.
    """
    one, bases, buckets, pitch = spaces
    several, last, begin = 0, 0, 0
    for bucket in range(len(ends)):
        table[bucket] = one
        if ends[bucket] > begin:
            table[bucket], last = bases + 8 * pitch * terms_of[begin], bucket
        if ends[bucket] > begin + 1:
            active[several] = bucket
            several += 1
        begin = ends[bucket]
    rank, filled = 1, 0
    while several > 0:
        if several < COUNT:
            multiply_step(places, filled, x, y, pitch, ring)
            filled = 0
        more = 0
        for i in range(several):
            bucket = active[i]
            at = rank + (ends[bucket - 1] if bucket > 0 else 0)
            places[filled] = table[bucket]
            places[COUNT + filled] = bases + 8 * pitch * terms_of[at]
            places[2 * COUNT + filled] = table[bucket] = buckets + 8 * pitch * bucket
            filled += 1
            if filled == COUNT:
                multiply_step(places, filled, x, y, pitch, ring)
                filled = 0
            if at + 1 < ends[bucket]:
                active[more] = bucket
                more += 1
        several, rank = more, rank + 1
    multiply_step(places, filled, x, y, pitch, ring)
    return last // COUNT


@inner
def raise_buckets(
    total: int, running: int, x: int, table: int, last: int, pitch: int, ring: Modulus
) -> None:
    """The product of the buckets up to ``last``, each as often as its number.

    ``running`` is left as the product of all but bucket 0.
    """
    modulus, work, limbs, digits, routines = ring
    if last == 0:
        copy(running, one_of(modulus, limbs), limbs * digits)
        copy(total, running, limbs * digits)
    for entry in range(last, 0, -1):
        collect(x, table + ROW * entry, pitch)
        if entry == last:
            copy(running, x, limbs * digits)
            copy(total, x, limbs * digits)
        else:
            mul(routines, running, running, x, modulus, work, limbs, digits)
            mul(routines, total, total, running, modulus, work, limbs, digits)


@inner
def add_kind(
    total: int,
    running: int,
    x: int,
    table: int,
    masks: int,
    kinds: int,
    pitch: int,
    ring: Modulus,
) -> None:
    """The powers of digits, from those of their upper bits and the product of all bases.

    For each lower bit from the highest there are two masks, which have all bits set in the lanes
    that have such a bit, and where it is 1.
    """
    modulus, work, limbs, digits, routines = ring
    rows = limbs * digits
    collect(x, table, pitch)
    mul(routines, running, running, x, modulus, work, limbs, digits)
    for bit in range(kinds):
        square(routines, x, total, modulus, work, limbs, digits)
        keep(x, total, load(masks, COUNT * 2 * bit), rows)
        mul(routines, total, x, running, modulus, work, limbs, digits)
        keep(total, x, load(masks, COUNT * (2 * bit + 1)), rows)


@kernel
def pippenger_all(
    start: int,
    stop: int,
    out: Words,
    x: Words,
    bases: Words,
    taken: Integers,
    exponents: Exponents,
    cut: Cut,
    masks: Words,
    entries: int,
    room: int,
    n: Words,
    n_step: int,
    limbs: int,
    digits: int,
    routines: Routines,
    scratch: Words,
) -> None:
    """out = the product over the terms of each task of base**digit, window by window.

    ``bases`` are made of x by :func:`flatten`; if there is no room, each thread makes its own, and
    counts in what is 0 at first. For ``masks`` (groups, 2*kinds, 8) see :func:`add_kind`.
    ``entries`` are the buckets of a task, and ``room`` is for the terms of a group. ``taken`` has
    two words for :func:`flatten`, and then one for each group, for :func:`join_groups`.
    """
    kinds, windows, width = cut[4], cut[6], cut[7]
    rows, buckets = limbs * digits, COUNT * entries
    pitch = COUNT * -(-rows // COUNT)
    words, at = scratch.view(np.int64), COUNT * SCRATCH * limbs
    counts = address(scratch) + 8 * (len(scratch) - 2)
    table, at = words[at : at + buckets], at + buckets
    ends, at = words[at : at + buckets], at + buckets
    active, at = words[at : at + buckets], at + buckets
    places, at = words[at : at + 3 * COUNT], at + 3 * COUNT
    terms_of, at = words[at : at + room], at + room
    keys, at = words[at : at + room + COUNT], at + room + COUNT
    work = address(scratch)
    factor = work + 8 * at
    running, total = factor + ROW * pitch, factor + ROW * 2 * pitch
    one = factor + ROW * 3 * pitch
    held = one + 8 * pitch
    flat = held + 8 * pitch * buckets
    if len(bases) > 0:
        flat, counts = address(bases), address(taken)
    spaces = one, flat, held, pitch
    for row in range(rows):
        store_word(one, row, np.int64(load_word(one_of(address(n), limbs), COUNT * row)))
    for group in range(start, stop):
        modulus, to = address(n) + n_step * group, address(out) + ROW * rows * group
        ring = (modulus, work, limbs, digits, routines)
        for window in range(windows - 1, -1, -1):
            arrange(ends, terms_of, keys, exponents, group, window, cut)
            # The first time, and not before: a thread that begins late would be waited for.
            flatten(flat, pitch, x, rows, counts, work)
            last = multiply_into_buckets(
                table, spaces, ends, terms_of, active, places, factor, running, ring
            )
            raise_buckets(total, running, factor, address(table), last, pitch, ring)
            if kinds > 0:
                mask = address(masks) + ROW * 2 * kinds * group
                add_kind(total, running, factor, address(table), mask, kinds, pitch, ring)
            if window == windows - 1:
                copy(to, total, rows)
                continue
            for _ in range(width):
                square(routines, to, to, modulus, work, limbs, digits)
            mul(routines, to, to, total, modulus, work, limbs, digits)
        join_within(to, group, cut, factor, running, ring)
        join_groups(address(out), address(taken) + 16, group, cut, ring)
