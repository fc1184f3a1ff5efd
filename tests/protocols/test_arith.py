# SPDX-License-Identifier: Apache-2.0
"""Arithmetic on shares against numpy."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc import kernels
from mpc.errors import (
    ConfigError,
    DataError,
)
from mpc.kernels import ring
from mpc.primitives import sharing
from mpc.protocols import arith
from tests.protocols.computing import (
    compute,
    looks_uniform,
    recorded,
)

PARTIES = [2, 3, 5]
BACKENDS = ["portable"] + (["simd"] if kernels.backend() == "simd" else [])
LARGEST = 2**62 - 1
WHOLE = np.array([0, 1, -1, 2, -2, 2**31, -(2**31), LARGEST, -LARGEST, 3, -7])
rng = np.random.default_rng(5)


@pytest.fixture(params=BACKENDS)
def backend(request):
    with kernels.use(request.param):
        yield request.param


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.usefixtures("backend")
def test_products_of_whole_numbers_wrap_as_numpy_does(parties):
    y = WHOLE[::-1].copy()

    def job(p):
        left = p.share(WHOLE, fraction_bits=0)
        right = p.share(y, owner=parties - 1, fraction_bits=0)
        return (
            p.reveal(arith.mul(p.mesh, left, right, p.triples)),
            p.reveal(arith.square(p.mesh, left, p.triples)),
        )

    for product, square in compute(parties, job):
        assert product.tolist() == (WHOLE * y).tolist()
        assert square.tolist() == (WHOLE * WHOLE).tolist()


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.usefixtures("backend")
def test_matrices(parties):
    x, y = rng.integers(-99, 99, (7, 5)), rng.integers(-99, 99, (5, 3))

    def job(p):
        left = p.share(x, fraction_bits=0)
        right = p.share(y, owner=1, fraction_bits=0)
        held = arith.factor(p.mesh, right, p.triples)
        column = arith.factor(p.mesh, right[:, 0], p.triples)
        return [
            p.reveal(arith.matmul(p.mesh, a, b, p.triples))
            for a, b in [
                (left, right),
                (left[0], right),
                (left, right[:, 0]),
                (left, held),
                (left[2:4], held),
                (left[0], held),
                (left, column),
            ]
        ]

    expected = [x @ y, x[0] @ y, x @ y[:, 0], x @ y, x[2:4] @ y, x[0] @ y, x @ y[:, :1]]
    for results in compute(parties, job):
        for found, wanted in zip(results, expected, strict=True):
            assert found.shape == wanted.shape
            assert found.tolist() == wanted.tolist()


@pytest.mark.parametrize("parties", PARTIES)
def test_a_matrix_product_takes_a_party_little_more_than_one(parties, monkeypatch):
    """With its triple ready: one of the whole, and one of its part of the rows; not two."""
    done, multiply = [], ring.matmul

    def counted(x, y):
        done.append((x.shape[0] * x.shape[1] * y.shape[1], threading.current_thread().name))
        return multiply(x, y)

    # What making the triple takes goes by another name.
    monkeypatch.setattr(arith, "ring", SimpleNamespace(matmul=counted))

    def job(p):
        x, y = p.share(np.ones((10, 4))), p.share(np.ones((4, 6)), owner=1)
        return p.reveal(arith.matmul(p.mesh, x, y, p.triples)), threading.current_thread().name

    results = compute(parties, job)
    for product, thread in results:
        assert np.abs(product - 4).max() < 1e-5
        mine = sum(count for count, name in done if name == thread)
        assert 240 + 24 * (10 // parties) <= mine <= 240 + 24 * -(-10 // parties)
    assert sum(count for count, _ in done) == 240 * (parties + 1)


def test_many_products_of_any_shapes_take_one_round():
    a, b, c = rng.normal(size=(3, 4)), rng.normal(size=4), rng.normal(size=())

    def job(p):
        mesh = recorded(p.mesh)
        x, y, z = p.share(a), p.share(b), p.share(c)
        found = arith.products(mesh, [(x, y), (y, y), (z, x)], p.triples)
        return [p.reveal(each) for each in found], len(mesh.channel(mesh.peers[0]).came)

    for results, rounds in compute(2, job):
        assert rounds == 1
        for found, wanted in zip(results, [a * b, b * b, c * a], strict=True):
            assert found.shape == wanted.shape
            assert np.abs(found - wanted).max() < 1e-5


def test_nothing_times_nothing():
    def job(p):
        empty = p.share(np.empty((0, 3)))
        assert arith.products(p.mesh, [], p.triples) == []
        return [
            p.reveal(arith.mul(p.mesh, empty, empty, p.triples)).shape,
            p.reveal(arith.truncate(p.mesh, empty, 5, p.triples)).shape,
            p.reveal(arith.matmul(p.mesh, empty, p.share(np.ones((3, 2))), p.triples)).shape,
            p.reveal(arith.matmul(p.mesh, empty, held(p, (3, 2)), p.triples)).shape,
            p.reveal(
                arith.matmul(p.mesh, p.share(np.ones((4, 0))), held(p, (0, 2)), p.triples)
            ).shape,
        ]

    def held(p, shape):
        return arith.factor(p.mesh, p.share(np.ones(shape)), p.triples)

    assert compute(2, job) == [[(0, 3), (0, 3), (0, 2), (0, 2), (4, 2)]] * 2


# --- truncation ----------------------------------------------------------------------------------


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize("shift", [1, 20, 40, 61])
@pytest.mark.usefixtures("backend")
def test_truncation_is_off_by_less_than_a_unit(parties, shift):
    edges = np.array([0, 1, -1, 2**shift, -(2**shift), 2**shift - 1, LARGEST, -LARGEST])
    x = np.concatenate([edges, rng.integers(-LARGEST, LARGEST, 2000), rng.integers(-99, 99, 200)])

    def job(p):
        held = p.share(x, fraction_bits=0)
        scaled = sharing.Share(held.words, held.party, held.parties, 62)
        return arith.truncate(p.mesh, scaled, 62 - shift, p.triples).words

    words = sum(compute(parties, job))
    off = words.view(np.int64) - (x >> shift)  # floor, or one more
    assert set(off.tolist()) <= {0, 1}


def test_the_error_of_truncation_is_unbiased():
    """Up as often as the fraction says, so that errors of many products cancel."""
    fraction, count = 0.3, 20_000
    x = np.full(count, round((5 + fraction) * 2**20))

    def job(p):
        held = p.share(x, fraction_bits=0)
        scaled = sharing.Share(held.words, held.party, held.parties, 20)
        return p.reveal(arith.truncate(p.mesh, scaled, 0, p.triples))

    rounded_up = (compute(2, job)[0] == 6).sum()
    deviation = np.sqrt(count * fraction * (1 - fraction))
    assert abs(rounded_up - count * fraction) < 6 * deviation


def test_a_million_large_products_and_none_wildly_wrong():
    """The local truncation of others is: 222 of a million products of this size."""
    count, bits = 10**6, 20
    x, y = rng.uniform(-900, 900, count), rng.uniform(-900, 900, count)

    def job(p):
        product = arith.mul(p.mesh, p.share(x), p.share(y, owner=1), p.triples)
        return p.reveal(arith.truncate(p.mesh, product, bits, p.triples))

    rounded = np.rint(x * 2**bits) * np.rint(y * 2**bits) / 4.0**bits
    assert np.abs(compute(2, job)[0] - rounded).max() <= 2.0**-bits * 1.001


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize(("x_bits", "y_bits"), [(24, 24), (0, 24), (28, 28), (31, 30)])
@pytest.mark.usefixtures("backend")
def test_products_of_numbers_of_32_bits_keep_32_bits(parties, x_bits, y_bits):
    """As central banks' rules ask for: whole numbers up to 2^31, or 24 fraction bits and more."""
    ends = np.array([2**31, -(2**31), 2**31 - 1, 2**31 + 1, -(2**31) + 1, 1, -1, 0])
    x = np.concatenate([ends, rng.integers(-(2**31), 2**31, 500)])
    y = np.concatenate([np.full(8, 2**30 - 1), rng.integers(-(2**30), 2**30, 500)])

    def job(p):
        left = p.share(np.ldexp(x, -x_bits), fraction_bits=x_bits)
        right = p.share(np.ldexp(y, -y_bits), owner=1, fraction_bits=y_bits)
        product = arith.mul(p.mesh, left, right, p.triples)
        return p.reveal(arith.truncate(p.mesh, product, x_bits + y_bits - 24, p.triples))

    exact = [int(a) * int(b) for a, b in zip(x, y, strict=True)]
    for found in compute(parties, job):
        units = np.ldexp(found, x_bits + y_bits - 24).tolist()
        for unit, product in zip(units, exact, strict=True):
            # A unit of the result: of a product of 2^56 or more a 2^-32nd part at most.
            assert abs(int(unit) * 2**24 - product) < 2**24


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.integers(0, 20))
def test_truncated_values_stay_what_they_were(values, bits):
    def job(p):
        return p.reveal(arith.truncate(p.mesh, p.share(values), bits, p.triples))

    assert np.abs(compute(2, job)[0] - np.array(values)).max() <= 2.0**-bits + 2.0**-20


def test_values_just_below_whole_numbers_are_not_off_by_one():
    x = np.array([-1 - 2.0**-20, -1 + 2.0**-20, -(2.0**-20), 2.0**-20, 1 - 2.0**-20])
    assert compute(2, lambda p: p.reveal(p.share(x)))[0].tolist() == x.tolist()


# --- sharing and revealing -----------------------------------------------------------------------


@pytest.mark.parametrize("parties", PARTIES)
def test_only_one_party_gets_what_is_revealed_to_it(parties):
    def job(p):
        return arith.reveal(p.mesh, p.share([1.5, -2.0]), to="p1")

    found = compute(parties, job)
    assert found[1].tolist() == [1.5, -2.0]
    assert found[:1] + found[2:] == [None] * (parties - 1)


def test_sharing_sends_nothing_and_shares_are_uniform():
    def job(p):
        mesh = recorded(p.mesh)
        held = p.share(np.zeros(4000), owner=1)
        return held.words.tobytes(), [mesh.channel(name).came for name in mesh.peers]

    for words, came in compute(3, job):
        assert looks_uniform(words)
        assert came == [[], []]


@pytest.mark.parametrize("parties", PARTIES)
def test_zero_shares_add_up_to_zero_and_each_is_uniform(parties):
    found = compute(parties, lambda p: (p.seeds.zero(2000), p.seeds.zero_bits((2000,))))
    assert not np.any(sum(zeros for zeros, _ in found))
    assert not np.any(np.bitwise_xor.reduce([bits for _, bits in found]))
    for zeros, bits in found:
        assert looks_uniform(zeros.tobytes())
        assert looks_uniform(bits.tobytes())


def test_who_gives_what_is_checked():
    def job(p):
        with pytest.raises(ConfigError, match="just the owner"):
            p.seeds.share([1], owner="p0" if p.mesh.me == "p1" else "p1", shape=1)
        with pytest.raises(ConfigError, match="just the owner"):
            p.seeds.share(owner="nobody", shape=1)
        if p.mesh.me == "p0":
            with pytest.raises(DataError, match="the others expect"):
                p.seeds.share([1, 2], owner="p0", shape=3)
            for bad in (np.nan, np.inf):
                with pytest.raises(DataError):
                    p.seeds.share([bad], owner="p0", shape=1, fraction_bits=20)

    compute(2, job)
