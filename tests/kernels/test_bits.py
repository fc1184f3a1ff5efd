# SPDX-License-Identifier: Apache-2.0
"""Packed bits and planes against NumPy's own packing, in both backends."""

from __future__ import annotations

import numpy as np
import pytest

from mpc import kernels
from mpc.kernels import bits

BACKENDS = ["portable"] + (["simd"] if kernels.backend() == "simd" else [])
COUNTS = [0, 1, 2, 63, 64, 65, 128, 1000]


@pytest.fixture(params=BACKENDS)
def backend(request):
    with kernels.use(request.param):
        yield request.param


def words(seed, *shape):
    return np.random.default_rng(seed).integers(0, 2**64, shape, dtype=np.uint64)


@pytest.mark.parametrize("count", COUNTS)
def test_pack_and_unpack(backend, count):
    vector = np.random.default_rng(count).integers(0, 2, (3, count)).astype(np.uint8)
    packed = bits.pack(vector)
    assert packed.shape == (3, bits.words(count))
    assert np.array_equal(bits.unpack(packed, count), vector)
    for row, held in zip(vector, packed, strict=True):
        number = sum(int(bit) << i for i, bit in enumerate(row))
        assert number == sum(int(word) << 64 * i for i, word in enumerate(held))


@pytest.mark.parametrize("count", COUNTS)
def test_planes(backend, count):
    numbers = words(count, count)
    held = bits.planes(numbers)
    assert held.shape == (64, bits.words(count))
    for i in range(64):
        plane = (numbers >> np.uint64(i) & np.uint64(1)).astype(np.uint8)
        assert np.array_equal(bits.unpack(held[i], count), plane)
    assert np.array_equal(bits.from_planes(held, count), numbers)
    held.flags.writeable = False
    assert np.array_equal(bits.from_planes(held, count), numbers)


@pytest.mark.parametrize("shape", [(0,), (1,), (9,), (6, 5)])
@pytest.mark.parametrize("leads", [False, True])
def test_and_step(backend, shape, leads):
    c, d, b, e, a = (words(seed, *shape) for seed in range(5))
    expected = c ^ (d & b) ^ (e & a) ^ (d & e if leads else np.zeros_like(d))
    assert np.array_equal(bits.and_step(c, d, b, e, a, leads=leads), expected)


def test_planes_over_threads():
    with kernels.use(threads=3):
        numbers = words(1, 300_001)
        assert np.array_equal(bits.from_planes(bits.planes(numbers), len(numbers)), numbers)


def test_what_is_refused(backend):
    with pytest.raises(ValueError, match="uint8"):
        bits.pack(np.zeros(3, np.int64))
    with pytest.raises(ValueError, match="65 bits in 1 words"):
        bits.unpack(words(1, 1), 65)
    with pytest.raises(ValueError, match="uint64"):
        bits.unpack(np.zeros(1, np.int64), 1)
    with pytest.raises(ValueError, match="numbers are"):
        bits.planes(words(1, 2, 2))
    for planes, count in ((words(1, 63, 1), 1), (words(1, 64, 1), 65), (words(1, 64), 1)):
        with pytest.raises(ValueError, match="in planes"):
            bits.from_planes(planes, count)
    x = words(1, 4)
    with pytest.raises(ValueError, match="shapes"):
        bits.and_step(x, x, x, x, x[:2], leads=False)
