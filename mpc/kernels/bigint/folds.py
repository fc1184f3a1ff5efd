# SPDX-License-Identifier: Apache-2.0
"""The kernels that make few elements of many; arrays are as in :mod:`mpc.kernels.bigint.loops`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpc.kernels.bigint.montgomery import SCRATCH, Routines, mul, one_of, square
from mpc.kernels.bigint.rows import ROW, copy
from mpc.kernels.compiled import inner, kernel
from mpc.kernels.lanes import COUNT, address, load, load_word, store, store_word

Words = NDArray[np.uint64]

Modulus = tuple[int, int, int, int, Routines]
"""Where a modulus and the scratch of products begin; limbs, digits, and the products."""


@kernel
def fold_all(
    start: int,
    stop: int,
    out: Words,
    x: Words,
    count: int,
    n: Words,
    _n_step: int,
    limbs: int,
    digits: int,
    routines: Routines,
    scratch: Words,
) -> None:
    """Of ``count`` groups of x: out[i] = x[i] * x[i + len(out)] * x[i + 2*len(out)] ..."""
    rows, modulus = limbs * digits, address(n)
    for group in range(start, stop):
        to = address(out) + ROW * rows * group
        copy(to, address(x) + ROW * rows * group, rows)
        for other in range(group + len(out), count, len(out)):
            factor = address(x) + ROW * rows * other
            mul(routines, to, to, factor, modulus, address(scratch), limbs, digits)


@inner
def turn(out: int, x: int, apart: int, rows: int, work: int) -> None:
    """In each lane what x has ``apart`` lanes further, round and round."""
    for row in range(rows):
        limb = load(x + ROW * row, 0)
        store(work, 0, limb)
        store(work, COUNT, limb)
        store(out + ROW * row, 0, load(work, apart))


@kernel
def across_all(
    start: int,
    stop: int,
    steps: Words,
    x: Words,
    count: int,
    n: Words,
    _n_step: int,
    limbs: int,
    digits: int,
    routines: Routines,
    scratch: Words,
) -> None:
    """The product of ``count`` groups of x; that times what it has 4 lanes further; this times what
    it has 2 lanes further; and 1 lane, which in each lane is the product of all.

    They are the rows of the one group of ``steps`` (1, 4*digits*limbs, 8): one task, however large.
    """
    rows, modulus, work = limbs * digits, address(n), address(scratch)
    factor = work + ROW * SCRATCH * limbs
    for _ in range(start, stop):
        to = address(steps)
        copy(to, address(x), rows)
        for other in range(1, count):
            mul(routines, to, to, address(x) + ROW * rows * other, modulus, work, limbs, digits)
        for apart in (4, 2, 1):
            turn(factor, to, apart, rows, work)
            mul(routines, to + ROW * rows, to, factor, modulus, work, limbs, digits)
            to += ROW * rows


@kernel
def apart_all(
    start: int,
    stop: int,
    inverse: Words,
    steps: Words,
    n: Words,
    _n_step: int,
    limbs: int,
    digits: int,
    routines: Routines,
    scratch: Words,
) -> None:
    """Of the inverse of the last of the ``steps`` of ``across_all``, that of the first."""
    rows, modulus, work = limbs * digits, address(n), address(scratch)
    factor, to = work + ROW * SCRATCH * limbs, address(inverse)
    for _ in range(start, stop):
        at = address(steps) + ROW * rows * 3
        for apart in (1, 2, 4):
            at -= ROW * rows
            turn(factor, at, apart, rows, work)
            mul(routines, to, to, factor, modulus, work, limbs, digits)


@inner
def join_pairs(x: int, groups: int, apart: int, squarings: int, factor: int, ring: Modulus) -> int:
    """Multiply elements by those ``apart`` elements further, squared so often.

    Of elements further apart than a group, those of the first half of ``groups`` groups by those of
    the second; returns how many groups hold the products.
    """
    modulus, work, limbs, digits, routines = ring
    rows, further = limbs * digits, max(1, apart // COUNT)
    for group in range(min(groups, further) if apart >= COUNT else groups):
        to = x + ROW * rows * group
        if apart < COUNT:
            turn(factor, to, apart, rows, work)
        else:
            copy(factor, to + ROW * rows * further, rows)
        for _ in range(squarings):
            square(routines, factor, factor, modulus, work, limbs, digits)
        mul(routines, to, to, factor, modulus, work, limbs, digits)
    return groups if apart < COUNT else further


@inner
def join_spans(x: int, groups: int, spans: int, bits: int, factor: int, ring: Modulus) -> None:
    """The first of each run gets the product of all, each to the power of 2**bits of the one
    before."""
    apart = 1
    while apart < spans:
        groups = join_pairs(x, groups, apart, bits * apart, factor, ring)
        apart *= 2


@inner
def join_all_but_last(x: int, spans: int, factor: int, product: int, ring: Modulus) -> None:
    """Multiply the elements of a run by those of the next, in which ones are left; but not the
    last of either run."""
    modulus, work, limbs, digits, routines = ring
    rows, further, one = limbs * digits, spans // COUNT, one_of(modulus, limbs)
    for group in range(max(1, further)):
        to = x + ROW * rows * group
        if further == 0:
            turn(factor, to, spans, rows, work)
        else:
            copy(factor, to + ROW * rows * further, rows)
        mul(routines, product, to, factor, modulus, work, limbs, digits)
        for lane in range(COUNT):
            if (COUNT * group + lane) % (2 * spans) < spans - 1:
                next_lane = lane + spans * (further == 0)
                for word in range(0, COUNT * rows, COUNT):
                    store_word(to, word + lane, load_word(product, word + lane))
                    left = to + ROW * rows * further
                    store_word(left, word + next_lane, load_word(one, word + next_lane))


@inner
def join_within(
    x: int, tasks: int, spans: int, signed: int, factor: int, product: int, ring: Modulus
) -> None:
    """What :func:`rejoin` does first, in each group by itself."""
    apart = min(tasks, COUNT) // 2
    while apart >= spans << signed:
        join_pairs(x, 1, apart, 0, factor, ring)
        apart //= 2
    if signed and 1 < spans < COUNT:
        join_all_but_last(x, spans, factor, product, ring)


@inner
def rejoin(
    x: int,
    tasks: int,
    spans: int,
    bits: int,
    signed: int,
    factor: int,
    product: int,
    ring: Modulus,
) -> None:
    """In place: the product of ``tasks`` elements, a power of two, in the first of them, after
    :func:`join_within`.

    They are runs of ``spans``, of which each is to the power of 2**bits of the one before; with 0
    ``bits`` a run is left, of products. They are in as many groups as they take, or some of several
    products in one.

    If ``signed``, the last of every other run stays apart: element ``spans`` is the product of
    these, to the power that is theirs; or with 0 ``bits`` the last element of a second run.
    """
    rows, groups, apart = ring[2] * ring[3], -(-tasks // COUNT), tasks // 2
    while apart >= max(COUNT, spans << signed):
        groups = join_pairs(x, groups, apart, 0, factor, ring)
        apart //= 2
    if signed and spans >= COUNT:
        join_all_but_last(x, spans, factor, product, ring)
    if bits == 0:
        return
    parts = 2 if signed and spans >= COUNT else 1
    groups //= parts
    for part in range(parts):
        join_spans(x + ROW * rows * groups * part, groups, spans, bits, factor, ring)


@kernel
def chain_all(
    start: int,
    stop: int,
    ends: Words,
    x: Words,
    before: Words,
    n: Words,
    _n_step: int,
    limbs: int,
    digits: int,
    routines: Routines,
    scratch: Words,
) -> None:
    """before[i] = the product of x up to i, of each of as many runs as there are ``ends``."""
    rows, modulus = limbs * digits, address(n)
    for run in range(start, stop):
        first, last = run * len(x) // len(ends), (run + 1) * len(x) // len(ends)
        to = address(before) + ROW * rows * first
        copy(to, address(x) + ROW * rows * first, rows)
        for group in range(first + 1, last):
            factor = address(x) + ROW * rows * group
            mul(routines, to + ROW * rows, to, factor, modulus, address(scratch), limbs, digits)
            to += ROW * rows
        copy(address(ends) + ROW * rows * run, to, rows)


@kernel
def unchain_all(
    start: int,
    stop: int,
    ends: Words,
    x: Words,
    before: Words,
    out: Words,
    n: Words,
    _n_step: int,
    limbs: int,
    digits: int,
    routines: Routines,
    scratch: Words,
) -> None:
    """out = 1/x, where ``ends`` are the inverses of what ``chain_all`` made; they are changed."""
    rows, modulus, work = limbs * digits, address(n), address(scratch)
    for run in range(start, stop):
        first, last = run * len(x) // len(ends), (run + 1) * len(x) // len(ends)
        inverse = address(ends) + ROW * rows * run
        for group in range(last - 1, first, -1):
            at = ROW * rows * group
            product = address(before) + at - ROW * rows
            mul(routines, address(out) + at, inverse, product, modulus, work, limbs, digits)
            mul(routines, inverse, inverse, address(x) + at, modulus, work, limbs, digits)
        copy(address(out) + ROW * rows * first, inverse, rows)
