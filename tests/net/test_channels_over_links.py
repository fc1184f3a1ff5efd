# SPDX-License-Identifier: Apache-2.0
"""Channels over every link: each fault ends in its typed error, at both sides where both see it."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest
from link_pairs import MIB, PROMPTLY, Links, Pair, flood, within

from mpc.errors import (
    MessageTooLarge,
    ParameterMismatch,
    PeerAborted,
    PeerUntrusted,
    ProtocolError,
    VersionMismatch,
)
from mpc.net.channel import Channel
from mpc.net.handshake import greet, hello
from mpc.pb.v1.columns_pb2 import Column, Strings
from mpc.pb.v1.session_pb2 import Hello


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
    left, right = (Channel(link, timeout=30) for link in pair)
    left.abort(ValueError("account 6222 0000"))
    with pytest.raises(PeerAborted, match=r"^left: aborted the job \(ValueError\)$") as caught:
        right.recv(Column)
    assert caught.value.reason == "ValueError"


def test_an_abort_reaches_a_peer_that_is_stuck_in_send(links: Links) -> None:
    left, right = (Channel(link, timeout=30) for link in links(capacity=MIB))
    threading.Timer(0.5, partial(left.abort, MessageTooLarge("right", "x"))).start()
    begun = time.monotonic()
    with pytest.raises(PeerAborted, match="MessageTooLarge"):
        flood(lambda: right.send(Column(data=bytes(MIB))))
    within(PROMPTLY, begun)


def test_another_type_names_the_peer_and_both_types(pair: Pair) -> None:
    left, right = (Channel(link, timeout=30) for link in pair)
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
        Channel(right, timeout=30).recv(Column)


def test_an_oversized_message_is_announced_and_not_accepted(links: Links) -> None:
    left, right = (Channel(link, timeout=30) for link in links(limit=4 * MIB))
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
    within(PROMPTLY, begun)
    assert isinstance(errors[0], PeerAborted)
    assert errors[0].reason == "MessageTooLarge"


def _greet_both(pair: Pair, ours: Hello, theirs: Hello) -> list[Exception]:
    errors: dict[int, Exception] = {}

    def side(index: int, says: Hello) -> None:
        try:
            greet(Channel(pair[index], timeout=30), says)
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
