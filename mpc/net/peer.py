# SPDX-License-Identifier: Apache-2.0
"""A party as the others know it: its name, its address, and its certificate."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address

from mpc.errors import ConfigError
from mpc.net.tls import Trust

_FORM = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Address:
    """A host, by name or number, and a TCP port (0 lets the system choose one to listen at).

    Written ``host:port``, an IPv6 number in brackets.
    """

    host: str
    port: int

    @staticmethod
    def parse(text: str) -> Address:
        """Read ``text``; ConfigError says which form it should have."""
        match = _FORM.fullmatch(text)
        if match is None or int(match["port"]) > 65535:
            raise ConfigError(
                f"{text!r} is no address; write host:port, such as 127.0.0.1:7100 or [::1]:7100"
            )
        return Address(match["v6"] or match["host"], int(match["port"]))

    def is_loopback(self) -> bool:
        """Whether it can only be reached from this machine."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Peer:
    """A party to connect to: where it is dialled, if it is, and how it is known.

    ``trust`` is None for plaintext only.
    """

    name: str
    address: Address | None = None
    trust: Trust | None = None


def printable(text: str, most: int = 200) -> str:
    """Text from another party, fit for an error message."""
    return "".join(c if c.isprintable() else "?" for c in text[:most])
