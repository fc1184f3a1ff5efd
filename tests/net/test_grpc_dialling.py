# SPDX-License-Identifier: Apache-2.0
"""Who dials whom, who waits for whom, and what is said when nobody comes."""

from __future__ import annotations

import socket
import threading
import time
from functools import partial

import pytest
from link_pairs import PROMPTLY, within
from net_parties import LOOPBACK, Parties, both

from mpc.errors import ConfigError, PeerClosed, PeerUnreachable
from mpc.net import grpc_link
from mpc.net.grpc_link import Endpoint
from mpc.net.peer import Address, Peer
from mpc.net.stream import StreamLink
from tests.ports import free_ports


def _free_address() -> Address:
    return Address("127.0.0.1", *free_ports(1))


def _connected(left: StreamLink, right: StreamLink) -> None:
    left.put(b"from left", 30)
    right.put(b"from right", 30)
    assert bytes(right.get(30)) == b"from left"
    assert bytes(left.get(30)) == b"from right"
    closer = threading.Thread(target=left.close)
    closer.start()
    right.close()
    closer.join()


@pytest.mark.parametrize("dialler", ["ada", "bob"])
def test_either_side_may_dial(parties: Parties, dialler: str) -> None:
    other = {"ada": "bob", "bob": "ada"}[dialler]
    called = parties.endpoint(other, {dialler: None}, listen=LOOPBACK)
    caller = parties.endpoint(dialler, {other: called.address})
    _connected(*both(partial(caller.connect, other), partial(called.connect, dialler)))


def test_two_that_dial_each_other_get_one_link(parties: Parties) -> None:
    for _ in range(5):
        ada_at, bob_at = _free_address(), _free_address()
        ada = parties.endpoint("ada", {"bob": bob_at}, listen=ada_at)
        bob = parties.endpoint("bob", {"ada": ada_at}, listen=bob_at)
        left, right = both(partial(ada.connect, "bob"), partial(bob.connect, "ada"))
        assert (len(ada._links), len(bob._links)) == (1, 1)
        _connected(left, right)
        ada.close()
        bob.close()


def test_the_first_name_takes_the_call_of_a_peer_that_cannot_be_called(parties: Parties) -> None:
    # ada has an address for bob that nobody listens at, and bob only dials.
    ada = parties.endpoint("ada", {"bob": _free_address()}, listen=LOOPBACK)
    bob = parties.endpoint("bob", {"ada": ada.address})
    _connected(*both(partial(ada.connect, "bob"), partial(bob.connect, "ada")))


def test_a_listener_that_comes_late(parties: Parties) -> None:
    at, shown = _free_address(), []
    caller = parties.endpoint("ada", {"bob": at})
    begun = time.monotonic()

    def called() -> StreamLink:
        time.sleep(1.3)
        return parties.endpoint("bob", {"ada": None}, listen=at).connect("ada")

    links = both(lambda: caller.connect("bob", on_wait=lambda *line: shown.append(line)), called)
    assert shown == [("bob", str(at))]
    within(PROMPTLY, begun)
    _connected(*links)


def test_nobody_at_the_address(parties: Parties) -> None:
    at = _free_address()
    begun = time.monotonic()
    words = (
        rf"bob: could not be reached at {at} within 0\.5 s.* or it stopped because of a fault of"
    )
    with pytest.raises(PeerUnreachable, match=words):
        parties.endpoint("ada", {"bob": at}).connect("bob", wait=0.5)
    within(PROMPTLY, begun)


def test_nobody_calls(parties: Parties, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpc_link, "_NOTICE_SECONDS", 0.1)
    shown = []
    endpoint = parties.endpoint("ada", {"bob": None}, listen=LOOPBACK)
    words = rf"bob: did not call us at {endpoint.address}.* such as another job file"
    with pytest.raises(PeerUnreachable, match=words):
        endpoint.connect("bob", wait=1.5, on_wait=lambda *line: shown.append(line))
    assert shown == [("bob", f"our address {endpoint.address}")]


def test_the_other_dials_but_does_not_get_through(parties: Parties) -> None:
    # ada sorts first and would dial bob, at an address where somebody else listens.
    ada = parties.endpoint("ada", {"bob": _free_address()}, listen=LOOPBACK)
    bob = parties.endpoint("bob", {"ada": ada.address}, listen=LOOPBACK)
    errors = both(partial(ada.connect, "bob", wait=3), partial(bob.connect, "ada", wait=3))
    assert all(isinstance(error, PeerUnreachable) for error in errors)
    assert "ada dials bob at" in str(errors[1])


def test_something_else_at_the_address(parties: Parties) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"220 mail.example.org\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        at = Address("127.0.0.1", server.getsockname()[1])
        endpoint = Endpoint("ada", [Peer("bob", at)], insecure=True)
        with pytest.raises(PeerUnreachable, match="what answers there is not a party"):
            endpoint.connect("bob", wait=2)
        endpoint.close()
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_one_link_for_each_peer(parties: Parties) -> None:
    called = parties.endpoint("bob", {"ada": None}, listen=LOOPBACK)
    first = parties.endpoint("ada", {"bob": called.address})
    second = parties.endpoint("ada", {"bob": called.address})
    links = first.connect("bob"), called.connect("ada")
    with pytest.raises(PeerUnreachable, match="bob has a session with ada already"):
        second.connect("bob", wait=3)
    _connected(*links)


def test_closing_the_endpoint_ends_the_wait(parties: Parties) -> None:
    endpoint = parties.endpoint("ada", {"bob": None}, listen=LOOPBACK)
    threading.Timer(0.2, endpoint.close).start()
    begun = time.monotonic()
    with pytest.raises(PeerClosed, match="bob: this side has closed"):
        endpoint.connect("bob", wait=30)
    within(PROMPTLY, begun)


def test_closing_the_endpoint_ends_its_links(parties: Parties) -> None:
    called = parties.endpoint("bob", {"ada": None}, listen=LOOPBACK)
    caller = parties.endpoint("ada", {"bob": called.address})
    left, right = both(partial(caller.connect, "bob"), partial(called.connect, "ada"))
    caller.close()
    for link in (left, right):
        with pytest.raises(PeerClosed, match="the connection was lost"):
            link.get(30)
    with pytest.raises(PeerClosed):
        right.put(b"x", 30)


def test_a_taken_port_is_our_own_fault(parties: Parties) -> None:
    first = parties.endpoint("ada", {"bob": None}, listen=LOOPBACK)
    with pytest.raises(ConfigError, match=f"bob cannot listen at {first.address}"):
        parties.endpoint("bob", {"ada": None}, listen=first.address)


def test_neither_address_nor_listener(parties: Parties) -> None:
    with pytest.raises(ConfigError, match="give it one of them"):
        parties.endpoint("ada", {"bob": None}).connect("bob")


@pytest.mark.parametrize(
    ("listen", "dial"), [("0.0.0.0:0", None), (None, "192.0.2.1:7100"), ("[::]:0", None)]
)
def test_plaintext_stays_on_loopback(listen: str | None, dial: str | None) -> None:
    peer = Peer("bob", dial and Address.parse(dial))
    with pytest.raises(ConfigError, match="insecure=True works on loopback only"):
        Endpoint("ada", [peer], listen=listen and Address.parse(listen), insecure=True)


def test_plaintext_is_never_what_is_left(parties: Parties) -> None:
    for identity, peer in (
        (None, Peer("bob", None, parties.trust("bob"))),
        (parties.identity("ada"), Peer("bob")),
    ):
        with pytest.raises(ConfigError, match="no certificate for"):
            Endpoint("ada", [peer], identity=identity, listen=LOOPBACK)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:7100", "127.0.0.1", 7100),
        ("[::1]:1", "::1", 1),
        ("tax.example.org:65535", "tax.example.org", 65535),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    assert Address.parse(text) == Address(host, port)
    assert str(Address.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "host", "host:", ":1", "host:65536", "::1:1", "a b:1", "http://a:1", "a:1/"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ConfigError, match="write host:port"):
        Address.parse(text)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("localhost.example.org", False),
    ],
)
def test_loopback(host: str, local: bool) -> None:
    assert Address(host, 1).is_loopback() is local
