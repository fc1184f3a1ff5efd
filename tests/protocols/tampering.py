# SPDX-License-Identifier: Apache-2.0
"""A channel that changes chosen messages on their way out: how tests make a party dishonest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message

from mpc.net.channel import Channel


class Tampering:
    """``channel``, but a message of a type in ``changes`` is passed to its function first."""

    def __init__(self, channel: Channel, changes: dict[type[Message], Callable[[Any], None]]):
        self._channel = channel
        self._changes = changes
        self.peer = channel.peer

    def send(self, message: Message) -> None:
        if (change := self._changes.get(type(message))) is not None:
            change(message)
        self._channel.send(message)

    def put(self, frame: bytes) -> None:
        """What is broadcast goes out as it is."""
        self._channel.put(frame)

    def recv(self, kind: type[Message]) -> Message:
        return self._channel.recv(kind)


def flipped(data: bytes, bit: int = 0) -> bytes:
    """``data`` with one bit the other way."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
