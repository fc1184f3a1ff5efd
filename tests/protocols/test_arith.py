# SPDX-License-Identifier: Apache-2.0
"""Arithmetic on shares against numpy, and what each party sees of it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc import kernels, testing
from mpc.errors import (
    ConfigError,
    CryptoError,
    DataError,
    EncodingOverflow,
    KeyMismatch,
    PeerClosed,
    ProtocolError,
)
from mpc.kernels import ring
from mpc.net.channel import Channel
from mpc.net.mesh import Mesh
from mpc.net.traced import Traced
from mpc.primitives import sharing
from mpc.protocols import arith, boolean, compare, opening, seeds
from mpc.protocols.triples import Products, Triples
from tests.protocols import link_kinds
from tests.protocols.computing import Ideal, Party, compute, looks_uniform, recorded, view

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


# --- faults --------------------------------------------------------------------------------------


def test_a_correlation_serves_once():
    def job(p):
        drawn = p.triples.draw(Products(3))
        drawn.take()
        with pytest.raises(CryptoError, match="serves once"):
            drawn.take()

    compute(2, job)


def test_shares_of_other_parties_are_refused():
    def job(p):
        foreign = sharing.split([1, 2], 4)[0]
        for verb in (
            lambda: arith.reveal(p.mesh, foreign),
            lambda: arith.mul(p.mesh, foreign, foreign, p.triples),
            lambda: arith.truncate(p.mesh, foreign, 0, p.triples),
        ):
            with pytest.raises(KeyMismatch):
                verb()

    compute(2, job)


def test_shapes_and_scales_are_checked_before_anything_is_sent():
    def job(p):
        x = p.share(np.ones((2, 3)))
        for bad in (
            lambda: arith.matmul(p.mesh, x, x, p.triples),
            lambda: arith.factor(p.mesh, x.reshape(1, 2, 3), p.triples),
            lambda: arith.mul(p.mesh, x, x.reshape(3, 2), p.triples),
            lambda: compare.less_than(p.mesh, x.reshape(-1), x[0], p.triples),
            lambda: arith.truncate(p.mesh, x, 21, p.triples),
            lambda: arith.truncate(p.mesh, x, -1, p.triples),
        ):
            with pytest.raises(ConfigError):
                bad()

    compute(2, job)


def test_a_scale_without_room_costs_no_triple():
    def job(p):
        mesh, x = recorded(p.mesh), p.share(np.ones((2, 2)), fraction_bits=40)
        held = arith.factor(p.mesh, x, p.triples)
        p.triples.drawn.clear()
        for bad in (
            lambda: arith.mul(mesh, x, x, p.triples),
            lambda: arith.products(mesh, [(x[:, 0], p.share([1.0])), (x, x)], p.triples),
            lambda: arith.square(mesh, x, p.triples),
            lambda: arith.matmul(mesh, x, x, p.triples),
            lambda: arith.matmul(mesh, x, held, p.triples),
        ):
            with pytest.raises(EncodingOverflow, match="80 fraction bits leave no room"):
                bad()
        return p.triples.drawn, mesh.channel(mesh.peers[0]).came

    assert compute(2, job) == [([], [])] * 2


def test_a_peer_at_another_step_is_named():
    def job(p):
        x = p.share([1.0])
        if p.mesh.me == "p0":
            return arith.square(p.mesh, x, p.triples)
        return arith.mul(p.mesh, x, x, p.triples)

    with pytest.raises(ProtocolError, match=r"p[01]: (is at the step|expected)"):
        compute(2, job)


def test_too_many_words_are_the_peers_fault():
    def job(p):
        return p.reveal(p.share(np.ones(3 if p.mesh.me == "p0" else 4)))

    with pytest.raises(ProtocolError, match=r"expected [34] elements, got [34]"):
        compute(2, job)


def test_half_a_seed_of_another_length_is_refused():
    def change(message):
        message.seed = message.seed[:-1]

    def role(mesh: Mesh):
        return seeds.agree(recorded(mesh, change) if mesh.me == "p1" else mesh)

    with pytest.raises(ProtocolError, match="p1: sent half a seed of 31 bytes"):
        testing.run_mesh({"p0": role, "p1": role})


@pytest.mark.parametrize("kind", link_kinds.KINDS)
def test_over_every_link(kind, tmp_path):
    x = rng.normal(size=300)

    def job(p):
        a = p.share(x)
        less = compare.is_negative(p.mesh, arith.square(p.mesh, a, p.triples) - 1.0, p.triples)
        return boolean.reveal(p.mesh, less).tolist()

    with link_kinds.KINDS[kind](tmp_path) as (left, right):
        ends = {"left": (left, "right"), "right": (right, "left")}

        def role(me):
            link, peer = ends[me]
            mesh = Mesh(me, ["left", "right"], {peer: Channel(link, timeout=60)})
            number = mesh.names.index(me)
            agreed = seeds.agree(mesh)
            return job(Party(mesh, agreed, Triples(Ideal(number, 2))))

        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(role, ends))
    assert found == [(x**2 < 1).astype(int).tolist()] * 2


@pytest.mark.parametrize("survivors", [1, 2])
def test_a_peer_that_dies_is_named(survivors):
    def job(p):
        x = p.share([1.0])
        if p.mesh.me == "p0":
            for name in p.mesh.peers:
                p.mesh.channel(name).close()
            return None
        with pytest.raises(PeerClosed) as died:
            arith.square(p.mesh, x, p.triples)
        return died.value.peer

    assert compute(1 + survivors, job) == [None, *["p0"] * survivors]


# --- what is seen --------------------------------------------------------------------------------


@pytest.mark.parametrize("parties", [2, 3])
def test_views_are_uniform_whatever_the_inputs(parties):
    def job(p):
        x, y = p.share(np.zeros(32)), p.share(np.full(32, -1.0))
        product = arith.mul(p.mesh, x, y, p.triples)
        arith.truncate(p.mesh, product, 20, p.triples)
        arith.square(p.mesh, x, p.triples)
        arith.matmul(p.mesh, x.reshape(8, 4), y.reshape(4, 8), p.triples)

    assert looks_uniform(view(parties, job, seeds=15))


def test_an_opening_without_its_mask_would_be_noticed():
    def job(p):
        opening.sums(p.mesh, "leak", [p.share(np.zeros(2000)).words])

    seen = view(2, job, seeds=3)
    assert looks_uniform(seen)  # one share alone is uniform ...

    def leak(p):
        opening.sums(p.mesh, "leak", [np.arange(2000, dtype=np.uint64)])

    assert not looks_uniform(view(2, leak, seeds=3))


def test_the_transcript_is_what_it_was():
    """Changes only with a commit that says why: rounds and bytes are what users pay."""

    def job(p):
        (name,) = p.mesh.peers
        traced = Traced(p.mesh.channel(name)._link)
        mesh = Mesh(p.mesh.me, p.mesh.names, {name: Channel(traced)})
        x, y = p.share(np.arange(8.0)), p.share(np.ones(8), owner=1)
        z = arith.truncate(mesh, arith.mul(mesh, x, y, p.triples), 20, p.triples)
        assert arith.reveal(mesh, z).round().tolist() == list(range(8))
        return traced.traffic, traced.digest().hex()[:16]

    left, right = compute(2, job)
    assert left[0] == right[0]
    assert (left[0].rounds, left[0].sent_messages, left[0].sent_bytes) == (3, 3, 358)
    assert left[1] == "706567caca8d36dc"
