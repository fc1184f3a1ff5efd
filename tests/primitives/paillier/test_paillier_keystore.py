# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import fcntl
import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from mpc.errors import ConfigError, InvalidKey, WrongPassphrase
from mpc.primitives.paillier import MAX_BITS, PublicKey, SecretKey, keystore, proof
from mpc.testing import seeded

Keys = tuple[SecretKey, PublicKey]
PASSPHRASE = "correct horse 电池"


REAL_COST = keystore._COST


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small scrypt cost, but where the cost itself is tested."""
    monkeypatch.setattr(keystore, "_COST", (4, 8, 1))


@pytest.fixture
def saved(tmp_path: Path, keys_of: Callable[..., Keys]) -> Path:
    path = tmp_path / "bank.key"
    keystore.save(path, keys_of(768)[0], PASSPHRASE)
    return path


def test_keys_are_saved_and_loaded(saved: Path, keys_of: Callable[..., Keys]) -> None:
    secret, public = keys_of(768)
    again = keystore.load(saved, PASSPHRASE, allow_weak=True)
    assert again.reveal_primes() == secret.reveal_primes()
    assert again.public == public
    assert again.public.proof == public.proof
    assert keystore.load_public(saved, allow_weak=True) == public
    assert again.decrypt(public.encrypt([-5])).tolist() == [-5]


def test_unproven_keys_are_saved_too(tmp_path: Path, keys_of: Callable[..., Keys]) -> None:
    secret, public = keys_of(768)
    bare = SecretKey(
        PublicKey(public.n, allow_weak=True, allow_unproven=True), *secret.reveal_primes()
    )
    keystore.save(tmp_path / "bare", bare, "x")
    with pytest.raises(InvalidKey, match="no proof"):
        keystore.load_public(tmp_path / "bare", allow_weak=True)
    # Its primes allow a proof, so the loaded key has one.
    assert keystore.load(tmp_path / "bare", "x", allow_weak=True).public.proof is not None


def test_only_the_owner_may_read_the_file(saved: Path) -> None:
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert [entry.name for entry in saved.parent.iterdir()] == ["bank.key"]


def test_no_prime_is_in_the_file(saved: Path, keys_of: Callable[..., Keys]) -> None:
    data = saved.read_bytes()
    for prime in keys_of(768)[0].reveal_primes():
        for order in ("little", "big"):
            assert prime.to_bytes(48, order) not in data


def test_two_files_of_one_key_have_nothing_secret_in_common(
    tmp_path: Path, saved: Path, keys_of: Callable[..., Keys]
) -> None:
    keystore.save(tmp_path / "again", keys_of(768)[0], PASSPHRASE)
    assert saved.read_bytes()[-144:] != (tmp_path / "again").read_bytes()[-144:]


def test_a_key_is_not_overwritten_unasked(saved: Path, keys_of: Callable[..., Keys]) -> None:
    before = saved.read_bytes()
    other, public = keys_of(768, "other")
    with pytest.raises(ConfigError, match="exists"):
        keystore.save(saved, other, PASSPHRASE)
    assert saved.read_bytes() == before
    keystore.save(saved, other, PASSPHRASE, overwrite=True)
    assert keystore.load_public(saved, allow_weak=True) == public
    assert [entry.name for entry in saved.parent.iterdir()] == ["bank.key"]


def test_a_failed_write_leaves_the_old_file(
    saved: Path, keys_of: Callable[..., Keys], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = saved.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        keystore.save(saved, keys_of(768, "other")[0], PASSPHRASE, overwrite=True)
    assert saved.read_bytes() == before
    assert [entry.name for entry in saved.parent.iterdir()] == ["bank.key"]


def test_parts_of_killed_writers_are_removed_and_those_of_others_are_not(
    saved: Path, keys_of: Callable[..., Keys]
) -> None:
    stale = [saved.with_name(f".bank.key.{digit * 16}") for digit in "0af"]
    others = [saved.with_name(n) for n in (".bank.keys.0000000000000000", ".bank.key.backup")]
    live = saved.with_name(".bank.key.1111111111111111")
    for path in [*stale, *others, live]:
        path.write_bytes(b"half a key")
    with live.open("rb") as writer:
        fcntl.flock(writer, fcntl.LOCK_SH)
        keystore.save(saved, keys_of(768)[0], PASSPHRASE, overwrite=True)
        assert sorted(saved.parent.iterdir()) == sorted([saved, *others, live])
    keystore.save(saved, keys_of(768)[0], PASSPHRASE, overwrite=True)
    assert sorted(saved.parent.iterdir()) == sorted([saved, *others])


def test_a_writer_that_is_at_it_is_not_swept(
    saved: Path, keys_of: Callable[..., Keys], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two at once: the second one's sweep comes when the first one has a part and no file yet."""
    swept = []

    def between(descriptor: int) -> None:
        monkeypatch.undo()
        keystore._sweep(saved)
        swept.append(len(list(saved.parent.iterdir())))

    monkeypatch.setattr(keystore, "_COST", (4, 8, 1))
    monkeypatch.setattr(os, "fsync", between)
    keystore.save(saved, keys_of(768, "other")[0], PASSPHRASE, overwrite=True)
    assert swept == [2]
    assert keystore.load_public(saved, allow_weak=True) == keys_of(768, "other")[1]


@pytest.mark.parametrize("wrong", ["Correct horse 电池", "correct horse", "x"])
def test_a_wrong_passphrase_is_told_as_such(saved: Path, wrong: str) -> None:
    with pytest.raises(WrongPassphrase, match="does not open") as caught:
        keystore.load(saved, wrong, allow_weak=True)
    assert wrong not in str(caught.value).replace(str(saved), "")


def test_an_empty_passphrase_is_refused(saved: Path) -> None:
    with pytest.raises(ConfigError, match="empty"):
        keystore.load(saved, "", allow_weak=True)


def test_a_passphrase_that_is_no_text_is_refused_and_not_shown(saved: Path) -> None:
    """As the environment or the command line may give one: bytes that are not UTF-8."""
    with pytest.raises(ConfigError, match="no text") as caught:
        keystore.load(saved, "hunter2\udcff")
    assert "hunter2" not in str(caught.value)
    # What Python shows of an error's context would show it.
    assert caught.value.__suppress_context__


def test_one_passphrase_typed_in_two_normal_forms(
    tmp_path: Path, keys_of: Callable[..., Keys]
) -> None:
    keystore.save(tmp_path / "key", keys_of(768)[0], "caf\u00e9")
    assert keystore.load(tmp_path / "key", "cafe\u0301", allow_weak=True)._p


def test_truncated_and_damaged_files_are_told_as_such(saved: Path) -> None:
    data = saved.read_bytes()
    cuts = [data[:length] for length in (1, 10, 40, 70, len(data) // 2, len(data) - 1)]
    flips = [
        data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] for at in (30, 60, 200, len(data) - 1)
    ]
    for broken in [*cuts, *flips, data + b"\0"]:
        saved.write_bytes(broken)
        for read in (
            lambda: keystore.load(saved, PASSPHRASE, allow_weak=True),
            lambda: keystore.load_public(saved, allow_weak=True),
        ):
            with pytest.raises(InvalidKey, match="damaged or cut short"):
                read()


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----", bytes(5000)])
def test_other_files_are_told_as_such(saved: Path, content: bytes) -> None:
    saved.write_bytes(content)
    with pytest.raises(InvalidKey, match="not a Paillier key file"):
        keystore.load(saved, PASSPHRASE)


def test_a_file_without_an_end_is_not_read_to_it() -> None:
    with pytest.raises(InvalidKey, match="not a Paillier key file"):
        keystore.load("/dev/zero", PASSPHRASE)


def test_the_longest_key_is_within_what_is_read() -> None:
    width = MAX_BITS // 8
    assert 4 * (proof.size(width) + 4 * width) < keystore._MOST_BYTES


def test_missing_files_are_told_as_such(tmp_path: Path, keys_of: Callable[..., Keys]) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        keystore.load(tmp_path / "none", PASSPHRASE)
    with pytest.raises(ConfigError, match="cannot write"):
        keystore.save(tmp_path / "none" / "key", keys_of(768)[0], PASSPHRASE)


def forged(data: bytes) -> bytes:
    """A file whose checksum is right again."""
    return data[:-32] + hashlib.sha256(data[:-32]).digest()


def test_the_public_part_is_authenticated(saved: Path, keys_of: Callable[..., Keys]) -> None:
    """Another public key of the same length in front of the sealed primes does not open."""
    data = saved.read_bytes()
    mine, other = (keys_of(768, label)[1].to_bytes() for label in ("", "other"))
    saved.write_bytes(forged(data.replace(mine, other)))
    with pytest.raises(WrongPassphrase):
        keystore.load(saved, PASSPHRASE, allow_weak=True)


def test_a_file_of_two_different_keys_is_refused(
    tmp_path: Path, keys_of: Callable[..., Keys]
) -> None:
    secret, _ = keys_of(768)
    _, other = keys_of(768, "other")
    keystore.save(tmp_path / "mixed", SecretKey(other, *secret.reveal_primes()), PASSPHRASE)
    with pytest.raises(InvalidKey, match="different keys"):
        keystore.load(tmp_path / "mixed", PASSPHRASE, allow_weak=True)


def test_unreasonable_costs_are_refused_before_they_are_paid(saved: Path) -> None:
    data = bytearray(saved.read_bytes())
    data[len(keystore._MAGIC)] = 40
    saved.write_bytes(forged(bytes(data)))
    with pytest.raises(InvalidKey, match="unreasonable"):
        keystore.load(saved, PASSPHRASE)


def test_the_real_cost(
    tmp_path: Path, keys_of: Callable[..., Keys], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert REAL_COST == (17, 8, 1)
    monkeypatch.setattr(keystore, "_COST", REAL_COST)
    keystore.save(tmp_path / "key", keys_of(768)[0], PASSPHRASE, rng=seeded("file"))
    data = (tmp_path / "key").read_bytes()
    assert data[len(keystore._MAGIC) : len(keystore._MAGIC) + 3] == bytes([17, 8, 1])
    loaded = keystore.load(tmp_path / "key", PASSPHRASE, allow_weak=True)
    assert loaded.public == keys_of(768)[1]
