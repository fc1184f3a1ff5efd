# SPDX-License-Identifier: Apache-2.0
"""What a holder hands out on one channel: the list in its folder, as it is when it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mpc.errors import KeyMismatch, ProtocolError
from mpc.pb.v1 import query_pb2 as pb
from mpc.primitives.prepared import HolderKey, PreparedList, open_list
from mpc.primitives.prepared.chain import newest_version

CHUNK_BYTES = 1 << 20


class Published:
    """A list's folder, and the version that was offered last: it can be sent whatever happens to
    the folder. Raises what ``open_list`` does, and ``KeyMismatch`` for a list of another key."""

    def __init__(self, folder: Path, key: HolderKey, name: str) -> None:
        self._folder = folder
        self._key = key
        self._pin = key.pin(name)
        self._offered = self._opened()

    def headers(self) -> list[bytes]:
        """The signed headers of the list as it is now, which is offered by that."""
        if self._offered.version != self.newest():
            self._offered = self._opened()
        return [segment.header.packed() for segment in self._offered.segments]

    def newest(self) -> int:
        """The version in the folder."""
        return newest_version(self._folder)

    def chunks(self, peer: str, asked: pb.QuerySegment) -> Iterator[bytes]:
        """The file that ``asked`` names, from its offset on. Raises ``ProtocolError`` for none."""
        for segment in self._offered.segments:
            size = segment.header.file_bytes
            if segment.header.version == asked.version and asked.offset < size:
                for start in range(asked.offset, size, CHUNK_BYTES):
                    yield segment.mapped[start : start + CHUNK_BYTES]
                return
        raise ProtocolError(
            peer, f"asks for version {asked.version} from {asked.offset} on, which is not there"
        )

    def _opened(self) -> PreparedList:
        found = open_list(self._folder, self._pin)
        if found.newest.public_key != self._key.oprf.public:
            raise KeyMismatch(f"the list in {self._folder} belongs to another OPRF key")
        return found
