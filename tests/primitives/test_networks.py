# SPDX-License-Identifier: Apache-2.0
"""Permutation networks, of switches and of blocks of four bits: every order is reached, on both
kernels alike."""

from __future__ import annotations

from itertools import permutations
from math import log2

import numpy as np
import pytest

from mpc import kernels
from mpc.primitives import fours, switches

BACKENDS = ["portable"] + (["simd"] if kernels.backend() == "simd" else [])
SIZES = [6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 31, 32, 33, 100, 1439]


def by_switches(sources, width=1):
    """The settings for ``sources``, which have put words of any width and bits where they go."""
    network = switches.Network(len(sources))
    settings = network.route(sources)
    start = np.arange(len(sources))
    words = np.repeat(start.astype(np.uint64)[:, None], width, axis=1)
    bits = (start % 2).astype(np.uint8)
    for layer, chosen in zip(network.layers(), settings, strict=True):
        assert len(chosen) == layer.switches
        apart, unlike = layer.differences(words, bits)
        words, bits = layer.switch(words, bits, chosen[:, None] * apart, chosen & unlike)
    assert np.array_equal(words, np.repeat(sources[:, None], width, axis=1))
    assert np.array_equal(bits, sources % 2)
    return settings


def by_fours(sources):
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


def orders(size):
    """A random one, the one there is and the other way round."""
    draw, there = np.random.default_rng(size), np.arange(size)
    return draw.permutation(size), there, there[::-1].copy()


every_network = pytest.mark.parametrize("ordered", [by_switches, by_fours])


@pytest.mark.parametrize(("ordered", "most"), [(by_switches, 5), (by_fours, 6)])
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_order_of_few(ordered, most, backend):
    with kernels.use(backend):
        for size in range(most + 1):
            for sources in permutations(range(size)):
                ordered(np.array(sources, np.int64))


@every_network
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("size", SIZES)
def test_orders_of_many(ordered, backend, size):
    with kernels.use(backend):
        for sources in orders(size):
            ordered(sources)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("width", [0, 9])
@pytest.mark.parametrize("size", SIZES)
def test_switches_carry_words_of_any_width(backend, width, size):
    with kernels.use(backend):
        for sources in orders(size):
            by_switches(sources, width)


@every_network
@pytest.mark.skipif(len(BACKENDS) < 2, reason="this CPU has one backend")
def test_settings_are_the_same_on_both_kernels(ordered):
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


@pytest.mark.parametrize("size", [2, 3, 5, 64, 1000, 1024, 85_197])
def test_how_many_switches(size):
    count = switches.Network(size).switches()
    assert count <= size * log2(size) - size / 2 + 1 + size / 8
    if size & (size - 1) == 0:
        assert count == size * log2(size) - size // 2


@pytest.mark.parametrize("size", [64, 1000, 1024, 85_197, 1_363_149])
def test_how_many_blocks(size):
    assert fours.Network(size).blocks() <= 0.65 * size * log2(size) / 2
