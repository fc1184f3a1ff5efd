# SPDX-License-Identifier: Apache-2.0
"""Two hellos that differ: what each side is shown of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from mpc.errors import ParameterMismatch
from mpc.net import memory
from mpc.net.channel import Channel
from mpc.net.handshake import greet, hello


def met(ours: str, theirs: str) -> list[ParameterMismatch]:
    """What either side is told, who hold other values of one parameter."""
    left, right = memory.pair("bank", "tax")

    def one(me: str, peer: str, value: str, channel: Channel) -> None:
        greet(channel, hello(me, peer, session="s", parameters={"rules": value}))

    with ThreadPoolExecutor(2) as pool:
        ends = [
            pool.submit(one, "bank", "tax", ours, Channel(left, timeout=10)),
            pool.submit(one, "tax", "bank", theirs, Channel(right, timeout=10)),
        ]
        errors = [end.exception() for end in ends]
    assert all(isinstance(error, ParameterMismatch) for error in errors), errors
    return errors  # type: ignore[return-value]


def test_short_values_are_shown_whole() -> None:
    bank, tax = met("a", "b")
    assert (bank.ours, bank.theirs) == ('"a"', '"b"')
    assert (tax.ours, tax.theirs) == ('"b"', '"a"')


@pytest.mark.parametrize("at", [0, 30, 199, 200, 300, 498])
def test_long_values_are_shown_from_where_they_differ(at: int) -> None:
    value = "".join(chr(ord("a") + i % 26) for i in range(499))
    other = f"{value[:at]}!{value[at + 1 :]}"
    bank, tax = met(value, other)
    assert (bank.ours, bank.theirs) == (tax.theirs, tax.ours)
    assert "!" in bank.theirs
    assert bank.theirs.replace("!", value[at]) == bank.ours
    assert len(bank.ours) <= 202
    # As much of what comes before, and "…" where something is left out.
    assert value[max(0, at - 40) : at] in bank.ours
    assert bank.ours.startswith("…") == (at + 1 > 50)
    assert bank.ours.endswith("…") == (at + 1 - 50 + 200 < 501)


def test_a_value_that_goes_on() -> None:
    bank, _ = met("a" * 300, "a" * 300 + "b")
    assert bank.ours == "…" + "a" * 50 + '"'
    assert bank.theirs == "…" + "a" * 50 + 'b"'
