# SPDX-License-Identifier: Apache-2.0
"""Private lookup: the shares add up to what a dictionary says, and wrong inputs are refused."""

from __future__ import annotations

import logging

import numpy as np
import pyarrow as pa
import pytest
from link_kinds import KINDS
from lookup_runs import ids, opened, plain, run, table

from mpc import kernels
from mpc.errors import ConfigError, CryptoError, DataError, EncodingOverflow, ParameterMismatch
from mpc.primitives import cuckoo
from mpc.protocols import arith, lookup
from mpc.protocols.lookup import equality, sixteen, transfers
from mpc.protocols.triples import vole as vole_triples
from mpc.testing import run_mesh, run_pair, seeded

BACKENDS = ["portable"] + (["simd"] if kernels.backend() == "simd" else [])


def check(keys, rows, values=None, **options):
    asked, held = run(keys, rows, values, **options)
    member, found = opened(asked, held)
    listed, expected = plain(keys, rows, values)
    assert np.array_equal(member, listed)
    assert np.array_equal(found, expected)
    return asked, held


@pytest.mark.parametrize("columns", [0, 3])
@pytest.mark.parametrize(
    ("count", "rows"), [(0, 0), (0, 3), (3, 0), (1, 1), (2, 1), (1, 2), (2, 5), (7, 40), (101, 33)]
)
def test_sizes(count, rows, columns):
    check(ids(0, count), ids(count // 2, count // 2 + rows), table(rows, columns))


@pytest.mark.parametrize("columns", [0, 2])
def test_ten_thousand_keys(columns):
    check(ids(0, 10_000), ids(7_000, 17_000), table(10_000, columns))


@pytest.mark.parametrize("columns", [0, 2])
def test_over_many_runs_of_vector_ole(columns, monkeypatch):
    """Choices and transfers of a step are of several runs, and a run is used by several steps."""
    monkeypatch.setattr(sixteen, "RUN", 2_000)
    monkeypatch.setattr(transfers, "RUN", 1_500)
    monkeypatch.setattr(equality, "_RUN", 130)
    check(ids(0, 500), ids(250, 600), table(350, columns))


def test_over_two_clusters_of_a_store():
    check(ids(0, 50), ids(25, 100_025), table(100_000, 1))


@pytest.mark.parametrize("rows", [ids(0, 30), ids(30, 60)], ids=["all", "none"])
def test_all_and_none_present(rows):
    check(ids(0, 30), rows, table(30, 4))


@pytest.mark.parametrize("backend", BACKENDS)
def test_on_both_kernels(backend):
    with kernels.use(backend):
        check(ids(0, 6), ids(3, 12), table(9, 3))


def test_keys_that_differ_in_one_bit_are_different():
    keys = [bytes([1 << bit]) + bytes(15) for bit in range(8)]
    keys += [bytes(15) + bytes([1 << bit]) for bit in range(8)]
    check(keys, [bytes(16), *keys[::2]], table(9, 2))


@pytest.mark.parametrize("kind", KINDS)
def test_over_every_link(kind, tmp_path):
    with KINDS[kind](tmp_path) as ends:
        check(ids(0, 9), ids(5, 25), table(20, 2), links=lambda: ends)


def test_keys_as_strings_bytes_and_arrow():
    rows = ids(3, 12)
    for keys, other in (
        ([key.encode() for key in ids(0, 6)], rows),
        (pa.array(ids(0, 6)), np.array(rows)),
        (np.array(ids(0, 6), "S"), pa.chunked_array([rows[:4], rows[4:]])),
    ):
        member, _ = opened(*run(keys, other))
        assert member.tolist() == [0, 0, 0, 1, 1, 1]


def test_values_of_one_column_and_with_fractions():
    asked, held = run(ids(0, 4), ids(2, 5), [1.5, -2.25, 3.0], fraction_bits=20)
    member, values = opened(asked, held)
    assert member.tolist() == [0, 0, 1, 1]
    assert values.tolist() == [[0], [0], [1.5], [-2.25]]
    assert asked.values.fraction_bits == held.values.fraction_bits == 20
    assert asked.member.fraction_bits == 0


def test_shares_go_on_into_arithmetic():
    """Without another step: a product of two columns, and only that is opened."""
    keys, rows, values = ids(0, 5), ids(2, 8), table(6, 2) >> 33

    def computed(mesh, found):
        triples = vole_triples.source(mesh, rng=seeded(mesh.me))
        left, right = found.values[:, 0] + found.member, found.values[:, 1]
        return arith.reveal(mesh, arith.mul(mesh, left, right, triples), to="bank")

    def bank(mesh):
        return computed(mesh, lookup.asker(mesh.channel("tax_office"), keys))

    def tax_office(mesh):
        return computed(mesh, lookup.holder(mesh.channel("bank"), rows, values))

    results = run_mesh({"bank": bank, "tax_office": tax_office})
    member, expected = plain(keys, rows, values)
    assert results["tax_office"] is None
    assert np.array_equal(results["bank"], (expected[:, 0] + member) * expected[:, 1])


def test_the_order_of_the_table():
    keys, rows, values = ids(0, 30), ids(20, 50), table(30, 2)
    asked, held = run(keys, rows, values, order="table")
    member, found = opened(asked, held)
    listed, expected = plain(keys, rows, values)
    assert held.places is None
    assert len(member) == cuckoo.bins(30)
    assert np.array_equal(member[asked.places], listed)
    assert np.array_equal(found[asked.places], expected)
    rest = np.delete(np.arange(len(member)), asked.places)
    assert not member[rest].any()
    assert not found[rest].any()


def test_one_layout_puts_several_holders_in_one_order():
    keys = ids(0, 20)
    layout = lookup.Layout.of(keys, rng=seeded("layout"))
    places, members = [], []
    for turn, rows in enumerate((ids(0, 12), ids(8, 40))):
        asked, held = run(layout, rows, seed=turn, order="table")
        places.append(asked.places)
        members.append(opened(asked, held)[0])
    assert np.array_equal(*places)
    both = (members[0] * members[1])[places[0]]
    assert both.tolist() == [8 <= number < 12 for number in range(20)]


def test_a_table_with_a_repeated_key_is_refused():
    for role in (lookup.asker, lookup.holder):
        with pytest.raises(DataError, match="1 of 4 items repeat an earlier one"):
            role(None, ["a", "b", "a", "c"])


@pytest.mark.parametrize(
    ("values", "error", "match"),
    [
        (np.zeros((3, 2)), DataError, "shape"),
        (np.zeros((2, 2, 2)), DataError, "shape"),
        (np.zeros((2, lookup.MOST_COLUMNS + 1)), DataError, "256 columns"),
        ([1.5, float("nan")], DataError, None),
        ([2**70, 1], EncodingOverflow, None),
    ],
)
def test_wrong_values_are_refused_before_anything_is_sent(values, error, match):
    with pytest.raises(error, match=match):
        lookup.holder(None, ["a", "b"], values)


def test_a_scale_that_no_share_has_is_refused_before_anything_is_sent():
    with pytest.raises(EncodingOverflow, match="63 fraction bits"):
        lookup.holder(None, ["a"], [0.0], fraction_bits=63)


def test_other_orders_and_equal_roles_are_refused():
    with pytest.raises(ConfigError, match="keys or table"):
        lookup.asker(None, ["a"], order="rows")
    with pytest.raises(ParameterMismatch, match="order"):
        run_pair(
            lambda channel: lookup.asker(channel, ["a"]),
            lambda channel: lookup.holder(channel, ["a"], order="table"),
        )


def test_too_many_keys_are_refused(monkeypatch):
    monkeypatch.setattr(lookup, "MOST_KEYS", 3)
    with pytest.raises(ConfigError, match="4 keys"):
        lookup.asker(None, ids(0, 4))


def test_a_small_table_is_handled_and_reported(monkeypatch, caplog):
    """With no more bins than keys seeds fail, others are drawn, and the answers are right."""
    monkeypatch.setattr(cuckoo, "bins", lambda keys: keys)
    with caplog.at_level(logging.WARNING, "mpc.primitives.cuckoo"):
        for turn in range(6):
            check(ids(20 * turn, 20 * turn + 8), ids(0, 200), table(200, 1), seed=turn)
    assert any("no table of 8 bins" in record.message for record in caplog.records)


def test_a_table_without_room_is_an_error_before_anything_is_sent(monkeypatch):
    monkeypatch.setattr(cuckoo, "bins", lambda keys: keys - 1)
    with pytest.raises(CryptoError, match="20 keys have no table of 19 bins"):
        lookup.asker(None, ids(0, 20))


def test_results_are_not_shown():
    asked, held = run(ids(0, 3), ids(1, 4), table(3, 1))
    for side in (asked, held):
        assert "secret" in repr(side)
        assert "array" not in repr(side)
    assert "91" not in repr(lookup.Layout.of(ids(0, 3)))
