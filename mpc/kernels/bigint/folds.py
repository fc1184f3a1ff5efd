# SPDX-License-Identifier: Apache-2.0
"""The kernels that make few elements of many; arrays are as in :mod:`mpc.kernels.bigint.loops`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpc.kernels.bigint.montgomery import SCRATCH, Routines, mul, square
from mpc.kernels.bigint.rows import ROW, copy
from mpc.kernels.compiled import inner, kernel
from mpc.kernels.lanes import COUNT, address, load, store

Words = NDArray[np.uint64]


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
    """The product of all lanes of ``count`` groups of x, in each lane of the one group of ``out``.

    It is one task, however large.
    """
    rows, modulus, work = limbs * digits, address(n), address(scratch)
    factor = work + ROW * SCRATCH * limbs
    for group in range(start, stop):
        to = address(out) + ROW * rows * group
        copy(to, address(x), rows)
        for other in range(1, count):
            mul(routines, to, to, address(x) + ROW * rows * other, modulus, work, limbs, digits)
        for apart in (4, 2, 1):
            turn(factor, to, apart, rows, work)
            mul(routines, to, to, factor, modulus, work, limbs, digits)


@inner
def join_pairs(
    x: int,
    groups: int,
    apart: int,
    squarings: int,
    modulus: int,
    work: int,
    limbs: int,
    digits: int,
    routines: Routines,
) -> int:
    """Multiply elements by those ``apart`` elements further, squared so often.

    Of elements further apart than a group, those of the first half of ``groups`` groups by those of
    the second; returns how many groups hold the products.
    """
    rows, further = limbs * digits, max(1, apart // COUNT)
    factor = work + ROW * SCRATCH * limbs
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


@kernel
def rejoin_all(
    start: int,
    stop: int,
    x: Words,
    size: int,
    tasks: int,
    spans: int,
    bits: int,
    n: Words,
    _n_step: int,
    limbs: int,
    digits: int,
    routines: Routines,
    scratch: Words,
) -> None:
    """In place: the product of ``tasks`` elements, a power of two, in the first of them.

    They are runs of ``spans``, of which each is to the power of 2**bits of the one before. ``size``
    groups hold the tasks of one product, or a group those of several.
    """
    for block in range(start, stop):
        to, groups = address(x) + ROW * limbs * digits * size * block, size
        modulus, work = address(n), address(scratch)
        apart = tasks // 2
        while apart >= spans:
            groups = join_pairs(to, groups, apart, 0, modulus, work, limbs, digits, routines)
            apart //= 2
        apart = 1
        while apart < spans:
            squarings = bits * apart
            groups = join_pairs(
                to, groups, apart, squarings, modulus, work, limbs, digits, routines
            )
            apart *= 2


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
