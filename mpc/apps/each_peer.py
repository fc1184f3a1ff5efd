# SPDX-License-Identifier: Apache-2.0
"""The same two-party role with several peers at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import copy_context
from threading import Thread
from typing import TypeVar

from mpc.net.channel import Channel
from mpc.net.mesh import Mesh
from mpc.primitives.rng import SEED_BYTES, Prg, Rng

R = TypeVar("R")


def each_peer(
    mesh: Mesh, names: Sequence[str], role: Callable[[Channel, Rng], R], *, rng: Rng
) -> dict[str, R]:
    """Play ``role(channel, rng)`` with each of the peers ``names``, in one thread each.

    Every role has randomness of its own, expanded from a seed that ``rng`` gives. Returns what the
    roles return, by name. The first error of any is raised, after the channels of all ``names``
    have been aborted with it, so that no role waits for a result that nobody can use.
    """
    results: dict[str, R] = {}
    errors: list[BaseException] = []

    def stop(error: BaseException) -> None:
        errors.append(error)
        for name in names:
            mesh.channel(name).abort(error)

    def play(name: str, own: Rng) -> None:
        try:
            results[name] = role(mesh.channel(name), own)
        except BaseException as error:  # raised again below, in the caller's thread
            stop(error)

    # Spans of the roles are heard where ours are.
    threads = [
        Thread(target=copy_context().run, args=(play, name, Prg(rng.bytes(SEED_BYTES))))
        for name in names
    ]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException as error:  # Ctrl-C, which only the main thread gets
        stop(error)
        for thread in threads:
            if thread.is_alive():
                thread.join()
    if errors:
        raise errors[0]
    return {name: results[name] for name in names}
