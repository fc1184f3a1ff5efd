# SPDX-License-Identifier: Apache-2.0
"""How a kernel is compiled, announced and cut over threads."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from types import FunctionType
from typing import Any, ParamSpec, TypeVar

import numpy as np
from llvmlite import ir
from numba import cfunc, njit, types
from numba.core import event
from numpy.typing import NDArray

from mpc.kernels import doubles, helpers, memory, team
from mpc.kernels.lanes import WORD, address
from mpc.kernels.team import exchange, look, record, take

log = logging.getLogger("mpc.kernels")

P = ParamSpec("P")
T = TypeVar("T")

TURNS = 32
"""How often each thread would take a part of a loop, at most, if all were as small as the last."""

ROUNDS = 2
"""A part is what is left of a loop, over the threads and this. Large ones come first: what a core
goes through in one run it fetches ahead, and does not share with another. Small ones come last, so
that all threads end together."""

PATIENCE = 1 << 21
"""Cycles of the clock, 0.6 to 1 ms, that a helper looks for more work before it sleeps: calls that
follow each other have less between them, and to wake a thread takes a tenth of that."""

# Nothing calls them from C, and a wrapper for that would be a tenth of compiling; those for calls
# from Python, which only kernels get, as much again. (They are options numba's stubs do not know.)
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}

inner = njit(**_OPTIONS | {"no_cpython_wrapper": True})
"""For functions that kernels call: compiled with their callers, and cached inside them. Python
cannot call them: they have nothing that takes its objects, and numba does not say so."""

_kernel = njit(cache=True, **_OPTIONS)


def kernel(function: Callable[..., None]) -> Kernel:
    """Compile at first use; releases the GIL and is cached on disk, for this CPU."""
    _name_by_sources(function)
    return Kernel(function)


def small(function: Callable[P, T]) -> Callable[P, T]:
    """For less work than to share a loop takes: compiled and cached the same way, for each kind of
    arguments, and called as it is. It keeps the GIL, which another thread may not give back for
    milliseconds."""
    _name_by_sources(function)
    return partial(_run, njit(cache=True, **_OPTIONS | {"nogil": False})(function))


def routine(function: Callable[..., None]) -> Routine:
    """For a function of addresses and sizes that is too long to compile into all its callers."""
    _name_by_sources(function)
    return Routine(function)


def _name_by_sources(function: Callable[..., Any]) -> None:
    # numba renews its cache when the file of the kernel changes, but not when what it calls in
    # other files does. It finds the cache by this name, so the name says what was compiled.
    function.__qualname__ += f"_{_digest(Path(function.__code__.co_filename).parent)}"


@cache
def _digest(folder: Path) -> str:
    """Of the sources in a kernel's folder, of the lanes, and of how it is compiled."""
    here = Path(__file__)
    shared = (here, *map(here.with_name, ("lanes.py", "doubles.py", "team.py")))
    sources = sorted({*folder.glob("*.py"), *shared})
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]


class _Notice(event.Listener):
    """Says once per process that compiling is under way."""

    def __init__(self) -> None:
        self.said = False

    def on_start(self, _event: event.Event) -> None:
        if not self.said:
            self.said = True
            log.warning("compiling kernels for this CPU (once per machine, a minute for all)")

    def on_end(self, _event: event.Event) -> None:
        pass


_notice = _Notice()


class Routine:
    """Compiled once, at first use, and cached on disk; kernels call it by its address."""

    __slots__ = ("_address", "_compiled", "_function")

    def __init__(self, function: Callable[..., None]) -> None:
        self._function = function
        self._compiled: Any = None
        self._address = 0

    @property
    def address(self) -> int:
        """Where it begins, in this process."""
        if not self._address:
            of = types.void(*[types.intp] * self._function.__code__.co_argcount)
            with event.install_listener("numba:compile", _notice):
                self._compiled = cfunc(of, cache=True, error_model="numpy")(self._function)
            self._address = int(self._compiled.address)
        return self._address


def call(builder: Any, address: Any, args: Sequence[Any]) -> None:
    """Inside an intrinsic: call the routine that begins at ``address``, rounding towards zero."""
    of = ir.FunctionType(ir.VoidType(), [WORD] * len(args))
    with doubles.rounding_down(builder):
        builder.call(builder.inttoptr(address, of.as_pointer()), args)


def body(_start: int, _stop: int, *_args: Any) -> None:
    """What ``_loop`` does: each kernel has its own function under this name."""


def _loop(shared: Any, count: int, least: int, scratch: Any, *args: Any) -> None:
    """Do parts of ``range(count)``, each from where all threads have got to.

    Whoever calls it first shares it, and is then one of those that call it.
    """
    begun = take(address(shared) + 8, 1)
    if begun == 0:
        if share(shared, record((shared, count, least, scratch, args))):
            raise RuntimeError("a kernel raised an error")
        return
    own, first = scratch[begun - 1], look(address(shared))
    own[-2:] = 0
    while first < count:
        many = least * max(1, (count - first) // (ROUNDS * len(scratch) * least))
        was = exchange(address(shared), first, first + many)
        if was == first:
            body(first, min(first + many, count), *args, own)
            was = look(address(shared))
        first = was


share = inner(team.share)
_name_by_sources(team.serve)
_serve = _kernel(team.serve)


def serve(box: NDArray[np.int64]) -> None:
    """What a helper does."""
    _run(_serve, box, PATIENCE, int(1e9 * helpers.LINGER))


def _load() -> None:
    """What helpers do is loaded by a caller: the child of a fork would wait for the lock of numba
    that one of them has."""
    if not _serve.overloads:
        _run(_serve, np.zeros(1, np.int64), 0, 0)


def _run(dispatcher: Any, *args: Any) -> Any:
    if dispatcher.overloads:
        return dispatcher(*args)
    with event.install_listener("numba:compile", _notice):
        return dispatcher(*args)


class Kernel:
    """A compiled loop over ``range(start, stop)``, which are its first two arguments.

    Its last one is scratch of the thread: words, of which the first begins a line of the cache. Two
    more follow on what was asked for, the last, which are 0 the first time.
    """

    __slots__ = ("_dispatcher",)

    def __init__(self, function: Callable[..., None]) -> None:
        # A global of the loop, because numba does not find in its cache what has a closure.
        loop = FunctionType(
            _loop.__code__, globals() | {"body": inner(function)}, function.__name__
        )
        loop.__qualname__ = f"{Path(function.__code__.co_filename).stem}.{function.__qualname__}"
        self._dispatcher: Any = _kernel(loop)

    def over(
        self,
        count: int,
        seconds: float,
        *args: Any,
        scratch: int = 0,
        start: Callable[[NDArray[np.uint64]], None] | None = None,
        least: int | None = None,
    ) -> None:
        """Run ``range(count)``, of ``seconds`` each, over threads with so many words of scratch.

        ``start`` fills that of all threads, (threads, words). Each takes a part as large as those
        of the others. Or with ``least``, smaller and smaller ones, of about so many at least, as
        long as there are some: then a thread that begins late, or is kept waiting by other work of
        the machine, just does fewer.
        """
        threads = max(1, min(count, helpers.threads_for(count * seconds)))
        rounds = 1 if least is None or threads == 1 else -(-count // threads) // least
        smallest = -(-count // (threads * max(1, min(TURNS, rounds))))
        own = memory.words(threads, -(-(scratch + 2) // memory.LINE) * memory.LINE)
        if start is not None:
            start(own[:, :scratch])
        if threads > 1:
            _load()
        called: list[helpers.Helper] = []
        try:
            helpers.call(called, threads - 1, serve)
            shared = team.sharing([helper.place for helper in called])
            _run(self._dispatcher, shared, count, smallest, own, *args)
        finally:
            helpers.dismiss(called)
