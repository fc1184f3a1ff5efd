# SPDX-License-Identifier: Apache-2.0
"""Where a run of buckets stands, so that one that broke off goes on: in memory, or in a file.

    progress = Progress()                                   while this process lives
    progress = Progress.kept(path, key, job="2026-11-23")   whatever becomes of it

The file is replaced in one step after each bucket, readable by its owner only, and gone when the
run is finished. All that matters in it, the session key and which rows were found, is under
AES-256-GCM (NIST SP 800-38D) with a key derived (HKDF, RFC 5869) from the party's secret ``key``
and the name of the ``job``::

    magic    nonce (12)    sealed: session key, fingerprint, agreed, counts, one bit for each item

One bit an item, found or not, so neither its length nor its change tells how many were found. Who
takes the file has nothing without ``key``, so that has to lie elsewhere, or be derived from what
the party guards anyway.

**What it is bound to.** Another job's file, one under another key or a changed one is a
``ConfigError``. The fingerprint is a hash, under the session key, of every item in its place, of
all that this side asked for, and of whom; ``agreed`` is one of what both sides offered. Where
either is not that of the present call, the run starts anew, with another session key: no answer
found for other contents is ever handed out. Both sides must have been in the same run: its name, a
hash of the session key, is compared by the offers.
"""

from __future__ import annotations

import hashlib
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from mpc.errors import ConfigError
from mpc.primitives.whole_file import replacing, sweep

KEY_BYTES = 32
RUN_BYTES = 16
_MAGIC = b"mpc:v1:psi:progress\0"
_NONCE_BYTES = 12
_STATE = struct.Struct("<32s32s32sIIQ")

Indices = NDArray[np.intp]
Marks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, repr=False)
class _File:
    """One job's file: what is written to it only the same key and job can read."""

    path: Path
    cipher: AESGCM

    def read(self) -> bytes:
        """What was written last; nothing where there is no file."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise ConfigError(f"cannot read {self.path}: {error.strerror}") from None
        nonce, sealed = data[len(_MAGIC) :][:_NONCE_BYTES], data[len(_MAGIC) + _NONCE_BYTES :]
        try:
            if not data.startswith(_MAGIC) or len(nonce) < _NONCE_BYTES:
                raise InvalidTag
            return self.cipher.decrypt(nonce, sealed, _MAGIC)
        except InvalidTag:
            raise ConfigError(
                f"{self.path} is not the progress of this job under this key; "
                "remove it to start anew"
            ) from None

    def write(self, state: bytes) -> None:
        nonce = os.urandom(_NONCE_BYTES)
        with replacing(self.path) as file:
            file.write(_MAGIC + nonce + self.cipher.encrypt(nonce, state, _MAGIC))

    def remove(self) -> None:
        """Also what a process that was killed while it wrote has left."""
        sweep(self.path.parent, self.path.name)
        self.path.unlink(missing_ok=True)


class Progress:
    """Where a run of buckets stands; hand it to each call that begins it or goes on with it.

    It is empty again when a run is finished, so no later call gets that run's answers.
    """

    __slots__ = ("_file", "agreed", "buckets", "done", "fingerprint", "key", "marks")

    def __init__(self) -> None:
        self._file: _File | None = None
        self.marks: Marks
        self._reset()

    @classmethod
    def kept(cls, path: Path, key: bytes, *, job: str) -> Self:
        """The progress of ``job`` in the file at ``path``, or an empty one that will be kept there.

        ``key`` is 32 secret bytes of this party's. ``ConfigError`` for a file that is of another
        job or key, or damaged. One process at a time.
        """
        if len(key) != KEY_BYTES or not job:
            raise ConfigError(f"progress is kept under a key of {KEY_BYTES} bytes and a job's name")
        info = _MAGIC + hashlib.sha256(job.encode()).digest()
        derived = HKDF(SHA256(), length=32, salt=None, info=info).derive(key)
        progress = cls()
        progress._file = _File(path, AESGCM(derived))
        if state := progress._file.read():
            progress._restore(state)
        return progress

    @property
    def run(self) -> bytes:
        """A public name of the run, or nothing where none has begun."""
        return digest(b"run", self.key)[:RUN_BYTES] if self.key else b""

    def begin(
        self, key: bytes, fingerprint: bytes, agreed: bytes, buckets: int, items: int
    ) -> None:
        """A new run over so many items, none of them found yet."""
        self.clear()
        self.key, self.fingerprint, self.agreed, self.buckets = key, fingerprint, agreed, buckets
        self.marks = np.zeros(items, np.bool_)

    def finish(self, bucket: int, members: Indices, found: Indices) -> None:
        """Note which ``members`` of a bucket, rows of the items, were found. The last one is not
        written: with it the run is finished."""
        self.marks[members] = False
        self.marks[found] = True
        self.done = bucket + 1
        if self._file is not None and self.done < self.buckets:
            counts = self.buckets, self.done, len(self.marks)
            head = _STATE.pack(self.key, self.fingerprint, self.agreed, *counts)
            self._file.write(head + np.packbits(self.marks).tobytes())

    def clear(self) -> None:
        """Forget the run, and remove its file."""
        self._reset()
        if self._file is not None:
            self._file.remove()

    def _reset(self) -> None:
        self.key = self.fingerprint = self.agreed = b""
        self.buckets = self.done = 0
        self.marks = np.zeros(0, np.bool_)

    def _restore(self, state: bytes) -> None:
        head, bits = state[: _STATE.size], np.frombuffer(state, np.uint8, offset=_STATE.size)
        self.key, self.fingerprint, self.agreed, self.buckets, self.done, items = _STATE.unpack(
            head
        )
        self.marks = np.unpackbits(bits, count=items).astype(np.bool_)

    def __repr__(self) -> str:
        return f"Progress(<{self.done} of {self.buckets} buckets>)"


def digest(label: bytes, *parts: bytes | memoryview) -> bytes:
    """A hash of parts that have fixed lengths, but for the last."""
    state = hashlib.blake2s(person=b"psi:" + label[:4])
    for part in parts:
        state.update(part)
    return state.digest()
