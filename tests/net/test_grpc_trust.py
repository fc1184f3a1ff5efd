# SPDX-License-Identifier: Apache-2.0
"""TLS 1.3 with certificates on both sides, and every way in which they can be the wrong ones."""

from __future__ import annotations

import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from link_pairs import PROMPTLY, within
from net_parties import LOOPBACK, Parties, both

from mpc.errors import PeerUnreachable, PeerUntrusted
from mpc.net.grpc_link import Endpoint
from mpc.net.listener import Listener
from mpc.net.peer import Peer
from mpc.net.tls import Identity, Trust, load_authority, make_identity


class Authority:
    """Issues certificates to parties, also ones that it should not."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.crt"
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        certificate = self._certificate(self._key.public_key(), self._name, [], is_authority=True)
        self.path.write_bytes(certificate)

    def issue(self, party: str, *, days: float = 30, names: list[str] | None = None) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, party)])
        certificate = self._certificate(key.public_key(), subject, names or [party], days=days)
        stem = f"{party}-{len(list(self._folder.iterdir()))}"
        key_path, certificate_path = self._folder / f"{stem}.key", self._folder / f"{stem}.crt"
        key_pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        key_path.write_bytes(key_pem)
        certificate_path.write_bytes(certificate)
        return Identity(party, key_path, certificate_path, key_pem, certificate)

    def _certificate(
        self,
        key: Any,
        subject: x509.Name,
        names: list[str],
        *,
        days: float = 30,
        is_authority: bool = False,
    ) -> bytes:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=60))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if names:
            entries = [x509.DNSName(name) for name in names]
            builder = builder.add_extension(x509.SubjectAlternativeName(entries), critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _connect(
    parties: Parties, *, caller: dict[str, Any], called: dict[str, Any], wait: float = 30
) -> list[Any]:
    """What ada, who dials, and bob, who listens and waits for so long, get."""
    bob = parties.endpoint("bob", {"ada": None}, listen=LOOPBACK, **called)
    ada = parties.endpoint("ada", {"bob": bob.address}, **caller)
    return both(partial(ada.connect, "bob"), partial(bob.connect, "ada", wait=wait))


def test_the_caller_is_not_who_is_pinned(parties: Parties, tmp_path: Path) -> None:
    impostor = make_identity("ada", tmp_path / "impostor")
    begun = time.monotonic()
    ada, bob = _connect(parties, caller={"identity": impostor}, called={}, wait=1)
    assert isinstance(ada, PeerUntrusted)
    assert "does not take our certificate" in str(ada)
    assert impostor.fingerprint in str(ada)
    assert isinstance(bob, PeerUnreachable)
    within(PROMPTLY, begun)


def test_the_listener_is_not_who_is_pinned(parties: Parties, tmp_path: Path) -> None:
    impostor = make_identity("bob", tmp_path / "impostor")
    begun = time.monotonic()
    ada, bob = _connect(parties, caller={}, called={"identity": impostor}, wait=1)
    assert isinstance(ada, PeerUntrusted)
    assert "is not its own" in str(ada)
    assert isinstance(bob, PeerUnreachable)
    within(PROMPTLY, begun)


def test_a_peer_under_the_name_of_another_peer(parties: Parties) -> None:
    bob = parties.endpoint("bob", {"ada": None, "eve": None}, listen=LOOPBACK)
    eve = parties.endpoint("ada", {"bob": bob.address}, identity=parties.identity("eve"))
    caller, called = both(partial(eve.connect, "bob"), partial(bob.connect, "ada"))
    assert isinstance(called, PeerUntrusted)
    assert called.peer == "ada"
    assert parties.identity("eve").fingerprint in str(called)
    assert isinstance(caller, PeerUntrusted)
    assert "bob: refuses us: the certificate" in str(caller)


def test_a_call_for_somebody_else(parties: Parties) -> None:
    # The caller knows the listener under the listener's certificate, but means another party.
    bob = parties.endpoint("bob", {"ada": None}, listen=LOOPBACK)
    both_names = Trust("carol", parties.identity("bob").certificate_pem, pinned=True)
    ada = parties.endpoint("ada", {"carol": bob.address}, trusts={"carol": both_names})
    with pytest.raises(PeerUntrusted, match=r"carol: the certificate shown .* Hostname mismatch"):
        ada.connect("carol")


def test_a_caller_that_nobody_expects(parties: Parties) -> None:
    bob = Endpoint("bob", [Peer("ada")], listen=LOOPBACK, insecure=True)
    eve = Endpoint("eve", [Peer("bob", bob.address)], insecure=True)
    with pytest.raises(PeerUntrusted, match="bob: refuses us: 'eve' is not expected by 'bob'"):
        eve.connect("bob")
    carol = Endpoint("ada", [Peer("carol", bob.address)], insecure=True)
    with pytest.raises(PeerUntrusted, match="carol: refuses us: this is 'bob', not 'carol'"):
        carol.connect("carol")
    for endpoint in (bob, eve, carol):
        endpoint.close()


def test_certificates_from_an_authority(parties: Parties, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "association")
    left, right = _connect(
        parties,
        caller={
            "identity": authority.issue("ada"),
            "trusts": {"bob": load_authority("bob", authority.path)},
        },
        called={
            "identity": authority.issue("bob"),
            "trusts": {"ada": load_authority("ada", authority.path)},
        },
    )
    left.put(b"hello", 30)
    assert bytes(right.get(30)) == b"hello"


def test_an_authority_that_vouches_for_another_name(parties: Parties, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "association")
    trusts = {"ada": load_authority("ada", authority.path)}
    bob = parties.endpoint("bob", {"ada": None}, listen=LOOPBACK, trusts=trusts)
    stranger = parties.endpoint("ada", {"bob": bob.address}, identity=authority.issue("eve"))
    with ThreadPoolExecutor(1) as pool:
        called = pool.submit(bob.connect, "ada", wait=3)
        with pytest.raises(PeerUntrusted):
            stranger.connect("bob")
        # A stranger is turned away, and cannot stop the session; at the end it is told of.
        with pytest.raises(PeerUnreachable, match="which is not its own"):
            called.result()


def test_a_stranger_does_not_keep_the_peer_out(parties: Parties, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "association")
    trusts = {"ada": load_authority("ada", authority.path)}
    bob = parties.endpoint("bob", {"ada": None}, listen=LOOPBACK, trusts=trusts)
    stranger = parties.endpoint("ada", {"bob": bob.address}, identity=authority.issue("eve"))
    with pytest.raises(PeerUntrusted):
        stranger.connect("bob")
    ada = parties.endpoint("ada", {"bob": bob.address}, identity=authority.issue("ada"))
    left, right = both(partial(ada.connect, "bob"), partial(bob.connect, "ada"))
    left.put(b"me", 30)
    assert bytes(right.get(30)) == b"me"


def test_the_authority_of_one_peer_does_not_vouch_for_another(
    parties: Parties, tmp_path: Path
) -> None:
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    trusts = {"ada": load_authority("ada", ours.path), "eve": load_authority("eve", theirs.path)}
    bob = parties.endpoint("bob", {"ada": None, "eve": None}, listen=LOOPBACK, trusts=trusts)
    forged = parties.endpoint("ada", {"bob": bob.address}, identity=theirs.issue("ada"))
    with pytest.raises(PeerUntrusted, match="bob: refuses us: the certificate"):
        forged.connect("bob")


@pytest.mark.parametrize("who", ["caller", "called"])
def test_an_expired_certificate(parties: Parties, tmp_path: Path, who: str) -> None:
    authority = Authority(tmp_path, "association")
    left = {"trusts": {"bob": load_authority("bob", authority.path)}}
    right = {"trusts": {"ada": load_authority("ada", authority.path)}}
    left["identity"] = authority.issue("ada", days=-1 if who == "caller" else 30)
    right["identity"] = authority.issue("bob", days=-1 if who == "called" else 30)
    begun = time.monotonic()
    ada, bob = _connect(parties, caller=left, called=right, wait=1)
    assert isinstance(ada, PeerUntrusted)
    expected = "does not take our certificate" if who == "caller" else "certificate has expired"
    assert expected in str(ada)
    assert isinstance(bob, PeerUnreachable)
    within(PROMPTLY, begun)


def test_plaintext_to_a_listener_with_tls(parties: Parties) -> None:
    bob = parties.endpoint("bob", {"ada": None}, listen=LOOPBACK)
    ada = Endpoint("ada", [Peer("bob", bob.address)], insecure=True)
    with pytest.raises(PeerUnreachable, match="bob: could not be reached"):
        ada.connect("bob", wait=1)
    ada.close()


def test_tls_to_a_listener_in_plaintext(parties: Parties) -> None:
    bob = Endpoint("bob", [Peer("ada")], listen=LOOPBACK, insecure=True)
    ada = parties.endpoint("ada", {"bob": bob.address})
    with pytest.raises(PeerUntrusted, match=r"bob: no TLS 1\.3 is spoken"):
        ada.connect("bob")
    bob.close()


def _handshake(parties: Parties, listener: Endpoint, **versions: ssl.TLSVersion) -> str | None:
    identity = parties.identity("ada")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=parties.identity("bob").certificate_pem.decode())
    context.load_cert_chain(identity.certificate_path, identity.key_path)
    context.set_alpn_protocols(["h2"])
    for name, version in versions.items():
        setattr(context, name, version)
    assert listener.address is not None
    where = (listener.address.host, listener.address.port)
    with (
        socket.create_connection(where, 30) as raw,
        context.wrap_socket(raw, server_hostname="bob") as connection,
    ):
        connection.recv(9)
        return connection.version()


def test_tls_below_1_3_is_refused(parties: Parties) -> None:
    bob = parties.endpoint("bob", {"ada": None}, listen=LOOPBACK)
    assert _handshake(parties, bob) == "TLSv1.3"
    for version in (ssl.TLSVersion.TLSv1_2,):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            _handshake(parties, bob, minimum_version=version, maximum_version=version)


def test_a_stream_over_tls_1_2_is_refused_where_grpc_allowed_it(parties: Parties) -> None:
    # As in a program that imported grpc before the settings of this package were made.
    trust = parties.trust("ada")
    shown = {"ssl_tls_version": [b"TLSv1.2"], "x509_pem_cert": [trust.certificate_pem]}
    misfit = Listener._misfit(object(), Peer("ada", None, trust), trust, shown)  # type: ignore[arg-type]
    assert misfit == "the connection is not TLS 1.3"


def test_a_client_without_a_certificate_is_refused(parties: Parties) -> None:
    bob = parties.endpoint("bob", {"ada": None}, listen=LOOPBACK)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=parties.identity("bob").certificate_pem.decode())
    context.set_alpn_protocols(["h2"])
    assert bob.address is not None
    with (
        socket.create_connection((bob.address.host, bob.address.port), 30) as raw,
        context.wrap_socket(raw, server_hostname="bob") as connection,
        suppress(ssl.SSLError, ConnectionError),
    ):
        assert connection.recv(1) == b""
