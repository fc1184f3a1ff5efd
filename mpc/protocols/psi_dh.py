# SPDX-License-Identifier: Apache-2.0
"""Two-party intersection from Diffie–Hellman (Meadows 1986; Huberman, Franklin, Hogg 1999).

The small one to read, and the fast one for small sets: one group operation an item and side, no
set-up. ``x`` and ``y`` are the items of the receiver and of the sender, ``a`` and ``b`` their
secret scalars, new in every run, ``H`` the hash of RFC 9380 to ristretto255. Both sets go in
shuffled order, in blocks of ``BLOCK`` items, both ways at once::

    receiver                                sender
      PsiDhParameters   <------------->     PsiDhParameters: agreed, and |X|, |Y|
      for every block:
        {H(x)^a}        -- PsiDhMasked ->
                        <- PsiDhMasked --   {H(y)^b}
                        <- PsiDhTags ----   {H(x)^ab}, same order, cut to TAG_BYTES

Rounds: one and one per block. Bytes: 32 + 16 an item of the receiver, 32 an item of the sender.

**Who learns what.** The receiver learns which of its items the sender holds; both learn |X| and
|Y|, and nothing else. Shuffling hides at which places of the sender's file the matches stand.

**Security: semi-honest** (both follow the protocol and think about what they saw), from decisional
Diffie–Hellman with H a random oracle. Against a peer that departs from it, know that

* either side may put items into its set that it does not really have, as in every intersection: a
  receiver with guessed items learns which of them the sender holds;
* a sender may answer with wrong tags, and so hide or invent matches, unseen; a receiver may answer
  nothing and keep what it learnt;
* neither learns the other's items, short of guessing them, while computing Diffie–Hellman is hard:
  all that is sent are elements under a secret exponent. Encodings of no element, and the identity,
  are refused.

For security against malicious peers use the ``psi`` protocol.

**Errors of the result.** Two different items match only when their tags agree: with 16 bytes of an
encoding, of which one bit is always zero, with probability below |X| |Y| / 2^127, so below 2^-40
as long as |X| |Y| is below 2^87. No match is ever missed.

**Memory.** Beside the items, some 70 bytes for each of either set at the end, and a few blocks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.errors import CryptoError, ParameterMismatch, ProtocolError
from mpc.net import columns
from mpc.net.channel import Channel
from mpc.pb.v1 import psi_pb2 as pb
from mpc.primitives import ristretto
from mpc.primitives.items import Items
from mpc.primitives.ristretto import Points, Scalars
from mpc.primitives.rng import SYSTEM, Rng, permutation

BLOCK = 1 << 14
TAG_BYTES = 16
LABEL = b"mpc:v1:psi_dh:ristretto255_XMD:SHA-512"


def receiver(channel: Channel, items: Any, *, rng: Rng = SYSTEM) -> NDArray[np.intp]:
    """The rows of ``items`` that the sender holds too, in ascending order.

    ``items``: whatever ``Items.of`` takes; text and bytes are one. Raises ``DataError`` for nulls
    and duplicates, before anything is sent.
    """
    mine = Items.of(items)
    mine.check_distinct()
    others = _agree(channel, "receiver", len(mine))
    order, secret = permutation(rng, len(mine)), ristretto.scalar(rng)
    my_tags, other_tags = [_no_tags()], [_no_tags()]
    awaited = 0
    for start in range(0, max(len(mine), others), BLOCK):
        sent = order[start : start + BLOCK]
        if len(sent):
            channel.send(_masked(mine.take(sent), secret))
        # The tags of a block are fetched one block later, so that both sides compute meanwhile.
        my_tags.append(_fetch_tags(channel, awaited))
        awaited = len(sent)
        if start < others:
            points = _fetch_points(channel, min(BLOCK, others - start), start)
            other_tags.append(_tags(points, secret))
    my_tags.append(_fetch_tags(channel, awaited))
    found = _places(np.concatenate(my_tags), np.concatenate(other_tags))
    return np.sort(order[found])


def sender(channel: Channel, items: Any, *, rng: Rng = SYSTEM) -> int:
    """Let the receiver find out which of its items are among ``items``.

    Returns how many items the receiver has. ``items`` and errors as for ``receiver``.
    """
    mine = Items.of(items)
    mine.check_distinct()
    others = _agree(channel, "sender", len(mine))
    order, secret = permutation(rng, len(mine)), ristretto.scalar(rng)
    for start in range(0, max(len(mine), others), BLOCK):
        sent = order[start : start + BLOCK]
        if len(sent):
            channel.send(_masked(mine.take(sent), secret))
        if start < others:
            points = _fetch_points(channel, min(BLOCK, others - start), start)
            channel.send(pb.PsiDhTags(tags=columns.pack(_tags(points, secret))))
    return others


def _agree(channel: Channel, role: str, count: int) -> int:
    """Compare parameters with the peer; its number of items."""
    ours = pb.PsiDhParameters(
        role=role,
        group="ristretto255",
        label=LABEL.decode(),
        tag_bytes=TAG_BYTES,
        block_items=BLOCK,
        count=count,
    )
    theirs = channel.exchange(ours)
    if theirs.role == role:
        raise ParameterMismatch(channel.peer, "role", role, theirs.role)
    for field in ("group", "label", "tag_bytes", "block_items"):
        us, them = getattr(ours, field), getattr(theirs, field)
        if us != them:
            raise ParameterMismatch(channel.peer, field, str(us), repr(them)[:100])
    return int(theirs.count)


def _masked(items: Items, secret: Scalars) -> pb.PsiDhMasked:
    points = ristretto.mul(ristretto.hash_to_group(items, LABEL), secret)
    return pb.PsiDhMasked(points=columns.pack(ristretto.encode(points)))


def _fetch_points(channel: Channel, count: int, start: int) -> Points:
    """The peer's next block of masked items."""
    column = channel.recv(pb.PsiDhMasked).points
    encodings = columns.unpack(
        column, width=ristretto.ENCODED_BYTES, peer=channel.peer, count=count
    )
    try:
        return ristretto.decode(encodings)
    except CryptoError as error:
        raise ProtocolError(channel.peer, f"masked items from {start} on: {error}") from None


def _fetch_tags(channel: Channel, count: int) -> NDArray[np.uint8]:
    """The tags of a block of ``count`` items sent before; of none, nothing."""
    if count == 0:
        return _no_tags()
    tags = channel.recv(pb.PsiDhTags).tags
    return columns.unpack(tags, width=TAG_BYTES, peer=channel.peer, count=count)


def _tags(points: Points, secret: Scalars) -> NDArray[np.uint8]:
    # Copied, so that the rest of the encodings can go.
    return ristretto.encode(ristretto.mul(points, secret))[:, :TAG_BYTES].copy()


def _no_tags() -> NDArray[np.uint8]:
    return np.empty((0, TAG_BYTES), np.uint8)


def _places(mine: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Where in ``mine`` the tags stand that are among ``others`` too."""
    tags = np.concatenate([mine, others]).view("<u8")
    order = np.lexsort((tags[:, 1], tags[:, 0]))
    ranked = tags[order]
    new = np.ones(len(tags), np.bool_)
    new[1:] = (ranked[1:] != ranked[:-1]).any(axis=1)
    group = np.empty(len(tags), np.intp)
    group[order] = np.cumsum(new) - 1
    in_others = np.zeros(len(tags), np.bool_)
    in_others[group[len(mine) :]] = True
    return np.flatnonzero(in_others[group[: len(mine)]])
