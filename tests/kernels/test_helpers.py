# SPDX-License-Identifier: Apache-2.0
"""Threads that help with a loop: called, late, refused, interrupted, left behind by a fork."""

from __future__ import annotations

import _thread
import os
import random
import signal
import threading
import time
from contextlib import suppress

import numpy as np
import pytest

from mpc import kernels
from mpc.kernels import helpers, team
from tests.kernels.batches import all_are_idle, everything, needs_simd, settle

pytestmark = [needs_simd, pytest.mark.usefixtures("cut_all")]


def none_left(_run, _args):
    raise RuntimeError("can't start new thread")


@pytest.mark.parametrize("start", [none_left, lambda *_: 0], ids=["refused", "never run"])
def test_work_that_no_thread_takes_is_done_by_the_caller(monkeypatch, no_helpers, start):
    with kernels.use("simd", threads=1):
        expected = everything(67)
    monkeypatch.setattr(_thread, "start_new_thread", start)
    with kernels.use("simd", threads=4):
        assert everything(67) == expected
    assert len(helpers._helpers) <= helpers.MOST
    helpers._helpers.clear()  # none of these ever comes
    helpers._idle.clear()


def all_are_asleep():
    return all(helper._box[0] == team.ASLEEP for helper in helpers._idle)


def test_helpers_are_kept_and_leave_in_the_end(monkeypatch, no_helpers):
    from tests.kernels.turns import meet

    monkeypatch.setattr(helpers, "LINGER", 1.0)
    met = np.zeros(1, np.int64)
    with kernels.use("simd", threads=3):
        meet.over(3, 1.0, met, 3)
        first = set(helpers._idle)
        for turn in range(2, 6):
            if turn % 2:
                settle(all_are_asleep)
            meet.over(3, 1.0, met, 3 * turn)
            assert met[0] == 3 * turn
            assert set(helpers._idle) == helpers._helpers == first
        settle(lambda: not helpers._helpers)
        settle(lambda: not helpers._idle)
        assert [helper._box[0] for helper in first] == [team.GONE] * 2
        meet.over(3, 1.0, met, 18)
        assert not first & helpers._helpers


def test_a_helper_that_is_called_as_it_leaves_comes_or_is_gone(monkeypatch, no_helpers):
    from mpc.kernels import compiled
    from tests.kernels.turns import parts

    monkeypatch.setattr(helpers, "LINGER", 0.0003)
    monkeypatch.setattr(compiled, "PATIENCE", 0)
    rng, done = random.Random(6), np.zeros(8, np.int64)
    with kernels.use("simd", threads=2):
        for turn in range(1, 1001):
            parts.over(len(done), 1.0, done, least=1)
            assert done.sum() == turn * len(done)
            time.sleep(rng.uniform(0, 0.0006))
    settle(lambda: not helpers._helpers)
    settle(lambda: not helpers._idle)


def test_a_helper_that_has_left_is_not_called_again(no_helpers):
    """It leaves while somebody has called it."""
    left = threading.Event()
    called = []
    helpers.call(called, 1, lambda _: left.wait(60))
    assert called
    assert not helpers._idle
    left.set()
    settle(lambda: not helpers._helpers)
    helpers.dismiss(called)
    assert not helpers._idle


class Interrupted(Exception):
    pass


@pytest.mark.timeout(120)
def test_no_interrupt_leaves_a_helper_behind(monkeypatch, no_helpers):
    """An exception of a signal comes between any two steps of a call."""
    from mpc.kernels import compiled
    from tests.kernels.turns import parts

    monkeypatch.setattr(helpers, "LINGER", 0.02)
    monkeypatch.setattr(compiled, "PATIENCE", 1000)
    rng, done = random.Random(5), np.zeros(8, np.int64)

    def interrupt(_number, _frame):
        raise Interrupted

    with kernels.use("simd", threads=2):
        parts.over(len(done), 1.0, done, least=1)
        before = signal.signal(signal.SIGALRM, interrupt)
        try:
            for _ in range(3000):
                with suppress(Interrupted):
                    signal.setitimer(signal.ITIMER_REAL, rng.uniform(2e-5, 12e-5))
                    while True:
                        parts.over(len(done), 1.0, done, least=1)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
    settle(lambda: not helpers._helpers)
    settle(lambda: not helpers._idle)


class Unloaded:
    """What numba has compiled or not: it has not until it is called, and it says by whom."""

    def __init__(self, loaded):
        self.loaded, self.overloads, self.by = loaded, {}, []

    def __call__(self, *args):
        self.by.append(threading.get_ident())
        self.overloads = self.loaded.overloads
        self.loaded(*args)


def test_what_helpers_do_is_loaded_by_the_caller(monkeypatch, no_helpers):
    """The child of a fork would wait for the lock of the helper that loads it."""
    from mpc.kernels import compiled

    monkeypatch.setattr(helpers, "LINGER", 0)
    with kernels.use("simd", threads=4):
        expected = everything(9)
        settle(lambda: not helpers._helpers)
        serve = Unloaded(compiled._serve)
        types = len(serve.loaded.overloads)
        monkeypatch.setattr(compiled, "_serve", serve)
        assert everything(9) == expected
    assert serve.by.count(threading.get_ident()) == 1
    assert serve.by[0] == threading.get_ident()
    assert len(serve.overloads) == types == 1


def test_a_thread_that_fails_is_not_called_again(no_helpers, monkeypatch):
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    monkeypatch.setattr("sys.unraisablehook", lambda _: None)

    def fails(_box):
        raise MemoryError

    called = []
    helpers.call(called, 1, fails)
    settle(lambda: not helpers._helpers)
    helpers.dismiss(called)
    assert not helpers._idle


def test_a_thread_that_is_refused_does_not_count(monkeypatch, no_helpers):
    monkeypatch.setattr(_thread, "start_new_thread", none_left)
    called = []
    helpers.call(called, 3, lambda _: None)
    assert not called
    assert not helpers._helpers


def test_helpers_are_bounded(monkeypatch, no_helpers):
    monkeypatch.setattr(helpers, "MOST", 3)
    called, end = [], threading.Event()
    helpers.call(called, 50, lambda _: end.wait(60))
    assert len(called) == len(helpers._helpers) == 3
    end.set()
    helpers.dismiss(called)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_helpers_are_dismissed_when_a_call_fails(monkeypatch, no_helpers, error):
    from mpc.kernels import compiled

    caller, run = threading.get_ident(), compiled._run

    def fails(*args):
        if threading.get_ident() == caller:
            raise error
        run(*args)

    monkeypatch.setattr(helpers, "LINGER", 1.0)
    with kernels.use("simd", threads=4):
        expected = everything(9)
        settle(all_are_idle)
        before = set(helpers._idle)
        with monkeypatch.context() as patch:
            patch.setattr(compiled, "_run", fails)
            with pytest.raises(error):
                everything(9)
        assert before <= set(helpers._idle)
        assert all(helper._box[0] in {team.FREE, team.ASLEEP} for helper in before)
        assert everything(9) == expected


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
                _transpose.over(count, 1.0, out, MASKS, of, scratch=64, least=least)
        assert np.array_equal(back[: 64 * count], source[: 64 * count])
        assert (back[64 * count :] == 7).all()


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("least", [None, 1, 3])
def test_parts_become_smaller(threads, least):
    from mpc.kernels.compiled import TURNS
    from tests.kernels.turns import parts

    for count in (0, 1, 7, 128, 1023, 100_000):
        sizes = np.zeros(count, np.int64)
        with kernels.use("simd", threads=threads):
            parts.over(count, 1.0, sizes, least=least)
        found = sizes[sizes > 0]
        # Each begins where the one before ended.
        assert np.array_equal(np.flatnonzero(sizes), found.cumsum() - found)
        assert found.sum() == count
        assert (np.diff(found) <= 0).all()
        share = -(-count // min(threads, count or 1))
        if least is None or threads == 1:
            assert (found[:-1] == share).all()
        elif count >= 128:
            half = count / threads / 2
            assert half - found[-2] < found[0] <= half
            assert least <= found[-2] < 2 * max(least, share / TURNS)
            assert len(found) <= threads * TURNS


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


@pytest.mark.parametrize("presses", [1, 3])
def test_an_interrupt_waits_for_the_threads(presses):
    """They read and write arrays that the caller lets go."""
    from tests.kernels.turns import slow

    out, begun = np.zeros(64, np.int64), threading.Event()

    def press():
        begun.wait(60)
        for _ in range(presses):
            time.sleep(0.03)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    with kernels.use("simd", threads=2):
        slow.over(2, 1.0, np.zeros(2, np.int64), 1000, least=1)
        other = threading.Thread(target=press)
        other.start()
        begun.set()
        with pytest.raises(KeyboardInterrupt):
            slow.over(len(out), 1.0, out, 3_000_000, least=1)
    other.join()
    assert (out == 3_000_000).all()
    settle(all_are_idle)
