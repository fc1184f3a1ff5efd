# SPDX-License-Identifier: Apache-2.0
"""For tests, examples and benchmarks: reproducible randomness, and the roles of one protocol run
side by side in threads. Never pass ``seeded`` to code that guards real data."""

from __future__ import annotations

import contextvars
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Thread
from typing import Any, Protocol, TypeVar

from mpc.net import memory
from mpc.net.channel import Channel
from mpc.net.link import CAPACITY_BYTES, LINGER_SECONDS, MAX_FRAME_BYTES, Frame, Link
from mpc.net.mesh import Mesh
from mpc.primitives.rng import Prg

L = TypeVar("L")
R = TypeVar("R")

ROLE_SECONDS = 60.0


def seeded(seed: int | str) -> Prg:
    """A generator that gives the same values for the same ``seed``."""
    return Prg(hashlib.sha256(f"mpc:v1:testing:{seed}".encode()).digest())


def run_pair(
    left: Callable[[Channel], L],
    right: Callable[[Channel], R],
    *,
    links: Callable[[], tuple[Link, Link]] = memory.pair,
    timeout: float | None = ROLE_SECONDS,
) -> tuple[L, R]:
    """Run two roles against each other and return what each returned.

    A role that raises aborts its channel, and the error that came first is raised again here: the
    cause, not the ``PeerAborted`` it led to. ``timeout`` bounds each send and each receive.
    """
    to_right, to_left = links()
    roles: dict[str, Callable[[Channel], Any]] = {"left": left, "right": right}
    results = _run(
        roles,
        {"left": Channel(to_right, timeout=timeout), "right": Channel(to_left, timeout=timeout)},
    )
    return results["left"], results["right"]


def run_mesh(
    roles: Mapping[str, Callable[[Mesh], R]], *, timeout: float | None = ROLE_SECONDS
) -> dict[str, R]:
    """Run one role for each name, in this order, and return what each returned, as ``run_pair``."""
    return _run(roles, memory.mesh(list(roles), timeout=timeout))


def grpc_pair(
    left: str = "left",
    right: str = "right",
    *,
    folder: Path | None = None,
    capacity: int = CAPACITY_BYTES,
    limit: int = MAX_FRAME_BYTES,
) -> tuple[Link, Link]:
    """As ``memory.pair``, over gRPC and a socket of this machine.

    With mutual TLS when there is a ``folder`` for the keys, else in plaintext.
    """
    from mpc.net.grpc_link import Endpoint
    from mpc.net.peer import Address, Peer
    from mpc.net.tls import load_pinned, make_identity

    identities, trusts = {}, {}
    if folder is not None:
        for name in (left, right):
            identities[name] = make_identity(name, folder)
            trusts[name] = load_pinned(name, identities[name].certificate_path)

    def endpoint(name: str, peer: Peer, listen: Address | None) -> Endpoint:
        return Endpoint(
            name,
            [peer],
            identity=identities.get(name),
            listen=listen,
            insecure=folder is None,
            capacity=capacity,
            limit=limit,
        )

    there = endpoint(right, Peer(left, None, trusts.get(left)), Address("127.0.0.1", 0))
    here = endpoint(left, Peer(right, there.address, trusts.get(right)), None)
    return _OwnedLink(here.connect(right), here), _OwnedLink(there.connect(left), there)


class _OwnedLink:
    """A link that takes its endpoint along when it is closed."""

    def __init__(self, link: Link, endpoint: _Closes) -> None:
        self._link = link
        self._endpoint = endpoint

    @property
    def peer(self) -> str:
        return self._link.peer

    def put(self, frame: Frame, timeout: float | None = None) -> None:
        self._link.put(frame, timeout)

    def get(self, timeout: float | None = None) -> Frame:
        return self._link.get(timeout)

    def close(self, timeout: float | None = LINGER_SECONDS) -> None:
        try:
            self._link.close(timeout)
        finally:
            self._endpoint.close()


class _Closes(Protocol):
    def close(self) -> None: ...


class _Ends(Protocol):
    def abort(self, error: BaseException) -> None: ...

    def close(self) -> None: ...


def _run(roles: Mapping[str, Callable[[Any], R]], ends: Mapping[str, _Ends]) -> dict[str, R]:
    results: dict[str, R] = {}
    errors: list[BaseException] = []

    def play(name: str) -> None:
        try:
            results[name] = roles[name](ends[name])
            ends[name].close()
        except BaseException as error:  # it is raised again by the caller
            errors.append(error)
            ends[name].abort(error)

    # In a copy of the context, so that who listens to the caller's spans hears those of the roles.
    threads = [
        Thread(target=contextvars.copy_context().run, args=(play, name), name=name)
        for name in roles
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return {name: results[name] for name in roles}
