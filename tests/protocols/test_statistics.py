# SPDX-License-Identifier: Apache-2.0
"""Figures of many parties' rows against NumPy; what is withheld, refused and seen."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import numpy as np
import pytest

from mpc import kernels
from mpc.errors import (
    ConfigError,
    DataError,
    EncodingOverflow,
    PolicyError,
    ProtocolError,
    Withheld,
)
from mpc.pb.v1 import arith_pb2
from mpc.protocols import boolean, compare, statistics
from mpc.protocols.statistics import Terms
from tests.protocols.computing import compute, looks_uniform, recorded

RUNS = [(3, "portable")] + [(n, kernels.backend()) for n in (2, 3, 5)]
BOUND, BITS = 200.0, 6
UNIT = 2.0**-BITS
TERMS = Terms(rows=300, bound=BOUND, fraction_bits=BITS)
MEAN_ERROR = BOUND * 2**-23 + UNIT
VARIANCE_ERROR = BOUND**2 * 2**-21 + 4 * UNIT**2
FIGURES = ["count", "total", "mean", "variance", "covariance"]


@pytest.fixture(params=dict.fromkeys(RUNS), ids=str)
def parties(request):
    count, backend = request.param
    with kernels.use(backend):
        yield count


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
    return statistics.pooled(p.seeds, mine, terms)


def quantile_of(values, q):
    part = Fraction(q).limit_denominator(1000)
    return np.sort(values)[max(1, ceil(part * len(values))) - 1]


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


# --- refused -------------------------------------------------------------------------------------


class TestRefused:
    @pytest.mark.parametrize(
        ("rows", "bound", "bits"), [(2**20, 2.0**30, 12), (2, 2.0**59, 1), (1000, 1e6, 40)]
    )
    def test_sums_without_room(self, rows, bound, bits):
        terms = Terms(rows=rows, bound=bound, fraction_bits=bits)

        def job(p):
            group = statistics.pooled(p.seeds, np.zeros((1, 1)), terms)
            for figure in (statistics.total, statistics.mean, statistics.variance):
                with pytest.raises(EncodingOverflow, match="there is room for 61"):
                    figure(p.mesh, group, p.triples)

        compute(2, job)

    def test_squares_without_room(self):
        terms = Terms(rows=1000, bound=2.0**15, fraction_bits=12)

        def job(p):
            group = statistics.pooled(p.seeds, np.full((20, 1), 2.0**15), terms)
            with pytest.raises(EncodingOverflow, match="2000 rows up to 32768"):
                statistics.variance(p.mesh, group, p.triples)
            return statistics.total(p.mesh, group, p.triples).tolist()

        assert compute(2, job) == [[40 * 2.0**15]] * 2

    @pytest.mark.parametrize(
        ("value", "error", "says"),
        [
            (np.nan, DataError, "at index 3 is NaN"),
            (np.inf, DataError, "at index 3 is infinite"),
            (BOUND + UNIT, EncodingOverflow, "at index 3 exceeds the bound of 200"),
            (-BOUND - UNIT, EncodingOverflow, "at index 3 exceeds the bound of 200"),
        ],
    )
    def test_values(self, value, error, says):
        x = np.zeros(20)
        x[3] = value

        def job(p):
            with pytest.raises(error, match=says):
                statistics.column(p.seeds, x, owner=p.mesh.me, rows=20, terms=TERMS)
            with pytest.raises(error, match="value at index"):
                statistics.pooled(p.seeds, x[:, None], TERMS)

        compute(2, job)

    def test_another_number_of_rows(self):
        def job(p):
            with pytest.raises(DataError, match=r"\(19,\), the others expect \(20,\)"):
                statistics.column(p.seeds, np.ones(19), owner=p.mesh.me, rows=20, terms=TERMS)
            with pytest.raises(DataError, match="m up to 300"):
                statistics.pooled(p.seeds, np.ones((301, 1)), TERMS)
            with pytest.raises(DataError, match="m up to 300"):
                statistics.pooled(p.seeds, np.ones(30), TERMS)

        compute(2, job)

    def test_a_party_that_has_fewer_rows_is_named(self):
        def job(p):
            x = table(30 if p.mesh.me == "p0" else 29, 2)
            with pytest.raises(ProtocolError, match=r"p[01]: expected \d+ elements, got \d+"):
                statistics.variance(p.mesh, held(p, x, TERMS), p.triples)

        compute(2, job)

    def test_what_does_not_fit_together(self):
        def job(p):
            x = p.share(np.zeros((20, 2)), fraction_bits=BITS)
            kept = compare.is_negative(p.mesh, x[:19, 0], p.triples)
            many = p.share(np.zeros((301, 1)), fraction_bits=BITS)
            for columns, bits, says in [
                (x[:, 0], None, "columns are"),
                (many, None, "n from 1 to 300"),
                (x[:0], None, "n from 1 to 300"),
                (p.share(np.zeros((20, 2)), fraction_bits=7), None, "7 fraction bits"),
                (x, kept, r"bits \(19,\)"),
            ]:
                with pytest.raises(ConfigError, match=says):
                    statistics.aligned(p.mesh, columns, TERMS, p.triples, kept=bits)
            group = statistics.aligned(p.mesh, x, TERMS, p.triples)
            for q in (-0.1, 1.1):
                with pytest.raises(ConfigError, match="a quantile is of 0 to 1"):
                    statistics.quantile(p.mesh, group, q, p.triples)
            for edges in ([1], [[1, 2]], [2, 1], [1, 1], [1, 1 + UNIT / 4]):
                with pytest.raises(ConfigError, match="two edges or more"):
                    statistics.histogram(p.mesh, group, edges, p.triples)
            for column in (-1, 2):
                with pytest.raises(ConfigError, match=f"no column {column}"):
                    statistics.histogram(p.mesh, group, [0, 1], p.triples, column=column)
            with pytest.raises(ConfigError, match="ddof is 0 or 1"):
                statistics.variance(p.mesh, group, p.triples, ddof=2)

        compute(2, job)

    def test_a_pooled_quantile_for_one_alone(self):
        terms = Terms(rows=30, bound=BOUND, to="p0")

        def job(p):
            group = statistics.pooled(p.seeds, np.zeros((30, 1)), terms)
            with pytest.raises(ConfigError, match="told to all parties"):
                statistics.quantile(p.mesh, group, 0.5, p.triples)

        compute(2, job)

    @pytest.mark.parametrize(
        "given",
        [{"rows": 0}, {"minimum": 0}, {"bound": 0}, {"bound": np.inf}, {"fraction_bits": 41}],
    )
    def test_terms(self, given):
        with pytest.raises(ConfigError):
            Terms(**({"rows": 10, "bound": 1.0} | given))


class TestSharedBits:
    @pytest.mark.parametrize("parties", [2, 3])
    @pytest.mark.parametrize("count", [0, 1, 64, 130])
    def test_are_those_of_the_owner(self, parties, count):
        flags = np.random.default_rng(count).integers(0, 2, count)

        def job(p):
            given = flags if p.mesh.me == "p1" else None
            held = p.seeds.share_bits(given, owner="p1", count=count)
            return boolean.reveal(p.mesh, held).tolist()

        assert compute(parties, job) == [flags.tolist()] * parties

    def test_of_another_kind_or_owner(self):
        def job(p):
            for flags in ([0, 2, 1], [0.5, 0, 1], [0, 1], [[0, 1, 1]]):
                with pytest.raises(DataError, match=r"expected \(3,\)"):
                    p.seeds.share_bits(flags, owner=p.mesh.me, count=3)
            with pytest.raises(ConfigError, match="just the owner"):
                p.seeds.share_bits(None, owner=p.mesh.me, count=3)
            with pytest.raises(ConfigError, match="just the owner"):
                p.seeds.share_bits([0, 1, 1], owner=p.mesh.peers[0], count=3)

        compute(2, job)


# --- what is seen --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["variance", "covariance"])
@pytest.mark.parametrize("how", ["picked", "pooled"])
def test_views_are_uniform(name, how):
    """All that a party receives in masked openings, on the same rows, over many runs.

    What is revealed, the bit that says whether the group is too small, is no mask.
    """
    x = table(24, 2)
    terms = Terms(rows=24, bound=BOUND, fraction_bits=BITS, to="p0")
    seen = []

    def job(p):
        group = held(p, x, terms, np.ones(24)) if how == "picked" else brought(p, x, terms)
        getattr(statistics, name)(p.mesh, group, p.triples)
        if p.mesh.me == "p2":
            came = [message for peer in p.mesh.peers for message in p.mesh.channel(peer).came]
            masked = [m for m in came if getattr(m, "step", "reveal") != "reveal"]
            seen.extend(m.words.data for m in masked)

    for seed in range(12 if how == "pooled" else 6):
        compute(3, job, seed=seed, wrap=recorded)
    assert looks_uniform(b"".join(seen))


def test_shares_of_the_figure_go_to_its_receiver_alone():
    x = table(24, 2)
    terms = Terms(rows=24, bound=BOUND, fraction_bits=BITS, to="p1")

    def job(p):
        mesh = recorded(p.mesh)
        statistics.total(mesh, held(p, x, terms), p.triples)
        return [
            sum(isinstance(m, arith_pb2.HandedShares) for m in mesh.channel(n).came)
            for n in mesh.peers
        ]

    assert compute(3, job) == [[0, 0], [1, 1], [0, 0]]


def test_secrets_do_not_show():
    def job(p):
        x = table(24, 2)
        return repr(held(p, x, TERMS, np.ones(24))), repr(brought(p, x, TERMS))

    for said in compute(2, job)[0]:
        assert "<secret>" in said
        assert "array" not in said
