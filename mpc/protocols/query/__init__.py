# SPDX-License-Identifier: Apache-2.0
"""Single ids against a big list: prepared once, fetched once, then one round trip a query.

The function is the VOPRF of RFC 9497, suite ristretto255-SHA512, and the list is that of
``primitives.prepared``. The outline, a compressed set of outputs sent once, is that of Kiss, Liu,
Schneider, Asokan, Pinkas, "Private Set Intersection for Unequal Set Sizes with Mobile Applications"
(PoPETs 2017); here every evaluation is proven, and the set is signed and carries labels::

    holder, key k and a prepared list                      asker, the pinned name and signing key
                          <-- QueryRequest: catalog ---                                fetch
      signed headers      --- QueryAnswer: offer ----->    checks them against pin and copy
                          <-- QueryRequest: segment ---    each file that it lacks, from a byte on
      the file            --- QueryAnswer: chunks ---->    checks digests, keeps the files

                          <-- QueryRequest: H(x) + r G -   a fresh r for each id       asker
      counts, and         --- QueryAnswer: k (H(x) + r G), checks the proof, takes r k G off,
      evaluates               proof ------------------->   looks up the output in its copy, opens
                                                           the label

Masks are added and not multiplied, which the holder cannot tell: ``oprf.mask`` says why that is
sound here, where each evaluation is proven before its mask is taken off.

One round trip for up to ``BLOCK`` ids; with more, blocks are answered one by one, and the asker
works on its neighbours meanwhile. Bytes: about 50 bits an entry once, plus the room for labels and
18 bytes; 32 an id each way and 64 for the proof of a block.

**Who learns what.** The asker: which ids it asked for are listed, and their labels; the size of the
list, of each update (entries added and removed), when they were made, and which of the ids it asked
for they concern. The holder: how many ids are asked for and when, and which version of the list was
fetched; nothing about the ids, whether any is listed, or whether one was asked for before.

**A malicious holder** learns no more: what is sent are uniform elements, and the asker's answer to
an evaluation is local. The proof ties each evaluation to the public key in the signed header, so a
holder can neither answer under another key to one asker or for one query, nor recognise anyone by
it. It chooses what is on its list, entries without meaning included; it can sign two lists of one
version for two askers, who notice when they compare ``newest.identity`` or when one of them
sees the other's. If it learns by other ways what the asker did with an answer, it learns that.

**A malicious asker** gets one output for each evaluation that is counted, of an id of its choice
(one-more gap Diffie–Hellman, RFC 9497, section 7.2.1), and outputs are all that opens the list:
tags and labels are hashes of them. So it cannot try ids against the file by itself, however few
there can be (tax numbers, say); it can ask for as many as ``Limits`` allow. Which ids it asks for
nobody sees: that it asks for its own applicants only has to be agreed, and a low ``total`` bounds
what it gains by breaking that. Where one ``HolderKey`` serves several lists, an evaluation counted
for one opens the asker's copies of the others too: a key for each list keeps them apart.

**Collusion.** Askers of one list share what each learnt, and their evaluations add up. An asker
and whoever steals ``k`` can try all ids against the file and open the labels found: the key guards
every copy ever fetched. The signing key alone forges lists, and opens none.

**Rotation.** ``prepare`` again with ``key.rotated()`` and delete the old key: copies of earlier
lists are then closed for good. Askers keep their pin; an asker with the old list is refused
(``key``) and fetches again. q evaluations, of all askers together, cost about log2(q) / 2 of the
key's 125 bits (section 7.2.3). ``Limits`` count by peer: who gets a new name gets a new total.

**False positives**: with probability 2^-40 at most in all ``queries`` that ``prepare`` was told
(``PreparedList.false_positives`` has the figure). In a list with labels such an entry's label does
not open, and the call ends in a ``ProtocolError`` rather than in a wrong answer.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.errors import CryptoError, InvalidKey, PeerClosed, ProtocolError
from mpc.net import columns
from mpc.net.channel import Channel
from mpc.pb.v1 import query_pb2 as pb
from mpc.primitives import oprf
from mpc.primitives.items import Items
from mpc.primitives.oprf import Query
from mpc.primitives.prepared import HolderKey, ListFault, PreparedList
from mpc.primitives.ristretto import ENCODED_BYTES
from mpc.primitives.rng import SYSTEM, Rng
from mpc.protocols.query.fetching import fetch
from mpc.protocols.query.limits import Counter, CounterFile, Gate, Limits, Refused
from mpc.protocols.query.publishing import Published
from mpc.protocols.query.wire import answered
from mpc.tracing import span, spanned

__all__ = [
    "Answers",
    "Counter",
    "CounterFile",
    "Gate",
    "Limits",
    "Refused",
    "Served",
    "asker",
    "end",
    "fetch",
    "holder",
]

log = logging.getLogger("mpc.protocols.query")

BLOCK = 1 << 8
_MOST_ELEMENTS = 1 << 14


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Answers:
    """For each id asked for, in order: is it listed, and with which label (None if it is not, or if
    the list has none). ``newest`` is the version that the holder said it has now; when it is
    above ``version``, the one asked against, there is something to fetch."""

    listed: NDArray[np.bool_]
    labels: tuple[bytes | None, ...]
    version: int
    newest: int

    def __repr__(self) -> str:
        return f"Answers(<{len(self.listed)} ids>, version {self.version}, newest {self.newest})"


@dataclass(slots=True)
class Served:
    """What a holder did on one channel: requests answered, evaluations made, refusals, and bytes
    of the list's files sent."""

    requests: int = 0
    evaluations: int = 0
    refused: int = 0
    file_bytes: int = 0


def asker(channel: Channel, prepared: PreparedList, ids: Any, *, rng: Rng = SYSTEM) -> Answers:
    """Ask for ``ids`` (whatever ``Items.of`` takes) against a copy of the list.

    Raises ``Refused`` when the holder's limits do not allow so many, before anything is evaluated,
    and ``ProtocolError`` when an evaluation was not made with the key of the list.
    """
    items = Items.of(ids)
    outputs = [np.empty((0, oprf.OUTPUT_BYTES), np.uint8)]
    newest = prepared.version
    blocks = _blinded(items, rng)
    waiting = next(blocks, None)
    total, done = len(items), None
    while waiting is not None:
        asked = waiting
        elements = columns.pack(asked.elements)
        key = prepared.newest.public_key
        blinded = pb.QueryBlinded(public_key=key, total=total, elements=elements)
        channel.send(pb.QueryRequest(blinded=blinded))
        # The holder is at work: so are we, on this block, the one before, and the one to come.
        asked = _ahead(channel, asked, key)
        if done is not None:
            outputs.append(_finalized(channel, *done, key))
        waiting = next(blocks, None)
        answer = answered(channel, "evaluated").evaluated
        total, done, newest = 0, (asked, answer), answer.newest
    if done is not None:
        outputs.append(_finalized(channel, *done, prepared.newest.public_key))
    try:
        with span("look_up"):
            listed, labels = prepared.look_up(np.concatenate(outputs))
    except ListFault as fault:
        raise ProtocolError(channel.peer, f"signed an entry that does not open: {fault}") from None
    return Answers(listed, tuple(labels), prepared.version, newest)


def end(channel: Channel) -> None:
    """Tell the holder that nothing more will be asked."""
    channel.send(pb.QueryRequest(end=pb.QueryEnd()))


def holder(
    channel: Channel,
    key: HolderKey,
    folder: Path,
    *,
    name: str,
    gate: Gate,
    rng: Rng = SYSTEM,
) -> Served:
    """Answer one asker until it ends or closes: hand out the list, and evaluate within ``gate``.

    Updates of the list in ``folder`` are offered as soon as they are there. Raises ``KeyMismatch``
    when the list is not of this ``key``.
    """
    published = Published(folder, key, name)
    served = Served()
    admitted = 0
    while True:
        try:
            request = channel.recv(pb.QueryRequest)
        except PeerClosed:
            return served
        match request.WhichOneof("ask"):
            case "catalog":
                headers = published.headers()
                channel.send(pb.QueryAnswer(offer=pb.QueryOffer(headers=headers)))
            case "segment":
                for data in published.chunks(channel.peer, request.segment):
                    channel.send(pb.QueryAnswer(chunk={"data": data}))
                    served.file_bytes += len(data)
            case "blinded":
                count, elements = _checked(channel.peer, request.blinded, admitted)
                refused = _refusal(channel.peer, key, request.blinded, gate)
                if refused is not None:
                    channel.send(pb.QueryAnswer(refused=refused))
                    served.refused += 1
                    continue
                admitted += request.blinded.total - count
                evaluated = _evaluated(channel.peer, key, elements, rng)
                evaluated.newest = published.newest()
                channel.send(pb.QueryAnswer(evaluated=evaluated))
                served.evaluations += count
            case "end":
                return served
            case _:
                raise ProtocolError(channel.peer, "asks for nothing that this version knows")
        served.requests += 1


def _blinded(items: Items, rng: Rng) -> Iterator[Query]:
    for start in range(0, len(items), BLOCK):
        with span("mask"):
            query = oprf.mask(items[start : start + BLOCK], rng)
        yield query


@spanned("ahead")
def _ahead(channel: Channel, query: Query, public_key: bytes) -> Query:
    try:
        return oprf.ahead(query, public_key)
    except InvalidKey as error:
        raise ProtocolError(channel.peer, f"its list: {error}") from None


def _finalized(
    channel: Channel, query: Query, answer: pb.QueryEvaluated, public_key: bytes
) -> NDArray[np.uint8]:
    elements = columns.unpack(
        answer.elements, width=ENCODED_BYTES, peer=channel.peer, count=len(query.items)
    )
    try:
        with span("finalize"):
            return oprf.finalize(query, elements, answer.proof, public_key)
    except CryptoError as error:
        raise ProtocolError(channel.peer, f"evaluations: {error}") from None


def _checked(peer: str, blinded: pb.QueryBlinded, admitted: int) -> tuple[int, NDArray[np.uint8]]:
    elements = columns.unpack(blinded.elements, width=ENCODED_BYTES, peer=peer)
    if not 1 <= len(elements) <= _MOST_ELEMENTS:
        raise ProtocolError(peer, f"asks for {len(elements)} evaluations in one message")
    if len(elements) > (blinded.total or admitted):
        raise ProtocolError(peer, "asks for more evaluations than it announced")
    return len(elements), elements


def _refusal(
    peer: str, key: HolderKey, blinded: pb.QueryBlinded, gate: Gate
) -> pb.QueryRefused | None:
    """What stands against a call's first block, if anything; the blocks after it are counted."""
    try:
        if blinded.public_key != key.oprf.public:
            raise Refused(peer, "key", 0, 0.0)
        if blinded.total:
            gate.admit(peer, blinded.total)
    except Refused as refused:
        log.info("%s", refused)
        limit, allowed = refused.limit, refused.allowed
        return pb.QueryRefused(limit=limit, allowed=allowed, retry_seconds=refused.retry_seconds)
    return None


@spanned("evaluate")
def _evaluated(
    peer: str, key: HolderKey, elements: NDArray[np.uint8], rng: Rng
) -> pb.QueryEvaluated:
    try:
        evaluated, proof = oprf.blind_evaluate(key.oprf, elements, rng)
    except CryptoError as error:
        raise ProtocolError(peer, f"blinded elements: {error}") from None
    return pb.QueryEvaluated(elements=columns.pack(evaluated), proof=proof)
