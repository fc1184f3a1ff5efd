# SPDX-License-Identifier: Apache-2.0
"""Sessions between parties with files, keys and TLS, as operators run them."""

from __future__ import annotations

import threading
import time
from concurrent import futures
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from link_pairs import PROMPTLY, within
from net_parties import both
from session_files import NAMES, Files

from mpc.errors import (
    ConfigError,
    ParameterMismatch,
    PeerAborted,
    PeerClosed,
    PeerTimeout,
    PeerUnreachable,
    PeerUntrusted,
    VersionMismatch,
)
from mpc.net import handshake, session
from mpc.net.channel import Channel
from mpc.net.columns import pack, unpack_uint64
from mpc.net.session import Session, SessionConfig
from mpc.net.tls import make_identity
from mpc.pb.v1.columns_pb2 import Column

MIB = 1 << 20


def _introduce(session: Session) -> dict[str, str]:
    said = session.mesh(NAMES).exchange(
        Column(**pack(np.frombuffer(session.name.encode(), np.uint8)))
    )
    return {peer: bytes(column.data).decode() for peer, column in said.items()}


EVERYBODY = [{peer: peer for peer in NAMES if peer != name} for name in NAMES]


def test_three_parties_that_all_listen_and_dial(files: Files) -> None:
    assert files.run(_introduce) == EVERYBODY


def test_each_pair_with_another_side_that_dials(files: Files) -> None:
    files.write("bank", dials=("power", "tax"), listens=False)
    files.write("power", dials=())
    files.write("tax", dials=("power",))
    assert files.run(_introduce) == EVERYBODY


def test_two_of_three(files: Files) -> None:
    def role(session: Session) -> tuple[str, ...]:
        with pytest.raises(ConfigError, match="has no connection to 'tax'"):
            session.peer("tax")
        return session.peers

    assert files.run(role, "bank", "power", parties=("power", "bank")) == [("power",), ("bank",)]


def test_sessions_one_after_the_other_at_the_same_addresses(files: Files) -> None:
    for session_id in ("first", "second", "third"):
        assert files.run(_introduce, session_id=session_id) == EVERYBODY


def test_the_same_from_data_in_python(files: Files) -> None:
    def table(name: str, peer: str) -> dict[str, Any]:
        return {
            "name": name,
            "listen": files.addresses[name],
            "key": str(files.folder / f"{name}.key"),
            "certificate": str(files.folder / f"{name}.crt"),
            "peers": {
                peer: {
                    "certificate": str(files.folder / f"{peer}.crt"),
                    "address": files.addresses[peer],
                }
            },
        }

    def play(config: Any, peer: str) -> str:
        with Session.open(config) as session:
            return session.peer(peer).exchange(Column(data=session.name.encode())).data.decode()

    assert both(
        partial(play, table("bank", "tax"), "tax"),
        partial(play, SessionConfig.of(table("tax", "bank")), "bank"),
    ) == ["tax", "bank"]


def test_insecure_needs_no_keys(files: Files) -> None:
    def play(name: str, peer: str) -> bytes:
        config = {
            "name": name,
            "listen": files.addresses[name],
            "peers": {peer: {"address": files.addresses[peer]}},
        }
        with Session.open(config, insecure=True) as session:
            return session.peer(peer).exchange(Column(data=name.encode())).data

    assert both(partial(play, "bank", "tax"), partial(play, "tax", "bank")) == [b"tax", b"bank"]


def test_leaving_delivers_what_was_sent(files: Files) -> None:
    sent = np.arange(6 * MIB, dtype=np.uint64)

    def role(session: Session) -> Any:
        if session.name == "bank":
            session.peer("tax").send(Column(**pack(sent)))
            return None
        time.sleep(0.5)
        return unpack_uint64(session.peer("bank").recv(Column), peer="bank")

    _, got = files.run(role, "bank", "tax", parties=("bank", "tax"))
    assert np.array_equal(got, sent)


def test_what_is_not_taken_in_time_is_an_error(files: Files) -> None:
    done = threading.Event()

    def role(session: Session) -> None:
        if session.name == "bank":
            # The first is on its way at once and fills the queue of the other side.
            session.peer("tax").send(Column(data=bytes(17 * MIB)))
            session.peer("tax").send(Column(data=bytes(64 * MIB)))
        else:
            done.wait(60)

    def play(name: str) -> None:
        with Session.open(files.path(name), parties=("bank", "tax"), timeout=3) as session:
            role(session)

    def bank() -> None:
        try:
            play("bank")
        finally:
            done.set()

    error, _ = both(bank, partial(play, "tax"))
    assert isinstance(error, PeerTimeout)
    assert "did not take all that was sent within 3 s" in str(error)


def test_traffic(files: Files) -> None:
    def role(session: Session) -> Any:
        (peer,) = session.peers
        for _ in range(3):
            session.peer(peer).exchange(Column(data=bytes(1000)))
        return session.traffic(peer)

    left, right = files.run(role, "bank", "tax", parties=("bank", "tax"))
    # The hello, and three exchanges.
    assert (left.sent_messages, left.received_messages, left.messages, left.rounds) == (4, 4, 8, 4)
    assert left.sent_bytes == right.received_bytes > 3000
    assert left.received_bytes == right.sent_bytes > 3000


def test_an_error_reaches_all_with_its_class_only(files: Files) -> None:
    def role(session: Session) -> None:
        if session.name == "power":
            raise RuntimeError("company 91350211M000100Y43 is listed")
        _introduce(session)

    begun = time.monotonic()
    bank, power, tax = files.run(role)
    within(PROMPTLY, begun)
    assert isinstance(power, RuntimeError)
    for error in (bank, tax):
        assert isinstance(error, PeerAborted)
        # The first to hear of it may pass the reason on to the other before the source does.
        assert error.reason == "RuntimeError"
        assert "91350211" not in str(error)


def test_different_parameters_are_shown_at_both_sides(files: Files) -> None:
    errors = files.run(
        _introduce,
        "bank",
        "tax",
        parties=("bank", "tax"),
        parameters=lambda name: {"kind": "score", "bits": 2048 if name == "bank" else 3072},
    )
    assert [str(error) for error in errors] == [
        "tax: parameter 'bits' differs: ours is 2048, theirs is 3072",
        "bank: parameter 'bits' differs: ours is 3072, theirs is 2048",
    ]
    assert all(isinstance(error, ParameterMismatch) for error in errors)


def test_one_of_three_with_other_parameters_stops_all(files: Files) -> None:
    begun = time.monotonic()
    errors = files.run(
        _introduce, wait=10, parameters=lambda name: {"bits": 2048 if name != "tax" else 3072}
    )
    within(PROMPTLY, begun)
    # Who differs finds it, and one that it met. The other one finds it too, or is told so before it
    # meets it, or has met neither and knows no more, when its wait is over, than that somebody is
    # not there.
    found = [isinstance(error, ParameterMismatch) for error in errors]
    assert found[NAMES.index("tax")], errors
    assert sum(found) >= 2, errors
    for error in errors:
        if isinstance(error, PeerAborted):
            assert error.reason == "ParameterMismatch"
        else:
            assert isinstance(error, ParameterMismatch | PeerClosed | PeerUnreachable)


def test_what_a_party_found_itself_is_raised_before_what_it_is_told(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where both are there when it comes to look, as on a busy machine."""
    found = ParameterMismatch("power", "bits", "2048", "3072")
    errors = {"bank": PeerAborted("bank", "ParameterMismatch"), "power": found}

    def join(_: Session, ours: handshake.Hello, **__: object) -> None:
        raise errors[ours.receiver]

    monkeypatch.setattr(Session, "_join", join)
    monkeypatch.setattr(session, "wait_for", lambda joins, **_: futures.wait(joins))
    with pytest.raises(ParameterMismatch) as raised:
        Session.open(files.path("tax"), parties=("bank", "power"))
    assert raised.value is found


@pytest.mark.parametrize(("told", "other"), [("tax", "bank"), ("bank", "tax")])
def test_a_hello_that_is_on_its_way_is_read_before_what_another_one_made_of_it(
    files: Files, monkeypatch: pytest.MonkeyPatch, told: str, other: str
) -> None:
    """The tax office differs. ``told`` hears from power that it stops, and no hello of it, before
    it looks at the hello of ``other``, though that has come."""
    ended = {name: threading.Event() for name in NAMES}
    abort, greet = Session.abort, session.greet
    connected, come, heard = threading.Barrier(6), threading.Event(), threading.Event()
    # Who says no hello before it stops; the tax office and one that it met find what differs.
    silent = {("power", told)} | ({("bank", "power")} if told == "tax" else set())

    def aborts(party: Session, error: BaseException) -> None:
        abort(party, error)
        ended[party.name].set()

    class Late(Channel):
        def recv(self, kind: type[Any]) -> Any:
            theirs = super().recv(kind)
            come.set()
            assert heard.wait(20)
            time.sleep(0.3)  # until who waits for any failure has had time to look
            return theirs

    class Patient(Channel):
        def recv(self, kind: type[Any]) -> Any:
            assert come.wait(20)  # or its end might overtake what it has said
            return super().recv(kind)

    def meet(channel: Channel, ours: handshake.Hello) -> None:
        pair = ours.sender, ours.receiver
        connected.wait(20)  # each to all: whoever finds the difference closes its links
        if pair == (told, other):
            channel = Late(channel._link, timeout=20)
        elif pair == (other, told):
            channel = Patient(channel._link, timeout=20)
        else:
            assert come.wait(20)
        if pair in silent:
            assert ended[ours.sender].wait(20)
        try:
            greet(channel, ours)
        finally:
            if pair == (told, "power"):
                heard.set()

    monkeypatch.setattr(Session, "abort", aborts)
    monkeypatch.setattr(session, "greet", meet)
    errors = files.run(_introduce, parameters=lambda name: {"bits": 1 if name == "tax" else 2})
    error = dict(zip(NAMES, errors, strict=True))[told]
    assert isinstance(error, ParameterMismatch), errors
    assert error.peer == other


def test_another_session_id(files: Files) -> None:
    errors = files.run(
        _introduce, "bank", "tax", parties=("bank", "tax"), session_id=lambda name: f"of {name}"
    )
    assert [str(error) for error in errors] == [
        "tax: parameter 'session' differs: ours is 'of bank', theirs is 'of tax'",
        "bank: parameter 'session' differs: ours is 'of tax', theirs is 'of bank'",
    ]


def test_another_version(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = iter((1, 2))

    def hello(*arguments: Any, **options: Any) -> Any:
        greeting = handshake.Hello(version=next(versions), sender=arguments[0])
        greeting.receiver = arguments[1]
        greeting.parameters_digest = handshake.digest([])
        return greeting

    monkeypatch.setattr("mpc.net.session.hello", hello)
    errors = files.run(_introduce, "bank", "tax", parties=("bank", "tax"))
    assert all(isinstance(error, VersionMismatch) for error in errors)


def test_a_peer_with_another_certificate(files: Files, tmp_path: Path) -> None:
    make_identity("tax", tmp_path / "other")
    for suffix in ("key", "crt"):
        (tmp_path / "other" / f"tax.{suffix}").replace(files.folder / f"tax.{suffix}-new")
    text = files.path("tax").read_text().replace("tax.key", "tax.key-new")
    files.path("tax").write_text(text.replace('"tax.crt"', '"tax.crt-new"'))
    bank, tax = files.run(_introduce, "bank", "tax", parties=("bank", "tax"), wait=4)
    assert isinstance(bank, PeerUntrusted)
    assert isinstance(tax, PeerUnreachable | PeerUntrusted)


def test_a_message_above_the_limit(files: Files) -> None:
    def role(session: Session) -> None:
        (peer,) = session.peers
        if session.name == "bank":
            session.peer(peer).send(Column(data=bytes(2 * MIB)))
        session.peer(peer).recv(Column)

    bank, tax = files.run(role, "bank", "tax", parties=("bank", "tax"), max_message=MIB)
    assert isinstance(bank, PeerAborted)
    assert bank.reason == "MessageTooLarge"
    assert "announced a message of" in str(tax)


@pytest.mark.parametrize(
    ("parties", "text"),
    [
        (("bank", "customs"), "bank does not know customs"),
        (("bank",), "needs one peer at least"),
        (("tax", "tax"), "each one once"),
    ],
)
def test_parties_that_cannot_be(files: Files, parties: tuple[str, ...], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        Session.open(files.path("bank"), parties=parties)


@pytest.mark.parametrize("value", [float("nan"), {"a": 1}, [[1]], b"x", object(), 1j])
def test_parameters_that_are_no_json_scalars(files: Files, value: Any) -> None:
    with pytest.raises(ConfigError, match="parameter 'p'"):
        Session.open(files.path("bank"), parameters={"p": value})


def test_a_mesh_of_strangers(files: Files) -> None:
    def role(session: Session) -> None:
        with pytest.raises(ConfigError, match="'bank' has no channel to"):
            session.mesh(("bank", "power", "tax"))
        with pytest.raises(ConfigError, match="needs different names"):
            session.mesh(("tax", "power"))

    files.run(role, "bank", "tax", parties=("bank", "tax"))
