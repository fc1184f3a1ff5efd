# SPDX-License-Identifier: Apache-2.0
"""Both roles modulo 2^64; the transcript is in ``mpc.protocols.vole`` and ``products``.

The trees are those of a correlated OT, under a delta of their own, so that their check is the one
over GF(2^128). Then every leaf is hashed to a word. At a point the receiver holds the leaf plus
that delta, so the word there is unknown to it, and is replaced by what comes from the products.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from mpc.kernels import aes
from mpc.net import columns
from mpc.net.channel import Channel
from mpc.pb.v1 import vole_pb2 as pb
from mpc.primitives import lpn, puncturable
from mpc.primitives.rng import Rng, uint64
from mpc.protocols import ot
from mpc.protocols.vole import points, products
from mpc.protocols.vole.rings import Z64, bits_of, elements

Words = NDArray[np.uint64]

_LABEL = b"mpc:v1:vole:integers\0"
_ROWS = products.VALUE_BITS


def sender(channel: Channel, count: int, delta: Words, rng: Rng) -> Words:
    """b (count,)."""
    row_delta = uint64(rng, 2)
    if Z64.few(count):
        rows = _ROWS * (count + products.CHECKS)
        held = ot.correlated_sender(channel, rows, row_delta, rng=rng)
        shares = products.sender(channel, held, 0, row_delta, delta)
        products.check_sender(channel, shares[:count], shares[count:], delta)
        return shares[:count]
    noise = Z64.noise(count)
    first = points.side_rows(noise)
    last = first + points.MASK_ROWS
    rows = last + _ROWS * (noise.points + products.CHECKS)
    held = ot.correlated_sender(channel, rows, row_delta, rng=rng)
    shares = products.sender(channel, held, last, row_delta, delta)
    leaves, code = points.sender(
        channel,
        noise,
        held,
        row_delta,
        np.tile(row_delta, (noise.points, 1)),
        held.rows[first:last],
        rng=rng,
    )
    words = _words(leaves, held.session)
    totals = products.sums_of(words)
    channel.send(pb.WordHoles(holes=columns.pack(totals - shares[: noise.points])))
    products.check_sender(channel, totals, shares[noise.points :], delta)
    return lpn.compress(words.reshape(-1), count, code, modular=True)


def receiver(channel: Channel, count: int, rng: Rng) -> tuple[Words, Words]:
    """a (count,) and c (count,)."""
    masks = uint64(rng, products.CHECKS)
    if Z64.few(count):
        values = uint64(rng, count)
        held = ot.correlated_receiver(channel, bits_of(np.concatenate([values, masks])), rng=rng)
        shares = products.receiver(channel, held, 0, np.concatenate([values, masks]))
        products.check_receiver(channel, values, shares[:count], masks, shares[count:], rng)
        return values, shares[:count]
    noise = Z64.noise(count)
    places, mask = points.draw(noise, rng), uint64(rng, 2)
    values = uint64(rng, noise.points) | np.uint64(1)
    chosen = np.concatenate([values, masks])
    sides = puncturable.sides(places, noise.block).reshape(-1)
    held = ot.correlated_receiver(
        channel, np.concatenate([sides, bits_of(mask), bits_of(chosen)]), rng=rng
    )
    code = rng.bytes(lpn.SEED_BYTES)
    # While the sender grows its trees.
    a = points.compressed(noise, places, values, count, code, modular=True)
    last = len(sides) + points.MASK_ROWS
    shares = products.receiver(channel, held, last, chosen)
    ones, none = elements(np.ones(noise.points, np.uint64)), np.zeros((noise.points, 2), np.uint64)
    secret = points.Secret(places, ones, none, mask, held.rows[len(sides) : last])
    leaves = points.receiver(channel, noise, held, secret, code, rng=rng)
    words = _words(leaves, held.session)
    totals = _fill(channel, words, places, shares[: noise.points])
    products.check_receiver(channel, values, totals, masks, shares[noise.points :], rng)
    return a, lpn.compress(words.reshape(-1), count, code, modular=True)


def _words(leaves: Words, session: bytes) -> Words:
    """A word (points, block) of each leaf, pseudorandom also at a leaf known up to a delta."""
    key = hashlib.sha256(_LABEL + session).digest()[: aes.KEY_BYTES]
    return np.ascontiguousarray(aes.correlation_robust(aes.schedule(key), leaves)[..., 0])


def _fill(channel: Channel, words: Words, places: points.Places, shares: Words) -> Words:
    """Put in the words at the receiver's places; the sum of each block."""
    message = channel.recv(pb.WordHoles)
    holes = columns.unpack_uint64(message.holes, count=len(places), peer=channel.peer)
    rows = np.arange(len(places))
    words[rows, places] = 0
    totals = holes + shares
    words[rows, places] = totals - products.sums_of(words)
    return totals
