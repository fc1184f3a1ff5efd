# SPDX-License-Identifier: Apache-2.0
"""What a party's file says about the network.

::

    name = "bank"                        # small letters, digits, - and _
    listen = "0.0.0.0:7100"              # where peers may call; leave it out to dial only
    key = "bank.key"                     # made by `mpc init`; paths start at this file's folder
    certificate = "bank.crt"

    [peers.tax_office]
    certificate = "tax_office.crt"       # exactly this certificate ...
    fingerprint = "9C:1F:..."            # ... which has this fingerprint, if you write it down
    address = "tax.example.org:7100"     # where it is dialled; leave it out to be called

    [peers.lender_b]
    ca = "banking_association.crt"       # or any certificate for lender_b that this one issued

Other tables of the file belong to other layers and are left alone: ``OTHER_TABLES``. Any other key
is an error, so that a typo does not pass for a setting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from mpc.errors import ConfigError
from mpc.net import settings, tls
from mpc.net.peer import Address, Peer

T = TypeVar("T")

OTHER_TABLES = frozenset({"data", "jobs"})


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """This party's name, keys and address, and its peers by name."""

    name: str
    peers: Mapping[str, Peer]
    identity: tls.Identity | None = None
    listen: Address | None = None

    @staticmethod
    def load(path: str | Path, *, insecure: bool = False) -> SessionConfig:
        """Read the file at ``path``. ConfigError names the file, the key and the mend.

        With ``insecure``, keys and certificates are neither needed nor read.
        """
        return _read(settings.read(path), insecure=insecure)

    @staticmethod
    def of(table: Mapping[str, Any], *, insecure: bool = False) -> SessionConfig:
        """The same from data in Python; paths start at the current folder."""
        return _read(settings.Section(Path("configuration"), "", table), insecure=insecure)


def _read(file: settings.Section, *, insecure: bool) -> SessionConfig:
    named = file.text("name")
    name = _usable(file, "name", lambda: tls.check_name(named))
    peers = {}
    for peer, section in file.sections("peers"):
        if peer == name:
            raise file.fault(f"peers.{peer}", "is this party itself; list the others only")
        _usable(file, f"peers.{peer}", partial(tls.check_name, peer))
        peers[peer] = _peer(peer, section, insecure=insecure)
    config = SessionConfig(
        name=name,
        peers=peers,
        identity=_identity(file, name, insecure=insecure),
        listen=_address(file, "listen"),
    )
    file.done(OTHER_TABLES)
    for known in config.peers.values():
        if config.listen is None and known.address is None:
            raise file.fault(
                f"peers.{known.name}",
                "has no address to dial, and this party does not listen; set one of them",
            )
    return config


def _identity(file: settings.Section, name: str, *, insecure: bool) -> tls.Identity | None:
    if insecure:
        file.offers("key", "certificate")
        return None
    key, certificate = file.file("key"), file.file("certificate")
    _usable(file, "key", lambda: tls.load_key(key))
    return _usable(file, "certificate", lambda: tls.load_identity(name, key, certificate))


def _peer(name: str, section: settings.Section, *, insecure: bool) -> Peer:
    address = _address(section, "address")
    if address is not None and address.port == 0:
        raise section.fault("address", "needs a port to dial; 0 is for listen alone")
    peer = Peer(name, address, _trust(name, section, insecure=insecure))
    section.done()
    return peer


def _trust(name: str, section: settings.Section, *, insecure: bool) -> tls.Trust | None:
    pinned, authority = section.has("certificate"), section.has("ca")
    mark = section.text("fingerprint") if section.has("fingerprint") else None
    if insecure:
        return None
    if pinned == authority:
        raise section.fault("certificate", f"or ca: set one of them, to know {name} by")
    if pinned:
        path = section.file("certificate")
        return _usable(section, "certificate", lambda: tls.load_pinned(name, path, mark))
    if mark is not None:
        raise section.fault("fingerprint", "goes with certificate, not with ca")
    path = section.file("ca")
    return _usable(section, "ca", lambda: tls.load_authority(name, path))


def _address(section: settings.Section, key: str) -> Address | None:
    if not section.has(key):
        return None
    text = section.text(key)
    return _usable(section, key, lambda: Address.parse(text))


def _usable(section: settings.Section, key: str, load: Callable[[], T]) -> T:
    """What ``load`` gives; its ConfigError says in addition which key of which file it is about."""
    try:
        return load()
    except ConfigError as error:
        raise section.fault(key, f"is not usable: {error}") from None
