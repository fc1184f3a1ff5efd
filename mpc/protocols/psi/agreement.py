# SPDX-License-Identifier: Apache-2.0
"""What the two sides of an intersection agree on before it, and how they cut their sets."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError, DataError, ParameterMismatch, ProtocolError
from mpc.net.channel import Channel
from mpc.pb.v1 import rr22_pb2 as pb
from mpc.primitives import okvs
from mpc.primitives.rng import Rng
from mpc.protocols import vole
from mpc.protocols.psi.progress import RUN_BYTES, Progress, digest

Words = NDArray[np.uint64]
Indices = NDArray[np.intp]

_ITEM_BYTES = 384  # a side's peak per item of a bucket: 255 measured, and room for the link
LEAST_BUCKET = 1 << 14
"""Items of a bucket, however little memory a peer says it has: stores of fewer have room for more
than 1.3 times as many, and a receiver that lies uses the room of all."""
_MOST_ITEMS = 1 << 32
_NARROW_ITEMS = 1 << 24  # up to here 64-bit values keep 40 bits of statistical security
_NONCE_BYTES = 32


@dataclass(frozen=True, slots=True)
class Terms:
    """What one side asks for."""

    role: str
    security: str
    to_both: bool
    duplicates: Literal["error", "first"]
    pad_to: int | None
    memory: int
    peer_bound: int | None = None

    def __post_init__(self) -> None:
        if self.security not in ("malicious", "semi-honest"):
            raise ConfigError(f"security is malicious or semi-honest, not {self.security!r}")
        if self.duplicates not in ("error", "first"):
            raise ConfigError(f"duplicates is error or first, not {self.duplicates!r}")
        if not 0 < self.memory < 1 << 63:
            raise ConfigError(f"memory is a number of bytes, not {self.memory}")


def shown(count: int, pad_to: int | None) -> int:
    """What a peer sees in place of ``count``. ConfigError where it does not fit the bound."""
    if pad_to is not None and pad_to < count:
        raise ConfigError(f"{count} items do not fit the public bound of {pad_to}")
    return count if pad_to is None else pad_to


@dataclass(frozen=True, slots=True)
class Run:
    """What both sides agreed on; ``receivers`` and ``senders`` bound the items of one bucket."""

    channel: Channel
    key: bytes = field(repr=False)
    agreed: bytes
    malicious: bool
    to_both: bool
    buckets: int
    first: int
    receivers: int
    senders: int
    wide: bool
    tag_bytes: int

    @property
    def ring(self) -> vole.Ring:
        """Values of 128 bits, or of 64."""
        return vole.BLOCKS if self.wide else vole.WORDS

    @property
    def security(self) -> Literal["malicious", "semi-honest"]:
        """Of vector OLE, as of the whole."""
        return "malicious" if self.malicious else "semi-honest"

    @property
    def peer(self) -> str:
        return self.channel.peer


def offer(
    channel: Channel, count: int, terms: Terms, progress: Progress, rng: Rng
) -> pb.IntersectOffer:
    """Send our offer, which ``agree`` answers the peer's with."""
    ours = pb.IntersectOffer(
        role=terms.role,
        security=terms.security,
        to_both=terms.to_both,
        bound=shown(count, terms.pad_to),
        memory=terms.memory,
        nonce=rng.bytes(_NONCE_BYTES),
        run=progress.run,
        done=progress.done,
    )
    channel.send(ours)
    return ours


def agree(channel: Channel, ours: pb.IntersectOffer, terms: Terms, progress: Progress) -> Run:
    """Take the peer's offer. A run that both sides hold the progress of goes on where both have
    been."""
    theirs = _checked(channel.recv(pb.IntersectOffer), ours, channel.peer)
    if terms.peer_bound not in (None, theirs.bound):
        raise ParameterMismatch(channel.peer, "bound", str(terms.peer_bound), str(theirs.bound))
    buckets = _buckets(max(ours.bound, theirs.bound), min(ours.memory, theirs.memory))
    both = (ours, theirs) if terms.role == "receiver" else (theirs, ours)
    receivers, senders = both[0].bound, both[1].bound
    agreed = digest(b"both", struct.pack("<QQQ", receivers, senders, buckets))
    same = bool(ours.run) and ours.run == theirs.run and agreed == progress.agreed
    first = min(ours.done, theirs.done) if same else 0
    malicious = terms.security == "malicious"
    spread = okvs.STATISTICAL_SECURITY + 1 + math.log2(buckets)
    tag_bits = okvs.STATISTICAL_SECURITY + math.log2(max(1, receivers) * max(1, senders))
    return Run(
        channel=channel,
        key=progress.key if first else digest(b"key", both[0].nonce, both[1].nonce),
        agreed=agreed,
        malicious=malicious,
        to_both=terms.to_both,
        buckets=buckets,
        first=first,
        receivers=okvs.capacity(receivers, buckets, spread),
        senders=okvs.capacity(senders, buckets, spread),
        wide=malicious or senders > _NARROW_ITEMS,
        tag_bytes=16 if malicious else max(8, min(16, math.ceil(tag_bits / 8))),
    )


def _buckets(bound: int, memory: int) -> int:
    """How many buckets ``bound`` items are cut into, for ``memory`` bytes."""
    most = max(1, bound // LEAST_BUCKET)
    return min(most, max(1, math.ceil(bound * _ITEM_BYTES / memory)))


def _checked(theirs: pb.IntersectOffer, ours: pb.IntersectOffer, peer: str) -> pb.IntersectOffer:
    """The peer's offer, where it is one that fits ours."""
    if {ours.role, theirs.role} != {"receiver", "sender"}:
        raise ProtocolError(peer, f"its part is not the one that fits a {ours.role}")
    for name in ("security", "to_both"):
        mine, other = getattr(ours, name), getattr(theirs, name)
        if mine != other:
            raise ParameterMismatch(peer, name, repr(mine), repr(other))
    fits = len(theirs.nonce) == _NONCE_BYTES and len(theirs.run) in (0, RUN_BYTES)
    if not fits or theirs.bound > _MOST_ITEMS or not theirs.memory:
        raise ProtocolError(peer, "malformed offer of an intersection")
    return theirs


def fingerprint(terms: Terms, peer: str, digests: Words) -> bytes:
    """Names a set, by its digests under the session key, and what is asked of whom over it."""
    asked = digest(b"term", repr((terms, peer)).encode())
    return digest(b"set", asked, np.ascontiguousarray(digests).data)


def distinct(digests: Words, duplicates: str) -> Indices:
    """The rows of first occurrences: all of them, unless duplicates are allowed."""
    every = np.arange(len(digests))
    words = np.sort(digests[:, 0])
    if not bool(np.any(words[1:] == words[:-1])):
        return every
    order = np.lexsort(digests.T)
    ranked = digests[order]
    again = order[np.flatnonzero((ranked[1:] == ranked[:-1]).all(axis=1)) + 1]
    if len(again) and duplicates == "error":
        raise DataError(
            f"{len(again)} of {len(digests)} items repeat an earlier one, "
            f"the first in row {again.min()}"
        )
    # Sorting is stable: of equal items the first row leads, and stays.
    return np.delete(every, again)


def cut(digests: Words, buckets: int) -> list[Indices]:
    """The rows of each bucket, by bits of the digest that the store's rows hash again."""
    if buckets == 1:
        return [np.arange(len(digests))]
    bucket = (digests[:, 3] >> np.uint64(32)) * np.uint64(buckets) >> np.uint64(32)
    order = np.argsort(bucket, kind="stable")
    ends = np.cumsum(np.bincount(bucket.astype(np.intp), minlength=buckets))
    return np.split(order, ends[:-1])
