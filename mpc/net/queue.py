# SPDX-License-Identifier: Apache-2.0
"""One direction of a link inside a process: frames in order between two threads, bounded in bytes.

The bound counts the frames that wait here. A queue that holds nothing accepts one frame of any
size, so a frame above the capacity passes, and then holds back the next one.

Either end may be finished. ``end`` is the writer's: the reader still takes what is here and then
gets the error. ``drop`` is the reader's: what is here is discarded and the writer gets the error.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Condition

from mpc.errors import MessageTooLarge, MpcError, PeerTimeout
from mpc.net.link import CAPACITY_BYTES, MAX_FRAME_BYTES, Frame


class FrameQueue:
    """Frames from ``writer`` to ``reader`` (names, for the errors of the other side).

    ``on_put`` and ``on_get`` are called after each blocking put and get, outside the lock: the
    event loop of a network link, which must not block, learns from them that there is a frame, or
    room.
    """

    __slots__ = (
        "_bytes",
        "_capacity",
        "_changed",
        "_dropped",
        "_ended",
        "_frames",
        "_limit",
        "_on_get",
        "_on_put",
        "_reader",
        "_writer",
    )

    def __init__(
        self,
        writer: str,
        reader: str,
        *,
        capacity: int = CAPACITY_BYTES,
        limit: int = MAX_FRAME_BYTES,
        on_put: Callable[[], None] | None = None,
        on_get: Callable[[], None] | None = None,
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._capacity = capacity
        self._limit = limit
        self._on_put = on_put
        self._on_get = on_get
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._ended: MpcError | None = None
        self._dropped: MpcError | None = None
        self._changed = Condition()

    def put(self, frame: Frame, timeout: float | None = None) -> None:
        """Append ``frame`` when there is room for it."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._may_put(len(frame)), timeout):
                raise PeerTimeout(self._reader, f"took nothing for {timeout:g} s")
            error = self._dropped or self._ended
            if error is not None:
                raise error
            self._append(frame)
        if self._on_put is not None:
            self._on_put()

    def get(self, timeout: float | None = None) -> Frame:
        """Take the oldest frame when there is one."""
        with self._changed:
            if not self._changed.wait_for(self._may_get, timeout):
                raise PeerTimeout(self._writer, f"sent nothing for {timeout:g} s")
            frame = self._pop()
        if self._on_get is not None:
            self._on_get()
        return frame

    def offer(self, frame: Frame) -> bool:
        """Append ``frame`` without waiting; say whether there is room for another one."""
        with self._changed:
            if self._dropped is None and self._ended is None:
                self._append(frame)
            return self._bytes < self._capacity

    def first(self) -> Frame | None:
        """The oldest frame without waiting, or None. It counts until ``remove_first``."""
        with self._changed:
            return self._frames[0] if self._frames else None

    def remove_first(self) -> None:
        """Make room: the oldest frame is through. Nothing to do where the queue was dropped."""
        with self._changed:
            if self._frames:
                self._bytes -= len(self._frames.popleft())
                self._changed.notify_all()

    def has_room(self) -> bool:
        """Whether the frames that wait here are below the capacity."""
        with self._changed:
            return self._bytes < self._capacity

    def finished(self) -> bool:
        """Whether the writer ended and every frame was taken, or the reader dropped the queue."""
        with self._changed:
            return not self._frames and (self._ended or self._dropped) is not None

    def dropped(self) -> bool:
        """Whether nobody reads any more."""
        with self._changed:
            return self._dropped is not None

    def end(self, error: MpcError) -> None:
        """No frame follows: the reader takes the rest and then gets ``error``."""
        with self._changed:
            self._ended = self._ended or error
            self._changed.notify_all()

    def drop(self, error: MpcError) -> None:
        """Nobody reads any more: discard what waits; the writer gets ``error``."""
        with self._changed:
            self._dropped = self._dropped or error
            self._frames.clear()
            self._bytes = 0
            self._changed.notify_all()

    def _may_put(self, size: int) -> bool:
        if self._dropped is not None or self._ended is not None:
            return True
        return not self._frames or self._bytes + size <= self._capacity

    def _may_get(self) -> bool:
        return bool(self._frames) or self._ended is not None or self._dropped is not None

    def _append(self, frame: Frame) -> None:
        self._frames.append(frame)
        self._bytes += len(frame)
        self._changed.notify_all()

    def _pop(self) -> Frame:
        if not self._frames:
            error = self._dropped or self._ended
            assert error is not None
            raise error
        size = len(self._frames[0])
        if size > self._limit:
            raise MessageTooLarge(
                self._writer, f"announced a message of {size} bytes; the limit is {self._limit}"
            )
        frame = self._frames.popleft()
        self._bytes -= size
        self._changed.notify_all()
        return frame
