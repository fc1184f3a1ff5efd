# SPDX-License-Identifier: Apache-2.0
"""Number-theoretic transforms against products of polynomials in plain integers."""

from __future__ import annotations

import gmpy2
import numpy as np
import pytest

from mpc.kernels import ntt_portable
from mpc.kernels.ntt import Transform, combine

# Those of the plaintexts of private lookup.
SLOTS = (6635521, 5308417)


def primes_below(bound, count, size):
    """The ``count`` largest that are 1 modulo 2 size."""
    candidates = range((bound - 2) // (2 * size) * 2 * size + 1, 1, -2 * size)
    primes = (prime for prime in candidates if gmpy2.is_prime(prime))
    return tuple(next(primes) for _ in range(count))


def drawn(transform, *shape, seed=0):
    bounds = transform.moduli[:, None]
    shape = (*shape, len(transform.primes), transform.size)
    return np.random.default_rng(seed).integers(0, bounds, shape, dtype=np.uint32)


def extremes(transform):
    """Polynomials all 0, all q - 1, and of both in turn, for a few periods."""
    places = np.arange(transform.size)
    picks = np.array([places < 0, places >= 0, *(places >> k & 1 for k in range(4))])
    return picks.astype(np.uint32)[:, None] * (transform.moduli[:, None] - 1)


def product(x, y, prime):
    """In Z_q[X] / (X^n + 1), term by term."""
    size = len(x)
    out = [0] * size
    for i, left in enumerate(x.tolist()):
        for k, right in enumerate(y.tolist()):
            sign = 1 if i + k < size else -1
            out[(i + k) % size] += sign * left * right
    return [value % prime for value in out]


@pytest.mark.parametrize("size", [8, 16, 64, 128])
@pytest.mark.parametrize("bits", [10, 23, 29, 30])
def test_a_product_of_slots_is_one_of_polynomials(backend, size, bits):
    bound = max(1 << bits, 8 * size)
    transform = Transform.of(primes_below(bound, 2 if bits > 10 else 1, size), size)
    left = np.concatenate([drawn(transform, 2), extremes(transform)])
    right = np.concatenate([drawn(transform, 2, seed=1), extremes(transform)])
    slots = transform.forward(left).astype(np.uint64) * transform.forward(right)
    found = transform.inverse((slots % transform.moduli[:, None]).astype(np.uint32))
    for row in range(len(left)):
        for limb, prime in enumerate(transform.primes):
            assert found[row, limb].tolist() == product(left[row, limb], right[row, limb], prime)


def test_slots_are_values_at_the_roots_in_reversed_order(backend):
    size, prime = 16, 97
    transform = Transform.of((prime,), size)
    root = int(transform.roots[0, 0, 0, size // 2])  # psi^1: 1 reversed is size / 2
    assert pow(root, size, prime) == prime - 1
    values = drawn(transform)
    for place, slot in enumerate(transform.forward(values)[0].tolist()):
        at = pow(root, 2 * int(f"{place:04b}"[::-1], 2) + 1, prime)
        assert slot == sum(c * pow(at, i, prime) for i, c in enumerate(values[0].tolist())) % prime


@pytest.mark.parametrize("size", [8, 32, 64, 128, 256, 4096, 8192])
def test_there_and_back(backend, size):
    transform = Transform.of(primes_below(1 << 30, 3, size), size)
    values = np.concatenate([drawn(transform, 2), extremes(transform)])
    kept = values.copy()
    slots = transform.forward(values)
    expected = ntt_portable.forward(values, transform)
    np.testing.assert_array_equal(slots, expected)
    np.testing.assert_array_equal(transform.inverse(slots), values)
    back = ntt_portable.inverse(values, transform)
    np.testing.assert_array_equal(transform.inverse(values), back)
    np.testing.assert_array_equal(values, kept)


def test_axes_before_the_primes_are_as_they_were(backend):
    transform = Transform.of(primes_below(1 << 29, 2, 16), 16)
    values = drawn(transform, 3, 4)
    slots = transform.forward(values)
    assert slots.shape == values.shape
    np.testing.assert_array_equal(slots[2, 1], transform.forward(values[2, 1]))
    np.testing.assert_array_equal(slots[:, ::2], transform.forward(values[:, ::2]))
    assert transform.forward(values[:0]).shape == (0, 4, 2, 16)
    assert transform.inverse(slots[:, :0]).shape == (3, 0, 2, 16)


def test_words_off_the_wire_are_as_good(backend):
    slots, ring = Transform.of(SLOTS, 64), Transform.of(primes_below(1 << 29, 2, 64), 64)
    plain, ciphertexts = drawn(slots, 2, 3), drawn(ring, 3, 2)

    def received(values):
        data = b"." + values.tobytes()
        return np.frombuffer(data, np.uint32, offset=1).reshape(values.shape)

    for way in (ring.forward, ring.inverse):
        np.testing.assert_array_equal(way(received(ciphertexts)), way(ciphertexts))
    np.testing.assert_array_equal(
        combine(received(plain), received(ciphertexts), slots, ring),
        combine(plain, ciphertexts, slots, ring),
    )


def combined(plain, ciphertexts, slots, ring):
    """``combine`` in whole integers, of polynomials whose products are taken term by term."""
    t1, t2 = slots.primes
    coefficients = slots.inverse(plain).astype(object)
    polynomials = ring.inverse(ciphertexts).astype(object)
    out = np.zeros((len(plain), *ciphertexts.shape[1:]), object)
    for block, term in np.ndindex(plain.shape[:2]):
        x1, x2 = coefficients[block, term]
        y = (x2 - x1) * pow(t1, -1, t2) % t2
        whole = x1 + t1 * np.where(y > t2 // 2, y - t2, y)
        assert np.all((whole - x1) % t1 == 0)
        assert np.all((whole - x2) % t2 == 0)
        assert np.all(abs(whole) <= t1 * t2 // 2 + t1)
        for poly, limb in np.ndindex(out.shape[1:3]):
            out[block, poly, limb] += product(
                whole, polynomials[term, poly, limb], ring.primes[limb]
            )
    bounds = np.array(ring.primes, object)[:, None]
    return ring.forward((out % bounds).astype(np.uint32))


@pytest.mark.parametrize("bits", [29, 30])
@pytest.mark.parametrize("size", [8, 64])
def test_combine_is_a_sum_of_products(backend, size, bits):
    slots = Transform.of(SLOTS, size)
    ring = Transform.of(primes_below(1 << bits, 3, size), size)
    plain = drawn(slots, 2, 3)
    plain[1, :2] = slots.moduli[:, None] - 1
    ciphertexts = drawn(ring, 3, 2, seed=1)
    found = combine(plain, ciphertexts, slots, ring)
    np.testing.assert_array_equal(found, combined(plain, ciphertexts, slots, ring))


@pytest.mark.parametrize("t", [(17, 97), (97, 17), (193, 1153)])
def test_combine_lifts_as_near_to_zero_as_said(backend, t):
    slots = Transform.of(t, 8)
    ring = Transform.of(primes_below(1 << 29, 2, 8), 8)
    # A constant polynomial has the same value in all slots: pairs of residues, one per block.
    pairs = np.stack(np.meshgrid(*(np.arange(min(p, 30)) for p in t)), axis=-1).reshape(-1, 2)
    pairs = np.concatenate([pairs, np.array(t) - 1 - pairs]).astype(np.uint32)
    plain = np.repeat(pairs[:, None, :, None], 8, axis=3)
    ones = np.ones((1, 1, 2, 8), np.uint32)
    found = combine(plain, ones, slots, ring)
    x1, x2 = pairs.astype(object).T
    y = (x2 - x1) * pow(t[0], -1, t[1]) % t[1]
    whole = x1 + t[0] * np.where(y > t[1] // 2, y - t[1], y)
    expected = whole[:, None] % np.array(ring.primes, object)
    assert np.all(found == expected[:, None, :, None])


@pytest.mark.parametrize("bits", [29, 30])
@pytest.mark.parametrize("terms", [0, 1, 15, 16, 17, 63, 64, 65, 131])
def test_combine_of_many_terms_at_their_most(backend, terms, bits):
    # Slots of ciphertexts q - 1, and of plaintexts too: those of -1 in each prime.
    slots = Transform.of(SLOTS, 64)
    ring = Transform.of(primes_below(1 << bits, 2, 64), 64)
    minus_one = np.broadcast_to((slots.moduli - 1)[:, None], (1, terms, 2, 64))
    ciphertexts = np.broadcast_to((ring.moduli - 1)[:, None], (terms, 2, 2, 64))
    found = combine(minus_one, ciphertexts, slots, ring)
    assert np.all(found == terms)


def test_combine_as_the_reference_does(backend):
    slots = Transform.of(SLOTS, 8192)
    ring = Transform.of(primes_below(1 << 29, 6, 8192), 8192)
    plain, ciphertexts = drawn(slots, 2, 3), drawn(ring, 3, 2, seed=1)
    expected = ntt_portable.combine(plain, ciphertexts, slots, ring)
    np.testing.assert_array_equal(combine(plain, ciphertexts, slots, ring), expected)


def test_combine_of_nothing(backend):
    slots, ring = Transform.of(SLOTS, 16), Transform.of(primes_below(1 << 29, 2, 16), 16)
    plain, ciphertexts = drawn(slots, 2, 3), drawn(ring, 3, 2)
    assert combine(plain[:0], ciphertexts, slots, ring).shape == (0, 2, 2, 16)
    assert combine(plain, ciphertexts[:, :0], slots, ring).shape == (2, 0, 2, 16)


@pytest.mark.parametrize(
    ("primes", "size"),
    [
        ((), 16),
        ((97,), 4),
        ((97,), 24),
        ((97,), 0),
        ((97,), -16),
        ((97,), 32),  # 1 modulo 32, not 64
        ((33,), 16),  # 3 * 11
        ((1,), 16),
        ((-31,), 16),
        ((97, 101), 16),
        (primes_below(1 << 31, 1, 16), 16),
    ],
)
def test_what_has_no_transform(primes, size):
    with pytest.raises(ValueError, match=r"transform|prime"):
        Transform.of(primes, size)


def test_a_transform_is_made_once():
    transform = Transform.of([97, 193], 16)
    assert Transform.of((97, 193), 16) is transform
    with pytest.raises(ValueError, match="read-only"):
        transform.roots[0, 0, 0, 0] = 1


@pytest.mark.parametrize("way", ["forward", "inverse"])
def test_what_is_not_transformed(way):
    transform = Transform.of((97, 193), 16)
    values = drawn(transform, 3)
    for wrong in (values.astype(np.uint64), values[:, :1], values[..., :8], values[0, 0], values.T):
        with pytest.raises(ValueError, match="polynomials"):
            getattr(transform, way)(wrong)


def test_what_is_not_combined():
    slots, ring = Transform.of((97, 193), 16), Transform.of(primes_below(1 << 29, 3, 16), 16)
    plain, ciphertexts = drawn(slots, 2, 4), drawn(ring, 4, 2)
    for wrong in (plain[0], plain[..., :8], plain.astype(np.int32), plain[:, :, :1]):
        with pytest.raises(ValueError, match="plaintexts"):
            combine(wrong, ciphertexts, slots, ring)
    for wrong in (
        ciphertexts[0],
        ciphertexts[:3],
        ciphertexts[:, :, :2],
        ciphertexts.astype(np.int64),
    ):
        with pytest.raises(ValueError, match="ciphertexts"):
            combine(plain, wrong, slots, ring)
    for t, others in (
        ((97, 97), ring),
        ((97,), ring),
        ((97, 193, 257), ring),
        (ring.primes, slots),
    ):
        with pytest.raises(ValueError, match="prime"):
            combine(plain, ciphertexts, Transform.of(t, 16), others)
    with pytest.raises(ValueError, match="size"):
        combine(plain, ciphertexts, Transform.of(SLOTS, 32), ring)
