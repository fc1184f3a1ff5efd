# SPDX-License-Identifier: Apache-2.0
"""Single ids against a prepared list: preparing, fetching, latency of one query, queries a second.

The holder prepares once, with labels; the asker, in another process, fetches the list and then asks
on one channel: ids one at a time (``query.single``), and many in one call (``query.batch``, and as
a rate ``query.rate``). Half of the ids are listed. The floor is the link's own round trip, of a
message as long as the query's, in the same run.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mpc.net import columns
from mpc.net.channel import Channel
from mpc.net.link import Link
from mpc.net.traced import Traced, Traffic
from mpc.pb.v1.columns_pb2 import Column
from mpc.primitives import prepared, ristretto
from mpc.primitives.items import Items
from mpc.primitives.prepared import HolderKey, PreparedList
from mpc.primitives.rng import SYSTEM
from mpc.protocols import query
from mpc.testing import seeded

from ._options import exponents, some_of, whole
from ._sides import in_two_processes
from .harness.profile import staged
from .harness.timing import Work, seconds_each, turns
from .parties import LINKS, link_params, shaped
from .record import Record, middle

QUICK = "--log2n 10 --singles 20 --batch 50 --links tls --repeat 2"
SWEEP = (
    "--log2n 8,12,16,20 --singles 50 --batch 1024 --links tls,lan,wan,slow --shaped-most 65536 "
    "--repeat 2"
)
GROWS_WITH = (("entries",),)

_SIDES = ("asker", "holder")
_NAME = "benchmark"
_ROOM = 16
_QUERY_BYTES = 120
_ROUND_TRIPS = 200
_SHAPED_TURNS = 10  # at most, of single ids and round trips: a long link takes as long each time
_POINTS = 1024
_HEARD = 3  # turns of which stages are told


@dataclass(frozen=True, slots=True)
class Plan:
    """What the two sides do: how often, and with how many ids at once; and the list's size on
    disk."""

    entries: int
    singles: int
    batch: int
    repeat: int
    trips: int = _ROUND_TRIPS
    file_bytes: int = 0

    def listed(self, start: int, stop: int) -> list[str]:
        """Ids that are on the list, around its end when there are more."""
        return [f"91{number % self.entries:016d}" for number in range(start, stop)]

    def asked(self, count: int) -> list[str]:
        """``count`` ids, every other of which is listed."""
        known = iter(self.listed(0, count))
        return [next(known) if i % 2 == 0 else f"13{i:016d}" for i in range(count)]


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of each repetition and of its stages, what passed, and whether answers were right."""

    seconds: list[float]
    traffic: Traffic
    right: bool
    stages: dict[str, list[float]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The list's size, how many queries, and links."""
    parser.add_argument("--log2n", type=exponents, default="20", help="entries, as powers of two")
    parser.add_argument("--singles", type=whole, default=300, help="queries of one id")
    parser.add_argument("--batch", type=whole, default=1000, help="ids in one call")
    parser.add_argument(
        "--links",
        type=some_of("tls", "plain", *LINKS),
        default="tls,plain",
        help="of tls, plain, lan, wan, slow",
    )
    parser.add_argument(
        "--shaped-most", type=whole, default=1 << 20, help="entries over links that are shaped"
    )
    parser.add_argument("--repeat", type=whole, default=3)


def run(options: argparse.Namespace) -> list[Record]:
    """Prepare lists, and measure the asker over every link."""
    records = []
    product = _multiplication()
    for power in options.log2n:
        plan = Plan(1 << power, options.singles, options.batch, options.repeat)
        with tempfile.TemporaryDirectory() as path:
            most = options.shaped_most
            links = [n for n in options.links if n not in LINKS or plan.entries <= most]
            records += _of_one_list(plan, Path(path), links, product)
    return records


def _of_one_list(plan: Plan, folder: Path, links: list[str], product: float) -> list[Record]:
    begun = time.perf_counter()
    listed = _prepared(folder, plan)
    taken = time.perf_counter() - begun
    plan = replace(plan, file_bytes=listed.newest.file_bytes)
    records = [
        Record(
            benchmark="query.prepare",
            params={"entries": plan.entries},
            unit="s",
            median=taken,
            spread=0.0,
            bytes=plan.file_bytes,
            floor=("multiplications", taken / (plan.entries * product)),
            checked=len(listed) == plan.entries,
        )
    ]
    for link in links:
        few = _SHAPED_TURNS if link in LINKS else max(plan.trips, plan.singles)
        own = replace(plan, trips=min(plan.trips, few), singles=min(plan.singles, few))
        measured = in_two_processes(_SIDES, link, _side, link, own, folder)["asker"]
        records += _records(plan, link, measured, product)
    return records


def _multiplication() -> float:
    """Seconds of one in a vector of ids, by the kernel alone."""
    items = Items.of([f"{number:018d}" for number in range(_POINTS)])
    points, scalar = ristretto.hash_to_group(items, b"benchmarks"), ristretto.scalar(SYSTEM)
    work = Work(lambda: ristretto.mul(points, scalar), _POINTS)
    seconds_each(work, time.perf_counter)  # the first run compiles or loads the kernels
    return seconds_each(work, time.perf_counter)


def _prepared(folder: Path, plan: Plan) -> PreparedList:
    ids = plan.listed(0, plan.entries)
    labels = [_label(name) for name in ids]
    queries = plan.batch * plan.repeat
    return prepared.prepare(folder, _key(), _NAME, ids, labels=labels, room=_ROOM, queries=queries)


def _label(name: str) -> bytes:
    return b"reason " + name[-4:].encode()


def _key() -> HolderKey:
    return HolderKey.generate(seeded("benchmarks.query"))


def _records(plan: Plan, link: str, measured: dict[str, Times], product: float) -> list[Record]:
    where: dict[str, object] = {"entries": plan.entries, **link_params(link)}
    one, many = {**where, "ids": 1}, {**where, "ids": plan.batch}
    single, batch = measured["single"], measured["batch"]
    trip = middle(measured["trip"].seconds)[0]
    ratio = middle(single.seconds)[0] / trip
    rates = [plan.batch / taken for taken in batch.seconds]
    least, name = trip + plan.batch * product, "multiplications and round trip"
    fetched, sent = (middle(measured[key].seconds)[0] for key in ("fetch", "sent"))
    return [
        _record("query.fetch", where, "s", measured["fetch"], floor=("sent", fetched / sent)),
        _record("query.single", one, "s", single, floor=("round trip", ratio)),
        _record("query.batch", many, "s", batch, floor=(name, middle(batch.seconds)[0] / least)),
        _record(
            "query.rate", many, "id/s", batch, rates, (name, middle(rates)[0] * least / plan.batch)
        ),
        *_stages({**where, "of": "fetch"}, measured["fetch"]),
        *_stages({**one, "of": "single"}, single),
        *_stages({**many, "of": "batch"}, batch),
    ]


def _stages(params: dict[str, object], times: Times) -> list[Record]:
    """The asker's stages; its time in ``answer`` is the holder's work and the journey."""
    return [
        Record(
            benchmark="query.stage",
            params={**params, "stage": stage},
            unit="s",
            median=middle(seconds)[0],
            spread=middle(seconds)[1],
            checked=times.right,
        )
        for stage, seconds in times.stages.items()
    ]


def _record(
    benchmark: str,
    params: dict[str, object],
    unit: str,
    times: Times,
    values: list[float] | None = None,
    floor: tuple[str, float] | None = None,
) -> Record:
    median, spread = middle(values or times.seconds)
    return Record(
        benchmark=benchmark,
        params=params,
        unit=unit,
        median=median,
        spread=spread,
        bytes=times.traffic.sent_bytes + times.traffic.received_bytes,
        rounds=2 * times.traffic.rounds,  # a question and its answer, strictly in turn
        floor=floor,
        checked=times.right,
    )


def _side(side: str, link: Link, way: str, plan: Plan, folder: Path) -> dict[str, Times] | None:
    link = shaped(link, way)
    if side == "holder":
        _hold(link, plan, folder)
        return None
    with tempfile.TemporaryDirectory() as copies:
        return _ask(link, plan, Path(copies))


def _hold(link: Link, plan: Plan, folder: Path) -> None:
    channel = Channel(link)
    _answers(channel, None)
    _answers(channel, _zeros(plan.file_bytes))
    limits = query.Limits(rate=1e9, burst=1 << 20, total=1 << 40)
    with query.Gate(limits, query.CounterFile(folder / "evaluations.json")) as gate:
        query.holder(channel, _key(), folder, name=_NAME, gate=gate)


def _ask(link: Link, plan: Plan, copies: Path) -> dict[str, Times]:
    pin = _key().pin(_NAME)
    message, whole = _zeros(_QUERY_BYTES), _zeros(plan.file_bytes)
    channel = Channel(link)
    measured = {"trip": _timed(link, plan.trips, lambda c, _: _answer(c, message) == message)}
    channel.send(Column())
    measured["sent"] = _timed(link, plan.repeat, lambda c, _: _answer(c, message) == whole)
    channel.send(Column())
    query.fetch(channel, copies / "first", pin)  # not counted, nor is the first query
    measured["fetch"] = _timed(
        link,
        plan.repeat,
        lambda c, turn: len(query.fetch(c, copies / str(turn), pin)) == plan.entries,
    )
    copy = prepared.open_list(copies / "first", pin)
    ids = plan.asked(2 * max(plan.batch, plan.singles))
    query.asker(channel, copy, ids[: plan.batch])
    query.asker(channel, copy, ids[:1])
    measured["single"] = _timed(
        link, plan.singles, lambda c, turn: _right(c, copy, [ids[turn % len(ids)]], turn)
    )
    measured["batch"] = _timed(
        link, plan.repeat, lambda c, _: _right(c, copy, ids[: plan.batch], 0)
    )
    query.end(channel)
    return measured


def _zeros(count: int) -> Column:
    return Column(**columns.pack(np.zeros((1, count), np.uint8)))


def _answer(channel: Channel, message: Column) -> Column:
    channel.send(message)
    return channel.recv(Column)


def _answers(channel: Channel, answer: Column | None) -> None:
    """Give ``answer``, or what was sent, to every message but the empty one that is the last."""
    while (asked := channel.recv(Column)) != Column():
        channel.send(answer or asked)


def _right(channel: Channel, copy: PreparedList, ids: list[str], first: int) -> bool:
    """Ask; whether every other id, from ``first`` even on, is listed with its label."""
    answers = query.asker(channel, copy, ids)
    expected = [i % 2 == 0 for i in range(first, first + len(ids))]
    labels = tuple(_label(name) if hit else None for name, hit in zip(ids, expected, strict=True))
    return answers.listed.tolist() == expected and answers.labels == labels


def _timed(link: Link, at_least: int, work: Callable[[Channel, int], bool]) -> Times:
    """Each turn on the clock, until the median is steady or time is over; the traffic is that of
    the last. Stages are of a few turns more, since to hear them takes a part of a single query."""
    seconds: list[float] = []
    stages: dict[str, list[float]] = defaultdict(list)
    right, traced = True, Traced(link, digest=False)
    for turn in turns({"wall": seconds}, at_least=at_least):
        traced = Traced(link, digest=False)
        channel = Channel(traced)
        begun = time.perf_counter()
        right = work(channel, turn) and right
        seconds.append(time.perf_counter() - begun)
    for turn in range(len(seconds), len(seconds) + _HEARD):
        with staged() as own:
            right = work(Channel(link), turn) and right
        for stage, taken in own.items():
            stages[stage].append(taken)
    return Times(seconds, traced.traffic, right, dict(stages))
