# SPDX-License-Identifier: Apache-2.0
"""Permutation networks for bits: blocks of four bits, each turned in one of sixteen ways.

The network of ``primitives.switches`` with its levels taken in pairs, so that a block has four
switches, of two levels, and a symbol of four bits says how all are set. A segment of two or three
bits is a block of its own in the middle, where a symbol from 0 to 5 is any order of them. About
0.29 n log2 n symbols are all that tells one order of n from another::

    network = Network(n)
    settings = network.route(sources)              output o is to be input sources[o]
    for layer, symbols in zip(network.layers(), settings):
        layer.scatter(turned(layer.way)[symbols, layer.gather(bits)], bits)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mpc.kernels import switches

Bits = NDArray[np.uint8]
Places = NDArray[np.int64]
Way = Literal["in", "middle", "out"]

SYMBOLS = 16

_LEAST = 4  # elements that are cut in four


@dataclass(frozen=True, slots=True)
class Layer:
    """The blocks of one depth, and the moves behind them on the way in, before them on the way out.

    In the middle there are no moves.
    """

    way: Way
    _starts: Places

    @property
    def blocks(self) -> int:
        """How many there are."""
        sizes = np.diff(self._starts)
        least, most = self._bounds
        return int(np.sum((sizes[(sizes >= least) & (sizes <= most)] + 3) // 4))

    def gather(self, bits: Bits) -> Bits:
        """The four bits of each block (blocks,); what it has fewer of four is zero."""
        out = np.empty(self.blocks, np.uint8)
        switches.kernel().carry(bits, out, self._starts, self.way == "out", *self._bounds, False)
        return out

    def scatter(self, blocks: Bits, bits: Bits) -> None:
        """Write the four bits of each block where they go in ``bits`` (n,)."""
        switches.kernel().carry(bits, blocks, self._starts, self.way == "in", *self._bounds, True)

    @property
    def _bounds(self) -> tuple[int, int]:
        return (2, _LEAST - 1) if self.way == "middle" else (_LEAST, 1 << 62)


@dataclass(frozen=True, slots=True)
class Network:
    """A network for ``size`` bits."""

    size: int

    def layers(self) -> Iterator[Layer]:
        """The layers in the order of the way through."""
        levels = _levels(self.size)
        for starts in levels[:-1]:
            yield Layer("in", starts)
        yield Layer("middle", levels[-1])
        for starts in levels[-2::-1]:
            yield Layer("out", starts)

    def blocks(self) -> int:
        """How many blocks there are, and so symbols."""
        return sum(layer.blocks for layer in self.layers())

    def route(self, sources: Places) -> list[Bits]:
        """The symbols of each layer that make output o of ``size`` input ``sources[o]``."""
        inward, outward = [], []
        held = sources.astype(np.int32)
        levels = _levels(self.size)
        for starts in levels[:-1]:
            first, second, held = _routed(held, starts)
            inward.append(first)
            outward.append(second)
        return [*inward, _orders(held, levels[-1]), *outward[::-1]]


@cache
def turned(way: Way) -> Bits:
    """What four bits become under each symbol: (16 symbols, 16), element i in bit i."""
    bits = np.arange(16)[:, None] >> np.arange(4) & 1
    out = np.empty((SYMBOLS, 16), np.uint8)
    for symbol in range(SYMBOLS):
        out[symbol] = bits[:, _sources(way, symbol)] @ (1 << np.arange(4))
    return out


def _sources(way: Way, symbol: int) -> list[int]:
    """Which element of a block each place of it gets."""
    if way == "middle":
        return [*_ORDERS[symbol % len(_ORDERS)], 3]
    a, b, c, d = (symbol >> i & 1 for i in range(4))
    (upper, lower), (next_upper, next_lower) = (a, 1 - a), (2 + b, 3 - b)
    inward = [upper, next_upper][:: 1 - 2 * c] + [lower, next_lower][:: 1 - 2 * d]
    return inward if way == "in" else [inward.index(i) for i in range(4)]


_ORDERS = list(permutations(range(3)))


def _routed(sources: NDArray[np.int32], starts: Places) -> tuple[Bits, Bits, NDArray[np.int32]]:
    """The symbols in and out of one level of four, and the sources inside."""
    kernel = switches.kernel()
    scratch = np.empty((2, len(sources)), np.int32)
    sizes = np.diff(starts)
    cut = sizes >= _LEAST
    held, settings = sources, []
    for bounds, whole in ((starts, cut), (_halved(starts, cut), np.repeat(cut, 1 + cut))):
        pairs = np.where(whole, np.diff(bounds) // 2, 0)
        before = np.empty(int(pairs.sum()), np.uint8)
        after = np.empty(int(pairs[np.diff(bounds) > 2].sum()), np.uint8)
        inner = np.empty_like(held)
        kernel.route(held, bounds, whole, before, after, inner, scratch)
        settings.append((before, after))
        held = inner
    symbols = []
    for outward in (False, True):
        out = np.empty(int(((sizes[cut] + 3) // 4).sum()), np.uint8)
        kernel.joined(starts, outward, settings[0][outward], settings[1][outward], out)
        symbols.append(out)
    return symbols[0], symbols[1], held


def _orders(sources: NDArray[np.int32], starts: Places) -> Bits:
    """The symbol of each segment of two or three."""
    sizes = np.diff(starts)
    first = starts[:-1][sizes > 1]
    numbers = np.zeros(9, np.uint8)
    for symbol, order in enumerate(_ORDERS):
        numbers[3 * order[0] + order[1]] = symbol
    symbols: Bits = numbers[3 * sources[first] + sources[first + 1]]
    return symbols


def _halved(starts: Places, cut: NDArray[np.bool_]) -> Places:
    """Where segments start and end when those that are ``cut`` are in two."""
    middle = starts[:-1] + np.diff(starts) // 2
    both = np.stack([starts[:-1], middle], axis=1)
    return np.append(both[np.stack([np.ones_like(cut), cut], axis=1)], starts[-1])


def _levels(size: int) -> list[Places]:
    """Where the segments of each depth start and end, until none is cut in four."""
    levels = [np.array([0, size], np.int64)]
    while np.any(cut := np.diff(levels[-1]) >= _LEAST):
        halves = _halved(levels[-1], cut)
        levels.append(_halved(halves, np.repeat(cut, 1 + cut)))
    return levels
