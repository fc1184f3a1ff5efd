# SPDX-License-Identifier: Apache-2.0
"""Speed on more cores counts in the turns during which the cores did nothing for anybody else."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.harness import cores
from benchmarks.harness.cores import Moment, Scaling
from benchmarks.harness.timing import Work
from mpc import kernels


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The threads of each sample: on two, work of a tenth of a second takes half of that."""
    used: list[int] = []

    def seconds_each(work: Work, clock: Callable[[], float], moment: float) -> float:
        assert clock is time.perf_counter
        assert moment == cores.MOMENT
        used.append(kernels.threads())
        work.run()
        return 0.1 / kernels.threads()

    monkeypatch.setattr(cores, "seconds_each", seconds_each)
    with kernels.use(threads=2):
        yield used


def clocks(turns: list[tuple[float, float | None]], step: float = cores.TURN) -> Iterator[Moment]:
    """Before and after each turn, in which this process and others compute for so long."""
    at = Moment(5.0, 2.0, 7.0)
    for own, others in turns:
        yield at
        busy = None if at.busy is None or others is None else at.busy + own + others
        at = Moment(at.clock + step, at.own + own, busy)
        yield at


def test_only_quiet_turns_count(slept: list[int]) -> None:
    limit = cores.OTHERS * 2 * cores.TURN
    told = clocks([(0.3, 0.9 * limit), (0.3, 1.1 * limit), (0.3, -0.01), (0.3, 0.4)])
    scaling = Scaling([1, 2], lambda: next(told))
    for _ in range(4):
        scaling.measure(Work(lambda: None))
    assert slept == 4 * [1, 2]
    assert scaling.rates == {1: 4 * [10.0], 2: 4 * [20.0]}
    assert scaling.series()["speedup", 2] == [2.0, 2.0]
    assert scaling.quiet(2) == (2, 4)
    assert scaling.quiet(1) is None
    assert scaling.beside_one(2) == {"one core": 2.0}
    assert scaling.beside_one(1) == {}


def test_there_is_no_ratio_where_no_turn_was_quiet(slept: list[int]) -> None:
    told = clocks([(0.1, 0.3), (0.1, 0.3)])
    scaling = Scaling([1, 2], lambda: next(told))
    for _ in range(2):
        scaling.measure(Work(lambda: None))
    assert (scaling.quiet(2), scaling.beside_one(2)) == ((0, 2), {})
    assert len(scaling.rates[2]) == 2


def test_every_turn_counts_where_nobody_tells_how_busy_the_cores_are(
    slept: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cores, "_STAT", tmp_path / "none")
    assert cores.now().busy is None
    told = clocks([(0.1, None)])
    scaling = Scaling([1, 2], lambda: next(told))
    scaling.measure(Work(lambda: None))
    assert scaling.quiet(2) == (1, 1)


def test_a_turn_goes_from_one_core_to_two_until_it_is_long_enough(slept: list[int]) -> None:
    times = iter([0.0, 0.4 * cores.TURN, 0.8 * cores.TURN, 1.2 * cores.TURN])
    scaling = Scaling([1, 2], lambda: Moment(next(times), 0.0, 0.0))
    scaling.measure(Work(lambda: None))
    assert slept == 3 * [1, 2]
    assert scaling.rates == {1: [pytest.approx(10.0)], 2: [pytest.approx(20.0)]}
    slept.clear()
    times = iter([0.0, 0.01])
    alone = Scaling([1], lambda: Moment(next(times), 0.0, 0.0))
    alone.measure(Work(lambda: None))
    assert slept == [1]


def test_busy_time_is_that_of_the_cores_this_process_may_use(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stat = tmp_path / "stat"
    stat.write_text(
        "cpu  9999 9999 9999 9999 9999 9999 9999 9999 9999 0\n"
        "cpu0 1 2 3 1000 2000 4 5 6 70 80\n"
        "cpu1 100 0 0 5 6 0 0 0 0 0\n"
        "cpu10 7777 0 0 0 0 0 0 0 0 0\n"
        "intr 123 4 5\n"
    )
    monkeypatch.setattr(cores, "_STAT", stat)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    assert cores.now().busy == pytest.approx(121 / os.sysconf("SC_CLK_TCK"))


def test_a_process_that_computes_is_told_from_others() -> None:
    begun = cores.now()
    while time.perf_counter() < begun.clock + 0.2:
        pass
    ended = cores.now()
    assert ended.own > begun.own
    if begun.busy is not None and ended.busy is not None:
        # The clock of the cores goes in hundredths of a second.
        assert ended.busy - begun.busy > ended.own - begun.own - 0.05
    alone = Moment(begun.clock, ended.own, begun.busy)
    assert cores.others(alone, ended, 1) >= cores.others(begun, ended, 1)
