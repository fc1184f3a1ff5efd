# SPDX-License-Identifier: Apache-2.0
"""A party's file: what is read, and what each fault says."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpc.errors import ConfigError
from mpc.net import settings
from mpc.net.config import SessionConfig
from mpc.net.peer import Address
from mpc.net.tls import make_identity

GOOD = """
name = "bank"
listen = "127.0.0.1:7100"
key = "bank.key"
certificate = "bank.crt"

[peers.tax]
certificate = "keys/tax.crt"
address = "tax.example.org:7100"

[peers.power]
certificate = "power.crt"

[data.companies]
file = "companies.parquet"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    make_identity("bank", tmp_path)
    make_identity("tax", tmp_path / "keys")
    make_identity("power", tmp_path)
    (tmp_path / "bank.toml").write_text(GOOD)
    return tmp_path / "bank.toml"


def test_a_whole_file(path: Path) -> None:
    config = SessionConfig.load(path)
    assert config.name == "bank"
    assert config.listen == Address("127.0.0.1", 7100)
    assert config.identity is not None
    assert config.identity.name == "bank"
    assert list(config.peers) == ["tax", "power"]
    assert config.peers["tax"].address == Address("tax.example.org", 7100)
    assert config.peers["power"].address is None
    assert all(peer.trust is not None for peer in config.peers.values())


def test_insecure_reads_no_keys(path: Path) -> None:
    path.write_text(GOOD.replace(".crt", ".missing").replace(".key", ".missing"))
    config = SessionConfig.load(path, insecure=True)
    assert config.identity is None
    assert all(peer.trust is None for peer in config.peers.values())


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('name = "bank"', "", r"^\S+bank.toml: name is missing$"),
        ('name = "bank"', 'name = "Bank"', "name is not usable: 'Bank' cannot be a party's name"),
        ('name = "bank"', "name = 7", "name must be a text in quotes, not 7"),
        ('key = "bank.key"', "", "key is missing"),
        ('"bank.crt"', '"lost.crt"', "toml: certificate is not usable: cannot read .*lost.crt"),
        ('"bank.key"', '"power.key"', "certificate is not usable: .*not the key of the certific"),
        (':7100"\n\n', ':0"\n\n', "peers.tax.address needs a port to dial; 0 is for listen alone"),
        ('"bank.key"', '"lost.key"', "toml: key is not usable: cannot read .*lost.key"),
        ('"127.0.0.1:7100"', '"7100"', "listen is not usable: '7100' is no address"),
        ("listen", "lisen", "lisen is not a known key; did you mean listen?"),
        ("listen", "colour", "colour is not a known key; known here: certificate, data, jobs, key"),
        ("address", "addres", "peers.tax.addres is not a known key; did you mean address?"),
        ('"keys/tax.crt"', '"tax.crt"', "peers.tax.certificate is not usable: cannot read"),
        (
            '"keys/tax.crt"',
            '"power.crt"',
            r"peers.tax.certificate is not usable: .* is for \['power'\]",
        ),
        ('certificate = "keys/tax.crt"', "", "peers.tax.certificate or ca: set one of them"),
        ('"keys/tax.crt"', '"keys/tax.crt"\nca = "ca.crt"', "peers.tax.certificate or ca: set one"),
        (
            'certificate = "keys',
            'fingerprint = "00"\nca = "keys',
            "fingerprint goes with certificate",
        ),
        ('certificate = "keys', 'ca = "keys', "peers.tax.ca is not usable: .* not an authority's"),
        ('"keys/tax.crt"', '"keys/tax.crt"\nfingerprint = "00:11"', "ask tax which one is right"),
        ("[peers.tax]", "[peers.bank]", "peers.bank is this party itself"),
        ("[peers.tax]", "[peers.TAX]", "peers.TAX is not usable: 'TAX' cannot be a party's name"),
        ("[peers.tax]", "peers.tax = 7\n[other]", "peers.tax must be a table"),
        (
            'listen = "127.0.0.1:7100"',
            "",
            "peers.power has no address to dial, and this party does not",
        ),
        ("name", "name name", "is not TOML"),
    ],
)
def test_each_fault_names_the_file_the_key_and_the_mend(
    path: Path, old: str, new: str, text: str
) -> None:
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ConfigError, match=text) as caught:
        SessionConfig.load(path)
    assert str(path) in str(caught.value)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*nowhere\.toml: No such file"):
        SessionConfig.load(tmp_path / "nowhere.toml")


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "bank.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        SessionConfig.load(tmp_path / "bank.toml")


def test_a_fault_of_data_in_python() -> None:
    with pytest.raises(ConfigError, match="configuration: peers must be a table"):
        SessionConfig.of({"name": "bank", "peers": [1]})


def test_reading_key_by_key(tmp_path: Path) -> None:
    table = {"names": ["a", "b"], "count": 3, "twice": ["a", "a"], "flag": True, "file": "x"}
    section = settings.Section(tmp_path / "f.toml", "", table)
    assert section.texts("names") == ("a", "b")
    assert section.whole("count", 1) == 3
    assert section.whole("absent", 1) == 1
    assert section.text("absent", "else") == "else"
    assert section.optional_file("file") == tmp_path / "x"
    assert section.optional_file("absent") is None
    with pytest.raises(ConfigError, match="twice names something twice"):
        section.texts("twice")
    with pytest.raises(ConfigError, match="count must be a list of texts"):
        section.texts("count")
    with pytest.raises(ConfigError, match="flag must be a whole number, not True"):
        section.whole("flag", 1)
    section.done()
