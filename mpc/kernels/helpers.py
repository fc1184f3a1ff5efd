# SPDX-License-Identifier: Apache-2.0
"""Threads that help with a loop: how they are called, sleep and leave. How they help: ``team``."""

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
from mpc.kernels.team import CALLED, FREE

LEAST_SECONDS = 0.02e-3
"""A part below this is not worth a thread, which may be asleep and begin as much later."""

LINGER = 0.5
"""Seconds that a thread sleeps before it ends. Starting one takes three times as long as waking
one, and an engineer's program calls kernels in bursts."""

MOST = max(64, 4 * (os.cpu_count() or 1))
"""Threads at a time, for all callers: one that the system lets wait counts until it is run."""

Serve = Callable[[NDArray[np.int64]], None]
"""Do what is offered in a box, until nothing was for a while."""

_helpers: set[Helper] = set()
_idle: deque[Helper] = deque()


def threads_for(seconds: float) -> int:
    """How many threads are worth having for so much work."""
    most = int(seconds / LEAST_SECONDS)
    return 1 if most <= 1 else min(most, kernels.threads())


def call(called: list[Helper], count: int, serve: Serve) -> None:
    """Have so many helpers look into their boxes, or as many as can be had; they are added to a
    list, and whoever calls them dismisses them."""
    for _ in range(count):
        try:
            called.append(_idle.pop())
        except IndexError:
            if not _start(called, serve):
                return
        else:
            called[-1].call()


def dismiss(called: list[Helper]) -> None:
    """What was called for them is done, or will not be offered."""
    for helper in called:
        helper.dismiss()


class Helper:
    """A thread, which is a bare one: those of ``threading`` cost twice as much to start.

    Sleeping, and being woken, is told by a token that either side takes by one step, so that no
    call comes between: who calls and finds none knows that the helper is awake, and that before it
    sleeps it looks for calls.
    """

    __slots__ = ("_box", "_calls", "_seen", "_serve", "_sleeping", "_woken", "place")

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._box = words(2 * LINE)[:1].view(np.int64)  # two lines are fetched at a time
        self._box[0] = FREE
        self._calls = self._seen = 0
        self._sleeping = deque[None]()
        self._woken = _thread.allocate_lock()
        self._woken.acquire()
        self.place: int = self._box.__array_interface__["data"][0]

    def call(self) -> None:
        """Have it look into its box."""
        self._box[0] = CALLED
        self._calls += 1
        if self._is_taken_from_sleep():
            with suppress(RuntimeError):  # it is released: by a call that was late
                self._woken.release()

    def dismiss(self) -> None:
        """It may be called by others."""
        if self._box[0] == CALLED:
            self._box[0] = FREE
        if self in _helpers:
            _idle.append(self)

    def run(self) -> None:
        """What the thread does."""
        try:
            while self._is_wanted():
                self._serve(self._box)
        finally:
            _helpers.discard(self)
            with suppress(ValueError):
                _idle.remove(self)

    def _is_wanted(self) -> bool:
        """Sleep until it is called, unless it was, or for long enough."""
        self._sleeping.append(None)
        woken = self._calls == self._seen and self._woken.acquire(timeout=LINGER)
        if not woken and not self._is_taken_from_sleep():
            # Somebody is about to release it, or was interrupted just before.
            self._woken.acquire(timeout=LINGER)
        elif not woken and self._calls == self._seen:
            with suppress(ValueError):  # somebody has taken it from there, and will call it
                _idle.remove(self)
                return False
        self._seen = self._calls
        return True

    def _is_taken_from_sleep(self) -> bool:
        try:
            self._sleeping.pop()
        except IndexError:
            return False
        return True


def _start(called: list[Helper], serve: Serve) -> bool:
    """Whether a thread was had."""
    if len(_helpers) >= MOST:
        return False
    helper = Helper(serve)
    _helpers.add(helper)
    helper.call()
    try:
        _thread.start_new_thread(helper.run, ())
    except RuntimeError:  # the system gives no more
        _helpers.discard(helper)
        return False
    called.append(helper)
    return True


def _forget() -> None:
    """In the child of a fork, which has none of the threads."""
    _helpers.clear()
    _idle.clear()


os.register_at_fork(after_in_child=_forget)
