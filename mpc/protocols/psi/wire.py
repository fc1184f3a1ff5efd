# SPDX-License-Identifier: Apache-2.0
"""Tags of items, and how stores and tags travel: in parts, each checked as it is decoded."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ProtocolError
from mpc.kernels import hashing, matching
from mpc.net import columns
from mpc.pb.v1 import rr22_pb2 as pb
from mpc.primitives.rng import Rng
from mpc.protocols.psi.agreement import Run
from mpc.tracing import span

Words = NDArray[np.uint64]
Indices = NDArray[np.intp]

_NO_TAGS = np.empty((0, 2), np.uint64)
_PIECE = 1 << 15  # tags in one message, or in each of several lots on average


def hashed(run: Run, digests: Words) -> Words:
    """H(x), the value that the store has at x."""
    return np.ascontiguousarray(digests[:, : 2 if run.wide else 1])


def element(values: Words) -> Words:
    """Values of 64 bits as elements of GF(2^128) with a high word of zero."""
    if values.shape[1] == 2:
        return values
    return np.concatenate([values, np.zeros_like(values)], axis=1)


def tags(run: Run, values: Words, digests: Words) -> Words:
    """T(value, x): two words of tag, and two of reply with ``to_both``."""
    size = 32 if run.to_both else 16
    out = hashing.joined(values, digests, key=run.key, person=b"psi:tag", size=size)
    out[:, :2] = truncated(run, out[:, :2])
    return out


def truncated(run: Run, tags: Words) -> Words:
    """The first ``tag_bytes`` of each tag, then zeros."""
    if run.tag_bytes == 16:
        return tags
    keep = np.uint64((1 << 8 * (run.tag_bytes - 8)) - 1)
    return tags & np.array([2**64 - 1, keep], np.uint64)


def sixteen(peer: str, data: bytes) -> bytes:
    """A seed or a share of the peer's."""
    if len(data) != 16:
        raise ProtocolError(peer, f"a seed or share has 16 bytes, not {len(data)}")
    return data


def shift(one: bytes, other: bytes) -> Words:
    """w = w_r + w_s."""
    return np.frombuffer(one, np.uint64) ^ np.frombuffer(other, np.uint64)


def receive_store(run: Run, piece: slice) -> Words:
    width = 16 if run.wide else 8
    values = run.channel.recv(pb.IntersectStore).values
    count = piece.stop - piece.start
    data = columns.unpack(values, width=width, count=count, peer=run.peer)
    return element(data.view("<u8"))


def send_tags(run: Run, tags: Words, padding: int, lots: int, rng: Rng) -> None:
    """The tags of one of ``lots`` and so many of no item, ascending, in one message; or where it is
    the only one, in several."""
    with span("match"):
        others = np.frombuffer(rng.bytes(16 * padding), np.uint64).reshape(-1, 2)
        ordered = matching.sort(np.concatenate([tags, truncated(run, others)]))
        data = ordered.view(np.uint8)[:, : run.tag_bytes]
    with span("transfer"):
        for piece in [slice(None)] if lots > 1 else pieces(run.senders):
            run.channel.send(pb.IntersectTags(tags=columns.pack(data[piece])))


def receive_tags(run: Run, lots: int) -> Iterator[Words]:
    """The sender's tags lot by lot, each ascending; all lots together are of the agreed number."""
    if lots == 1:
        counts = [piece.stop - piece.start for piece in pieces(run.senders)]
        yield _ascending(run, np.concatenate([_NO_TAGS, *(_tags(run, n) for n in counts)]))
        return
    left = run.senders
    for _ in range(lots):
        tags = _ascending(run, _tags(run))
        left -= len(tags)
        yield tags
    if left:
        raise ProtocolError(
            run.peer, f"its lots are of {run.senders - left} tags, not {run.senders}"
        )


def _tags(run: Run, count: int | None = None) -> Words:
    """The tags of one message."""
    with span("transfer"):
        column = run.channel.recv(pb.IntersectTags).tags
        data = columns.unpack(column, width=run.tag_bytes, count=count, peer=run.peer)
        tags = np.zeros((len(data), 16), np.uint8)
        tags[:, : run.tag_bytes] = data
    return tags.view("<u8")


def answered(run: Run, replies: Words) -> Indices:
    """Which of our items the receiver proved to have."""
    column, peer = run.channel.recv(pb.IntersectReplies).replies, run.peer
    theirs = _ascending(run, columns.unpack(column, width=16, peer=peer).view("<u8"))
    found = np.flatnonzero(matching.positions(replies, theirs) >= 0)
    if len(found) != len(theirs):
        raise ProtocolError(peer, f"{len(theirs) - len(found)} replies are of no item of ours")
    return found


def _ascending(run: Run, tags: Words) -> Words:
    if not matching.ascending(tags):
        raise ProtocolError(run.peer, "tags are not in ascending order")
    return tags


def pieces(count: int) -> Iterator[slice]:
    for start in range(0, count, _PIECE):
        yield slice(start, min(count, start + _PIECE))
