# SPDX-License-Identifier: Apache-2.0
"""``--profile``: the time of each stage, from the spans of ``mpc.tracing``.

A benchmark whose parties are processes of their own hands in what they heard, as records named
``NAME.stage`` with ``stage`` among their parameters. Of one that runs in this process every span is
heard here, added up by its path.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table

from mpc.tracing import Span, listening

from ..record import Record, quantity

_BAR = 30


@contextmanager
def collected(name: str, *, wanted: bool) -> Iterator[list[Record]]:
    """What the spans of the block add up to; filled in when it ends."""
    stages: list[Record] = []
    if not wanted:
        yield stages
        return
    spans: list[Span] = []
    with listening(spans.append):
        yield stages
    stages += totals(name, spans)


@contextmanager
def staged(depth: int = 1) -> Iterator[dict[str, float]]:
    """Seconds of each stage of the block, added up: of spans with less than ``depth`` around them,
    by path, without the spans within that are stages too. What helps a stage from other threads is
    in its time already."""
    here = threading.current_thread().name
    stages: dict[str, float] = defaultdict(float)

    def note(span: Span) -> None:
        if len(span.path) > depth or (len(span.path) > 1 and span.thread != here):
            return
        stages["/".join(span.path)] += span.wall
        if len(span.path) > 1:
            stages["/".join(span.path[:-1])] -= span.wall

    with listening(note):
        yield stages


def totals(name: str, spans: Sequence[Span]) -> list[Record]:
    """A record for each path and thread: seconds in all, without the spans within."""
    own: dict[tuple[str, tuple[str, ...]], float] = defaultdict(float)
    times: dict[tuple[str, tuple[str, ...]], int] = defaultdict(int)
    for span in spans:
        own[span.thread, span.path] += span.wall
        times[span.thread, span.path] += 1
        if len(span.path) > 1:
            own[span.thread, span.path[:-1]] -= span.wall
    return [
        Record(
            benchmark=f"{name}.stage",
            params={"side": thread, "stage": "/".join(path), "times": times[thread, path]},
            unit="s",
            median=max(seconds, 0.0),
            spread=0.0,
            checked=True,
        )
        for (thread, path), seconds in sorted(own.items())
        if times[thread, path]  # the span around may be of the thread that this one works for
    ]


def stacks(records: Sequence[Record]) -> dict[str, dict[str, float]]:
    """Seconds by stage, for each run that has stages: by benchmark and its other parameters."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for record in records:
        if "stage" in record.params:
            stage = str(record.params["stage"])
            whose = found[f"{record.benchmark.removesuffix('.stage')} {_others(record.params)}"]
            whose[stage] = whose.get(stage, 0.0) + record.median
    return dict(found)


def _others(params: Mapping[str, object]) -> str:
    left = {key: value for key, value in params.items() if key not in ("stage", "times")}
    return " ".join(f"{key}={value}" for key, value in left.items())


def show(records: Sequence[Record]) -> None:
    """Print each run's stages, the longest first."""
    console = Console(width=120)
    for title, stages in stacks(records).items():
        # Not as the title of the table, to the width of which it would be broken.
        console.print(title, style="italic", highlight=False, soft_wrap=True)
        table = Table(box=None, show_header=False)
        whole = sum(stages.values()) or 1.0
        for stage, seconds in sorted(stages.items(), key=lambda item: -item[1]):
            share = seconds / whole
            bar = "█" * round(_BAR * share)
            table.add_row(stage, f"{quantity(seconds)} s", f"{share:.0%}", bar)
        console.print(table)
