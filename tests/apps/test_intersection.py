# SPDX-License-Identifier: Apache-2.0
"""Both protocols behind one pair of roles: chosen alike on both sides, equal in what they find."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from mpc import kernels
from mpc.apps import intersection
from mpc.errors import ConfigError, DataError, ParameterMismatch
from mpc.net import memory
from mpc.net.channel import Channel
from mpc.pb.v1.intersection_pb2 import SetSize
from mpc.protocols import psi, psi_dh
from mpc.testing import run_pair
from tests.protocols.psi_runs import Counting


def ids(start: int, count: int) -> list[str]:
    return [f"company {number}" for number in range(start, start + count)]


@pytest.mark.parametrize(
    ("mine", "theirs", "chosen"),
    [
        (0, 0, psi_dh),
        (1, 1, psi_dh),
        (100, intersection.small() - 100, psi_dh),
        (100, intersection.small() - 99, psi),
        (3, 4000, psi),
        (4000, 0, psi),
    ],
)
def test_both_sides_choose_alike_and_find_what_is_common(
    monkeypatch: pytest.MonkeyPatch, mine: int, theirs: int, chosen: Any
) -> None:
    assert chosen_by_both(monkeypatch, mine, theirs) == [chosen, chosen]


@pytest.mark.parametrize(("left", "right"), [(40, 4), (4, 40)])
def test_of_two_bounds_the_smaller_counts(
    monkeypatch: pytest.MonkeyPatch, left: int, right: int
) -> None:
    """Sides on kernels of other speeds; threads are called as the sides are."""
    monkeypatch.setattr(
        intersection, "small", lambda: left if threading.current_thread().name == "left" else right
    )
    assert chosen_by_both(monkeypatch, 2, 2) == [psi_dh, psi_dh]
    assert chosen_by_both(monkeypatch, 2, 3) == [psi, psi]


def test_what_is_small_depends_on_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    if kernels.backend() == "simd":
        found = {}
        for wide in (True, False):
            monkeypatch.setattr(kernels, "wide", lambda wide=wide: wide)
            found[wide] = intersection.small()
        assert found[True] > found[False] > 0
    with kernels.use("portable"):
        assert intersection.small() > 0


def chosen_by_both(monkeypatch: pytest.MonkeyPatch, mine: int, theirs: int) -> list[Any]:
    """The protocols that both sides ran, over sets of these sizes."""
    used: list[Any] = []
    with monkeypatch.context() as patch:
        for protocol in (psi, psi_dh):
            for role in ("receiver", "sender"):
                original = getattr(protocol, role)

                def spy(
                    channel: Channel,
                    items: Any,
                    *,
                    original: Any = original,
                    protocol: Any = protocol,
                    **options: Any,
                ) -> Any:
                    used.append(protocol)
                    return original(channel, items, **options)

                patch.setattr(protocol, role, spy)
        x, y = ids(0, mine), ids(mine // 2, theirs)
        hits, asked = run_pair(
            lambda channel: intersection.receiver(channel, x),
            lambda channel: intersection.sender(channel, y),
        )
    assert hits.tolist() == [i for i, item in enumerate(x) if item in set(y)]
    assert asked == mine
    return used


def test_duplicates_are_found_before_anything_is_sent() -> None:
    link, other = memory.pair()
    for role in (intersection.receiver, intersection.sender):
        with pytest.raises(DataError):
            role(Channel(link), ["a", "a"])
    link.close()
    with pytest.raises(Exception, match="closed"):
        other.get(1)


# --- bounds in place of sizes ---------------------------------------------------------------------


def sizes_of(mine: int, theirs: int, pad_to: int | None, peer_bound: int | None) -> list[Any]:
    """How long the frames are that a sender with a bound, or a receiver with one, puts and gets."""
    sizes: list[Any] = []
    left, right = memory.pair()
    x, y = ids(0, mine), ids(mine // 2, theirs)
    hits, asked = run_pair(
        lambda channel: intersection.receiver(channel, x, pad_to=pad_to, peer_bound=peer_bound),
        lambda channel: intersection.sender(channel, y, pad_to=peer_bound, peer_bound=pad_to),
        links=lambda: (Counting(left, sizes), right),
    )
    assert hits.tolist() == [i for i, item in enumerate(x) if item in set(y)]
    assert asked == (mine if pad_to is None else pad_to)
    return sizes


def test_with_a_bound_no_message_depends_on_the_size() -> None:
    assert sizes_of(7, 3, None, 300) == sizes_of(7, 250, None, 300)
    assert sizes_of(2, 5, 300, None) == sizes_of(299, 5, 300, None)
    assert sizes_of(0, 1, 300, 40) == sizes_of(300, 40, 300, 40)
    assert sizes_of(7, 3, None, 300) != sizes_of(7, 3, None, 301)


def test_an_empty_set_with_a_bound_of_nothing() -> None:
    assert len(sizes_of(0, 0, 0, 0))


def test_what_does_not_fit_its_bound_is_refused_before_anything_is_sent() -> None:
    for role in (intersection.receiver, intersection.sender):
        link, other = memory.pair()
        with pytest.raises(ConfigError, match="3 items do not fit the public bound of 2"):
            role(Channel(link), ["a", "b", "c"], pad_to=2)
        link.close()
        with pytest.raises(Exception, match="closed"):
            other.get(1)


@pytest.mark.parametrize("shown", [None, 40, 60])
def test_a_peer_is_held_to_its_bound(shown: int | None) -> None:
    with pytest.raises(ParameterMismatch, match="ours is 50, theirs is"):
        run_pair(
            lambda channel: intersection.receiver(channel, ["a"], pad_to=shown),
            lambda channel: intersection.sender(channel, ["a"], peer_bound=50),
        )


@pytest.mark.parametrize(("said", "held", "few"), [(3, 5000, 0), (3, 9, 0), (5000, 3, 0)])
def test_a_receiver_that_says_another_size_than_it_runs_for_is_caught(
    said: int, held: int, few: int
) -> None:
    def lying(channel: Channel) -> None:
        channel.exchange(SetSize(items=said, small=few))
        psi.receiver(channel, ids(0, held))

    with pytest.raises(ParameterMismatch, match=f"ours is {said}, theirs is {held}"):
        run_pair(lying, lambda channel: intersection.sender(channel, ids(0, 10)))


def test_of_a_small_set_what_is_reported_is_what_was_evaluated() -> None:
    def lying(channel: Channel) -> None:
        channel.exchange(SetSize(items=1, small=1000))
        psi_dh.receiver(channel, ids(0, 30))

    _, asked = run_pair(lying, lambda channel: intersection.sender(channel, ids(0, 10)))
    assert asked == 30


def test_a_peer_that_calls_itself_small_gets_no_size_of_one_with_a_bound() -> None:
    """psi_dh tells how many items there are, so a bound on either side rules it out."""

    def asking(channel: Channel) -> None:
        channel.exchange(SetSize(items=1, small=1 << 40))
        psi.receiver(channel, ["company 1"], peer_bound=50)

    _, asked = run_pair(asking, lambda channel: intersection.sender(channel, ids(0, 3), pad_to=50))
    assert asked == 1
