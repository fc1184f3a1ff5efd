# SPDX-License-Identifier: Apache-2.0
"""What is derived from an entry's OPRF output: the tag it is found by, and its sealed label.

From the output (64 bytes), with keyed BLAKE2s (RFC 7693) as random oracle; the hash's key is the
list's name, and each use has a personal label::

    tag      16 bytes    mpc:qtag(output)
    key      32 bytes    mpc:qkey(output)
    plain                two bytes with the label's length, the label, zeros up to the list's room
    siv      16 bytes    mpc:qsiv(key, plain)
    stream               mpc:qstr(key, siv, 0), mpc:qstr(key, siv, 1), ...
    sealed               siv, plain xor stream

This is deterministic authenticated encryption in the form of SIV (Rogaway, Shrimpton, EUROCRYPT
2006, section 4), with a key of its own for each entry. Whoever has not the output of an id cannot
tell its sealed label from random bytes, nor how long the label is, nor make another that opens.
Sealing again what an id had before gives the same bytes; another label under the same key gives
unrelated ones.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError, DataError
from mpc.kernels import hashing
from mpc.primitives.items import Items
from mpc.primitives.prepared.faults import ListCorrupt

LONGEST = (1 << 16) - 1 - 18
_SIV_BYTES, _LENGTH_BYTES, _STREAM_BYTES = 16, 2, 32

Words = NDArray[np.uint64]
Bytes = NDArray[np.uint8]


def sealed_bytes(room: int) -> int:
    """What a sealed label takes in a list with ``room`` for labels; nothing without room."""
    if not 0 <= room <= LONGEST:
        raise ConfigError(f"labels have 0 to {LONGEST} bytes, not {room}")
    return room + _SIV_BYTES + _LENGTH_BYTES if room else 0


def tags(outputs: Bytes, name: str) -> Words:
    """The tags (n, 2) of OPRF outputs (n, 64)."""
    return _derived(outputs, name, b"mpc:qtag", 16)


def keys(outputs: Bytes, name: str) -> Words:
    """The keys (n, 4) of the labels of entries with these outputs."""
    return _derived(outputs, name, b"mpc:qkey", 32)


def check(labels: Items, count: int, room: int) -> None:
    """Raise ``DataError`` unless there is a label that fits for each of ``count`` entries."""
    if len(labels) != count:
        raise DataError(f"{len(labels)} labels do not go with {count} entries")
    long = np.flatnonzero(np.diff(labels.offsets) > room)
    if len(long):
        raise DataError(
            f"{len(long)} of {count} labels exceed the {room} bytes that this list has for one; "
            f"the first is row {long[0]}"
        )


def seal(entry_keys: Words, labels: Items, room: int, name: str) -> Bytes:
    """The sealed labels, (n, ``sealed_bytes(room)``), in order."""
    lengths = np.diff(labels.offsets)
    plain = np.zeros((len(labels), _LENGTH_BYTES + room), np.uint8)
    plain[:, :_LENGTH_BYTES] = lengths.astype("<u2").view(np.uint8).reshape(-1, _LENGTH_BYTES)
    held = labels.data[labels.offsets[0] : labels.offsets[-1]]
    plain[:, _LENGTH_BYTES:][np.arange(room) < lengths[:, None]] = held
    siv = _siv(entry_keys, plain, name)
    return np.concatenate([siv, plain ^ _stream(entry_keys, siv, plain.shape[1], name)], axis=1)


def unseal(entry_keys: Words, sealed: Bytes, name: str) -> list[bytes]:
    """The labels. Raises ``ListCorrupt`` when one is not what was sealed under its key."""
    siv, body = np.ascontiguousarray(sealed[:, :_SIV_BYTES]), sealed[:, _SIV_BYTES:]
    plain = body ^ _stream(entry_keys, siv, body.shape[1], name)
    lengths = np.ascontiguousarray(plain[:, :_LENGTH_BYTES]).view("<u2").reshape(-1)
    room = body.shape[1] - _LENGTH_BYTES
    if not np.array_equal(_siv(entry_keys, plain, name), siv) or bool(np.any(lengths > room)):
        raise ListCorrupt("a label does not open under the key of its entry")
    starts = zip(plain, lengths.tolist(), strict=True)
    return [row[_LENGTH_BYTES : _LENGTH_BYTES + length].tobytes() for row, length in starts]


def tag_of(output: bytes, name: str) -> bytes:
    """What ``tags`` gives for one entry."""
    return _one(output, name, b"mpc:qtag", 16)


def unseal_one(output: bytes, sealed: bytes, name: str) -> bytes:
    """What ``unseal`` gives for one entry with this OPRF output."""
    key = _one(output, name, b"mpc:qkey", 32)
    siv, body = sealed[:_SIV_BYTES], sealed[_SIV_BYTES:]
    counters = range(-(-len(body) // _STREAM_BYTES))
    blocks = (siv + counter.to_bytes(8, "little") for counter in counters)
    stream = b"".join(_one(key + block, name, b"mpc:qstr", _STREAM_BYTES) for block in blocks)
    plain = bytes(p ^ q for p, q in zip(body, stream, strict=False))
    length = int.from_bytes(plain[:_LENGTH_BYTES], "little")
    if (
        _one(key + plain, name, b"mpc:qsiv", _SIV_BYTES) != siv
        or length > len(body) - _LENGTH_BYTES
    ):
        raise ListCorrupt("a label does not open under the key of its entry")
    return plain[_LENGTH_BYTES : _LENGTH_BYTES + length]


def _one(data: bytes, name: str, person: bytes, size: int) -> bytes:
    return hashlib.blake2s(data, key=name.encode(), person=person, digest_size=size).digest()


def _derived(outputs: Bytes, name: str, person: bytes, size: int) -> Words:
    words = np.ascontiguousarray(outputs).view(np.uint64)
    key = name.encode()
    return hashing.joined(words[:, :4], words[:, 4:], key=key, person=person, size=size)


def _siv(entry_keys: Words, plain: Bytes, name: str) -> Bytes:
    table = np.concatenate([entry_keys.view(np.uint8).reshape(len(plain), 32), plain], axis=1)
    offsets = np.arange(len(plain) + 1, dtype=np.int64) * table.shape[1]
    found = hashing.digests(
        table.reshape(-1), offsets, key=name.encode(), person=b"mpc:qsiv", size=_SIV_BYTES
    )
    return found.view(np.uint8).reshape(len(plain), _SIV_BYTES)


def _stream(entry_keys: Words, siv: Bytes, length: int, name: str) -> Bytes:
    blocks = -(-length // _STREAM_BYTES)
    counted = np.empty((len(siv), 3), np.uint64)
    counted[:, :2] = siv.view("<u8")
    out = np.empty((len(siv), blocks, _STREAM_BYTES), np.uint8)
    for block in range(blocks):
        counted[:, 2] = block
        words = hashing.joined(
            entry_keys, counted, key=name.encode(), person=b"mpc:qstr", size=_STREAM_BYTES
        )
        out[:, block] = words.view(np.uint8).reshape(len(siv), _STREAM_BYTES)
    return out.reshape(len(siv), -1)[:, :length]
