# SPDX-License-Identifier: Apache-2.0
"""The one seam of the network: a ``Link`` carries opaque frames to one peer, in order.

Everything above it (channels, protocols, apps) is the same over every link, and everything below it
is one module each: ``memory`` (two threads), ``grpc_link`` (two processes), ``shaped`` (latency and
bandwidth on top of another link) and ``traced`` (counts what passes).

What every link keeps, and the conformance suite holds:

* Frames arrive whole, once, in the order they were put; an empty frame is a frame.
* A link holds a bounded number of bytes each way: ``put`` waits while the peer does not take them.
  A direction that holds nothing accepts one frame of any size at once, or half ``CAPACITY_BYTES``
  in several (heads count too), so two sides that both put so much before they get never wait for
  each other.
* ``close`` delivers what was put before it. The peer gets those frames, and then ``PeerClosed``.
* A call that waits ends within its ``timeout`` (seconds; None is for ever) with ``PeerTimeout``,
  and at once when the link ends. Ctrl-C interrupts it.
"""

from __future__ import annotations

from typing import Protocol, TypeAlias

Frame: TypeAlias = bytes | bytearray | memoryview

# The largest frame a link accepts when nothing else is said: one GiB.
MAX_FRAME_BYTES = 1 << 30
# What a link holds each way before ``put`` waits.
CAPACITY_BYTES = 16 << 20
# How long ``close`` waits for the peer to take what was put.
LINGER_SECONDS = 10.0


class Link(Protocol):
    """An ordered, bounded, two-way connection to ``peer``. One thread puts, one thread gets."""

    @property
    def peer(self) -> str:
        """The name of the other side."""
        ...

    def put(self, frame: Frame, timeout: float | None = None) -> None:
        """Send one frame; the caller does not write to its memory afterwards.

        Raises ``PeerTimeout`` when there is no room in time, ``PeerClosed`` when the link ended.
        """
        ...

    def get(self, timeout: float | None = None) -> Frame:
        """Take the next frame.

        Raises ``PeerTimeout`` when none came in time, ``MessageTooLarge`` when the peer announced
        one above the limit, ``PeerClosed`` when the link ended.
        """
        ...

    def close(self, timeout: float | None = LINGER_SECONDS) -> None:
        """Deliver what was put, and end the link. Calling it again does nothing.

        Raises ``PeerTimeout`` when the peer did not take it all in time; the link is ended then
        as well.
        """
        ...
