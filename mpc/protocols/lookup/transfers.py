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

so that the shares of c x are -K_0 and K_0 + c x, and those of c y the same with XOR.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpc.kernels import aes, bits
from mpc.net import columns
from mpc.net.channel import Channel
from mpc.pb.v1 import lookup_pb2 as pb
from mpc.primitives.rng import Rng
from mpc.protocols import vole

Words = NDArray[np.uint64]
Bits = NDArray[np.uint8]

RUN = 1 << 20
"""Transfers of one run of vector OLE, which is what bounds memory."""


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

    __slots__ = ("_channel", "_keys", "_left", "_rng", "_session")

    def __init__(self, channel: Channel, count: int, session: bytes, rng: Rng) -> None:
        self._channel, self._session, self._rng = channel, session, rng
        self._left, self._keys = count, np.empty((0, 2, 2), np.uint64)

    def multiply(self, words: Words, packed: Bits) -> tuple[Words, Bits]:
        """Shares of the receiver's bits times ``words`` (n, w) and ``packed`` (n, b), with XOR.

        ``packed`` are zeros and ones; either may have no columns.
        """
        keys = self._drawn(len(words))
        width = words.shape[1]
        first, second = (
            expanded(keys[:, choice], width + packed.shape[1], self._session) for choice in (0, 1)
        )
        zero = first[:, :width]
        low = (first[:, width:] & np.uint64(1)).astype(np.uint8)
        masked = packed ^ low ^ (second[:, width:] & np.uint64(1)).astype(np.uint8)
        self._channel.send(
            pb.LookupFactors(
                words=columns.pack((words + zero - second[:, :width]).reshape(-1)),
                bits=columns.pack(bits.pack(masked.reshape(-1))),
            )
        )
        return np.negative(zero), low

    def _drawn(self, count: int) -> Words:
        parts, missing = [], count
        while missing:
            if not len(self._keys):
                self._keys = self._run()
            parts.append(self._keys[:missing])
            self._keys = self._keys[missing:]
            missing -= len(parts[-1])
        return np.concatenate(parts) if parts else np.empty((0, 2, 2), np.uint64)

    def _run(self) -> Words:
        count = min(self._left, RUN)
        self._left -= count
        keys = vole.transfers_sender(self._channel, count, rng=self._rng)
        column = self._channel.recv(pb.LookupFlips).flips
        flips = columns.unpack_uint64(column, count=bits.words(count), peer=self._channel.peer)
        turned = np.negative(bits.unpack(flips, count).astype(np.uint64))[:, None]
        changes = turned & (keys[:, 0] ^ keys[:, 1])
        keys[:, 0] ^= changes
        keys[:, 1] ^= changes
        return keys


class Receiver:
    """The chosen keys, for a party whose bits ``choices``, in the order of use, are multiplied."""

    __slots__ = ("_channel", "_chosen", "_keys", "_rest", "_rng", "_session")

    def __init__(self, channel: Channel, choices: Bits, session: bytes, rng: Rng) -> None:
        self._channel, self._session, self._rng = channel, session, rng
        self._rest, self._chosen = choices, np.empty(0, np.uint8)
        self._keys = np.empty((0, 2), np.uint64)

    def multiply(self, count: int, width: int, several: int) -> tuple[Words, Bits]:
        """Shares of this party's next ``count`` bits times the sender's ``width`` words each and,
        with XOR, its ``several`` bits."""
        chosen, keys = self._drawn(count)
        pads = expanded(keys, width + several, self._session)
        message, peer = self._channel.recv(pb.LookupFactors), self._channel.peer
        words = columns.unpack_uint64(message.words, count=count * width, peer=peer)
        packed = columns.unpack_uint64(message.bits, count=bits.words(count * several), peer=peer)
        masked = bits.unpack(packed, count * several).reshape(count, several)
        total = pads[:, :width] + chosen[:, None] * words.reshape(count, width)
        low = (pads[:, width:] & np.uint64(1)).astype(np.uint8)
        return total, low ^ chosen[:, None] & masked

    def _drawn(self, count: int) -> tuple[Bits, Words]:
        bits_, keys, missing = [np.empty(0, np.uint8)], [np.empty((0, 2), np.uint64)], count
        while missing:
            if not len(self._keys):
                self._run()
            bits_.append(self._chosen[:missing])
            keys.append(self._keys[:missing])
            self._chosen, self._keys = self._chosen[missing:], self._keys[missing:]
            missing -= len(keys[-1])
        return np.concatenate(bits_), np.concatenate(keys)

    def _run(self) -> None:
        self._chosen, self._rest = self._rest[:RUN], self._rest[RUN:]
        count = len(self._chosen)
        random, self._keys = vole.transfers_receiver(self._channel, count, rng=self._rng)
        flips = columns.pack(bits.pack(random ^ self._chosen))
        self._channel.send(pb.LookupFlips(flips=flips))
