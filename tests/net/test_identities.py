# SPDX-License-Identifier: Apache-2.0
"""Keys and certificates in files: made, read back, and refused with the mend."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from mpc.errors import ConfigError, PeerUntrusted
from mpc.net import tls
from mpc.net.tls import Trust, load_authority, load_identity, load_pinned, make_identity


@pytest.fixture
def bank(tmp_path: Path) -> tls.Identity:
    return make_identity("bank", tmp_path)


def _load(identity: tls.Identity) -> tls.Identity:
    return load_identity(identity.name, identity.key_path, identity.certificate_path)


def test_made_and_read_back(bank: tls.Identity) -> None:
    assert _load(bank) == bank
    assert stat.S_IMODE(bank.key_path.stat().st_mode) == 0o600
    assert bank.key_path.name == "bank.key"
    trust = load_pinned("bank", bank.certificate_path)
    assert trust.pinned
    trust.check(bank.certificate_pem)


def test_the_fingerprint_is_that_of_openssl(bank: tls.Identity) -> None:
    command = ["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in"]
    shown = subprocess.run([*command, bank.certificate_path], capture_output=True, check=True)
    assert shown.stdout.decode().strip().partition("=")[2] == bank.fingerprint


def test_secrets_are_not_shown(bank: tls.Identity) -> None:
    assert "PRIVATE" not in repr(bank)
    assert "key_pem" not in repr(bank)


def test_nothing_is_overwritten(bank: tls.Identity, tmp_path: Path) -> None:
    before = bank.key_path.read_bytes()
    with pytest.raises(ConfigError, match=r"bank\.key is there already"):
        make_identity("bank", tmp_path)
    assert bank.key_path.read_bytes() == before
    bank.key_path.unlink()
    with pytest.raises(ConfigError, match=r"bank\.crt is there already"):
        make_identity("bank", tmp_path)
    assert not bank.key_path.exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot make the folder .*/file: "):
        make_identity("bank", tmp_path / "file")


@pytest.mark.parametrize(("fails", "name"), [(1, "bank.key"), (2, "bank.crt")])
def test_a_full_disk_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: int, name: str
) -> None:
    opened: list[object] = []
    open_descriptor = os.fdopen

    def full(descriptor: int, mode: str) -> object:
        opened.append(descriptor)
        if len(opened) == fails:
            os.close(descriptor)
            return open_descriptor(os.open("/dev/full", os.O_WRONLY), mode)
        return open_descriptor(descriptor, mode)

    monkeypatch.setattr(tls.os, "fdopen", full)
    with pytest.raises(ConfigError, match=rf"cannot write .*/{name}: No space left"):
        make_identity("bank", tmp_path)
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    make_identity("bank", tmp_path)


@pytest.mark.parametrize("days", [-1, 36_501, 3_000_000])
def test_how_long_a_certificate_is_valid_is_bounded(tmp_path: Path, days: int) -> None:
    with pytest.raises(ConfigError, match=r"valid for up to 36,500 days, not -?\d"):
        make_identity("bank", tmp_path, days=days)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name", ["", "Bank", "1bank", "bank.example", "ba nk", "b" * 64, "银行", "a/b"]
)
def test_what_cannot_be_a_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be a party's name"):
        make_identity(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_expired_certificate(tmp_path: Path) -> None:
    old = make_identity("bank", tmp_path, days=0)
    with pytest.raises(ConfigError, match=r"bank\.crt expired on \d{4}-.* mpc init"):
        _load(old)
    with pytest.raises(ConfigError, match="expired on"):
        load_pinned("bank", old.certificate_path)


def test_a_certificate_that_is_not_yet_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "_CLOCK_SKEW", -tls.timedelta(hours=2))
    early = make_identity("bank", tmp_path)
    with pytest.raises(
        ConfigError, match=r"is not valid before .* UTC; check this machine's clock"
    ):
        _load(early)


def test_the_key_of_another_certificate(bank: tls.Identity, tmp_path: Path) -> None:
    other = make_identity("bank", tmp_path / "other")
    with pytest.raises(ConfigError, match="is not the key of the certificate"):
        load_identity("bank", other.key_path, bank.certificate_path)


def test_the_certificate_of_another_party(bank: tls.Identity) -> None:
    with pytest.raises(ConfigError, match=r"is for \['bank'\], but this party is 'tax'"):
        load_identity("tax", bank.key_path, bank.certificate_path)
    with pytest.raises(ConfigError, match=r"is for \['bank'\], but the peer is 'tax'"):
        load_pinned("tax", bank.certificate_path)


def test_missing_files(bank: tls.Identity, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*nowhere\.key: No such file"):
        load_identity("bank", tmp_path / "nowhere.key", bank.certificate_path)
    with pytest.raises(ConfigError, match=r"cannot read .*nowhere\.crt"):
        load_pinned("bank", tmp_path / "nowhere.crt")


def test_files_that_hold_something_else(bank: tls.Identity) -> None:
    bank.certificate_path.chmod(0o600)
    with pytest.raises(ConfigError, match="is no private key in PEM form"):
        load_identity("bank", bank.certificate_path, bank.certificate_path)
    with pytest.raises(ConfigError, match="is no certificate in PEM form"):
        load_identity("bank", bank.key_path, bank.key_path)


def test_a_key_that_everybody_can_read(bank: tls.Identity) -> None:
    bank.key_path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        _load(bank)
    bank.key_path.chmod(0o640)  # a group of its own may read it
    _load(bank)


def test_an_encrypted_key(bank: tls.Identity) -> None:
    key = serialization.load_pem_private_key(bank.key_pem, None)
    bank.key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(ConfigError, match="is encrypted"):
        _load(bank)


def test_a_key_of_another_sort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, key in (
        ("rsa", rsa.generate_private_key(65537, 2048)),
        ("other", ec.generate_private_key(ec.SECP384R1())),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(tls.ec, "generate_private_key", lambda _, key=key: key)
            identity = make_identity(name, tmp_path)
        with pytest.raises(ConfigError, match="is not on P-256"):
            _load(identity)


def test_a_fingerprint_in_any_writing(bank: tls.Identity) -> None:
    for text in (
        bank.fingerprint,
        bank.fingerprint.lower(),
        bank.fingerprint.replace(":", ""),
        f"SHA256:{bank.fingerprint}",
        bank.fingerprint.replace(":", " "),
    ):
        load_pinned("bank", bank.certificate_path, text)
    wrong = "00" + bank.fingerprint[2:]
    with pytest.raises(ConfigError, match="ask bank which one is right"):
        load_pinned("bank", bank.certificate_path, wrong)


def test_a_partys_certificate_is_no_authoritys(bank: tls.Identity) -> None:
    with pytest.raises(ConfigError, match="is not an authority's certificate"):
        load_authority("tax", bank.certificate_path)


def test_what_a_peer_shows(bank: tls.Identity, tmp_path: Path) -> None:
    other = make_identity("bank", tmp_path / "other")
    pinned = load_pinned("bank", bank.certificate_path)
    with pytest.raises(PeerUntrusted, match=f"bank: shows the certificate {other.fingerprint}"):
        pinned.check(other.certificate_pem)
    issued = Trust("bank", bank.certificate_pem, pinned=False)
    with pytest.raises(PeerUntrusted, match="not from its authority"):
        issued.check(other.certificate_pem)
    itself = Trust("tax", bank.certificate_pem, pinned=False)
    with pytest.raises(PeerUntrusted, match=r"shows a certificate for \['bank'\]"):
        itself.check(bank.certificate_pem)
