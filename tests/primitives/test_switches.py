# SPDX-License-Identifier: Apache-2.0
"""Permutation networks: every order is reached, on both kernels alike."""

from __future__ import annotations

from itertools import permutations
from math import log2

import numpy as np
import pytest

from mpc import kernels
from mpc.primitives.switches import Network

BACKENDS = ["portable"] + (["simd"] if kernels.backend() == "simd" else [])


def through(network, settings, words, bits):
    for layer, chosen in zip(network.layers(), settings, strict=True):
        assert len(chosen) == layer.switches
        apart, unlike = layer.differences(words, bits)
        words, bits = layer.switch(words, bits, chosen[:, None] * apart, chosen & unlike)
    return words, bits


def ordered(sources, width=1):
    network = Network(len(sources))
    settings = network.route(sources)
    start = np.arange(len(sources))
    words = np.repeat(start.astype(np.uint64)[:, None], width, axis=1)
    words, bits = through(network, settings, words, (start % 2).astype(np.uint8))
    assert np.array_equal(words, np.repeat(sources[:, None], width, axis=1))
    assert np.array_equal(bits, sources % 2)
    return settings


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_order_of_few(backend):
    with kernels.use(backend):
        for size in range(6):
            for sources in permutations(range(size)):
                ordered(np.array(sources, np.int64))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("size", [6, 7, 31, 32, 33, 100, 1439])
@pytest.mark.parametrize("width", [0, 1, 9])
def test_random_orders(backend, size, width):
    rng = np.random.default_rng(size)
    with kernels.use(backend):
        ordered(rng.permutation(size), width)
        ordered(np.arange(size), width)
        ordered(np.arange(size)[::-1].copy(), width)


@pytest.mark.skipif(len(BACKENDS) < 2, reason="this CPU has one backend")
def test_settings_are_the_same_on_both_kernels():
    sources = np.random.default_rng(1).permutation(777)
    both = []
    for backend in BACKENDS:
        with kernels.use(backend):
            both.append(ordered(sources))
    assert all(np.array_equal(one, other) for one, other in zip(*both, strict=True))


@pytest.mark.parametrize("size", [2, 3, 5, 64, 1000, 1024, 85_197])
def test_how_many_switches(size):
    switches = Network(size).switches()
    assert switches <= size * log2(size) - size / 2 + 1 + size / 8
    if size & (size - 1) == 0:
        assert switches == size * log2(size) - size // 2
