# SPDX-License-Identifier: Apache-2.0
"""Messages that wait for one another are counted, and what a link alone takes is a floor."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks import parties, sharing
from benchmarks._flights import Chain, Chained, Reached
from benchmarks.parties import LINKS, Seat, Times
from mpc.net import memory
from mpc.net.channel import Channel
from mpc.net.link import Link
from mpc.net.mesh import Mesh
from mpc.net.shaped import Shaped
from mpc.pb.v1.columns_pb2 import Column
from mpc.protocols.triples import kinds

FRAME = bytes(1000)
Side = Callable[[Link], None]


def over(*sides: Side, latency: float = 0.0, bandwidth: float = float("inf")) -> list[Reached]:
    """What each of two sides has reached in the end."""

    def play(side: Side, link: Link) -> Reached:
        chain = Chain()
        side(Chained(link, chain, latency=latency, bandwidth=bandwidth))
        return chain.reached

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(play, sides, memory.pair()))


def asks(link: Link) -> None:
    for _ in range(5):
        link.put(FRAME)
        link.get()


def answers(link: Link) -> None:
    for _ in range(5):
        link.get()
        link.put(FRAME)


def streams(link: Link) -> None:
    for _ in range(7):
        link.put(FRAME)


def takes(link: Link) -> None:
    for _ in range(7):
        link.get()


def test_every_question_and_every_answer_waits_for_the_one_before() -> None:
    asker, holder = over(asks, answers, latency=0.1, bandwidth=1e4)
    assert (asker.flights, holder.flights) == (10, 9)
    assert asker.seconds == pytest.approx(10 * (0.1 + 0.1))
    assert holder.seconds == pytest.approx(9 * (0.1 + 0.1))


def test_messages_of_both_ways_at_once_are_one_flight() -> None:
    one, other = over(asks, asks, latency=0.1, bandwidth=1e4)
    assert one == other
    assert one.flights == 5
    assert one.seconds == pytest.approx(5 * (0.1 + 0.1))


def test_a_stream_is_one_flight_whose_messages_follow_each_other() -> None:
    one, other = over(streams, takes, latency=0.1, bandwidth=1e4)
    assert one == Reached()  # it waits for nothing
    assert other.flights == 1
    assert other.seconds == pytest.approx(7 * 0.1 + 0.1)


def test_what_is_on_its_way_while_others_wait_counts_once() -> None:
    """A stream that is sent ahead fills its way while the other side's first message travels, so a
    message that waited for that is behind the stream, and not a latency later."""

    def one(link: Link) -> None:
        streams(link)
        link.get()
        link.put(FRAME)

    def other(link: Link) -> None:
        link.put(FRAME)
        takes(link)
        link.get()

    _, reached = over(one, other, latency=0.1, bandwidth=1e4)
    assert reached.flights == 2
    assert reached.seconds == pytest.approx(8 * 0.1 + 0.1)


def test_a_message_depends_on_what_came_from_others_too() -> None:
    near, middle_near = memory.pair()
    middle_far, far = memory.pair()
    middle, end = Chain(), Chain()
    Chained(near, Chain(), latency=1.0).put(FRAME)
    # Peers of links of memory are told apart by their places.
    behind = Chained(_Named(middle_near, "near"), middle, latency=1.0)
    ahead = Chained(_Named(middle_far, "far"), middle, latency=1.0)
    ahead.put(FRAME)
    behind.get()
    ahead.put(FRAME)
    last = Chained(far, end, latency=1.0)
    last.get()
    assert end.reached == Reached(1, 1.0)
    last.get()
    assert end.reached == Reached(2, 2.0)


def test_a_thread_that_is_ahead_of_another_is_not_waited_for() -> None:
    """Each serves a peer; only when the first thread goes on has it all been waited for."""
    (one, one_end), (two, two_end) = memory.pair(), memory.pair()
    mine, theirs = Chain(), Chain()
    to_one, to_two = (Chained(_Named(link, n), mine) for link, n in ((one, "one"), (two, "two")))
    at_one, at_two = Chained(one_end, Chain()), Chained(two_end, theirs)

    def thread(work: Callable[[], object]) -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(work).result()

    for _ in range(3):
        thread(lambda: to_one.put(FRAME))
        at_one.get()
        at_one.put(FRAME)
        thread(to_one.get)
    thread(lambda: to_two.put(FRAME))
    at_two.get()
    assert (mine.reached.flights, theirs.reached.flights) == (6, 1)
    to_two.put(FRAME)
    at_two.get()
    assert theirs.reached.flights == 7


class _Named:
    """A link under the name of its peer."""

    def __init__(self, link: Link, peer: str) -> None:
        self.peer, self.put, self.get, self.close = peer, link.put, link.get, link.close


def test_no_run_over_a_shaped_link_is_faster_than_what_the_link_alone_takes() -> None:
    shape, begun = {"latency": 0.02, "bandwidth": 1e5}, time.monotonic()

    def play(link: Link) -> tuple[float, float]:
        chain = Chain()
        link = Chained(Shaped(link, **shape), chain, **shape)
        streams(link)
        asks(link)
        takes(link)
        return chain.reached.seconds, time.monotonic() - begun

    with ThreadPoolExecutor(2) as pool:
        for least, taken in pool.map(play, memory.pair()):
            assert 0.13 < least <= taken


def _passes(seat: Seat, _options: None) -> Times:
    """Three parties pass a message on to the next, and the last sends it home."""

    def work(mesh: Mesh) -> None:
        for sender, receiver in (("a", "b"), ("b", "c"), ("c", "a")):
            if mesh.me == sender:
                mesh.channel(receiver).send(Column())
            elif mesh.me == receiver:
                mesh.channel(sender).recv(Column)

    return parties.timed(seat, "20ms", 1, lambda mesh: mesh, work, lambda _: True)


def test_rounds_go_through_all_parties() -> None:
    times = parties.play(("a", "b", "c"), _passes, None)["a"]
    latency = LINKS["20ms"][1] / 1e3
    assert times.rounds == times.reached.flights == 3
    assert 3 * latency < times.reached.seconds < 3.1 * latency
    assert times.reached.seconds <= min(times.seconds)


def _sines(seat: Seat, _options: None) -> Times:
    """The kind of correlation whose messages overlap most."""
    made = sharing._made(seat, "20ms", 1, "sharing.correlations", kinds.Sines(24, 10, 20, 8))
    assert made.floor == ("link", made.times.reached.seconds)
    return made.times


def test_correlations_are_not_made_faster_than_the_floor() -> None:
    for times in parties.play(("near", "far"), _sines, None).values():
        assert times.checked
        assert times.reached.flights * LINKS["20ms"][1] / 1e3 <= times.reached.seconds
        assert times.reached.seconds <= min(times.seconds)


def test_peer_channels_carry_what_was_sent() -> None:
    near, far = memory.pair()
    sent = Column(width=1, count=3, data=b"abc")
    Channel(Chained(near, Chain())).send(sent)
    assert Channel(Chained(far, Chain())).recv(Column) == sent


def test_rounds_are_of_what_is_sent_too() -> None:
    near, far = memory.pair()
    first, second = Chain(), Chain()
    Chained(near, first).put(FRAME)
    end = Chained(far, second)
    end.get()
    assert (first.rounds, second.rounds) == (1, 1)
    end.put(FRAME)
    assert (first.rounds, second.rounds) == (1, 2)
    assert (first.reached.flights, second.reached.flights) == (0, 1)
