# SPDX-License-Identifier: Apache-2.0
"""What a benchmark returns, how it is shown, and how it is written for machines."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One measurement.

    ``median`` is in ``unit``, over the repetitions; ``spread`` is the distance between their first
    and third quartile, in the same unit. ``floor`` names what bounds it from below or above (raw
    TCP, GMP's own multiplication) and ``peers`` what does the same: other software, or our own on
    one core; both hold this median divided by theirs, measured in the same run. ``bytes`` is what
    was sent, both ways; ``rounds`` are the messages of the longest chain each of which waited for
    the one before, so an exchange is one and a question with its answer is two. ``peak_rss_mb`` is
    what the benchmark says a party took, or else the peak of the process that measured. ``quiet``
    is in how many turns, of all, nothing else ran: the ratio to one core is of these, and is left
    out where there was none. ``checked`` says that the result was compared with the right answer.
    """

    benchmark: str
    params: Mapping[str, object] = field(default_factory=dict)
    unit: str
    median: float
    spread: float
    bytes: int | None = None
    rounds: int | None = None
    peak_rss_mb: float | None = None
    floor: tuple[str, float] | None = None
    peers: Mapping[str, float] | None = None
    quiet: tuple[int, int] | None = None
    checked: bool

    def as_json(self) -> dict[str, object]:
        """The record's keys, those that do not apply left out."""
        fields: dict[str, object] = {
            "benchmark": self.benchmark,
            "params": dict(self.params),
            "unit": self.unit,
            "median": self.median,
            "spread": self.spread,
            "bytes": self.bytes,
            "rounds": self.rounds,
            "peak_rss_mb": self.peak_rss_mb,
            "floor": self.floor and {"name": self.floor[0], "ratio": self.floor[1]},
            "peers": self.peers and dict(self.peers),
            "quiet": self.quiet and {"turns": self.quiet[0], "of": self.quiet[1]},
            "checked": self.checked,
        }
        return {key: value for key, value in fields.items() if value is not None}

    @property
    def quiet_turns(self) -> str:
        """``quiet`` in words."""
        return "" if self.quiet is None else f"{self.quiet[0] or 'none'} of {self.quiet[1]}"


def middle(values: Sequence[float]) -> tuple[float, float]:
    """The median of ``values``, and the distance between the quartiles."""
    if len(values) < 2:
        return values[0], 0.0
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return median, high - low


def faster(unit: str, ratio: float) -> float:
    """How many times as fast ours is, from ours over theirs in ``unit``."""
    return ratio if unit.endswith("/s") else 1 / ratio


def show(records: Sequence[Record]) -> None:
    """Print a table for each benchmark, without the columns that none of its records has.

    On a terminal that is too narrow for it, each record is a paragraph instead.
    """
    # A log or a pipe has no width of its own.
    console = Console() if sys.stdout.isatty() else Console(width=200)
    subjects: dict[str, list[Record]] = {}
    for record in records:
        subjects.setdefault(record.benchmark.partition(".")[0], []).append(record)
    for subject, own in subjects.items():
        rows = [_row(record) for record in own]
        table = Table(title=subject, title_justify="left")
        for name in rows[0]:
            if any(row[name] for row in rows):
                table.add_column(name, justify="left" if name in _TEXTS else "right")
        for row in rows:
            table.add_row(*(row[str(column.header)] for column in table.columns))
        wide = console.measure(table, options=console.options.update(max_width=10_000)).minimum
        if wide <= console.width:
            console.print(table)
            continue
        for row in rows:
            console.print(Text(f"{row.pop('benchmark')}  {row.pop('parameters')}".strip()))
            console.print(Padding(Text(_said(row)), (0, 0, 0, 2)))


def _said(row: dict[str, str]) -> str:
    """What ``_row`` gives, in a line."""
    figure = f"{row.pop('median')} {row.pop('unit')}"
    named = [f"{name} {words}".replace("\n", ", ") for name, words in row.items() if words]
    return ", ".join([figure, *named])


_TEXTS = ("benchmark", "parameters", "unit")


def _row(record: Record) -> dict[str, str]:
    peers = (record.peers or {}).items()
    return {
        "benchmark": record.benchmark,
        "parameters": " ".join(f"{name}={value}" for name, value in record.params.items()),
        "median": quantity(record.median),
        "spread": quantity(record.spread),
        "unit": record.unit,
        "ours ÷ floor": f"{record.floor[0]} {quantity(record.floor[1])}" if record.floor else "",
        "ours ÷ peer": "\n".join(f"{name} {quantity(ratio)}" for name, ratio in peers),
        "quiet turns": record.quiet_turns,
        "bytes": "" if record.bytes is None else f"{record.bytes:,}",
        "rounds": "" if record.rounds is None else str(record.rounds),
        "RSS MB": "" if record.peak_rss_mb is None else f"{record.peak_rss_mb:.0f}",
        "right": "yes" if record.checked else "no",
    }


def read_json(path: Path) -> list[Record]:
    """The records of a file that ``write_json`` wrote."""
    return [_read(fields) for fields in json.loads(path.read_text())]


def _read(fields: dict[str, Any]) -> Record:
    floor, quiet = fields.pop("floor", None), fields.pop("quiet", None)
    return Record(
        **fields,
        floor=floor and (floor["name"], floor["ratio"]),
        quiet=quiet and (quiet["turns"], quiet["of"]),
    )


def write_json(records: Sequence[Record], path: Path) -> None:
    """Write ``records`` to ``path`` as a JSON list, all of it or, when this is ended, nothing."""
    new = path.with_name(path.name + ".new")
    new.write_text(json.dumps([record.as_json() for record in records], indent=2) + "\n")
    new.replace(path)


def quantity(value: float) -> str:
    """Three digits that matter, or all of a large number before its point."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def shown_size(value: object) -> str:
    """A power of two as such, when it is large; all else as it is."""
    power = isinstance(value, int) and value >= 256 and value.bit_count() == 1
    return f"2^{int(str(value)).bit_length() - 1}" if power else str(value)
