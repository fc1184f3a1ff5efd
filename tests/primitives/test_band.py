# SPDX-License-Identifier: Apache-2.0
"""The band matrix store: every key decodes, sums decode to sums, failures are as rare as stated."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from mpc import kernels
from mpc.errors import CryptoError
from mpc.primitives import band
from mpc.primitives.band import Parameters, Rows
from mpc.primitives.okvs import capacity
from mpc.primitives.rng import uint64
from mpc.testing import seeded
from tests.conftest import BACKENDS

SEED = b"sixteen bytes ok"


def rows_of(label, count, bound=None):
    rng = seeded(f"band:{label}:{count}")
    parameters = Parameters.of(count if bound is None else bound)
    return Rows.of(uint64(rng, (count, 2)), SEED, parameters), rng


@pytest.mark.parametrize("words", [1, 3, 8, 10, 21])
@pytest.mark.parametrize("count", [0, 1, 2, 63, 64, 65, 1000])
def test_every_key_decodes_from_the_one_store_of_both_backends(count, words):
    stores = []
    for name in BACKENDS:
        with kernels.use(name):
            rows, rng = rows_of("round", count)
            values = uint64(rng, (count, words))
            stores.append(rows.encode(values, rng))
            assert stores[-1].shape == (rows.parameters.size, words)
            assert np.array_equal(rows.decode(stores[0]), values)
    assert all(np.array_equal(store, stores[0]) for store in stores)


@pytest.mark.parametrize("words", [1, 10])
def test_ten_thousand_keys(backend, words):
    rows, rng = rows_of("many", 10_000)
    values = uint64(rng, (10_000, words))
    assert np.array_equal(rows.decode(rows.encode(values, rng)), values)


@pytest.mark.parametrize(("clusters", "threads"), [(2, 1), (2, 2), (5, 2), (16, 3)])
def test_clusters(backend, clusters, threads, monkeypatch):
    monkeypatch.setattr(band, "_CLUSTER", 150)
    rows, rng = rows_of("clusters", 150 * clusters)
    assert rows.parameters.clusters == clusters
    values = uint64(rng, (len(rows), 9))
    with kernels.use(threads=threads):
        store = rows.encode(values, rng)
        assert np.array_equal(rows.decode(store), values)
    # No band goes from one part into the next.
    begins, ends = rows._firsts, rows._firsts + rows.parameters.band - 1
    parts = begins // rows.parameters.width
    assert np.array_equal(parts, ends // rows.parameters.width)
    assert set(parts.tolist()) == set(range(clusters))


def test_decoding_is_linear(backend):
    rows, rng = rows_of("linear", 500)
    x, y = (uint64(rng, (rows.parameters.size, 3)) for _ in range(2))
    assert np.array_equal(rows.decode(x ^ y), rows.decode(x) ^ rows.decode(y))


def test_a_value_is_the_sum_of_the_columns_that_the_band_chooses(backend):
    """Decoding unit vectors gives the matrix: bits uniform, none outside of the band."""
    rows, rng = rows_of("matrix", 300)
    size, width = rows.parameters.size, rows.parameters.band
    unit = np.zeros((size, -(-size // 64)), np.uint64)
    unit[np.arange(size), np.arange(size) // 64] = np.uint64(1) << (
        np.arange(size, dtype=np.uint64) % np.uint64(64)
    )
    matrix = np.unpackbits(rows.decode(unit).view(np.uint8), axis=1, bitorder="little")
    firsts = np.empty(300, np.int64)
    firsts[rows._order] = rows._firsts
    inside = (np.arange(matrix.shape[1]) >= firsts[:, None]) & (
        np.arange(matrix.shape[1]) < firsts[:, None] + width
    )
    assert not matrix[~inside].any()
    assert abs(matrix[inside].mean() - 0.5) < 6 * 0.5 / math.sqrt(inside.sum())
    values = uint64(rng, (size, 1))
    chosen = np.bitwise_xor.reduce(
        np.where(matrix[:, :size, None].astype(bool), values, np.uint64(0)), axis=1
    )
    assert np.array_equal(rows.decode(values), chosen)


def test_a_smaller_set_in_the_store_of_a_larger_bound(backend):
    rows, rng = rows_of("bound", 10, 5000)
    values = uint64(rng, (10, 2))
    store = rows.encode(values, rng)
    assert len(store) == Parameters.of(5000).size
    assert np.array_equal(rows.decode(store), values)


def test_keys_not_encoded_decode_to_noise(backend):
    rows, rng = rows_of("others", 4000)
    store = rows.encode(np.zeros((4000, 1), np.uint64), rng)
    other = Rows.of(uint64(rng, (4000, 2)), SEED, rows.parameters).decode(store)
    ones = np.unpackbits(other.view(np.uint8)).mean()
    assert len(np.unique(other)) == 4000
    assert abs(ones - 0.5) < 0.01  # 256,000 bits: ten standard deviations


def test_every_store_is_made_of_just_one_choice_of_values(backend, monkeypatch):
    """So it is uniform when they are, whatever the keys: of any store, values and what is free.

    Encoding what a store decodes to, with its own columns where these are free, gives it back.
    """
    for label in ("some keys", "other keys"):
        rows, rng = rows_of(label, 700)
        store = uint64(rng, (rows.parameters.size, 2))
        monkeypatch.setattr(band, "uniform", lambda *_, store=store: store.copy())
        assert np.array_equal(rows.encode(rows.decode(store), rng), store)


def test_what_is_free_is_drawn_anew(backend):
    """Of values that are all zero: the stores of one set of keys are noise, and not the same."""
    rows, rng = rows_of("free", 300)
    stores = np.array([rows.encode(np.zeros((300, 2), np.uint64), rng) for _ in range(200)])
    assert len(np.unique(stores[:, :, 0], axis=0)) == 200
    ones = np.unpackbits(stores.view(np.uint8), axis=2).mean(axis=(0, 2))
    # 25,600 bits of each column.
    assert np.all(np.abs(ones - 0.5) < 6 * 0.5 / math.sqrt(25_600))


@pytest.mark.parametrize("agree", [False, True])
def test_equal_keys_are_an_error(backend, agree):
    rng = seeded("repeat")
    keys, values = uint64(rng, (100, 2)), uint64(rng, (100, 2))
    keys[7] = keys[70]
    if agree:
        values[7] = values[70]
    with pytest.raises(CryptoError, match="repeat"):
        Rows.of(keys, SEED, Parameters.of(100)).encode(values, rng)


def test_a_band_too_narrow_is_an_error_in_whichever_cluster(backend, monkeypatch):
    monkeypatch.setattr(band, "_CLUSTER", 200)
    rng = seeded("narrow")
    parameters = replace(Parameters.of(600), band=8)
    rows = Rows.of(uint64(rng, (600, 2)), SEED, parameters)
    with pytest.raises(CryptoError, match="seed"):
        rows.encode(uint64(rng, (600, 1)), rng)
    keys = uint64(rng, (300, 2))  # cluster 1 alone cannot be solved
    parameters = Parameters.of(300)
    assert parameters.clusters == 2
    rows = Rows.of(keys, SEED, parameters)
    rows._bits[-2:] = rows._bits[-2]
    rows._firsts[-2:] = rows._firsts[-2]
    with pytest.raises(CryptoError):
        rows.encode(uint64(rng, (300, 1)), rng)


def lost(width, slack, rate, slots):
    """At most what the docstring says for Poisson(``rate``) rows at each of ``slots`` columns.

    The chance, from each D below w - slack, of getting there within ``slots`` columns, plus the sum
    of 2^(D - w) over the rows before that. By doubling: of 2k columns it is that of k, plus what
    is left after them times that of k.
    """
    top = width - slack
    chances = np.array(
        [math.exp(a * math.log(rate) - rate - math.lgamma(a + 1)) for a in range(40)]
    )
    at_least = np.cumsum(chances[::-1])[::-1]
    each = 2.0 ** (np.arange(top) - width)
    each[-1] += 1
    arrived, cost, power = np.zeros((top, top)), np.zeros(top), np.eye(top)
    for rows in range(39):
        arrived += chances[rows] * power
        cost += at_least[rows + 1] * (power @ each)
        power = np.pad(power[:, :-1], ((0, 0), (1, 0)))
    unsolved = 2.0 ** -np.arange(top)
    step = arrived @ (np.diag(unsolved) + np.diag(1 - unsolved[1:], -1))
    total = np.zeros(top)
    while slots:
        if slots % 2:
            total = cost + step @ total
        cost, step, slots = cost + step @ cost, step @ step, slots // 2
    return total[0]


@pytest.mark.parametrize(("security", "exponent"), [(20, 10), (40, 16), (40, 20), (40, 24)])
def test_rows_are_dependent_as_rarely_as_the_chain_allows(security, exponent):
    p = Parameters.of(1 << exponent, security)
    load = capacity(p.items, p.clusters, security + 1 + math.log2(p.clusters))
    chance = 2 * p.clusters * lost(p.band, 4, load / p.starts, p.starts)  # 2 for Poisson
    assert chance <= 2 ** -(security + 1)
    if exponent >= 16:  # in fewer columns than that the walk hardly gets so far
        assert chance > 2 ** -(security + 1.5)


def test_the_bound_of_few_keys_is_by_their_number():
    for count in (0, 1, 2, 50):
        assert Parameters.of(count).band == count + 41
    assert Parameters.of(1000).band < 400


@pytest.mark.skipif("simd" not in BACKENDS, reason="hundreds of systems need the compiled loops")
def test_failures_counted_are_those_of_the_chain():
    """Narrow bands for Poisson numbers of rows: between a third of the bound and the bound."""
    starts, trials = 2000, 1000
    drawn = np.random.default_rng(5)
    for width in (40, 52):
        parameters = replace(Parameters.of(4000), starts=starts, band=width)
        failed = 0
        for number in drawn.poisson(starts / 1.05, trials):
            keys = drawn.integers(0, 2**64, (number, 2), np.uint64)
            rows = Rows.of(keys, drawn.bytes(16), parameters)
            try:
                rows.encode(np.zeros((number, 8), np.uint64))
            except CryptoError:
                failed += 1
        bound = trials * lost(width, 4, 1 / 1.05, starts)
        deviation = math.sqrt(bound)
        assert 0.33 * bound - 3 * deviation < failed < bound + 3 * deviation
        assert failed > 20


@pytest.mark.parametrize("exponent", [13, 16, 17, 20, 22, 24])
def test_expansion(exponent):
    parameters = Parameters.of(1 << exponent)
    assert parameters.size <= (1.07 if exponent >= 16 else 1.1) * (1 << exponent)


def test_rows_are_counted_in_31_bits_and_do_not_show():
    with pytest.raises(ValueError, match="keys"):
        Parameters.of(1 << 31)
    assert "array" not in repr(rows_of("hidden", 3)[0])
