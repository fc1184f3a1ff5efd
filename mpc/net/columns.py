# SPDX-License-Identifier: Apache-2.0
"""Arrays in messages: packed little-endian bytes with an explicit width and count.

Writing gives the fields of a ``Column``, from which the constructor of a message makes the column
in its place; a finished ``Column`` it would write and parse, at ten times the cost of the copy::

    channel.send(pb.Opening(words=columns.pack(words)))

Where megabytes go, ``channel.send(pb.Opening(), words=words)`` writes the same bytes with one copy
in place of four (``field``).

Reading is one ``np.frombuffer`` over the message's bytes, never a loop over elements. What
comes from a peer is checked here, before anything is computed with it, and a mismatch is a
``ProtocolError`` that names the peer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ProtocolError
from mpc.pb.v1.columns_pb2 import Column, Strings


class Packed(TypedDict):
    """The fields of a ``Column``."""

    width: int
    count: int
    data: bytes


class PackedStrings(TypedDict):
    """The fields of ``Strings``."""

    ends: Packed
    data: bytes


def pack(array: NDArray[Any]) -> Packed:
    """A column of ``len(array)`` elements, each all that stands behind one first index.

    ``uint8`` of shape (n, w) becomes n elements of w bytes; 64-bit integers or floats of shape (n,)
    become n elements of 8 bytes; of shape (n, k), n elements of 8 k bytes.
    """
    packed = _little(array)
    return Packed(width=_width(array), count=len(array), data=packed.tobytes())


def delimited(number: int, size: int) -> bytes:
    """What protobuf writes in front of the ``size`` bytes of field ``number``."""
    return _varint(number << 3 | 2) + _varint(size)


def field(number: int, array: NDArray[Any]) -> list[bytes | NDArray[Any]]:
    """The parts of a message that are its field ``number``, the column of ``array``: the same bytes
    as those of ``pack``, without a copy of them."""
    packed = _little(array)
    head = Column(width=_width(array), count=len(array)).SerializeToString()
    if packed.size:
        head += delimited(Column.DATA_FIELD_NUMBER, packed.nbytes)
    return [delimited(number, len(head) + packed.nbytes), head, packed]


def _varint(value: int) -> bytes:
    """A number as protobuf writes it: seven bits in a byte, the lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _little(array: NDArray[Any]) -> NDArray[Any]:
    """Packed and little-endian: on most machines the array itself."""
    if array.ndim == 0 or array.dtype.kind not in "uif":
        raise TypeError(f"a column holds numbers along an axis, not {array.dtype} {array.shape}")
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<"))


def _width(array: NDArray[Any]) -> int:
    return array.dtype.itemsize * int(np.prod(array.shape[1:], dtype=np.int64))


def unpack(column: Column, *, width: int, peer: str, count: int | None = None) -> NDArray[np.uint8]:
    """The elements as a read-only array of shape (n, ``width``).

    Raises ``ProtocolError`` unless the column holds whole elements of ``width`` bytes, and exactly
    ``count`` of them when that is given.
    """
    data = column.data
    if column.width != width:
        raise ProtocolError(peer, f"expected elements of {width} bytes, got {column.width}")
    if len(data) != width * column.count:
        raise ProtocolError(
            peer, f"announced {column.count} elements of {width} bytes, sent {len(data)} bytes"
        )
    if count is not None and column.count != count:
        raise ProtocolError(peer, f"expected {count} elements, got {column.count}")
    return np.frombuffer(data, np.uint8).reshape(column.count, width)


def unpack_uint64(column: Column, *, peer: str, count: int | None = None) -> NDArray[np.uint64]:
    """The 8-byte elements as a read-only array of shape (n,).

    Signed integers and floats come out with ``.view(np.int64)`` and ``.view(np.float64)``.
    """
    return unpack(column, width=8, peer=peer, count=count).reshape(-1).view("<u8")


def ragged_pack(ends: NDArray[np.uint64], data: bytes) -> PackedStrings:
    """Byte strings of unequal length, item i being ``data[ends[i - 1]:ends[i]]``."""
    return PackedStrings(ends=pack(ends), data=data)


def ragged_unpack(
    strings: Strings, *, peer: str, count: int | None = None
) -> tuple[NDArray[np.uint64], bytes]:
    """The ends and the data, checked: the ends never fall, and the last one is the data's end."""
    data = strings.data
    ends = unpack_uint64(strings.ends, peer=peer, count=count)
    if bool(np.any(ends[1:] < ends[:-1])) or (int(ends[-1]) if len(ends) else 0) != len(data):
        raise ProtocolError(peer, f"the ends of {len(ends)} strings do not fit their data")
    return ends, data


def strings_pack(items: Sequence[bytes]) -> PackedStrings:
    """``items`` as one message."""
    lengths = np.fromiter(map(len, items), dtype=np.uint64, count=len(items))
    return ragged_pack(np.cumsum(lengths, dtype=np.uint64), b"".join(items))


def strings_unpack(strings: Strings, *, peer: str, count: int | None = None) -> list[bytes]:
    """The items of ``strings_pack``, checked."""
    ends, data = ragged_unpack(strings, peer=peer, count=count)
    stops = ends.tolist()
    return [data[start:stop] for start, stop in zip([0, *stops], stops, strict=False)]
