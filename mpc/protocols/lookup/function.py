# SPDX-License-Identifier: Apache-2.0
"""A function that one side can evaluate anywhere, and the other at points fixed beforehand.

The oblivious pseudorandom function of Rindal, Schoppmann, "VOLE-PSI" (EUROCRYPT 2021, eprint
2021/266, section 3), with the store of ``primitives.okvs``; semi-honest::

    receiver, points q                                sender
                             <-- VOLE: C = A D + B --> D, B                          protocols.vole
      LookupStore            --- A + P ----------->    K = B + (A + P) D; in parts
                                 P(q) = H(q)
      F(q) = C(q)                                      F(x) = K(x) + D H(x)

where S(q) is what a store S gives for q. Points are digests (n, 4) under a key that both drew when
the points were fixed: H(q) is the first half, the store's row comes from the other. Outputs are
still to be hashed, with the points. A receiver that lies has outputs at as many points as its store
has values.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mpc.kernels import gf128
from mpc.net import columns
from mpc.net.channel import Channel
from mpc.pb.v1 import lookup_pb2 as pb
from mpc.primitives import okvs
from mpc.primitives.rng import Rng
from mpc.protocols import vole

Words = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Function:
    """The sender's F: K and D, of a receiver with ``count`` points."""

    count: int
    seed: bytes
    key: Words = field(repr=False)
    delta: Words = field(repr=False)

    def at(self, points: Words) -> Words:
        """F (n, 2) of any points (n, 4)."""
        rows = okvs.Rows.of(points[:, 2:], self.seed, okvs.Parameters.of(self.count))
        own = np.take(points[:, :2], rows.order, axis=0)
        out = np.empty_like(own)
        out[rows.order] = gf128.multiply_add(rows.decode(self.key), own, self.delta)
        return out


def receiver(channel: Channel, points: Words, seed: bytes, rng: Rng) -> Words:
    """F (n, 2) of the points (n, 4); ``seed`` is of the rows, drawn when both sides' are fixed."""
    parameters = okvs.Parameters.of(len(points))
    rows = okvs.Rows.of(points[:, 2:], seed, parameters)
    a, c = vole.receiver(channel, parameters.size, ring=vole.BLOCKS, rng=rng)
    out = np.empty((len(points), 2), np.uint64)
    for part, place, inside in rows.parts():
        order = rows.order[part]
        masked = inside.encode(np.ascontiguousarray(points[order, :2]), rng) ^ a[place]
        channel.send(pb.LookupStore(values=columns.pack(masked)))
        out[order] = inside.decode(c[place])
    return out


def sender(channel: Channel, count: int, seed: bytes, rng: Rng) -> Function:
    """The function that a receiver with ``count`` points gets its outputs of."""
    parameters = okvs.Parameters.of(count)
    delta, b = vole.sender(channel, parameters.size, ring=vole.BLOCKS, rng=rng)
    key = np.empty_like(b)
    part = parameters.width + parameters.dense
    for start in range(0, parameters.size, part):
        place = slice(start, start + part)
        column = channel.recv(pb.LookupStore).values
        store = columns.unpack(column, width=16, count=part, peer=channel.peer).view("<u8")
        key[place] = gf128.multiply_add(b[place], store, delta)
    return Function(count, seed, key, delta)
