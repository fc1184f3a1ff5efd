# SPDX-License-Identifier: Apache-2.0
"""Cuckoo tables: the bound, places, and keys that have none."""

from __future__ import annotations

import logging
from math import comb

import numpy as np
import pytest

from mpc import kernels
from mpc.errors import CryptoError
from mpc.primitives import cuckoo
from mpc.primitives.rng import uint64
from mpc.testing import seeded

BACKENDS = ["portable"] + (["simd"] if kernels.backend() == "simd" else [])


def keys_of(count, seed=0):
    return uint64(seeded(f"cuckoo{seed}"), (count, 4))


def test_the_bound_of_four_keys_is_the_chance_that_they_share_three_bins():
    """Four keys have no places if and only if they have three bins in all."""
    for size in (4, 20, 96):
        exact = comb(size, 3) ** -3
        assert 2 ** -cuckoo.failure_bits(4, size) == pytest.approx(exact, rel=1e-9)


def test_the_bound_is_kept_at_every_size():
    for count in (4, 5, 10, 30, 100, 150, 200, 300, 1000, 9999):
        size = cuckoo.bins(count)
        assert cuckoo.failure_bits(count, size) >= 40
        assert cuckoo.failure_bits(count, size - 1) < 40
    for count in (10_000, 20_000, 65_536):
        assert cuckoo.failure_bits(count, cuckoo.bins(count)) >= 40
        assert cuckoo.bins(count) <= 1.3 * count + 1


def test_the_bound_is_above_what_is_seen():
    """Five keys in six bins: the share that has no table, against the bound."""
    size, tries = 6, 3000
    every = cuckoo.positions(keys_of(5 * tries), bytes(16), size)
    failed = sum(cuckoo._placed(few, size) is None for few in every.reshape(tries, 5, 3))
    exact = comb(6, 4) * (4 / 20) ** 5 + 5 * 20**-3
    assert failed / tries == pytest.approx(exact, rel=0.7)
    assert exact <= 2 ** -cuckoo.failure_bits(5, size)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 17, 400, 10_000])
def test_every_key_has_a_bin_of_its_own(count, backend):
    keys = keys_of(count)
    with kernels.use(backend):
        table = cuckoo.Table.of(keys, seeded(1))
    assert table.size == cuckoo.bins(count)
    assert len(np.unique(table.places)) == count
    candidates = cuckoo.positions(keys, table.seed, table.size)
    assert np.array_equal(candidates[np.arange(count), table.choices], table.places)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_full_table_is_found_if_there_is_one(backend):
    """At a load of 0.9, just below the threshold, where peeling leaves most keys over."""
    keys = keys_of(1000)
    with kernels.use(backend):
        table = cuckoo.Table.of(keys, seeded(1), size=1112)
    assert len(np.unique(table.places)) == 1000


def test_candidates_are_distinct_and_even():
    placed = cuckoo.positions(keys_of(30_000), bytes(16), 10)
    assert placed.min() == 0
    assert placed.max() == 9
    assert all(len(set(row)) == 3 for row in placed[:2000].tolist())
    for column in placed.T:
        counts = np.bincount(column, minlength=10)
        assert np.sum((counts - 3000) ** 2 / 3000) < 40  # chi-square, 9 degrees: below 10^-5


def test_a_table_that_is_too_small_is_reported(caplog):
    with (
        caplog.at_level(logging.WARNING, "mpc.primitives.cuckoo"),
        pytest.raises(CryptoError, match="100 keys have no table of 100 bins"),
    ):
        cuckoo.Table.of(keys_of(100), seeded(1), size=100)
    assert len(caplog.records) == cuckoo.MOST_SEEDS
    with pytest.raises(CryptoError, match="no table"):
        cuckoo.Table.of(keys_of(100), seeded(1), size=99)


def test_another_seed_is_drawn_where_one_fails(caplog):
    """In a table of 11 bins for 10 keys about every other seed serves."""
    redrawn = 0
    for turn in range(10):
        with caplog.at_level(logging.WARNING, "mpc.primitives.cuckoo"):
            caplog.clear()
            table = cuckoo.Table.of(keys_of(10, turn), seeded(turn), size=11)
        assert len(np.unique(table.places)) == 10
        redrawn += bool(caplog.records)
    assert redrawn


def test_the_same_key_twice_often_enough_has_no_table():
    with pytest.raises(CryptoError, match="the same"):
        cuckoo.Table.of(np.repeat(keys_of(1), 4, axis=0), seeded(1), size=100)


def test_places_are_not_shown():
    assert repr(cuckoo.Table.of(keys_of(2), seeded(1))) == "Table(<2 keys in 3 bins>)"
