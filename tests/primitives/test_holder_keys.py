# SPDX-License-Identifier: Apache-2.0
"""The holder's keys and their file, and what an asker pins."""

from __future__ import annotations

import pytest

from mpc.errors import ConfigError, InvalidKey, WrongPassphrase
from mpc.primitives.prepared import HolderKey, Pin
from mpc.testing import seeded

KEY = HolderKey.generate(seeded("holder"))


def test_keys_come_back_from_their_file(tmp_path):
    path = tmp_path / "holder.key"
    KEY.save(path, "correct horse")
    assert path.stat().st_mode & 0o777 == 0o600
    again = HolderKey.load(path, "correct horse")
    assert again.oprf.public == KEY.oprf.public
    assert again.pin("a") == KEY.pin("a")
    with pytest.raises(WrongPassphrase):
        HolderKey.load(path, "correct house")
    with pytest.raises(ConfigError, match="not overwritten"):
        KEY.save(path, "correct horse")
    assert [found.name for found in tmp_path.iterdir()] == ["holder.key"]


def test_other_files_are_not_keys(tmp_path):
    path = tmp_path / "holder.key"
    KEY.save(path, "x")
    whole = path.read_bytes()
    for data in (b"", whole[:-1], whole + b"\0", b"X" + whole[1:]):
        path.write_bytes(data)
        with pytest.raises(InvalidKey):
            HolderKey.load(path, "x")
    path.write_bytes(whole[:30] + bytes([whole[30] ^ 1]) + whole[31:])
    with pytest.raises(WrongPassphrase):
        HolderKey.load(path, "x")
    with pytest.raises(ConfigError, match="cannot read"):
        HolderKey.load(tmp_path / "none", "x")
    with pytest.raises(ConfigError, match="passphrase is empty"):
        KEY.save(tmp_path / "new", "")


def test_rotation_changes_the_function_and_keeps_the_pin():
    newer = KEY.rotated(seeded("newer"))
    assert newer.pin("a") == KEY.pin("a")
    assert newer.oprf.public != KEY.oprf.public


def test_secrets_do_not_show():
    assert "<secret>" in repr(KEY)
    for seed in (KEY._seeds[:32], KEY._seeds[32:]):
        assert seed.hex() not in repr(KEY)
        assert repr(seed) not in repr(KEY)


def test_a_signature_is_of_one_key_and_one_message():
    pin = KEY.pin("a")
    assert pin.verifies(KEY.sign(b"x"), b"x")
    assert not pin.verifies(KEY.sign(b"x"), b"y")
    assert not HolderKey.generate(seeded(2)).pin("a").verifies(KEY.sign(b"x"), b"x")


@pytest.mark.parametrize(("name", "key"), [("", 32), ("x" * 33, 32), ("a\n", 32), ("a", 31)])
def test_pins_that_cannot_be(name, key):
    with pytest.raises(ConfigError):
        Pin(name, bytes(key))
