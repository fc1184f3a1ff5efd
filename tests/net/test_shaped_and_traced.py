# SPDX-License-Identifier: Apache-2.0
"""Links around links: the time of a longer wire, and the count of what passes."""

from __future__ import annotations

import hashlib
import threading
import time

import pytest

from mpc.errors import PeerTimeout, ProtocolError
from mpc.net import memory, shaped
from mpc.net.link import Link
from mpc.net.shaped import Shaped, shape
from mpc.net.traced import Traced, Traffic


class _Clock:
    """A time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def passed(self) -> float:
        """Milliseconds since the start."""
        return round(1000 * (self.now - 1000.0), 3)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    made = _Clock()
    monkeypatch.setattr(shaped, "time", made)
    return made


def _shaped(**wire: float) -> tuple[Link, Link]:
    return shape(memory.pair(), **wire)


def test_latency_is_one_way(clock: _Clock) -> None:
    left, right = _shaped(latency=0.1)
    left.put(b"ping")
    assert clock.passed() == 0
    right.get(5)
    assert clock.passed() == 100
    right.put(b"pong")
    left.get(5)
    assert clock.passed() == 200


def test_latency_does_not_queue_messages_behind_each_other(clock: _Clock) -> None:
    left, right = _shaped(latency=0.2)
    for number in range(200):
        left.put(bytes([number]))
    assert [right.get(5)[0] for _ in range(200)] == list(range(200))
    assert clock.passed() == 200


def test_bandwidth_is_shared_by_all_that_is_sent(clock: _Clock) -> None:
    left, right = _shaped(latency=0.05, bandwidth=1e6)
    for _ in range(10):
        left.put(bytes(20_000))
    arrivals = []
    for _ in range(10):
        right.get(5)
        arrivals.append(clock.passed())
    assert arrivals == [50 + 20 * (place + 1) for place in range(10)]
    # A pause on the way does not give credit for later.
    clock.sleep(0.25)
    left.put(bytes(100_000))
    right.get(5)
    assert clock.passed() == 250 + 250 + 150


def test_the_directions_do_not_disturb_each_other(clock: _Clock) -> None:
    left, right = _shaped(latency=0, bandwidth=1e6)
    left.put(bytes(200_000))
    right.put(bytes(200_000))
    left.get(5)
    right.get(5)
    assert clock.passed() == 200


def test_a_deadline_before_the_arrival(clock: _Clock) -> None:
    left, right = _shaped(latency=0.3)
    left.put(b"slow")
    with pytest.raises(PeerTimeout, match=r"left: sent nothing for 0\.1 s"):
        right.get(0.1)
    assert clock.passed() == 100
    assert bytes(right.get(5)) == b"slow"
    assert clock.passed() == 300


def test_the_time_of_the_wire_is_that_of_the_clock() -> None:
    left, right = _shaped(latency=0.1, bandwidth=1e6)
    begun = time.monotonic()
    left.put(bytes(50_000))
    right.get(30)
    assert time.monotonic() - begun >= 0.15


def test_a_full_way_holds_the_sender_back() -> None:
    left, right = shape(memory.pair(capacity=100_000), latency=0.0, bandwidth=1e6)
    reader = threading.Thread(target=lambda: [right.get(30) for _ in range(10)])
    begun = time.monotonic()
    reader.start()
    for _ in range(10):
        left.put(bytes(50_000), 30)
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
