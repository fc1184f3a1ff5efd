# SPDX-License-Identifier: Apache-2.0
"""How much faster more cores are than one, from turns during which nothing else ran.

One core that something else takes away is half of two, and a measurement on one core does not see
it. So both are measured in one turn, and the turn counts if the cores were busy for about as long
as this process had CPU time.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mpc import kernels

from .timing import Work, seconds_each

TURN = 0.25
"""Seconds that a turn takes at least: Linux counts busy time in hundredths of one."""

OTHERS = 0.04
"""The part of the time of the cores in use that others may take in a turn that counts."""

MOMENT = 0.03
_STAT = Path("/proc/stat")
_IDLE = 3, 4  # among the fields of a processor there: idle, and idle until a disk has answered
_FIELDS = 8  # guests are counted among the users too


@dataclass(frozen=True, slots=True)
class Moment:
    """Seconds since some time: of the clock, that this process computed, and that its cores were
    busy, for this process or another or another machine; None where that is not told."""

    clock: float
    own: float
    busy: float | None


def now() -> Moment:
    """What the clocks say."""
    return Moment(time.perf_counter(), time.process_time(), _busy())


def _busy() -> float | None:
    try:
        lines = _STAT.read_text().splitlines()
    except OSError:
        return None
    ours = {f"cpu{core}" for core in os.sched_getaffinity(0)}
    ticks = 0
    for name, *fields in (line.split() for line in lines if line.startswith("cpu")):
        if name in ours:
            ticks += sum(int(f) for i, f in enumerate(fields[:_FIELDS]) if i not in _IDLE)
    return ticks / os.sysconf("SC_CLK_TCK")


def others(begun: Moment, ended: Moment, cores: int) -> float:
    """The part of the time of so many cores that others took, as far as that is told."""
    if begun.busy is None or ended.busy is None:
        return 0.0
    taken = (ended.busy - begun.busy) - (ended.own - begun.own)
    return max(0.0, taken) / (cores * (ended.clock - begun.clock))


@dataclass(slots=True)
class Scaling:
    """One piece of work on each number of ``cores``, of which the first is 1.

    ``rates`` are operations a second, of every turn. ``speedups`` are how much faster more cores
    were than one, of the turns that were quiet.
    """

    cores: Sequence[int]
    clocks: Callable[[], Moment] = now
    turns: int = 0
    rates: dict[int, list[float]] = field(init=False)
    speedups: dict[int, list[float]] = field(init=False)

    def __post_init__(self) -> None:
        self.rates = {count: [] for count in self.cores}
        self.speedups = {count: [] for count in self.cores if count > 1}

    def measure(self, work: Work) -> None:
        """A turn: each number of cores for a moment, again and again while the turn lasts."""
        seconds: dict[int, list[float]] = {count: [] for count in self.cores}
        begun = ended = self.clocks()
        while ended.clock == begun.clock or (self.speedups and ended.clock - begun.clock < TURN):
            for count in self.cores:
                with kernels.use(threads=count):
                    seconds[count].append(seconds_each(work, time.perf_counter, MOMENT))
            ended = self.clocks()
        self.turns += 1
        for count in self.cores:
            self.rates[count].append(1 / statistics.mean(seconds[count]))
        if others(begun, ended, max(self.cores)) <= OTHERS:
            for count, speedups in self.speedups.items():
                pairs = zip(seconds[1], seconds[count], strict=True)
                speedups.append(statistics.median(one / many for one, many in pairs))

    def series(self) -> dict[Any, list[float]]:
        """What ``timing.turns`` is to know of."""
        speedups = {("speedup", count): found for count, found in self.speedups.items()}
        return {**self.rates, **speedups}

    def quiet(self, count: int) -> tuple[int, int] | None:
        """How many turns of all were quiet; None of one core, which is compared with nothing."""
        return (len(self.speedups[count]), self.turns) if count > 1 else None

    def beside_one(self, count: int) -> dict[str, float]:
        """The peer "one core" of so many: nothing of it, if no turn was quiet."""
        speedups = self.speedups.get(count)
        return {"one core": statistics.median(speedups)} if speedups else {}
