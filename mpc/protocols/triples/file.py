# SPDX-License-Identifier: Apache-2.0
"""Correlations made ahead and kept in a file at each party, encrypted, each used once.

    triples = vole.source(mesh); triples.prepare(demand)     at night
    file.save(mesh, "bank.triples", triples, key)
    with file.source(mesh, "bank.triples", key) as triples:  by day, as often as there is something

A file is a list of segments. Each is sealed with AES-256-GCM under a key of its own, and these keys
stand in slots at the front, sealed under the party's ``key`` (32 bytes), which the party keeps
elsewhere. Before a segment is read its slot is overwritten, and the file is synchronised to the
disk; so whatever happens after that, to this process or to the machine, the segment does not open
again. A half of it that was not yet drawn is lost with it, by intention: a segment is at most
``SEGMENT`` units of the count. A slot that does not open, as a crash in the middle of the
overwriting leaves it, counts as used. The list of segments, the run, the party and for how many
rows the whole was made are sealed too.

When the parties open their files they compare which run of preparation these are from and which
segments each still has, and all drop what one of them has not. So what is possible where a file was
put back from a backup, or copied: **one party's revives nothing**, since the others no longer have
what was used. Files that *all* parties put back would serve again, and two copies in use at once,
at every party, would too: nothing in a file can tell that there is another, and the lock holds for
one file on one machine. So a party keeps no copies. The others' word that they still have a segment
is not enough to revive one here. What the disk keeps of overwritten blocks (SSDs, journals,
copy-on-write) is beyond a program; who reads it and has ``key`` can undo the hiding of what was
opened, so keep them apart.

Learns: the parties, of each other, which segments were used; a thief of the file, the kinds and
sizes of the segments, and which were used.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mpc.errors import ConfigError, CryptoError, ParameterMismatch, ProtocolError, WrongPassphrase
from mpc.net.mesh import Mesh
from mpc.pb.v1 import triples_pb2 as pb
from mpc.primitives.rng import SYSTEM, Rng
from mpc.protocols.triples import Triples, kinds
from mpc.protocols.triples.kinds import Arrays, Kind, Operand

SEGMENT = 1 << 14
"""At most so many units in a segment: what a crash can waste of each kind."""

KEY_BYTES = 32
_RUN_BYTES = 16
_NONCE = bytes(12)  # every segment and every slot has a key or a nonce that serves once
_SLOT_BYTES = 12 + KEY_BYTES + 16
_MAGIC = b"mpc:v2:triples\0"
_HEADER = struct.Struct("<16s16sQI")  # run, party, rows (all ones: not said), segments
_ROWS_NOT_SAID = (1 << 64) - 1
_CHECK_BYTES = 12 + 16  # seals what stands before it, and tells whether a key is the right one
_ENTRY = struct.Struct("<16sQ4QQQ")  # kind, count, parameters, where the segment begins, its length
_LABEL = b"mpc:v1:triples:file\0"


def save(
    mesh: Mesh,
    path: str | os.PathLike[str],
    triples: Triples,
    key: bytes,
    *,
    segment: int = SEGMENT,
    purpose: bytes = b"",
    rows: int | None = None,
    rng: Rng = SYSTEM,
) -> None:
    """Move all that is prepared in ``triples`` to a new file; every party of ``mesh`` does this.
    It is for one ``purpose``, such as a job, and opens for no other; of up to so many ``rows``, if
    that is said, which ``Triples.suffice_for`` holds against what is needed.

    Raises ConfigError where there is a file already, since what it holds would be lost, and where
    it cannot be written; what was prepared is gone then, also for the others.
    """
    sealer = _sealer(key)
    part = rng.bytes(_RUN_BYTES)
    parts = {name: m.part for name, m in mesh.exchange(pb.RunName(part=part)).items()}
    parts[mesh.me] = part
    joined = b"".join(parts[name] for name in mesh.names)
    run = hashlib.sha256(_LABEL + joined).digest()[:_RUN_BYTES]
    pieces = [piece for lot in triples.emptied() for piece in _pieces(*lot, segment)]
    start = len(_MAGIC) + _HEADER.size + _CHECK_BYTES + len(pieces) * (_ENTRY.size + _SLOT_BYTES)
    entries, slots, bodies = [], [], []
    for index, (kind, arrays) in enumerate(pieces):
        secret, nonce = rng.bytes(KEY_BYTES), rng.bytes(12)
        plain = b"".join(arrays[field.name].astype("<u8").tobytes() for field in kind.fields())
        body = AESGCM(secret).encrypt(_NONCE, plain, _tag(run, index))
        given = kinds.parameters(kind)
        padded = given + [0] * (4 - len(given))
        entries.append(
            _ENTRY.pack(kinds.name(kind).encode(), kind.count, *padded, start, len(body))
        )
        slots.append(nonce + sealer.encrypt(nonce, secret, _tag(run, index)))
        bodies.append(body)
        start += len(body)
    said = _ROWS_NOT_SAID if rows is None else rows
    header = _HEADER.pack(run, _party(mesh, purpose), said, len(pieces))
    head = _MAGIC + header + b"".join(entries)
    nonce = rng.bytes(12)
    check = nonce + sealer.encrypt(nonce, b"", _LABEL + head)
    _write(Path(path), b"".join([head, check, *slots, *bodies]))


def source(
    mesh: Mesh,
    path: str | os.PathLike[str],
    key: bytes,
    *,
    untouched: bool = False,
    purpose: bytes = b"",
) -> Triples:
    """Triples out of the files of all parties of ``mesh``; close it to release the file.

    ``untouched`` files are wanted where a computation should not begin that they do not suffice
    for: a ConfigError at all parties where one of them has used any segment.

    Raises ConfigError for a file that is missing, in use, cut short, of another party or purpose
    or not one of ``save``, WrongPassphrase for another key (or a damaged list of segments), and
    ParameterMismatch for a peer whose file is of another run.
    """
    stored = _Stored(Path(path), key, _party(mesh, purpose))
    try:
        stored.agree(mesh)
        if untouched and not stored.untouched:
            raise ConfigError(f"{path} was used before, here or by a peer")
    except BaseException:
        stored.close()
        raise
    return Triples(stored, operands=stored.operands(), rows=stored.rows)


class _Stored:
    """An open file: its segments, and which of them may still be used."""

    __slots__ = ("_digest", "_file", "_kinds", "_path", "_places", "_run", "_sealer", "_slots",
                 "_unused", "rows")  # fmt: skip

    def __init__(self, path: Path, key: bytes, party: bytes) -> None:
        self._path, self._sealer = path, _sealer(key)
        self._file = _locked(path)
        try:
            directory = _directory(path, self._file, self._sealer, party)
            self._run, self.rows, self._kinds, self._places, self._digest = directory
            self._slots = self._file.tell()
            self._unused = [self._opens(index) for index in range(len(self._kinds))]
        except BaseException:
            self._file.close()
            raise

    @property
    def untouched(self) -> bool:
        """Whether every segment may still be used."""
        return all(self._unused)

    def agree(self, mesh: Mesh) -> None:
        """Drop what any party of ``mesh`` has not."""
        mine = pb.Inventory(run=self._run, digest=self._digest, unused=bytes(self._unused))
        for name, theirs in mesh.exchange(mine).items():
            if theirs.run != self._run:
                raise ParameterMismatch(name, "run", self._run.hex(), theirs.run.hex())
            if theirs.digest != self._digest or len(theirs.unused) != len(self._unused):
                raise ProtocolError(name, "its file has other segments of the same run")
            for index, unused in enumerate(theirs.unused):
                if not unused and self._unused[index]:
                    self._erase(index)

    def make(self, kind: Kind) -> Arrays:
        """The next segment of the kind. It is erased before it is read."""
        family = kinds.whole(kind, 0)
        for index, unused in enumerate(self._unused):
            if unused and kinds.whole(self._kinds[index], 0) == family:
                try:
                    secret = self._secret(index)
                except InvalidTag:
                    # Someone wrote to it while it was open, lock or not: it counts as used.
                    self._unused[index] = False
                    raise CryptoError(f"{self._path}: segment {index} no longer opens") from None
                self._erase(index)
                return self._read(index, secret)
        wanted = " ".join(map(str, [kinds.name(kind), *kinds.parameters(kind)]))
        raise ConfigError(f"{self._path} has no more of {wanted}; prepare a new one")

    def operands(self) -> list[Operand]:
        """Those in the file that were not used."""
        held = zip(self._kinds, self._unused, strict=True)
        return [kind for kind, unused in held if unused and isinstance(kind, Operand)]

    def close(self, *, failed: bool = False) -> None:  # noqa: ARG002
        """Release the file for another process."""
        self._file.close()

    def _slot(self, index: int) -> bytes:
        self._file.seek(self._slots + index * _SLOT_BYTES)
        return self._file.read(_SLOT_BYTES)

    def _secret(self, index: int) -> bytes:
        slot = self._slot(index)
        return self._sealer.decrypt(slot[:12], slot[12:], _tag(self._run, index))

    def _opens(self, index: int) -> bool:
        try:
            self._secret(index)
        except InvalidTag:
            return False
        return True

    def _erase(self, index: int) -> None:
        self._unused[index] = False
        try:
            os.pwrite(self._file.fileno(), bytes(_SLOT_BYTES), self._slots + index * _SLOT_BYTES)
            os.fsync(self._file.fileno())
            erased = not self._opens(index)
        except OSError as error:
            raise CryptoError(f"{self._path}: cannot mark as used: {error.strerror}") from None
        if not erased:
            raise CryptoError(f"{self._path}: cannot mark segment {index} as used")

    def _read(self, index: int, secret: bytes) -> Arrays:
        start, length = self._places[index]
        self._file.seek(start)
        try:
            body = self._file.read(length)
            plain = AESGCM(secret).decrypt(_NONCE, body, _tag(self._run, index))
        except InvalidTag:
            raise CryptoError(f"{self._path} is damaged in segment {index}") from None
        words, kind = np.frombuffer(plain, "<u8").astype(np.uint64), self._kinds[index]
        arrays, first = {}, 0
        for field in kind.fields():
            shape = kinds.shape(kind, field)
            size = int(np.prod(shape, dtype=np.int64))
            arrays[field.name] = words[first : first + size].reshape(shape)
            first += size
        return arrays

    def __repr__(self) -> str:
        return f"Stored({self._path}, {sum(self._unused)} of {len(self._unused)} segments left)"


def _pieces(kind: Kind, arrays: Arrays, segment: int) -> list[tuple[Kind, Arrays]]:
    """A batch in segments."""
    total, out = kinds.units(kind), []
    for first in range(0, total, segment):
        last = min(total, first + segment)
        part = {
            field.name: arrays[field.name][field.per * first : field.per * last]
            for field in kind.fields()
        }
        out.append((kinds.whole(kind, (last - first) * kind.UNIT), part))
    return out


def _sealer(key: bytes) -> AESGCM:
    if len(key) != KEY_BYTES:
        raise ConfigError(f"the key of a file of triples has {KEY_BYTES} bytes, not {len(key)}")
    return AESGCM(key)


def _tag(run: bytes, index: int) -> bytes:
    return _LABEL + run + index.to_bytes(4, "little")


def _locked(path: Path) -> BinaryIO:
    try:
        opened = path.open("r+b", buffering=0)
    except OSError as error:
        raise ConfigError(f"cannot open {path}: {error.strerror}") from None
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        opened.close()
        raise ConfigError(f"{path} is in use by another process") from None
    return opened  # unbuffered, so a write is on its way at once


def _party(mesh: Mesh, purpose: bytes) -> bytes:
    """Who the shares are of, among whom, so that nobody uses the ones another party knows; and for
    which purpose, so that no other uses them up."""
    told = "\0".join([mesh.me, *mesh.names]).encode() + b"\0\0" + purpose
    return hashlib.sha256(_LABEL + b"party\0" + told).digest()[:_RUN_BYTES]


def _directory(
    path: Path, opened: BinaryIO, sealer: AESGCM, party: bytes
) -> tuple[bytes, int | None, list[Kind], list[tuple[int, int]], bytes]:
    """The run, for how many rows it is, the segments' kinds and places, and a digest of it all."""
    head = opened.read(len(_MAGIC) + _HEADER.size)
    if len(head) != len(_MAGIC) + _HEADER.size or not head.startswith(_MAGIC):
        raise ConfigError(f"{path} is not a file of triples of this version")
    run, of, said, count = _HEADER.unpack_from(head, len(_MAGIC))
    listed, check = opened.read(count * _ENTRY.size), opened.read(_CHECK_BYTES)
    try:
        sealer.decrypt(check[:12].ljust(12), check[12:], _LABEL + head + listed)
    except InvalidTag:
        raise WrongPassphrase(
            f"{path} does not open with this key, or its list of segments is damaged"
        ) from None
    if of != party:
        raise ConfigError(
            f"{path} is not this party's, or was prepared among others or for another job"
        )
    found, places = [], []
    for called, many, *given, start, length in _ENTRY.iter_unpack(listed):
        name = called.rstrip(b"\0").decode("ascii", "replace")
        found.append(kinds.named(name, given[: kinds.parameter_count(name)], many))
        places.append((start, length))
    if os.fstat(opened.fileno()).st_size < max((sum(place) for place in places), default=0):
        raise ConfigError(f"{path} is cut short")
    rows = None if said == _ROWS_NOT_SAID else said
    digest = hashlib.sha256(_LABEL + said.to_bytes(8, "little") + listed).digest()
    return run, rows, found, places, digest


def _write(path: Path, data: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigError(f"{path} exists; unused correlations are not overwritten") from None
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        # The name too is on the disk before the others count on it.
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
