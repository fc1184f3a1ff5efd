# SPDX-License-Identifier: Apache-2.0
"""The signed header of a file of a prepared list: 288 bytes, little-endian.

    magic 8, format u16, kind u8, row width u8, room for a label u16, bucket bits u8 of the entries
    added and u8 of those removed, name 32, version u64, version of the base u64, time of issue u64
    (Unix seconds), entries added u64, removed u64, in the list afterwards u64, identity of the file
    before 32, OPRF public key 32, signing key 32, SHA-256 of the body 32; Ed25519 signature 64

The signature is over a domain label and all before it. A header's identity is SHA-256 of all of it.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Self

from mpc.errors import InvalidKey, KeyMismatch
from mpc.primitives import oprf
from mpc.primitives.prepared import labels, tables
from mpc.primitives.prepared.faults import ListCorrupt, ListForged, ListFormat, ListTruncated
from mpc.primitives.prepared.keys import NAME_BYTES, HolderKey, Pin

FORMAT = 1
_MAGIC = b"mpclist\0"
_LAYOUT = struct.Struct(f"<8sHBBHBB{NAME_BYTES}s6Q32s32s32s32s")
_SIGNATURE_BYTES = 64
HEADER_BYTES = _LAYOUT.size + _SIGNATURE_BYTES
_DOMAIN = b"mpc:v1:prepared:header\0"


class Kind(IntEnum):
    """A base holds a whole list, a delta what changed since the version before."""

    BASE = 0
    DELTA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a file says of itself, and of its place among the files of its list."""

    kind: Kind
    name: str
    version: int
    base: int
    issued: int
    added: int
    removed: int
    total: int
    width: int
    room: int
    added_bits: int
    removed_bits: int
    follows: bytes
    public_key: bytes
    signer: bytes
    body: bytes
    signature: bytes = b""

    @property
    def identity(self) -> bytes:
        """What tells this file from every other, 32 bytes."""
        return hashlib.sha256(self.packed()).digest()

    @property
    def file_name(self) -> str:
        """Where the file stands in its folder."""
        return f"{self.version:020d}.{self.kind.name.lower()}"

    @property
    def file_bytes(self) -> int:
        """How long the whole file is."""
        directories = 4 * ((1 << self.added_bits) + (1 << self.removed_bits) + 2)
        rows = self.width * (self.added + self.removed)
        return HEADER_BYTES + directories + rows + self.added * labels.sealed_bytes(self.room)

    def packed(self) -> bytes:
        """The bytes that a file begins with."""
        return self._unsigned() + self.signature

    def signed(self, key: HolderKey) -> bytes:
        """The same with a signature."""
        unsigned = self._unsigned()
        return unsigned + key.sign(_DOMAIN + unsigned)

    @classmethod
    def parse(cls, data: bytes, pin: Pin) -> Self:
        """The header that ``data`` begins with, checked in itself.

        Raises ``ListTruncated``, ``ListFormat``, ``KeyMismatch`` for another list or signing key,
        ``ListForged``, or ``ListCorrupt`` for what makes no sense although it is signed.
        """
        if data[: len(_MAGIC)] != _MAGIC[: len(data)]:
            raise ListFormat("this is not a prepared list")
        if len(data) < HEADER_BYTES:
            raise ListTruncated(f"a prepared list begins with {HEADER_BYTES} bytes")
        found = _LAYOUT.unpack_from(data)
        if found[1] != FORMAT:
            raise ListFormat(f"a prepared list of format {found[1]}; this reads format {FORMAT}")
        signer = found[-2]
        if signer != pin.key:
            raise KeyMismatch(f"the list is signed by {signer.hex()}, not by {pin.key.hex()}")
        signature = data[_LAYOUT.size : HEADER_BYTES]
        if not pin.verifies(signature, _DOMAIN + data[: _LAYOUT.size]):
            raise ListForged("the signature of a prepared list does not verify")
        header = cls._of(found, signature)
        if header.name != pin.name:
            raise KeyMismatch(f"this is the list {header.name!r}, not {pin.name!r}")
        header._check()
        return header

    @classmethod
    def _of(cls, found: tuple[Any, ...], signature: bytes) -> Self:
        _, _, kind, width, room, added_bits, removed_bits, name, *rest = found
        version, base, issued, added, removed, total, follows, public_key, signer, body = rest
        try:
            return cls(
                kind=Kind(kind),
                name=name.rstrip(b"\0").decode(),
                version=version,
                base=base,
                issued=issued,
                added=added,
                removed=removed,
                total=total,
                width=width,
                room=room,
                added_bits=added_bits,
                removed_bits=removed_bits,
                follows=follows,
                public_key=public_key,
                signer=signer,
                body=body,
                signature=signature,
            )
        except ValueError:
            raise ListCorrupt("a prepared list of an unknown kind, or without a name") from None

    def _check(self) -> None:
        based = self.version == self.base and self.removed == 0 and self.total == self.added
        if not (
            self.width in tables.WIDTHS
            and self.room <= labels.LONGEST
            and max(self.added, self.removed, self.total) <= tables.MOST
            and self.added_bits <= self.added.bit_length()
            and self.removed_bits <= self.removed.bit_length()
            and 1 <= self.base <= self.version
            and based == (self.kind is Kind.BASE)
        ):
            raise ListCorrupt("the numbers of a prepared list do not fit each other")
        try:
            oprf.check_public_key(self.public_key)
        except InvalidKey as error:
            raise ListCorrupt(f"a prepared list with a wrong OPRF key: {error}") from None

    def _unsigned(self) -> bytes:
        return _LAYOUT.pack(
            _MAGIC,
            FORMAT,
            self.kind,
            self.width,
            self.room,
            self.added_bits,
            self.removed_bits,
            self.name.encode(),
            self.version,
            self.base,
            self.issued,
            self.added,
            self.removed,
            self.total,
            self.follows,
            self.public_key,
            self.signer,
            self.body,
        )
