# SPDX-License-Identifier: Apache-2.0
"""Links around links: the time of a longer wire, and the count of what passes."""

from __future__ import annotations

import hashlib
import threading
import time

import pytest

from mpc.errors import PeerTimeout, ProtocolError
from mpc.net import memory
from mpc.net.link import Link
from mpc.net.shaped import Shaped, shape
from mpc.net.traced import Traced, Traffic


def _shaped(**wire: float) -> tuple[Link, Link]:
    return shape(memory.pair(), **wire)


def test_latency_is_one_way() -> None:
    left, right = _shaped(latency=0.1)
    begun = time.monotonic()
    left.put(b"ping")
    assert time.monotonic() - begun < 0.05
    right.get(5)
    assert 0.1 <= time.monotonic() - begun < 0.3
    right.put(b"pong")
    left.get(5)
    assert 0.2 <= time.monotonic() - begun < 0.5


def test_latency_does_not_queue_messages_behind_each_other() -> None:
    left, right = _shaped(latency=0.2)
    begun = time.monotonic()
    for number in range(200):
        left.put(bytes([number]))
    assert [right.get(5)[0] for _ in range(200)] == list(range(200))
    assert 0.2 <= time.monotonic() - begun < 0.6


def test_bandwidth_is_shared_by_all_that_is_sent() -> None:
    left, right = _shaped(latency=0.05, bandwidth=1e6)
    begun = time.monotonic()
    for _ in range(10):
        left.put(bytes(20_000))
    arrivals = []
    for _ in range(10):
        right.get(5)
        arrivals.append(time.monotonic() - begun)
    assert 0.25 <= arrivals[-1] < 0.6
    assert 0.07 <= arrivals[0] < 0.2
    # A pause on the way does not give credit for later.
    time.sleep(0.2)
    begun = time.monotonic()
    left.put(bytes(100_000))
    right.get(5)
    assert 0.15 <= time.monotonic() - begun < 0.4


def test_the_directions_do_not_disturb_each_other() -> None:
    left, right = _shaped(latency=0, bandwidth=1e6)
    begun = time.monotonic()
    left.put(bytes(200_000))
    right.put(bytes(200_000))
    left.get(5)
    right.get(5)
    assert 0.2 <= time.monotonic() - begun < 0.38


def test_a_deadline_before_the_arrival() -> None:
    left, right = _shaped(latency=0.3)
    left.put(b"slow")
    begun = time.monotonic()
    with pytest.raises(PeerTimeout, match=r"left: sent nothing for 0\.1 s"):
        right.get(0.1)
    assert time.monotonic() - begun < 0.25
    assert bytes(right.get(5)) == b"slow"
    assert time.monotonic() - begun >= 0.3


def test_a_full_way_holds_the_sender_back() -> None:
    left, right = shape(memory.pair(capacity=100_000), latency=0.0, bandwidth=1e6)
    reader = threading.Thread(target=lambda: [right.get(5) for _ in range(10)])
    begun = time.monotonic()
    reader.start()
    for _ in range(10):
        left.put(bytes(50_000), 5)
    assert time.monotonic() - begun > 0.3
    reader.join()


def test_one_end_that_is_not_shaped() -> None:
    left, right = memory.pair()
    left.put(b"raw")
    with pytest.raises(ProtocolError, match="left: its end of the link is not shaped"):
        Shaped(right, latency=0.1).get(1)


def _traced() -> tuple[Traced, Traced]:
    left, right = memory.pair()
    return Traced(left), Traced(right)


def test_counts() -> None:
    left, right = _traced()
    left.put(b"four")
    left.put(b"")
    right.get()
    right.get()
    right.put(b"x")
    left.get()
    assert left.traffic == Traffic(4, 1, 2, 1, 1)
    assert right.traffic == Traffic(1, 4, 1, 2, 1)
    assert left.traffic.messages == 3


def test_a_round_is_a_run_of_receives() -> None:
    left, right = _traced()
    for _ in range(3):  # an exchange, three times
        left.put(b"a")
        right.put(b"b")
        left.get()
        right.get()
    assert (left.traffic.rounds, right.traffic.rounds) == (3, 3)
    for _ in range(5):  # a stream of blocks is one
        left.put(b"block")
    for _ in range(5):
        right.get()
    assert (left.traffic.rounds, right.traffic.rounds) == (3, 3)
    right.put(b"answer")
    left.get()
    assert (left.traffic.rounds, right.traffic.rounds) == (4, 3)


def test_what_fails_is_not_counted() -> None:
    left, right = _traced()
    with pytest.raises(PeerTimeout):
        left.get(0.01)
    right.put(b"late")
    left.get()
    assert left.traffic == Traffic(0, 4, 0, 1, 1)


def test_the_digest_is_as_documented() -> None:
    left, right = _traced()
    left.put(b"ask")
    right.get()
    right.put(b"")
    left.get()
    entries = (
        (b"\0" + (3).to_bytes(8, "little") + b"ask"),
        (b"\1" + (0).to_bytes(8, "little")),
    )
    assert left.digest() == hashlib.sha256(b"".join(entries)).digest()
    assert right.digest() != left.digest()


def test_a_digest_that_was_not_asked_for() -> None:
    with pytest.raises(ValueError, match="digest=False"):
        Traced(memory.pair()[0], digest=False).digest()
