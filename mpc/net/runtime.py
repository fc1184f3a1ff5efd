# SPDX-License-Identifier: Apache-2.0
"""The gRPC runtime of this process: its settings, and the one event loop behind all links.

gRPC reads its settings from the environment when it is first imported, so the other modules of
this package import ``grpc`` from here, after they were set:

* ``GRPC_SSL_CIPHER_SUITES`` names the suites of TLS 1.2 and below; TLS 1.3 has its own. The list
  here needs an RSA certificate and every party's is on P-256, so a handshake below TLS 1.3 finds
  no suite in common. It stays possible for other gRPC users in this process, with RSA
  certificates. A program that imported grpc before is safe too: a listener refuses a stream that
  came over anything else (``grpc_link``), only later in the handshake.
* ``GRPC_VERBOSITY``: what gRPC would print on stderr about a failed handshake is raised or logged
  by this package, in its own words.

``asyncio`` runs on one background thread, which starts with the first user and ends with the last.
gRPC and threads do not survive ``fork``: start further processes by spawning them.
"""

from __future__ import annotations

import asyncio
import os
from threading import Lock, Thread
from typing import TypeVar

os.environ.setdefault(
    "GRPC_SSL_CIPHER_SUITES", "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256"
)
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc  # the settings above come first
from grpc import aio

__all__ = ["LOOP", "SharedLoop", "aio", "detached", "grpc"]

E = TypeVar("E", bound=BaseException)

# The system gives up on the socket of a frozen peer after the keepalive timeout of ``stream``.
_SETTLE_SECONDS = 12.0


class SharedLoop:
    """An event loop on a daemon thread that lives while somebody uses it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._users = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None

    def acquire(self) -> asyncio.AbstractEventLoop:
        """The running loop; each ``acquire`` is paired with one ``release``."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = Thread(
                    target=self._loop.run_forever, name="mpc-network", daemon=True
                )
                self._thread.start()
            self._users += 1
            return self._loop

    def release(self) -> None:
        """Give the loop back; the last user ends the thread. Not to be called on that thread."""
        with self._lock:
            self._users -= 1
            if self._users or self._loop is None or self._thread is None:
                return
            asyncio.run_coroutine_threadsafe(_settled(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            self._loop = self._thread = None


async def _settled() -> None:
    """Return when gRPC's own tasks have ended, which hear last of a call that was cancelled."""
    if others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others, timeout=_SETTLE_SECONDS)


LOOP = SharedLoop()


def detached(error: E) -> E:
    """``error`` without its past on the network thread, to be kept or raised on another one.

    Tracebacks hold frames, and those hold what gRPC made: its own thread would live on for as long
    as somebody keeps the error.
    """
    error.__context__ = None
    return error.with_traceback(None)
