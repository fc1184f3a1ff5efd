# SPDX-License-Identifier: Apache-2.0
"""The kernels that make few elements of many; arrays are as in :mod:`mpc.kernels.bigint.loops`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpc.kernels.bigint.digits import Cut
from mpc.kernels.bigint.montgomery import (
    SCRATCH,
    Routines,
    mul,
    one_of,
    square,
    square_two,
)
from mpc.kernels.bigint.rows import ROW, copy
from mpc.kernels.compiled import inner, kernel
from mpc.kernels.lanes import COUNT, address, load, load_word, store, store_word
from mpc.kernels.team import take

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
def join_lanes(x: int, apart: int, squarings: int, factor: int, ring: Modulus) -> None:
    """Multiply elements, squared so often, by those ``apart`` lanes further."""
    modulus, work, limbs, digits, routines = ring
    turn(factor, x, apart, limbs * digits, work)
    if 2 * apart == COUNT:
        square_two(routines, x, squarings, modulus, work, limbs, digits)
    else:
        for _ in range(squarings):
            square(routines, x, x, modulus, work, limbs, digits)
    mul(routines, x, x, factor, modulus, work, limbs, digits)


@inner
def join_signs(
    x: int, first: int, tasks: int, run: int, factor: int, product: int, ring: Modulus
) -> None:
    """Multiply even tasks by odd ones, in which ones are left; but not the first ``run`` of each
    output's ``tasks``. The first task of the group is given."""
    modulus, work, limbs, digits, routines = ring
    rows, one = limbs * digits, one_of(modulus, limbs)
    turn(factor, x, 1, rows, work)
    mul(routines, product, x, factor, modulus, work, limbs, digits)
    for lane in range(0, COUNT, 2):
        if (first + lane) % tasks >= run:
            for word in range(lane, COUNT * rows, COUNT):
                store_word(x, word, load_word(product, word))
                store_word(x, word + 1, load_word(one, word + 1))


@inner
def join_within(x: int, group: int, cut: Cut, factor: int, product: int, ring: Modulus) -> None:
    """The first task of each output in a group gets the product of all, those of a span each to the
    power of 2**bits of the one after it.

    Of signed exponents the second is that of the negative digits.
    """
    shares, kinds, spans, windows, width, signed = cut[3:]
    run = shares << kinds
    tasks, apart = spans * run, min(run, COUNT) // 2
    while apart > signed:
        join_lanes(x, apart, 0, factor, ring)
        apart //= 2
    if signed and spans > 1:
        join_signs(x, COUNT * group, tasks, run, factor, product, ring)
    apart = run
    while apart < min(tasks, COUNT):
        join_lanes(x, apart, windows * width * (apart // run), factor, ring)
        apart *= 2


@inner
def join_groups(out: int, joined: int, group: int, cut: Cut, ring: Modulus) -> None:
    """What :func:`join_within` does, over the groups of an output: the last gets the product.

    Each is multiplied to those before it by whoever comes second: the thread that has done it, or
    the one that has joined those before. None waits for another, and the squarings between are done
    while the groups after them are. At ``joined`` is a word for each group, which is 0 at first.
    """
    modulus, work, limbs, digits, routines = ring
    shares, kinds, spans, windows, width, _ = cut[3:]
    run = shares << kinds
    tasks, size = spans * run, ROW * limbs * digits
    # The tasks of this output after those of the group.
    after = (max(tasks, COUNT) - COUNT * (group + 1)) % max(tasks, COUNT)
    here, before = out + size * group, after + COUNT < tasks
    while not before or take(joined + 8 * group, 1) == 1:
        if before:
            mul(routines, here, here - size, here, modulus, work, limbs, digits)
        if after == 0:
            return
        squarings = windows * width * (after // run - (after - COUNT) // run)
        square_two(routines, here, squarings, modulus, work, limbs, digits)
        here, group, after, before = here + size, group + 1, after - COUNT, True


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
