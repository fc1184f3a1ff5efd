# SPDX-License-Identifier: Apache-2.0
"""Products of entries of tables modulo n**2, two entries at a time.

In Montgomery form an entry v is t0 + t1*n, which is t0 * (1 + u*n) for u = t1/t0 modulo n. The
factors 1 + u*n of all entries multiply to one with the sum of their u, so that a product of
entries is one of numbers t0, without a second digit, and a sum. A table holds t0 and u.

Two numbers a and b without a second digit: a*b + m*n = R*p gives a*b/R = p - n*m/R modulo n**2.
So second digits are kept as -w/R, in w of the size of R, and for the product x - n*w/R so far

    x*p + k*n = R*z        (x - n*w/R) * (p - n*m/R) / R = z - n*(k + (w*p + x*m)/R)/R

where k + (w*p + x*m)/R, the fraction modulo n, is the next w, which R is taken from if it exceeds
that, and R modulo n added. These are four products and three reductions of the size of n for two
entries, where multiplying by each of them is six products and four reductions.

With x and p below 2n the fraction is below 6n. The numbers u are below 2n as well: so many of them
as ``SUMMED`` stay below R, and are then multiplied by one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from mpc.kernels.bigint.ladders import TOGETHER
from mpc.kernels.bigint.lookups import BYTES, INDEX_ROWS, look_up_next
from mpc.kernels.bigint.montgomery import SCRATCH, Routines, factors_of, mul, one_of, products
from mpc.kernels.bigint.rows import (
    ROW,
    accumulate,
    add_below_radix,
    carry,
    clear,
    copy,
)
from mpc.kernels.compiled import call, inner, kernel, routine
from mpc.kernels.lanes import address, emits

SUMMED = 64

Words = NDArray[np.uint64]


@routine
def _pair(p: int, m: int, a: int, b: int, n: int, scratch: int, limbs: int) -> None:
    """a*b = R*p - m*n."""
    modulus = factors_of(n, limbs)
    factors = products.factors(scratch + ROW * 5 * limbs, a, limbs)
    products.put_product(scratch, factors, b, limbs)
    clear(m, limbs)
    products.reduce(scratch, m, m, modulus, 1, limbs)
    products.carry_upper(p, scratch, 2, limbs)


@routine
def _merge(x: int, w: int, p: int, m: int, n: int, scratch: int, limbs: int) -> None:
    """x - n*w/R becomes its product with p - n*m/R, over R."""
    low, k, high = scratch, scratch + ROW * 2 * limbs, scratch + ROW * 3 * limbs
    fraction = scratch + ROW * 6 * limbs
    modulus = factors_of(n, limbs)
    factors = products.factors(scratch + ROW * 5 * limbs, x, limbs)
    products.put_product(low, factors, p, limbs)
    products.put_product(high, factors, m, limbs)
    factors = products.factors(scratch + ROW * 5 * limbs, w, limbs)
    products.add_product(high, factors, p, limbs)
    clear(k, limbs)
    products.reduce(low, k, k, modulus, 1, limbs)
    products.carry_upper(x, low, 2, limbs)
    clear(fraction, limbs)
    products.fold(high, fraction, fraction, modulus, 2, limbs)
    products.carry_folded(fraction, high, 3, limbs)
    add_below_radix(w, k, fraction, one_of(n, limbs), limbs)


@routine
def _finish(x: int, w: int, u: int, n: int, scratch: int, limbs: int) -> None:
    """Two digits, in place of x and w, of (x - n*w/R) * (1 + u*n), with u times R."""
    m = scratch + ROW * 2 * limbs
    modulus = factors_of(n, limbs)
    factors = products.factors(scratch + ROW * 5 * limbs, x, limbs)
    products.put_product(scratch, factors, u, limbs)
    products.fold(scratch, w, m, modulus, 1, limbs)
    products.carry_folded(w, scratch, 2, limbs)


Steps = tuple[int, int, int]


def comb_routines() -> Steps:
    """Where they begin."""
    return _pair.address, _merge.address, _finish.address


_steps = types.UniTuple(types.intp, 3)


@emits(types.none, _steps, *[types.intp] * 7)
def pair(
    builder: Any, routines: Any, p: Any, m: Any, a: Any, b: Any, n: Any, scratch: Any, limbs: Any
) -> None:
    """a*b = R*p - m*n."""
    call(builder, builder.extract_value(routines, 0), [p, m, a, b, n, scratch, limbs])


@emits(types.none, _steps, *[types.intp] * 7)
def merge(
    builder: Any, routines: Any, x: Any, w: Any, p: Any, m: Any, n: Any, scratch: Any, limbs: Any
) -> None:
    """x - n*w/R becomes its product with p - n*m/R, over R."""
    call(builder, builder.extract_value(routines, 1), [x, w, p, m, n, scratch, limbs])


@emits(types.none, _steps, *[types.intp] * 6)
def finish(
    builder: Any, routines: Any, x: Any, w: Any, u: Any, n: Any, scratch: Any, limbs: Any
) -> None:
    """Two digits, in place of x and w, of (x - n*w/R) * (1 + u*n)."""
    call(builder, builder.extract_value(routines, 2), [x, w, u, n, scratch, limbs])


@inner
def reduce_sum(u: int, modulus: int, work: int, limbs: int, routines: Routines) -> None:
    """A sum of columns modulo n, below 2n."""
    carry(u, u, limbs)
    mul(routines, u, u, one_of(modulus, limbs), modulus, work, limbs, 1)


@kernel
def comb_all(
    start: int,
    stop: int,
    out: Words,
    tables: NDArray[np.uint8],
    exponents: Words,
    groups: int,
    terms: int,
    shares: int,
    entries: int,
    steps: Steps,
    n: Words,
    _n_step: int,
    limbs: int,
    _digits: int,
    routines: Routines,
    scratch: Words,
) -> None:
    """out = the product over terms of the entry that its digit names: (shares*groups, 2*limbs, 8).

    Tables, exponents (groups, terms, 8) and ``shares`` are as for ``straus_all``; the tables' rows
    are those of t0 and then of u.
    """
    rows, modulus, step = 2 * limbs, address(n), ROW * terms
    work = address(scratch)
    index = work + ROW * SCRATCH * limbs
    p = index + ROW * INDEX_ROWS
    m, first_found, sums = p + ROW * limbs, p + ROW * rows, p + ROW * 9 * rows
    second_found = first_found + ROW * 4 * rows
    begin = start
    while begin < stop:
        share = begin // groups
        end = min(begin + TOGETHER, stop, (share + 1) * groups)
        base = terms * share // shares
        last = terms * (share + 1) // shares
        clear(sums, limbs * (end - begin))
        term = base
        while term < last:
            # An odd number of terms begins with one.
            many = 1 if term == base and (last - base) % 2 else 2
            table = address(tables) + BYTES * entries * rows * term
            digit = address(exponents) + ROW * term - step * share * groups
            first = begin
            while first < end:
                place, left = digit + step * first, end - first
                found = look_up_next(first_found, index, table, place, step, left, entries, rows)
                if many == 2:
                    table_after = table + BYTES * entries * rows
                    look_up_next(
                        second_found, index, table_after, place + ROW, step, left, entries, rows
                    )
                for group in range(first, first + found):
                    x = address(out) + ROW * rows * group
                    u = sums + ROW * limbs * (group - begin)
                    a = first_found + ROW * rows * (group - first)
                    b = second_found + ROW * rows * (group - first)
                    accumulate(u, a + ROW * limbs, limbs)
                    if many == 1:
                        copy(x, a, limbs)
                        clear(x + ROW * limbs, limbs)
                        continue
                    accumulate(u, b + ROW * limbs, limbs)
                    if term == base:
                        pair(steps, x, x + ROW * limbs, a, b, modulus, work, limbs)
                    else:
                        pair(steps, p, m, a, b, modulus, work, limbs)
                        merge(steps, x, x + ROW * limbs, p, m, modulus, work, limbs)
                first += found
            term += many
            if (term - base) // SUMMED != (term - base - many) // SUMMED or term == last:
                for group in range(begin, end):
                    u = sums + ROW * limbs * (group - begin)
                    reduce_sum(u, modulus, work, limbs, routines)
        for group in range(begin, end):
            x, u = address(out) + ROW * rows * group, sums + ROW * limbs * (group - begin)
            finish(steps, x, x + ROW * limbs, u, modulus, work, limbs)
        begin = end
