# SPDX-License-Identifier: Apache-2.0
"""Threads that go through a loop together, and wait a while for the next one."""

from __future__ import annotations

import _thread
import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from mpc import kernels

# Waking a thread costs about as much as 0.02 ms of work, and its end is waited for, so parts below
# this are not worth one.
LEAST_SECONDS = 0.08e-3

LINGER = 0.5
"""Seconds that a thread waits for more to do. Starting one takes three times as long as waking
one, and an engineer's program calls kernels in bursts."""

MOST = max(64, 4 * (os.cpu_count() or 1))
"""Threads at a time, for all callers: one that the system lets wait counts until it is run."""

_helpers: set[_Helper] = set()
_idle: deque[_Helper] = deque()


def threads_for(seconds: float) -> int:
    """How many threads are worth having for so much work."""
    most = int(seconds / LEAST_SECONDS)
    return 1 if most <= 1 else min(most, kernels.threads())


def together(threads: int, do: Callable[[], None], help_with: Callable[[], None]) -> None:
    """Run ``do`` in this thread and ``help_with`` in up to ``threads`` - 1 others: each goes
    through the same loop until nothing is left.

    On a busy machine a thread may be late, or none may be had. Then nothing is lost by having asked
    for it, and it is not waited for. What one of them raises is raised here.
    """
    work = _Work(threads - 1, help_with)

    def call_and_do() -> None:
        for _ in range(threads - 1):
            if not _call_for(work):
                break
        do()

    work.finish(call_and_do)


class _Work:
    """A loop that several threads go through."""

    __slots__ = ("_begun", "_do", "_error", "_waiting")

    def __init__(self, helpers: int, do: Callable[[], None]) -> None:
        self._do = do
        self._begun = [_thread.allocate_lock() for _ in range(helpers)]
        self._waiting = deque(self._begun)
        self._error: BaseException | None = None
        for done in self._begun:
            done.acquire()

    def help(self) -> None:
        """Take part, unless all is done."""
        try:
            done = self._waiting.popleft()
        except IndexError:
            return
        try:
            self._do()
        except BaseException as error:
            self._error = error
        finally:
            done.release()

    def finish(self, do: Callable[[], None]) -> None:
        """Take part, wait for those who do, and raise what one of them raised."""
        try:
            do()
        finally:
            self._wait()
        if self._error is not None:
            raise self._error

    def _wait(self) -> None:
        """To the end, though it be interrupted: they use arrays that the caller lets go."""
        try:
            # Nobody is to begin any more: whom this takes from the list is not waited for. All are
            # taken and released by one call, so that no interrupt comes between the two.
            with suppress(IndexError):
                list(map(_thread.LockType.release, iter(self._waiting.popleft, None)))
            for done in self._begun:
                with done:
                    pass
        except BaseException:
            self._wait()
            raise


class _Helper:
    """A thread, which is a bare one: those of ``threading`` cost twice as much to start."""

    __slots__ = ("_woken", "_work")

    def __init__(self) -> None:
        self._work: _Work | None = None
        self._woken = _thread.allocate_lock()
        self._woken.acquire()

    def wake(self, work: _Work) -> None:
        """Have it help."""
        self._work = work
        self._woken.release()

    def run(self) -> None:
        """What the thread does."""
        while self._is_wanted():
            self._help()
            _idle.append(self)
        _helpers.discard(self)

    def _help(self) -> None:
        # In a function of its own, so that nothing holds the work's arrays while this waits.
        work, self._work = self._work, None
        if work is not None:
            work.help()

    def _is_wanted(self) -> bool:
        if self._woken.acquire(timeout=LINGER):
            return True
        try:
            _idle.remove(self)
        except ValueError:
            # Somebody has taken it from there, to wake it.
            return self._woken.acquire()
        return False


def _call_for(work: _Work) -> bool:
    """Whether a thread was woken for it, or started."""
    try:
        helper = _idle.pop()
    except IndexError:
        return _start_for(work)
    helper.wake(work)
    return True


def _start_for(work: _Work) -> bool:
    if len(_helpers) >= MOST:
        return False
    helper = _Helper()
    helper.wake(work)
    _helpers.add(helper)
    try:
        _thread.start_new_thread(helper.run, ())
    except RuntimeError:  # the system gives no more
        _helpers.discard(helper)
        return False
    return True


def _forget() -> None:
    """In the child of a fork, which has none of the threads."""
    _helpers.clear()
    _idle.clear()


os.register_at_fork(after_in_child=_forget)
