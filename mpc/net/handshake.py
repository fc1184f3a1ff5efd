# SPDX-License-Identifier: Apache-2.0
"""The first message each way: do both sides mean the same session?

    one side                     the other
      Hello      --- and ---       Hello

Both send first, so both see what differs, and each raises its own error with both values: the
protocol version first, then the names, the session, and the public parameters of the job by name.
Of long values it shows the part in which they begin to differ.

The parameters are shown to the peer whole. They are the terms both sides agreed on, such as the
kind of the job, its parties, columns and key sizes; nothing secret belongs there.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from mpc.errors import (
    ConfigError,
    ParameterMismatch,
    PeerUntrusted,
    ProtocolError,
    VersionMismatch,
)
from mpc.net.channel import Channel
from mpc.net.peer import printable
from mpc.pb.v1.session_pb2 import Hello, Parameter

PROTOCOL_VERSION = 1
SHOWN = 200  # characters of a value that differs

Scalar: TypeAlias = bool | int | float | str | None
Parameters: TypeAlias = Mapping[str, Scalar | Sequence[Scalar]]


def hello(me: str, peer: str, *, session: str, parameters: Parameters) -> Hello:
    """What ``me`` says to ``peer``. ConfigError for a parameter that is no JSON scalar or list."""
    fields = [Parameter(name=n, value=_canonical(n, parameters[n])) for n in sorted(parameters)]
    return Hello(
        version=PROTOCOL_VERSION,
        sender=me,
        receiver=peer,
        session=session,
        parameters_digest=digest(fields),
        parameters=fields,
    )


def greet(channel: Channel, ours: Hello) -> None:
    """Exchange hellos, and compare.

    Raises ``VersionMismatch``, ``PeerUntrusted`` for a wrong name, or ``ParameterMismatch`` with
    the first field that differs.
    """
    theirs = channel.exchange(ours)
    peer = channel.peer
    if theirs.version != ours.version:
        raise VersionMismatch(
            peer, f"speaks version {theirs.version} of the protocol, we speak {ours.version}"
        )
    if (theirs.sender, theirs.receiver) != (ours.receiver, ours.sender):
        raise PeerUntrusted(
            peer,
            f"says it is {printable(theirs.sender)!r} and we are {printable(theirs.receiver)!r}, "
            f"but we know it as {ours.receiver!r} and are {ours.sender!r}",
        )
    if theirs.session != ours.session:
        raise ParameterMismatch(
            peer, "session", repr(printable(ours.session)), repr(printable(theirs.session))
        )
    _compare(peer, ours, theirs)


def digest(fields: Sequence[Parameter]) -> bytes:
    """SHA-256 over name, zero, value, zero of each field, in order."""
    state = hashlib.sha256()
    for field in fields:
        state.update(field.name.encode() + b"\0" + field.value.encode() + b"\0")
    return state.digest()


def _compare(peer: str, ours: Hello, theirs: Hello) -> None:
    if digest(theirs.parameters) != theirs.parameters_digest:
        raise ProtocolError(peer, "the digest of its parameters is not that of those it lists")
    if theirs.parameters_digest == ours.parameters_digest:
        return
    left = {field.name: field.value for field in ours.parameters}
    right = {field.name: field.value for field in theirs.parameters}
    for name in sorted(left.keys() | right.keys()):
        if left.get(name) != right.get(name):
            ours_said, theirs_said = left.get(name, "not set"), right.get(name, "not set")
            raise ParameterMismatch(peer, printable(name), *_apart(ours_said, theirs_said))
    raise ProtocolError(peer, "lists a parameter twice")


def _apart(left: str, right: str) -> tuple[str, str]:
    """Both values, or of long ones the part in which they begin to differ, fit for a message."""
    if max(len(left), len(right)) <= SHOWN:
        return printable(left), printable(right)
    pairs = zip(left, right, strict=False)
    same = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(left), len(right)))
    start = max(0, same - SHOWN // 4)
    return _part(left, start), _part(right, start)


def _part(text: str, start: int) -> str:
    end = start + SHOWN
    return f"{'…' * (start > 0)}{printable(text[start:end], SHOWN)}{'…' * (end < len(text))}"


def _canonical(name: str, value: object) -> str:
    plain = value is None or isinstance(value, bool | int | float | str)
    items = [value] if plain else value
    if not isinstance(items, list | tuple) or "\0" in name:
        raise ConfigError(f"parameter {name!r} is {value!r}, but must be a JSON scalar or a list")
    for item in items:
        if item is not None and not isinstance(item, bool | int | float | str):
            raise ConfigError(f"parameter {name!r} holds {item!r}, which is no JSON scalar")
        if isinstance(item, float) and not math.isfinite(item):
            raise ConfigError(f"parameter {name!r} holds {item!r}, which JSON does not have")
    return json.dumps(value, separators=(",", ":"))
