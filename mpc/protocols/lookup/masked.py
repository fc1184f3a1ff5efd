# SPDX-License-Identifier: Apache-2.0
"""Rows that are sent once, under masks of which both sides get shares at the asker's keys.

The mask of a row is a function of its key x under a secret S of the holder's for this run, the
pseudorandom function of ``primitives.lwr``: F(x) = floor(<A(x), S> p / q), where A(x) is a hash of
x that both can compute. What is not linear in it is the rounding, which costs two bits::

    asker, keys x                                 holder, rows (x, v)
      LookupLayout           --- key --------->     what keys are hashed with
                             <-- LookupSecret --    S, encrypted                 ``rlwe``
      <A(x), S> + r, encrypted                      store of (x, 2 v + F(x))     ``band``
      c = store at x         <-- LookupHint ----
                             --- LookupMasked -->   <A(x), S> + r
      a = 2 c + 1 - R(-r)                           h = -R(<A(x), S> + r)
      a + h = 4 v, or up to 3 more                  halved twice by ``pieces``

modulo q, or p = 2^34, or 2 p, for eighteen pieces of a row at once; r is uniform, and R rounds down
to a multiple of q / 2 p. The asker has its own keys in an order of its own, so that nothing has to
be put in order afterwards. F is rounded where a random number says (``lwr``), so that it is
uniform, which is why R takes a bit more.

**The asker** sees the secret under encryption, and a store whose values are masked by F, which
without S looks random at all keys, its own too: it may decode any key it likes, and gets noise. A
key that is not in the table decodes to noise as well. **The holder** sees encryptions of uniform
words, with noise added that hides what the asker's A(x) did to it (statistically, and what it did
to the random part by an encryption of zero). Semi-honest: a lying holder can send encryptions with
too much noise, or of too much, and what comes back then may say something of the keys. A lying
asker can put in what it likes in place of A(x), and sees nothing unless something is opened; where
values are, to it, some 200 keys give it S, and with that every row whose key it can guess.

Beside ``programmed`` this sends a row once and not three times, but the secret comes first, 14.4 MB
whatever the sizes; ``Sizes.masked`` says which of the two takes fewer bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from mpc.errors import CryptoError, ProtocolError
from mpc.net import columns
from mpc.net.channel import Channel
from mpc.pb.v1 import lookup_pb2 as pb
from mpc.primitives import band, lwr, okvs, rlwe
from mpc.primitives.rng import Rng
from mpc.protocols.lookup.pieces import Pieces
from mpc.protocols.lookup.sizes import BLOCK, Sizes
from mpc.protocols.lookup.transfers import Receiver, Sender
from mpc.tracing import span, spanned

Words = NDArray[np.uint64]
Octets = NDArray[np.uint8]
Residues = NDArray[np.uint32]

_BLOCKS = 8  # answered at a time, and by one message
_AHEAD = 20  # messages that an asker has ready before it reads the store, so 19 MB at most
_ROWS = 1 << 15  # masked at a time
_STORED = 1 << 20  # octets of a store in one message


def asker(
    channel: Channel, digests: Words, sizes: Sizes, transfers: Receiver, rng: Rng
) -> tuple[Words, Words]:
    """A word (n,), and shares of values (n, columns), for each key; see ``holder``."""
    pieces = sizes.pieces
    vectors = _secret(channel, sizes)
    inputs = _inputs(digests, pieces)
    own = np.empty((len(inputs), lwr.SIZE), np.uint64)

    def answers() -> Iterator[Octets]:
        for start in range(0, len(inputs), _BLOCKS * BLOCK):
            part = slice(start, start + _BLOCKS * BLOCK)
            with span("products"):
                answer, masks = vectors.products(_slots(lwr.expand(inputs[part])), rng)
                own[part] = lwr.rounded(_negative(_hats(masks, len(inputs[part]))))
            yield answer

    made = answers()
    ready = list(islice(made, _AHEAD))  # while the holder is at its store
    decoded = pieces.unpack(_stored(channel, digests, sizes))
    for answer in chain(ready, made):
        channel.send(pb.LookupMasked(answers=columns.pack(answer)))
    with span("pieces"):
        shares = np.uint64(2) * decoded + np.uint64(1) - _of_rows(own, pieces)
        return pieces.join(shares, transfers.times)


def holder(
    channel: Channel, digests: Words, values: Words, sizes: Sizes, transfers: Sender, rng: Rng
) -> tuple[Words, Words]:
    """A word (n,), which is the asker's if a key is in the table, and shares of values (n, columns)
    modulo 2^(8 octets), for each of the asker's keys, in its order."""
    pieces, key, secret = sizes.pieces, rlwe.Key.draw(rng), lwr.Secret.draw(rng)
    with span("secret"):
        seed, sent = key.encrypt(_everywhere(secret), rng)
        channel.send(pb.LookupSecret(seed=seed, polynomials=columns.pack(sent)))
    _store(channel, digests, _masked(digests, values, pieces, secret, rng), pieces, rng)
    count = sizes.keys * pieces.masks
    shares = np.empty((count, lwr.SIZE), np.uint64)
    for start in range(0, count, _BLOCKS * BLOCK):
        part = shares[start : start + _BLOCKS * BLOCK]
        with span("products"):
            part[:] = lwr.rounded(_hats(_answered(channel, key, len(part)), len(part)))
    with span("pieces"):
        words, held = pieces.join(np.negative(_of_rows(shares, pieces)), transfers.times)
    return pieces.opposite(words), held


def _inputs(digests: Words, pieces: Pieces) -> Words:
    """What the masks of rows are functions of (masks * n, 2): the first of all rows, and so on."""
    seeds = np.tile(digests[:, :2], (pieces.masks, 1))
    seeds[:, 1] ^= np.repeat(np.arange(pieces.masks, dtype=np.uint64), len(digests))
    return seeds


def _of_rows(masks: Words, pieces: Pieces) -> Words:
    """The masks of ``_inputs``, row by row and no more than it has pieces."""
    rows = masks.reshape(pieces.masks, -1, lwr.SIZE).transpose(1, 0, 2)
    return rows.reshape(rows.shape[0], -1)[:, : len(pieces.bits)]


def _everywhere(secret: lwr.Secret) -> Residues:
    """The secret in the slots of every input of a block (RANK, 2, SLOTS)."""
    slots = np.zeros((lwr.RANK, 2, rlwe.SLOTS), np.uint32)
    slots[:, :, : BLOCK * lwr.SIZE] = np.tile(secret.residues.transpose(1, 0, 2), BLOCK)
    return slots


def _slots(expanded: Residues) -> Residues:
    """Polynomials (2, n, RANK, SIZE) as slots (blocks, RANK, 2, SLOTS)."""
    count = expanded.shape[1]
    slots = np.zeros((-(-count // BLOCK), lwr.RANK, 2, rlwe.SLOTS), np.uint32)
    for block, into in enumerate(slots):
        held = expanded[:, block * BLOCK : (block + 1) * BLOCK].transpose(2, 0, 1, 3)
        into[:, :, : held.shape[2] * lwr.SIZE] = held.reshape(lwr.RANK, 2, -1)
    return slots


def _hats(slots: Residues, count: int) -> Residues:
    """The first ``count`` polynomials (2, count, SIZE) in slots (blocks, 2, SLOTS)."""
    used = slots[:, :, : BLOCK * lwr.SIZE].transpose(1, 0, 2)
    return np.ascontiguousarray(used.reshape(2, -1, lwr.SIZE)[:, :count])


def _negative(residues: Residues) -> Residues:
    moduli = np.array(lwr.MODULI, np.uint32)[:, None, None]
    return np.where(residues == 0, residues, moduli - residues)


@spanned("secret")
def _secret(channel: Channel, sizes: Sizes) -> rlwe.Vectors:
    message, peer = channel.recv(pb.LookupSecret), channel.peer
    column = message.polynomials
    sent = columns.unpack(column, width=rlwe.POLYNOMIAL_BYTES, count=lwr.RANK + 1, peer=peer)
    try:
        return rlwe.Vectors.read(message.seed, sent, lwr.RANK, sizes.blocks)
    except CryptoError as error:
        raise ProtocolError(peer, f"sent an encrypted secret that is none: {error}") from None


def _answered(channel: Channel, key: rlwe.Key, inputs: int) -> Residues:
    column, peer = channel.recv(pb.LookupMasked).answers, channel.peer
    count = -(-inputs // BLOCK)
    answers = columns.unpack(column, width=rlwe.ANSWER_BYTES, count=count, peer=peer)
    try:
        return key.decrypt(answers)
    except CryptoError as error:
        raise ProtocolError(peer, f"sent an answer that is none: {error}") from None


@spanned("masks")
def _masked(digests: Words, values: Words, pieces: Pieces, secret: lwr.Secret, rng: Rng) -> Words:
    """Rows of words for the store."""
    out = np.empty((len(values), -(-pieces.width // 8)), np.uint64)
    for start in range(0, len(values), _ROWS):
        part = slice(start, start + _ROWS)
        masks = _of_rows(secret.masks(_inputs(digests[part], pieces), rng), pieces)
        out[part] = pieces.pack(pieces.of(values[part]) + masks)
    return out


@spanned("store")
def _store(channel: Channel, digests: Words, rows: Words, pieces: Pieces, rng: Rng) -> None:
    seed = rng.bytes(okvs.SEED_BYTES)
    placed = band.Rows.of(digests[:, 2:], seed, band.Parameters.of(len(digests)))
    store = placed.encode(rows, rng)
    # A row of the table has zeros past its last piece, and others would have noise there.
    store[:, -1] &= pieces.last
    channel.send(pb.LookupHintSeed(seed=seed))
    octets = store.astype("<u8", copy=False).view(np.uint8)[:, : pieces.width]
    for part in _messages(len(store), pieces):
        channel.send(pb.LookupHint(values=columns.pack(octets[part])))


@spanned("store")
def _stored(channel: Channel, digests: Words, sizes: Sizes) -> Words:
    """What the holder's store has at each key: rows of words."""
    seed, peer = channel.recv(pb.LookupHintSeed).seed, channel.peer
    if len(seed) != okvs.SEED_BYTES:
        raise ProtocolError(peer, f"a seed has {okvs.SEED_BYTES} bytes, not {len(seed)}")
    parameters, width = band.Parameters.of(sizes.rows), sizes.pieces.width
    store = np.zeros((parameters.size, -(-width // 8)), "<u8")
    octets = store.view(np.uint8)
    for part in _messages(len(store), sizes.pieces):
        column, count = channel.recv(pb.LookupHint).values, part.stop - part.start
        octets[part, :width] = columns.unpack(column, width=width, count=count, peer=peer)
    return band.Rows.of(digests[:, 2:], bytes(seed), parameters).decode(store)


def _messages(size: int, pieces: Pieces) -> Iterator[slice]:
    many = max(1, _STORED // pieces.width)
    for start in range(0, size, many):
        yield slice(start, min(size, start + many))
