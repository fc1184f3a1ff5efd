# SPDX-License-Identifier: Apache-2.0
"""Counts, totals, means, variances and covariances of a group: ``statistics`` says what they tell.

    count       none where it is public, else 6 to 9 rounds: the comparison with the minimum, a bit
                opened, and the figure
    total       the same, and one round for aligned rows that are picked
    mean        the same where the count is public, else 24 rounds more, to divide on shares
    variance    48 to 64 rounds, covariances no more

Aligned rows have their mean, which stays shared, taken off before they are squared. Pooled ones
cannot: the squares are of what each party has, and the mean's square is taken off at the end.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError
from mpc.net.mesh import Mesh
from mpc.primitives.sharing import Share
from mpc.protocols import arith, functions
from mpc.protocols.functions.polynomials import at_scale
from mpc.protocols.statistics.groups import (
    Aligned,
    Group,
    Pooled,
    admitted,
    as_share,
    largest_quotient,
    quotient_bits,
    require_room,
)
from mpc.protocols.triples import Triples

Floats = NDArray[np.float64]


def count(mesh: Mesh, group: Group, triples: Triples) -> int | None:
    """How many rows. Where the rows are aligned and all are kept it is public."""
    found = admitted(mesh, group, triples)
    if isinstance(found, int):
        return found
    told = arith.reveal(mesh, found, to=group.terms.to)
    return None if told is None else int(told)


def total(mesh: Mesh, group: Group, triples: Triples) -> Floats | None:
    """The sum of each column: (k,)."""
    require_room(group, 1)
    admitted(mesh, group, triples)
    return _told(mesh, group, group.sums(mesh, triples))


def mean(mesh: Mesh, group: Group, triples: Triples) -> Floats | None:
    """The mean of each column: (k,)."""
    require_room(group, 1)
    bits = None if group.counted else _told_bits(group, 1)  # raises before anything is sent
    rows = admitted(mesh, group, triples)
    sums = group.sums(mesh, triples)
    if isinstance(rows, int):
        told = _told(mesh, group, sums)  # as much as the mean is
        return None if told is None else told / rows
    count = rows.reshape(1)
    found = _over(mesh, group, sums, count, triples, degree=1, fraction_bits=bits)
    return _told(mesh, group, found)


def variance(mesh: Mesh, group: Group, triples: Triples, *, ddof: int = 0) -> Floats | None:
    """The variance of each column, over the count less ``ddof``, which is 0 or 1: (k,)."""
    return _told(mesh, group, _second(mesh, group, triples, ddof=ddof, crossed=False))


def covariance(mesh: Mesh, group: Group, triples: Triples, *, ddof: int = 0) -> Floats | None:
    """The covariances of every two columns, over the count less ``ddof``, 0 or 1: (k, k)."""
    return _told(mesh, group, _second(mesh, group, triples, ddof=ddof, crossed=True))


def _second(mesh: Mesh, group: Group, triples: Triples, *, ddof: int, crossed: bool) -> Share:
    if ddof not in (0, 1) or group.terms.minimum <= ddof:
        raise ConfigError(f"ddof is 0 or 1, and below the minimum, not {ddof}")
    require_room(group, 2)
    for degree in (1, 2):
        quotient_bits(group, degree)
    rows = admitted(mesh, group, triples)
    sums = group.sums(mesh, triples)
    held = as_share(rows, sums)
    if isinstance(group, Aligned):
        return _about_mean(mesh, group, sums, held, triples, ddof=ddof, crossed=crossed)
    return _less_mean(mesh, group, sums, held, triples, ddof=ddof, crossed=crossed)


def _about_mean(
    mesh: Mesh,
    group: Aligned,
    sums: Share,
    rows: Share,
    triples: Triples,
    *,
    ddof: int,
    crossed: bool,
) -> Share:
    """Products of what is above the mean, added up, over the count."""
    means = _over(mesh, group, sums, rows, triples, degree=1)
    above = group.columns - _coarser(mesh, means, group.terms.fraction_bits, triples)
    kept = above
    if group.numbers is not None:
        kept = arith.mul(mesh, group.numbers.reshape(-1, 1), above, triples)
    if crossed:
        products = arith.matmul(mesh, kept.T, above, triples)
    else:
        products = arith.mul(mesh, kept, above, triples).sum(axis=0)
    bits = _told_bits(group, 2)
    return _over(mesh, group, products, rows - ddof, triples, degree=2, fraction_bits=bits)


def _less_mean(
    mesh: Mesh,
    group: Pooled,
    sums: Share,
    rows: Share,
    triples: Triples,
    *,
    ddof: int,
    crossed: bool,
) -> Share:
    """The mean of the products, less the product of the means."""
    own = group.rows
    local = own.T @ own if crossed else (own * own).sum(axis=0)
    products = at_scale(group.added(local), 2 * group.terms.fraction_bits)
    mean_products = _over(mesh, group, products, rows - ddof, triples, degree=2)
    # Two means must fit a product.
    most = max(0, 30 - math.ceil(2 * group.terms.bound).bit_length())
    means = _over(mesh, group, sums, rows, triples, degree=1)
    left = right = _coarser(mesh, means, most, triples)
    if ddof:
        means = _over(mesh, group, sums, rows - ddof, triples, degree=1)
        right = _coarser(mesh, means, most, triples)
    if crossed:
        left, right = left.reshape(-1, 1), right.reshape(1, -1)
    squared = arith.mul(mesh, left, right, triples)
    found = mean_products - _coarser(mesh, squared, mean_products.fraction_bits, triples)
    return _coarser(mesh, found, _told_bits(group, 2), triples)


def _coarser(mesh: Mesh, x: Share, most: int, triples: Triples) -> Share:
    """x with at most so many fraction bits."""
    return x if x.fraction_bits <= most else arith.truncate(mesh, x, most, triples)


def _over(
    mesh: Mesh,
    group: Group,
    sums: Share,
    rows: Share,
    triples: Triples,
    *,
    degree: int,
    fraction_bits: int | None = None,
) -> Share:
    """Sums of values to the power of ``degree`` over a count, or that less one.

    Without ``fraction_bits`` with as many as there is room for.
    """
    most, size = group.capacity, largest_quotient(group, degree)
    found = functions.divide(
        mesh, sums.reshape(-1), rows, triples, most=most, size=size, fraction_bits=fraction_bits
    )
    return found.reshape(*sums.shape)


def _told_bits(group: Group, degree: int) -> int:
    """The fraction bits with which a figure of this degree over a secret count is told.

    No more than sums of so encoded values have: each count then has a sum that gives the figure,
    where a finer quotient is one of a few fractions. And no more than the division is exact to,
    which is about 2^-24 of the bound, and 2^-22 of its square.
    """
    # The same at all parties whatever their mathematical library: a logarithm may not be.
    size = math.frexp(largest_quotient(group, degree))[1]
    exact = 27 - 2 * degree - size
    return max(0, min(degree * group.terms.fraction_bits, exact, quotient_bits(group, degree)))


def _told(mesh: Mesh, group: Group, x: Share) -> Floats | None:
    told = arith.reveal(mesh, x, to=group.terms.to)
    return None if told is None else np.asarray(told, np.float64)
