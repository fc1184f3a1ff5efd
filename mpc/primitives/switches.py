# SPDX-License-Identifier: Apache-2.0
"""Permutation networks: any order of n elements by switches that swap two of them, or do not.

Beneš (1964) for any n (Chang, Melhem, "Arbitrary size Benes networks", 1997): a switch for each two
neighbours, one network for the first of each pair and one for the second, and switches again. About
n log2 n - n / 2 switches, whose settings are all that tells one permutation of n from another::

    network = Network(n)
    settings = network.route(sources)          output o is to be input sources[o]
    for layer, bits in zip(network.layers(), settings):
        x = layer.moved(x), where layer.outward
        swap x[layer.left] and x[layer.left + 1] where bits are one
        x = layer.moved(x), unless layer.outward

Time depends on n alone for whoever applies it, and on the permutation for whoever routes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.kernels import switches

Places = NDArray[np.int64]
Bits = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Layer:
    """Switches of elements ``left`` and ``left`` + 1, with a move of all elements after them or,
    where ``outward``, before."""

    left: Places
    outward: bool
    _moves: Places

    def moved(self, elements: NDArray[Any]) -> NDArray[Any]:
        """The elements (n, ...) in the order of the next switches."""
        if not self.outward:
            return elements[self._moves]
        out = np.empty_like(elements)
        out[self._moves] = elements
        return out


@dataclass(frozen=True, slots=True)
class Network:
    """A network for ``size`` elements."""

    size: int

    def layers(self) -> Iterator[Layer]:
        """The layers in the order of the way through."""
        levels = _levels(self.size)
        for starts in levels:
            yield _layer(starts, outward=False)
        for starts in reversed(levels):
            layer = _layer(starts, outward=True)
            # A segment of two has no switch on the way out.
            yield replace(layer, left=layer.left[_pairs(starts)])

    def switches(self) -> int:
        """How many switches there are."""
        return sum(
            int(np.sum(sizes // 2) + np.sum((sizes // 2)[sizes > 2]))
            for sizes in map(np.diff, _levels(self.size))
        )

    def route(self, sources: Places) -> list[Bits]:
        """The settings of each layer that make output o of ``size`` input ``sources[o]``."""
        inward, outward = [], []
        for starts in _levels(self.size):
            before, after, sources = switches.route(sources, starts)
            inward.append(before)
            outward.append(after[_pairs(starts)])
        return inward + outward[::-1]


def _levels(size: int) -> list[Places]:
    """Where the networks of each depth start and end, until none has a switch."""
    levels = []
    starts = np.array([0, size], np.int64)
    while np.any(np.diff(starts) > 1):
        levels.append(starts)
        ends = starts[1:]
        halves = np.diff(starts) // 2
        starts = np.unique(np.concatenate([starts[:-1], starts[:-1] + halves, ends]))
    return levels


def _layer(starts: Places, *, outward: bool) -> Layer:
    halves = np.diff(starts) // 2
    firsts = np.repeat(starts[:-1], halves)
    within = np.arange(len(firsts)) - np.repeat(np.cumsum(halves) - halves, halves)
    left = firsts + 2 * within
    moves = np.arange(starts[-1])
    moves[firsts + within] = left
    moves[firsts + within + np.repeat(halves, halves)] = left + 1
    return Layer(left, outward, moves)


def _pairs(starts: Places) -> NDArray[np.bool_]:
    """Which pairs are in segments of more than two."""
    sizes = np.diff(starts)
    return np.repeat(sizes > 2, sizes // 2)
