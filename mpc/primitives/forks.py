# SPDX-License-Identifier: Apache-2.0
"""Secrets that serve once, and ``os.fork``, after which two processes have them.

    self._made = forks.count()
    forks.require_none_since(self._made, "this pool")     CryptoError in a child of the process

A child process must not go on with masks and streams of its parent: what both hide under the same
one, they show the difference of. The parent goes on as before.
"""

from __future__ import annotations

import os
from functools import cache

from mpc.errors import CryptoError


def count() -> int:
    """How many forks lie behind this process since the first such call."""
    return len(_forks())


def require_none_since(then: int, what: str) -> None:
    """CryptoError in a process that was forked after ``count`` was ``then``."""
    if count() != then:
        raise CryptoError(f"{what} was made before this process was forked; make a new one")


@cache
def _forks() -> list[None]:
    forks: list[None] = []
    os.register_at_fork(after_in_child=lambda: forks.append(None))
    return forks
