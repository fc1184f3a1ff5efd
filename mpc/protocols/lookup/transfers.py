# SPDX-License-Identifier: Apache-2.0
"""Oblivious transfers of the receiver's own choosing, drawn in large runs and used up in turn.

Silent transfers (``protocols.vole``) have random choices, which the receiver corrects (Beaver,
"Precomputing Oblivious Transfer", CRYPTO 1995)::

    sender                               receiver
                    <-- LookupFlips --   random choices XOR its own
      K_0, K_1                           K_choice

From 16-byte keys any number of words: word pairs j are H(K, j), a tweakable correlation-robust hash
(``kernels.aes``), which on uniform keys is a pseudorandom function of j. Both kinds of product with
the receiver's bit c, of words modulo 2^64 and of bits, take one message::

      x + K_0 - K_1, y ^ K_0 ^ K_1   -- LookupFactors -->   K_c + c * that  =  K_0 + c x

so that the shares of c x are -K_0 and K_0 + c x, and those of c y the same with XOR. Of narrow
words (``packing``) the lowest octets are sent, and products are modulo as much.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mpc.kernels import aes, bits
from mpc.net import columns
from mpc.net.channel import Channel
from mpc.pb.v1 import lookup_pb2 as pb
from mpc.primitives.rng import Rng
from mpc.protocols import vole
from mpc.protocols.lookup.packing import Packing

Words = NDArray[np.uint64]
Bits = NDArray[np.uint8]

Times = Callable[[Bits, int], Words]
"""From own bits (n, k) to shares of their products with the other side's, of so many octets."""

RUN = 1 << 20
"""Transfers of one run of vector OLE, which is what bounds memory."""

_PART = 1 << 16  # products of one message


def parts(count: int) -> list[slice]:
    """``count`` products in parts of one message each."""
    return [slice(start, min(count, start + _PART)) for start in range(0, count, _PART)]


def expanded(seeds: Words, width: int, session: bytes) -> Words:
    """``width`` pseudorandom words (n, width) of each uniform seed (n, 2)."""
    if width <= seeds.shape[1]:
        return seeds[:, :width]
    schedule = aes.schedule(session[: aes.KEY_BYTES])
    out = np.empty((len(seeds), -(-width // 2), 2), np.uint64)
    tweak = np.zeros_like(seeds)
    for block in range(out.shape[1]):
        tweak[:, 0] = block
        out[:, block] = aes.tweakable_circular(schedule, seeds, tweak)
    return out.reshape(len(seeds), 2 * out.shape[1])[:, :width]


class Sender:
    """The keys of ``count`` transfers in all, for a party that multiplies."""

    __slots__ = ("_channel", "_expected", "_keys", "_left", "_rng", "_session", "_unordered")

    def __init__(self, channel: Channel, count: int, session: bytes, rng: Rng) -> None:
        self._channel, self._session, self._rng = channel, session, rng
        self._left, self._expected = count, 0
        self._keys = self._unordered = np.empty((0, 2, 2), np.uint64)

    def expect(self, count: int) -> None:
        """The receiver has chosen for the next ``count`` transfers."""
        self._expected += count

    def multiply(
        self, words: Words, packing: Packing, packed: Bits | None = None
    ) -> tuple[Words, Bits]:
        """Shares of the receiver's bits times ``words`` (n, w) and, with XOR, ``packed`` (n, b),
        which are zeros and ones."""
        if packed is None:
            packed = np.empty((len(words), 0), np.uint8)
        keys, width = self._drawn(len(words)), packing.words
        first, second = (
            expanded(keys[:, choice], width + packed.shape[1], self._session) for choice in (0, 1)
        )
        zero = first[:, :width]
        low = (first[:, width:] & np.uint64(1)).astype(np.uint8)
        masked = packed ^ low ^ (second[:, width:] & np.uint64(1)).astype(np.uint8)
        self._channel.send(
            pb.LookupFactors(
                words=columns.pack(packing.pack(words + zero - second[:, :width])),
                bits=columns.pack(bits.pack(masked.reshape(-1))),
            )
        )
        return np.negative(zero), low

    def times(self, own: Bits, octets: int) -> Words:
        """Shares of the receiver's bits times its ``own`` (n, k), modulo 2^(8 ``octets``)."""
        self.expect(own.size)
        factors, out = own.reshape(-1, 1).astype(np.uint64), np.empty(own.size, np.uint64)
        for part in parts(own.size):
            out[part] = self.multiply(factors[part], Packing(0, 1, octets))[0][:, 0]
        return out.reshape(own.shape)

    def _drawn(self, count: int) -> Words:
        parts, missing = [np.empty((0, 2, 2), np.uint64)], count
        while missing:
            if not len(self._keys):
                self._keys = self._ordered()
            parts.append(self._keys[:missing])
            self._keys = self._keys[missing:]
            missing -= len(parts[-1])
        return np.concatenate(parts)

    def _ordered(self) -> Words:
        """Keys of a run, in the order in which the receiver's choices put them."""
        if not len(self._unordered):
            count = min(self._left, RUN)
            self._left -= count
            self._unordered = vole.transfers_sender(self._channel, count, rng=self._rng)
        count = min(len(self._unordered), self._expected)
        self._expected -= count
        keys, self._unordered = self._unordered[:count], self._unordered[count:]
        column = self._channel.recv(pb.LookupFlips).flips
        flips = columns.unpack_uint64(column, count=bits.words(count), peer=self._channel.peer)
        turned = np.negative(bits.unpack(flips, count).astype(np.uint64))[:, None]
        changes = turned & (keys[:, 0] ^ keys[:, 1])
        return np.asarray(keys ^ changes[:, None])


class Receiver:
    """The chosen keys of ``count`` transfers in all, for a party whose bits are multiplied."""

    __slots__ = ("_channel", "_chosen", "_keys", "_left", "_queued", "_random", "_rng", "_session")

    def __init__(self, channel: Channel, count: int, session: bytes, rng: Rng) -> None:
        self._channel, self._session, self._rng = channel, session, rng
        self._left, self._queued = count, np.empty(0, np.uint8)
        # Of the run at hand: random choices not used yet, and own ones, with the keys of both.
        self._random = self._chosen = np.empty(0, np.uint8)
        self._keys = np.empty((0, 2), np.uint64)

    def choose(self, choices: Bits) -> None:
        """The bits of the next ``len(choices)`` transfers."""
        self._queued = np.concatenate([self._queued, choices])

    def multiply(self, count: int, packing: Packing, several: int) -> tuple[Words, Bits]:
        """Shares of this party's next ``count`` bits times the sender's words of each and, with
        XOR, its ``several`` bits."""
        chosen, keys = self._drawn(count)
        width = packing.words
        pads = expanded(keys, width + several, self._session)
        message, peer = self._channel.recv(pb.LookupFactors), self._channel.peer
        octets = columns.unpack(message.words, width=packing.width, count=count, peer=peer)
        packed = columns.unpack_uint64(message.bits, count=bits.words(count * several), peer=peer)
        masked = bits.unpack(packed, count * several).reshape(count, several)
        total = pads[:, :width] + chosen[:, None] * packing.unpack(octets)
        low = (pads[:, width:] & np.uint64(1)).astype(np.uint8)
        return total, low ^ chosen[:, None] & masked

    def times(self, own: Bits, octets: int) -> Words:
        """Shares of its ``own`` bits (n, k) times the sender's, modulo 2^(8 ``octets``)."""
        self.choose(own.reshape(-1))
        out = np.empty(own.size, np.uint64)
        for part in parts(own.size):
            count = part.stop - part.start
            out[part] = self.multiply(count, Packing(0, 1, octets), 0)[0][:, 0]
        return out.reshape(own.shape)

    def _drawn(self, count: int) -> tuple[Bits, Words]:
        chosen, keys, missing = [np.empty(0, np.uint8)], [np.empty((0, 2), np.uint64)], count
        while missing:
            if not len(self._chosen):
                self._order()
            chosen.append(self._chosen[:missing])
            keys.append(self._keys[: len(chosen[-1])])
            self._chosen = self._chosen[missing:]
            self._keys = self._keys[len(chosen[-1]) :]
            missing -= len(chosen[-1])
        return np.concatenate(chosen), np.concatenate(keys)

    def _order(self) -> None:
        """Choose for as many transfers of the run at hand as there are choices for."""
        if not len(self._random):
            count = min(self._left, RUN)
            self._left -= count
            self._random, self._keys = vole.transfers_receiver(self._channel, count, rng=self._rng)
        count = min(len(self._random), len(self._queued))
        self._chosen, self._queued = self._queued[:count], self._queued[count:]
        flips = bits.pack(self._random[:count] ^ self._chosen)
        self._random = self._random[count:]
        self._channel.send(pb.LookupFlips(flips=columns.pack(flips)))
