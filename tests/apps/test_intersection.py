# SPDX-License-Identifier: Apache-2.0
"""Both protocols behind one pair of roles: chosen alike on both sides, equal in what they find."""

from __future__ import annotations

from typing import Any

import pytest

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
        (500, intersection.SMALL - 500, psi_dh),
        (500, intersection.SMALL - 499, psi),
        (3, 4000, psi),
        (4000, 0, psi),
    ],
)
def test_both_sides_choose_alike_and_find_what_is_common(
    monkeypatch: pytest.MonkeyPatch, mine: int, theirs: int, chosen: Any
) -> None:
    used = []
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

            monkeypatch.setattr(protocol, role, spy)
    x, y = ids(0, mine), ids(mine // 2, theirs)
    hits, asked = run_pair(
        lambda channel: intersection.receiver(channel, x),
        lambda channel: intersection.sender(channel, y),
    )
    assert used == [chosen, chosen]
    assert hits.tolist() == [i for i, item in enumerate(x) if item in set(y)]
    assert asked == mine


def test_duplicates_are_found_before_anything_is_sent() -> None:
    link, other = memory.pair()
    for role in (intersection.receiver, intersection.sender):
        with pytest.raises(DataError):
            role(Channel(link), ["a", "a"])
    link.close()
    with pytest.raises(Exception, match="closed"):
        other.get(1)
