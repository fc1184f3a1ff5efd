# SPDX-License-Identifier: Apache-2.0
"""Spans: named stretches of a protocol's work, for profiles and traces.

A protocol says what it is at: ``with span("okvs"):``, or ``@spanned("okvs")`` above a function that
is one stage. Nobody listens by default, and then a span costs one look-up. Under
:func:`listening`, each span is handed over when it ends: the benchmarks add them up, and an
exporter to a tracing system is a listener too. Spans nest as the calls do. A listener hears the
thread it was set in, and those that work for it: what is run in a copy of its context, as threads
of protocols are (``ThreadPool``). So several threads may call it at once.

A name is a constant of the code. Sizes and values have no place in a span.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar, Token, copy_context
from dataclasses import dataclass
from functools import partial, wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of work that has ended, by its end or by an exception.

    ``path`` has its name last, after those of the spans around it. ``start`` is of
    ``time.perf_counter``, ``wall`` and ``cpu`` are seconds on the clock and of its thread's CPU.
    """

    path: tuple[str, ...]
    start: float
    wall: float
    cpu: float
    thread: str

    @property
    def name(self) -> str:
        return self.path[-1]


Listener = Callable[[Span], None]


@dataclass(frozen=True, slots=True)
class _Around:
    """What surrounds the code that runs: who listens, and the names of the open spans."""

    listeners: tuple[Listener, ...] = ()
    path: tuple[str, ...] = ()


_QUIET = _Around()
_NOTHING = nullcontext()
_around: ContextVar[_Around] = ContextVar("mpc.tracing", default=_QUIET)


def span(name: str) -> AbstractContextManager[None]:
    """The block is a span of this name, told to whoever listens."""
    around = _around.get()
    return _Open(name, around) if around.listeners else _NOTHING


def spanned(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Each call of the function is a span of this name; not for generators, which run later."""

    def within(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def run(*args: P.args, **named: P.kwargs) -> R:
            with span(name):
                return function(*args, **named)

        return run

    return within


class ThreadPool(ThreadPoolExecutor):
    """Threads whose spans are inside those around ``submit`` or ``map``, and heard as they are."""

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        return super().submit(copy_context().run, partial(fn, *args, **kwargs))


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Hand every span that ends in the block to ``listener``, beside those who listen already."""
    around = _around.get()
    token = _around.set(_Around((*around.listeners, listener), around.path))
    try:
        yield
    finally:
        _around.reset(token)


class _Open:
    __slots__ = ("_around", "_cpu", "_path", "_token", "_wall")

    _token: Token[_Around]

    def __init__(self, name: str, around: _Around) -> None:
        self._around = around
        self._path = (*around.path, name)

    def __enter__(self) -> None:
        self._token = _around.set(_Around(self._around.listeners, self._path))
        self._wall, self._cpu = time.perf_counter(), time.thread_time()

    def __exit__(self, *_: object) -> None:
        wall, cpu = time.perf_counter() - self._wall, time.thread_time() - self._cpu
        _around.reset(self._token)
        ended = Span(self._path, self._wall, wall, cpu, threading.current_thread().name)
        for listener in self._around.listeners:
            listener(ended)
