# SPDX-License-Identifier: Apache-2.0
"""Multi-exponentiation on lanes: tables shared by all (Straus), or buckets for each (Pippenger).

Straus (1964): each base has a table of its powers by one window of the exponent; an output costs
one product for each base and window, and squarings that the bases share. The tables cost more the
fewer outputs there are to share them.

Pippenger (1976), see :mod:`mpc.kernels.bigint.pippenger`: no tables, but the buckets are each
output's own.

The cheaper of the two, by a count of products, is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpc import kernels
from mpc.kernels.bigint.combs import comb_all, comb_routines
from mpc.kernels.bigint.integers import magnitudes, wrap_all
from mpc.kernels.bigint.ladders import TOGETHER, straus_all
from mpc.kernels.bigint.limbs import Words, by_element, cut, lane_groups_of
from mpc.kernels.bigint.lookups import BYTES, FOUR, INDEX_ROWS, SIXTEEN
from mpc.kernels.bigint.pippenger import POWERS_OF_TWO, SQUARING, Cut, halves, pippenger
from mpc.kernels.bigint.residues import (
    LANES,
    Residues,
    concatenate,
    lane_groups,
)
from mpc.kernels.helpers import threads_for

if TYPE_CHECKING:
    from mpc.kernels.bigint.simd import SimdArithmetic

SLAB = 1 << 21
"""Digits of exponents laid out at a time, 8 bytes each."""

SPLIT = 0.7
"""What a product with an entry of a comb costs, in products."""


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
        limbs = np.ascontiguousarray(by_element(x))
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
    # With fewer groups than TOGETHER at a time, each thread would read the tables more often.
    if split:
        args = (table, digits, groups, terms, shares, entries(1 << window), comb_routines())
        extra = 9 * rows + INDEX_ROWS + TOGETHER * arithmetic.limbs
        arithmetic.run(comb_all, SPLIT * terms / shares, out, *args, extra=extra, least=TOGETHER)
    else:
        products = passes * terms / shares + squarings
        size = entries(1 << window)
        arithmetic.run(
            straus_all,
            products,
            out,
            *(table, digits, groups, terms, shares, window, passes, size),
            extra=FOUR * rows + INDEX_ROWS,
            least=TOGETHER,
        )
    for part in halves(shares):
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


def multiexp(
    arithmetic: SimdArithmetic, bases: Residues, exponents: NDArray[np.uint8], bits: int, used: int
) -> Residues:
    """Products of powers of each row of bases: exponents (outputs, terms, width), of ``bits``, of
    which about so many are ``used``."""
    outputs, terms, _ = exponents.shape
    rows = len(bases) // terms
    if bits == 0 or outputs * rows == 0:
        return arithmetic.ones(outputs * rows)
    about = _about(used // outputs, terms)
    way = _way(arithmetic, _Task(terms, about, outputs, rows, bits))
    if isinstance(way, Cut):
        flat = exponents.reshape(-1, exponents.shape[-1])
        return pippenger(arithmetic, bases, flat, (outputs, terms), bits, way)
    parts = [bases[row * terms : (row + 1) * terms] for row in range(rows)]
    return concatenate([_straus(arithmetic, x, exponents, bits, way) for x in parts])


def multiexp_signed(
    arithmetic: SimdArithmetic, bases: Residues, exponents: NDArray[Any], bits: int, used: int
) -> Residues:
    """The same for integers of either sign (outputs, terms), whose magnitudes are of so many bits.

    With a sign in the highest digit, or by the quotients of products of powers of either sign.
    """
    outputs, terms = exponents.shape
    rows, about = len(bases) // terms, _about(used // outputs, terms)
    way = _way(arithmetic, _Task(terms, about, outputs, rows, bits + 1, signed=True))
    if isinstance(way, Cut):
        bits = way.window * way.spans
        wrapped = wrap_all(exponents, bits)
        return pippenger(arithmetic, bases, wrapped, (outputs, terms), bits, way)
    packed, negative = magnitudes(exponents.ravel())[0], (exponents < 0)[..., np.newaxis]
    words = packed.view(np.uint64).reshape(outputs, terms, -1)
    both = np.concatenate([words * ~negative, words * negative])
    found = multiexp(arithmetic, bases, both.view(np.uint8), bits, used)
    # Each row of bases gave its positive outputs, then its negative ones.
    order = np.arange(len(found)).reshape(-1, 2, outputs)
    return arithmetic.quotient(found, *(order[:, sign].ravel() for sign in (0, 1)))


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
        lanes = lane_groups_of(digits.transpose(0, 2, 1).reshape(len(part), -1))
        found.append(straus(arithmetic, table, lanes, window, passes=passes, count=len(part)))
    return concatenate(found)


def _about(used: int, terms: int) -> int:
    """Rounded up, so that one plan serves all outputs that are about as full."""
    step = max(1, terms // 16)
    return -(-used // step) * step


class _Task(NamedTuple):
    """What there is to do; an output has about ``used`` exponents that are not 0."""

    terms: int
    used: int
    outputs: int
    rows: int
    bits: int
    signed: bool = False

    def apart(self) -> _Task:
        """The same with outputs of their own for the powers of either sign."""
        used = _about(-(-self.used // 2), self.terms)
        return _Task(self.terms, used, 2 * self.outputs, self.rows, self.bits - 1)


@dataclass(frozen=True, slots=True)
class _Plan:
    """By buckets; or by tables of so many bits, of which those of either sign have none.

    ``cost`` is in products of a lane group, of the busiest thread.
    """

    cost: float
    way: Cut | int


def _way(arithmetic: SimdArithmetic, task: _Task) -> Cut | int:
    return _cheapest(task, arithmetic.seconds(1), kernels.threads())


@cache
def _cheapest(task: _Task, seconds: float, _available: int) -> Cut | int:
    """With products of so many seconds, and so many threads available."""
    return _plan(task, threads_for(seconds * _plan(task, 1).cost)).way


@cache
def _plan(task: _Task, threads: int) -> _Plan:
    """The cheapest way."""
    if task.signed:
        plans = [_Plan(_plan(task.apart(), threads).cost, 0)]
    else:
        plans = [_with_tables(task, window, threads) for window in range(1, 9)]
    for choice in product(range(1, 11), POWERS_OF_TWO, POWERS_OF_TWO, range(4)):
        way = Cut(*choice, task.signed)
        if way.serves(task.terms, task.bits):
            cost = way.products(task.used, task.outputs * task.rows, task.bits, threads)
            plans.append(_Plan(cost, way))
    return min(plans, key=lambda plan: plan.cost)


def _with_tables(task: _Task, window: int, threads: int) -> _Plan:
    passes, groups = -(-task.bits // window), -(-task.outputs // LANES)
    table = -(-task.terms // (LANES * threads)) * (1 << window)
    squarings = SQUARING * (passes - 1) * window
    _, cost = _shares(groups, passes, task.terms, squarings, threads)
    return _Plan(task.rows * (table + cost), window)


def _digits(exponents: NDArray[np.uint8], bits: int, window: int) -> NDArray[np.uint64]:
    """Digits (count, windows), lowest first."""
    groups = cut(exponents, bits, window)
    return groups.transpose(0, 2, 1).reshape(-1, groups.shape[1])[: len(exponents)]
