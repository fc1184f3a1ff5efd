# SPDX-License-Identifier: Apache-2.0
"""A link over one bidirectional gRPC stream: frames cut into chunks, and joined again.

The blocking side (``put``, ``get``, ``close``) runs on the caller's threads and touches two frame
queues only. The other side runs on the network thread: one task writes the chunks of the outgoing
queue, one reads chunks into the incoming queue and stops reading while that is full, so that the
window of the stream closes and the peer's queue fills up in turn.

``mpc.v1.Chunk`` describes the chunks. Both directions end with ``end``; see there why a side that
got the peer's ``end`` knows that its own data has arrived.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

import numpy as np
from google.protobuf.message import DecodeError

from mpc.errors import MessageTooLarge, PeerClosed, PeerTimeout, ProtocolError
from mpc.net import columns
from mpc.net.link import LINGER_SECONDS, Frame
from mpc.net.queue import FrameQueue
from mpc.net.runtime import aio, detached
from mpc.pb.v1.link_pb2 import Chunk

# A MiB, and room for what stands around it in a message and a frame: protocols send blocks of that
# size, which then go in one chunk.
CHUNK_BYTES = (1 << 20) + (1 << 12)
# A chunk with its tags and lengths. gRPC itself refuses a message above this.
MAX_MESSAGE_BYTES = CHUNK_BYTES + 64

_END = Chunk(end=True).SerializeToString()
# A field's number and its wire type: 0, a number, or 2, a value of announced length.
_SIZE_TAG, _DATA_TAG = Chunk.SIZE_FIELD_NUMBER << 3, Chunk.DATA_FIELD_NUMBER << 3 | 2

SERVICE, METHOD = "mpc.v1.Link", "Carry"

# The settings of every connection, at both sides.
OPTIONS: list[tuple[str, int]] = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # A peer whose machine or network vanished is noticed within half a minute.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.max_ping_strikes", 0),
    # Two parties that listen at one port by mistake must hear of it.
    ("grpc.so_reuseport", 0),
    # One connection for one stream, to the address as it stands, retried by us.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),
]


class Stream(Protocol):
    """What a gRPC call at the dialling side and a context at the other have in common."""

    async def read(self) -> Any: ...

    async def write(self, message: bytes, /) -> None: ...


class StreamLink:
    """The link to ``peer`` over a stream; ``run`` is its life on the network thread."""

    def __init__(
        self, me: str, peer: str, *, loop: asyncio.AbstractEventLoop, capacity: int, limit: int
    ) -> None:
        self._peer = peer
        self._loop = loop
        self._joiner = _Joiner(peer, limit)
        self._frame_put, self._frame_taken = _Signal(loop), _Signal(loop)
        self._outgoing = FrameQueue(me, peer, capacity=capacity, on_put=self._frame_put.give)
        self._incoming = FrameQueue(peer, me, capacity=capacity, on_get=self._frame_taken.give)
        self._closing = False
        self._stop = asyncio.Event()
        self._open_ways = 2
        self._over: Future[None] = Future()

    @property
    def peer(self) -> str:
        return self._peer

    def put(self, frame: Frame, timeout: float | None = None) -> None:
        self._check_open()
        self._outgoing.put(frame, timeout)

    def get(self, timeout: float | None = None) -> Frame:
        self._check_open()
        return self._incoming.get(timeout)

    def close(self, timeout: float | None = LINGER_SECONDS) -> None:
        self._closing = True
        closed = self._closed_error()
        self._outgoing.end(closed)
        self._incoming.drop(closed)
        self._frame_put.give()
        self._frame_taken.give()
        try:
            self._over.result(timeout)
        except TimeoutError:
            self.cancel()
            raise PeerTimeout(
                self._peer, f"did not take all that was sent within {timeout:g} s"
            ) from None
        except BaseException:  # Ctrl-C: do not wait for the peer, but leave nothing behind
            self.cancel()
            raise

    def cancel(self) -> None:
        """End the link without waiting for the peer."""
        if not self._over.done():
            with suppress(RuntimeError):  # the loop ended first, and the link with it
                self._loop.call_soon_threadsafe(self._stop.set)

    def _check_open(self) -> None:
        if self._closing:
            raise self._closed_error()

    def _closed_error(self) -> PeerClosed:
        return PeerClosed(self._peer, "this side has closed the link")

    async def run(self, stream: Stream) -> bool:
        """Carry frames until both directions ended, the stream broke or ``cancel`` was called.

        Returns whether both ended. What goes wrong is what ``get`` and ``put`` raise from then on;
        nothing is raised here.
        """
        lost = PeerClosed(self._peer, "the connection was lost")
        ways = [
            asyncio.create_task(self._carry(self._read(stream))),
            asyncio.create_task(self._carry(self._write(stream))),
        ]
        try:
            await self._stop.wait()
            return self._open_ways == 0
        finally:
            for way in ways:
                way.cancel()
            self._incoming.end(lost)
            self._outgoing.drop(lost)
            self._over.set_result(None)

    async def _carry(self, way: Coroutine[Any, Any, None]) -> None:
        try:
            await way
        except (_BrokenError, ProtocolError):
            self._stop.set()
            return
        self._open_ways -= 1
        if self._open_ways == 0:
            self._stop.set()

    async def _write(self, stream: Stream) -> None:
        queue = self._outgoing
        while not queue.finished():
            frame = queue.first()
            if frame is None:
                await self._frame_put.wait(lambda: queue.first() is not None or queue.finished())
                continue
            for message in _cut(frame):
                await _send(stream, message)
                if queue.dropped():
                    break
            queue.remove_first()
        await _send(stream, _END)

    async def _read(self, stream: Stream) -> None:
        try:
            while not (chunk := await self._receive(stream)).end:
                if self._closing:
                    continue
                frame = self._joiner.add(chunk)
                if frame is not None and not self._incoming.offer(frame):
                    await self._frame_taken.wait(self._incoming.has_room)
        except ProtocolError as error:
            # The stream is of no more use for reading. The way out stays open until this side
            # closes, so that the peer can be told why.
            self._incoming.end(detached(error))
            await self._frame_taken.wait(lambda: self._closing)
            while not (await self._receive(stream)).end:
                pass
        self._peer_ended()

    def _peer_ended(self) -> None:
        where = " in the middle of a message" if self._joiner.is_open() else ""
        closed = PeerClosed(self._peer, f"closed the link{where}")
        self._incoming.end(closed)
        self._outgoing.drop(closed)
        self._frame_put.give()

    async def _receive(self, stream: Stream) -> _Piece:
        try:
            message = await stream.read()
        except Exception as error:  # gRPC raises several classes when a stream breaks
            raise _BrokenError from error
        if message is aio.EOF:
            raise _BrokenError
        try:
            return _read(message)
        except DecodeError:
            raise ProtocolError(
                self._peer, f"sent {len(message)} bytes that are no {Chunk.DESCRIPTOR.full_name}"
            ) from None


class _BrokenError(Exception):
    """The stream ended without ``end``."""


class _Signal:
    """Wakes one waiting task of the loop from any thread, and costs nothing while none waits."""

    __slots__ = ("_event", "_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._event = asyncio.Event()
        self._waiting = False

    def give(self) -> None:
        if self._waiting:
            with suppress(RuntimeError):  # the loop has ended, and nothing waits there any more
                self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, ready: Callable[[], bool]) -> None:
        """Return when ``ready()`` holds; it is looked at again after each ``give``."""
        # ``_waiting`` is set before the look, and ``give`` follows what makes it true, so that
        # one of the two sides always sees the other.
        self._waiting = True
        try:
            while not ready():
                await self._event.wait()
                self._event.clear()
        finally:
            self._waiting = False


class _Joiner:
    """Joins chunks to frames, in memory that is as large as the frame said it would be."""

    __slots__ = ("_filled", "_frame", "_limit", "_peer")

    def __init__(self, peer: str, limit: int) -> None:
        self._peer = peer
        self._limit = limit
        self._frame: memoryview | None = None
        self._filled = 0

    def is_open(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._frame is not None

    def add(self, chunk: _Piece) -> Frame | None:
        """Take the next chunk; return the frame that it completes."""
        data = chunk.data
        if self._frame is None:
            if chunk.size > self._limit:
                raise MessageTooLarge(
                    self._peer,
                    f"announced a message of {chunk.size} bytes; the limit is {self._limit}",
                )
            if chunk.size == len(data):
                return data
            # Not a bytearray, which is written to at once: the system gives pages to this memory
            # as it is filled, so an announcement alone costs nothing.
            self._frame, self._filled = np.empty(chunk.size, np.uint8).data, 0
        elif chunk.size:
            raise ProtocolError(self._peer, "began a message in the middle of another one")
        end = self._filled + len(data)
        if not data or end > len(self._frame):
            raise ProtocolError(
                self._peer, f"sent {end} bytes of a message of {len(self._frame)} bytes"
            )
        self._frame[self._filled : end] = data
        self._filled = end
        if end < len(self._frame):
            return None
        frame, self._frame = self._frame, None
        return frame


def _cut(frame: Frame) -> Iterator[bytes]:
    view = memoryview(frame)
    yield _chunk(len(view), view[:CHUNK_BYTES])
    for start in range(CHUNK_BYTES, len(view), CHUNK_BYTES):
        yield _chunk(0, view[start : start + CHUNK_BYTES])


def _chunk(size: int, data: memoryview) -> bytes:
    """``Chunk(size=size, data=data)``, encoded with one copy where protobuf makes four."""
    head = Chunk(size=size).SerializeToString()
    if not data:
        return head
    return b"".join((head, columns.delimited(Chunk.DATA_FIELD_NUMBER, len(data)), data))


class _Piece(NamedTuple):
    """What a ``Chunk`` says."""

    size: int
    data: Frame
    end: bool = False


def _read(message: bytes) -> _Piece:
    """What ``_chunk`` wrote, without a copy; what is laid out otherwise is read by protobuf."""
    size = at = 0
    try:
        if message[0] == _SIZE_TAG:
            size, at = _varint(message, 1)
        if message[at] == _DATA_TAG:
            length, at = _varint(message, at + 1)
            if at + length == len(message):
                return _Piece(size, memoryview(message)[at:])
    except IndexError:
        pass
    chunk = Chunk.FromString(message)
    return _Piece(chunk.size, chunk.data, chunk.end)


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """The number that begins at a byte, and where it ends; IndexError where it does not."""
    number = 0
    for place in range(10):
        byte = message[at + place]
        number |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return number, at + place + 1
    raise IndexError


async def _send(stream: Stream, message: bytes) -> None:
    try:
        await stream.write(message)
    except Exception as error:  # gRPC raises several classes when a stream breaks
        raise _BrokenError from error
