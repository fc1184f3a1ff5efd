# SPDX-License-Identifier: Apache-2.0
"""Files and keys of three parties, for sessions between them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from net_parties import both

from mpc.net.session import Session
from mpc.net.tls import make_identity
from tests.ports import free_ports

NAMES = ("bank", "power", "tax")


class Files:
    """Three parties' TOML files in one folder, each with the addresses it dials."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.addresses = {}
        for name, port in zip(NAMES, free_ports(len(NAMES)), strict=True):
            make_identity(name, folder)
            self.addresses[name] = f"127.0.0.1:{port}"
        for name in NAMES:
            self.write(name, dials=NAMES)

    def write(self, name: str, *, dials: tuple[str, ...], listens: bool = True) -> None:
        lines = [f'name = "{name}"', f'key = "{name}.key"', f'certificate = "{name}.crt"']
        if listens:
            lines.append(f'listen = "{self.addresses[name]}"')
        for peer in NAMES:
            if peer != name:
                lines += [f"[peers.{peer}]", f'certificate = "{peer}.crt"']
                lines += [f'address = "{self.addresses[peer]}"'] if peer in dials else []
        self.path(name).write_text("\n".join(lines) + "\n")

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.toml"

    def run(self, role: Callable[[Session], Any], *names: str, **options: Any) -> list[Any]:
        """Every party of ``names`` in a session of its own; what each returned or raised."""

        def play(name: str) -> Any:
            chosen = {k: v(name) if callable(v) else v for k, v in options.items()}
            with Session.open(self.path(name), **{"wait": 30, "timeout": 30, **chosen}) as session:
                return role(session)

        return both(*(partial(play, name) for name in names or NAMES))
