# SPDX-License-Identifier: Apache-2.0
"""The kernels: loops over lane groups, compiled once for every size of modulus.

Arrays are uint64 and begin on 64 bytes: vectors (groups, digits*limbs, 8), the modulus (1 or
groups, ..., 8) being n in ``limbs`` rows, -1/n mod 2**52 in one, and the element one. ``*_step`` is
how many bytes one group is from the next, 0 where one group serves all. Nothing here branches on
values or finds an address by them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpc.kernels.bigint.montgomery import (
    SCRATCH,
    Routines,
    add_exactly,
    mul,
    one_of,
    square,
    subtract_once,
)
from mpc.kernels.bigint.rows import LIMB, ROW, carry, clear, copy
from mpc.kernels.compiled import inner, kernel
from mpc.kernels.lanes import (
    COUNT,
    LIMB_BITS,
    add,
    address,
    broadcast,
    load,
    load_word,
    store,
    sub,
)

Words = NDArray[np.uint64]


@inner
def add_limbs(out: int, x: int, limbs: int) -> None:
    """out += x, as limbs."""
    for row in range(limbs):
        column = add(load(out + ROW * row, 0), load(x + ROW * row, 0))
        store(out + ROW * row, 0, column)
    carry(out, out, limbs)


@kernel
def multiply_all(
    start: int,
    stop: int,
    out: Words,
    x: Words,
    y: Words,
    y_step: int,
    n: Words,
    n_step: int,
    limbs: int,
    digits: int,
    routines: Routines,
    scratch: Words,
) -> None:
    """out = x*y."""
    step = ROW * limbs * digits
    for group in range(start, stop):
        mul(
            routines,
            address(out) + step * group,
            address(x) + step * group,
            address(y) + y_step * group,
            address(n) + n_step * group,
            address(scratch),
            limbs,
            digits,
        )


@kernel
def square_all(
    start: int,
    stop: int,
    out: Words,
    x: Words,
    times: int,
    n: Words,
    n_step: int,
    limbs: int,
    digits: int,
    routines: Routines,
    scratch: Words,
) -> None:
    """out = x**(2**times), times at least 1."""
    rows = limbs * digits
    for group in range(start, stop):
        modulus, to = address(n) + n_step * group, address(out) + ROW * rows * group
        copy(to, address(x) + ROW * rows * group, rows)
        for _ in range(times):
            square(routines, to, to, modulus, address(scratch), limbs, digits)


@inner
def combine(
    out: int,
    chunks: int,
    terms: int,
    factors: int,
    modulus: int,
    work: int,
    limbs: int,
    digits: int,
    routines: Routines,
) -> None:
    """out = the sum of terms: chunks of ``limbs`` limbs, each times a factor.

    Chunks are any numbers of their length; factors are reduced. Every conversion between forms is
    such a sum.
    """
    rows = limbs * digits
    term, x = work + ROW * SCRATCH * limbs, work + ROW * (SCRATCH * limbs + rows)
    clear(out, rows)
    clear(x, rows)
    for i in range(terms):
        copy(x, chunks + ROW * limbs * i, limbs)
        factor = factors + ROW * rows * i
        mul(routines, term, x, factor, modulus, work, limbs, digits)
        for digit in range(digits):
            add_limbs(out + ROW * limbs * digit, term + ROW * limbs * digit, limbs)
        if i % 4 == 3:
            # Second digits of terms are below 3n, and of an element below 16n.
            mul(routines, out, out, one_of(modulus, limbs), modulus, work, limbs, digits)


@kernel
def combine_all(
    start: int,
    stop: int,
    out: Words,
    chunks: Words,
    terms: int,
    factors: Words,
    factors_step: int,
    n: Words,
    n_step: int,
    limbs: int,
    digits: int,
    routines: Routines,
    scratch: Words,
) -> None:
    """out = sums of chunks (groups, terms*limbs, 8) times factors, see :func:`combine`.

    Factors are (1 or groups, terms*digits*limbs, 8).
    """
    rows = limbs * digits
    for group in range(start, stop):
        modulus, to = address(n) + n_step * group, address(out) + ROW * rows * group
        of = address(chunks) + ROW * limbs * terms * group
        by = address(factors) + factors_step * group
        combine(to, of, terms, by, modulus, address(scratch), limbs, digits, routines)


@inner
def split(out: Words, at: int, element: int, lane: int, packed: int, words: int, rows: int) -> None:
    """Limbs of the element that is a run of so many words, in a lane of rows from ``at`` on."""
    source = packed + 8 * words * element
    for row in range(rows):
        word, shift = LIMB_BITS * row // 64, np.uint64(LIMB_BITS * row % 64)
        value = np.uint64(0)
        if word < words:
            value = load_word(source, word) >> shift
            if shift > np.uint64(64 - LIMB_BITS) and word + 1 < words:
                value |= load_word(source, word + 1) << (np.uint64(64) - shift)
        out[at + row, lane] = value & LIMB


@kernel
def load_all(
    start: int,
    stop: int,
    out: Words,
    packed: int,
    count: int,
    words: int,
    terms: int,
    factors: Words,
    factors_step: int,
    folds: int,
    n: Words,
    n_step: int,
    limbs: int,
    digits: int,
    routines: Routines,
    scratch: Words,
) -> None:
    """``combine_all`` of ``count`` elements at an address, which are runs of words.

    The lanes that are left get the last one. With ``folds`` all are multiplied, modulo n, to the
    last rows of the scratch.
    """
    rows, work = limbs * digits, address(scratch)
    held, first = scratch.reshape(-1, COUNT), SCRATCH * limbs + 2 * rows
    product = work + ROW * (first + terms * limbs)
    for group in range(start, stop):
        modulus, to = address(n) + n_step * group, address(out) + ROW * rows * group
        for lane in range(COUNT):
            element = min(COUNT * group + lane, count - 1)
            split(held, first, element, lane, packed, words, terms * limbs)
        of, by = work + ROW * first, address(factors) + factors_step * group
        combine(to, of, terms, by, modulus, work, limbs, digits, routines)
        if folds:
            mul(routines, product, product, to, modulus, work, limbs, 1)


@inner
def put_words(out: Words, limbs: Words, rows: int, lane: int) -> None:
    """The words of a number of canonical limbs (rows, 8), in one lane."""
    for word in range(len(out)):
        row, shift = 64 * word // LIMB_BITS, np.uint64(64 * word % LIMB_BITS)
        value, have = np.uint64(0), -np.int64(shift)
        while have < 64 and row < rows:
            limb = limbs[row, lane]
            if have < 0:
                value |= limb >> np.uint64(-have)
            else:
                value |= limb << np.uint64(have)
            have += LIMB_BITS
            row += 1
        out[word] = value


@inner
def finish(
    out: int,
    x: int,
    value: int,
    wide: int,
    modulus: int,
    work: int,
    limbs: int,
    digits: int,
    routines: Routines,
) -> None:
    """The canonical limbs of the numbers that x stands for, out of Montgomery form; ``value`` and
    ``wide`` are rooms for as many."""
    rows = limbs * digits
    clear(wide, rows)
    store(wide, 0, broadcast(np.uint64(1)))
    mul(routines, value, x, wide, modulus, work, limbs, digits)
    over = subtract_once(value, value, modulus, work, limbs)
    if digits == 1:
        copy(out, value, limbs)
    else:
        high = value + ROW * limbs
        store(high, 0, add(load(high, 0), add(over, broadcast(np.uint64(1)))))
        carry(high, high, limbs)
        for _ in range(2):
            subtract_once(high, high, modulus, work, limbs)
        clear(wide, rows)
        copy(wide, value, limbs)
        add_exactly(routines, wide, high, modulus, work, limbs)
        carry(out, wide, rows)


@kernel
def finish_all(
    start: int,
    stop: int,
    x: Words,
    packed: Words,
    n: Words,
    n_step: int,
    limbs: int,
    digits: int,
    routines: Routines,
    scratch: Words,
) -> None:
    """The words of the numbers that x stands for, out of Montgomery form, (elements, words)."""
    rows, work = limbs * digits, address(scratch)
    value, wide = work + ROW * SCRATCH * limbs, work + ROW * (SCRATCH * limbs + rows)
    to, canonical = wide + ROW * rows, scratch.reshape(-1, COUNT)[SCRATCH * limbs + 2 * rows :]
    for group in range(start, stop):
        modulus, of = address(n) + n_step * group, address(x) + ROW * rows * group
        finish(to, of, value, wide, modulus, work, limbs, digits, routines)
        for lane in range(min(COUNT, len(packed) - COUNT * group)):
            put_words(packed[COUNT * group + lane], canonical, rows, lane)


@kernel
def embed_all(
    start: int,
    stop: int,
    out: Words,
    m: Words,
    n: Words,
    n_step: int,
    limbs: int,
    digits: int,
    _routines: Routines,
    _scratch: Words,
) -> None:
    """out = 1 + m*n, digit by digit; m is of the ring modulo n."""
    for group in range(start, stop):
        one = one_of(address(n) + n_step * group, limbs)
        to = address(out) + ROW * digits * limbs * group
        copy(to, one, digits * limbs)
        add_limbs(to + ROW * limbs, address(m) + ROW * limbs * group, limbs)


@kernel
def log_all(
    start: int,
    stop: int,
    out: Words,
    x: Words,
    n: Words,
    n_step: int,
    limbs: int,
    digits: int,
    routines: Routines,
    scratch: Words,
) -> None:
    """m of x = 1 + m*n: the second digit, less that of 1."""
    work = address(scratch)
    value = work + ROW * SCRATCH * limbs
    for group in range(start, stop):
        modulus = address(n) + n_step * group
        one = one_of(modulus, limbs)
        mul(
            routines,
            value,
            address(x) + ROW * digits * limbs * group,
            one,
            modulus,
            work,
            limbs,
            digits,
        )
        over = subtract_once(value, value, modulus, work, limbs)
        high = value + ROW * limbs
        store(high, 0, add(load(high, 0), add(over, broadcast(np.uint64(1)))))
        for row in range(limbs):
            less = load(one + ROW * (limbs + row), 0)
            more = load(modulus + ROW * row, 0)
            store(high + ROW * row, 0, sub(add(load(high + ROW * row, 0), more), less))
        carry(address(out) + ROW * limbs * group, high, limbs)


@kernel
def split_all(
    start: int, stop: int, out: Words, packed: int, words: int, rows: int, _scratch: Words
) -> None:
    """Limbs of elements at an address, which are runs of words."""
    for element in range(start, stop):
        split(out[element // 8], 0, element, element % 8, packed, words, rows)
