# SPDX-License-Identifier: Apache-2.0
"""Processes that measure together: what they hand back, and what they say to each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from mpc.errors import ChannelError
from mpc.net import columns
from mpc.net.channel import Channel
from mpc.net.link import Link
from mpc.pb.v1.columns_pb2 import Column


@dataclass(frozen=True, slots=True)
class _Failed:
    """What a process says of its end, and whether it ended for what a peer did."""

    words: str
    follows: bool = False


def hand_back(parent: Connection, work: Callable[[], Any]) -> None:
    """Send what ``work`` gives to the process that waits in ``gathered``, or why it fails."""
    try:
        found = work()
    except Exception as error:
        parent.send(_Failed(f"{type(error).__name__}: {error}", isinstance(error, ChannelError)))
        raise
    parent.send(found)


def gathered(pipes: Mapping[str, Connection], children: Sequence[Any]) -> dict[str, Any]:
    """What the processes at ``pipes`` hand back. RuntimeError with the words of the one that failed
    first, if one did: the others lost their peer."""
    results = {name: _heard(pipe) for name, pipe in pipes.items()}
    for child in children:
        child.join()
    failed = [
        (found.follows, name, found.words)
        for name, found in results.items()
        if isinstance(found, _Failed)
    ]
    if failed:
        _, name, words = min(failed)
        raise RuntimeError(f"{name} failed: {words}")
    return results


def heard(name: str, pipe: Connection) -> Any:
    """What the process of ``name`` says next. RuntimeError when it has ended."""
    match _heard(pipe):
        case _Failed(words=words):
            raise RuntimeError(f"{name} failed: {words}")
        case found:
            return found


def _heard(pipe: Connection) -> Any:
    try:
        return pipe.recv()
    except (EOFError, ConnectionResetError):
        return _Failed("its process was killed")


def told(links: Iterable[Link], number: float) -> list[float]:
    """What those at the other ends of ``links`` say, who are told ``number``."""
    message = Column(**columns.pack(np.array([number], float)))
    channels = [Channel(link) for link in links]
    for channel in channels:
        channel.send(message)
    heard = [columns.unpack_uint64(c.recv(Column), peer=c.peer, count=1) for c in channels]
    return [float(words.view(np.float64)[0]) for words in heard]
