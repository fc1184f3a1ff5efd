# SPDX-License-Identifier: Apache-2.0
"""Arithmetic on residues against that on Python's integers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mpc.kernels import rns
from mpc.primitives import residues
from mpc.primitives.rlwe import KEPT, PRIMES, T
from mpc.testing import seeded

SIZES = [8, 24, 13]


def edges(primes, count, size):
    """Random residues, among them all that are 0, 1, half a prime, one more and the largest."""
    out = residues.uniform(seeded(f"{primes}"), primes, count, size)
    for place, prime in enumerate(primes):
        out[0, place, :5] = 0, 1, prime // 2, prime // 2 + 1, prime - 1
    return out


def integers(values, primes):
    """Of residues (n, primes, size) the integers (n, size), by the Chinese remainder theorem."""
    product = math.prod(primes)
    parts = [product // prime * pow(product // prime, -1, prime) for prime in primes]
    return (values.astype(object) * np.array(parts)[:, None]).sum(axis=1) % product


def reduced(values, primes):
    """Residues (n, primes, size) of integers (n, size)."""
    return np.stack([values % prime for prime in primes], axis=1).astype(np.uint32)


def nearest(values, divisor):
    """Quotients rounded to the nearest integer, for an odd divisor."""
    return (2 * values + divisor) // (2 * divisor)


@pytest.mark.parametrize("size", SIZES)
def test_multiply_add(backend, size):
    total, x, y = (edges(PRIMES, 3, size) for _ in range(3))
    y = y[0]
    want = (total.astype(object) + x.astype(object) * y) % np.array(PRIMES)[:, None]
    assert np.array_equal(rns.multiply_add(total, x, y, PRIMES), want)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("source", "target"), [(T, PRIMES), (PRIMES[:KEPT], T), (T[::-1], PRIMES[:1])]
)
def test_scale_rounds_to_the_nearest(backend, source, target, size):
    values = edges(source, 3, size)
    scaled = nearest(integers(values, source) * math.prod(target), math.prod(source))
    assert np.array_equal(rns.scale(values, source, target), reduced(scaled, target))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("keep", [1, KEPT, 5, 6])
def test_rescale_divides_by_a_prime_at_a_time(backend, keep, size):
    values = edges(PRIMES, 3, size)
    whole = integers(values, PRIMES)
    for prime in PRIMES[: keep - 1 : -1]:
        whole = nearest(whole, prime)
    assert np.array_equal(rns.rescale(values, PRIMES, keep), reduced(whole, PRIMES[:keep]))
    exact = integers(values, PRIMES) - whole * math.prod(PRIMES[keep:])
    assert np.abs(exact).max() <= math.prod(PRIMES[keep:]) * 0.5000001


@pytest.mark.parametrize("bits", [97, 98, 120, 126, 127, 128])
def test_wide_integers(backend, bits):
    words = residues.below(seeded(bits), 2**32, 2 * 4 * 16).reshape(2, 4, 16)
    words[0, :, 0], words[0, :, 1] = 0, 2**32 - 1
    words[1, 3] = residues.below(seeded(bits), 2, 16) << 31
    whole = sum(words[:, i].astype(object) << 32 * i for i in range(3))
    whole = whole + (words[:, 3].astype(object) >> 128 - bits << 96)
    assert whole[0, 0] == 0
    assert whole[0, 1] == 2**bits - 1
    want = reduced(whole - 2 ** (bits - 1), PRIMES)
    assert np.array_equal(rns.wide(words, bits, PRIMES), want)


def test_small_integers():
    values = np.arange(-128, 128, dtype=np.int8).reshape(2, 128)
    assert np.array_equal(rns.small(values, PRIMES), reduced(values.astype(object), PRIMES))


def test_refusals():
    good = edges(PRIMES, 2, 8)
    words = np.zeros((2, 4, 8), np.uint32)
    refused = [
        lambda: rns.multiply_add(good, good, good, PRIMES),
        lambda: rns.multiply_add(good, good[:1], good[0], PRIMES),
        lambda: rns.multiply_add(good.astype(np.int64), good, good[0], PRIMES),
        lambda: rns.multiply_add(good, good, good[0], PRIMES[:5]),
        lambda: rns.scale(good, PRIMES, T),
        lambda: rns.scale(good[:, :2], PRIMES[:2], (1 << 29,)),
        lambda: rns.scale(good[:, :2], PRIMES[:2], PRIMES[1:]),
        lambda: rns.rescale(good, PRIMES, 0),
        lambda: rns.rescale(good, PRIMES, 7),
        lambda: rns.rescale(good[:, :2], (PRIMES[0], T[0]), 1),
        lambda: rns.rescale(good[:, :2], (T[0], T[0]), 1),
        lambda: rns.wide(words, 96, PRIMES),
        lambda: rns.wide(words, 129, PRIMES),
        lambda: rns.wide(words.astype(np.int64), 100, PRIMES),
        lambda: rns.wide(words[:, :1], 100, PRIMES),
    ]
    for refuse in refused:
        with pytest.raises(ValueError):
            refuse()
