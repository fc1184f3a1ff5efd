# SPDX-License-Identifier: Apache-2.0
"""How cost grows: slopes on a doubly logarithmic scale, over records that differ in one size.

A slope of 1 is cost in proportion to the size, 2 its square; of a cost per item, 0 is proportion.
Rates are turned into costs first. A benchmark says in ``GROWS_WITH`` which parameters are sizes,
and which others go along with each.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..record import Record, shown_size

LEAST = 3  # sizes, for a slope to say anything


@dataclass(frozen=True, slots=True)
class Curve:
    """One figure over sizes: its medians, and the slope of what it costs, with its error."""

    benchmark: str
    params: Mapping[str, object]
    size: str
    unit: str
    sizes: tuple[float, ...]
    medians: tuple[float, ...]
    slope: float
    error: float

    def record(self) -> Record:
        """The slope among the records of the run."""
        first, last = (shown_size(int(self.sizes[place])) for place in (0, -1))
        over = f"{self.size} {first}..{last}"
        return Record(
            benchmark=f"{self.benchmark}.slope",
            params={**self.params, "over": over},
            unit="exponent",
            median=self.slope,
            spread=self.error,
            checked=True,
        )


def curves(records: Sequence[Record], grows_with: Sequence[Sequence[str]]) -> list[Curve]:
    """The curves among ``records`` of one benchmark, of ``LEAST`` sizes or more."""
    return [curve for names in grows_with for curve in _curves(records, names)]


def _curves(records: Sequence[Record], grows_with: Sequence[str]) -> list[Curve]:
    size = grows_with[0]
    groups: dict[tuple[object, ...], dict[float, Record]] = defaultdict(dict)
    for record in records:
        if isinstance(record.params.get(size), int) and record.unit != "exponent":
            left = {name: v for name, v in record.params.items() if name not in grows_with}
            uneven = [n for n in grows_with if isinstance(record.params[n], int)]
            if len({record.params[n] for n in uneven}) > 1:
                continue  # of several sizes, only the cases in which all grow together
            key = (record.benchmark, record.unit, tuple(left.items()))
            groups[key][float(str(record.params[size]))] = record
    return [_curve(size, group) for group in groups.values() if len(group) >= LEAST]


def _curve(size: str, group: Mapping[float, Record]) -> Curve:
    sizes = sorted(group)
    medians = [group[n].median for n in sizes]
    first = group[sizes[0]]
    sign = -1 if first.unit.endswith("/s") else 1
    slope, error = fitted(sizes, [sign * math.log(max(m, 1e-12)) for m in medians])
    same = {
        name: value
        for name, value in first.params.items()
        if all(record.params.get(name) == value for record in group.values())
    }
    return Curve(
        first.benchmark, same, size, first.unit, tuple(sizes), tuple(medians), slope, error
    )


def fitted(sizes: Sequence[float], logs: Sequence[float]) -> tuple[float, float]:
    """The slope of ``logs`` over the logarithms of ``sizes`` by least squares, and its error."""
    x, y = np.log(np.asarray(sizes, float)), np.asarray(logs, float)
    x = x - x.mean()
    slope = float((x * (y - y.mean())).sum() / (x * x).sum())
    rest = y - y.mean() - slope * x
    freedom = max(1, len(sizes) - 2)
    return slope, float(((rest**2).sum() / freedom / (x * x).sum()) ** 0.5)
