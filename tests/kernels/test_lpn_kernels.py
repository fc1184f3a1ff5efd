# SPDX-License-Identifier: Apache-2.0
"""The halves of the code: both backends against a formula written place by place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc import kernels
from mpc.errors import ConfigError
from mpc.kernels import lpn

SIZES = [26, 27, 31, 32, 33, 35, 36, 37, 40, 41, 47, 48, 49, 50, 64, 100, 257]


def backends() -> list[str]:
    try:
        with kernels.use("simd"):
            pass
    except ConfigError:
        return ["portable"]
    return list(kernels.BACKENDS)


BACKENDS = backends()


def vector(rng: np.random.Generator, size: int, kind: str) -> np.ndarray:
    shape = (size, 2) if kind == "blocks" else (size,)
    return rng.integers(0, 2**64, shape, dtype=np.uint64)


def taps_of(rng: np.random.Generator, size: int) -> np.ndarray:
    return rng.integers(0, 2**32, size, dtype=np.uint32)


def slow_accumulate(values: np.ndarray, taps: np.ndarray, modular: bool) -> np.ndarray:
    out, size = values.copy(), len(values)
    for i in range(size):
        targets = [i + 1 + k for k in range(24) if int(taps[i]) >> k & 1] + [i + 25]
        for target in targets:
            place = [target % size]
            out[place] = out[place] + out[i] if modular else out[place] ^ out[i]
    return out


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", ["blocks", "words", "modular"])
@pytest.mark.parametrize("size", SIZES)
def test_convolution_adds_each_value_to_its_taps(backend: str, kind: str, size: int) -> None:
    rng = np.random.default_rng(size)
    values, taps = vector(rng, size, kind), taps_of(rng, size)
    expected = slow_accumulate(values, taps, kind == "modular")
    with kernels.use(backend):
        lpn.accumulate(values, taps, modular=kind == "modular")
    assert np.array_equal(values, expected)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", ["blocks", "words", "modular"])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_gather_adds_one_value_of_the_segment(backend: str, kind: str, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    size = data.draw(st.integers(1, 60))
    first = data.draw(st.integers(0, size - 1))
    length = data.draw(st.integers(1, size - first))
    outputs = data.draw(st.integers(0, 60))
    values, out = vector(rng, size, kind), vector(rng, outputs, kind)
    picks = taps_of(rng, outputs)
    picks[: min(2, outputs)] = [0, 2**32 - 1][: min(2, outputs)]
    places = [first + (int(pick) * length >> 32) for pick in picks]
    assert all(first <= place < first + length for place in places)
    expected = out + values[places] if kind == "modular" else out ^ values[places]
    with kernels.use(backend):
        lpn.gather(out, values, picks, first=first, length=length, modular=kind == "modular")
    assert np.array_equal(out, expected)


@pytest.mark.skipif(len(BACKENDS) < 2, reason="this CPU has one backend")
@pytest.mark.parametrize("kind", ["blocks", "words", "modular"])
def test_both_backends_agree_on_a_long_vector(kind: str) -> None:
    rng = np.random.default_rng(5)
    values, taps = vector(rng, 20_003, kind), taps_of(rng, 20_003)
    results = []
    for backend in BACKENDS:
        held = values.copy()
        with kernels.use(backend):
            lpn.accumulate(held, taps, modular=kind == "modular")
        results.append(held)
    assert np.array_equal(*results)


def test_one_value_reaches_half_of_all_places() -> None:
    """What the convolution is for: a single one must not stay light."""
    rng = np.random.default_rng(7)
    values = np.zeros(10_000, np.uint64)
    values[3] = 1
    lpn.accumulate(values, taps_of(rng, 10_000))
    assert 4_700 < int(values.sum()) < 5_300


@pytest.mark.parametrize(
    ("values", "taps"),
    [
        (np.zeros(25, np.uint64), np.zeros(25, np.uint32)),
        (np.zeros(30, np.uint64), np.zeros(29, np.uint32)),
        (np.zeros((30, 3), np.uint64), np.zeros(30, np.uint32)),
        (np.zeros(30, np.int64), np.zeros(30, np.uint32)),
        (np.zeros((60, 2), np.uint64)[::2], np.zeros(30, np.uint32)),
    ],
)
def test_shapes_are_checked(values: np.ndarray, taps: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"values|vector"):
        lpn.accumulate(values, taps)


def test_modular_sums_are_of_words() -> None:
    with pytest.raises(ValueError, match="modulo"):
        lpn.accumulate(np.zeros((30, 2), np.uint64), np.zeros(30, np.uint32), modular=True)


@pytest.mark.parametrize(("first", "length"), [(-1, 2), (0, 0), (5, 6), (0, 11)])
def test_segments_lie_in_the_vector(first: int, length: int) -> None:
    with pytest.raises(ValueError, match="segment"):
        lpn.gather(
            np.zeros(3, np.uint64),
            np.zeros(10, np.uint64),
            np.zeros(3, np.uint32),
            first=first,
            length=length,
        )


def test_gather_wants_one_pick_for_each_sum() -> None:
    with pytest.raises(ValueError, match="picks"):
        lpn.gather(
            np.zeros(3, np.uint64),
            np.zeros(10, np.uint64),
            np.zeros(2, np.uint32),
            first=0,
            length=10,
        )
