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

from numba import cfunc, njit, types

from mpc.kernels import doubles
from mpc.kernels.compiled import call
from mpc.kernels.lanes import (
    address,
    by_halves,
    emits,
    lanes,
    load,
    read,
    splat,
    store,
    write,
)

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
    return by_halves(builder, [x, y], lambda half: doubles.plus(builder, *half))


@emits(types.none, *[types.intp] * 3)
def put_truncated(builder, out, x, y):
    factors = (doubles.double(builder, read(builder, place, 0)) for place in (x, y))
    zeros = doubles.LOW_ZERO, doubles.HIGH_ZERO
    for row, half in enumerate(doubles.truncated(builder, *factors)):
        write(builder, out, 8 * row, builder.sub(half, splat(zeros[row])))


@cfunc(types.void(*[types.intp] * 3))
def truncate(out, x, y):
    put_truncated(out, x, y)


@emits(types.none, *[types.intp] * 4)
def call_at(builder, at, out, x, y):
    call(builder, at, [out, x, y])


@njit
def run_down(at, out, x, y):
    call_at(at, address(out), address(x), address(y))


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


@settings(max_examples=200, deadline=None)
@given(limbs, limbs)
def test_rounding_down_leaves_nothing_negative(x, y):
    out = np.zeros(16, np.uint64)
    run_down(truncate.address, out, np.array(x, np.uint64), np.array(y, np.uint64))
    low, high = ([int(value) for value in row] for row in out.reshape(2, 8))
    for a, b, least, most in zip(x, y, low, high, strict=True):
        assert (most, least) == divmod(a * b, 1 << 52)
    # And then all is as it was: to the nearest, which is even.
    assert np.float64(2.0**53) + np.float64(3) == 2.0**53 + 4


def test_what_halves_begin_from():
    assert int(np.float64(1 << 52).view(np.uint64)) == doubles.LOW_ZERO
    assert int(np.float64(1 << 104).view(np.uint64)) == doubles.HIGH_ZERO
