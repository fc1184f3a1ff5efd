# SPDX-License-Identifier: Apache-2.0
"""How a kernel is compiled, announced and cut over threads."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import event

from mpc import kernels

log = logging.getLogger("mpc.kernels")

# Starting a thread costs about as much as 0.1 ms of work, so pieces below this are not worth one.
LEAST_SECONDS = 0.5e-3

inner = njit(nogil=True, error_model="numpy")
"""For functions that kernels call: compiled with their callers, and cached inside them."""

_kernel = njit(nogil=True, cache=True, error_model="numpy")


def kernel(function: Callable[..., None]) -> Kernel:
    """Compile at first use; releases the GIL and is cached on disk, for this CPU."""
    # numba renews its cache when the file of the kernel changes, but not when what it calls in
    # other files does. It finds the cache by this name, so the name says what was compiled.
    function.__qualname__ += f"_{_digest(Path(function.__code__.co_filename).parent)}"
    return Kernel(function)


@cache
def _digest(folder: Path) -> str:
    """Of the sources in a kernel's folder, of the lanes, and of how it is compiled."""
    here = Path(__file__)
    shared = (here, here.with_name("lanes.py"), here.with_name("doubles.py"))
    sources = sorted({*folder.glob("*.py"), *shared})
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]


class _Notice(event.Listener):
    """Says once per process that compiling is under way."""

    def __init__(self) -> None:
        self.said = False

    def on_start(self, _event: event.Event) -> None:
        if not self.said:
            self.said = True
            log.warning("compiling kernels for this CPU (once per machine, takes a few seconds)")

    def on_end(self, _event: event.Event) -> None:
        pass


_notice = _Notice()


class Kernel:
    """A compiled loop over ``range(start, stop)``, which are its first two arguments."""

    __slots__ = ("_dispatcher",)

    def __init__(self, function: Callable[..., None]) -> None:
        self._dispatcher: Any = _kernel(function)

    def __call__(self, start: int, stop: int, *args: Any) -> None:
        if self._dispatcher.overloads:
            self._dispatcher(start, stop, *args)
            return
        with event.install_listener("numba:compile", _notice):
            self._dispatcher(start, stop, *args)

    def over(self, count: int, seconds: float, *args: Any, scratch: Callable[[], Any]) -> None:
        """Run ``range(count)``, of ``seconds`` each, over threads that each call ``scratch``."""
        pieces = min(count, int(count * seconds / LEAST_SECONDS))
        if pieces <= 1 or (pieces := min(pieces, kernels.threads())) == 1:
            self(0, count, *args, scratch())
            return
        bounds = [count * i // pieces for i in range(pieces + 1)]
        # A pool per call costs little beside the work, and leaves nothing behind at a fork. The
        # calling thread takes a piece: were it to wait, the others would often share one CPU at
        # first, since they are started where it runs.
        with ThreadPoolExecutor(pieces - 1) as pool:
            runs = [
                pool.submit(lambda piece: self(*piece, *args, scratch()), piece)
                for piece in pairwise(bounds[1:])
            ]
            self(0, bounds[1], *args, scratch())
        for run in runs:
            run.result()
