# SPDX-License-Identifier: Apache-2.0
"""A link that counts what passes through it: bytes, messages, rounds, and a digest of it all.

Bytes are those of the frames, without what TLS and HTTP/2 add. A round is a run of receives: it is
counted when this side receives after it sent, or first of all, so an ``exchange`` is one round and
so is a question with its answer. The digest is SHA-256 over every frame in the order this side put
and got them, each as one byte (0 put, 1 got), its length in eight bytes, little-endian, and itself.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from mpc.net.link import LINGER_SECONDS, Frame, Link


@dataclass(frozen=True, slots=True)
class Traffic:
    """What passed one link, from this side."""

    sent_bytes: int
    received_bytes: int
    sent_messages: int
    received_messages: int
    rounds: int

    @property
    def messages(self) -> int:
        """Both ways."""
        return self.sent_messages + self.received_messages


class Traced:
    """``link`` with counters. ``digest=False`` saves the hashing of every byte."""

    __slots__ = ("_link", "_received", "_receiving", "_rounds", "_sent", "_transcript")

    def __init__(self, link: Link, *, digest: bool = True) -> None:
        self._link = link
        self._sent = [0, 0]
        self._received = [0, 0]
        self._rounds = 0
        self._receiving = False
        self._transcript = hashlib.sha256() if digest else None

    @property
    def peer(self) -> str:
        return self._link.peer

    @property
    def traffic(self) -> Traffic:
        """What passed until now."""
        (sent, puts), (received, gets) = self._sent, self._received
        return Traffic(sent, received, puts, gets, self._rounds)

    def digest(self) -> bytes:
        """SHA-256 of the transcript until now."""
        if self._transcript is None:
            raise ValueError("this link was traced with digest=False")
        return self._transcript.digest()

    def put(self, frame: Frame, timeout: float | None = None) -> None:
        self._link.put(frame, timeout)
        self._receiving = False
        self._count(self._sent, b"\0", frame)

    def get(self, timeout: float | None = None) -> Frame:
        frame = self._link.get(timeout)
        if not self._receiving:
            self._receiving = True
            self._rounds += 1
        self._count(self._received, b"\1", frame)
        return frame

    def close(self, timeout: float | None = LINGER_SECONDS) -> None:
        self._link.close(timeout)

    def _count(self, counter: list[int], way: bytes, frame: Frame) -> None:
        counter[0] += len(frame)
        counter[1] += 1
        if self._transcript is not None:
            self._transcript.update(way + len(frame).to_bytes(8, "little"))
            self._transcript.update(frame)
