# SPDX-License-Identifier: Apache-2.0
"""The kernels that raise to powers; arrays are as in :mod:`mpc.kernels.bigint.loops`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.kernels.bigint.lookups import BYTES, INDEX_ROWS, look_up_next, scan_twice
from mpc.kernels.bigint.montgomery import SCRATCH, Routines, mul, one_of, square
from mpc.kernels.bigint.rows import ROW, copy
from mpc.kernels.compiled import inner, kernel
from mpc.kernels.lanes import address

TOGETHER = 32
"""Lane groups that take turns at one table of a comb, or at a pair of them."""

Words = NDArray[np.uint64]

Lanes = Any


@inner
def raise_and_multiply(
    routines: Routines,
    to: int,
    squarings: int,
    factor: int,
    modulus: int,
    work: int,
    limbs: int,
    digits: int,
) -> None:
    """to**(2**squarings) * factor, in its place."""
    for _ in range(squarings):
        square(routines, to, to, modulus, work, limbs, digits)
    mul(routines, to, to, factor, modulus, work, limbs, digits)


@kernel
def power_all(
    start: int,
    stop: int,
    out: Words,
    x: Words,
    exponents: Words,
    exponents_step: int,
    window: int,
    windows: int,
    n: Words,
    n_step: int,
    limbs: int,
    digits: int,
    routines: Routines,
    scratch: Words,
) -> None:
    """out = x**exponents by fixed windows of digits (1 or groups, windows, 8), lowest first."""
    rows, entries = limbs * digits, 1 << window
    work = address(scratch)
    factor, table = work + ROW * SCRATCH * limbs, work + ROW * (SCRATCH * limbs + 2 * rows)
    for group in range(start, stop):
        modulus, to = address(n) + n_step * group, address(out) + ROW * rows * group
        exponent = address(exponents) + exponents_step * group
        copy(table, one_of(modulus, limbs), rows)
        copy(table + ROW * rows, address(x) + ROW * rows * group, rows)
        for entry in range(2, entries):
            to_entry = table + ROW * rows * entry
            if entry % 2:
                before, first = to_entry - ROW * rows, table + ROW * rows
                mul(routines, to_entry, before, first, modulus, work, limbs, digits)
            else:
                half = table + ROW * rows * (entry // 2)
                square(routines, to_entry, half, modulus, work, limbs, digits)
        for i in range(windows - 1, -1, -2):
            digit, other = exponent + ROW * i, exponent + ROW * max(i - 1, 0)
            scan_twice(factor, factor + ROW * rows, table, digit, other, entries, rows)
            if i == windows - 1:
                copy(to, factor, rows)
            else:
                raise_and_multiply(routines, to, window, factor, modulus, work, limbs, digits)
            if i > 0:
                second = factor + ROW * rows
                raise_and_multiply(routines, to, window, second, modulus, work, limbs, digits)


@kernel
def straus_all(
    start: int,
    stop: int,
    out: Words,
    tables: NDArray[np.uint8],
    exponents: Words,
    groups: int,
    terms: int,
    shares: int,
    window: int,
    passes: int,
    entries: int,
    n: Words,
    n_step: int,
    limbs: int,
    digits: int,
    routines: Routines,
    scratch: Words,
) -> None:
    """out = the product over terms of base**exponent, of which all lanes share the bases.

    Tables are as :mod:`mpc.kernels.bigint.lookups` says, one per term; digits of exponents (groups,
    passes, terms, 8), the lowest pass first. A comb is the case of one pass. Each of ``shares``
    runs of terms has products of its own, one after the other in ``out``: (shares*groups, ..., 8).
    Groups take turns at each table, while it is in the cache.
    """
    rows = limbs * digits
    work, step = address(scratch), ROW * passes * terms
    index = work + ROW * SCRATCH * limbs
    factors = index + ROW * INDEX_ROWS
    begin = start
    while begin < stop:
        share = begin // groups
        end = min(begin + TOGETHER, stop, (share + 1) * groups)
        base = terms * share // shares
        count = terms * (share + 1) // shares - base
        for i in range(passes * count):
            term = base + i % count
            table = address(tables) + BYTES * entries * rows * term
            digit = address(exponents) + ROW * ((passes - 1 - i // count) * terms + term)
            digit -= step * share * groups
            squarings = window if term == base else 0
            first = begin
            while first < end:
                found = look_up_next(
                    factors, index, table, digit + step * first, step, end - first, entries, rows
                )
                for group in range(first, first + found):
                    modulus, to = address(n) + n_step * group, address(out) + ROW * rows * group
                    factor = factors + ROW * rows * (group - first)
                    if i == 0:
                        copy(to, factor, rows)
                    else:
                        raise_and_multiply(
                            routines, to, squarings, factor, modulus, work, limbs, digits
                        )
                first += found
        begin = end
