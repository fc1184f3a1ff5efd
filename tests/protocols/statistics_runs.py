# SPDX-License-Identifier: Apache-2.0
"""Rows of many parties, in the forms that figures are asked of."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import numpy as np

from mpc.protocols import statistics
from mpc.protocols.statistics import Terms

BOUND, BITS = 200.0, 6
UNIT = 2.0**-BITS
TERMS = Terms(rows=300, bound=BOUND, fraction_bits=BITS)


def mean_error(terms):
    """As stated."""
    return terms.bound * 2**-22 + 2.0**-terms.fraction_bits + 2**-29


def variance_error(terms):
    return terms.bound**2 * 2**-20 + 4 * 4.0**-terms.fraction_bits + 2**-28


MEAN_ERROR, VARIANCE_ERROR = mean_error(TERMS), variance_error(TERMS)
FIGURES = ["count", "total", "mean", "variance", "covariance"]


def rounded(values):
    """To the scale of the terms, so that figures of the encoded values are those of these."""
    return np.rint(np.asarray(values) * 2**BITS) / 2**BITS


def table(rows, columns, seed=0):
    """Columns that go together, with the ends of the range and the least numbers in each."""
    rng = np.random.default_rng(seed)
    common = rng.normal(0, 30, (rows, 1))
    found = np.clip(common + rng.normal(0, 20, (rows, columns)), -BOUND, BOUND)
    found[:6] = np.array([BOUND, -BOUND, 0, UNIT, -UNIT, BOUND - UNIT])[:, None]
    return rounded(found)


def held(p, x, terms, kept=None):
    """Columns of ``x``, of one party after the other, and bits that the last party has."""
    names, me = p.mesh.names, p.mesh.me
    shares = []
    for j in range(x.shape[1]):
        owner = names[j % len(names)]
        given = x[:, j] if owner == me else None
        shares.append(statistics.column(p.seeds, given, owner=owner, rows=len(x), terms=terms))
    columns = shares[0].holding(np.stack([s.words for s in shares], axis=1))
    bits = None
    if kept is not None:
        given = kept if me == names[-1] else None
        bits = p.seeds.share_bits(given, owner=names[-1], count=len(x))
    return statistics.aligned(p.mesh, columns, terms, p.triples, kept=bits)


def parts(x, parties):
    """Rows of each party, as they fall; of two parties the second one has none."""
    ends = np.sort(np.random.default_rng(1).integers(0, len(x) + 1, parties - 2)).tolist()
    return np.split(x, [*ends, len(x)])


def brought(p, x, terms):
    mine = parts(x, len(p.mesh.names))[p.mesh.names.index(p.mesh.me)]
    return statistics.pooled(p.mesh, p.seeds, mine, terms)


def quantile_of(values, q):
    part = Fraction(q).limit_denominator(1000)
    return np.sort(values)[max(1, ceil(part * len(values))) - 1]
