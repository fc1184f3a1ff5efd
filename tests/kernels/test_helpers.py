# SPDX-License-Identifier: Apache-2.0
"""Threads that help with a loop: woken, late, refused, interrupted, left behind by a fork."""

from __future__ import annotations

import _thread
import os
import signal
import threading
import time
import weakref
from collections import deque

import numpy as np
import pytest

from mpc import kernels
from mpc.kernels import helpers
from tests.kernels.batches import everything, needs_simd, settle

pytestmark = pytest.mark.usefixtures("cut_all")


def all_are_idle():
    return len(helpers._idle) == len(helpers._helpers)


@pytest.fixture
def no_helpers(monkeypatch):
    """None from before, and none that comes late to the next test: what they do is counted."""
    settle(all_are_idle)
    monkeypatch.setattr(helpers, "_helpers", set())
    monkeypatch.setattr(helpers, "_idle", deque())
    yield
    settle(all_are_idle)


def none_left(_run, _args):
    raise RuntimeError("can't start new thread")


@needs_simd
@pytest.mark.parametrize("start", [none_left, lambda *_: 0], ids=["refused", "never run"])
def test_work_that_no_thread_takes_is_done_by_the_caller(monkeypatch, no_helpers, start):
    with kernels.use("simd", threads=1):
        expected = everything(67)
    monkeypatch.setattr(_thread, "start_new_thread", start)
    with kernels.use("simd", threads=4):
        assert everything(67) == expected
    assert len(helpers._helpers) <= helpers.MOST
    helpers._helpers.clear()  # none of these ever comes


def meet(threads):
    """Who takes part in something that nobody leaves before so many have come."""
    barrier, found, idle = threading.Barrier(threads), [], []

    def do():
        found.append(threading.get_ident())
        barrier.wait(60)
        idle.extend(helpers._idle)  # nobody who takes part
        barrier.wait(60)

    helpers.together(threads, do, do)
    assert len(set(found)) == threads
    assert not idle
    return set(found) - {threading.get_ident()}


def test_helpers_are_woken_again_and_leave_in_the_end(monkeypatch, no_helpers):
    monkeypatch.setattr(helpers, "LINGER", 60.0)
    first = meet(3)
    for _ in range(5):
        settle(lambda: len(helpers._idle) == 2)
        assert meet(3) == first
    settle(lambda: len(helpers._idle) == 2)
    monkeypatch.setattr(helpers, "LINGER", 0.001)
    assert meet(3) == first
    settle(lambda: not helpers._helpers)
    assert not helpers._idle
    assert meet(2)


def test_a_helper_that_is_about_to_leave_is_kept(monkeypatch, no_helpers):
    """The moment between its time and its leaving may be the one in which it is taken."""
    monkeypatch.setattr(helpers, "LINGER", 0.0005)
    for _ in range(300):
        assert len(meet(2)) == 1
        time.sleep(0.0005)


def test_a_helper_that_is_taken_as_it_leaves_waits_to_be_woken(monkeypatch, no_helpers):
    monkeypatch.setattr(helpers, "LINGER", 0)
    helper, found = helpers._Helper(), []
    thread = threading.Thread(target=lambda: found.append(helper._is_wanted()))
    thread.start()
    thread.join(0.02)
    assert not found
    helper.wake(helpers._Work(0, lambda: None))
    thread.join(60)
    assert found == [True]


def test_a_thread_that_is_refused_does_not_count(monkeypatch, no_helpers):
    monkeypatch.setattr(_thread, "start_new_thread", none_left)
    helpers.together(3, lambda: None, lambda: None)
    assert not helpers._helpers


def test_a_waiting_helper_holds_nothing(monkeypatch, no_helpers):
    class Held:
        def __init__(self):
            self.barrier = threading.Barrier(2)

        def do(self):
            self.barrier.wait(60)

    monkeypatch.setattr(helpers, "LINGER", 60.0)
    held = Held()
    gone = weakref.ref(held)
    helpers.together(2, held.do, held.do)
    settle(lambda: len(helpers._idle) == 1)
    del held
    assert gone() is None
    monkeypatch.setattr(helpers, "LINGER", 0.001)
    meet(2)


def test_helpers_are_bounded(monkeypatch, no_helpers):
    monkeypatch.setattr(helpers, "MOST", 3)
    found = []
    barrier = threading.Barrier(4)

    def do():
        found.append(threading.get_ident())
        barrier.wait(60)

    helpers.together(50, do, do)
    assert len(found) == 4
    assert len(helpers._helpers) == 3


@needs_simd
def test_an_error_in_a_thread_is_raised():
    began = threading.Event()

    def do():
        if threading.current_thread() is threading.main_thread():
            assert began.wait(60)
        else:
            began.set()
            raise ValueError("in a thread")

    work = helpers._Work(1, do)
    _thread.start_new_thread(work.help, ())
    with pytest.raises(ValueError, match="in a thread"):
        work.finish(work._do)


@needs_simd
def test_an_error_of_the_caller_waits_for_the_threads():
    """They write to arrays that the caller lets go."""
    began, failed, ended = threading.Event(), threading.Event(), threading.Event()

    def do():
        if threading.current_thread() is threading.main_thread():
            assert began.wait(60)
            failed.set()
            raise ValueError("in the caller")
        began.set()
        assert failed.wait(60)
        ended.set()

    work = helpers._Work(1, do)
    _thread.start_new_thread(work.help, ())
    with pytest.raises(ValueError, match="in the caller"):
        work.finish(work._do)
    assert ended.is_set()


@pytest.mark.parametrize("presses", [1, 3])
def test_an_interrupt_waits_for_the_threads(presses):
    """They read and write arrays that the caller lets go."""
    began, ended = threading.Event(), threading.Event()

    def help_with():
        began.set()
        for _ in range(presses):
            time.sleep(0.05)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        time.sleep(0.05)
        ended.set()

    with pytest.raises(KeyboardInterrupt):
        helpers.together(2, lambda: began.wait(60), help_with)
    assert ended.is_set()


def test_an_error_in_calling_for_threads_waits_for_those_that_came(monkeypatch):
    began, ended, call_for = threading.Event(), threading.Event(), helpers._call_for

    def call_once(work):
        if began.is_set():
            raise MemoryError
        return call_for(work) and began.wait(60)

    def help_with():
        began.set()
        time.sleep(0.05)
        ended.set()

    monkeypatch.setattr(helpers, "_call_for", call_once)
    with pytest.raises(MemoryError):
        helpers.together(3, lambda: None, help_with)
    assert ended.is_set()


@needs_simd
@pytest.mark.timeout(60)
def test_who_comes_late_is_not_waited_for():
    done = []
    work = helpers._Work(2, lambda: done.append(threading.get_ident()))
    work.finish(work._do)
    work.help()
    assert done == [threading.get_ident()]


@needs_simd
@pytest.mark.parametrize("least", [None, 1, 3, 8, 1000])
@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_every_turn_is_taken_once(threads, least):
    from mpc.kernels.bits_simd import MASKS, _transpose

    for count in (0, 1, 2, 7, 64, 1023):
        # Turning bits over twice gives them back; a turn left out, or taken beyond, shows.
        source = np.arange(64 * (count + 1), dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        turned, back = (np.full(len(source), 7, np.uint64) for _ in range(2))
        with kernels.use("simd", threads=threads):
            for out, of in ((turned, source), (back, turned)):
                scratch = lambda: np.empty(64, np.uint64)  # noqa: E731
                _transpose.over(count, 1.0, out, MASKS, of, scratch=scratch, least=least)
        assert np.array_equal(back[: 64 * count], source[: 64 * count])
        assert (back[64 * count :] == 7).all()


@needs_simd
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_while_threads_work():
    """The child has none of the threads, and waits for none."""
    stop = threading.Event()

    def keep_busy():
        while not stop.is_set():
            everything(33)

    with kernels.use("simd", threads=3):
        expected = everything(33)
        busy = threading.Thread(target=keep_busy)
        busy.start()
        try:
            for _ in range(5):
                if (child := os.fork()) == 0:
                    left = helpers._helpers or helpers._idle
                    os._exit(bool(left) or everything(33) != expected)
                assert os.waitpid(child, 0)[1] == 0
        finally:
            stop.set()
            busy.join()
