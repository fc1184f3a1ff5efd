# SPDX-License-Identifier: Apache-2.0
"""Permutation networks of blocks of four bits: every order is reached, on both kernels alike."""

from __future__ import annotations

from itertools import permutations
from math import log2

import numpy as np
import pytest

from mpc import kernels
from mpc.primitives import fours

BACKENDS = ["portable"] + (["simd"] if kernels.backend() == "simd" else [])


def ordered(sources):
    """The settings for ``sources``, which have put every bit of the numbers where it goes."""
    network = fours.Network(len(sources))
    settings = network.route(sources)
    for plane in range(max(1, len(sources).bit_length())):
        bits = (np.arange(len(sources)) >> plane & 1).astype(np.uint8)
        wanted = bits[sources]
        for layer, symbols in zip(network.layers(), settings, strict=True):
            assert len(symbols) == layer.blocks
            layer.scatter(fours.turned(layer.way)[symbols, layer.gather(bits)], bits)
        assert np.array_equal(bits, wanted)
    return settings


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_order_of_few(backend):
    with kernels.use(backend):
        for size in range(7):
            for sources in permutations(range(size)):
                ordered(np.array(sources, np.int64))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("size", [7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 31, 33, 100, 1439])
def test_random_orders(backend, size):
    rng = np.random.default_rng(size)
    with kernels.use(backend):
        for sources in (rng.permutation(size), np.arange(size), np.arange(size)[::-1].copy()):
            ordered(sources)


@pytest.mark.skipif(len(BACKENDS) < 2, reason="this CPU has one backend")
def test_settings_are_the_same_on_both_kernels():
    sources = np.random.default_rng(1).permutation(777)
    both = []
    for backend in BACKENDS:
        with kernels.use(backend):
            both.append(ordered(sources))
    assert all(np.array_equal(one, other) for one, other in zip(*both, strict=True))


@pytest.mark.parametrize("way", ["in", "middle", "out"])
def test_a_symbol_is_an_order_of_four(way):
    turned = fours.turned(way)
    assert all(sorted(row) == list(range(16)) for row in turned.tolist())
    assert len({tuple(row) for row in turned.tolist()}) == (6 if way == "middle" else 16)


@pytest.mark.parametrize("size", [64, 1000, 1024, 85_197, 1_363_149])
def test_how_many_blocks(size):
    assert fours.Network(size).blocks() <= 0.65 * size * log2(size) / 2
