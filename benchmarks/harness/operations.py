# SPDX-License-Identifier: Apache-2.0
"""Operations on each number of cores, beside a floor and peers, which run on one core always."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mpc import kernels

from ..record import Record, middle
from . import machine
from .cores import MOMENT, Scaling
from .timing import Work, rounds, seconds_each


@dataclass(frozen=True)
class Operation:
    """One line of a report: ours, whether its result is right, and what stands beside it."""

    name: str
    ours: Work
    right: Callable[[Any], bool]
    floor: Work
    floor_name: str = "gmp.powmod"
    peers: Mapping[str, Work] = field(default_factory=dict)
    params: Mapping[str, object] = field(default_factory=dict)


def measured(operations: Sequence[Operation], *, repeat: int) -> list[Record]:
    """Each so often or more, in ``rounds``: what else the machine does falls on all alike."""
    cores = machine.core_counts()
    lines = [_Line.of(operation, cores) for operation in operations]
    series = {place: line.series() for place, line in enumerate(lines)}
    for place in rounds(series, at_least=repeat):
        lines[place].measure()
    return [record for line in lines for record in line.records()]


@dataclass(frozen=True)
class _Line:
    """What was measured of an operation; ``checked`` says if it is right on so many cores.

    ``theirs`` are operations a second of the floor, without a name, and of the peers.
    """

    operation: Operation
    checked: Mapping[int, bool]
    ours: Scaling
    works: Mapping[str, Work]
    theirs: Mapping[str, list[float]]

    @classmethod
    def of(cls, operation: Operation, cores: list[int]) -> _Line:
        works = {"": operation.floor, **operation.peers}
        for work in works.values():
            work.run()
        checked = {}
        for count in cores:
            with kernels.use(threads=count):
                checked[count] = bool(operation.right(operation.ours.run()))
        return cls(operation, checked, Scaling(cores), works, {name: [] for name in works})

    def series(self) -> dict[Any, list[float]]:
        return {**self.ours.series(), **self.theirs}

    def measure(self) -> None:
        self.ours.measure(self.operation.ours)
        for name, work in self.works.items():
            self.theirs[name].append(1 / seconds_each(work, time.perf_counter, MOMENT))

    def records(self) -> Iterator[Record]:
        for count, right in self.checked.items():
            median, spread = middle(self.ours.rates[count])
            ratios = {name: median / middle(rates)[0] for name, rates in self.theirs.items()}
            yield Record(
                benchmark=self.operation.name,
                params={**self.operation.params, "cores": count, "kernels": kernels.backend()},
                unit="op/s",
                median=median,
                spread=spread,
                floor=(self.operation.floor_name, ratios.pop("")),
                peers=ratios | self.ours.beside_one(count) or None,
                quiet=self.ours.quiet(count),
                checked=right,
            )
