# SPDX-License-Identifier: Apache-2.0
"""Permutation networks: any order of n elements by switches that swap two of them, or do not.

Beneš (1964) for any n (Chang, Melhem, "Arbitrary size Benes networks", 1997): a switch for each two
neighbours, one network for the first of each pair and one for the second, and switches again. About
n log2 n - n / 2 switches, whose settings are all that tells one permutation of n from another::

    network = Network(n)
    settings = network.route(sources)              output o is to be input sources[o]
    for layer, chosen in zip(network.layers(), settings):
        apart, unlike = layer.differences(words, bits)
        words, bits = layer.switch(words, bits, chosen[:, None] * apart, chosen & unlike)

A layer works on elements of several words and one bit. Its switches add ``moved`` to the first of
two elements and take it from the second, which swaps them where it is their difference; on shares,
it is a share of that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpc.kernels import switches

Words = NDArray[np.uint64]
Bits = NDArray[np.uint8]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Layer:
    """The switches of one depth, on the way in or out, and the moves behind or before them."""

    outward: bool
    _starts: Places

    @property
    def switches(self) -> int:
        """How many there are."""
        return _switches(self._starts, self.outward)

    def differences(self, words: Words, bits: Bits) -> tuple[Words, Bits]:
        """Second minus first, and second XOR first, of each switch."""
        kernel = switches.kernel()
        out: tuple[Words, Bits] = kernel.differences(words, bits, self._starts, self.outward)
        return out

    def switch(self, words: Words, bits: Bits, moved: Words, flipped: Bits) -> tuple[Words, Bits]:
        """The elements, words (n, w) and bits (n,), after the layer."""
        kernel = switches.kernel()
        out: tuple[Words, Bits] = kernel.switch(
            words, bits, self._starts, self.outward, moved, flipped
        )
        return out


@dataclass(frozen=True, slots=True)
class Network:
    """A network for ``size`` elements."""

    size: int

    def layers(self) -> Iterator[Layer]:
        """The layers in the order of the way through."""
        levels = _levels(self.size)
        for starts in levels:
            yield Layer(False, starts)
        # The innermost have two elements at most, and no switch on the way out.
        for starts in levels[-2::-1]:
            yield Layer(True, starts)

    def switches(self) -> int:
        """How many switches there are."""
        return sum(layer.switches for layer in self.layers())

    def route(self, sources: Places) -> list[Bits]:
        """The settings of each layer that make output o of ``size`` input ``sources[o]``."""
        inward, outward = [], []
        held = sources.astype(np.int32)
        scratch = np.empty((2, self.size), np.int32)
        for starts in _levels(self.size):
            before = np.empty(_switches(starts, False), np.uint8)
            after = np.empty(_switches(starts, True), np.uint8)
            inner = np.empty_like(held)
            every = np.ones(len(starts) - 1, np.bool_)
            switches.kernel().route(held, starts, every, before, after, inner, scratch)
            inward.append(before)
            outward.append(after)
            held = inner
        return inward + outward[-2::-1]


def _switches(starts: Places, outward: bool) -> int:
    sizes = np.diff(starts)
    return int(np.sum((sizes // 2)[sizes > 2 * outward]))


def _levels(size: int) -> list[Places]:
    """Where the networks of each depth start and end, until none has a switch."""
    levels = []
    starts = np.array([0, size], np.int64)
    while np.any(np.diff(starts) > 1):
        levels.append(starts)
        halves = np.diff(starts) // 2
        # One of a single element is not cut.
        both = np.stack([starts[:-1], starts[:-1] + halves], axis=1)
        cut = np.stack([np.ones_like(halves), halves], axis=1) > 0
        starts = np.append(both[cut], size)
    return levels
