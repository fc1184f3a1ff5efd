# SPDX-License-Identifier: Apache-2.0
"""Figures of many parties' rows against NumPy, and those of too few rows, which are withheld."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from mpc import kernels
from mpc.errors import (
    PolicyError,
    Withheld,
)
from mpc.protocols import statistics
from mpc.protocols.statistics import Terms
from tests.protocols.computing import compute, recorded
from tests.protocols.statistics_runs import (
    BITS,
    BOUND,
    FIGURES,
    MEAN_ERROR,
    TERMS,
    UNIT,
    VARIANCE_ERROR,
    brought,
    held,
    quantile_of,
    rounded,
    table,
)

RUNS = [(3, "portable")] + [(n, kernels.backend()) for n in (2, 3, 5)]


@pytest.fixture(params=dict.fromkeys(RUNS), ids=str)
def parties(request):
    count, backend = request.param
    with kernels.use(backend):
        yield count


def check_all(told, x):
    """The five figures of FIGURES against NumPy's."""
    count, total, mean, variance, covariance = told
    assert count == len(x)
    assert total.tolist() == x.sum(axis=0).tolist()
    assert np.abs(mean - x.mean(axis=0)).max() <= MEAN_ERROR
    assert np.abs(variance - x.var(axis=0)).max() <= VARIANCE_ERROR
    assert np.abs(covariance - np.cov(x.T, ddof=0)).max() <= VARIANCE_ERROR


class TestFigures:
    def test_aligned(self, parties):
        x = table(150, 3)

        def job(p):
            group = held(p, x, TERMS)
            return [getattr(statistics, name)(p.mesh, group, p.triples) for name in FIGURES]

        for told in compute(parties, job):
            check_all(told, x)
            assert np.array_equal(told[2], x.sum(axis=0) / 150)  # as the count is public

    def test_aligned_and_picked(self, parties):
        x = table(150, 3)
        kept = np.arange(150) % 3 == 0

        def job(p):
            group = held(p, x, TERMS, kept)
            return [getattr(statistics, name)(p.mesh, group, p.triples) for name in FIGURES]

        for told in compute(parties, job):
            check_all(told, x[kept])

    def test_pooled(self, parties):
        x = table(150, 3)

        def job(p):
            group = brought(p, x, TERMS)
            return [getattr(statistics, name)(p.mesh, group, p.triples) for name in FIGURES]

        for told in compute(parties, job):
            check_all(told, x)

    def test_sample_variances(self, parties):
        x, kept = table(40, 2), np.arange(40) < 12

        def job(p):
            found = []
            for group in (held(p, x, TERMS), held(p, x, TERMS, kept), brought(p, x, TERMS)):
                found.append(statistics.variance(p.mesh, group, p.triples, ddof=1))
                found.append(statistics.covariance(p.mesh, group, p.triples, ddof=1))
            return found

        for told in compute(parties, job):
            for rows, variance, covariance in zip(
                (x, x[kept], x), told[::2], told[1::2], strict=True
            ):
                assert np.abs(variance - rows.var(axis=0, ddof=1)).max() <= 2 * VARIANCE_ERROR
                assert np.abs(covariance - np.cov(rows.T)).max() <= 2 * VARIANCE_ERROR

    def test_quantiles(self, parties):
        x, kept = table(60, 2), np.arange(60) % 2 == 0
        x[10:30] = x[10]  # equal ones too
        asked = [0, Fraction(1, 3), 0.9, 1]

        def job(p):
            groups = (held(p, x, TERMS), held(p, x, TERMS, kept), brought(p, x, TERMS))
            return [
                [statistics.quantile(p.mesh, g, q, p.triples, column=1) for q in asked]
                for g in groups
            ]

        for told in compute(parties, job):
            for rows, found in zip((x, x[kept], x), told, strict=True):
                assert found == [quantile_of(rows[:, 1], q) for q in asked]

    def test_histograms(self, parties):
        x, kept = table(200, 2), np.arange(200) % 4 != 0
        edges = [-BOUND, -40, -20, UNIT, 20.5, 40, BOUND]

        def job(p):
            groups = (held(p, x, TERMS), held(p, x, TERMS, kept), brought(p, x, TERMS))
            return [statistics.histogram(p.mesh, g, edges, p.triples) for g in groups]

        for told in compute(parties, job):
            for rows, found in zip((x, x[kept], x), told, strict=True):
                wanted = np.histogram(rows[:, 0], edges)[0]
                assert found.counts.tolist() == wanted.tolist()
                assert not found.withheld.any()


def test_a_large_offset_costs_aligned_rows_nothing():
    """A variance a ten thousandth of the squared mean, which a sum of squares would lose."""
    rng = np.random.default_rng(2)
    x = rounded(BOUND - 4 + rng.uniform(-2, 2, (120, 1)))
    terms = Terms(rows=120, bound=BOUND, fraction_bits=BITS)

    def job(p):
        return statistics.variance(p.mesh, held(p, x, terms), p.triples)

    assert np.abs(compute(2, job)[0] - x.var(axis=0)).max() < 0.02


def test_figures_go_to_one_party_alone():
    x = table(60, 2)
    terms = Terms(rows=60, bound=BOUND, fraction_bits=BITS, to="p1")

    def job(p):
        groups = [held(p, x, terms, np.ones(60)), brought(p, x, terms)]
        found = [
            getattr(statistics, name)(p.mesh, g, p.triples) for g in groups for name in FIGURES
        ]
        edges = [-BOUND, 0, BOUND]
        found += [statistics.histogram(p.mesh, g, edges, p.triples) for g in groups]
        return [*found, statistics.quantile(p.mesh, groups[0], 0.5, p.triples)]

    first, second, third = compute(3, job)
    assert first == third == [None] * 13
    check_all(second[:5], x)
    check_all(second[5:10], x)
    assert second[12] == quantile_of(x[:, 0], 0.5)


# --- small groups --------------------------------------------------------------------------------


class TestSmallGroups:
    MINIMUM = 8
    TERMS = Terms(rows=40, bound=BOUND, fraction_bits=BITS, minimum=MINIMUM)

    @pytest.mark.parametrize("name", [*FIGURES, "quantile"])
    @pytest.mark.parametrize("rows", [0, 1, MINIMUM - 1, MINIMUM, 40])
    def test_are_withheld(self, name, rows):
        x, kept = table(40, 1), np.arange(40) < rows
        figure, part = getattr(statistics, name), [0.5] if name == "quantile" else []

        def asked(p, group):
            if rows >= self.MINIMUM:
                return figure(p.mesh, group, *part, p.triples) is not None
            with pytest.raises(PolicyError, match=f"fewer than {self.MINIMUM} rows") as caught:
                figure(p.mesh, group, *part, p.triples)
            return caught.type is not Withheld

        def job(p):
            groups = [held(p, x, self.TERMS, kept), brought(p, x[kept], self.TERMS)]
            return [asked(p, group) for group in groups]

        assert compute(3, job) == [[rows >= self.MINIMUM] * 2] * 3

    def test_so_are_public_ones_before_anything_is_sent(self):
        x = table(7, 1)

        def job(p):
            group = held(p, x, self.TERMS)
            mesh = recorded(p.mesh)
            with pytest.raises(Withheld):
                statistics.mean(mesh, group, p.triples)
            return [len(mesh.channel(name).came) for name in mesh.peers]

        assert compute(2, job) == [[0], [0]]

    def test_nothing_but_one_bit_is_opened_of_a_small_group(self):
        """The openings of two groups that differ in rows and values, but for their masks."""

        def job(p, rows):
            mesh = recorded(p.mesh)
            group = brought(p, table(40, 1, seed=rows)[:rows], self.TERMS)
            with pytest.raises(Withheld):
                statistics.mean(mesh, group, p.triples)
            came = mesh.channel(mesh.peers[0]).came
            return [(message.step, len(message.words.data)) for message in came]

        first, second = (compute(2, lambda p, n=n: job(p, n))[0] for n in (0, 7))
        assert first == second
        assert [step for step, _ in first].count("reveal") == 1

    def bins(self, counts, to=None):
        """A histogram of so many rows in bins of ten."""
        x = rounded(np.repeat(np.arange(len(counts)) * 10.0 + 5, counts))[:, None]
        terms = Terms(rows=200, bound=BOUND, fraction_bits=BITS, minimum=self.MINIMUM, to=to)
        edges = np.arange(len(counts) + 1) * 10

        def job(p):
            groups = [held(p, x, terms, np.ones(len(x))), brought(p, x, terms)]
            return [statistics.histogram(p.mesh, g, edges, p.triples) for g in groups]

        return [found for told in compute(2, job) for found in told]

    def test_small_bins_are_withheld(self):
        for found in self.bins([20, 3, 8, 7, 0]):
            assert found.counts.tolist() == [20, 0, 8, 0, 0]
            assert found.withheld.tolist() == [False, True, False, True, True]

    def test_empty_bins_alone_are_withheld_too(self):
        for found in self.bins([20, 0, 8]):
            assert found.withheld.tolist() == [False, True, False]

    @pytest.mark.parametrize("counts", [[20, 3, 30], [20, 3, 30, 4], [20, 0, 7], [9, 1]])
    def test_a_rest_that_the_total_would_tell_withholds_all(self, counts):
        with pytest.raises(Withheld):
            self.bins(counts)

    def test_no_bin_at_all(self):
        with pytest.raises(Withheld):
            self.bins([7, 7, 7])
