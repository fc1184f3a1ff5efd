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
    return _told(mesh, group, _means(mesh, group, sums, rows.reshape(1), triples, bits))


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
    means = _means(mesh, group, sums, rows, triples)
    above = group.columns - _coarser(mesh, means, group.terms.fraction_bits, triples)
    kept = above
    if group.numbers is not None:
        kept = arith.mul(mesh, group.numbers.reshape(-1, 1), above, triples)
    if crossed:
        products = arith.matmul(mesh, kept.T, above, triples)
    else:
        products = arith.mul(mesh, kept, above, triples).sum(axis=0)
    return _over(mesh, group, products, rows - ddof, triples, _told_bits(group, 2))


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
    mean_products = _over(mesh, group, products, rows - ddof, triples)
    # Two means must fit a product.
    most = max(0, 30 - math.ceil(2 * group.terms.bound).bit_length())
    left = _coarser(mesh, _means(mesh, group, sums, rows, triples), most, triples)
    right = left
    if ddof:
        right = _coarser(mesh, _means(mesh, group, sums, rows - ddof, triples), most, triples)
    if crossed:
        left, right = left.reshape(-1, 1), right.reshape(1, -1)
    squared = arith.mul(mesh, left, right, triples)
    found = mean_products - _coarser(mesh, squared, mean_products.fraction_bits, triples)
    return _coarser(mesh, found, _told_bits(group, 2), triples)


def _coarser(mesh: Mesh, x: Share, most: int, triples: Triples) -> Share:
    """x with at most so many fraction bits."""
    return x if x.fraction_bits <= most else arith.truncate(mesh, x, most, triples)


def _means(
    mesh: Mesh,
    group: Group,
    sums: Share,
    rows: Share,
    triples: Triples,
    fraction_bits: int | None = None,
) -> Share:
    """Sums of values over a count, or the count less one, with the most fraction bits there are."""
    most, size = group.capacity, largest_quotient(group, 1)
    return functions.divide(
        mesh, sums, rows, triples, most=most, size=size, fraction_bits=fraction_bits
    )


def _over(
    mesh: Mesh,
    group: Group,
    products: Share,
    rows: Share,
    triples: Triples,
    fraction_bits: int | None = None,
) -> Share:
    """The same for sums of products (k,) or (k, k)."""
    most, size = group.capacity, largest_quotient(group, 2)
    found = functions.divide(
        mesh, products.reshape(-1), rows, triples, most=most, size=size, fraction_bits=fraction_bits
    )
    return found.reshape(*products.shape)


def _told_bits(group: Group, degree: int) -> int:
    """The fraction bits with which a figure of this degree over a secret count is told.

    No more than sums of so encoded values have: each count then has a sum that gives the figure,
    where a finer quotient is one of a few fractions. And no more than the division is exact to.
    """
    bound, bits = group.terms.bound, group.terms.fraction_bits
    exact = 26 - 2 * degree - math.ceil(degree * math.log2(bound))
    return max(0, min(degree * bits, exact, quotient_bits(group, degree)))


def _told(mesh: Mesh, group: Group, x: Share) -> Floats | None:
    told = arith.reveal(mesh, x, to=group.terms.to)
    return None if told is None else np.asarray(told, np.float64)
