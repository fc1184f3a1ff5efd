# SPDX-License-Identifier: Apache-2.0
"""How many items two sets share, and what the sender's values of these add up to; semi-honest.

Ion et al., "On Deploying Secure Computation: Private Intersection-Sum-with-Cardinality" (EuroS&P
2020, eprint 2019/723), section 3.1, from Diffie–Hellman and Paillier, with the total to the
receiver instead of to the owner of the values. ``a`` and ``b`` are secret scalars, new in every
run, H the hash of RFC 9380 to ristretto255, ``r`` uniform modulo n::

    receiver, items X                              sender, items Y with values v
      PsiSumOffer     <---------------------->       PsiSumOffer: |X|, |Y|, Paillier key
      {H(x)^a}        --- PsiSumMasked, blocks -->
                      <-- PsiSumTags, blocks -----   {H(x)^ab}, ascending
                      <-- PsiSumMasked, blocks ---   {H(y)^b, E(v)}, shuffled
      J: those y with H(y)^ba among the tags
      E(sum of J + r) --- PsiSumTotal ----------->
                      <-- PsiSumTotal ------------   its plaintext, modulo n

**Who learns what.** The receiver: |Y|, how many items are common, and with values their total. It
does not learn which: its own set comes back in the order of tags, the sender's in a shuffled one.
The sender: |X|, and nothing else. A total over few items says much of each, one over a single item
all; what may be asked how often is for the policy of the value's owner.

**Security: semi-honest**, from decisional Diffie–Hellman with H a random oracle and the security of
Paillier's encryption. Nothing here holds against a malicious peer: a receiver may send one element
many times, or add up other ciphertexts than those of common items. The ciphertext it sends is
freshly masked and its plaintext uniform, so it tells the sender nothing; the key carries a proof of
its form, and elements and ciphertexts are checked.

Cost: two group operations an item and side, and one encryption for each of the sender's items.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError, CryptoError, ParameterMismatch, ProtocolError
from mpc.kernels import hashing, matching
from mpc.net import columns
from mpc.net.channel import Channel
from mpc.pb.v1 import psi_sum_pb2 as pb
from mpc.pb.v1.columns_pb2 import Column
from mpc.primitives import ristretto
from mpc.primitives.items import Items
from mpc.primitives.paillier import Ciphertexts, PublicKey, SecretKey
from mpc.primitives.ristretto import Points, Scalars
from mpc.primitives.rng import SYSTEM, Rng, below, permutation

BLOCK = 1 << 12
LABEL = b"mpc:v1:psi_sum:ristretto255_XMD:SHA-512"
VALUE_BOUND = 1 << 63
"""What the magnitude of a value, its scale included, stays below."""

_TAG_BYTES = 16
_MOST_ITEMS = 1 << 32


@dataclass(frozen=True, slots=True)
class Aggregate:
    """How many items are common, and the total of their values where the sender gave some."""

    count: int
    total: int | float | None


def receiver(
    channel: Channel,
    items: Any,
    *,
    duplicates: Literal["error", "first"] = "error",
    allow_weak: bool = False,
    rng: Rng = SYSTEM,
) -> Aggregate:
    """The size of the intersection, and the total of the sender's values over it.

    ``items``: what ``Items.of`` takes. One that occurs twice is a ``DataError``; with
    ``duplicates="first"`` its first row stands for it. ``allow_weak`` admits keys below 2048 bits.
    """
    mine = Items.of(items)
    mine = mine.take(_distinct(mine, duplicates))
    theirs = _agree(channel, pb.PsiSumOffer(role="receiver", count=len(mine)))
    public = _public(channel, theirs.key, allow_weak) if theirs.key else None
    secret, order = ristretto.scalar(rng), permutation(rng, len(mine))
    for start in range(0, len(mine), BLOCK):
        block = mine.take(order[start : start + BLOCK])
        channel.send(pb.PsiSumMasked(points=_encoded(block, secret)))
    tags = _fetch_tags(channel, len(mine))
    count, total = 0, None if public is None else public.encrypt([0], bound=VALUE_BOUND, rng=rng)
    for start in range(0, theirs.count, BLOCK):
        message = channel.recv(pb.PsiSumMasked)
        size = min(BLOCK, theirs.count - start)
        points = _fetch_points(channel, message, size)
        chosen = np.flatnonzero(matching.positions(_tags(points, secret), tags) >= 0)
        count += len(chosen)
        if public is not None and total is not None:
            values = _fetch_values(channel, message, public, size)
            total = total + values[chosen].sum().reshape(1) if len(chosen) else total
    if public is None or total is None:
        return Aggregate(count, None)
    scaled = _opened(channel, public, total, rng)
    fraction = theirs.fraction_bits
    return Aggregate(count, scaled if fraction == 0 else scaled / 2**fraction)


def sender(
    channel: Channel,
    items: Any,
    values: Any = None,
    *,
    key: SecretKey | None = None,
    fraction_bits: int = 0,
    duplicates: Literal["error", "first"] = "error",
    rng: Rng = SYSTEM,
) -> int:
    """Let the receiver learn the size of the intersection, and the total of ``values`` over it.

    ``values``: one number for each item, rounded to ``fraction_bits``, which are public; they go
    under ``key``, which is made for this or kept from other runs. With ``duplicates="first"`` the
    value of an item's first row counts. Returns how many items the receiver has.
    """
    mine = Items.of(items)
    held = _values(values, len(mine), key)
    rows = _distinct(mine, duplicates)
    mine, held = mine.take(rows), held if key is None else held[rows]
    offer = pb.PsiSumOffer(role="sender", count=len(mine), fraction_bits=fraction_bits)
    if key is not None:
        offer.key = key.public.to_bytes()
    theirs = _agree(channel, offer)
    secret, order = ristretto.scalar(rng), permutation(rng, len(mine))
    _send_tags(channel, theirs.count, secret)
    for start in range(0, len(mine), BLOCK):
        block = order[start : start + BLOCK]
        message = pb.PsiSumMasked(points=_encoded(mine.take(block), secret))
        if key is not None:
            sent = key.encrypt(held[block], fraction_bits=fraction_bits, bound=VALUE_BOUND, rng=rng)
            message.values.CopyFrom(Column(**columns.pack(sent.to_array())))
        channel.send(message)
    if key is not None:
        _open(channel, key)
    return int(theirs.count)


def _distinct(items: Items, duplicates: str) -> NDArray[np.intp]:
    """The rows of the items that count, ascending."""
    if duplicates not in ("error", "first"):
        raise ConfigError(f"duplicates is error or first, not {duplicates!r}")
    if duplicates == "error":
        items.check_distinct()
        return np.arange(len(items))
    digests = hashing.digests(items.data, items.offsets, person=b"mpc:item", size=16)
    return np.sort(np.unique(digests, axis=0, return_index=True)[1])


def _values(values: Any, count: int, key: SecretKey | None) -> NDArray[Any]:
    if (values is None) != (key is None):
        raise ConfigError("values to add up need a key, and a key needs values")
    held = np.empty(0) if values is None else np.asarray(values)
    if values is not None and held.shape != (count,):
        raise ConfigError(f"values of shape {held.shape} for {count} items")
    return held


def _agree(channel: Channel, ours: pb.PsiSumOffer) -> pb.PsiSumOffer:
    theirs = channel.exchange(ours)
    if {ours.role, theirs.role} != {"receiver", "sender"}:
        raise ParameterMismatch(channel.peer, "role", ours.role, repr(theirs.role)[:100])
    if theirs.count > _MOST_ITEMS:
        raise ProtocolError(channel.peer, f"announces {theirs.count} items, above {_MOST_ITEMS}")
    if theirs.fraction_bits > VALUE_BOUND.bit_length():
        raise ProtocolError(channel.peer, f"values of {theirs.fraction_bits} fractional bits")
    return theirs


def _public(channel: Channel, data: bytes, allow_weak: bool) -> PublicKey:
    try:
        return PublicKey.from_bytes(data, allow_weak=allow_weak)
    except CryptoError as error:
        raise ProtocolError(channel.peer, f"its key: {error}") from None


def _encoded(items: Items, secret: Scalars) -> columns.Packed:
    return columns.pack(
        ristretto.encode(ristretto.mul(ristretto.hash_to_group(items, LABEL), secret))
    )


def _tags(points: Points, secret: Scalars) -> NDArray[np.uint64]:
    encodings = ristretto.encode(ristretto.mul(points, secret))[:, :_TAG_BYTES]
    return np.ascontiguousarray(encodings).view(np.uint64)


def _sizes(count: int) -> Iterator[int]:
    """Of the blocks that ``count`` items come in."""
    return (min(BLOCK, count - start) for start in range(0, count, BLOCK))


def _fetch_points(channel: Channel, message: pb.PsiSumMasked, size: int) -> Points:
    width, peer = ristretto.ENCODED_BYTES, channel.peer
    encodings = columns.unpack(message.points, width=width, count=size, peer=peer)
    try:
        return ristretto.decode(encodings)
    except CryptoError as error:
        raise ProtocolError(peer, f"masked items: {error}") from None


def _fetch_values(
    channel: Channel, message: pb.PsiSumMasked, public: PublicKey, size: int
) -> Ciphertexts:
    width, peer = public.ciphertext_bytes, channel.peer
    rows = columns.unpack(message.values, width=width, count=size, peer=peer)
    return Ciphertexts.from_array(public, rows, bound=VALUE_BOUND, peer=peer)


def _send_tags(channel: Channel, count: int, secret: ristretto.Scalars) -> None:
    """What the receiver's ``count`` masked items come to, in an order that says nothing of them."""
    parts = [
        _tags(_fetch_points(channel, channel.recv(pb.PsiSumMasked), size), secret)
        for size in _sizes(count)
    ]
    tags = matching.sort(np.concatenate([np.empty((0, 2), np.uint64), *parts]))
    for start in range(0, len(tags), BLOCK):
        channel.send(pb.PsiSumTags(tags=columns.pack(tags[start : start + BLOCK])))


def _fetch_tags(channel: Channel, count: int) -> NDArray[np.uint64]:
    parts = [
        columns.unpack(
            channel.recv(pb.PsiSumTags).tags, width=_TAG_BYTES, count=size, peer=channel.peer
        )
        for size in _sizes(count)
    ]
    tags = np.concatenate([np.empty((0, _TAG_BYTES), np.uint8), *parts]).view("<u8")
    if not matching.ascending(tags):
        raise ProtocolError(channel.peer, "tags are not in ascending order")
    return tags


def _opened(channel: Channel, public: PublicKey, total: Ciphertexts, rng: Rng) -> int:
    """Have the sender decrypt the total under a uniform mask, and take the mask off."""
    mask = below(rng, public.n, 1)
    sent = total.masked(mask).rerandomized(rng=rng)
    channel.send(pb.PsiSumTotal(total=columns.pack(sent.to_array())))
    answer = channel.recv(pb.PsiSumTotal).total
    width = (public.n.bit_length() + 7) // 8
    row = columns.unpack(answer, width=width, count=1, peer=channel.peer)
    plain = (int.from_bytes(row.tobytes(), "little") - mask[0]) % public.n
    return plain - public.n if plain > public.n // 2 else plain


def _open(channel: Channel, key: SecretKey) -> None:
    public = key.public
    column = channel.recv(pb.PsiSumTotal).total
    row = columns.unpack(column, width=public.ciphertext_bytes, count=1, peer=channel.peer)
    (plain,) = key.decrypt_residues(Ciphertexts.from_array(public, row, peer=channel.peer))
    width = (public.n.bit_length() + 7) // 8
    answer = np.frombuffer(plain.to_bytes(width, "little"), np.uint8).reshape(1, -1)
    channel.send(pb.PsiSumTotal(total=columns.pack(answer)))
