# SPDX-License-Identifier: Apache-2.0
"""Links between threads of one process: for tests, examples and parties that share a machine."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from mpc.errors import PeerClosed
from mpc.net.channel import TIMEOUT_SECONDS, Channel
from mpc.net.link import CAPACITY_BYTES, LINGER_SECONDS, MAX_FRAME_BYTES, Frame, Link
from mpc.net.mesh import Mesh
from mpc.net.queue import FrameQueue


class MemoryLink:
    """One end of a pair: it writes to one queue and reads from the other."""

    __slots__ = ("_closed", "_incoming", "_me", "_outgoing", "_peer")

    def __init__(self, me: str, peer: str, outgoing: FrameQueue, incoming: FrameQueue) -> None:
        self._me = me
        self._peer = peer
        self._outgoing = outgoing
        self._incoming = incoming
        self._closed = False

    @property
    def peer(self) -> str:
        return self._peer

    def put(self, frame: Frame, timeout: float | None = None) -> None:
        self._check_open()
        # A mutable buffer may change before the other thread looks at it.
        self._outgoing.put(frame if isinstance(frame, bytes) else bytes(frame), timeout)

    def get(self, timeout: float | None = None) -> Frame:
        self._check_open()
        return self._incoming.get(timeout)

    def close(self, timeout: float | None = LINGER_SECONDS) -> None:
        """What was put is in the peer's hands already, so there is nothing to wait for."""
        del timeout
        self._closed = True
        self._outgoing.end(PeerClosed(self._me, "closed the link"))
        self._incoming.drop(PeerClosed(self._me, "closed the link"))

    def _check_open(self) -> None:
        if self._closed:
            raise PeerClosed(self._peer, "this side has closed the link")


def pair(
    left: str = "left",
    right: str = "right",
    *,
    capacity: int = CAPACITY_BYTES,
    limit: int = MAX_FRAME_BYTES,
) -> tuple[Link, Link]:
    """Two connected links: the one ``left`` holds, and the one ``right`` holds.

    ``capacity`` bounds the bytes that wait each way, ``limit`` the bytes of one frame.
    """
    rightward = FrameQueue(left, right, capacity=capacity, limit=limit)
    leftward = FrameQueue(right, left, capacity=capacity, limit=limit)
    return (
        MemoryLink(left, right, rightward, leftward),
        MemoryLink(right, left, leftward, rightward),
    )


def mesh(names: Sequence[str], *, timeout: float | None = TIMEOUT_SECONDS) -> dict[str, Mesh]:
    """One connected ``Mesh`` for each of ``names``, in this order."""
    channels: dict[str, dict[str, Channel]] = {name: {} for name in names}
    for left, right in combinations(names, 2):
        to_right, to_left = pair(left, right)
        channels[left][right] = Channel(to_right, timeout=timeout)
        channels[right][left] = Channel(to_left, timeout=timeout)
    return {name: Mesh(name, names, channels[name]) for name in names}
