# SPDX-License-Identifier: Apache-2.0
"""Threads that help with a loop: how they start, and how one is had. What they do: ``team``."""

from __future__ import annotations

import _thread
import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from mpc import kernels
from mpc.kernels.memory import LINE, words
from mpc.kernels.team import FREE

LEAST_SECONDS = 0.02e-3
"""A part below this is not worth a thread, which may be asleep and begin as much later."""

LINGER = 0.5
"""Seconds that a thread sleeps before it ends. Starting one takes several times as long as waking
one, and an engineer's program calls kernels in bursts."""

MOST = max(64, 4 * (os.cpu_count() or 1))
"""Threads at a time, for all callers: one that the system lets wait counts until it is run."""

Serve = Callable[[NDArray[np.int64]], None]
"""Do what is offered in a box, and sleep, until nothing was for long."""

_helpers: set[Helper] = set()
_idle: deque[Helper] = deque()


def threads_for(seconds: float) -> int:
    """How many threads are worth having for so much work."""
    most = int(seconds / LEAST_SECONDS)
    return 1 if most <= 1 else min(most, kernels.threads())


def call(called: list[Helper], count: int, serve: Serve) -> None:
    """Have so many helpers, or as many as can be had, to be offered work; they are added to a list,
    and whoever calls them dismisses them."""
    for _ in range(count):
        try:
            called.append(_idle.pop())
        except IndexError:
            if not _start(called, serve):
                return


def dismiss(called: list[Helper]) -> None:
    """They may be called by others."""
    _idle.extend(called)
    for helper in called:
        if helper not in _helpers:
            helper.take_away()


class Helper:
    """A thread, which is a bare one: those of ``threading`` cost twice as much to start.

    It leaves when for long it was offered nothing, whoever has called it: so whatever interrupts a
    caller, no thread is left behind. One that leaves as it is called is not there, and nobody waits
    for it.
    """

    __slots__ = ("_box", "_serve", "place")

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._box = words(2 * LINE)[:1].view(np.int64)  # two lines are fetched at a time
        self._box[0] = FREE
        self.place: int = self._box.__array_interface__["data"][0]

    def run(self) -> None:
        """What the thread does."""
        try:
            self._serve(self._box)
        finally:
            _helpers.discard(self)
            self.take_away()

    def take_away(self) -> None:
        """It has left: whoever sees that last, takes it out of those that may be called."""
        with suppress(ValueError):
            _idle.remove(self)


def _start(called: list[Helper], serve: Serve) -> bool:
    """Whether a thread was had."""
    if len(_helpers) >= MOST:
        return False
    helper = Helper(serve)
    try:
        _helpers.add(helper)
        _thread.start_new_thread(helper.run, ())
    except BaseException as fault:
        _helpers.discard(helper)
        if isinstance(fault, RuntimeError):  # the system gives no more
            return False
        raise
    called.append(helper)
    return True


def _forget() -> None:
    """In the child of a fork, which has none of the threads."""
    _helpers.clear()
    _idle.clear()


os.register_at_fork(after_in_child=_forget)
