# SPDX-License-Identifier: Apache-2.0
"""Both protocols behind one pair of roles: chosen alike on both sides, equal in what they find."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from mpc import kernels
from mpc.apps import intersection
from mpc.errors import DataError
from mpc.net import memory
from mpc.net.channel import Channel
from mpc.protocols import psi, psi_dh
from mpc.testing import run_pair


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
