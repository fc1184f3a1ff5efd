# SPDX-License-Identifier: Apache-2.0
"""Oblivious choice among sixteen: of each table of the holder's, the entry of the asker's symbol.

Entries have 1 or 4 bits::

    asker, symbols x                              holder, tables T of 16 entries
      random a, c = a D + b     <- vole.NIBBLES ->    D, b
      a ^ x                     -- LookupChoices -->  K_v = b + (a + x) D + v D, for v of 0 to 15
      T[x], with H(c)           <-- LookupTables --   T[v] ^ H(K_v)

since K_x = c: one vector OLE for each choice, as in Kolesnikov, Kumaresan, Rosulek, Trieu,
"Efficient Batched Oblivious PRF" (CCS 2016), whose code is here the multiplication by D in
GF(2^128); the other K_v differ from c by multiples of D.

H is correlation robust (``kernels.aes``) under a key of the run, and the c are uniform: a curious
asker that knows another entry has guessed D, of which 121 bits are random. To the holder a + x is
uniform.

Choices are drawn in large runs under one D, and used up in turn. Both sides say before how many
there will be; for symbols that are known before their tables the corrections go ahead in one
message a run.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ProtocolError
from mpc.kernels import aes, choices, gf128
from mpc.kernels.choices import Tables
from mpc.net import columns
from mpc.net.channel import Channel
from mpc.pb.v1 import lookup_pb2 as pb
from mpc.primitives.rng import Rng, uint64
from mpc.protocols import ot, vole

Words = NDArray[np.uint64]
Bits = NDArray[np.uint8]

RUN = 1 << 20
"""Choices of one run of vector OLE, which is what bounds memory."""


class Chooser:
    """The symbols of ``count`` choices in all."""

    __slots__ = ("_a", "_bases", "_c", "_channel", "_left", "_queued", "_rng", "_schedule", "_x")

    def __init__(self, channel: Channel, count: int, session: bytes, rng: Rng) -> None:
        self._channel, self._left, self._rng = channel, count, rng
        self._schedule = aes.schedule(session[: aes.KEY_BYTES])
        self._bases = ot.bases_receiver(channel, rng=rng)
        self._queued = np.empty(0, np.uint8)
        # Of the run at hand: random symbols not used yet, own ones in their place, and the keys.
        self._a = self._x = np.empty(0, np.uint8)
        self._c = np.empty((0, 2), np.uint64)

    def choose(self, symbols: Bits) -> None:
        """The next ``len(symbols)`` symbols, of 0 to 15."""
        self._queued = np.concatenate([self._queued, symbols])

    def take(self, count: int, width: int) -> Bits:
        """The entries (count,), of ``width`` bits, that the next ``count`` symbols choose."""
        parts = [np.empty(0, np.uint8)]
        while count:
            if not len(self._x):
                self._correct()
            parts.append(self._entries(min(count, len(self._x)), width))
            count -= len(parts[-1])
        return np.concatenate(parts)

    def _entries(self, count: int, width: int) -> Bits:
        symbols, keys = self._x[:count], self._c[:count]
        self._x, self._c = self._x[count:], self._c[count:]
        kind, column = choices.WIDTHS[width], self._channel.recv(pb.LookupTables).tables
        data = columns.unpack(column, width=kind.itemsize, count=count, peer=self._channel.peer)
        tables = data.view(kind.newbyteorder("<"))[:, 0]
        entries: Bits = (tables >> symbols * np.uint8(width)).astype(np.uint8)
        entries ^= aes.correlation_robust(self._schedule, keys)[:, 0].astype(np.uint8)
        return entries & np.uint8(2**width - 1)

    def _correct(self) -> None:
        """Choose as many symbols of the run at hand as are there."""
        if not len(self._a):
            count = min(self._left, RUN)
            self._left -= count
            a, self._c = vole.receiver(
                self._channel, count, ring=vole.NIBBLES, bases=self._bases, rng=self._rng
            )
            self._a = a.astype(np.uint8)
        count = min(len(self._a), len(self._queued))
        self._x, self._queued = self._queued[:count], self._queued[count:]
        masked = np.zeros(count + count % 2, np.uint8)
        masked[:count] = self._a[:count] ^ self._x
        self._a = self._a[count:]
        corrections = masked[0::2] | masked[1::2] << 4
        self._channel.send(pb.LookupChoices(corrections=corrections.tobytes()))


class Offerer:
    """The keys of all entries of ``count`` tables in all."""

    __slots__ = (
        "_b",
        "_bases",
        "_channel",
        "_expected",
        "_keys",
        "_left",
        "_multiples",
        "_rng",
        "_schedule",
    )

    def __init__(self, channel: Channel, count: int, session: bytes, rng: Rng) -> None:
        self._channel, self._left, self._expected, self._rng = channel, count, 0, rng
        self._schedule = aes.schedule(session[: aes.KEY_BYTES])
        delta = vole.NIBBLES.fitted(uint64(rng, 2))
        self._bases = ot.bases_sender(channel, delta, rng=rng)
        factors = np.zeros((choices.CHOICES, 2), np.uint64)
        factors[:, 0] = np.arange(choices.CHOICES)
        self._multiples = gf128.multiply(factors, delta)
        self._b = self._keys = np.empty((0, 2), np.uint64)

    def expect(self, count: int) -> None:
        """The other side has chosen the next ``count`` symbols."""
        self._expected += count

    def offer(self, tables: Tables) -> None:
        """Tables (n,) of sixteen entries, entry v in the bits from ``width * v`` on.

        They are uint16 for entries of one bit, uint64 for four.
        """
        width = tables.itemsize * 8 // choices.CHOICES
        while len(tables):
            if not len(self._keys):
                self._corrected()
            count = min(len(tables), len(self._keys))
            keys, self._keys = self._keys[:count], self._keys[count:]
            masked = tables[:count] ^ choices.pads(self._schedule, keys, self._multiples, width)
            tables = tables[count:]
            self._channel.send(pb.LookupTables(tables=columns.pack(masked[:, None])))

    def _corrected(self) -> None:
        """The keys of a run, in the order in which the other side's symbols put them."""
        if not len(self._b):
            count = min(self._left, RUN)
            self._left -= count
            _, self._b = vole.sender(
                self._channel, count, ring=vole.NIBBLES, bases=self._bases, rng=self._rng
            )
        count = min(len(self._b), self._expected)
        self._expected -= count
        data, peer = self._channel.recv(pb.LookupChoices).corrections, self._channel.peer
        if len(data) != -(-count // 2):
            raise ProtocolError(peer, f"{len(data)} bytes of choices for {count}")
        corrections = nibbles(np.frombuffer(data, np.uint8))[:count]
        self._keys = self._b[:count] ^ np.take(self._multiples, corrections, axis=0)
        self._b = self._b[count:]


def nibbles(octets: Bits) -> Bits:
    """The two symbols of four bits of each octet, the lower first."""
    return np.stack([octets & 15, octets >> 4], axis=1).reshape(-1)
