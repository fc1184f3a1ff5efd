# SPDX-License-Identifier: Apache-2.0
"""Comparisons, choices, order and conversions of shared numbers, against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc import kernels
from mpc.errors import ConfigError, KeyMismatch
from mpc.kernels import bits
from mpc.primitives import xor_sharing
from mpc.protocols import arith, boolean, compare, convert
from tests.protocols.computing import compute, recorded, views_are_uniform

PARTIES = [2, 3, 5]
BACKENDS = ["portable"] + (["simd"] if kernels.backend() == "simd" else [])
LARGEST = 2**62 - 1
EDGES = np.array([0, 1, -1, 2, -2, LARGEST, -LARGEST, 2**32, -(2**32), 2**32 - 1, 5, -5])
rng = np.random.default_rng(7)


@pytest.fixture(params=BACKENDS)
def backend(request):
    with kernels.use(request.param):
        yield request.param


def bits_of(p, x):
    return boolean.reveal(p.mesh, x).tolist()


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.usefixtures("backend")
def test_comparisons_at_every_pair_of_edges(parties):
    x, y = (each.reshape(-1) for each in np.meshgrid(EDGES, EDGES))

    def job(p):
        a, b = p.share(x, fraction_bits=0), p.share(y, owner=1, fraction_bits=0)
        return [
            bits_of(p, compare.less_than(p.mesh, a, b, p.triples)),
            bits_of(p, compare.equal(p.mesh, a, b, p.triples)),
            bits_of(p, compare.is_negative(p.mesh, a, p.triples)),
            bits_of(p, compare.less_than(p.mesh, a, 5, p.triples)),
            bits_of(p, compare.equal(p.mesh, a, -1, p.triples)),
        ]

    expected = [x < y, x == y, x < 0, x < 5, x == -1]
    for found in compute(parties, job):
        assert found == [each.astype(int).tolist() for each in expected]


def test_no_comparison_of_many_is_wrong():
    """Others were, silently, above 60,000 elements."""
    x, y = rng.normal(size=200_001), rng.normal(size=200_001)
    y[::7] = x[::7]

    def job(p):
        less = compare.less_than(p.mesh, p.share(x), p.share(y, owner=1), p.triples)
        return boolean.reveal(p.mesh, less)

    rounded = np.rint(x * 2**20) < np.rint(y * 2**20)
    assert (compute(2, job)[0] == rounded).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(-(2**62) + 1, 2**62 - 1), st.integers(-(2**62) + 1, 2**62 - 1))
def test_any_two_numbers(x, y):
    def job(p):
        a, b = p.share([x, y], fraction_bits=0), p.share([y, y], owner=1, fraction_bits=0)
        return bits_of(p, compare.less_than(p.mesh, a, b, p.triples)), bits_of(
            p, compare.equal(p.mesh, a, b, p.triples)
        )

    assert compute(2, job)[0] == ([int(x < y), 0], [int(x == y), 1])


@pytest.mark.parametrize("width", [1, 2, 5, 63, 64])
def test_equality_of_narrow_numbers(width):
    reach = min(2**width, 2**62) - 1
    x = np.array([0, 1, -1, reach, -reach, reach // 2])

    def job(p):
        found = compare.equal(p.mesh, p.share(x, fraction_bits=0), 0, p.triples, width=width)
        return bits_of(p, found)

    assert compute(2, job)[0] == (x == 0).astype(int).tolist()


@pytest.mark.parametrize("width", [1, 2, 5, 62])
def test_signs_of_narrow_numbers(width):
    reach = 2**width
    x = np.array([0, 1, -1, reach - 1, -reach, reach // 2, -(reach // 2)])

    def job(p):
        mesh, held = recorded(p.mesh), p.share(x, fraction_bits=0)
        found = compare.is_negative(mesh, held, p.triples, width=width)
        assert len(mesh.channel(mesh.peers[0]).came) == 1 + np.ceil(np.log2(width))
        return bits_of(p, found), bits_of(
            p, compare.less_than(p.mesh, held, 0, p.triples, width=width)
        )

    assert compute(2, job)[0] == ((x < 0).astype(int).tolist(),) * 2


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize("count", [1, 64, 70])
@pytest.mark.usefixtures("backend")
def test_choices(parties, count):
    x, y = rng.integers(-99, 99, (count, 3)), rng.integers(-99, 99, (count, 3))

    def job(p):
        a, b = p.share(x, fraction_bits=0), p.share(y, owner=1, fraction_bits=0)
        less = compare.less_than(p.mesh, a[:, 0], b[:, 0], p.triples)
        return [
            p.reveal(compare.select(p.mesh, less, a, b, p.triples)).tolist(),
            p.reveal(compare.select(p.mesh, less, a[:, 1], 7, p.triples)).tolist(),
            p.reveal(compare.times_bit(p.mesh, less, a, p.triples)).tolist(),
        ]

    less = (x[:, 0] < y[:, 0])[:, None]
    chosen = [np.where(less, x, y), np.where(less[:, 0], x[:, 1], 7), np.where(less, x, 0)]
    for found in compute(parties, job):
        assert found == [each.tolist() for each in chosen]


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize("k", [1, 2, 3, 8, 11])
def test_order(parties, k):
    x = rng.integers(-3, 3, (9, k))  # with many equal ones

    def job(p):
        a = p.share(x, fraction_bits=0)
        return [
            p.reveal(verb(p.mesh, a, p.triples)).tolist()
            for verb in (compare.maximum, compare.argmax, compare.ranks, compare.sort)
        ]

    ranks = x.argsort(axis=1, kind="stable").argsort(axis=1)
    expected = [x.max(axis=1), x.argmax(axis=1), ranks, np.sort(x, axis=1)]
    for found in compute(parties, job):
        assert found == [each.tolist() for each in expected]


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize(("k", "columns"), [(1, 1), (1, 4), (2, 5), (3, 3), (4, 9)])
def test_the_largest_few(parties, k, columns):
    x = rng.integers(-3, 3, (9, columns))  # with many equal ones

    def job(p):
        values, places = compare.top_k(p.mesh, p.share(x, fraction_bits=0), k, p.triples)
        only = compare.top_places(p.mesh, p.share(x, fraction_bits=0), k, p.triples)
        assert (values.shape, places.count) == ((9, k), 9 * k * columns)
        found = [boolean.reveal(p.mesh, each).reshape(9, k, columns) for each in (places, only)]
        return p.reveal(values).tolist(), *(each.tolist() for each in found)

    order = np.argsort(-x, axis=1, kind="stable")[:, :k]
    where = np.arange(columns) == order[:, :, None]
    expected = (np.take_along_axis(x, order, axis=1).tolist(), *[where.astype(int).tolist()] * 2)
    for found in compute(parties, job):
        assert found == expected


def test_the_largest_few_take_fewer_correlations_than_an_order_of_all():
    """Of 16 columns two are placed, and not 16."""

    def drawn(verb):
        def job(p):
            verb(p, p.share(np.arange(32.0).reshape(2, 16)))
            return {type(kind).__name__: kind.count for kind in p.triples.drawn}

        return compute(2, job)[0]

    few = drawn(lambda p, x: compare.top_k(p.mesh, x, 2, p.triples))
    whole = drawn(lambda p, x: compare.sort(p.mesh, x, p.triples))
    assert few["Selections"] <= whole["Selections"] // 8
    assert sum(few.values()) < sum(whole.values()) // 2


def test_nothing_to_take_the_largest_of():
    def job(p):
        values, places = compare.top_k(p.mesh, p.share(np.empty((0, 3))), 2, p.triples)
        return p.reveal(values).reshape(-1).tolist(), places.count

    assert compute(2, job) == [([], 0)] * 2


def test_order_of_real_numbers_keeps_their_scale():
    x = rng.normal(size=(2, 3, 4))

    def job(p):
        a = p.share(x)
        largest = compare.maximum(p.mesh, a, p.triples)
        place = compare.argmax(p.mesh, a, p.triples)
        assert (largest.fraction_bits, place.fraction_bits) == (20, 0)
        return p.reveal(largest), p.reveal(place)

    largest, place = compute(2, job)[0]
    assert np.abs(largest - x.max(axis=2)).max() < 2.0**-20
    assert place.tolist() == x.argmax(axis=2).tolist()


@pytest.mark.parametrize("k", [1, 2, 5])
def test_the_largest_of_one_row(k):
    x = rng.integers(-99, 99, k)

    def job(p):
        a = p.share(x, fraction_bits=0)
        found = [verb(p.mesh, a, p.triples) for verb in (compare.maximum, compare.argmax)]
        assert [each.shape for each in found] == [(), ()]
        return [int(p.reveal(each)) for each in found]

    assert compute(2, job) == [[x.max(), x.argmax()]] * 2


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.usefixtures("backend")
def test_conversions(parties):
    x = np.concatenate([EDGES, [2**63 - 1, -(2**63)], rng.integers(-99, 99, 60)])

    def job(p):
        planes = convert.to_planes(p.mesh, p.share(x, fraction_bits=0), p.triples)
        low = convert.from_planes(p.mesh, planes[:5], p.triples)
        whole = convert.from_planes(p.mesh, planes, p.triples, fraction_bits=3)
        ones = convert.to_number(p.mesh, planes[:3], p.triples)
        return [
            boolean.reveal(p.mesh, planes).tolist(),
            p.reveal(low).tolist(),
            p.reveal(whole).tolist(),
            p.reveal(ones).tolist(),
        ]

    plain = bits.unpack(bits.planes(x.view(np.uint64)), len(x))
    expected = [plain, x & 31, x / 8, plain[:3]]
    for found in compute(parties, job):
        assert found == [each.tolist() for each in expected]


def test_nothing_to_compare():
    def job(p):
        none = p.share(np.empty(0))
        less = compare.less_than(p.mesh, none, none, p.triples)
        assert bits_of(p, less) == bits_of(p, compare.equal(p.mesh, none, none, p.triples)) == []
        chosen = compare.select(p.mesh, less, none, none, p.triples)
        assert p.reveal(chosen).tolist() == []
        assert p.reveal(convert.to_number(p.mesh, less, p.triples)).tolist() == []

    compute(2, job)


def test_rounds_are_what_the_table_says():
    x = rng.normal(size=(3, 8))

    def job(p):
        mesh = recorded(p.mesh)
        came, a = mesh.channel(mesh.peers[0]).came, p.share(x)
        counts = []
        for verb in (
            lambda: compare.is_negative(mesh, a, p.triples),
            lambda: compare.equal(mesh, a, 0.0, p.triples),
            lambda: compare.equal(mesh, a, 0.0, p.triples, width=4),
            lambda: compare.maximum(mesh, a, p.triples),
            lambda: compare.ranks(mesh, a, p.triples),
            lambda: compare.sort(mesh, a, p.triples),
            lambda: compare.top_k(mesh, a, 2, p.triples),
            lambda: convert.to_planes(mesh, a, p.triples),
        ):
            before = len(came)
            verb()
            counts.append(len(came) - before)
        return counts

    assert compute(2, job)[0] == [7, 7, 3, 24, 8, 12, 12, 7]


def test_a_million_comparisons_take_less_than_110_megabytes():
    count = 1 << 16

    def job(p):
        mesh = recorded(p.mesh)
        compare.is_negative(mesh, p.share(np.ones(count)), p.triples)
        (name,) = mesh.peers
        return sum(message.ByteSize() for message in mesh.channel(name).came)

    both_ways = sum(compute(2, job))
    assert both_ways / count * 10**6 < 110e6


def test_what_does_not_fit_is_refused():
    def job(p):
        x = p.share(np.ones((4, 2)))
        less = compare.is_negative(p.mesh, x[:, 0], p.triples)
        for bad in (
            lambda: compare.equal(p.mesh, x, 0, p.triples, width=0),
            lambda: compare.equal(p.mesh, x, 0, p.triples, width=65),
            lambda: compare.is_negative(p.mesh, x, p.triples, width=0),
            lambda: compare.is_negative(p.mesh, x, p.triples, width=64),
            lambda: compare.times_bit(p.mesh, less, x[:3], p.triples),
            lambda: compare.ranks(p.mesh, x[0], p.triples),
            lambda: compare.top_k(p.mesh, x, 0, p.triples),
            lambda: compare.top_k(p.mesh, x, 3, p.triples),
            lambda: compare.top_k(p.mesh, x[0], 1, p.triples),
            lambda: compare.maximum(p.mesh, x[:, :0], p.triples),
            lambda: compare.maximum(p.mesh, x[0, 0], p.triples),
            lambda: compare.argmax(p.mesh, x[:, :0], p.triples),
            lambda: compare.argmax(p.mesh, x[0, 0], p.triples),
            lambda: convert.from_planes(p.mesh, less, p.triples),
        ):
            with pytest.raises(ConfigError):
                bad()
        foreign = xor_sharing.split(np.ones(4, np.uint8), 3)[0]
        with pytest.raises(KeyMismatch):
            compare.times_bit(p.mesh, foreign, x, p.triples)

    compute(2, job)


@pytest.mark.parametrize("parties", [2, 3])
def test_views_are_uniform_whatever_the_inputs(parties):
    def job(p):
        x = p.share(np.zeros(64))
        less = compare.is_negative(p.mesh, x, p.triples)
        compare.select(p.mesh, less, x, x, p.triples)
        compare.equal(p.mesh, x, 0, p.triples)
        convert.to_number(p.mesh, less, p.triples)

    assert views_are_uniform(parties, job, seeds=4)


@pytest.mark.parametrize("parties", [2, 3])
@pytest.mark.parametrize("name", ["maximum", "argmax", "ranks", "sort", "top_k"])
def test_views_of_an_order_are_uniform(parties, name):
    rows, count = np.tile([3.0, -1.0, 3.0, 0.0, 2.0], (64, 1)), [2] if name == "top_k" else []

    def job(p):
        getattr(compare, name)(p.mesh, p.share(rows), *count, p.triples)

    assert views_are_uniform(parties, job, seeds=3)


@pytest.mark.parametrize("parties", [2, 3])
def test_views_of_conversions_are_uniform(parties):
    def job(p):
        planes = convert.to_planes(p.mesh, p.share(np.full(128, -1.0)), p.triples)
        convert.from_planes(p.mesh, planes, p.triples)

    assert views_are_uniform(parties, job, seeds=3)


@pytest.mark.parametrize("width", [1, 3, 7])
def test_narrow_numbers_are_opened_uniform_modulo_their_width(width):
    def job(p):
        mesh, x = recorded(p.mesh), p.share(np.full(6000, -1), fraction_bits=0)
        compare.is_negative(mesh, x, p.triples, width=width)
        first = mesh.channel(mesh.peers[0]).came[0].words
        assert first.width == 1
        return first.data

    counts = np.bincount(np.frombuffer(compute(2, job)[0], np.uint8))
    assert len(counts) == 2 ** (width + 1)
    expected = 6000 / len(counts)
    spread = np.sqrt(2 * (len(counts) - 1))
    assert ((counts - expected) ** 2 / expected).sum() < len(counts) - 1 + 6 * spread


def test_a_score_above_a_threshold_ends_in_one_bit():
    """Comparison, conversion and arithmetic together, as a decision uses them."""
    x, w = rng.normal(size=(6, 4)), rng.normal(size=4)

    def job(p):
        logit = arith.matmul(p.mesh, p.share(x), p.share(w, owner=1), p.triples)
        high = compare.less_than(p.mesh, logit, 0.25, p.triples)
        return bits_of(p, ~high)

    assert compute(3, job)[0] == (x @ w >= 0.25).astype(int).tolist()
