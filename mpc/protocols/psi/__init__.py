# SPDX-License-Identifier: Apache-2.0
"""Two-party intersection from a key-value store and vector OLE; malicious, or semi-honest.

Raghuraman, Rindal, "Blazing Fast PSI from Improved OKVS and Subfield VOLE" (CCS 2022, eprint
2022/320), section 4 and figure 4; the malicious form is that of Rindal, Schoppmann, "VOLE-PSI"
(EUROCRYPT 2021, eprint 2021/266), figure 4, with the store of the former::

    receiver, items X                                    sender, items Y
      IntersectOffer       <-- one round, both ways -->    IntersectOffer
                           <-- at once ------------        TransferChoices           protocols.ot
      TransferKey          --- at once ---------------->
      IntersectSeed        --- seed r ----------------->
                           <-- VOLE: C = A D + B ------>   D, B                      protocols.vole
                           <-- IntersectCommitment ----    to a share w_s               (malicious)
      IntersectShare       --- w_r -------------------->                                (malicious)
      IntersectStore       --- A + P, P(x) = H(x) ----->   K = B + (A + P) D; in parts
                           <-- IntersectShare ---------    w_s                          (malicious)
                           <-- IntersectTags ----------    T(K(y) + D H(y) + w, y), ascending
      those with T(C(x) + w, x) among them
      IntersectReplies     --- the tags' other halves ->   to_both only

P is the store of ``primitives.okvs`` and P(x) what x decodes to in it, w = w_r + w_s; H and T are
keyed BLAKE2s (``kernels.hashing``) as random oracles, and the key is drawn by both in the offers,
when both sets are fixed. Offers that ask for different forms are a ParameterMismatch on both sides.

The sender's part of the first base transfers follows its offer at once: it depends on no message
and on no item. The seed r waits for the peer's offer, and is not derived from the session key: a
sender that knew r when it chose its part of the key could try parts until a set that it guesses
the receiver to have has no store, and learn from an abort whether it has.

**Learns.** The receiver: X and Y's common items. The sender: nothing, or with ``to_both`` the same,
unless the receiver withholds some. Both: the other's number of items, or its bound if it says
``pad_to``. The order of the items does not leave: rows are sorted by their seed, tags by value; and
where many answer a small store, in lots drawn at random, each sent while the next is computed.

**malicious**: values in GF(2^128), tags of 128 bits. A sender that departs from the protocol can
make the receiver abort or miss items, and do what it could with another set. A receiver that
departs can act for another set, of as many items as its store has values: 1.3 times the bound it
offered from 2^13 on, 1.5 times 1,000, 193 for a single one; and in each bucket anew. With
``to_both`` it can withhold items, and cannot invent any. A dishonest party may choose its own
share of vector OLE; the shift w, which nobody chooses and the receiver learns when its store is
sent, keeps the receiver from knowing beforehand what its items come to. What either may guess of
the other's secrets of vector OLE, at the risk of an abort, is said there.

**semi-honest**: values of 64 bits, the space over GF(2) that ``vole.WORDS`` has; the protocol is
linear in them. An item outside X agrees with the store by chance with probability 2^-64, and so
any of 2^24 with 2^-40; for more, the wider values serve. Tags have 40 + log2(|X| |Y|) bits. Vector
OLE leaves its checks out, and A waits for no tree: the store follows the rows in one flight, the
tags the trees in the next, three in all.

**Buckets**: above what the smaller ``memory`` holds, both cut their sets by the keyed hash into
buckets padded to a bound that none exceeds but with probability 2^-40, and do one after the other.
They are of 2^14 items at least, however little memory a peer says it has. Above 4,096 buckets the
stores of all fail together with more than 2^-40 (2^-34 at 2^32 items): an error, and no leak.
With a ``Progress`` kept by the caller, in memory or under a key in a file, a run that broke off
goes on over a new channel from its first open bucket, if both sides have the items and terms that
they had; a malicious peer may put other items into that one. Into any later bucket it may put
what it chooses after the results of earlier ones.

The size of the intersection alone (``cardinality_only``) and totals over it are by ``psi_sum``,
which is another protocol, and semi-honest: ``counting`` says why.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ProtocolError
from mpc.kernels import gf128, hashing, matching
from mpc.net import columns
from mpc.net.channel import Channel
from mpc.pb.v1 import rr22_pb2 as pb
from mpc.primitives import okvs
from mpc.primitives.items import Items
from mpc.primitives.rng import SYSTEM, Rng, uint64
from mpc.protocols import ot, vole
from mpc.protocols.psi import counting, placing, wire
from mpc.protocols.psi.agreement import (
    Run,
    Terms,
    agree,
    cut,
    distinct,
    fingerprint,
    offer,
)
from mpc.protocols.psi.progress import Progress, digest
from mpc.tracing import ThreadPool, span

__all__ = ["MEMORY", "Progress", "receiver", "sender"]

log = logging.getLogger("mpc.protocols.psi")

Words = NDArray[np.uint64]
Indices = NDArray[np.intp]
Bases = Callable[[], Any]  # base transfers of this side: what ``ot.lazy_bases_*`` return
Role = Callable[[Run, Executor, Callable[[], Words], Bases, Rng], Indices]

MEMORY = 1 << 30
"""Bytes that a run may take beside its items and their digests, when nothing else is said."""

_SHARE_BYTES = 16


@overload
def receiver(
    channel: Channel,
    items: Any,
    *,
    security: Literal["malicious", "semi-honest"] = ...,
    cardinality_only: Literal[False] = ...,
    to_both: bool = ...,
    duplicates: Literal["error", "first"] = ...,
    pad_to: int | None = ...,
    peer_bound: int | None = ...,
    memory: int = ...,
    progress: Progress | None = ...,
    rng: Rng = ...,
) -> Indices: ...


@overload
def receiver(
    channel: Channel,
    items: Any,
    *,
    security: Literal["semi-honest"],
    cardinality_only: Literal[True],
    duplicates: Literal["error", "first"] = ...,
    rng: Rng = ...,
) -> int: ...


def receiver(
    channel: Channel,
    items: Any,
    *,
    security: Literal["malicious", "semi-honest"] = "malicious",
    cardinality_only: bool = False,
    to_both: bool = False,
    duplicates: Literal["error", "first"] = "error",
    pad_to: int | None = None,
    peer_bound: int | None = None,
    memory: int = MEMORY,
    progress: Progress | None = None,
    rng: Rng = SYSTEM,
) -> Indices | int:
    """The ascending rows of ``items`` (see ``Items.of``) that the sender holds too.

    ``pad_to`` is a public bound the sender sees in place of the number of items, ``peer_bound`` the
    one that the sender has to show: another is a ``ParameterMismatch``. An item that occurs twice
    is a ``DataError``; with ``duplicates="first"`` its first row stands for it.
    ``cardinality_only`` gives how many rows instead, by ``psi_sum`` and semi-honest only.
    """
    terms = Terms("receiver", security, to_both, duplicates, pad_to, memory, peer_bound)
    if cardinality_only:
        return counting.receiver(channel, items, terms, progress, rng)
    return _run(channel, items, terms, progress, _receive, rng)


def sender(
    channel: Channel,
    items: Any,
    *,
    security: Literal["malicious", "semi-honest"] = "malicious",
    cardinality_only: bool = False,
    to_both: bool = False,
    duplicates: Literal["error", "first"] = "error",
    pad_to: int | None = None,
    peer_bound: int | None = None,
    memory: int = MEMORY,
    progress: Progress | None = None,
    rng: Rng = SYSTEM,
) -> Indices:
    """Let the receiver learn the intersection; returns its rows with ``to_both``, else none.

    The arguments are those of ``receiver``; ``security``, ``cardinality_only`` and ``to_both`` must
    be the same there.
    """
    terms = Terms("sender", security, to_both, duplicates, pad_to, memory, peer_bound)
    if cardinality_only:
        counting.sender(channel, items, terms, progress, rng)
        return np.empty(0, np.intp)
    return _run(channel, items, terms, progress, _send, rng)


def _run(
    channel: Channel,
    items: Any,
    terms: Terms,
    kept: Progress | None,
    role: Role,
    rng: Rng,
) -> Indices:
    held, progress = Items.of(items), kept or Progress()
    digests = _to_go_on_with(held, terms, channel.peer, progress)
    ours = offer(channel, len(held), terms, progress, rng)
    # One side alone puts twice before it gets: on a link that holds little both would wait.
    bases = _begun(channel, "sender", rng) if terms.role == "sender" else None
    run = agree(channel, ours, terms, progress)
    bases = bases or _begun(channel, "receiver", rng)
    # The items are hashed while messages that do not depend on them are on their way.
    with ThreadPool(1) as ahead:

        def cut_up() -> _Sets:
            return _cut_up(held, digests, run, terms, kept, progress)

        sets = ahead.submit(cut_up)
        for bucket in range(run.first, run.buckets):
            if not (run.receivers and run.senders):
                bases()  # so that nothing of it is left on the channel
                break
            found = role(run, ahead, partial(_part, sets, bucket), bases, rng)
            chosen = sets.result().chosen[bucket]
            progress.finish(bucket, chosen, chosen[found])
            if bucket + 1 < run.buckets:
                bases = _begun(channel, terms.role, rng)
        found = sets.result().firsts[progress.marks]
    progress.clear()
    return found


@dataclass(frozen=True, slots=True, repr=False)
class _Sets:
    """Digests of distinct items, which rows they are, and which of them are in each bucket."""

    digests: Words
    firsts: Indices
    chosen: list[Indices]


def _begun(channel: Channel, role: str, rng: Rng) -> Bases:
    """Send our part of the base transfers of a vector OLE; the peer's is awaited by the call."""
    if role == "receiver":
        return ot.lazy_bases_receiver(channel, rng=rng)
    return ot.lazy_bases_sender(channel, uint64(rng, 2), rng=rng)


def _cut_up(
    held: Items, digests: Words, run: Run, terms: Terms, kept: Progress | None, progress: Progress
) -> _Sets:
    """Hash the items, unless that is done, and note in ``progress`` that the run begins."""
    with span("hash"):
        if not run.first:
            digests = _digests(held, run.key)
        firsts = distinct(digests, terms.duplicates)
        if not run.first:
            # Nobody asks for the name of a set whose progress is not kept, and it takes a while.
            name = b"" if kept is None else fingerprint(terms, run.peer, digests)
            progress.begin(run.key, name, run.agreed, buckets=run.buckets, items=len(firsts))
        digests = digests if len(firsts) == len(digests) else digests[firsts]
        return _Sets(digests, firsts, cut(digests, run.buckets))


def _part(sets: Future[_Sets], bucket: int) -> Words:
    """The digests in one bucket."""
    made = sets.result()
    whole = len(made.chosen) == 1
    return made.digests if whole else made.digests[made.chosen[bucket]]


def _to_go_on_with(held: Items, terms: Terms, peer: str, progress: Progress) -> Words:
    """The digests of the run that broke off, if that was over these items with these terms; else it
    is forgotten."""
    if progress.done:
        with span("hash"):
            digests = _digests(held, progress.key)
            if fingerprint(terms, peer, digests) == progress.fingerprint:
                return digests
        log.warning("%s: not the items or terms of the run that broke off, so it starts anew", peer)
        progress.clear()
    return np.empty((0, 4), np.uint64)


def _digests(held: Items, key: bytes) -> Words:
    return hashing.digests(held.data, held.offsets, key=key, person=b"psi:item")


def _receive(
    run: Run, ahead: Executor, part: Callable[[], Words], bases: Bases, rng: Rng
) -> Indices:
    """The receiver's part for one bucket: the rows of its digests, ``part``, that are common."""
    channel, size = run.channel, placing.parameters(run).size
    seed, share = rng.bytes(okvs.SEED_BYTES), rng.bytes(_SHARE_BYTES)
    channel.send(pb.IntersectSeed(seed=seed))
    placed = ahead.submit(partial(placing.placed, run, part, seed, run.receivers))
    with span("vole"):
        a, compute_c = vole.lazy_receiver(
            channel, size, ring=run.ring, bases=bases(), security=run.security, rng=rng
        )
    lot = placed.result()
    if run.malicious:
        committed = channel.recv(pb.IntersectCommitment).commitment
        channel.send(pb.IntersectShare(share=share))
    for mine, place, cluster in lot.rows.parts():
        with span("okvs"):
            masked = cluster.encode(wire.hashed(run, lot.digests[mine]), rng)
            masked ^= a[place].reshape(masked.shape)
        with span("transfer"):
            channel.send(pb.IntersectStore(values=columns.pack(masked)))
    with span("vole"):
        c = compute_c()  # while the store is on its way
    with span("okvs"):
        values = lot.rows.decode(c)
    with span("transfer"):
        if run.malicious:
            values ^= wire.shift(share, _opened(run, committed))
    with span("tags"):
        tags = wire.tags(run, values, lot.digests)
    common = np.zeros(len(tags), np.bool_)
    for theirs in wire.receive_tags(run, placing.lots(run)):
        with span("match"):
            common |= matching.positions(tags[:, :2], theirs) >= 0
    if run.to_both:
        replies = matching.sort(tags[common, 2:])
        channel.send(pb.IntersectReplies(replies=columns.pack(replies)))
    return lot.order[common]


def _send(run: Run, ahead: Executor, part: Callable[[], Words], bases: Bases, rng: Rng) -> Indices:
    """The sender's part for one bucket: the rows of its digests, ``part``, that the receiver has,
    if told."""
    channel, size = run.channel, placing.parameters(run).size
    own = rng.bytes(_SHARE_BYTES)
    with span("vole"):
        transfers = bases()
    seed = wire.sixteen(channel.peer, channel.recv(pb.IntersectSeed).seed)
    labels = placing.labels(run, rng)
    dealt = ahead.submit(partial(placing.dealt, run, part, seed, labels))
    with span("vole"):
        delta, compute_b = vole.lazy_sender(
            channel, size, ring=run.ring, bases=transfers, security=run.security, rng=rng
        )
        if run.malicious:
            # Before the receiver has to wait for it.
            channel.send(pb.IntersectCommitment(commitment=digest(b"share", run.key, own)))
        key = compute_b()
    lots, shift = dealt.result(), None
    if run.malicious:
        shift = wire.shift(wire.sixteen(channel.peer, channel.recv(pb.IntersectShare).share), own)
    replies = []
    for lot in lots:
        tags = _tagged(run, lot, key, delta, shift, store=lot is lots[0])
        if run.malicious and lot is lots[0]:
            channel.send(pb.IntersectShare(share=own))
        wire.send_tags(run, tags[:, :2], lot.padding, len(lots), rng)
        replies.append(tags[:, 2:])
    if not run.to_both:
        return np.empty(0, np.intp)
    answered = wire.answered(run, np.concatenate(replies))
    return np.concatenate([lot.order for lot in lots])[answered]


def _tagged(
    run: Run, lot: placing.Lot, key: Words, delta: Words, shift: Words | None, *, store: bool
) -> Words:
    """The tags of a lot's items. The first lot awaits the ``store``, and makes K of B, in place."""
    tags = np.empty((len(lot.digests), 4 if run.to_both else 2), np.uint64)
    for mine, place, cluster in lot.rows.parts():
        if store:
            with span("transfer"):
                masked = wire.receive_store(run, place)
            with span("okvs"):
                key[place] = gf128.multiply_add(key[place], masked, delta)
        with span("okvs"):
            hashed = wire.element(wire.hashed(run, lot.digests[mine]))
            values = gf128.multiply_add(cluster.decode(key[place]), hashed, delta)
        with span("tags"):
            values = values if shift is None else values ^ shift
            tags[mine] = wire.tags(run, values, lot.digests[mine])
    return tags


def _opened(run: Run, committed: bytes) -> bytes:
    share = wire.sixteen(run.peer, run.channel.recv(pb.IntersectShare).share)
    if digest(b"share", run.key, share) != committed:
        raise ProtocolError(run.peer, "the share is not the one committed to")
    return share
