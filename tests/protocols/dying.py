# SPDX-License-Identifier: Apache-2.0
"""A process that ends in the midst of a protocol, and what the others say then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

import pytest
from google.protobuf.message import Message

from mpc.errors import ChannelError, MpcError, PeerClosed
from mpc.net.channel import Channel
from mpc.net.link import LINGER_SECONDS, Frame, Link
from mpc.net.mesh import Mesh

Stage = tuple[type[Message], int]
"""When a process dies: as it is to send a kind of message, so many of them sent."""


class KilledError(Exception):
    """The process is gone."""


class Death:
    """Comes when its process is to send a ``kind`` of message, ``after`` of them sent."""

    def __init__(self, kind: type[Message], after: int = 0) -> None:
        self._kind = kind.DESCRIPTOR.full_name.encode()
        self._left = after
        self._links: list[Link] = []
        self._lock = Lock()

    def threatens(self, link: Link) -> None:
        """``link`` is one of the process."""
        self._links.append(link)

    def check(self, frame: Frame) -> None:
        """All links of the process close when it is to send ``frame`` and its time has come."""
        with self._lock:
            self._left -= self._kind == bytes(frame[2 : 2 + frame[1]])
            if self._left < 0:
                for link in self._links:
                    link.close()
                raise KilledError


class Dying:
    """A link of a process that ends."""

    def __init__(self, link: Link, death: Death) -> None:
        self._link, self._death = link, death
        death.threatens(link)

    @property
    def peer(self) -> str:
        return self._link.peer

    def put(self, frame: Frame, timeout: float | None = None) -> None:
        self._death.check(frame)
        self._link.put(frame, timeout)

    def get(self, timeout: float | None = None) -> Frame:
        return self._link.get(timeout)

    def close(self, timeout: float | None = LINGER_SECONDS) -> None:
        self._link.close(timeout)


def dying(mesh: Mesh, kind: type[Message], after: int = 0) -> Mesh:
    """``mesh`` of a party that dies: see ``Death``."""
    death = Death(kind, after)
    links = {name: Dying(mesh.channel(name)._link, death) for name in mesh.peers}
    return Mesh(mesh.me, mesh.names, {name: Channel(link) for name, link in links.items()})


def ends(mesh: Mesh, victim: str, stage: Stage, play: Callable[[Mesh], Any]) -> MpcError | None:
    """What ended the part of a party, or None of the one that dies."""
    if mesh.me == victim:
        # Where its channels are used by threads, the first to end may be one that finds them shut.
        with pytest.raises((KilledError, PeerClosed)):
            play(dying(mesh, *stage))
        return None
    with pytest.raises(ChannelError) as closed:
        play(mesh)
    cause = mesh.cause(closed.value)
    mesh.abort(cause)
    return cause


def check(found: Sequence[MpcError | None], names: Sequence[str], victim: str) -> None:
    """Every party but the one that died says that this one closed its links."""
    said = [None if error is None else (type(error), error.peer) for error in found]
    assert said == [None if name == victim else (PeerClosed, victim) for name in names]
