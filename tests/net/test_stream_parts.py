# SPDX-License-Identifier: Apache-2.0
"""The parts below a gRPC link: chunks, queues and the loop they run on."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from contextlib import suppress

import pytest
from google.protobuf.message import DecodeError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mpc.errors import MessageTooLarge, PeerClosed, PeerTimeout, ProtocolError
from mpc.net.queue import FrameQueue
from mpc.net.runtime import LOOP, SharedLoop
from mpc.net.stream import CHUNK_BYTES, MAX_MESSAGE_BYTES, _chunk, _cut, _Joiner, _read
from mpc.pb.v1.link_pb2 import Chunk


@given(st.integers(0, 2**64 - 1), st.binary(max_size=300))
@example(0, b"")
@example(1 << 30, bytes(CHUNK_BYTES))
@settings(max_examples=200)
def test_a_chunk_is_encoded_as_protobuf_does(size: int, data: bytes) -> None:
    assert _chunk(size, memoryview(data)) == Chunk(size=size, data=data).SerializeToString()


@given(
    st.one_of(
        st.binary(max_size=40),
        st.builds(Chunk, size=st.integers(0, 2**64 - 1), data=st.binary(), end=st.booleans()).map(
            Chunk.SerializeToString
        ),
        # The fields the other way round, twice, and cut short.
        st.tuples(st.integers(0, 300), st.binary(min_size=1, max_size=200), st.integers(0, 9)).map(
            lambda t: (
                (Chunk(data=t[1]).SerializeToString() * 2)[t[2] :]
                + Chunk(size=t[0]).SerializeToString()
            )
        ),
    )
)
@example(b"")
@example(b"\x08" + b"\x80" * 12)
@example(b"\x12\x03ab")
def test_a_chunk_is_read_as_protobuf_does(message: bytes) -> None:
    try:
        chunk = Chunk.FromString(message)
    except DecodeError:
        with pytest.raises(DecodeError):
            _read(message)
        return
    size, data, end = _read(message)
    assert (size, bytes(data), end) == (chunk.size, chunk.data, chunk.end)


def test_no_chunk_is_above_the_limit_of_a_message() -> None:
    assert len(_chunk(2**64 - 1, memoryview(bytes(CHUNK_BYTES)))) <= MAX_MESSAGE_BYTES


@pytest.mark.parametrize(
    "size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 5]
)
def test_frames_are_cut_and_joined(size: int) -> None:
    frame = bytes(range(256)) * (size // 256 + 1)
    joiner = _Joiner("p", 1 << 30)
    chunks = [Chunk.FromString(message) for message in _cut(memoryview(frame)[:size])]
    assert len(chunks) == max(1, -(-size // CHUNK_BYTES))
    *before, last = [joiner.add(chunk) for chunk in chunks]
    assert before == [None] * len(before)
    assert last is not None
    assert bytes(last) == frame[:size]
    assert not joiner.is_open()


@given(st.lists(st.builds(Chunk, size=st.integers(0, 6), data=st.binary(max_size=6)), max_size=8))
def test_any_chunks_are_frames_or_an_error(chunks: list[Chunk]) -> None:
    joiner = _Joiner("p", 4)
    frames: list[bytes] = []
    with suppress(ProtocolError):
        for chunk in chunks:
            frame = joiner.add(chunk)
            frames += [] if frame is None else [bytes(frame)]
    assert all(len(frame) <= 4 for frame in frames)
    assert b"".join(chunk.data for chunk in chunks).startswith(b"".join(frames))


def test_a_frame_above_the_limit() -> None:
    with pytest.raises(MessageTooLarge, match="p: announced a message of 5 bytes; the limit is 4"):
        _Joiner("p", 4).add(Chunk(size=5, data=b"abcde"))


def _queue(**bounds: int) -> FrameQueue:
    return FrameQueue("writer", "reader", **bounds)


def test_an_empty_queue_takes_one_frame_of_any_size() -> None:
    queue = _queue(capacity=10)
    queue.put(bytes(100), 0)
    with pytest.raises(PeerTimeout, match="reader: took nothing for 0 s"):
        queue.put(b"", 0)
    assert not queue.has_room()
    queue.get(0)
    queue.put(bytes(10), 0)
    assert not queue.has_room()


def test_frames_below_the_capacity_wait_together() -> None:
    queue = _queue(capacity=10)
    for _ in range(5):
        queue.put(b"ab", 0)
    with pytest.raises(PeerTimeout):
        queue.put(b"a", 0)
    queue.put(b"", 0)


def test_the_error_of_the_end_comes_after_the_frames() -> None:
    queue = _queue()
    queue.put(b"a")
    queue.end(PeerClosed("writer", "first"))
    queue.end(PeerClosed("writer", "second"))
    assert not queue.finished()
    with pytest.raises(PeerClosed, match="first"):
        queue.put(b"b")
    assert queue.get(0) == b"a"
    with pytest.raises(PeerClosed, match="first"):
        queue.get(0)
    assert queue.finished()


def test_a_dropped_queue_holds_nothing() -> None:
    queue = _queue()
    queue.put(b"a")
    queue.drop(PeerClosed("reader", "left"))
    assert queue.first() is None
    queue.remove_first()
    assert queue.offer(b"b")
    assert queue.first() is None
    for use in (lambda: queue.put(b"c"), lambda: queue.get(0)):
        with pytest.raises(PeerClosed, match="left"):
            use()


def test_the_loop_lives_while_it_is_used() -> None:
    shared = SharedLoop()
    first, second = shared.acquire(), shared.acquire()
    assert first is second
    shared.release()
    assert asyncio.run_coroutine_threadsafe(asyncio.sleep(0, "runs"), first).result(5) == "runs"
    shared.release()
    assert first.is_closed()
    assert not [t for t in threading.enumerate() if t.name == "mpc-network"]
    third = shared.acquire()
    assert third is not first
    shared.release()
    assert LOOP is not shared


def test_grpc_is_imported_after_its_settings_and_only_when_needed() -> None:
    code = """
import sys
import mpc.net.channel, mpc.net.memory, mpc.net.mesh, mpc.net.shaped, mpc.net.traced
assert "grpc" not in sys.modules
import mpc.net.session, os
assert "grpc" in sys.modules
assert "ECDSA" not in os.environ["GRPC_SSL_CIPHER_SUITES"]
"""
    subprocess.run([sys.executable, "-c", code], check=True)
