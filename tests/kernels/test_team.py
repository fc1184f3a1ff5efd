# SPDX-License-Identifier: Apache-2.0
"""Loops that threads share in compiled code: who is waited for, who is not, and what fails."""

from __future__ import annotations

import random
import threading
import time

import numpy as np
import pytest

from mpc import kernels
from mpc.kernels import helpers, team
from tests.kernels.batches import needs_simd, settle

pytestmark = [needs_simd, pytest.mark.timeout(120), pytest.mark.usefixtures("cut_all")]


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_as_many_threads_as_asked_for_take_part(monkeypatch, no_helpers, threads):
    from tests.kernels.turns import meet

    monkeypatch.setattr(helpers, "LINGER", 1.0)
    with kernels.use("simd", threads=threads):
        for _ in range(20):
            met = np.zeros(1, np.int64)
            meet.over(threads, 1.0, met, threads)
            assert met[0] == threads


def test_work_that_is_taken_back_as_a_helper_takes_it_is_done_once():
    """Loops shorter than a word takes from one core to another: each ends some way, many times."""
    from tests.kernels.turns import parts

    done = np.zeros(3, np.int64)
    with kernels.use("simd", threads=2):
        for turn in range(1, 30_001):
            parts.over(len(done), 1.0, done, least=1)
            assert done.sum() == turn * len(done)


def test_a_helper_that_sleeps_is_woken_without_the_interpreter(monkeypatch, no_helpers):
    """A call that comes at whatever moment of its falling asleep: the caller waits for it here."""
    from mpc.kernels import compiled
    from tests.kernels.turns import meet

    served, serve = [], compiled.serve
    monkeypatch.setattr(compiled, "serve", lambda box: served.append(0) or serve(box))
    monkeypatch.setattr(compiled, "PATIENCE", 0)
    monkeypatch.setattr(helpers, "LINGER", 1.0)
    rng, met, asleep = random.Random(3), np.zeros(1, np.int64), 0
    with kernels.use("simd", threads=2):
        for _ in range(5000):
            meet.over(2, 1.0, met, 2)
            assert met[0] == 2
            met[0], until = 0, time.perf_counter() + rng.uniform(0, 6e-5)
            while time.perf_counter() < until:
                pass
            asleep += helpers._idle[0]._box[0] == team.ASLEEP
    assert asleep > 50
    assert len(served) == 1


class Shared:
    """Work that lasts until ``flag``, shared with a helper that the test plays."""

    def __init__(self, box=None):
        from tests.kernels.turns import share_until

        self.flag, self.box = np.array([0, 7]), np.array([team.FREE]) if box is None else box
        share_until(team.sharing([]), np.ones(2, np.int64))  # compiled before it is waited for
        shared = team.sharing([self.box.ctypes.data])
        self.caller = threading.Thread(target=lambda: share_until(shared, self.flag))
        self.caller.start()

    def end(self):
        self.flag[0] = 1
        self.caller.join(60)
        assert self.flag[1] == 0


def test_who_comes_late_is_not_waited_for():
    shared = Shared()
    settle(lambda: shared.box[0] > team.GONE)
    assert shared.caller.is_alive()
    shared.end()
    assert shared.box[0] == team.FREE


@pytest.mark.parametrize("first", ["caller", "helper"])
def test_who_has_taken_the_work_is_waited_for(first):
    """It reads and writes what the caller lets go."""
    shared = Shared()
    settle(lambda: shared.box[0] > team.GONE)
    shared.box[0] = team.TAKEN
    if first == "helper":
        shared.box[0] = team.FREE
        assert shared.caller.is_alive()
    shared.flag[0] = 1
    if first == "caller":
        shared.caller.join(0.1)
        assert shared.caller.is_alive()
        shared.box[0] = team.FREE
    shared.end()
    assert shared.box[0] == team.FREE


@pytest.mark.parametrize("held", [team.FREE, team.ASLEEP, team.GONE])
def test_nobody_waits_for_who_does_not_come(held):
    from tests.kernels.turns import share_until

    box = np.array([held])
    share_until(team.sharing([box.ctypes.data]), np.ones(2, np.int64))
    assert box[0] == (team.GONE if held == team.GONE else team.FREE)


@pytest.mark.parametrize("patience", [0, 1 << 30], ids=["asleep", "awake"])
def test_a_helper_does_all_that_is_offered_and_then_leaves(monkeypatch, patience):
    from mpc.kernels import compiled

    monkeypatch.setattr(helpers, "LINGER", 1.0)
    monkeypatch.setattr(compiled, "PATIENCE", patience)
    box, ended = np.array([team.FREE]), threading.Event()
    helper = threading.Thread(target=lambda: (compiled.serve(box), ended.set()), daemon=True)
    helper.start()
    for _ in range(3):
        settle(lambda: box[0] == team.ASLEEP or (patience and box[0] == team.FREE))
        shared = Shared(box)
        settle(lambda: box[0] == team.TAKEN)
        shared.end()
        assert not ended.is_set()
    helper.join(60)
    assert ended.is_set()
    assert box[0] == team.GONE


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_in_a_kernel_is_raised(threads):
    from tests.kernels.turns import fail

    with kernels.use("simd", threads=threads):
        for failing in (0, 3, 7):
            with pytest.raises(RuntimeError, match="a kernel raised an error"):
                fail.over(8, 1.0, failing, scratch=1, least=1)
        fail.over(8, 1.0, 8, scratch=1, least=1)
