# SPDX-License-Identifier: Apache-2.0
"""Shares put into an order that one party knows: permute and share; and products with a shared bit.

**Order.** Mohassel, Sadeghian, "How to Hide Circuits in MPC" (EUROCRYPT 2013, section 3), by a
permutation network whose settings the asker knows. What the holder has after a layer is known to it
before the asker says anything, so all messages go one way, after the asker's choices. The holder
learns that there is an order, and the asker learns nothing of the values: every output is shared
anew. There are two networks:

* bits alone go by four through blocks (``primitives.fours``). The holder draws what it will have of
  a block, and offers the asker (``sixteen``) its four bits in each of the sixteen orders, masked
  with that. For b bits about 0.29 b log2 b choices, of 8.5 bytes;
* words, with a bit each, go by two through switches (``primitives.switches``). One with the asker's
  setting c adds c (x1 - x0) to its first output and takes it from the second; shares of that
  product come from one transfer with the asker's c (``transfers``). For b elements b log2 b - b / 2
  transfers, with the bytes of each word of an element and 1 bit for its bit. Sharing translation
  from punctured trees (Chase, Ghosh, Poburinnaya, "Secret Shared Shuffle", ASIACRYPT 2020) sends
  less only for elements of more than about ten words.

**Selection.** With a bit b = b_a ^ b_h and words g + m, of which the asker holds b_a and g::

    b        = b_a + b_h - 2 b_a b_h
    b m      = b_h m + b_a (1 - 2 b_h) m         transfers with the asker's choice b_a
    b g      = b_a g + b_h (1 - 2 b_a) g         transfers with the holder's choice b_h
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpc.primitives import fours
from mpc.primitives.rng import Rng
from mpc.primitives.switches import Network
from mpc.protocols.lookup.packing import Packing
from mpc.protocols.lookup.sixteen import Chooser, Offerer, nibbles
from mpc.protocols.lookup.transfers import Receiver, Sender, parts

Words = NDArray[np.uint64]
Bits = NDArray[np.uint8]


def permute_asker(
    chooser: Chooser,
    transfers: Receiver,
    bits: Bits,
    words: Words,
    octets: int,
    sources: NDArray[np.int64],
) -> tuple[Bits, Words]:
    """Shares whose element o is element ``sources[o]`` of ``bits`` (b,) and ``words`` (b, w), which
    are modulo 2^(8 ``octets``)."""
    if words.shape[1]:
        return _switched_asker(transfers, bits, words, octets, sources)
    network, bits = fours.Network(len(bits)), bits.copy()
    settings = network.route(sources)
    chooser.choose(np.concatenate([np.empty(0, np.uint8), *settings]))
    for layer, symbols in zip(network.layers(), settings, strict=True):
        moved = fours.turned(layer.way)[symbols, layer.gather(bits)]
        layer.scatter(moved ^ chooser.take(layer.blocks, 4), bits)
    return bits, words


def permute_holder(
    offerer: Offerer, transfers: Sender, bits: Bits, words: Words, octets: int, rng: Rng
) -> tuple[Bits, Words]:
    """The holder's side of ``permute_asker``."""
    if words.shape[1]:
        return _switched_holder(transfers, bits, words, octets)
    network, bits = fours.Network(len(bits)), bits.copy()
    offerer.expect(network.blocks())
    shifts = np.arange(0, 64, 4, dtype=np.uint64)
    for layer in network.layers():
        count = layer.blocks
        drawn = nibbles(np.frombuffer(rng.bytes(-(-count // 2)), np.uint8))[:count]
        turned = fours.turned(layer.way).astype(np.uint64)
        tables = np.bitwise_or.reduce(turned << shifts[:, None], axis=0)
        offerer.offer(tables[layer.gather(bits)] ^ drawn * np.uint64(0x1111_1111_1111_1111))
        layer.scatter(drawn, bits)
    return bits, words


def _switched_asker(
    transfers: Receiver, bits: Bits, words: Words, octets: int, sources: NDArray[np.int64]
) -> tuple[Bits, Words]:
    network, packing = Network(len(bits)), Packing(0, words.shape[1], octets)
    settings = network.route(sources)
    transfers.choose(np.concatenate([np.empty(0, np.uint8), *settings]))
    for layer, setting in zip(network.layers(), settings, strict=True):
        shares, flips = transfers.multiply(layer.switches, packing, 1)
        apart, unlike = layer.differences(words, bits)
        shares += setting[:, None] * apart
        words, bits = layer.switch(words, bits, shares, flips[:, 0] ^ setting & unlike)
    return bits, words


def _switched_holder(
    transfers: Sender, bits: Bits, words: Words, octets: int
) -> tuple[Bits, Words]:
    network, packing = Network(len(bits)), Packing(0, words.shape[1], octets)
    transfers.expect(network.switches())
    for layer in network.layers():
        apart, unlike = layer.differences(words, bits)
        shares, flips = transfers.multiply(apart, packing, unlike[:, None])
        words, bits = layer.switch(words, bits, shares, flips[:, 0])
    return bits, words


def blocks_and_switches(count: int, width: int) -> tuple[int, int]:
    """Choices among sixteen, and transfers, that ``count`` elements of ``width`` words take."""
    if width:
        return 0, Network(count).switches()
    return fours.Network(count).blocks(), 0


def select_asker(
    transfers: Receiver, given: Sender, bits: Bits, words: Words, octets: int
) -> tuple[Words, Words]:
    """Shares of the bits (n,), modulo 2^64, and of the bits times the words (n, w), modulo
    2^(8 ``octets``) as these."""
    number = bits.astype(np.uint64)
    product = number[:, None] * words
    transfers.choose(bits)
    both, alone = (Packing(wide, words.shape[1], octets) for wide in (1, 0))
    for part in parts(len(bits)):
        shares, _ = transfers.multiply(len(bits[part]), both, 0)
        number[part] -= np.uint64(2) * shares[:, 0]
        product[part] += shares[:, 1:]
    if words.shape[1]:
        given.expect(len(bits))
        for part in parts(len(bits)):
            product[part] += given.multiply(_signed(bits[part]) * words[part], alone)[0]
    return number, product


def select_holder(
    transfers: Sender, taken: Receiver, bits: Bits, words: Words, octets: int
) -> tuple[Words, Words]:
    """The holder's side of ``select_asker``."""
    number = bits.astype(np.uint64)
    product = number[:, None] * words
    transfers.expect(len(bits))
    both, alone = (Packing(wide, words.shape[1], octets) for wide in (1, 0))
    for part in parts(len(bits)):
        factors = np.concatenate([number[part, None], _signed(bits[part]) * words[part]], axis=1)
        shares, _ = transfers.multiply(factors, both)
        number[part] -= np.uint64(2) * shares[:, 0]
        product[part] += shares[:, 1:]
    if words.shape[1]:
        taken.choose(bits)
        for part in parts(len(bits)):
            product[part] += taken.multiply(len(bits[part]), alone, 0)[0]
    return number, product


def _signed(bits: Bits) -> Words:
    """1 - 2 b, as a column."""
    return np.uint64(1) - np.uint64(2) * bits.astype(np.uint64)[:, None]
