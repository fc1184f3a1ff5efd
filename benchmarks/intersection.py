# SPDX-License-Identifier: Apache-2.0
"""Intersections of small sets: where `psi` overtakes `psi_dh`, between two processes over TLS.

Both protocols on the same ids, a tenth of them common, and every result compared with the right
one. ``intersection.cpu`` is the CPU time of both sides together, which other load on the machine
disturbs least, and ``intersection.wall`` the receiver's time. ``intersection.crossover`` is the
number of items, of both sides together, at which the two cost the same CPU time, on the kernels at
hand; its floor is the number up to which ``apps.intersection`` takes `psi_dh` on these kernels.
"""

from __future__ import annotations

import argparse
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from mpc import kernels
from mpc.apps import intersection
from mpc.net.channel import Channel
from mpc.protocols import psi, psi_dh

from ._options import several, whole
from ._sides import Sample, measured
from .psi import Case
from .record import Record, middle

QUICK = "--items 100,400 --repeat 3"
SWEEP = "--items 50,100,200,400,800,1600 --repeat 5"
GROWS_WITH = (("items",),)

_SIDES = ("receiver", "sender")
_PROTOCOLS = {"psi": psi, "psi_dh": psi_dh}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Sizes and repetitions."""
    parser.add_argument(
        "--items", type=several, default="100,200,300,400,800,1600", help="of each side"
    )
    parser.add_argument("--repeat", type=whole, default=7)


def run(options: argparse.Namespace) -> list[Record]:
    """Measure both protocols at every size, and find where they meet."""
    sizes = sorted(options.items)
    cases = [Case(size, size, name) for size in sizes for name in _PROTOCOLS]
    both = measured(_SIDES, _role, cases, options.repeat)
    runs = {case: [both[side][at] for side in _SIDES] for at, case in enumerate(cases)}
    records: list[Record] = []
    costs: dict[int, dict[str, float]] = {size: {} for size in sizes}
    for case, (receiver, sender) in runs.items():
        cpu = middle([one.cpu + other.cpu for one, other in zip(receiver, sender, strict=True)])
        costs[case.receiver][case.security] = cpu[0]
        right = all(sample.output for sample in (*receiver, *sender))
        for name, times in (("cpu", cpu), ("wall", middle([sample.wall for sample in receiver]))):
            records.append(_record(f"intersection.{name}", case, times, receiver[0], right))
    return [*records, *_meeting(costs, all(record.checked for record in records))]


def _record(
    benchmark: str, case: Case, times: tuple[float, float], sample: Sample, right: bool
) -> Record:
    return Record(
        benchmark=benchmark,
        params={"items": case.receiver, "protocol": case.security, **_kernels()},
        unit="s",
        median=times[0],
        spread=times[1],
        bytes=sample.bytes,
        rounds=sample.rounds,
        checked=right,
    )


def _kernels() -> dict[str, Any]:
    simd = kernels.backend() == "simd"
    return {"kernels": kernels.backend(), **({"wide": kernels.wide()} if simd else {})}


def _meeting(costs: dict[int, dict[str, float]], right: bool) -> list[Record]:
    """Where psi_dh becomes the dearer one, on the line between two sizes; none if it does not."""
    dearer = {size: cost["psi_dh"] - cost["psi"] for size, cost in costs.items()}
    for (size, below), (larger, above) in pairwise(dearer.items()):
        if below <= 0 < above:
            found = 2 * (size - below * (larger - size) / (above - below))
            return [
                Record(
                    benchmark="intersection.crossover",
                    params=_kernels(),
                    unit="items",
                    median=found,
                    spread=0.0,
                    floor=("chosen", found / intersection.small()),
                    checked=right,
                )
            ]
    return []


@lru_cache(maxsize=1)
def _items(case: Case, side: str) -> pa.Array:
    return case.items(side)


def _role(channel: Channel, case: Case, side: str) -> bool:
    """Whether what a side gets is right: the common items at the receiver."""
    found = getattr(_PROTOCOLS[case.security], side)(channel, _items(case, side))
    return side == "sender" or np.array_equal(found, np.arange(case.common))
