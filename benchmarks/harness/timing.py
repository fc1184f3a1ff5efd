# SPDX-License-Identifier: Apache-2.0
"""When to measure again, and for how long: turns until the spread is small, calibrated samples."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from ..record import middle

SPREAD = 0.02  # of the median's own error, relative
MOMENT = 0.02
Name = TypeVar("Name")
_seconds: ContextVar[float] = ContextVar("seconds", default=0.0)


@dataclass(frozen=True, slots=True)
class Work:
    """``run`` does ``count`` operations."""

    run: Callable[[], Any]
    count: float = 1


@contextmanager
def spending(seconds: float) -> Iterator[None]:
    """In the block, a measurement whose spread is wide may go on for so many seconds."""
    token = _seconds.set(seconds)
    try:
        yield
    finally:
        _seconds.reset(token)


def allowed() -> float:
    """The seconds of ``spending``, for another process that measures for this one."""
    return _seconds.get()


def turns(
    series: Mapping[Any, list[float]], *, at_least: int, measurements: int = 1
) -> Iterator[int]:
    """Count turns, in each of which the caller measures everything once into ``series``.

    At least so many, and then on until the median of every series is known to ``SPREAD`` or the
    time of ``spending`` is over. What is compared is measured turn by turn, so that other load on
    the machine meets all of it alike.
    """
    seconds = _seconds.get() * measurements
    begun, turn = time.monotonic(), 0
    while turn < at_least or (time.monotonic() - begun < seconds and not _known(series)):
        yield turn
        turn += 1


def rounds(
    measurements: Mapping[Name, Mapping[Any, list[float]]], *, at_least: int
) -> Iterator[Name]:
    """``turns`` of several measurements, each of some series: which the caller is to make next.

    Those that are known wait for the others. What slows the machine for some seconds meets a few
    turns of each, and no median; if each had all its turns in a row, it would meet all of one.
    """
    together = {
        (name, part): values for name, own in measurements.items() for part, values in own.items()
    }
    for turn in turns(together, at_least=at_least, measurements=len(measurements)):
        for name, own in measurements.items():
            if turn < at_least or not _known(own):
                yield name


def _known(series: Mapping[Any, list[float]]) -> bool:
    return all(error(values) <= SPREAD for values in series.values())


def agreed(
    series: Mapping[Any, list[float]],
    *,
    at_least: int,
    decides: bool,
    tell: Callable[[bool], bool],
) -> Iterator[int]:
    """``turns`` of processes that measure together: the ``series`` of the one that ``decides``
    count, and ``tell`` tells all others whether it goes on, and each whether any other does."""
    own = turns(series, at_least=at_least) if decides else iter(())
    turn = 0
    while tell(next(own, None) is not None):
        yield turn
        turn += 1


def error(values: list[float]) -> float:
    """The standard error of the median of ``values``, relative to it, from their quartiles.

    1.2533 sigma / sqrt(n), and sigma = IQR / 1.349, as for a normal distribution.
    """
    if len(values) < 3:
        return float("inf")
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return 0.93 * (high - low) / (len(values) ** 0.5 * abs(median)) if median else 0.0


def rate(work: Callable[[], object], count: int, repeat: int) -> tuple[float, float]:
    """``count`` over the seconds of ``work``: the median and the spread; the first run is not
    counted."""
    work()
    rates: list[float] = []
    for _ in turns({"all": rates}, at_least=repeat):
        begun = time.perf_counter()
        work()
        rates.append(count / (time.perf_counter() - begun))
    return middle(rates)


def seconds_each(work: Work, clock: Callable[[], float], moment: float = MOMENT) -> float:
    """Seconds of one operation of ``work``, over at least a ``moment``, the collector off."""
    collects = gc.isenabled()
    gc.disable()
    try:
        rounds, elapsed, begun = 0, 0.0, clock()
        while not rounds or elapsed < moment:
            work.run()
            rounds += 1
            elapsed = clock() - begun
    finally:
        if collects:
            gc.enable()
    return elapsed / (rounds * work.count)
