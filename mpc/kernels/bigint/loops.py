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

from mpc.kernels.bigint.blocks import ROW
from mpc.kernels.bigint.montgomery import (
    LIMB,
    SCRATCH,
    Routines,
    add_exactly,
    carry,
    clear,
    copy,
    mul,
    square,
    subtract_once,
)
from mpc.kernels.compiled import inner, kernel
from mpc.kernels.lanes import (
    COUNT,
    LIMB_BITS,
    add,
    address,
    broadcast,
    load,
    store,
    sub,
)

Words = NDArray[np.uint64]


@inner
def accumulate(out: int, x: int, limbs: int) -> None:
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
    """out = the sum of terms: chunks of ``limbs`` limbs, each times a factor.

    Chunks are any numbers of their length, (groups, terms*limbs, 8); factors are reduced,
    (1 or groups, terms*digits*limbs, 8). Every conversion between forms is such a sum.
    """
    rows = limbs * digits
    work = address(scratch)
    term, x = work + ROW * SCRATCH * limbs, work + ROW * (SCRATCH * limbs + rows)
    for group in range(start, stop):
        modulus, to = address(n) + n_step * group, address(out) + ROW * rows * group
        clear(to, rows)
        clear(x, rows)
        for i in range(terms):
            copy(x, address(chunks) + ROW * limbs * (terms * group + i), limbs)
            factor = address(factors) + factors_step * group + ROW * rows * i
            mul(routines, term, x, factor, modulus, work, limbs, digits)
            for digit in range(digits):
                accumulate(to + ROW * limbs * digit, term + ROW * limbs * digit, limbs)
            if i % 4 == 3:
                # Each term is below 2n, and an element is to stay below 8n.
                mul(routines, to, to, modulus + ROW * (limbs + 1), modulus, work, limbs, digits)


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
    to = wide + ROW * rows
    for group in range(start, stop):
        modulus = address(n) + n_step * group
        clear(wide, rows)
        store(wide, 0, broadcast(np.uint64(1)))
        mul(routines, value, address(x) + ROW * rows * group, wide, modulus, work, limbs, digits)
        over = subtract_once(value, value, modulus, work, limbs)
        if digits == 1:
            copy(to, value, limbs)
        else:
            high = value + ROW * limbs
            store(high, 0, add(load(high, 0), add(over, broadcast(np.uint64(1)))))
            carry(high, high, limbs)
            subtract_once(high, high, modulus, work, limbs)
            clear(wide, rows)
            copy(wide, value, limbs)
            add_exactly(routines, wide, high, modulus, limbs)
            carry(to, wide, rows)
        for lane in range(min(COUNT, len(packed) - COUNT * group)):
            canonical = scratch[0, SCRATCH * limbs + 2 * rows :]
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
        one = address(n) + n_step * group + ROW * (limbs + 1)
        to = address(out) + ROW * digits * limbs * group
        copy(to, one, digits * limbs)
        accumulate(to + ROW * limbs, address(m) + ROW * limbs * group, limbs)


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
        one = modulus + ROW * (limbs + 1)
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
    start: int, stop: int, out: Words, packed: Words, words: int, rows: int, _scratch: Words
) -> None:
    """Limbs of elements that are runs of words, the last of which is zero padding."""
    for element in range(start, stop):
        to, source = out[element // 8], packed[element]
        for row in range(rows):
            bit = LIMB_BITS * row
            word, shift = bit // 64, np.uint64(bit % 64)
            value = np.uint64(0)
            if word < words:
                value = source[word] >> shift
                if shift > np.uint64(64 - LIMB_BITS):
                    value |= source[word + 1] << (np.uint64(64) - shift)
            to[row, element % 8] = value & LIMB


@kernel
def digits_all(
    start: int,
    stop: int,
    out: Words,
    packed: Words,
    words: int,
    bits: int,
    window: int,
    windows: int,
    _scratch: Words,
) -> None:
    """The lowest ``bits`` of elements, cut into windows: out is (groups, windows, 8)."""
    for element in range(start, stop):
        source = packed[element]
        for i in range(windows):
            bit = window * i
            word, shift = bit // 64, np.uint64(bit % 64)
            value = np.uint64(0)
            if word < words:
                value = source[word] >> shift
                if bit % 64 + window > 64:
                    value |= source[word + 1] << (np.uint64(64) - shift)
            mask = (np.uint64(1) << np.uint64(min(window, bits - bit))) - np.uint64(1)
            out[element // 8, i, element % 8] = value & mask
