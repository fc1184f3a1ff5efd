# SPDX-License-Identifier: Apache-2.0
"""Multi-exponentiation on lanes: tables shared by all (Straus), or buckets for each (Pippenger).

Straus (1964): each base has a table of its powers by one window of the exponent; an output costs
one product for each base and window, and squarings that the bases share. The tables cost more the
fewer outputs there are to share them.

Pippenger (1976): each window multiplies the bases of equal digit into buckets, and raises the
buckets to their digits by running products; no tables, but the buckets are each output's own. Where
there are fewer outputs than lanes, an output is cut into several tasks, by bases and by bits.

The cheaper of the two, by a count of products, is taken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mpc.kernels.bigint.buckets import arrange_all, flatten_all, pippenger_all
from mpc.kernels.bigint.combs import TOGETHER, comb_all, comb_routines
from mpc.kernels.bigint.folds import rejoin_all
from mpc.kernels.bigint.integers import bit_length, nonzero
from mpc.kernels.bigint.ladders import straus_all
from mpc.kernels.bigint.limbs import Words, aligned, cut
from mpc.kernels.bigint.lookups import BYTES, FOUR, INDEX_ROWS, SIXTEEN
from mpc.kernels.bigint.residues import LANES, Residues, concatenate, lane_groups, zero_groups
from mpc.kernels.compiled import threads_for

if TYPE_CHECKING:
    from mpc.kernels.bigint.simd import SimdArithmetic

SLAB = 1 << 21
"""Digits of exponents laid out at a time, 8 bytes each."""

SQUARING = 0.7
"""What a squaring costs, in products."""

SPLIT = 0.7
"""What a product with an entry of a comb costs, in products."""

FIRST = 0.1
"""What putting a base into an empty bucket costs, in products."""

POWERS_OF_TWO = (1, 2, 4, 8, 16)
"""How many ways an output may be cut."""

SECONDS_PER_STEP = 5e-9
"""About what arranging one digit takes; decides only how batches are cut."""


SECONDS_PER_ROW = 5e-9
"""About what moving a row of eight words takes."""


def entries(powers: int) -> int:
    """Entries of a table of so many powers; a lookup takes sixteen at a time."""
    return max(SIXTEEN, powers)


def tables(arithmetic: SimdArithmetic, bases: Residues, window: int) -> NDArray[np.uint8]:
    """For each base its powers 0, 1, ... 2**window - 1, as the lookups take them."""
    return laid_out(arithmetic, powers(arithmetic, bases, window))


def powers(arithmetic: SimdArithmetic, bases: Residues, window: int) -> list[Residues]:
    """The bases to the powers 0, 1, ... 2**window - 1."""
    out = [arithmetic.ones(len(bases)), bases]
    for power in range(2, 1 << window):
        if power % 2:
            out.append(arithmetic.mul(out[-1], bases))
        else:
            out.append(arithmetic.square(out[power // 2]))
    return out


def laid_out(arithmetic: SimdArithmetic, powers: list[Residues]) -> NDArray[np.uint8]:
    """Entries as the lookups take them."""
    count, size = len(powers[0]), entries(len(powers))
    out = np.zeros((count, arithmetic.rows, size // SIXTEEN, BYTES, SIXTEEN), np.uint8)
    for power, x in enumerate(powers):
        limbs = np.ascontiguousarray(_by_element(x))
        octets = limbs.view(np.uint8).reshape(count, arithmetic.rows, -1)
        out[:, :, power // SIXTEEN, :, power % SIXTEEN] = octets[:, :, :BYTES]
    return out


def straus(
    arithmetic: SimdArithmetic,
    table: NDArray[np.uint8],
    digits: Words,
    window: int,
    *,
    passes: int,
    count: int,
    split: bool = False,
) -> Residues:
    """Outputs of digits (groups, passes*bases, 8), lowest pass first.

    With ``split`` entries and their products are as :mod:`mpc.kernels.bigint.combs` has them.
    """
    terms, rows, groups = len(table), arithmetic.rows, len(digits)
    squarings = (passes - 1) * SQUARING * window
    threads = threads_for(arithmetic.seconds(groups * (passes * terms + squarings)))
    shares, _ = _shares(groups, passes, terms, squarings, threads)
    out = lane_groups(shares * groups, rows)
    if split:
        args = (table, digits, groups, terms, shares, entries(1 << window), comb_routines())
        extra = 9 * rows + INDEX_ROWS + TOGETHER * arithmetic.limbs
        arithmetic.run(comb_all, SPLIT * terms / shares, out, *args, extra=extra, least=2 * FOUR)
    else:
        products = passes * terms / shares + squarings
        size = entries(1 << window)
        arithmetic.run(
            straus_all,
            products,
            out,
            *(table, digits, groups, terms, shares, window, passes, size),
            extra=FOUR * rows + INDEX_ROWS,
            least=2 * FOUR,
        )
    for part in _halves(shares):
        half = LANES * part * groups
        pair = Residues(out[: part * groups], half), Residues(out[part * groups :], half)
        out = arithmetic.mul(*pair).data
    return Residues(out, count)


@cache
def _shares(
    groups: int, passes: int, terms: int, squarings: float, threads: int
) -> tuple[int, float]:
    """Into how many runs to cut the terms, so that all threads are busy; and products of one."""
    costs = []
    for shares in POWERS_OF_TWO:
        if shares <= terms:
            each = passes * terms / shares + squarings
            rejoin = (shares - 1) * -(-groups // threads)
            costs.append((-(-groups * shares // threads) * each + rejoin, shares))
    cost, shares = min(costs)
    return shares, cost


def multiexp(arithmetic: SimdArithmetic, bases: Residues, exponents: NDArray[np.uint8]) -> Residues:
    """Products of powers of each row of bases: exponents (outputs, terms, width)."""
    outputs, terms, _ = exponents.shape
    rows, bits = len(bases) // terms, bit_length(exponents)
    if bits == 0 or outputs * rows == 0:
        return arithmetic.ones(outputs * rows)
    used = int(np.count_nonzero(nonzero(exponents), axis=1).max())
    alone = _plan(terms, used, outputs, rows, bits, 1)
    plan = _plan(terms, used, outputs, rows, bits, threads_for(arithmetic.seconds(alone.cost)))
    if not plan.buckets:
        parts = [bases[row * terms : (row + 1) * terms] for row in range(rows)]
        return concatenate([_straus(arithmetic, x, exponents, bits, plan.window) for x in parts])
    digits = terms * -(-bits // plan.window)
    slab = max(1, SLAB // (outputs * digits)) * terms
    return concatenate(
        [
            _pippenger_of_rows(arithmetic, bases[start : start + slab], exponents, bits, plan)
            for start in range(0, len(bases), slab)
        ]
    )


def _straus(
    arithmetic: SimdArithmetic,
    bases: Residues,
    exponents: NDArray[np.uint8],
    bits: int,
    window: int,
) -> Residues:
    outputs, terms, width = exponents.shape
    table = tables(arithmetic, bases, window)
    passes = -(-bits // window)
    slab = max(1, SLAB // (terms * passes)) * LANES
    found = []
    for start in range(0, outputs, slab):
        part = exponents[start : start + slab]
        digits = _digits(part.reshape(-1, width), bits, window).reshape(len(part), terms, passes)
        lanes = _lane_groups_of(digits.transpose(0, 2, 1).reshape(len(part), -1))
        found.append(straus(arithmetic, table, lanes, window, passes=passes, count=len(part)))
    return concatenate(found)


@dataclass(frozen=True, slots=True)
class _Plan:
    """By tables, or by buckets, for which each output is cut into tasks: ``spans`` runs of bits,
    ``shares`` of the bases, and even and odd digits (two ``parities``, each of half the buckets).

    ``cost`` is in products of a lane group, of the busiest thread.
    """

    cost: float
    window: int
    buckets: bool = False
    spans: int = 1
    shares: int = 1
    parities: int = 1

    @property
    def tasks(self) -> int:
        """Of an output."""
        return self.spans * self.shares * self.parities


@cache
def _plan(terms: int, used: int, outputs: int, rows: int, bits: int, threads: int) -> _Plan:
    """The cheapest way, for outputs of which the fullest has ``used`` exponents that are not 0."""
    tables = [_with_tables(terms, outputs, rows, bits, w, threads) for w in range(1, 9)]
    buckets = [
        _with_buckets(used, outputs * rows, bits, threads, cut)
        for cut in product(range(1, 9), POWERS_OF_TWO, POWERS_OF_TWO, (1, 2))
        if cut[2] <= terms and cut[3] <= cut[0]
    ]
    return min(tables + buckets, key=lambda plan: plan.cost)


def _with_tables(
    terms: int, outputs: int, rows: int, bits: int, window: int, threads: int
) -> _Plan:
    passes, groups = -(-bits // window), -(-outputs // LANES)
    table = -(-terms // (LANES * threads)) * (1 << window)
    _, cost = _shares(groups, passes, terms, SQUARING * (passes - 1) * window, threads)
    return _Plan(rows * (table + cost), window)


def _with_buckets(
    used: int, outputs: int, bits: int, threads: int, cut: tuple[int, int, int, int]
) -> _Plan:
    window, spans, shares, parities = cut
    plan = _Plan(0, window, True, spans, shares, parities)
    windows, groups = -(-bits // (window * spans)), -(-outputs * plan.tasks // LANES)
    entries, steps = (1 << window) / parities, used / (shares * parities)
    first = entries * (1 - (1 - 1 / entries) ** steps)
    products = steps - first + FIRST * first + 2 * entries + SQUARING * window
    products += (parities - 1) * (SQUARING + 2)
    blocks = -(-groups // _block(plan)) if plan.tasks > 1 else 0
    rejoin = -(-blocks // threads) * _rejoining(plan, bits)
    return replace(plan, cost=-(-groups // threads) * windows * products + rejoin)


def _pippenger_of_rows(
    arithmetic: SimdArithmetic,
    bases: Residues,
    exponents: NDArray[np.uint8],
    bits: int,
    plan: _Plan,
) -> Residues:
    """A few rows of bases, and as many outputs at a time as their digits leave room for."""
    outputs, terms, _ = exponents.shape
    rows = len(bases) // terms
    slab = max(1, SLAB // (rows * terms * -(-bits // plan.window)))
    found = [
        _pippenger(arithmetic, bases, exponents[start : start + slab], bits, plan)
        for start in range(0, outputs, slab)
    ]
    if len(found) == 1:
        return found[0]
    # Each slab is (rows, its outputs); the result is (rows, outputs).
    order = [np.arange(len(x)).reshape(rows, -1) for x in found]
    offsets = np.cumsum([0] + [len(x) for x in found[:-1]])
    places = np.concatenate([o + at for o, at in zip(order, offsets, strict=True)], axis=1)
    return concatenate(found)[places.ravel()]


def _pippenger(
    arithmetic: SimdArithmetic,
    bases: Residues,
    exponents: NDArray[np.uint8],
    bits: int,
    plan: _Plan,
) -> Residues:
    windows, most = -(-bits // (plan.window * plan.spans)), -(-exponents.shape[1] // plan.shares)
    tasks = len(bases) // exponents.shape[1] * len(exponents) * plan.tasks
    steps, counts = _arranged(exponents, bits, plan, tasks, windows)
    pitch = -(-arithmetic.rows // LANES) * LANES
    out = lane_groups(len(steps), arithmetic.rows)
    flat, odd = _flat(bases, pitch), _odd(plan, len(steps))
    args = (flat, pitch, steps, counts, most, plan.window, windows, odd)
    extra = 3 * pitch + 1 + (pitch << plan.window)
    arithmetic.run(pippenger_all, windows * (most + (2 << plan.window)), out, *args, extra=extra)
    return _rejoin(arithmetic, Residues(out, tasks), plan, windows)


def _arranged(
    exponents: NDArray[np.uint8], bits: int, plan: _Plan, tasks: int, windows: int
) -> tuple[Words, NDArray[np.int64]]:
    """Steps (groups, windows, most, 8), and how many are first ones in all lanes, and in any."""
    outputs, terms, width = exponents.shape
    groups, most = -(-tasks // LANES), -(-terms // plan.shares)
    steps = zero_groups(groups, windows * most).reshape(groups, windows, most, LANES)
    # Lanes that are left over multiply nothing, and do not keep the others from skipping products.
    counts = np.full((groups * LANES, windows, 2), [most, 0])
    arrange_all.over(
        tasks,
        most * windows * SECONDS_PER_STEP,
        steps,
        counts,
        cut(exponents.reshape(-1, width), bits, plan.window),
        outputs,
        terms,
        plan.shares,
        plan.parities,
        plan.spans,
        windows,
        scratch=lambda: np.empty(1 << plan.window, np.int64),
    )
    of_lanes = counts.reshape(groups, LANES, windows, 2)
    return steps, np.stack([of_lanes[..., 0].min(axis=1), of_lanes[..., 1].max(axis=1)], axis=-1)


def _flat(bases: Residues, pitch: int) -> Words:
    """The limbs of each base in a row, ``pitch`` words from one to the next."""
    groups, rows, _ = bases.data.shape
    flat = lane_groups(groups * LANES, pitch // LANES)
    flatten_all.over(
        groups,
        rows * SECONDS_PER_ROW,
        flat,
        pitch,
        bases.data,
        rows,
        scratch=lambda: lane_groups(1, pitch + 1),
        least=1,
    )
    return flat


def _odd(plan: _Plan, groups: int) -> Words:
    """All bits set in the lanes of odd digits, if there are two parities."""
    if plan.parities == 1:
        return lane_groups(0, 1)
    tasks = np.arange(groups * LANES).reshape(groups, 1, LANES)
    return aligned(-(tasks // plan.spans % 2))


def _rejoin(arithmetic: SimdArithmetic, x: Residues, plan: _Plan, windows: int) -> Residues:
    """From tasks (outputs, shares, parities, spans) to outputs."""
    if plan.tasks == 1:
        return x
    size, bits = _block(plan), windows * plan.window
    blocks = x.data.reshape(-1, size * arithmetic.rows, LANES)
    args = (size, plan.tasks, plan.spans, bits)
    arithmetic.run(
        rejoin_all, _rejoining(plan, bits * plan.spans), blocks, *args, extra=arithmetic.rows
    )
    return x[:: plan.tasks]


def _block(plan: _Plan) -> int:
    """Groups that hold the tasks of an output."""
    return -(-plan.tasks // LANES)


def _rejoining(plan: _Plan, bits: int) -> float:
    """Products that it takes to rejoin a block of groups."""
    joins = sum(-(-tasks // LANES) for tasks in _halves(plan.tasks))
    return joins + SQUARING * bits * (1 - 1 / plan.spans)


def _halves(count: int) -> list[int]:
    """count/2, count/4, ... 1 for a power of two."""
    return [count >> i for i in range(1, count.bit_length())]


def _digits(exponents: NDArray[np.uint8], bits: int, window: int) -> NDArray[np.uint64]:
    """Digits (count, windows), lowest first."""
    groups = cut(exponents, bits, window)
    return groups.transpose(0, 2, 1).reshape(-1, groups.shape[1])[: len(exponents)]


def _by_element(x: Residues) -> NDArray[np.uint64]:
    """Limbs of each element: (count, rows)."""
    return x.data.transpose(0, 2, 1).reshape(-1, x.data.shape[1])[: len(x)]


def _lane_groups_of(columns: NDArray[np.integer]) -> Words:
    """(count, columns) as (groups, columns, 8), zero in the lanes that are left."""
    count, width = columns.shape
    out = zero_groups(-(-count // LANES), width)
    whole = count // LANES
    out[:whole] = columns[: whole * LANES].reshape(whole, LANES, width).transpose(0, 2, 1)
    if count % LANES:
        out[whole, :, : count % LANES] = columns[whole * LANES :].T
    return out
