# SPDX-License-Identifier: Apache-2.0
"""Each instruction on lanes against Python integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc import kernels

if kernels.backend() != "simd":
    pytest.skip("no simd kernels here", allow_module_level=True)

from numba import njit
from numba.core.errors import TypingError

from mpc.kernels import lanes
from mpc.kernels.lanes import address, broadcast, load, store

WORD = 1 << 64
LIMB = (1 << 52) - 1

words = st.lists(
    st.one_of(
        st.integers(0, WORD - 1), st.sampled_from([0, 1, LIMB, LIMB + 1, WORD - 1, WORD >> 1])
    ),
    min_size=8,
    max_size=8,
)


@njit(error_model="numpy")
def arithmetic(out, x, y, bits):
    to, a, b = address(out), load(address(x), 0), load(address(y), 0)
    store(to, 0, lanes.add(a, b))
    store(to, 8, lanes.sub(a, b))
    store(to, 16, lanes.bit_and(a, b))
    store(to, 24, lanes.bit_xor(a, b))
    store(to, 32, lanes.madd_low(b, a, b))
    store(to, 40, lanes.madd_high(b, a, b))
    store(to, 48, lanes.shift_right(a, bits))
    store(to, 56, lanes.shift_signed(a, bits))


@njit(error_model="numpy")
def choices(out, x, y):
    to, a, b = address(out), load(address(x), 0), load(address(y), 0)
    store(to, 0, lanes.equal(a, b))
    store(to, 8, lanes.select(lanes.sub(a, b), a, b))
    store(to, 16, lanes.zero())
    store(to, 24, broadcast(y[3]))


def run(kernel, rows, x, y, *rest):
    out = np.zeros(8 * rows, np.uint64)
    kernel(out, np.array(x, np.uint64), np.array(y, np.uint64), *rest)
    return [[int(word) for word in row] for row in out.reshape(rows, 8)]


@settings(max_examples=60, deadline=None)
@given(words, words, st.integers(0, 63))
def test_arithmetic(x, y, bits):
    signed = [a - WORD * (a >> 63) for a in x]
    products = [(a & LIMB) * (b & LIMB) for a, b in zip(x, y, strict=True)]
    pairs = list(zip(x, y, strict=True))
    assert run(arithmetic, 8, x, y, np.uint64(bits)) == [
        [(a + b) % WORD for a, b in pairs],
        [(a - b) % WORD for a, b in pairs],
        [a & b for a, b in pairs],
        [a ^ b for a, b in pairs],
        [(b + (p & LIMB)) % WORD for b, p in zip(y, products, strict=True)],
        [(b + (p >> 52)) % WORD for b, p in zip(y, products, strict=True)],
        [a >> bits for a in x],
        [(a >> bits) % WORD for a in signed],
    ]


@settings(max_examples=60, deadline=None)
@given(words, words)
def test_choices(x, y):
    pairs = list(zip(x, y, strict=True))
    assert run(choices, 4, x, y) == [
        [(WORD - 1) * (a == b) for a, b in pairs],
        [a if (a - b) % WORD >> 63 else b for a, b in pairs],
        [0] * 8,
        [y[3]] * 8,
    ]


@pytest.mark.parametrize("offset", range(8))
def test_unaligned_access(offset):
    array = np.arange(40, dtype=np.uint64)

    @njit
    def move(array, offset):
        store(address(array), 16 + offset, load(address(array), offset))

    move(array, offset)
    assert array[16 + offset : 24 + offset].tolist() == list(range(offset, offset + 8))


def test_views_with_gaps_have_no_address():
    @njit
    def begin(array):
        return address(array)

    array = np.zeros((4, 4), np.uint64)
    assert begin(array) == array.ctypes.data
    with pytest.raises(TypingError):
        begin(array[:, ::2])
