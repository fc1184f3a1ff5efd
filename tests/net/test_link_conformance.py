# SPDX-License-Identifier: Apache-2.0
"""What every link keeps: one suite over all of them."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

import pytest

from mpc.errors import (
    ChannelError,
    MessageTooLarge,
    ParameterMismatch,
    PeerAborted,
    PeerClosed,
    PeerTimeout,
    PeerUntrusted,
    ProtocolError,
    VersionMismatch,
)
from mpc.net import memory
from mpc.net.channel import Channel
from mpc.net.handshake import greet, hello
from mpc.net.link import CAPACITY_BYTES, Link
from mpc.net.shaped import shape
from mpc.net.traced import Traced
from mpc.pb.v1.columns_pb2 import Column, Strings
from mpc.pb.v1.session_pb2 import Hello
from mpc.testing import grpc_pair

MIB = 1 << 20
Pair = tuple[Link, Link]
Links = Callable[..., Pair]


def _traced(links: Links, **bounds: int) -> Pair:
    left, right = links(**bounds)
    return Traced(left), Traced(right)


def _shaped(links: Links, **bounds: int) -> Pair:
    return shape(links(**bounds), latency=0.001, bandwidth=2e9)


@pytest.fixture(params=["memory", "grpc", "grpc tls", "shaped", "traced", "shaped traced grpc"])
def links(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Links]:
    """A way to make pairs; what it made is closed after the test."""
    make: dict[str, Links] = {
        "memory": memory.pair,
        "grpc": grpc_pair,
        "grpc tls": lambda **bounds: grpc_pair(folder=tmp_path_factory.mktemp("keys"), **bounds),
        "shaped": partial(_shaped, memory.pair),
        "traced": partial(_traced, memory.pair),
        "shaped traced grpc": partial(_shaped, partial(_traced, grpc_pair)),
    }
    made: list[Link] = []

    def pair(**bounds: int) -> Pair:
        both = make[request.param](**bounds)
        made.extend(both)
        return both

    yield pair
    for link in made:
        with suppress(ChannelError):
            link.close(0.1)


@pytest.fixture
def pair(links: Links) -> Pair:
    return links()


def _flood(put: Callable[[], None]) -> None:
    """Call ``put`` until it fails, which it does; what it raises passes."""
    for _ in range(1000):
        put()
    pytest.fail("a thousand messages were taken without a reader")


def _press_ctrl_c(*, after: float) -> None:
    press = partial(signal.pthread_kill, threading.main_thread().ident or 0, signal.SIGINT)
    threading.Timer(after, press).start()


def _within(seconds: float, begun: float) -> None:
    assert time.monotonic() - begun < seconds


def test_names_of_the_other_side(pair: Pair) -> None:
    assert (pair[0].peer, pair[1].peer) == ("right", "left")


def test_frames_arrive_whole_and_in_order_both_ways(pair: Pair) -> None:
    left, right = pair
    sizes = random.Random(1)
    frames = [os.urandom(sizes.choice((0, 1, 2, 1000, MIB - 1, MIB, MIB + 1))) for _ in range(60)]

    def echo() -> None:
        for _ in frames:
            right.put(right.get(20), 20)

    thread = threading.Thread(target=echo)
    sender = threading.Thread(target=lambda: [left.put(frame, 20) for frame in frames])
    thread.start()
    sender.start()
    got = [bytes(left.get(20)) for _ in frames]
    thread.join()
    sender.join()
    assert got == frames


def test_empty_frames_are_frames(pair: Pair) -> None:
    left, right = pair
    for frame in (b"", b"a", b"", b""):
        left.put(frame, 5)
    assert [bytes(right.get(5)) for _ in range(4)] == [b"", b"a", b"", b""]


def test_any_buffer_can_be_put(pair: Pair) -> None:
    left, right = pair
    for frame in (b"abc", bytearray(b"abc"), memoryview(b"xabc")[1:]):
        left.put(frame, 5)
        assert bytes(right.get(5)) == b"abc"


def test_64_mib_message(pair: Pair) -> None:
    left, right = pair
    frame = os.urandom(64 * MIB)
    left.put(frame, 30)
    assert bytes(right.get(30)) == frame


def test_both_send_32_mib_first(pair: Pair) -> None:
    left, right = pair
    ours, theirs = os.urandom(32 * MIB), os.urandom(32 * MIB)
    # One thread does all of it, so neither put may wait for a get.
    left.put(ours, 30)
    right.put(theirs, 30)
    assert bytes(left.get(30)) == theirs
    assert bytes(right.get(30)) == ours


def test_a_link_is_bounded_in_bytes(links: Links) -> None:
    left, right = links(capacity=MIB)
    frame = bytes(100_000)
    sent = []

    def put() -> None:
        left.put(frame, 0.3)
        sent.append(frame)

    with pytest.raises(PeerTimeout, match=r"right: took nothing for 0\.3 s"):
        _flood(put)
    # A queue at each side, and what gRPC and the sockets hold between them.
    assert len(sent) * len(frame) < 16 * MIB
    for _ in sent:
        assert len(right.get(5)) == len(frame)
    left.put(b"again", 5)
    assert bytes(right.get(5)) == b"again"


def test_silence_ends_at_the_deadline(pair: Pair) -> None:
    begun = time.monotonic()
    with pytest.raises(PeerTimeout, match=r"right: sent nothing for 0\.2 s") as caught:
        pair[0].get(0.2)
    assert caught.value.peer == "right"
    _within(2, begun)
    pair[1].put(b"late", 5)
    assert bytes(pair[0].get(5)) == b"late"


def test_close_delivers_what_was_put(pair: Pair) -> None:
    left, right = pair
    frames = [os.urandom(3 * MIB) for _ in range(3)]
    for frame in frames:
        left.put(frame, 5)
    closer = threading.Thread(target=left.close)
    closer.start()
    time.sleep(0.05)
    assert [bytes(right.get(10)) for _ in frames] == frames
    with pytest.raises(PeerClosed, match="left"):
        right.get(10)
    with pytest.raises(PeerClosed, match="left"):
        right.put(b"too late", 10)
    closer.join()


def test_close_again_and_use_after_close(pair: Pair) -> None:
    left, _ = pair
    left.close()
    left.close()
    for use in (partial(left.put, b"x", 1), partial(left.get, 1)):
        with pytest.raises(PeerClosed, match="this side has closed"):
            use()


def test_both_sides_may_put_half_of_what_a_link_holds_before_they_get(pair: Pair) -> None:
    frames = CAPACITY_BYTES // 2 // MIB
    for _ in range(frames):
        for side in pair:
            side.put(bytes(MIB), 30)
    for side in pair:
        assert sum(len(side.get(30)) for _ in range(frames)) == frames * MIB


def test_closing_wakes_the_peer_that_waits(pair: Pair) -> None:
    left, right = pair
    threading.Timer(0.1, left.close).start()
    begun = time.monotonic()
    with pytest.raises(PeerClosed, match="left: closed the link"):
        right.get(30)
    _within(5, begun)


def test_closing_wakes_the_peer_that_waits_to_put(links: Links) -> None:
    left, right = links(capacity=MIB)
    threading.Timer(0.5, partial(left.close, 1)).start()
    begun = time.monotonic()
    with pytest.raises(PeerClosed, match="left: closed the link"):
        _flood(lambda: right.put(bytes(MIB), 30))
    _within(10, begun)


def test_closing_wakes_our_own_get(pair: Pair) -> None:
    left, _ = pair
    threading.Timer(0.1, left.close).start()
    begun = time.monotonic()
    with pytest.raises(PeerClosed):
        left.get(30)
    _within(5, begun)


def test_ctrl_c_interrupts_a_get_and_the_link_goes_on(pair: Pair) -> None:
    left, right = pair
    _press_ctrl_c(after=0.1)
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        left.get(30)
    _within(5, begun)
    right.put(b"still here", 5)
    assert bytes(left.get(5)) == b"still here"


def test_ctrl_c_interrupts_a_put(links: Links) -> None:
    left, _ = links(capacity=MIB)
    _press_ctrl_c(after=0.5)
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        _flood(lambda: left.put(bytes(MIB), 30))
    _within(5, begun)


# Channels over every link: each fault ends in its typed error, at both sides where both see it.


def test_exchange_of_32_mib(pair: Pair) -> None:
    left, right = (Channel(link, timeout=30) for link in pair)
    got = []
    thread = threading.Thread(
        target=lambda: got.append(right.exchange(Column(data=b"r" * 32 * MIB)))
    )
    thread.start()
    assert left.exchange(Column(data=b"l" * 32 * MIB)).data == b"r" * 32 * MIB
    thread.join()
    assert got[0].data == b"l" * 32 * MIB


def test_an_abort_arrives_with_its_class_and_no_data(pair: Pair) -> None:
    left, right = (Channel(link, timeout=10) for link in pair)
    left.abort(ValueError("account 6222 0000"))
    with pytest.raises(PeerAborted, match=r"^left: aborted the job \(ValueError\)$") as caught:
        right.recv(Column)
    assert caught.value.reason == "ValueError"


def test_an_abort_reaches_a_peer_that_is_stuck_in_send(links: Links) -> None:
    left, right = (Channel(link, timeout=30) for link in links(capacity=MIB))
    threading.Timer(0.5, partial(left.abort, MessageTooLarge("right", "x"))).start()
    begun = time.monotonic()
    with pytest.raises(PeerAborted, match="MessageTooLarge"):
        _flood(lambda: right.send(Column(data=bytes(MIB))))
    _within(10, begun)


def test_another_type_names_the_peer_and_both_types(pair: Pair) -> None:
    left, right = (Channel(link, timeout=10) for link in pair)
    left.send(Column(width=1))
    with pytest.raises(ProtocolError, match=r"left: expected mpc.v1.Strings, got mpc.v1.Column"):
        right.recv(Strings)


@pytest.mark.parametrize(
    "garbage",
    [b"", b"\0", b"\2\0", b"\0\xffshort", b"\0\2\n\n", b"\0\x0dmpc.v1.Column\xff", b"\7" * 99],
)
def test_garbage_is_a_protocol_error(pair: Pair, garbage: bytes) -> None:
    left, right = pair
    left.put(garbage, 5)
    with pytest.raises(ProtocolError, match=r"left: (malformed|expected)"):
        Channel(right, timeout=5).recv(Column)


def test_an_oversized_message_is_announced_and_not_accepted(links: Links) -> None:
    left, right = (Channel(link, timeout=10) for link in links(limit=4 * MIB))
    errors: list[Exception] = []

    def send() -> None:
        try:
            left.send(Column(data=bytes(32 * MIB)))
            left.recv(Column)
        except Exception as error:
            errors.append(error)

    sender = threading.Thread(target=send)
    sender.start()
    begun = time.monotonic()
    with pytest.raises(
        MessageTooLarge, match=r"left: announced a message of 335\d* bytes"
    ) as caught:
        right.recv(Column)
    right.abort(caught.value)
    sender.join()
    _within(8, begun)
    assert isinstance(errors[0], PeerAborted)
    assert errors[0].reason == "MessageTooLarge"


def _greet_both(pair: Pair, ours: Hello, theirs: Hello) -> list[Exception]:
    errors: dict[int, Exception] = {}

    def side(index: int, says: Hello) -> None:
        try:
            greet(Channel(pair[index], timeout=10), says)
        except Exception as error:
            errors[index] = error

    threads = [threading.Thread(target=side, args=pair) for pair in enumerate((ours, theirs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [errors[index] for index in sorted(errors)]


def _left(**fields: object) -> Hello:
    return hello("left", "right", session="s", parameters={"bits": 2048, "kind": "score", **fields})


def _right(**fields: object) -> Hello:
    return hello("right", "left", session="s", parameters={"bits": 2048, "kind": "score", **fields})


def test_equal_hellos(pair: Pair) -> None:
    assert _greet_both(pair, _left(), _right()) == []


def test_wrong_version(pair: Pair) -> None:
    theirs = _right()
    theirs.version += 1
    ours, others = _greet_both(pair, _left(), theirs)
    assert isinstance(ours, VersionMismatch)
    assert str(ours) == "right: speaks version 2 of the protocol, we speak 1"
    assert isinstance(others, VersionMismatch)
    assert str(others) == "left: speaks version 1 of the protocol, we speak 2"


def test_wrong_name(pair: Pair) -> None:
    theirs = _right()
    theirs.sender = "mallory\n"
    ours, others = _greet_both(pair, _left(), theirs)
    assert isinstance(ours, PeerUntrusted)
    assert "'mallory?'" in str(ours)
    assert isinstance(others, PeerUntrusted)


def test_another_session(pair: Pair) -> None:
    theirs = _right()
    theirs.session = "other"
    for error in _greet_both(pair, _left(), theirs):
        assert isinstance(error, ParameterMismatch)
        assert error.field == "session"
        assert {error.ours, error.theirs} == {"'s'", "'other'"}


def test_another_parameter_is_shown_with_both_values_at_both_sides(pair: Pair) -> None:
    errors = _greet_both(pair, _left(), _right(bits=3072, rounds=1))
    assert [str(error) for error in errors] == [
        "right: parameter 'bits' differs: ours is 2048, theirs is 3072",
        "left: parameter 'bits' differs: ours is 3072, theirs is 2048",
    ]


def test_a_parameter_that_one_side_lacks(pair: Pair) -> None:
    errors = _greet_both(pair, _left(columns=["id", "区"]), _right())
    assert [str(error) for error in errors] == [
        r"""right: parameter 'columns' differs: ours is ["id","\u533a"], theirs is not set""",
        r"""left: parameter 'columns' differs: ours is not set, theirs is ["id","\u533a"]""",
    ]
