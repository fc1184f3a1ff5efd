# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.primitives import rng
from mpc.testing import seeded


def test_keystream_is_aes_256_from_counter_zero() -> None:
    """Blocks 0 to 2 under the zero key: AESAVS (KAT of zeros), and GCM's test cases 13 and 14."""
    expected = (
        "dc95c078a2408989ad48a21492842087"
        "530f8afbc74536b9a963b4f1c4cb738b"
        "cea7403d4d606b6e074ec5d3baf39d18"
    )
    assert rng.Prg(bytes(32)).bytes(48).hex() == expected


@given(st.lists(st.integers(0, 50), max_size=6))
def test_a_generator_is_one_stream_however_it_is_read(cuts: list[int]) -> None:
    whole = seeded("stream").bytes(sum(cuts))
    stream = seeded("stream")
    assert b"".join(stream.bytes(cut) for cut in cuts) == whole


def test_labels_and_seeds_give_different_streams() -> None:
    seed = bytes(range(32))
    streams = {rng.derive(seed, label).bytes(16) for label in ("a", "b", "")}
    streams |= {rng.derive(bytes(32), "a").bytes(16), rng.Prg(seed).bytes(16)}
    assert len(streams) == 5


def test_a_seed_has_32_bytes_and_does_not_show() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        rng.Prg(bytes(16))
    assert repr(seeded("x")) == "Prg(<secret>)"


@pytest.mark.parametrize("shape", [0, 5, (2, 3), (), (0, 4)])
def test_words_have_the_shape_asked_for(shape: int | tuple[int, ...]) -> None:
    words = rng.uint64(seeded("words"), shape)
    assert words.dtype == np.uint64
    assert words.shape == (shape if isinstance(shape, tuple) else (shape,))
    words[...] = 0  # the caller's own memory


@pytest.mark.parametrize("bound", [1, 2, 3, 255, 256, 257, 1 << 64, (1 << 521) - 1])
def test_below_stays_below(bound: int) -> None:
    drawn = rng.below(seeded(f"below {bound}"), bound, 200)
    assert len(drawn) == 200
    assert all(0 <= value < bound for value in drawn)
    assert rng.below(rng.SYSTEM, bound, 0) == []


@pytest.mark.parametrize("bound", [2, 3, 200, 256, 257, 1 << 64, (1 << 64) + 1, (1 << 127) - 1])
@pytest.mark.parametrize("count", [0, 1, 300])
def test_packed_below_draws_the_same(bound: int, count: int) -> None:
    rows = rng.packed_below(seeded("packed"), bound, count)
    assert rows.shape == (count, ((bound - 1).bit_length() + 7) // 8)
    drawn = [int.from_bytes(row.tobytes(), "little") for row in rows]
    assert drawn == rng.below(seeded("packed"), bound, count)


def test_below_is_uniform() -> None:
    counts = np.bincount(rng.below(seeded("uniform"), 5, 50_000), minlength=5)
    # Chi-squared with 4 degrees of freedom is above 23.5 with probability 1e-4.
    assert ((counts - 10_000) ** 2 / 10_000).sum() < 23.5


def test_below_refuses_an_empty_range() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        rng.below(rng.SYSTEM, 0, 1)


def test_permutations_are_permutations_and_uniform() -> None:
    assert sorted(rng.permutation(rng.SYSTEM, 100).tolist()) == list(range(100))
    assert rng.permutation(rng.SYSTEM, 0).tolist() == []
    source = seeded("permutations")
    seen = [tuple(rng.permutation(source, 3).tolist()) for _ in range(6000)]
    counts = np.array([seen.count(order) for order in set(seen)])
    assert len(counts) == 6
    assert ((counts - 1000) ** 2 / 1000).sum() < 25.7  # chi-squared, 5 degrees, 1e-4
