# SPDX-License-Identifier: Apache-2.0
"""How an asker gets the files of a list, and which of them it believes.

It believes nothing but headers signed by the key it pinned, and a body only by the digest in its
header. What it has already is kept when its header is the offered one and its body passes the same
check again. A file arrives under a name made of its identity, so a transfer that broke off goes on
where it stopped, and only as the same file; it gets its own name when all of it has passed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mpc.errors import (
    CryptoError,
    KeyMismatch,
    MessageTooLarge,
    ParameterMismatch,
    ProtocolError,
    VersionMismatch,
)
from mpc.net.channel import Channel
from mpc.pb.v1 import query_pb2 as pb
from mpc.primitives.prepared import (
    ListCorrupt,
    ListFault,
    ListFormat,
    Pin,
    PreparedList,
    open_list,
)
from mpc.primitives.prepared.chain import check_chain, segment_names
from mpc.primitives.prepared.header import Header
from mpc.primitives.prepared.segment import open_segment, read_header
from mpc.primitives.whole_file import only_writer, sync_folder
from mpc.protocols.query.wire import answered
from mpc.tracing import spanned

_PART = ".part"
_LOCK = ".lock"


def fetch(
    channel: Channel, folder: Path, pin: Pin, *, at_least: int = 0, most_bytes: int = 1 << 34
) -> PreparedList:
    """Bring the copy of the list in ``folder`` up to date, and open it.

    Only files that are missing are transferred. ``at_least`` is a version seen elsewhere; the one
    in ``folder`` counts by itself. ``most_bytes`` bounds the files together.

    Raises ``ParameterMismatch`` for a list under another name or key than ``pin`` has,
    ``VersionMismatch`` for another format, ``MessageTooLarge``, and ``ProtocolError`` for an older
    list, another list of a version that was seen, and files that are not what was signed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with only_writer(folder / _LOCK):
        headers = _offered(channel, pin)
        _check_progress(channel.peer, headers, _known(folder, pin), at_least)
        if sum(header.file_bytes for header in headers) > most_bytes:
            raise MessageTooLarge(channel.peer, f"the list has more than {most_bytes} bytes")
        for header in headers:
            if not _have(folder / header.file_name, header, pin):
                _transfer(channel, folder, header, pin)
        kept = {header.file_name for header in headers}
        for path in [*folder.glob("[0-9]*"), *folder.glob(f".*{_PART}")]:
            if path.name not in kept:
                path.unlink(missing_ok=True)
        return open_list(folder, pin)


@spanned("offer")
def _offered(channel: Channel, pin: Pin) -> list[Header]:
    channel.send(pb.QueryRequest(catalog=pb.QueryCatalog()))
    offer = answered(channel, "offer").offer
    if not offer.headers:
        raise ProtocolError(channel.peer, "offers a list without files")
    try:
        headers = [Header.parse(data, pin) for data in offer.headers]
        check_chain(headers)
    except ListFormat as fault:
        raise VersionMismatch(channel.peer, str(fault)) from fault
    except KeyMismatch as fault:
        shown = f"{pin.name!r} by {pin.key.hex()}"
        raise ParameterMismatch(channel.peer, "list", shown, str(fault)) from fault
    except ListFault as fault:
        raise ProtocolError(channel.peer, f"offers files that do not fit: {fault}") from fault
    return headers


def _known(folder: Path, pin: Pin) -> list[Header]:
    """The headers in ``folder`` that verify; a damaged one is as if it were not there."""
    known = []
    for name in segment_names(folder):
        with suppress(ListFault):
            known.append(read_header(folder / name, pin))
    return known


def _check_progress(
    peer: str, offered: Sequence[Header], known: Sequence[Header], at_least: int
) -> None:
    """A list may only go on from what was seen of it."""
    floor = max([at_least, *(header.version for header in known)])
    if offered[-1].version < floor:
        raise ProtocolError(
            peer, f"offers version {offered[-1].version}, older than {floor}, seen before"
        )
    identities = {header.version: header.identity for header in known}
    for header in offered:
        seen = identities.get(header.version, header.identity)
        before = identities.get(header.version - 1, header.follows)
        if (seen, before) != (header.identity, header.follows):
            raise ProtocolError(
                peer, f"offers a version {header.version} that contradicts what was seen before"
            )


def _have(path: Path, header: Header, pin: Pin) -> bool:
    if path.exists():
        with suppress(ListFault):
            return open_segment(path, pin).header == header
    return False


@spanned("transfer")
def _transfer(channel: Channel, folder: Path, header: Header, pin: Pin) -> None:
    part = folder / f".{header.identity.hex()}{_PART}"
    resumed = part.exists()
    _receive(channel, part, header)
    try:
        fault: CryptoError | None = None
        if open_segment(part, pin).header != header:
            fault = ListCorrupt("it is another file than it offered")
    except (ListFault, KeyMismatch) as wrong:
        fault = wrong
    if fault is None:
        part.replace(folder / header.file_name)
        sync_folder(folder)
        return
    part.unlink()
    if not resumed:
        raise ProtocolError(channel.peer, f"sent a file that is not as signed: {fault}") from fault
    # What was left of an earlier transfer may be damaged, which is not the peer's fault.
    _transfer(channel, folder, header, pin)


def _receive(channel: Channel, part: Path, header: Header) -> None:
    """Append to ``part`` what it lacks."""
    part.touch(0o600)
    with part.open("ab") as file:
        size = file.tell()
        if size > header.file_bytes:
            size = file.truncate(0)
        if size < header.file_bytes:
            asked = pb.QuerySegment(version=header.version, offset=size)
            channel.send(pb.QueryRequest(segment=asked))
        while size < header.file_bytes:
            data = answered(channel, "chunk").chunk.data
            if not 0 < len(data) <= header.file_bytes - size:
                raise ProtocolError(channel.peer, f"sent {len(data)} bytes beside a file's end")
            size += file.write(data)
        file.flush()
        os.fsync(file.fileno())
