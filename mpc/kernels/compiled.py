# SPDX-License-Identifier: Apache-2.0
"""How a kernel is compiled, announced and cut over threads."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
from llvmlite import ir
from numba import cfunc, njit, types
from numba.core import event

from mpc.kernels import doubles, helpers
from mpc.kernels.lanes import WORD, address, emits

log = logging.getLogger("mpc.kernels")

TURNS = 32
"""How often a thread takes a part of a loop, at most, if such parts may be small."""

# Nothing calls them from C, and a wrapper for that would be a tenth of compiling. (It is an option
# that numba's stubs do not know.)
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}

inner = njit(**_OPTIONS)
"""For functions that kernels call: compiled with their callers, and cached inside them."""

_kernel = njit(cache=True, **_OPTIONS)


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


@emits(types.int64, types.intp, types.int64)
def take(builder: Any, address: Any, many: Any) -> Any:
    """Add to the word at an address, which other threads do too; what it was before.

    What a thread wrote before it added is seen by those that find its sum.
    """
    place = builder.inttoptr(address, WORD.as_pointer())
    return builder.atomic_rmw("add", place, many, "acq_rel")


def body(_start: int, _stop: int, *_args: Any) -> None:
    """What ``_by_turns`` does: each kernel has its own function under this name."""


def _by_turns(taken: Any, count: int, many: int, *args: Any) -> None:
    """Do ``many`` of ``range(count)`` at a time, from where other threads have got to."""
    first = take(address(taken), many)
    while first < count:
        body(first, min(first + many, count), *args)
        first = take(address(taken), many)


class Kernel:
    """A compiled loop over ``range(start, stop)``, which are its first two arguments."""

    __slots__ = ("_dispatcher",)

    def __init__(self, function: Callable[..., None]) -> None:
        # A global of the loop, because numba does not find in its cache what has a closure.
        names = {"__name__": __name__, "address": address, "body": inner(function), "take": take}
        loop = FunctionType(_by_turns.__code__, names, function.__name__)
        loop.__qualname__ = f"{Path(function.__code__.co_filename).stem}.{function.__qualname__}"
        self._dispatcher: Any = _kernel(loop)

    def __call__(self, start: int, stop: int, *args: Any) -> None:
        self._run(np.array([start]), stop, stop - start, *args)

    def _run(self, *args: Any) -> None:
        if self._dispatcher.overloads:
            self._dispatcher(*args)
            return
        with event.install_listener("numba:compile", _notice):
            self._dispatcher(*args)

    def over(
        self,
        count: int,
        seconds: float,
        *args: Any,
        scratch: Callable[[], Any],
        least: int | None = None,
    ) -> None:
        """Run ``range(count)``, of ``seconds`` each, over threads that each call ``scratch``.

        Each thread takes a part as large as those of the others. Or with ``least``, many equal
        ones, of about so many at least, as long as there are some: then a thread that begins late,
        or is kept waiting by other work of the machine, just does fewer.
        """
        threads = min(count, helpers.threads_for(count * seconds))
        if threads <= 1:
            self(0, count, *args, scratch())
            return
        rounds = 1 if least is None else max(1, min(TURNS, -(-count // threads) // least))
        many = -(-count // (threads * rounds))
        taken = np.zeros(1, np.int64)
        own = scratch()  # first, because whoever is woken waits for the interpreter until this runs
        helpers.together(
            threads,
            lambda: self._run(taken, count, many, *args, own),
            lambda: self._run(taken, count, many, *args, scratch()),
        )
