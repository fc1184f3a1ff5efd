# SPDX-License-Identifier: Apache-2.0
"""How many messages had to wait for one another, and how long their links alone take for them.

A message depends on those that its sender had received before it sent it. Flights are the messages
of the longest chain each of which depends on the one before (Lamport 1978, "Time, clocks, and the
ordering of events in a distributed system": a clock that goes on by one with each message). So a
question with its answer is two flights, messages of both ways at once are one, and so is a stream
one way. The rounds of a party are those of all that it sent and received; what it waited for is
those it received.

Beside the count goes a time: when the last byte of the message arrives if nothing that is computed
takes any time. It leaves after those before it on its way, at the bandwidth of that way, and
travels for the latency. No run of the same messages over links of such a shape is faster: by
induction over the messages, none of them arrives earlier.

Each message carries both in front, which costs a copy of it: it is for a run that is not timed.
"""

from __future__ import annotations

import struct
import threading
from dataclasses import dataclass

from mpc.net.link import LINGER_SECONDS, Frame, Link

_HEAD = struct.Struct("<Id")


@dataclass(frozen=True, slots=True)
class Reached:
    """The longest chain of messages, and the seconds at which the last of all can be here."""

    flights: int = 0
    seconds: float = 0.0

    def with_all(self, *others: Reached) -> Reached:
        """The longest and the latest of all."""
        every = (self, *others)
        return Reached(max(r.flights for r in every), max(r.seconds for r in every))


class Chain:
    """What one party received over all its links, made in the thread that plays its part.

    What that thread sends depends on all of it. A thread beside it serves a peer: what it sends
    depends on what came over the same link, and on what the first thread knew when it last sent or
    received. That one of them happens to be ahead of another is no dependence.
    """

    __slots__ = ("_known", "_over", "_sent", "_thread")

    def __init__(self) -> None:
        self._over: dict[str, Reached] = {}
        self._known = Reached()
        self._sent = 0
        self._thread = threading.get_ident()

    @property
    def reached(self) -> Reached:
        """Of all that was received."""
        return Reached().with_all(*self._over.values())

    @property
    def rounds(self) -> int:
        """The flights of all that was sent and received."""
        return max(self._sent, self.reached.flights)

    def send(self, peer: str) -> Reached:
        """What a message to ``peer`` depends on, sent now by this thread."""
        self._look()
        before = self._known.with_all(self._over.get(peer, Reached()))
        self._sent = max(self._sent, before.flights + 1)
        return before

    def receive(self, peer: str, reached: Reached) -> None:
        """A message of ``peer`` is here."""
        self._over[peer] = reached.with_all(self._over.get(peer, Reached()))
        self._look()

    def _look(self) -> None:
        if threading.get_ident() == self._thread:
            self._known = self.reached


class Chained:
    """``link``, of that latency and bandwidth, whose frames say what they depend on; both ends must
    be. ``chain`` is of the party, for all its links."""

    __slots__ = ("_bandwidth", "_chain", "_latency", "_link", "_way_free")

    def __init__(
        self, link: Link, chain: Chain, *, latency: float = 0.0, bandwidth: float = float("inf")
    ) -> None:
        self._link = link
        self._chain = chain
        self._latency = latency
        self._bandwidth = bandwidth
        self._way_free = 0.0

    @property
    def peer(self) -> str:
        return self._link.peer

    def put(self, frame: Frame, timeout: float | None = None) -> None:
        before = self._chain.send(self.peer)
        self._way_free = max(self._way_free, before.seconds) + len(frame) / self._bandwidth
        head = _HEAD.pack(before.flights + 1, self._way_free + self._latency)
        self._link.put(head + frame, timeout)

    def get(self, timeout: float | None = None) -> Frame:
        frame = memoryview(self._link.get(timeout))
        self._chain.receive(self.peer, Reached(*_HEAD.unpack_from(frame)))
        return frame[_HEAD.size :]

    def close(self, timeout: float | None = LINGER_SECONDS) -> None:
        self._link.close(timeout)
