# SPDX-License-Identifier: Apache-2.0
"""A link with the latency and bandwidth of a longer one, for tests and benchmarks on one machine.

The sender works out when the last byte of a frame would arrive: it leaves after the frames before
it, at ``bandwidth``, and travels for ``latency``. It puts that time in front of the frame, and the
receiver holds the frame back until then. So frames follow each other on the way as they would on a
wire, and neither side needs a thread. The time is the monotonic clock, which all processes of a
machine share, and both ends must be shaped.

How much can be on its way at once is bounded by the capacity of the link below, as a TCP window
would: it should be above bandwidth times latency.
"""

from __future__ import annotations

import struct
import time

from mpc.errors import PeerTimeout, ProtocolError
from mpc.net.link import LINGER_SECONDS, Frame, Link

_ARRIVAL = struct.Struct("<d")


class Shaped:
    """``link`` with ``latency`` seconds one way, and ``bandwidth`` bytes per second each way."""

    __slots__ = ("_bandwidth", "_latency", "_link", "_pending", "_way_free")

    def __init__(self, link: Link, *, latency: float, bandwidth: float = float("inf")) -> None:
        self._link = link
        self._latency = latency
        self._bandwidth = bandwidth
        self._way_free = 0.0
        self._pending: Frame | None = None

    @property
    def peer(self) -> str:
        return self._link.peer

    def put(self, frame: Frame, timeout: float | None = None) -> None:
        self._way_free = max(self._way_free, time.monotonic()) + len(frame) / self._bandwidth
        self._link.put(_ARRIVAL.pack(self._way_free + self._latency) + frame, timeout)

    def get(self, timeout: float | None = None) -> Frame:
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        if self._pending is None:
            self._pending = self._link.get(timeout)
        if len(self._pending) < _ARRIVAL.size:
            raise ProtocolError(self.peer, "its end of the link is not shaped")
        (arrival,) = _ARRIVAL.unpack_from(self._pending)
        time.sleep(max(0.0, min(arrival, deadline) - time.monotonic()))
        if arrival > deadline:
            raise PeerTimeout(self.peer, f"sent nothing for {timeout:g} s")
        frame, self._pending = memoryview(self._pending)[_ARRIVAL.size :], None
        return frame

    def close(self, timeout: float | None = LINGER_SECONDS) -> None:
        self._link.close(timeout)


def shape(
    links: tuple[Link, Link], *, latency: float, bandwidth: float = float("inf")
) -> tuple[Link, Link]:
    """Both ends of a pair, shaped alike."""
    left, right = links
    return (
        Shaped(left, latency=latency, bandwidth=bandwidth),
        Shaped(right, latency=latency, bandwidth=bandwidth),
    )
