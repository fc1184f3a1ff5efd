# SPDX-License-Identifier: Apache-2.0
"""The code: the same as its matrix written out, linear, dense enough, and with enough noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc import kernels
from mpc.kernels import aes
from mpc.primitives import lpn

SEED = bytes(range(16))
BACKENDS = ["portable"] + (["simd"] if kernels.backend() == "simd" else [])


def uint32s(keys: np.ndarray, first: int, count: int) -> list[int]:
    return aes.counter(keys, -(-count // 4), first).view(np.uint32).reshape(-1)[:count].tolist()


def matrix(length: int, seed: bytes) -> np.ndarray:
    """H = [I | B A A'] of the docstring as integers, from the seed, entry by entry."""
    rows = length // 2
    columns = length - rows
    keys = aes.schedules(aes.counter(aes.schedule(seed), 3))
    state = np.eye(columns, dtype=np.uint64)
    for turn in range(2):
        for i, tap in enumerate(uint32s(keys[turn], 0, columns)):
            for place in [i + 1 + k for k in range(24) if tap >> k & 1] + [i + 25]:
                state[place % columns] += state[i]
    b = np.zeros((rows, columns), np.uint64)
    for segment in range(21):
        first, last = columns * segment // 21, columns * (segment + 1) // 21
        for row, pick in enumerate(uint32s(keys[2], segment * -(-rows // 4), rows)):
            b[row, first + (pick * (last - first) >> 32)] += np.uint64(1)
    return np.concatenate([np.eye(rows, dtype=np.uint64), b @ state], axis=1)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("length", [64, 101, 178])
def test_it_is_its_matrix(length, backend):
    rng = np.random.default_rng(length)
    h = matrix(length, SEED)
    words = rng.integers(0, 2**64, length, dtype=np.uint64)
    blocks = rng.integers(0, 2**64, (length, 2), dtype=np.uint64)
    odd = (h & np.uint64(1)).astype(bool)
    with kernels.use(backend):
        modular = lpn.compress(words.copy(), length // 2, SEED, modular=True)
        xored = lpn.compress(words.copy(), length // 2, SEED)
        paired = lpn.compress(blocks.copy(), length // 2, SEED)
    assert np.array_equal(modular, h @ words)
    assert xored.tolist() == [np.bitwise_xor.reduce(words[row]) for row in odd]
    assert paired.tolist() == [np.bitwise_xor.reduce(blocks[row], axis=0).tolist() for row in odd]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.integers(60, 600), st.booleans())
def test_it_is_linear(seed, length, modular):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 2**64, (2, length), dtype=np.uint64)
    add = np.add if modular else np.bitwise_xor
    code = rng.bytes(16)

    def out(v):
        return lpn.compress(v.copy(), length // 2, code, modular=modular)

    assert np.array_equal(out(add(x, y)), add(out(x), out(y)))


def test_a_prefix_is_the_same_whatever_the_count():
    values = np.random.default_rng(1).integers(0, 2**64, (1000, 2), dtype=np.uint64)
    whole = lpn.compress(values.copy(), 500, SEED)
    assert np.array_equal(lpn.compress(values.copy(), 77, SEED), whole[:77])
    assert len(lpn.compress(values.copy(), 0, SEED)) == 0


def test_other_seeds_are_other_codes():
    values = np.random.default_rng(1).integers(0, 2**64, 1000, dtype=np.uint64)
    one = lpn.compress(values.copy(), 500, SEED)
    other = lpn.compress(values.copy(), 500, bytes(16))
    assert not np.any(one == other)


def test_no_row_or_sum_of_two_rows_is_light():
    """The pseudo-distance that the number of points rests on, at a size where rows can be seen."""
    h = matrix(2000, SEED) & np.uint64(1)
    assert h.sum(axis=1).min() >= lpn.PSEUDO_DISTANCE * 2000
    rng = np.random.default_rng(0)
    for _ in range(20):
        pairs = rng.integers(0, 1000, (500, 2))
        sums = h[pairs[:, 0]] ^ h[pairs[:, 1]]
        assert sums[pairs[:, 0] != pairs[:, 1]].sum(axis=1).min() >= lpn.PSEUDO_DISTANCE * 2000


@pytest.mark.parametrize(("bits", "points"), [(1, 174), (64, 398), (128, 398)])
def test_the_number_of_points(bits, points):
    assert lpn.points(bits) == points
    bias = (1 - 2 * 0.2 if bits == 1 else 1 - 0.2) ** points
    assert math.log2(bias) <= -128
    # Interleaved instances: linear algebra on the bits of values must leave enough points.
    assert bits == 1 or points - bits >= 128


@pytest.mark.parametrize("bits", [1, 64, 128])
@pytest.mark.parametrize("count", [1, 2, 2784, 2785, 6368, 10**5, 1_363_149, 10**7])
def test_the_noise_is_long_enough_and_not_much_longer(count, bits):
    noise = lpn.noise(count, bits)
    assert noise.outputs >= count
    assert noise.block >= 32
    assert noise.length == noise.points * noise.block
    least = max(2 * count, 32 * noise.points)
    assert noise.length <= least * (1 + 1 / 32) + 64 * noise.points / 32


def test_values_span_the_whole_field():
    """With no more points than bits all outputs would lie in a proper subspace, plainly visible."""
    rng = np.random.default_rng(3)
    noise = lpn.noise(5000, 128)
    sparse = np.zeros((noise.length, 2), np.uint64)
    places = np.arange(noise.points) * noise.block + rng.integers(0, noise.block, noise.points)
    sparse[places] = rng.integers(0, 2**64, (noise.points, 2), dtype=np.uint64)
    out = lpn.compress(sparse, 300, SEED)
    basis: list[int] = []
    for low, high in out.tolist():
        value = low | high << 64
        for held in basis:
            value = min(value, value ^ held)
        if value:
            basis.append(value)
    assert len(basis) == 128


def test_what_it_refuses():
    with pytest.raises(ValueError, match="at least one bit"):
        lpn.points(0)
    with pytest.raises(ValueError, match="at least one value"):
        lpn.noise(0, 1)
    with pytest.raises(ValueError, match="out of 50"):
        lpn.compress(np.zeros(100, np.uint64), 51, SEED)
