# SPDX-License-Identifier: Apache-2.0
"""AES on vectors of blocks: FIPS 197 and NIST vectors, and simd equal to portable."""

from __future__ import annotations

import numpy as np
import pytest

from mpc import kernels
from mpc.kernels import aes
from mpc.primitives.rng import uint64
from mpc.testing import seeded

BACKENDS = ["portable"] + (["simd"] if kernels.backend() == "simd" else [])


def block(text: str) -> np.ndarray:
    return np.frombuffer(bytes.fromhex(text), np.uint64).reshape(-1, 2)


@pytest.fixture(params=BACKENDS)
def backend(request):
    with kernels.use(request.param):
        yield request.param


def both(function):
    """What ``function`` returns under each backend of this machine."""
    out = []
    for name in BACKENDS:
        with kernels.use(name):
            out.append(function())
    return out


def test_fips_197_example(backend):
    keys = aes.schedule(bytes.fromhex("000102030405060708090a0b0c0d0e0f"))
    out = aes.encrypt(keys, block("00112233445566778899aabbccddeeff"))
    assert out.tobytes().hex() == "69c4e0d86a7b0430d8cdb78070b4c55a"


def test_sp800_38a_ecb_and_last_round_key(backend):
    keys = aes.schedule(bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"))
    assert keys[10].tobytes().hex() == "d014f9a8c9ee2589e13f0cc8b6630ca6"  # FIPS 197, A.1
    out = aes.encrypt(
        keys, block("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")
    )
    assert out.tobytes().hex() == (
        "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf"
    )


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 15, 16, 17, 33, 200])
def test_backends_agree_on_every_mode(count):
    rng = seeded(f"aes{count}")
    x, t = uint64(rng, (count, 2)), uint64(rng, (count, 2))
    keys = aes.schedule(rng.bytes(16))
    for results in (
        both(lambda: aes.encrypt(keys, x)),
        both(lambda: aes.correlation_robust(keys, x)),
        both(lambda: aes.tweakable_circular(keys, x, t)),
        both(lambda: aes.counter(keys, count, first=7)),
        both(lambda: aes.schedules(x)),
        both(lambda: aes.expand_seeds(x, 5)),
    ):
        for result in results:
            assert np.array_equal(result, results[0])


def test_hashes_are_the_published_compositions(backend):
    rng = seeded("modes")
    keys, x, t = aes.schedule(rng.bytes(16)), uint64(rng, (9, 2)), uint64(rng, (9, 2))
    p = aes.encrypt(keys, x)
    assert np.array_equal(aes.correlation_robust(keys, x), p ^ x)
    assert np.array_equal(aes.tweakable_circular(keys, x, t), aes.encrypt(keys, p ^ t) ^ p)


def test_expand_seeds_is_counter_mode_per_seed(backend):
    seeds = uint64(seeded("seeds"), (6, 2))
    out = aes.expand_seeds(seeds, 3)
    for seed, row in zip(seeds, out, strict=True):
        assert np.array_equal(row, aes.counter(aes.schedule(seed.tobytes()), 3))


@pytest.mark.parametrize(
    ("trees", "width"), [(1, 1), (3, 1), (2, 2), (3, 4), (2, 8), (1, 6), (5, 64), (0, 4)]
)
def test_grow_is_the_two_permutations_with_sums(trees, width):
    rng = seeded(f"grow{trees},{width}")
    batches = -(-trees // 2)
    left, right = (aes.schedules(uint64(rng, (batches, 2))) for _ in range(2))
    parents = uint64(rng, (trees, width, 2))
    for children, sums in both(lambda: aes.grow(left, right, parents, 2)):
        for tree in range(trees):
            even, odd = (
                aes.correlation_robust(keys[tree // 2], parents[tree]) for keys in (left, right)
            )
            assert np.array_equal(children[tree, ::2], even)
            assert np.array_equal(children[tree, 1::2], odd)
        assert children.shape == (trees, 2 * width, 2)
        assert np.array_equal(sums[:, 0], np.bitwise_xor.reduce(children[:, ::2], axis=1))
        assert np.array_equal(sums[:, 1], np.bitwise_xor.reduce(children[:, 1::2], axis=1))


def test_wrong_shapes_are_refused():
    keys = aes.schedule(bytes(16))
    with pytest.raises(ValueError, match="16 bytes"):
        aes.schedule(bytes(15))
    with pytest.raises(ValueError, match="blocks are"):
        aes.encrypt(keys, np.zeros(4, np.uint64))
    with pytest.raises(ValueError, match="round keys"):
        aes.encrypt(keys[:10], np.zeros((1, 2), np.uint64))
    with pytest.raises(ValueError, match="tweaks"):
        aes.tweakable_circular(keys, np.zeros((1, 2), np.uint64), np.zeros((2, 2), np.uint64))
    with pytest.raises(ValueError, match="parents"):
        aes.grow(keys[None], keys[None], np.zeros((4, 2), np.uint64), 4)
    with pytest.raises(ValueError, match="round keys"):
        aes.grow(keys[None], keys[None], np.zeros((5, 1, 2), np.uint64), 4)
