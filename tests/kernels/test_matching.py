# SPDX-License-Identifier: Apache-2.0
"""Sorting tags and finding them, against Python's own sort and sets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc import kernels
from mpc.kernels import matching
from mpc.primitives.rng import uint64
from mpc.testing import seeded

BACKENDS = ["portable"] + (["simd"] if kernels.backend() == "simd" else [])


@pytest.fixture(params=BACKENDS)
def backend(request):
    with kernels.use(request.param):
        yield request.param


def pairs(tags):
    return [tuple(tag) for tag in tags.tolist()]


@pytest.mark.parametrize("count", [0, 1, 2, 7, 8, 9, 100, 1000, 5000])
def test_sort(backend, count):
    tags = uint64(seeded(count), (count, 2))
    out = matching.sort(tags)
    assert pairs(out) == sorted(pairs(tags))
    assert matching.ascending(out)
    assert np.array_equal(matching.sort(tags[::-1].copy()), out)


@pytest.mark.parametrize("count", [0, 1, 5, 3000])
@pytest.mark.parametrize("other", [0, 1, 5, 3000])
def test_positions(backend, count, other):
    rng = seeded(count * 7 + other)
    haystack = matching.sort(uint64(rng, (count, 2)))
    needles = np.concatenate([haystack[::3][::-1], uint64(rng, (other, 2))])
    found = matching.positions(needles, haystack)
    where = {pair: i for i, pair in enumerate(pairs(haystack))}
    assert found.tolist() == [where.get(pair, -1) for pair in pairs(needles)]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=30, unique=True))
def test_tags_that_share_words(tags):
    array = np.array(tags, np.uint64).reshape(-1, 2)
    every = np.array([(i, j) for i in range(4) for j in range(4)], np.uint64)
    for name in BACKENDS:
        with kernels.use(name):
            ordered = matching.sort(array)
            assert pairs(ordered) == sorted(tags)
            where = {pair: i for i, pair in enumerate(pairs(ordered))}
            got = matching.positions(every, ordered).tolist()
            assert got == [where.get(pair, -1) for pair in pairs(every)]


def test_ascending_sees_disorder():
    tags = np.array([[1, 2], [1, 3], [2, 0]], np.uint64)
    assert matching.ascending(tags)
    assert not matching.ascending(tags[[1, 0, 2]])
    assert not matching.ascending(tags[[0, 2, 1]])
    assert matching.ascending(tags[[0, 0, 1]])
