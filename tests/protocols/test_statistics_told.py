# SPDX-License-Identifier: Apache-2.0
"""What figures tell beside themselves: of rows in no bin, of counts, and at the ends of ranges."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mpc.errors import ConfigError, EncodingOverflow, ParameterMismatch, Withheld
from mpc.protocols import statistics
from mpc.protocols.statistics import Terms
from tests.protocols.computing import compute, recorded
from tests.protocols.statistics_runs import (
    BOUND,
    TERMS,
    UNIT,
    brought,
    held,
    mean_error,
    quantile_of,
    rounded,
    table,
    variance_error,
)

MINIMUM = TERMS.minimum


def groups(p, x, terms):
    """The same rows, whose number is public, picked and pooled."""
    return {
        "public": held(p, x, terms),
        "picked": held(p, x, terms, np.ones(len(x))),
        "pooled": brought(p, x, terms),
    }


def histograms(values, edges, terms=TERMS):
    """Of each form, the counts and which are withheld; None where all are."""

    def asked(p, group):
        try:
            found = statistics.histogram(p.mesh, group, edges, p.triples)
        except Withheld:
            return None
        return found.counts.tolist(), found.withheld.tolist()

    x = rounded(values)[:, None]
    first, second = compute(
        2, lambda p: {how: asked(p, group) for how, group in groups(p, x, terms).items()}
    )
    assert first == second
    return first


class TestRowsInNoBin:
    @pytest.mark.parametrize("outside", [1, MINIMUM - 1])
    @pytest.mark.parametrize("edges", [[0, 50], [0, 50, 100]])
    def test_too_few_of_them_withhold_all(self, outside, edges):
        """The count, less what is shown, would say how many they are."""
        values = np.repeat([10.0, 150.0], [50, outside])
        assert histograms(values, edges) == {"public": None, "picked": None, "pooled": None}

    @pytest.mark.parametrize(
        ("low", "inside", "high"), [(0, 0, 0), (0, 0, 10), (3, 0, 7), (9, 5, 6), (0, 9, 1)]
    )
    def test_none_or_enough_with_those_withheld_do_not(self, low, inside, high):
        values = np.repeat([-150.0, 10.0, 60.0, 100.5], [low, 50, inside, high])
        shown = ([50, 0], [False, True])
        assert set(map(str, histograms(values, [0, 50, 100]).values())) == {str(shown)}

    @pytest.mark.parametrize(("low", "inside", "high"), [(1, 0, 0), (0, 9, 0), (3, 3, 3)])
    def test_too_few_with_those_withheld(self, low, inside, high):
        values = np.repeat([-150.0, 10.0, 60.0, 100.5], [low, 50, inside, high])
        assert set(histograms(values, [0, 50, 100]).values()) == {None}


@pytest.mark.parametrize(
    "edges",
    [
        [-(2.0**57), 0, 2.0**56],  # 2^63 and 2^62 units
        [-(2**57), 0, 2**57 - 1],
        [-1e300, 0, 1e30],
        [-(2**80), 0, 2**90],
        [-BOUND - UNIT, 0, BOUND],
        [-BOUND, 0, BOUND + 1],
    ],
)
def test_edges_beyond_every_value(edges):
    values = table(150, 1)[:, 0]
    wanted = np.histogram(values, [-BOUND, 0, BOUND])[0].tolist()
    for found in histograms(values, edges).values():
        assert found == (wanted, [False, False])


def test_bins_beyond_every_value_are_empty():
    values = table(150, 1)[:, 0]
    wanted = np.histogram(values, [-BOUND, 0, BOUND])[0].tolist()
    edges = [-(2.0**70), -(2.0**60), -2 * BOUND, 0, BOUND + 1, 2 * BOUND, 2.0**60]
    for counts, withheld in histograms(values, edges).values():
        assert counts == [0, 0, *wanted, 0, 0]
        assert withheld == [True, True, False, False, True, True]


# --- counts --------------------------------------------------------------------------------------


def counts_that_fit(mean, terms, counts):
    """Which numbers of rows have a sum of encoded values that gives ``mean`` to its last bit."""
    exact = mean * 2.0**terms.fraction_bits
    tolerance = 2.0 ** (terms.fraction_bits - 18)
    return [n for n in counts if np.all(np.abs(exact * n - np.rint(exact * n)) <= tolerance * n)]


@pytest.mark.parametrize("how", ["picked", "pooled"])
def test_means_and_variances_do_not_give_a_secret_count(how):
    """Told to the scale of the values, and to its square: finer, they are fractions over it."""
    terms = Terms(rows=150, bound=100.0, fraction_bits=6)
    x = np.rint(np.random.default_rng(11).uniform(-100, 100, (150, 3)) * 64) / 64
    kept = np.arange(150) % 7 != 0

    def job(p):
        group = held(p, x, terms, kept) if how == "picked" else brought(p, x[kept], terms)
        named = statistics.mean, statistics.variance, statistics.covariance
        return [figure(p.mesh, group, p.triples) for figure in named]

    mean, variance, covariance = compute(2, job)[0]
    assert np.array_equal(mean * 64, np.rint(mean * 64))
    for second in (variance, covariance):
        assert np.array_equal(second * 2**12, np.rint(second * 2**12))
    every = range(10, 151)
    assert counts_that_fit(mean, terms, every) == list(every)
    assert np.abs(mean - x[kept].mean(axis=0)).max() <= mean_error(terms)
    assert np.abs(variance - x[kept].var(axis=0)).max() <= variance_error(terms)


def test_large_bounds_are_told_no_finer_than_they_are_divided():
    """Bits below the error of the division say how many rows there are, where a mean is known."""
    terms = Terms(rows=60, bound=30_000.0, fraction_bits=14)
    x = np.full((60, 1), 29_999.0)

    def job(p):
        group = brought(p, x, terms)
        return [figure(p.mesh, group, p.triples) for figure in (statistics.mean,)]

    (mean,) = compute(2, job)[0]
    assert mean * 2**9 == np.rint(mean * 2**9)
    assert abs(mean - 29_999) <= mean_error(terms)


# --- small and large bounds ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bound", "bits"), [(0.05, 24), (2.0**-6, 24), (2.0**-8, 26), (2.0**-10, 16), (0.7, 20)]
)
def test_small_bounds(bound, bits):
    terms = Terms(rows=40, bound=bound, fraction_bits=bits, minimum=2)
    rng = np.random.default_rng(5)
    x = np.trunc(rng.uniform(-bound, bound, (40, 12)) * 2.0**bits) / 2.0**bits
    x[:, 0], x[:, 1] = x[:, 0].max(), np.tile([x.max(), -x.max()], 20)
    kept = np.arange(40) < 37

    def job(p):
        every = (held(p, x, terms, kept), kept), (brought(p, x, terms), kept | True)
        return [
            (
                statistics.mean(p.mesh, group, p.triples) - x[rows].mean(axis=0),
                statistics.variance(p.mesh, group, p.triples) - x[rows].var(axis=0),
            )
            for group, rows in every
        ]

    for off_mean, off_variance in compute(2, job)[0]:
        assert np.abs(off_mean).max() <= mean_error(terms)
        assert np.abs(off_variance).max() <= variance_error(terms)


@pytest.mark.parametrize("how", ["public", "picked", "pooled"])
@pytest.mark.parametrize(
    ("bound", "bits", "refused"),
    [
        (1e5, 2, {"variance", "covariance"}),  # 2 bound^2 takes more than 32 bits
        (2.0**32, 8, {"mean", "variance", "covariance"}),
        (2.0**-20, 33, {"variance", "covariance"}),  # 66 fraction bits
        (2.0**15, 8, set()),
    ],
)
def test_what_has_no_room_is_refused_before_anything_is_sent(how, bound, bits, refused):
    terms = Terms(rows=20, bound=bound, fraction_bits=bits)
    if how == "public":
        refused = refused - {"mean"}  # divided in the clear

    def job(p):
        mesh, group = recorded(p.mesh), groups(p, np.zeros((20, 1)), terms)[how]
        p.triples.drawn.clear()
        for name in sorted(refused):
            with pytest.raises(EncodingOverflow, match="room"):
                getattr(statistics, name)(mesh, group, p.triples)
        assert not p.triples.drawn
        assert not mesh.channel(mesh.peers[0]).came
        for name in {"mean", "variance"} - refused:
            assert getattr(statistics, name)(mesh, group, p.triples).shape == (1,)

    compute(2, job)


def test_quantiles_and_edges_at_the_largest_bound():
    """Just below 2^62 units: differences of two such values have a sign."""
    terms = Terms(rows=20, bound=np.nextafter(2.0**62, 0), fraction_bits=0, minimum=3)
    most = 2.0**62 - 2**9
    x = np.array([most, -most, most, -most, -1, 0, 1, most / 2, -most])[:, None]
    edges = [-(2**62), -(2**60), 2**60, 2**62 + 5]

    def job(p):
        group = held(p, x, terms, np.ones(len(x)))
        found = [statistics.quantile(p.mesh, group, q, p.triples) for q in (0, 0.5, 1)]
        return found, statistics.histogram(p.mesh, group, edges, p.triples).counts.tolist()

    assert compute(2, job)[0] == ([quantile_of(x[:, 0], q) for q in (0, 0.5, 1)], [3, 3, 3])


@pytest.mark.parametrize(("bound", "bits"), [(2.0**62, 0), (2.0**54, 8), (10**400, 0)])
def test_a_bound_that_no_word_holds_is_refused(bound, bits):
    with pytest.raises(ConfigError, match="below 2\\^62 units"):
        Terms(rows=10, bound=bound, fraction_bits=bits)


# --- terms ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["public", "picked", "pooled"])
@pytest.mark.parametrize(
    "other",
    [{"rows": 299}, {"bound": 100.0}, {"fraction_bits": 5}, {"minimum": 1}, {"to": "p1"}],
    ids=lambda other: next(iter(other)),
)
@pytest.mark.parametrize("differing", ["p0", "p2"])
def test_other_terms_at_one_party_are_found_before_any_figure(how, other, differing):
    x = np.full((20, 1), 7.0)

    def job(p):
        terms = dataclasses.replace(TERMS, **other) if p.mesh.me == differing else TERMS
        columns = p.share(x, fraction_bits=terms.fraction_bits)
        bits = p.seeds.share_bits(np.ones(20) if p.mesh.me == "p0" else None, owner="p0", count=20)
        makes = {
            "public": lambda: statistics.aligned(p.mesh, columns, terms, p.triples),
            "picked": lambda: statistics.aligned(p.mesh, columns, terms, p.triples, kept=bits),
            "pooled": lambda: statistics.pooled(p.mesh, p.seeds, x, terms),
        }
        with pytest.raises(ParameterMismatch) as caught:
            makes[how]()
        assert not p.triples.drawn
        return caught.value.field, caught.value.peer

    (field,) = other
    for name, found in zip(["p0", "p1", "p2"], compute(3, job), strict=True):
        assert found == (
            field,
            ("p1" if name == "p0" else "p0") if name == differing else differing,
        )


def test_a_receiver_that_is_no_party_and_seeds_of_others():
    def job(p):
        nobody = dataclasses.replace(TERMS, to="nobody")
        with pytest.raises(ConfigError, match="'nobody', who is none of"):
            statistics.pooled(p.mesh, p.seeds, np.zeros((20, 1)), nobody)
        p.seeds.names = p.seeds.names[::-1]
        with pytest.raises(ConfigError, match="in a mesh of"):
            statistics.pooled(p.mesh, p.seeds, np.zeros((20, 1)), TERMS)

    compute(2, job)
