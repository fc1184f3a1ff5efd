# SPDX-License-Identifier: Apache-2.0
"""Two or more parties: one channel per peer, and the verbs that use them all.

Every verb sends to all before it receives from any. A link accepts one frame of any size when it
holds none, so parties that call the same verbs in the same order never wait in a circle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from google.protobuf.message import Message
from numpy.typing import NDArray

from mpc.errors import ConfigError, MpcError, PeerAborted, PeerClosed, PeerUnreachable
from mpc.net.channel import Channel, encode

M = TypeVar("M", bound=Message)


class Mesh:
    """What party ``me`` holds: ``names`` in the order all parties agreed on, itself included."""

    __slots__ = ("_channels", "me", "names", "peers")

    def __init__(self, me: str, names: Sequence[str], channels: Mapping[str, Channel]) -> None:
        if len(set(names)) != len(names) or me not in names:
            raise ConfigError(f"a mesh of {list(names)} needs different names, {me!r} among them")
        self.me = me
        self.names = tuple(names)
        self.peers = tuple(name for name in names if name != me)
        missing = [name for name in self.peers if name not in channels]
        if missing:
            raise ConfigError(f"{me!r} has no channel to {missing}")
        self._channels = {name: channels[name] for name in self.peers}

    def channel(self, name: str) -> Channel:
        """The channel to the peer ``name``."""
        try:
            return self._channels[name]
        except KeyError:
            raise ConfigError(f"{name!r} is not a peer of {self.me!r}: {self.peers}") from None

    def without(self, *names: str) -> Mesh:
        """The mesh of all but ``names``, who are peers."""
        rest = [name for name in self.names if name not in names]
        return Mesh(self.me, rest, self._channels)

    def broadcast(self, message: Message, **bulk: NDArray[Any]) -> None:
        """Send ``message``, with ``bulk`` for large columns of it, to every peer."""
        frame = encode(message, **bulk)
        for channel in self._channels.values():
            channel.put(frame)

    def gather(self, kind: type[M]) -> dict[str, M]:
        """One message of ``kind`` from every peer, by name, in the agreed order."""
        return {name: channel.recv(kind) for name, channel in self._channels.items()}

    def exchange(self, messages: M | Mapping[str, M]) -> dict[str, M]:
        """Send to every peer and receive the same type from every peer, in one round.

        ``messages`` is one message for all, or one for each peer by its name.
        """
        if not isinstance(messages, Mapping):
            self.broadcast(messages)
            return self.gather(type(messages))
        if set(messages) != set(self.peers):
            raise ConfigError(f"messages for {sorted(messages)}, but the peers are {self.peers}")
        for name, channel in self._channels.items():
            channel.send(messages[name])
        return {n: channel.recv(type(messages[n])) for n, channel in self._channels.items()}

    def cause(self, error: MpcError) -> MpcError:
        """``cause`` of an error that ended a job of this mesh."""
        return cause(error, self._channels)

    def abort(self, error: BaseException) -> None:
        """Tell every peer the class name of ``error`` and close."""
        for channel in self._channels.values():
            channel.abort(error)

    def close(self) -> None:
        """Deliver what was sent to every peer, and close."""
        for channel in self._channels.values():
            channel.close()


def lost(error: BaseException) -> bool:
    """Whether a peer says that it stopped because another one is gone."""
    gone = PeerClosed.__name__, PeerUnreachable.__name__
    return isinstance(error, PeerAborted) and error.reason in gone


def cause(error: MpcError, channels: Mapping[str, Channel]) -> MpcError:
    """Of a job that ended with ``error``: the peer that died, where that is why others stopped.

    When a party dies, a peer that hears of it first stops the job, and its word may reach the
    others before they notice for themselves. Whose machine is cut off from this one without a
    word looks alive here until a deadline, and is not named by others.
    """
    if not isinstance(error, PeerAborted) or not lost(error):
        return error
    others = [name for name in channels if name != error.peer]
    # At once, as each that is alive and says nothing is waited for.
    with ThreadPoolExecutor(max(1, len(others))) as pool:
        died = list(pool.map(lambda name: channels[name].died(), others))
    gone = [name for name, dead in zip(others, died, strict=True) if dead]
    return PeerClosed(gone[0], "its process ended, or it closed the link") if gone else error
