# SPDX-License-Identifier: Apache-2.0
"""How a peer's process answers: figures are asked for on its input, and come on its output.

These scripts run in environments of their own, where nothing of this library is installed: only the
standard library and the peer. Each is started as ``python with_PEER.py``.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Measured = tuple[str, float, float, bool]  # unit, median, spread, and whether the result was right
Handler = Callable[[Mapping[str, Any]], "Measured | None"]
REPEAT, SECONDS = 3, 1.0


def answer(handlers: Mapping[str, Handler]) -> None:
    """Measure each figure asked for that there is a handler of, once for the same parameters."""
    asked = json.load(sys.stdin)
    # What a library prints would be taken for the answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    with answers:
        answers.write("\n")
        json.dump(list(_answered(asked, handlers)), answers)


def _answered(
    asked: list[Mapping[str, Any]], handlers: Mapping[str, Handler]
) -> Iterator[dict[str, Any]]:
    for question in asked:
        handler = handlers.get(question["benchmark"])
        measured = handler(question["params"]) if handler else None
        if measured is not None:
            unit, median, spread, checked = measured
            found = {"unit": unit, "median": median, "spread": spread, "checked": checked}
            yield {**question, **found}


def rate(work: Callable[[], object], count: int, right: bool) -> Measured:
    """Operations in a second of ``work``, which does ``count``."""
    seconds = timed(work)
    return "op/s", *middle([count / second for second in seconds]), right


def timed(work: Callable[[], object]) -> list[float]:
    """Seconds of each run, at least ``REPEAT`` of them and as many as fit into ``SECONDS``."""
    work()
    seconds: list[float] = []
    while len(seconds) < REPEAT or sum(seconds) < SECONDS:
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return seconds


def middle(values: list[float]) -> tuple[float, float]:
    """The median, and the distance between the quartiles."""
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return median, high - low


def identifiers(side: str, x: int, y: int) -> list[str]:
    """The ids of a side, as the benchmark of intersections makes them: a tenth are common."""
    count, start = (x, 0) if side == "receiver" else (y, 1 << 40)
    common = min(x, y) // 10
    numbers = [i if i < common else start + i for i in range(count)]
    return [f"91{number:016d}" for number in numbers]
