# SPDX-License-Identifier: Apache-2.0
"""Typed protobuf messages over a ``Link``.

A frame is one byte of sort, one byte with the length of a name, the name in ASCII, and the body:

    sort 0, message   the full name of the message type, then its protobuf encoding
    sort 1, abort     the class name of the error that stopped the peer, then nothing

The name costs some bytes and buys a precise error: a peer that is one step ahead, or runs another
protocol, is reported with both types instead of being misread.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message
from numpy.typing import NDArray

from mpc.errors import MpcError, PeerAborted, PeerClosed, PeerTimeout, ProtocolError
from mpc.net import columns
from mpc.net.link import Frame, Link

M = TypeVar("M", bound=Message)

# How long one ``send`` or ``recv`` waits when nothing else is said. It covers the peer's local
# computation, so it is long; a peer that died is noticed at once by the link, not by this deadline.
TIMEOUT_SECONDS = 600.0

_MESSAGE, _ABORT = 0, 1
_ABORT_SECONDS = 3.0
_REASON = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def encode(message: Message, **bulk: NDArray[Any]) -> bytes:
    """The frame that carries ``message``, and ``bulk`` for columns of it by their names."""
    of = message.DESCRIPTOR
    parts: list[bytes | NDArray[Any]] = [message.SerializeToString()]
    for name, array in bulk.items():
        parts += columns.field(of.fields_by_name[name].number, array)
    return _frame(_MESSAGE, of.full_name, *parts)


class Channel:
    """Messages to and from one peer, each call waiting ``timeout`` seconds at most.

    One thread sends and one thread receives; they may be the same one.
    """

    __slots__ = ("_link", "_stopped", "_timeout")

    def __init__(self, link: Link, *, timeout: float | None = TIMEOUT_SECONDS) -> None:
        self._link = link
        self._timeout = timeout
        self._stopped = False  # the peer has said why it stops

    @property
    def peer(self) -> str:
        """The name of the other side."""
        return self._link.peer

    def send(self, message: Message, **bulk: NDArray[Any]) -> None:
        """Send ``message``. Raises ``ChannelError`` when the peer is gone or takes nothing.

        ``bulk`` are large columns of it by their names, left out of ``message``.
        """
        self.put(encode(message, **bulk))

    def put(self, frame: bytes) -> None:
        """Send a frame of ``encode``: for one message that goes to many peers."""
        try:
            self._link.put(frame, self._timeout)
        except PeerClosed as closed:
            self._raise_abort_that_preceded(closed)

    def recv(self, kind: type[M]) -> M:
        """The next message, which must be of ``kind``.

        Raises ``ProtocolError`` naming both types when it is of another one or malformed, and
        ``PeerAborted`` with the class of the peer's error when the peer gave up.
        """
        expected = kind.DESCRIPTOR.full_name
        sort, name, body = _split(self.peer, self._link.get(self._timeout))
        if sort == _ABORT:
            raise self._aborted(name)
        if name != expected:
            raise ProtocolError(self.peer, f"expected {expected}, got {name}")
        try:
            return kind.FromString(body)  # type: ignore[arg-type]  # it takes any buffer
        except DecodeError as error:
            raise ProtocolError(self.peer, f"malformed {expected}: {error}") from None

    def exchange(self, message: M) -> M:
        """Send ``message`` and receive the peer's of the same type, in one round.

        Both sides put first. A link accepts one frame of any size when it holds none, so this
        does not wait for the peer to read, however big the messages are.
        """
        self.send(message)
        return self.recv(type(message))

    def abort(self, error: BaseException) -> None:
        """Tell the peer the class name of ``error``, nothing else of it, and close."""
        reason = error.reason if isinstance(error, PeerAborted) else type(error).__name__
        with suppress(MpcError):
            self._link.put(_frame(_ABORT, reason[:64]), _ABORT_SECONDS)
        with suppress(MpcError):
            self._link.close(_ABORT_SECONDS)

    def died(self) -> bool:
        """Whether the peer is gone without a word, once the job is lost; what came is dropped."""
        # Of channels that threads use at once, the first to fail ends the job: another thread may
        # have read the word of this peer, which is not on the link any more.
        while not self._stopped:
            try:
                sort, _, _ = _split(self.peer, self._link.get(_ABORT_SECONDS))
            except PeerClosed:
                return True
            except (PeerTimeout, ProtocolError):
                return False
            self._stopped = sort == _ABORT
        return False

    def close(self) -> None:
        """Deliver what was sent, and end the link. ``PeerTimeout`` when it is not taken in time."""
        self._link.close(self._timeout)

    def _raise_abort_that_preceded(self, closed: PeerClosed) -> None:
        # The peer put its reason before it closed; it stands behind messages nobody will read now.
        while True:
            try:
                sort, name, _ = _split(self.peer, self._link.get(_ABORT_SECONDS))
            except (PeerClosed, PeerTimeout, ProtocolError):
                raise closed from None
            if sort == _ABORT:
                raise self._aborted(name) from None

    def _aborted(self, reason: str) -> PeerAborted:
        self._stopped = True
        return PeerAborted(self.peer, reason)


def _frame(sort: int, name: str, *body: bytes | NDArray[Any]) -> bytes:
    encoded = name.encode("ascii", "replace")
    # It takes any buffers, as the arrays of columns are.
    return b"".join((bytes((sort, len(encoded))), encoded, *body))  # type: ignore[arg-type]


def _split(peer: str, frame: Frame) -> tuple[int, str, memoryview]:
    view = memoryview(frame)
    if len(view) < 2 or view[0] not in (_MESSAGE, _ABORT) or len(view) < 2 + view[1]:
        raise ProtocolError(peer, f"malformed frame of {len(view)} bytes")
    start = 2 + view[1]
    name = bytes(view[2:start]).decode("ascii", "replace")
    if view[0] == _ABORT:
        return _ABORT, name if _REASON.fullmatch(name) else "unknown", view[start:]
    if not name.isprintable():
        raise ProtocolError(peer, f"malformed frame of {len(view)} bytes")
    return _MESSAGE, name, view[start:]
