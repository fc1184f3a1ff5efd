# SPDX-License-Identifier: Apache-2.0
"""How a kernel is compiled, announced and cut over threads."""

from __future__ import annotations

import _thread
import hashlib
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from llvmlite import ir
from numba import cfunc, njit, types
from numba.core import event

from mpc import kernels
from mpc.kernels import doubles
from mpc.kernels.lanes import WORD

log = logging.getLogger("mpc.kernels")

Piece = tuple[int, int]

# Starting a thread costs about as much as 0.06 ms of work, so pieces below this are not worth one.
LEAST_SECONDS = 0.2e-3

inner = njit(nogil=True, error_model="numpy")
"""For functions that kernels call: compiled with their callers, and cached inside them."""

_kernel = njit(nogil=True, cache=True, error_model="numpy")


def kernel(function: Callable[..., None]) -> Kernel:
    """Compile at first use; releases the GIL and is cached on disk, for this CPU."""
    _name_by_sources(function)
    return Kernel(function)


def routine(function: Callable[..., None]) -> Routine:
    """For a function of addresses and sizes that is too long to compile into all its callers."""
    _name_by_sources(function)
    return Routine(function)


def _name_by_sources(function: Callable[..., None]) -> None:
    # numba renews its cache when the file of the kernel changes, but not when what it calls in
    # other files does. It finds the cache by this name, so the name says what was compiled.
    function.__qualname__ += f"_{_digest(Path(function.__code__.co_filename).parent)}"


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
            log.warning("compiling kernels for this CPU (once per machine, up to half a minute)")

    def on_end(self, _event: event.Event) -> None:
        pass


_notice = _Notice()


class Routine:
    """Compiled once, at first use, and cached on disk; kernels call it by its address."""

    __slots__ = ("_compiled", "_function")

    def __init__(self, function: Callable[..., None]) -> None:
        self._function = function
        self._compiled: Any = None

    @property
    def address(self) -> int:
        """Where it begins, in this process."""
        if self._compiled is None:
            of = types.void(*[types.intp] * self._function.__code__.co_argcount)
            with event.install_listener("numba:compile", _notice):
                self._compiled = cfunc(of, cache=True, error_model="numpy")(self._function)
        return int(self._compiled.address)


def call(builder: Any, address: Any, args: Sequence[Any]) -> None:
    """Inside an intrinsic: call the routine that begins at ``address``, rounding towards zero."""
    of = ir.FunctionType(ir.VoidType(), [WORD] * len(args))
    with doubles.rounding_down(builder):
        builder.call(builder.inttoptr(address, of.as_pointer()), args)


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
        pieces = min(count, threads_for(count * seconds))
        if pieces <= 1:
            self(0, count, *args, scratch())
            return
        bounds = [-(-count * i // pieces) for i in range(pieces + 1)]
        work = _Work(pairwise(bounds), lambda piece: self(*piece, *args, scratch()))
        # Bare threads: those of ``threading`` cost twice as much to start. They end with the work,
        # so that there is nothing to lose at a fork.
        for _ in range(pieces - 1):
            _thread.start_new_thread(work.help, ())
        work.finish()


def threads_for(seconds: float) -> int:
    """How many threads are worth starting for so much work."""
    most = int(seconds / LEAST_SECONDS)
    return 1 if most <= 1 else min(most, kernels.threads())


class _Work:
    """Pieces that several threads take and do; the longest first.

    Whoever waits for them takes what the others have not begun: on a busy machine a thread may be
    late, and then nothing is lost by having started it.
    """

    __slots__ = ("_do", "_error", "_pieces", "_undone")

    def __init__(self, pieces: Iterable[Piece], do: Callable[[Piece], None]) -> None:
        self._do = do
        self._pieces = deque((piece, _thread.allocate_lock()) for piece in pieces)
        self._undone = [done for _, done in self._pieces]
        self._error: BaseException | None = None
        for done in self._undone:
            done.acquire()

    def help(self) -> None:
        """Do pieces until none is left to begin."""
        while self._pieces:
            try:
                piece, done = self._pieces.popleft()
            except IndexError:  # another thread was faster
                return
            try:
                self._do(piece)
            except BaseException as error:
                self._error = error
            finally:
                done.release()

    def finish(self) -> None:
        """Help, wait until all pieces are done, and raise what one of them raised."""
        self.help()
        for done in self._undone:
            done.acquire()
        if self._error is not None:
            raise self._error
