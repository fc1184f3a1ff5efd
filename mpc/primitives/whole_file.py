# SPDX-License-Identifier: Apache-2.0
"""Files that are whole or not there at all, and folders that one writer changes at a time."""

from __future__ import annotations

import errno
import fcntl
import glob
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from mpc.errors import ConfigError

_UNFINISHED = ".unfinished"
_DESCRIPTORS = "/proc/self/fd"


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file, mode 0600, that takes the place of ``path`` in one step when the block ends well.

    Whoever dies in the block leaves the old file as it was, and nothing of the new one: it has no
    name until it is whole. Where the file system has no such files (Linux's ``O_TMPFILE``) it has a
    hidden one, which ``sweep`` removes. Raises ``ConfigError`` when the file cannot be written.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}{_UNFINISHED}")
    try:
        descriptor, named = _opened(part)
        with os.fdopen(descriptor, "wb") as file:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(descriptor, fcntl.LOCK_EX)  # tells ``sweep`` that the writer lives
            yield file
            file.flush()
            os.fsync(descriptor)
            if not named:
                _name(descriptor, part)
            part.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)


def _opened(part: Path) -> tuple[int, bool]:
    """A new file in the folder of ``part``, and whether it had to be given that name already."""
    unnamed = getattr(os, "O_TMPFILE", 0)
    try:
        if unnamed and Path(_DESCRIPTORS).is_dir():
            return os.open(part.parent, os.O_WRONLY | unnamed, 0o600), False
    except OSError as error:
        # What a file system says that has none, and what a kernel does that knows of none.
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            raise
    return os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), True


def _name(descriptor: int, part: Path) -> None:
    folder = os.open(part.parent, os.O_RDONLY)
    try:
        # Python follows the link in /proc to the file only where it is told of a folder.
        os.link(f"{_DESCRIPTORS}/{descriptor}", part, src_dir_fd=folder)
    finally:
        os.close(folder)


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` outlive a crash of the machine."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def only_writer(lock: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold ``lock``, a file made for it; without ``wait``, ``ConfigError`` while another holds it.

    The system lets go of it when the process ends, however it ends.
    """
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigError(f"cannot write {lock}: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    except BlockingIOError:
        raise ConfigError(f"another process or thread is writing to {lock.parent}") from None
    finally:
        os.close(descriptor)


def sweep(folder: Path, name: str = "*") -> None:
    """Remove what writers of ``name`` (of anything) that were killed left, and of no living one."""
    pattern = name if name == "*" else glob.escape(name)
    for part in folder.glob(f".{pattern}.*{_UNFINISHED}"):
        with suppress(OSError), part.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink(missing_ok=True)
