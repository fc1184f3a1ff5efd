# SPDX-License-Identifier: Apache-2.0
"""What three or more parties have in common, and nothing of what two of them have; semi-honest.

A *leader* and two or more *followers*. Each follower has a value for every item, such that those
of all followers add up to zero, and programs an oblivious function of the leader's with it: the
augmented semi-honest protocol of Kolesnikov, Matania, Pinkas, Rosulek, Trieu, "Practical
Multi-party Private Set Intersection from Symmetric-Key Techniques" (CCS 2017, eprint 2017/799),
which has unconditional zero sharing, here with the function of ``lookup.function``::

    leader, items X                                      follower i, items Y_i
                                every two followers        PsiManyHalf <-> PsiManyHalf: a key k_ij
      PsiManyOffer          <-- one round, with each -->   PsiManyOffer
      PsiManySeed           --- seed ------------------>
      F_i(x)                <-------------------------->   F_i(y)                    lookup.function
                            <-- PsiManySeed ------------   s_i(y) = sum of PRF(k_ij, y) over j
                            <-- PsiManyHint ------------   store of F_i(y): s_i(y) + pad; in parts
      x, where what the stores give for it adds up to zero

Sums are XOR; key in the store and pad come from a hash of F_i(y) and y.

**Learns.** The leader: which of its items *all* followers hold, and how many items each has. A
follower: how many the leader has. A party with a public bound (``pad_to``) takes random items to
its own until they are as many, and shows the bound. For an item of some followers but not all, what
the leader gets of each of them is uniform, and so are they together, since each has a secret with
one that lacks the item; what a follower's store gives for an item that is not the follower's is
uniform too. So how many items two parties have in common, or the leader with one, shows nowhere.

**Collusion.** Followers learn nothing together. A leader that colludes with followers learns which
of its items all the *others* hold, as it would if those had put in its own set.

**Semi-honest.** A lying follower can make items common that are not among its own, or not common,
as by another set. A lying leader can ask about other items, up to the size of its store: 1.3 times
as many as it announced where they are thousands, 193 for a single one. An item that is not common
passes for one with probability 2^-128; a store fails with probability 2^-40, in a CryptoError.
Memory: some 300 bytes an item, and as much for each follower at the leader.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError, ParameterMismatch, ProtocolError
from mpc.kernels import hashing
from mpc.net import columns
from mpc.net.channel import Channel
from mpc.net.mesh import Mesh
from mpc.pb.v1 import psi_many_pb2 as pb
from mpc.primitives import okvs
from mpc.primitives.items import Items
from mpc.primitives.rng import SEED_BYTES, SYSTEM, Prg, Rng, uint64
from mpc.protocols.lookup import function
from mpc.protocols.psi.agreement import shown
from mpc.tracing import ThreadPool, span

Words = NDArray[np.uint64]
Indices = NDArray[np.intp]

MOST_ITEMS = 1 << 28
NO_BOUNDS: Mapping[str, int] = {}

_KEY_BYTES = 32
_LABEL = b"mpc:v1:psi_many\0"


def leader(
    mesh: Mesh,
    items: Any,
    followers: Sequence[str],
    *,
    pad_to: Mapping[str, int] = NO_BOUNDS,
    rng: Rng = SYSTEM,
) -> Indices:
    """The rows of ``items`` that all ``followers`` hold too, ascending.

    ``pad_to`` has the public bounds of those parties, this one among them, that show one in place
    of their number of items. Raises DataError for items that are null or repeat, before anything is
    sent, ConfigError for more than our bound and for fewer than two followers (``psi`` is for one),
    and ParameterMismatch for a party that shows another bound.
    """
    own = _distinct(items, followers)
    held = own.padded(shown(len(own), pad_to.get(mesh.me)), rng)

    def ask(name: str, seed: bytes) -> Words:
        return _ask(mesh.channel(name), held, followers, pad_to.get(name), Prg(seed))

    seeds = [rng.bytes(SEED_BYTES) for _ in followers]
    with ThreadPool(len(followers)) as pool:
        sums = np.bitwise_xor.reduce(list(pool.map(ask, followers, seeds)))
    found: Indices = np.flatnonzero(~sums[: len(own)].any(axis=1))
    return found


def follower(
    mesh: Mesh,
    items: Any,
    leader: str,
    followers: Sequence[str],
    *,
    pad_to: Mapping[str, int] = NO_BOUNDS,
    rng: Rng = SYSTEM,
) -> int:
    """Let the ``leader`` learn which of its items all ``followers`` hold; how many it has, or the
    bound that it shows.

    ``followers`` includes this party, and is the same at all; ``pad_to`` and what is raised are as
    for ``leader``.
    """
    own = _distinct(items, followers)
    held = own.padded(shown(len(own), pad_to.get(mesh.me)), rng)
    if mesh.me not in followers:
        raise ConfigError(f"{mesh.me} is not among the followers {tuple(followers)}")
    # In one order of names everywhere, so that nobody waits in a circle.
    others = sorted(name for name in followers if name != mesh.me)
    keys = [_common_key(mesh.channel(name), mesh.me, rng) for name in others]
    with span("values"):
        shares = np.zeros((len(held), 2), np.uint64)
        for key in keys:
            shares ^= hashing.digests(held.data, held.offsets, key=key, person=b"many:s")[:, :2]
    return _answer(mesh.channel(leader), held, followers, pad_to.get(leader), shares, rng)


def _distinct(items: Any, followers: Sequence[str]) -> Items:
    if len(set(followers)) != len(followers) or len(followers) < 2:
        raise ConfigError(f"two or more followers, each named once, not {tuple(followers)}")
    held = Items.of(items)
    held.check_distinct()
    if len(held) > MOST_ITEMS:
        raise ConfigError(f"{len(held)} items; this takes {MOST_ITEMS} at most")
    return held


def _ask(
    channel: Channel, held: Items, followers: Sequence[str], bound: int | None, rng: Rng
) -> Words:
    """What the follower's store gives for each item (n, 2)."""
    count, session = _agree(channel, "leader", held, followers, bound, rng)
    if not len(held) or not count:
        return uint64(rng, (len(held), 2))
    seed = rng.bytes(okvs.SEED_BYTES)
    channel.send(pb.PsiManySeed(seed=seed))
    points = _points(held, session)
    with span("function"):
        hashed = _hashed(function.receiver(channel, points, seed, rng), points, session)
    rows = okvs.Rows.of(hashed[:, :2], _seed(channel), okvs.Parameters.of(count))
    out = hashed[:, 2:].copy()
    with span("hint"):
        for part, place, inside in rows.parts():
            column, size = channel.recv(pb.PsiManyHint).values, place.stop - place.start
            store = columns.unpack(column, width=16, count=size, peer=channel.peer).view("<u8")
            out[rows.order[part]] ^= inside.decode(store)
    return out


def _answer(
    channel: Channel,
    held: Items,
    followers: Sequence[str],
    bound: int | None,
    shares: Words,
    rng: Rng,
) -> int:
    count, session = _agree(channel, "follower", held, followers, bound, rng)
    if not len(held) or not count:
        return count
    seed, points = _seed(channel), _points(held, session)
    with span("function"):
        evaluated = function.sender(channel, count, seed, rng).at(points)
    hashed, fresh = _hashed(evaluated, points, session), rng.bytes(okvs.SEED_BYTES)
    channel.send(pb.PsiManySeed(seed=fresh))
    with span("hint"):
        rows = okvs.Rows.of(hashed[:, :2], fresh, okvs.Parameters.of(len(held)))
        words = np.take(hashed[:, 2:] ^ shares, rows.order, axis=0)
        for part, _, inside in rows.parts():
            channel.send(pb.PsiManyHint(values=columns.pack(inside.encode(words[part], rng))))
    return count


def _common_key(channel: Channel, me: str, rng: Rng) -> bytes:
    """A secret of this party and one other, the same at both."""
    ours = rng.bytes(_KEY_BYTES)
    theirs = channel.exchange(pb.PsiManyHalf(half=ours)).half
    if len(theirs) != _KEY_BYTES:
        raise ProtocolError(channel.peer, f"half a key has {_KEY_BYTES} bytes, not {len(theirs)}")
    both = ours + theirs if me < channel.peer else theirs + ours
    return hashlib.blake2s(_LABEL + both).digest()


def _agree(
    channel: Channel,
    role: str,
    held: Items,
    followers: Sequence[str],
    bound: int | None,
    rng: Rng,
) -> tuple[int, bytes]:
    """The peer's number of items, which is its ``bound`` if it has one, and the key of this run."""
    nonce = rng.bytes(_KEY_BYTES)
    ours = pb.PsiManyOffer(role=role, count=len(held), followers=sorted(followers), nonce=nonce)
    theirs = channel.exchange(ours)
    if {role, theirs.role} != {"leader", "follower"}:
        raise ProtocolError(channel.peer, f"its part is not the one that fits a {role}")
    if theirs.followers != ours.followers:
        raise ParameterMismatch(
            channel.peer, "followers", str(ours.followers), str(theirs.followers)[:400]
        )
    if len(theirs.nonce) != _KEY_BYTES or theirs.count > MOST_ITEMS:
        raise ProtocolError(channel.peer, "malformed offer of an intersection")
    if bound not in (None, theirs.count):
        raise ParameterMismatch(channel.peer, "pad_to", str(bound), str(theirs.count))
    both = nonce + theirs.nonce if role == "leader" else theirs.nonce + nonce
    return int(theirs.count), hashlib.blake2s(_LABEL + both).digest()


def _points(held: Items, session: bytes) -> Words:
    return hashing.digests(held.data, held.offsets, key=session, person=b"many:x")


def _hashed(values: Words, points: Words, session: bytes) -> Words:
    """For each item: its key in the store (2 words), and a pad (2 words)."""
    return hashing.joined(values, points, key=session, person=b"many:h")


def _seed(channel: Channel) -> bytes:
    seed = bytes(channel.recv(pb.PsiManySeed).seed)
    if len(seed) != okvs.SEED_BYTES:
        raise ProtocolError(channel.peer, f"a seed has {okvs.SEED_BYTES} bytes, not {len(seed)}")
    return seed
