# SPDX-License-Identifier: Apache-2.0
"""Who a party is and whom it trusts: keys, certificates, fingerprints.

A party has an ECDSA P-256 key and a certificate that carries its name as the DNS entry of the
subject alternative name. (Ed25519 would do as well, but gRPC's TLS library does not accept it.)
``make_identity`` makes both, self-signed; the certificate goes to the peers, who compare its
fingerprint over another way, such as the telephone, and pin it. Where the institutions have a
certificate authority, a peer is known by the authority's certificate and by its name instead.

All checks of files happen here, before anything is sent, and end in a ``ConfigError`` that says
what to do. What a peer shows is checked by TLS and once more by ``Trust.check``.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mpc.errors import ConfigError, PeerUntrusted

NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
VALID_DAYS = 730
MOST_DAYS = 36_500
# A peer whose clock is behind ours must not find a new certificate "not yet valid".
_CLOCK_SKEW = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Identity:
    """This party's name, key and certificate, in memory as PEM and in its files."""

    name: str
    key_path: Path
    certificate_path: Path
    key_pem: bytes = field(repr=False)
    certificate_pem: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """What to tell the peers."""
        return fingerprint(self.certificate_pem)


@dataclass(frozen=True, slots=True)
class Trust:
    """How ``peer`` is known: its own certificate (pinned), or the authority that issues it."""

    peer: str
    certificate_pem: bytes = field(repr=False)
    pinned: bool

    def check(self, shown: bytes) -> None:
        """PeerUntrusted unless ``shown`` (PEM) is the certificate, or one issued to ``peer``.

        TLS has verified the chain against every certificate this party trusts. What is left is
        that it is the right one for this name: one peer's authority must not vouch for another.
        """
        leaf, anchor = _parse(shown), _parse(self.certificate_pem)
        if self.pinned:
            if leaf != anchor:
                raise PeerUntrusted(
                    self.peer,
                    f"shows the certificate {fingerprint(shown)}, "
                    f"not the pinned {fingerprint(self.certificate_pem)}",
                )
            return
        try:
            leaf.verify_directly_issued_by(anchor)
        except (ValueError, TypeError, InvalidSignature):
            raise PeerUntrusted(
                self.peer, f"shows the certificate {fingerprint(shown)}, not from its authority"
            ) from None
        if self.peer not in _names(leaf):
            raise PeerUntrusted(self.peer, f"shows a certificate for {_names(leaf)}")


def check_name(name: str) -> str:
    """ConfigError unless ``name`` can be a party's name."""
    if NAME.fullmatch(name) is None:
        raise ConfigError(
            f"{name!r} cannot be a party's name: it has 1 to 63 small letters, digits, '-' and "
            "'_', and begins with a letter"
        )
    return name


def fingerprint(certificate_pem: bytes) -> str:
    """SHA-256 of the certificate, as ``openssl x509 -noout -fingerprint -sha256`` prints it."""
    return _parse(certificate_pem).fingerprint(hashes.SHA256()).hex(":").upper()


def make_identity(name: str, folder: Path, *, days: int = VALID_DAYS) -> Identity:
    """Make ``folder/NAME.key`` (mode 0600) and ``folder/NAME.crt``; existing files are kept.

    Raises ``ConfigError`` for a bad name or number of days, where one of the files is there
    already, and where one cannot be written; neither is left then.
    """
    check_name(name)
    if not 0 <= days <= MOST_DAYS:
        raise ConfigError(f"a certificate is valid for up to {MOST_DAYS:,} days, not {days:,}")
    key_path, certificate_path = folder / f"{name}.key", folder / f"{name}.crt"
    key = ec.generate_private_key(ec.SECP256R1())
    key_pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    certificate_pem = _self_signed(name, key, days).public_bytes(serialization.Encoding.PEM)
    for path in (key_path, certificate_path):
        if path.exists():
            raise ConfigError(f"{path} is there already; it is not overwritten")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot make the folder {folder}: {error.strerror}") from None
    _create(key_path, key_pem, 0o600)
    try:
        _create(certificate_path, certificate_pem, 0o644)
    except BaseException:
        key_path.unlink()
        raise
    return Identity(name, key_path, certificate_path, key_pem, certificate_pem)


def load_identity(name: str, key_path: Path, certificate_path: Path) -> Identity:
    """Read and check this party's key and certificate. ConfigError says what is wrong with them."""
    check_name(name)
    key_pem, public_key = load_key(key_path)
    certificate_pem = _read(certificate_path)
    certificate = _checked(certificate_path, certificate_pem)
    if public_key != certificate.public_key():
        raise ConfigError(f"{key_path} is not the key of the certificate {certificate_path}")
    if name not in _names(certificate):
        raise ConfigError(
            f"{certificate_path} is for {_names(certificate)}, but this party is {name!r}"
        )
    return Identity(name, key_path, certificate_path, key_pem, certificate_pem)


def load_key(key_path: Path) -> tuple[bytes, Any]:
    """A private key as PEM, checked, and its public key. ConfigError says what is wrong with it."""
    key_pem = _read(key_path)
    mode = stat.S_IMODE(key_path.stat().st_mode)
    if mode & 0o007:
        raise ConfigError(
            f"{key_path} can be read by every user of this machine; run: chmod 600 {key_path}"
        )
    try:
        key = serialization.load_pem_private_key(key_pem, password=None)
    except TypeError:
        raise ConfigError(f"{key_path} is encrypted; a party starts from an open key") from None
    except ValueError:
        raise ConfigError(f"{key_path} is no private key in PEM form") from None
    return key_pem, key.public_key()


def load_pinned(peer: str, path: Path, expected_fingerprint: str | None = None) -> Trust:
    """Trust exactly the certificate at ``path``. ConfigError when it is not usable for ``peer``."""
    check_name(peer)
    pem = _read(path)
    certificate = _checked(path, pem)
    if peer not in _names(certificate):
        raise ConfigError(f"{path} is for {_names(certificate)}, but the peer is {peer!r}")
    if expected_fingerprint is not None:
        wanted = re.sub(r"^sha256:|[:\s]", "", expected_fingerprint.lower())
        if wanted != fingerprint(pem).replace(":", "").lower():
            raise ConfigError(
                f"{path} has the fingerprint {fingerprint(pem)}, not {expected_fingerprint}; "
                f"ask {peer} which one is right before you change anything"
            )
    return Trust(peer, certificate.public_bytes(serialization.Encoding.PEM), pinned=True)


def load_authority(peer: str, path: Path) -> Trust:
    """Trust certificates that the authority at ``path`` issued, without intermediates, to ``peer``.

    Raises ``ConfigError`` when the file is no certificate of an authority, or is out of date.
    """
    check_name(peer)
    pem = _read(path)
    certificate = _dated(path, pem)
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        is_authority = constraints.value.ca
    except x509.ExtensionNotFound:
        is_authority = False
    if not is_authority:
        raise ConfigError(
            f"{path} is not an authority's certificate; give a party's own one as certificate"
        )
    return Trust(peer, certificate.public_bytes(serialization.Encoding.PEM), pinned=False)


def _self_signed(name: str, key: ec.EllipticCurvePrivateKey, days: int) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        .sign(key, hashes.SHA256())
    )


def _checked(path: Path, pem: bytes) -> x509.Certificate:
    """A party's certificate: in date, and on P-256 (see ``runtime`` for why no RSA)."""
    certificate = _dated(path, pem)
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise ConfigError(f"the key of {path} is not on P-256; make a new one with: mpc init")
    return certificate


def _dated(path: Path, pem: bytes) -> x509.Certificate:
    try:
        certificate = _parse(pem)
    except ValueError:
        raise ConfigError(f"{path} is no certificate in PEM form") from None
    now = datetime.now(UTC)
    if now > certificate.not_valid_after_utc:
        raise ConfigError(
            f"the certificate {path} expired on {certificate.not_valid_after_utc:%Y-%m-%d}; "
            "a party makes a new one with: mpc init, and gives it to its peers"
        )
    if now < certificate.not_valid_before_utc:
        raise ConfigError(
            f"the certificate {path} is not valid before "
            f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC; check this machine's clock"
        )
    return certificate


def _parse(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem)


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return names.value.get_values_for_type(x509.DNSName)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None


def _create(path: Path, content: bytes, mode: int) -> None:
    """Make the file ``path``, whole or not at all. ConfigError where it cannot be written."""
    try:
        # The mode is set when the file is made, so that nobody else can open it in between.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
        except BaseException:
            path.unlink()
            raise
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
