# SPDX-License-Identifier: Apache-2.0
"""Figures of many parties' rows: what is refused, and what is seen of the rest."""

from __future__ import annotations

import numpy as np
import pytest

from mpc.errors import (
    ConfigError,
    DataError,
    EncodingOverflow,
    ProtocolError,
)
from mpc.pb.v1 import arith_pb2
from mpc.protocols import boolean, compare, statistics
from mpc.protocols.statistics import Terms
from tests.protocols.computing import compute, recorded, views_are_uniform
from tests.protocols.statistics_runs import (
    BITS,
    BOUND,
    TERMS,
    UNIT,
    brought,
    held,
    table,
)


class TestRefused:
    @pytest.mark.parametrize(
        ("rows", "bound", "bits"), [(2**20, 2.0**30, 12), (2, 2.0**59, 1), (1000, 1e6, 40)]
    )
    def test_sums_without_room(self, rows, bound, bits):
        terms = Terms(rows=rows, bound=bound, fraction_bits=bits)

        def job(p):
            group = statistics.pooled(p.mesh, p.seeds, np.zeros((1, 1)), terms)
            for figure in (statistics.total, statistics.mean, statistics.variance):
                with pytest.raises(EncodingOverflow, match="there is room for 61"):
                    figure(p.mesh, group, p.triples)

        compute(2, job)

    def test_squares_without_room(self):
        terms = Terms(rows=1000, bound=2.0**15, fraction_bits=12)

        def job(p):
            group = statistics.pooled(p.mesh, p.seeds, np.full((20, 1), 2.0**15), terms)
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
                statistics.pooled(p.mesh, p.seeds, x[:, None], TERMS)

        compute(2, job)

    def test_another_number_of_rows(self):
        def job(p):
            with pytest.raises(DataError, match=r"\(19,\), the others expect \(20,\)"):
                statistics.column(p.seeds, np.ones(19), owner=p.mesh.me, rows=20, terms=TERMS)
            with pytest.raises(DataError, match="m up to 300"):
                statistics.pooled(p.mesh, p.seeds, np.ones((301, 1)), TERMS)
            with pytest.raises(DataError, match="m up to 300"):
                statistics.pooled(p.mesh, p.seeds, np.ones(30), TERMS)

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
            for q in (-0.1, 1.1, float("nan"), float("inf")):
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
            group = statistics.pooled(p.mesh, p.seeds, np.zeros((30, 1)), terms)
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


@pytest.mark.parametrize("name", ["variance", "covariance", "quantile", "histogram"])
@pytest.mark.parametrize("how", ["picked", "pooled"])
def test_views_are_uniform(name, how):
    """All that each party sees in masked openings, on the same rows, over many runs.

    What is revealed, the bit that says whether the group is too small, is no mask.
    """
    x = table(24, 2)
    terms = Terms(rows=24, bound=BOUND, fraction_bits=BITS)
    asked = {"quantile": [0.5], "histogram": [[-BOUND, 0, BOUND]]}.get(name, [])

    def job(p):
        group = held(p, x, terms, np.ones(24)) if how == "picked" else brought(p, x, terms)
        getattr(statistics, name)(p.mesh, group, *asked, p.triples)

    few = (name, how) == ("histogram", "pooled")
    assert views_are_uniform(3, job, seeds=30 if few else 3)


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
