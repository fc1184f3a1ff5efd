# SPDX-License-Identifier: Apache-2.0
"""Random rows times one party's matrix, as a share each: vector OLE with many factors; semi-honest.

The sender has a matrix (inside, width) over Z_2^64. The receiver gets pseudorandom rows (count,
inside) and its share of their product, the sender the other share. ``protocols.vole`` does this for
one factor at a time; here all factors are done at once, and in ``width`` compressions on the side
of products instead of ``inside`` times as many::

    sender                                        receiver
      for each row k of the matrix t points in as many blocks, with odd values: e_k
                         <- products.words ->     its share of each value times matrix[k]
      leaves             -- vole.points, one run, checked -->  leaves but for its points
      WordHoles          --- holes ------------>  totals of the blocks plus the sender's share
      c = H (sum of e_k matrix[k]): both compress sums of leaves; the receiver its rows a_k = H e_k

One code H serves all k: samples of LPN with the same public matrix and noise of their own
(``primitives.lpn``; a hybrid over k loses a factor ``inside``). The trees are those of a correlated
OT, whose leaves are hashed to a word for each column of the matrix, as ``vole.integers`` does.

Learns: nobody anything; sizes are public. The trees are checked; that the values were multiplied by
one matrix is not, unlike in ``protocols.vole``, so a party may use other factors than it should.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from mpc.kernels import aes
from mpc.net import columns
from mpc.pb.v1 import vole_pb2 as pb
from mpc.primitives import lpn, puncturable
from mpc.primitives.rng import uint64
from mpc.protocols import ot
from mpc.protocols.triples import products
from mpc.protocols.triples.partners import Partner
from mpc.protocols.vole import Z64, points
from mpc.protocols.vole.rings import bits_of, elements

Words = NDArray[np.uint64]

LEAVES = 1 << 23
"""About so many leaves of a run: what bounds memory, at some 40 bytes for each."""

_LABEL = b"mpc:v1:triples:matrices\0"


def most_rows(inside: int) -> int:
    """Rows of one run, so that it has at most ``LEAVES``."""
    return max(1, LEAVES // (2 * inside))


def sender(partner: Partner, matrix: Words, count: int) -> Words:
    """This party's share (count, width) of the receiver's rows times ``matrix``."""
    inside, width = matrix.shape
    channel, bases = partner.channel, partner.sending()
    noise = _noise(count, inside)
    factors = np.repeat(matrix, noise.points // inside, axis=0).T
    shares = products.words_sender(partner, np.ascontiguousarray(factors).reshape(-1))
    first = points.side_rows(noise)
    held = ot.correlated_sender(channel, first + points.MASK_ROWS, bases.delta, bases=bases)
    leaves, code = points.sender(
        channel,
        noise,
        held,
        bases.delta,
        np.tile(bases.delta, (noise.points, 1)),
        held.rows[first:],
        rng=partner.rng,
    )
    out = np.empty((count, width), np.uint64)
    for column, share in enumerate(shares.reshape(width, -1)):
        words = _words(leaves, held.session, column)
        channel.send(pb.WordHoles(holes=columns.pack(_totals(words) + share)))
        out[:, column] = _compressed(words, inside, count, code)
    return np.negative(out)


def receiver(partner: Partner, inside: int, width: int, count: int) -> tuple[Words, Words]:
    """Pseudorandom rows (count, inside), and this party's share of them times the matrix."""
    channel, bases, rng = partner.channel, partner.receiving(), partner.rng
    noise = _noise(count, inside)
    places, mask = points.draw(noise, rng), uint64(rng, 2)
    values = uint64(rng, noise.points) | np.uint64(1)
    shares = products.words_receiver(partner, np.tile(values, width))
    sides = puncturable.sides(places, noise.block).reshape(-1)
    held = ot.correlated_receiver(
        channel, np.concatenate([sides, bits_of(mask)]), bases=bases, rng=rng
    )
    code = rng.bytes(lpn.SEED_BYTES)
    # While the sender grows its trees.
    rows = _rows(noise, places, values, inside, count, code)
    ones, none = elements(np.ones(noise.points, np.uint64)), np.zeros((noise.points, 2), np.uint64)
    secret = points.Secret(places, ones, none, mask, held.rows[len(sides) :])
    leaves = points.receiver(channel, noise, held, secret, code, rng=rng)
    out = np.empty((count, width), np.uint64)
    for column, share in enumerate(shares.reshape(width, -1)):
        words = _words(leaves, held.session, column)
        message = channel.recv(pb.WordHoles)
        holes = columns.unpack_uint64(message.holes, count=noise.points, peer=channel.peer)
        at = np.arange(noise.points), places
        words[at] = 0
        words[at] = holes + share - _totals(words)
        out[:, column] = _compressed(words, inside, count, code)
    return rows, out


def _noise(count: int, inside: int) -> lpn.Noise:
    """That of ``inside`` vectors, one after the other."""
    one = Z64.noise(count)
    return lpn.Noise(one.points * inside, one.block)


def _rows(
    noise: lpn.Noise, places: points.Places, values: Words, inside: int, count: int, code: bytes
) -> Words:
    one = lpn.Noise(noise.points // inside, noise.block)
    out = np.empty((inside, count), np.uint64)
    for k, (where, what) in enumerate(
        zip(places.reshape(inside, -1), values.reshape(inside, -1), strict=True)
    ):
        out[k] = points.compressed(one, where, what, count, code, modular=True)
    return np.ascontiguousarray(out.T)


def _words(leaves: Words, session: bytes, column: int) -> Words:
    """A word (points, block) of each leaf, pseudorandom also at a leaf known up to a delta."""
    label = _LABEL + column.to_bytes(4, "little") + session
    keys = aes.schedule(hashlib.sha256(label).digest()[: aes.KEY_BYTES])
    return np.ascontiguousarray(aes.correlation_robust(keys, leaves)[..., 0])


def _totals(words: Words) -> Words:
    return np.asarray(words.sum(axis=1, dtype=np.uint64))


def _compressed(words: Words, inside: int, count: int, code: bytes) -> Words:
    sums = words.reshape(inside, -1).sum(axis=0, dtype=np.uint64)
    return lpn.compress(sums, count, code, modular=True)
