# SPDX-License-Identifier: Apache-2.0
"""Both backends of ristretto255 give the same elements, on random input and at the edges."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc import kernels
from mpc.errors import ConfigError
from mpc.kernels import ristretto
from mpc.kernels.ristretto import portable
from mpc.kernels.ristretto.constants import L, P

# The simd backend works on eight elements at a time or on one: both are tried at every count.
KINDS = ["eights", "ones"] if kernels.backend() == "simd" else []
BACKENDS = ["portable", *KINDS]
simd_only = pytest.mark.skipif(kernels.backend() != "simd", reason="needs the simd backend")

IDENTITY = bytes(32)
LOW_ORDER_COORDINATES = [0, 1, P - 1, 2**255 - 19, 2**255 - 18, 2**255 - 1, 2**256 - 1]


@pytest.fixture(params=BACKENDS)
def backend(request, monkeypatch):
    if request.param == "portable":
        with kernels.use("portable"):
            yield request.param
        return
    with kernels.use("simd"):
        force(monkeypatch, request.param)
        yield request.param


def force(monkeypatch, kind):
    from mpc.kernels.ristretto import field, multiples, simd

    like = field.EIGHTS if kind == "eights" else field.ONES
    for module in (simd, multiples):
        monkeypatch.setattr(module, "kind_for", lambda _count: like)
    monkeypatch.setattr(simd, "FEW_HASHES", 0 if kind == "eights" else simd.FEW_HASHES)


def rows(values, width=32):
    data = b"".join(v if isinstance(v, bytes) else v.to_bytes(width, "little") for v in values)
    return np.frombuffer(data, np.uint8).reshape(len(values), width)


def words(values):
    return rows(values).view(np.uint64)


def uniform(count, label=""):
    return rows([hashlib.sha512(f"{label}{i}".encode()).digest() for i in range(count)], 64)


def elements(count, label=""):
    return ristretto.one_way_map(uniform(count, label))


def texts(encodings):
    return [row.tobytes().hex() for row in encodings]


def layout(items):
    offsets = np.concatenate([[0], np.cumsum([len(i) for i in items])]).astype(np.int64)
    return np.frombuffer(b"".join(items), np.uint8), offsets


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 15, 16, 17, 33])
def test_every_fill_of_the_lanes_matches_the_reference(backend, count):
    scalars = words([(i * 7919**19 + 5) % L for i in range(count)])
    points = elements(count)
    encodings = portable.encode(portable.one_way_map(uniform(count)))
    assert texts(ristretto.encode(points)) == texts(encodings)
    decoded, valid = ristretto.decode(encodings)
    assert valid.all()
    assert valid.shape == (count,)
    other = portable.one_way_map(uniform(count, "other"))
    for got, want in [
        (decoded, portable.decode(encodings)[0]),
        (ristretto.add(points, other), portable.add(points, other)),
        (ristretto.negate(points), portable.negate(points)),
        (ristretto.mul(points, scalars), portable.mul(points, scalars)),
        (ristretto.mul(points, words([12345])), portable.mul(points, words([12345]))),
    ]:
        assert texts(portable.encode(got)) == texts(portable.encode(want))


@simd_only
@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 2**256 - 1), min_size=1, max_size=20))
def test_any_bytes_decode_alike(numbers):
    encodings = rows([n & (2**255 - 2) if i % 2 else n for i, n in enumerate(numbers)])
    want, want_valid = portable.decode(encodings)
    with kernels.use("simd"):
        got, got_valid = ristretto.decode(encodings)
    assert got_valid.tolist() == want_valid.tolist()
    assert texts(portable.encode(got)) == texts(portable.encode(want))


@simd_only
@settings(max_examples=25, deadline=None)
@given(st.lists(st.binary(min_size=64, max_size=64), min_size=1, max_size=9))
def test_any_bytes_map_alike(blocks):
    with kernels.use("simd"):
        got = ristretto.encode(ristretto.one_way_map(rows(blocks, 64)))
    assert texts(got) == texts(portable.encode(portable.one_way_map(rows(blocks, 64))))


def test_the_map_at_the_edges_of_the_field(backend):
    edges = [0, 1, 2, 18, 19, P - 1, P, P + 1, 2**255 - 1, 2**255, 2**256 - 1]
    data = rows([(a << 256) | b for a in edges for b in edges], 64)
    want = portable.encode(portable.one_way_map(data))
    assert texts(ristretto.encode(ristretto.one_way_map(data))) == texts(want)


@pytest.mark.parametrize(
    "number", [1, P - 1, P, P + 1, 2**255 - 1, 2**255, 2**256 - 38, 2**256 - 1]
)
def test_encodings_that_no_element_has(backend, number):
    good = ristretto.encode(elements(3))
    mixed = np.concatenate([good[:2], rows([number]), good[2:]])
    points, valid = ristretto.decode(mixed)
    assert valid.tolist() == [True, True, False, True]
    # What stands for the rejected one is the identity, and the others are untouched.
    assert texts(ristretto.encode(points)) == [*texts(good[:2]), IDENTITY.hex(), *texts(good[2:])]


def test_the_identity_is_an_element_like_any_other(backend):
    points, valid = ristretto.decode(rows([IDENTITY] * 3))
    assert valid.all()
    some = elements(3)
    assert texts(ristretto.encode(ristretto.add(points, some))) == texts(ristretto.encode(some))
    multiples = ristretto.mul(points, words([1, 5, L - 1]))
    assert texts(ristretto.encode(multiples)) == [IDENTITY.hex()] * 3
    nothing = ristretto.add(some, ristretto.negate(some))
    assert texts(ristretto.encode(nothing)) == [IDENTITY.hex()] * 3


@pytest.mark.parametrize(
    "scalar",
    [0, 1, 2, 7, 8, 9, 15, 16, 17, L - 1, L, L + 1, 2**252, 2**253 - 1, 8 * (16**63 - 1) // 15],
)
def test_scalars_at_the_edges_of_the_digits(backend, scalar):
    points = elements(9)
    want = portable.encode(portable.mul(points, words([scalar])))
    assert texts(ristretto.encode(ristretto.mul(points, words([scalar])))) == texts(want)
    assert texts(ristretto.encode(ristretto.mul(points, words([scalar] * 9)))) == texts(want)


def test_doubles_of_the_reference_are_sums():
    for point in portable._points(elements(5)):
        want = portable.encode_one(portable.add_two(point, point))
        assert portable.encode_one(portable.double(point)) == want


@simd_only
@pytest.mark.parametrize("kind", KINDS)
def test_one_double_of_the_lanes_is_a_sum(kind):
    """Multiplication doubles four times in a row, which hides a sign that is wrong in each."""
    from numba import njit

    from mpc.kernels.lanes import address
    from mpc.kernels.ristretto.edwards import doubled, extended
    from mpc.kernels.ristretto.field import EIGHTS, ONES, load_number, store_number

    @njit
    def double(words, like):
        at = address(words)
        x, y, z = load_number(at, 0, like), load_number(at, 1, like), load_number(at, 2, like)
        point = extended(doubled(x, y, z))
        store_number(at, 0, point[0])
        store_number(at, 1, point[1])
        store_number(at, 2, point[2])
        store_number(at, 3, point[3])

    points = elements(8)
    if kind == "eights":
        lanes = points.reshape(8, 16).T.copy().reshape(-1)
        double(lanes, EIGHTS)
        got = lanes.reshape(16, 8).T.copy().reshape(8, 4, 4)
    else:
        got = points.copy()
        for row in got:
            double(row.reshape(-1), ONES)
    assert texts(portable.encode(got)) == texts(portable.encode(portable.add(points, points)))


@simd_only
@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 2**253 - 1), min_size=1, max_size=9))
def test_any_scalars(scalars):
    points = elements(len(scalars))
    with kernels.use("simd"):
        got = ristretto.encode(ristretto.mul(points, words(scalars)))
    assert texts(got) == texts(portable.encode(portable.mul(points, words(scalars))))


def test_multiples_of_one_point_and_sums_match_the_reference(backend):
    edges = [0, 1, 7, 8, 9, 15, 16, L - 1, 2**252, 2**253 - 1, 8 * (16**63 - 1) // 15]
    scalars, point = words(edges), elements(1)
    table = ristretto.fixed_table(point)
    want = portable.mul(point.repeat(len(edges), axis=0), scalars)
    assert texts(ristretto.encode(ristretto.mul_fixed(table, scalars))) == texts(
        portable.encode(want)
    )
    points, bounds = elements(len(edges)), np.array([0, 0, 1, 5, len(edges)])
    found = ristretto.sums(points, scalars, bounds)
    assert texts(ristretto.encode(found)) == texts(
        portable.encode(portable.sums(points, scalars, bounds))
    )


NO_SCALARS, NO_POINTS = words([]), portable.one_way_map(uniform(0))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_sums_by_combs_match_the_reference(backend, count):
    """In both orders of known and decoded points, for odd and even numbers of both and of sums."""
    encodings = portable.encode(portable.one_way_map(uniform(4)))
    scalars = words([L - 1, 1, 2**252, int("7" * 63, 16), 2**253 - 1, 0, 8, L - 8])
    places = ((0,), (1, 2, 3), (), (2, 2), (3, 0))[: 2 * count - 1]
    scalars = scalars[: sum(map(len, places))]
    known = None
    if count < 3:
        _, known, _ = ristretto.comb_sums(None, encodings[:count], (), NO_SCALARS, NO_POINTS)
        encodings = encodings[count:]
    plus = portable.one_way_map(uniform(count))
    found, whole, valid = ristretto.comb_sums(known, encodings, places, scalars, plus)
    with kernels.use("portable"):
        points, _ = portable.decode(portable.encode(portable.one_way_map(uniform(4))))
        rows = [row for each in places for row in each]
        bounds = np.cumsum([0, *map(len, places)])
        sums = portable.sums(points[rows], scalars, bounds)
        sums[:count] = portable.add(sums[:count], plus)
        assert found.tobytes() == portable.encode(sums).tobytes()
    assert len(whole) == 4
    assert valid.all()
    assert len(valid) == len(encodings)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_identity_stands_for_what_sums_by_combs_cannot_decode(backend, place):
    encodings = portable.encode(portable.one_way_map(uniform(3)))
    encodings[place] = 0xFF
    found, _, valid = ristretto.comb_sums(
        None, encodings, ((0,), (1,), (2,)), words([5, 5, 5]), NO_POINTS
    )
    assert valid.tolist() == [row != place for row in range(3)]
    assert [row.tobytes() == IDENTITY for row in found] == [row == place for row in range(3)]


@pytest.mark.parametrize("places", [((2,),), ((-1,),), ((0, 1),), ()])
def test_sums_by_combs_of_points_that_are_not_there(backend, places):
    encodings = portable.encode(portable.one_way_map(uniform(2)))
    with pytest.raises(ConfigError):
        ristretto.comb_sums(None, encodings, places, words([1]), NO_POINTS)
    with pytest.raises(ConfigError):
        ristretto.comb_sums(None, encodings, ((0,),), words([1]), elements(2))


def test_other_representatives_of_an_element_encode_alike(backend):
    # Adding a point of order four or two changes the point, not the element (RFC 9496, section 1).
    sqrt_m1 = pow(2, (P - 1) // 4, P)
    torsion = [(0, P - 1), (sqrt_m1, 0), (P - sqrt_m1, 0)]
    for x, y in torsion:
        shift = words([x, y, 1, x * y % P]).reshape(1, 4, 4).repeat(5, axis=0)
        moved = ristretto.add(elements(5), shift)
        assert texts(ristretto.encode(moved)) == texts(ristretto.encode(elements(5)))


@pytest.mark.parametrize("dst", [b"d", b"D" * 45, b"D" * 46, b"D" * 255])
def test_expansion_over_all_lengths_of_items(backend, dst):
    items = [bytes(range(n % 256)) + bytes(n) for n in range(0, 150)] + [b"", b"x" * 1000]
    got = ristretto.expand(*layout(items), dst)
    assert [row.tobytes() for row in got] == [portable.expand_one(i, dst, 64) for i in items]


@pytest.mark.parametrize("tail", [b"", b"tail", b"t" * 200])
def test_digests_over_all_lengths_of_items(backend, tail):
    items = [bytes(range(n)) for n in range(256)] + [b"", b"x" * 1000, b"y"]
    got = ristretto.digests(*layout(items), tail)
    assert [row.tobytes() for row in got] == [hashlib.sha512(i + tail).digest() for i in items]
    assert ristretto.digests(*layout([])).shape == (0, 64)


def test_expansion_of_a_part_of_a_buffer(backend):
    data, offsets = layout([b"before", b"one", b"", b"three", b"after"])
    got = ristretto.expand(data, offsets[1:-1], b"tag")
    assert [r.tobytes() for r in got] == [
        portable.expand_one(i, b"tag", 64) for i in (b"one", b"", b"three")
    ]


def test_read_only_and_strided_arrays_are_taken(backend):
    encodings = ristretto.encode(elements(6))
    spread = np.zeros((12, 32), np.uint8)
    spread[::2] = encodings
    frozen = rows([row.tobytes() for row in encodings])
    assert not frozen.flags.writeable
    for view in (spread[::2], frozen):
        assert texts(ristretto.encode(ristretto.decode(view)[0])) == texts(encodings)
    backwards = ristretto.encode(elements(6)[::-1])
    assert texts(backwards) == texts(encodings)[::-1]


def test_threads_do_not_change_the_result(backend):
    count = 5 if backend == "portable" else 300
    data = uniform(count)
    with kernels.use(threads=1):
        want = ristretto.encode(ristretto.mul(ristretto.one_way_map(data), words([L - 3])))
    with kernels.use(threads=3):
        got = ristretto.encode(ristretto.mul(ristretto.one_way_map(data), words([L - 3])))
    assert texts(got) == texts(want)


def test_shapes_are_checked_before_the_kernels_read_memory(backend):
    points = elements(2)
    for call in (
        lambda: ristretto.decode(np.zeros((2, 31), np.uint8)),
        lambda: ristretto.decode(np.zeros((2, 32), np.uint64)),
        lambda: ristretto.encode(np.zeros((2, 4, 3), np.uint64)),
        lambda: ristretto.one_way_map(np.zeros((2, 32), np.uint8)),
        lambda: ristretto.add(points, points[:1]),
        lambda: ristretto.mul(points, np.zeros((3, 4), np.uint64)),
        lambda: ristretto.mul(points, np.zeros((2, 32), np.uint8)),
        lambda: ristretto.fixed_table(points),
        lambda: ristretto.sums(points, np.zeros((1, 4), np.uint64), np.array([0, 1])),
        lambda: ristretto.sums(points, np.zeros((2, 4), np.uint64), np.array([0, 3])),
        lambda: ristretto.sums(points, np.zeros((2, 4), np.uint64), np.array([0, 2, 1])),
        lambda: ristretto.sums(points, np.zeros((2, 4), np.uint64), np.array([], np.int64)),
        lambda: ristretto.expand(np.zeros(3, np.uint8), np.array([0, 4]), b"tag"),
        lambda: ristretto.expand(np.zeros(3, np.uint8), np.array([0, 2, 1]), b"tag"),
        lambda: ristretto.expand(np.zeros(3, np.uint8), np.array([-1, 2]), b"tag"),
        lambda: ristretto.expand(np.zeros(3, np.uint8), np.array([], np.int64), b"tag"),
        lambda: ristretto.expand(np.zeros(3, np.uint8), np.array([0, 3]), b""),
        lambda: ristretto.expand(np.zeros(3, np.uint8), np.array([0, 3]), b"t" * 256),
    ):
        with pytest.raises(ConfigError):
            call()
