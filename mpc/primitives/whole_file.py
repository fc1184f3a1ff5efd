# SPDX-License-Identifier: Apache-2.0
"""Files that are whole or not there at all, and folders that one writer changes at a time."""

from __future__ import annotations

import fcntl
import glob
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mpc.errors import ConfigError

_UNFINISHED = ".unfinished"


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file, mode 0600, that takes the place of ``path`` in one step when the block ends well.

    Whoever dies in the block leaves the old file as it was. Raises ``ConfigError`` when the file
    cannot be written.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}{_UNFINISHED}")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        part.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)


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
    """Remove what writers of ``name`` (of anything) that were killed left; for its only writer."""
    pattern = name if name == "*" else glob.escape(name)
    for part in folder.glob(f".{pattern}.*{_UNFINISHED}"):
        part.unlink(missing_ok=True)
