# SPDX-License-Identifier: Apache-2.0
"""Quantiles and histograms of a group: ``statistics`` says what they tell.

**Quantile** q is the least value, of the encoded ones, that at least q of the rows do not exceed.
It is found bit by bit from the top, and a bit is clear where the rows that have a clear one there,
of those that agree with the bits so far, reach the rank that is still to be reached.

For aligned rows that is done on shares to the end: the planes of the values are made once (7
rounds), and each bit takes 9 to 11 rounds, two ANDs and a bit in both forms for every row.

For pooled rows each party counts its own rows below the value that is asked about, and the bits
are opened as they are found (Aggarwal, Mishra, Pinkas, "Secure Computation of the kth-Ranked
Element", EUROCRYPT 2004, whose argument this is: the bits are those of the result, so they say no
more than it does). So the result is everyone's, whatever ``Terms.to`` says is refused, and the cost
does not depend on the rows: 6 to 8 rounds a bit.

**Histogram.** Bins are as NumPy's, from each edge up to the next, the last edge included. A bin
with fewer rows than the minimum is withheld, an empty one too. How many are in none of the bins
that are shown, because theirs is withheld or because they are outside the edges, could follow from
the count of all rows: where they are some but fewer than the minimum, the whole histogram is
withheld. All parties learn which bins are. (So who knows the count learns how many are in withheld
bins and outside together, which is none, or the minimum at least; where there are many in few
withheld bins and none can be outside, each of these must be little below the minimum.) 11 to 15
rounds, of aligned rows 17 to 20.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpc.errors import ConfigError, Withheld
from mpc.kernels import bits
from mpc.net.mesh import Mesh
from mpc.primitives import fixed
from mpc.primitives.sharing import Share, concatenate
from mpc.primitives.xor_sharing import XorShare, public
from mpc.protocols import arith, boolean, compare, convert
from mpc.protocols.functions.polynomials import at_scale
from mpc.protocols.statistics.groups import (
    Aligned,
    Group,
    Pooled,
    admitted,
    as_share,
    difference_bits,
    encoded_bound,
)
from mpc.protocols.statistics.terms import Terms
from mpc.protocols.triples import Triples

_FINEST = 1000  # of the fractions that quantiles are of


@dataclass(frozen=True, slots=True)
class Histogram:
    """Rows in each bin, int64 (bins,), 0 where the bin is ``withheld``."""

    counts: NDArray[np.int64]
    withheld: NDArray[np.bool_]


def quantile(
    mesh: Mesh, group: Group, q: float | Fraction, triples: Triples, *, column: int = 0
) -> float | None:
    """The least value of a column that at least ``q``, 0 to 1, of its rows do not exceed.

    q is taken as the nearest fraction of a denominator up to 1000.
    """
    _check_column(group, column)
    if not 0 <= q <= 1:  # which NaN is not
        raise ConfigError(f"a quantile is of 0 to 1, not {q}")
    part = Fraction(q).limit_denominator(_FINEST)
    if isinstance(group, Pooled) and group.terms.to is not None:
        raise ConfigError("a quantile of pooled rows is told to all parties")
    rows = admitted(mesh, group, triples)
    if isinstance(group, Pooled):
        return _pooled_quantile(mesh, group, column, part, rows, triples)
    found = _aligned_quantile(mesh, group, column, part, rows, triples)
    told = arith.reveal(mesh, found, to=group.terms.to)
    return None if told is None else float(told[0])


def histogram(
    mesh: Mesh, group: Group, edges: ArrayLike, triples: Triples, *, column: int = 0
) -> Histogram | None:
    """How many rows have their value of a column in each bin between ``edges``, which rise.

    Edges are rounded to the scale of the values. They may leave rows outside, and be beyond the
    bound.
    """
    _check_column(group, column)
    below = _places(edges, group.terms)
    below[-1] += 1  # the last edge is in its bin
    if isinstance(group, Pooled):
        own = group.rows[:, column]
        counts = group.added(np.diff((own[:, None] < below).sum(axis=0)))
    else:
        counts = _aligned_counts(mesh, group, column, below, triples)
    return _told(mesh, group, counts, triples)


def _places(edges: ArrayLike, terms: Terms) -> NDArray[np.int64]:
    """Edges as encoded; of those beyond the bound, the next number that no value is."""
    exact = fixed.integers(edges, terms.fraction_bits)
    # Compared before they are cut, and not by differences, which may need more than 64 bits.
    if exact.ndim != 1 or len(exact) < 2 or not np.all(exact[1:] > exact[:-1]):
        raise ConfigError("a histogram takes two edges or more, each above the one before")
    beyond = encoded_bound(terms) + 1
    return np.clip(exact, -beyond, beyond).astype(np.int64)


def _aligned_counts(
    mesh: Mesh, group: Aligned, column: int, below: NDArray[np.int64], triples: Triples
) -> Share:
    values = at_scale(group.columns[:, column], 0)
    less = compare.is_negative(mesh, values.reshape(1, -1) - below[:, None], triples)
    numbers = convert.to_number(mesh, less, triples).reshape(len(below), -1)
    kept = group.numbers
    reached = numbers.sum(axis=1) if kept is None else arith.matmul(mesh, numbers, kept, triples)
    return reached[1:] - reached[:-1]


def _told(mesh: Mesh, group: Group, counts: Share, triples: Triples) -> Histogram | None:
    minimum, width = group.terms.minimum, difference_bits(group)
    few = boolean.reveal(mesh, compare.less_than(mesh, counts, minimum, triples, width=width))
    assert few is not None, "revealed to all"
    withheld = few.astype(np.bool_)
    # Of those not shown, some may be in no bin at all, so this is asked where none is withheld too.
    rest = as_share(group.count(), counts) - counts[~withheld].sum()
    if withheld.all() or _some_but_few(mesh, group, rest, triples):
        raise Withheld(f"no bin, or what is in none of those shown, has {minimum} rows")
    shown = arith.reveal(mesh, counts[~withheld], to=group.terms.to)
    if shown is None:
        return None
    filled = np.zeros(len(withheld), np.int64)
    filled[~withheld] = shown
    return Histogram(filled, withheld)


def _some_but_few(mesh: Mesh, group: Group, rest: Share, triples: Triples) -> bool:
    """Whether ``rest`` (1,) is fewer than the minimum, but not none."""
    both = concatenate([rest - group.terms.minimum, rest - 1])
    less = compare.is_negative(mesh, both, triples, width=difference_bits(group))
    # None is also fewer than the minimum, so one of the two bits alone says it.
    one = replace(less, words=less.words ^ (less.words >> np.uint64(1)), count=1)
    told = boolean.reveal(mesh, one)
    assert told is not None, "revealed to all"
    return bool(told[0])


def _aligned_quantile(
    mesh: Mesh,
    group: Aligned,
    column: int,
    part: Fraction,
    rows: Share | int,
    triples: Triples,
) -> Share:
    width = _value_bits(group)
    lowest, bits_of_ranks = 1 << (width - 1), _rank_bits(group)
    values = at_scale(group.columns[:, column], 0) + lowest
    planes = convert.to_planes(mesh, values, triples)
    held, n = planes[0], planes.count
    among = group.kept
    if among is None:
        among = public(np.ones(n, np.uint8), held.party, held.parties)
    rank = _rank(as_share(rows, values), part)
    found: list[XorShare] = []
    for place in reversed(range(width)):
        clear = boolean.both(mesh, among, ~planes[place], triples)
        reached = convert.to_number(mesh, clear, triples).sum().reshape(1) * part.denominator
        bit = compare.less_than(mesh, reached, rank, triples, width=bits_of_ranks)
        # Where the bit is set, on with the others, and the rank is that among them.
        rank = rank - compare.times_bit(mesh, bit, reached, triples)
        among = clear ^ boolean.both(mesh, _spread(bit, n), among, triples)
        found.append(bit)
    stacked = replace(found[0], words=np.stack([bit.words for bit in reversed(found)]))
    whole = convert.from_planes(mesh, stacked, triples) - lowest
    return at_scale(whole, group.terms.fraction_bits)


def _pooled_quantile(
    mesh: Mesh, group: Pooled, column: int, part: Fraction, rows: Share | int, triples: Triples
) -> float:
    width = _value_bits(group)
    lowest, bits_of_ranks, found = 1 << (width - 1), _rank_bits(group), 0
    values = group.rows[:, column] + lowest
    rank = _rank(as_share(rows, group.count()), part)
    for place in reversed(range(width)):
        asked = found | 1 << place
        reached = group.added(np.asarray([(values < asked).sum()])) * part.denominator
        bit = compare.less_than(mesh, reached, rank, triples, width=bits_of_ranks)
        told = boolean.reveal(mesh, bit)
        assert told is not None, "revealed to all"
        found = asked if told[0] else found
    return math.ldexp(found - lowest, -group.terms.fraction_bits)


def _rank(rows: Share, part: Fraction) -> Share:
    """How many rows must not exceed the quantile, times the denominator: at least one."""
    return rows * part.numerator + int(part == 0)


def _rank_bits(group: Group) -> int:
    return (_FINEST * group.capacity).bit_length()


def _value_bits(group: Group) -> int:
    """Bits of an encoded value, its sign among them."""
    return encoded_bound(group.terms).bit_length() + 1


def _spread(bit: XorShare, count: int) -> XorShare:
    """One shared bit as ``count`` of them."""
    every = np.negative(bit.words & np.uint64(1))
    return replace(bit, words=np.repeat(every, bits.words(count)), count=count)


def _check_column(group: Group, column: int) -> None:
    if not 0 <= column < group.width:
        raise ConfigError(f"there are {group.width} columns, and no column {column}")
