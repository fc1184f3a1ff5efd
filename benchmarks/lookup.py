# SPDX-License-Identifier: Apache-2.0
"""Private lookup between two processes over TLS: wall, bytes, rounds, memory, and cost for a key.

18-character keys in Arrow arrays, half of the asker's in the holder's table; wall time of the asker
from its call to its shares, with both sides starting together. The shares are put together
afterwards and compared with the table. The floor is the bare exchange of as many bytes in as many
rounds over the same link. ``order=table`` leaves them in the order of the bins, and so looks all of
them up by bins, where ``order=keys`` takes masks if that sends less. Values are as large
as ``value_bytes`` allow, 2^40 at most. Memory
is a side's peak above what it held before the run, its input included in that.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mpc.net.channel import Channel
from mpc.primitives.sharing import reconstruct
from mpc.protocols import lookup

from ._options import several, sizes, some_of, whole
from ._sides import Sample, measured
from .parties import exchange
from .record import Record, middle

_SIDES = ("asker", "holder")
QUICK = "--sizes 100x1000x2 --orders table --repeat 1"
SWEEP = (
    "--sizes 256x65536x4,4096x65536x4,65536x65536x4,1048576x65536x4,"
    "4096x4096x4,4096x1048576x4 --orders table --repeat 1"
)
GROWS_WITH = (("keys",), ("rows",))
_SIZES = "65536x1048576x8,1000x1048576x8,1048576x1048576x0"


@dataclass(frozen=True, slots=True)
class Case:
    """How many keys, rows, and values a row of how many bytes, and the order of the results."""

    keys: int
    rows: int
    columns: int
    order: Any
    value_bytes: int

    @property
    def common(self) -> int:
        return min(self.keys, self.rows) // 2

    def values(self) -> Any:
        """The table's values (rows, columns)."""
        most = 2 ** min(40, 8 * self.value_bytes - 2)
        words = np.random.default_rng(self.rows).integers(-most, most, (self.rows, self.columns))
        return words if self.columns else None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Sizes and orders."""
    parser.add_argument(
        "--sizes",
        type=sizes("keys", "rows", "values"),
        default=_SIZES,
        help="keys x rows x values, with commas between",
    )
    parser.add_argument(
        "--orders",
        type=some_of("keys", "table"),
        default="keys,table",
        help="of the results: keys, table",
    )
    parser.add_argument(
        "--value-bytes", type=several, default="8", help="of a value, 1 to 8, with commas between"
    )
    parser.add_argument("--repeat", type=whole, default=2)


def run(options: argparse.Namespace) -> list[Record]:
    """Measure every size in every order."""
    cases = [
        Case(*size, order, octets)
        for size in options.sizes
        for order in options.orders
        for octets in (options.value_bytes if size[2] else (8,))
    ]
    samples = measured(_SIDES, _role, cases, options.repeat)
    moved = [(asked[0].bytes, asked[0].rounds) for asked in samples["asker"]]
    bare = measured(_SIDES, _bare, moved, options.repeat)["asker"]
    records: list[Record] = []
    for case, asked, held, least in zip(
        cases, samples["asker"], samples["holder"], bare, strict=True
    ):
        records += _records(case, asked, held, middle([sample.wall for sample in least])[0])
    return records


def _bare(channel: Channel, moved: tuple[int, int], _side: str) -> None:
    exchange([channel], *moved)


def _records(case: Case, asked: list[Sample], held: list[Sample], least: float) -> list[Record]:
    params: dict[str, object] = {
        "keys": case.keys,
        "rows": case.rows,
        "values": case.columns,
        "order": case.order,
    }
    if case.value_bytes != 8:
        params["value_bytes"] = case.value_bytes
    right = all(_right(case, *pair) for pair in zip(asked, held, strict=True))
    wall, spread = middle([sample.wall for sample in asked])
    whole = Record(
        benchmark="lookup.wall",
        params=params,
        unit="s",
        median=wall,
        spread=spread,
        bytes=asked[0].bytes,
        rounds=asked[0].rounds,
        peak_rss_mb=max(sample.memory for sample in asked + held),
        floor=("exchange", wall / least),
        checked=right,
    )
    per = 1e6 / max(1, case.keys)
    records = [whole, _part("lookup.key", params, "us", wall * per, spread * per, right)]
    for side, samples in zip(_SIDES, (asked, held), strict=True):
        for stage in samples[0].stages:
            times = middle([sample.stages[stage].wall for sample in samples])
            where = {**params, "side": side, "stage": stage}
            records.append(_part("lookup.stage", where, "s", *times, right))
    return records


def _part(
    name: str, params: dict[str, object], unit: str, median: float, spread: float, checked: bool
) -> Record:
    return Record(
        benchmark=name, params=params, unit=unit, median=median, spread=spread, checked=checked
    )


@cache
def _input(case: Case, side: str) -> Any:
    """The keys of a side, the first ``common`` of both the same, and the holder's values."""
    count, start = (case.keys, 0) if side == "asker" else (case.rows, 1 << 40)
    numbers = np.arange(count, dtype=np.int64)
    numbers[case.common :] += start
    digits = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width=16, padding="0")
    keys = pc.binary_join_element_wise("91", digits, "")
    return keys, None if side == "asker" else case.values()


def _role(channel: Channel, case: Case, side: str) -> lookup.Found:
    keys, values = _input(case, side)
    if side == "asker":
        return lookup.asker(channel, keys, order=case.order)
    octets = case.value_bytes
    return lookup.holder(channel, keys, values, order=case.order, value_bytes=octets)


def _right(case: Case, asked: Sample, held: Sample) -> bool:
    """Whether the shares of a run add up to what the table says."""
    mine, theirs = asked.output, held.output
    member = reconstruct([mine.member, theirs.member])
    values = reconstruct([mine.values, theirs.values])
    if mine.places is not None:
        if int(member.sum()) != case.common:
            return False
        member, values = member[mine.places], values[mine.places]
    expected = np.zeros((case.keys, case.columns), np.int64)
    if case.columns:
        expected[: case.common] = case.values()[: case.common]
    listed = np.arange(case.keys) < case.common
    return np.array_equal(member, listed) and np.array_equal(values, expected)
