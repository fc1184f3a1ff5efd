# SPDX-License-Identifier: Apache-2.0
"""Products of integers by fused multiply-adds, against Python integers, on any CPU with lanes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc import kernels

if kernels.backend() != "simd":
    pytest.skip("no simd kernels here", allow_module_level=True)

from numba import njit

from mpc.kernels import doubles
from mpc.kernels.lanes import address, emits, lanes, load, store

LIMB = (1 << 52) - 1
HALF = 1 << 51

# Around the ties of the rounding: products that are half of 2^52 away from its multiples.
edges = [0, 1, 2, HALF - 1, HALF, HALF + 1, LIMB - 1, LIMB, 1 << 26, (1 << 26) - 1, 3 << 25]
limbs = st.lists(st.one_of(st.integers(0, LIMB), st.sampled_from(edges)), min_size=8, max_size=8)


def _half(which):
    def emit(builder, x, y):
        return doubles.halves(builder, doubles.double(builder, x), doubles.double(builder, y))[
            which
        ]

    emit.__name__ = f"half_{which}"
    return emits(lanes, lanes, lanes)(emit)


low_half, high_half = _half(0), _half(1)


@emits(lanes, lanes, lanes)
def total(builder, x, y):
    return doubles.plus(builder, x, y)


@njit(error_model="numpy")
def run(out, x, y):
    a, b = load(address(x), 0), load(address(y), 0)
    store(address(out), 0, low_half(a, b))
    store(address(out), 8, high_half(a, b))
    store(address(out), 16, total(a, b))


def halves(x, y):
    out = np.zeros(24, np.int64)
    run(out.view(np.uint64), np.array(x, np.uint64), np.array(y, np.uint64))
    return [[int(value) for value in row] for row in out.reshape(3, 8)]


def is_exact(x, y):
    low, high, sums = halves(x, y)
    for a, b, least, most, both in zip(x, y, low, high, sums, strict=True):
        assert most << 52 == a * b - least
        assert -HALF <= least <= HALF
        assert both == a + b


@settings(max_examples=200, deadline=None)
@given(limbs, limbs)
def test_halves_make_the_product(x, y):
    is_exact(x, y)


@pytest.mark.parametrize("left", edges)
def test_edges(left):
    for first in (edges[:8], edges[3:]):
        is_exact([left] * 8, first)


def test_what_halves_begin_from():
    assert int(np.float64(3 << 51).view(np.uint64)) == doubles.LOW_ZERO
    assert int(np.float64(1 << 104).view(np.uint64)) == doubles.HIGH_ZERO
