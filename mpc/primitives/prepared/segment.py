# SPDX-License-Identifier: Apache-2.0
"""One file of a prepared list: its signed header, then the body, whose digest the header holds.

    directory of the entries added, directory of those removed       uint32, see ``tables``
    rows of the entries added, rows of those removed                 bytes, see ``tables``
    sealed labels of the entries added, in the order of their rows   bytes, see ``labels``

Rows stand by the value of pseudorandom tags: the order in which the holder has its entries is not
in the file. A file is mapped, not read: opening it takes its digest and checks its directories,
block by block, and a lookup touches a page or two.
"""

from __future__ import annotations

import hashlib
import math
import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError
from mpc.primitives.prepared import labels
from mpc.primitives.prepared.faults import ListCorrupt, ListTruncated
from mpc.primitives.prepared.header import HEADER_BYTES, Header
from mpc.primitives.prepared.keys import HolderKey, Pin
from mpc.primitives.prepared.tables import Table
from mpc.primitives.whole_file import replacing

_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Segment:
    """A file that has been checked. ``sealed`` (n, sealed bytes) goes with the rows of ``added``.

    It stays what it was when the file is replaced or removed.
    """

    header: Header
    added: Table
    removed: Table
    sealed: NDArray[np.uint8]
    mapped: mmap.mmap


def open_segment(path: Path, pin: Pin) -> Segment:
    """Map a file after checking all of it.

    Raises what ``Header.parse`` does, ``ListTruncated`` for a file that ends early, and
    ``ListCorrupt`` for a body that is not the signed one, or of which no honest holder is capable.
    """
    with opened(path) as file:
        header = Header.parse(file.read(HEADER_BYTES), pin)
        size = os.fstat(file.fileno()).st_size
        if size < header.file_bytes:
            raise ListTruncated(f"{path.name} ends after {size} of {header.file_bytes} bytes")
        digest = hashlib.sha256()
        while block := file.read(_READ_BYTES):
            digest.update(block)
        if size > header.file_bytes or digest.digest() != header.body:
            raise ListCorrupt(f"the contents of {path.name} are not those that were signed")
        mapped = mmap.mmap(file.fileno(), header.file_bytes, access=mmap.ACCESS_READ)
    return _laid_out(header, mapped)


def read_header(path: Path, pin: Pin) -> Header:
    """The header of a file whose body is not looked at."""
    with opened(path) as file:
        return Header.parse(file.read(HEADER_BYTES), pin)


def write_segment(
    folder: Path, header: Header, added: Table, removed: Table, sealed: Any, key: HolderKey
) -> None:
    """Sign and write a file in one step; the counts and the digest of ``header`` are filled in."""
    parts: Sequence[NDArray[Any]] = (
        added.directory.astype("<u4", copy=False),
        removed.directory.astype("<u4", copy=False),
        *(np.ascontiguousarray(part) for part in (added.rows, removed.rows, sealed)),
    )
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.data)
    filled = replace(
        header,
        added=len(added),
        removed=len(removed),
        added_bits=added.bits,
        removed_bits=removed.bits,
        body=digest.digest(),
    )
    with replacing(folder / filled.file_name) as file:
        file.write(filled.signed(key))
        for part in parts:
            file.write(part.data)


def opened(path: Path) -> BinaryIO:
    """The file for reading, or ``ConfigError``."""
    try:
        return path.open("rb")
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None


def _laid_out(header: Header, mapped: mmap.mmap) -> Segment:
    start = HEADER_BYTES

    def taken(kind: str, *shape: int) -> NDArray[Any]:
        nonlocal start
        array: NDArray[Any] = np.frombuffer(mapped, kind, math.prod(shape), start)
        start += array.nbytes
        return array.reshape(shape)

    bits = header.added_bits, header.removed_bits
    directories = [taken("<u4", (1 << each) + 1) for each in bits]
    rows = [taken("u1", count, header.width) for count in (header.added, header.removed)]
    sealed = taken("u1", header.added, labels.sealed_bytes(header.room))
    added, removed = (Table(*parts) for parts in zip(directories, rows, strict=True))
    for table in (added, removed):
        table.check()
    return Segment(header, added, removed, sealed, mapped)
