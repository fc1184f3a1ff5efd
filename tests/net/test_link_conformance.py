# SPDX-License-Identifier: Apache-2.0
"""What every link keeps: one suite over all of them."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest
from link_pairs import MIB, PROMPTLY, Links, Pair, flood, within

from mpc.errors import PeerClosed, PeerTimeout
from mpc.net.link import CAPACITY_BYTES


def _interrupted(call: Callable[[], object], *, after: float) -> None:
    """``call``, with a Ctrl-C that comes while it waits."""
    press = partial(signal.pthread_kill, threading.main_thread().ident or 0, signal.SIGINT)
    threading.Timer(after, press).start()
    call()


def test_names_of_the_other_side(pair: Pair) -> None:
    assert (pair[0].peer, pair[1].peer) == ("right", "left")


def test_frames_arrive_whole_and_in_order_both_ways(pair: Pair) -> None:
    left, right = pair
    sizes = random.Random(1)
    frames = [os.urandom(sizes.choice((0, 1, 2, 1000, MIB - 1, MIB, MIB + 1))) for _ in range(60)]

    def echo() -> None:
        for _ in frames:
            right.put(right.get(30), 30)

    thread = threading.Thread(target=echo)
    sender = threading.Thread(target=lambda: [left.put(frame, 30) for frame in frames])
    thread.start()
    sender.start()
    got = [bytes(left.get(30)) for _ in frames]
    thread.join()
    sender.join()
    assert got == frames


def test_empty_frames_are_frames(pair: Pair) -> None:
    left, right = pair
    for frame in (b"", b"a", b"", b""):
        left.put(frame, 30)
    assert [bytes(right.get(30)) for _ in range(4)] == [b"", b"a", b"", b""]


def test_any_buffer_can_be_put(pair: Pair) -> None:
    left, right = pair
    for frame in (b"abc", bytearray(b"abc"), memoryview(b"xabc")[1:]):
        left.put(frame, 30)
        assert bytes(right.get(30)) == b"abc"


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
        flood(put)
    # A queue at each side, and what gRPC and the sockets hold between them.
    assert len(sent) * len(frame) < 16 * MIB
    for _ in sent:
        assert len(right.get(30)) == len(frame)
    left.put(b"again", 30)
    assert bytes(right.get(30)) == b"again"


def test_silence_ends_at_the_deadline(pair: Pair) -> None:
    begun = time.monotonic()
    with pytest.raises(PeerTimeout, match=r"right: sent nothing for 0\.2 s") as caught:
        pair[0].get(0.2)
    assert caught.value.peer == "right"
    within(PROMPTLY, begun)
    pair[1].put(b"late", 30)
    assert bytes(pair[0].get(30)) == b"late"


def test_close_delivers_what_was_put(pair: Pair) -> None:
    left, right = pair
    frames = [os.urandom(3 * MIB) for _ in range(3)]
    for frame in frames:
        left.put(frame, 30)
    closer = threading.Thread(target=left.close)
    closer.start()
    time.sleep(0.05)
    assert [bytes(right.get(30)) for _ in frames] == frames
    with pytest.raises(PeerClosed, match="left"):
        right.get(30)
    with pytest.raises(PeerClosed, match="left"):
        right.put(b"too late", 30)
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
    within(PROMPTLY, begun)


def test_closing_wakes_the_peer_that_waits_to_put(links: Links) -> None:
    left, right = links(capacity=MIB)
    threading.Timer(0.5, partial(left.close, 1)).start()
    begun = time.monotonic()
    with pytest.raises(PeerClosed, match="left: closed the link"):
        flood(lambda: right.put(bytes(MIB), 30))
    within(PROMPTLY, begun)


def test_closing_wakes_our_own_get(pair: Pair) -> None:
    left, _ = pair
    threading.Timer(0.1, left.close).start()
    begun = time.monotonic()
    with pytest.raises(PeerClosed):
        left.get(30)
    within(PROMPTLY, begun)


def test_ctrl_c_interrupts_a_get_and_the_link_goes_on(pair: Pair) -> None:
    left, right = pair
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        _interrupted(partial(left.get, 30), after=0.1)
    within(PROMPTLY, begun)
    right.put(b"still here", 30)
    assert bytes(left.get(30)) == b"still here"


def test_ctrl_c_interrupts_a_put(links: Links) -> None:
    left, _ = links(capacity=MIB)
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        _interrupted(lambda: flood(lambda: left.put(bytes(MIB), 30)), after=0.5)
    within(PROMPTLY, begun)
