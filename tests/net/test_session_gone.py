# SPDX-License-Identifier: Apache-2.0
"""Sessions that never open, because a party is not there or stops: who waits for it, and what each
of the others says of whom."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest
from link_pairs import PROMPTLY, within
from session_files import NAMES, Files

from mpc.errors import PeerClosed, PeerUnreachable
from mpc.net import grpc_link
from mpc.net.grpc_link import Endpoint
from mpc.net.session import Session


def _opened(session: Session) -> None:
    raise AssertionError(f"{session.name} has a session with {session.peers}")


def test_a_peer_that_does_not_run(
    files: Files, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grpc_link, "_NOTICE_SECONDS", 0.1)
    begun = time.monotonic()
    with caplog.at_level(logging.WARNING, "mpc.net"):
        (error,) = files.run(_opened, "bank", parties=("bank", "tax"), wait=1.5)
    assert isinstance(error, PeerUnreachable)
    assert f"tax: could not be reached at {files.addresses['tax']} within 1.5 s" in str(error)
    assert time.monotonic() - begun > 1.4
    within(PROMPTLY, begun)
    assert caplog.messages == [f"waiting for tax at {files.addresses['tax']}"]


def test_a_peer_that_one_gave_up_on_is_named_by_the_other_too(files: Files) -> None:
    """The bank waits less, and stops the job; the tax office is told so, but waits for power."""
    errors = files.run(
        _opened, "bank", "tax", parties=NAMES, wait=lambda name: 4.0 if name == "bank" else 8.0
    )
    assert [type(error) for error in errors] == [PeerUnreachable, PeerUnreachable]
    assert [error.peer for error in errors] == ["power", "power"]


def test_one_that_closes_before_it_can_say_why_is_named(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bank stops because power is gone, while its link to the tax office is being made: it has
    nobody to tell that yet, and the tax office, which met nobody, sees the bank close."""
    connect = Endpoint.connect

    def loses_power(endpoint: Endpoint, peer: str, **options: Any) -> Any:
        link = connect(endpoint, peer, **options)
        if endpoint.name == "bank":
            raise PeerClosed("power", "the connection was lost")
        return link

    monkeypatch.setattr(Endpoint, "connect", loses_power)
    begun = time.monotonic()
    errors = files.run(_opened, "bank", "tax", parties=NAMES, wait=20)
    within(PROMPTLY, begun)
    assert [type(error) for error in errors] == [PeerClosed, PeerClosed]
    assert [error.peer for error in errors] == ["power", "bank"]


def test_waiting_is_shown_where_it_is_asked_for(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grpc_link, "_NOTICE_SECONDS", 0.1)
    shown: list[str] = []
    files.write("bank", dials=())
    files.run(_opened, "bank", parties=("bank", "tax"), wait=1.2, on_wait=lambda _: shown.append)
    assert shown == [f"waiting for tax at our address {files.addresses['bank']}"]
