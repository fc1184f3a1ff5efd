# SPDX-License-Identifier: Apache-2.0
"""What the tests of the network share: parties with keys, and processes of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mpc.net.grpc_link import Endpoint
from mpc.net.peer import Address, Peer
from mpc.net.tls import Identity, Trust, load_pinned, make_identity

LOOPBACK = Address("127.0.0.1", 0)


class Parties:
    """Keys made on demand, and endpoints that are closed when the test ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._identities: dict[str, Identity] = {}
        self._endpoints: list[Endpoint] = []

    def identity(self, name: str) -> Identity:
        if name not in self._identities:
            self._identities[name] = make_identity(name, self.folder)
        return self._identities[name]

    def trust(self, name: str) -> Trust:
        return load_pinned(name, self.identity(name).certificate_path)

    def endpoint(
        self,
        name: str,
        peers: Mapping[str, Address | None],
        *,
        identity: Identity | None = None,
        trusts: Mapping[str, Trust] | None = None,
        **options: Any,
    ) -> Endpoint:
        """An endpoint of ``name`` that knows each of ``peers`` at its address, if it has one."""
        known = {peer: self.trust(peer) for peer in peers} | dict(trusts or {})
        endpoint = Endpoint(
            name,
            [Peer(peer, address, known[peer]) for peer, address in peers.items()],
            identity=identity or self.identity(name),
            **options,
        )
        self._endpoints.append(endpoint)
        return endpoint

    def close(self) -> None:
        for endpoint in self._endpoints:
            endpoint.close()


def both(*roles: Callable[[], object]) -> list[Any]:
    """Run all ``roles`` at once; what each returned, or the error it raised."""
    with ThreadPoolExecutor(len(roles)) as pool:
        futures = [pool.submit(role) for role in roles]
        return [future.exception() or future.result() for future in futures]


@contextmanager
def process(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """``code`` in a Python of its own; it is killed when the block ends."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        child.kill()
        child.communicate()
