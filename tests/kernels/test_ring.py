# SPDX-License-Identifier: Apache-2.0
"""Arithmetic modulo 2^64 against Python's integers, in both backends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc import kernels
from mpc.kernels import ring

BACKENDS = ["portable"] + (["simd"] if kernels.backend() == "simd" else [])
EDGES = np.array([0, 1, 2, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1], np.uint64)


@pytest.fixture(params=BACKENDS)
def backend(request):
    with kernels.use(request.param):
        yield request.param


def words(seed, *shape):
    """Random words, some of them edge values."""
    draw = np.random.default_rng(seed)
    out = draw.integers(0, 2**64, shape, dtype=np.uint64)
    return np.where(draw.random(shape) < 0.2, draw.choice(EDGES, shape), out)


def product(x, y):
    """The matrix product in Python's integers."""
    return ((x.astype(object) @ y.astype(object)) % 2**64).astype(np.uint64)


@pytest.mark.parametrize(
    ("rows", "inside", "columns"),
    [
        (1, 1, 1),
        (4, 16, 16),
        (5, 7, 17),
        (7, 257, 33),
        (8, 512, 15),
        (3, 20, 40),
        (40, 9, 4),
        (40, 9, 5),
        (0, 3, 9),
        (3, 0, 9),
        (9, 3, 0),
        (6, 0, 6),
    ],
)
def test_matrix_product(backend, rows, inside, columns):
    x, y = words(1, rows, inside), words(2, inside, columns)
    assert np.array_equal(ring.matmul(x, y), product(x, y).reshape(rows, columns))


def test_products_with_vectors(backend):
    x, v = words(1, 30, 13), words(2, 13)
    assert np.array_equal(ring.matmul(x, v), product(x, v))
    assert np.array_equal(ring.matmul(v, x.T), product(v, x.T))
    inner = ring.matmul(v, v)
    assert inner.shape == ()
    assert int(inner) == sum(int(a) * int(a) for a in v) % 2**64


def test_any_layout_and_read_only(backend):
    x, y = words(1, 20, 30), words(2, 30, 25)
    expected = product(x, y)
    for array in (x, y):
        array.flags.writeable = False
    assert np.array_equal(ring.matmul(np.asfortranarray(x), np.asfortranarray(y)), expected)
    assert np.array_equal(ring.matmul(x, y), expected)
    wide = np.repeat(x, 2, axis=1)[:, ::2]
    assert np.array_equal(ring.matmul(wide, y), expected)
    assert np.array_equal(ring.multiply_add(x, x, x.copy()), x + x * x)


def test_many_rows_over_threads():
    with kernels.use(threads=3):
        x, y = words(1, 3001, 40), words(2, 40, 20)
        assert np.array_equal(ring.matmul(x, y), x @ y)
        big = words(3, 3_000_001)
        assert np.array_equal(ring.multiply_add(big, big, big), big + big * big)


@pytest.mark.parametrize("shape", [(0,), (1,), (9,), (3, 5), (2, 3, 4)])
@pytest.mark.parametrize("leads", [False, True])
def test_beaver_step(backend, shape, leads):
    c, d, b, e, a = (words(seed, *shape) for seed in range(5))
    expected = c + d * b + e * a + (d * e if leads else np.zeros_like(d))
    got = ring.beaver(c, d, b, e, a, leads=leads)
    assert got.shape == shape
    assert np.array_equal(got, expected)
    assert np.array_equal(ring.multiply_add(c, d, b), c + d * b)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1), st.integers(0, 63))
def test_signed_shift(values, bits):
    x = np.array(values, np.int64).view(np.uint64)
    for name in BACKENDS:
        with kernels.use(name):
            assert ring.shift_signed(x, bits).view(np.int64).tolist() == [v >> bits for v in values]


def test_what_is_refused(backend):
    x = words(1, 3, 4)
    for wrong in (words(2, 3, 4), words(2, 3), words(2, 4, 2, 1)):
        with pytest.raises(ValueError, match="matrix product"):
            ring.matmul(x, wrong)
    with pytest.raises(ValueError, match="uint64"):
        ring.matmul(x.astype(np.int64), x.T)
    with pytest.raises(ValueError, match="shapes"):
        ring.multiply_add(x, x, x.T)
    with pytest.raises(ValueError, match="shapes"):
        ring.beaver(x, x, x, x, x[:2], leads=True)
    for bits in (-1, 64):
        with pytest.raises(ValueError, match="shift"):
            ring.shift_signed(x, bits)
