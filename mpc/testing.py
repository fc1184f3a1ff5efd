# SPDX-License-Identifier: Apache-2.0
"""For tests, examples and benchmarks: reproducible randomness, and the roles of one protocol run
side by side in threads. Never pass ``seeded`` to code that guards real data."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from threading import Thread
from typing import Any, Protocol, TypeVar

from mpc.net import memory
from mpc.net.channel import Channel
from mpc.net.link import Link
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

    threads = [Thread(target=play, args=(name,), name=name) for name in roles]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return {name: results[name] for name in roles}
