# SPDX-License-Identifier: Apache-2.0
"""Intersection of two sets, between two processes: wall, CPU, bytes, rounds, memory, by stage.

18-character ids in Arrow arrays, 10 % of them common; the receiver's wall time from its call to its
indices, both sides having started together, over the gRPC link with TLS, without, and (``wan``)
with 100 Mbit/s and 50 ms one way on top of the plain one (``lan``: 1 Gbit/s and 0.5 ms; ``slow``:
10 Mbit/s and 100 ms). The floor is the same ids compared by exchanging truncated hashes, which
protects nothing, over the same link in the same run. Memory is a side's peak above what it held
before the run, its input included in that; by stage it is looked at in a run of its own, as are the
bytes and the rounds. ``psi.cpu`` and, by stage, ``psi.stage_cpu`` are of all threads of a side;
what is computed between two stages counts for the later one.

Over a shaped link the floor is the link itself: the bytes of both ways at its bandwidth, one after
the other, and its latency once a round. That is the yardstick of longer links, and no bound: bytes
of one way travel while those of the other do, so many of them can be here a little before. The
rounds of a large set are seven (offers and choices of base transfers; seed and correlated rows;
trees; challenge; answer and commitment; share and store; tags), and three in the semi-honest form
(the store goes with the rows, and the trees with the tags). Small sets need no trees, and so fewer.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mpc.kernels import hashing, matching
from mpc.net import columns
from mpc.net.channel import Channel
from mpc.pb.v1.columns_pb2 import Column
from mpc.primitives.items import Items
from mpc.protocols import psi

from ._options import exponents, several, some_of, whole
from ._sides import Sample, Stage, measured
from .parties import LINKS, link_params
from .record import Record, middle

QUICK = "--log2n 10 --unbalanced 0 --links tls --repeat 2"
SWEEP = (
    "--log2n 8,12,16,20,22 --links tls,lan,wan,slow --shaped-most 65536 --unbalanced 0 --repeat 2"
)
GROWS_WITH = (("x", "y"),)

_SIDES = ("receiver", "sender")
_FORMS = ("malicious", "semi-honest", "hashes")


@dataclass(frozen=True, slots=True)
class Case:
    """One measurement: how many items a side has, and which protocol."""

    receiver: int
    sender: int
    security: str

    @property
    def common(self) -> int:
        return min(self.receiver, self.sender) // 10

    def items(self, side: str) -> pa.Array:
        """The ids of a side; the first ``common`` of both are the same."""
        count, start = (self.receiver, 0) if side == "receiver" else (self.sender, 1 << 40)
        numbers = np.arange(count, dtype=np.int64)
        numbers[self.common :] += start
        digits = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width=16, padding="0")
        return pc.binary_join_element_wise("91", digits, "")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Sizes, links and protocols."""
    parser.add_argument(
        "--log2n", type=exponents, default="12,16,20", help="items of a side, as powers of two"
    )
    parser.add_argument("--items", type=several, default=(), help="more sizes, such as 10000000")
    parser.add_argument(
        "--links",
        type=some_of("tls", "plain", *LINKS),
        default="tls,plain,wan",
        help=f"of tls, plain, {', '.join(LINKS)}",
    )
    parser.add_argument("--security", type=some_of(*_FORMS), default=",".join(_FORMS))
    parser.add_argument("--unbalanced", type=int, default=1000, help="against the largest; 0: none")
    parser.add_argument(
        "--shaped-most",
        type=int,
        default=1 << 20,
        help="items of a side over links that are shaped",
    )
    parser.add_argument("--repeat", type=whole, default=3)


def run(options: argparse.Namespace) -> list[Record]:
    """Measure every case over every link."""
    sizes = [*(1 << power for power in options.log2n), *options.items]
    forms = options.security
    cases = [Case(size, size, form) for size in sizes for form in forms]
    if options.unbalanced:
        cases += [Case(options.unbalanced, max(sizes), form) for form in forms]
    records: list[Record] = []
    every = cases
    for link in options.links:
        cases = every
        if link in LINKS:
            cases = [c for c in every if max(c.receiver, c.sender) <= options.shaped_most]
        both = measured(_SIDES, _role, cases, options.repeat, way=link, memory_by_stage=True)
        samples = {side: dict(zip(cases, both[side], strict=True)) for side in _SIDES}
        walls = {
            case: middle([s.wall for s in samples["receiver"][case][:-1]])[0] for case in cases
        }
        for case in cases:
            floor = walls.get(Case(case.receiver, case.sender, "hashes"))
            mine = {side: samples[side][case] for side in _SIDES}
            records += _records(link, case, mine, walls[case] / floor if floor else None)
    return records


def _records(
    link: str, case: Case, samples: dict[str, list[Sample]], ratio: float | None
) -> list[Record]:
    params: dict[str, Any] = {
        "x": case.receiver,
        "y": case.sender,
        "form": case.security,
        **link_params(link),
    }
    timed = {side: samples[side][:-1] for side in _SIDES}
    wall, spread = middle([sample.wall for sample in timed["receiver"]])
    every = [sample for side in _SIDES for sample in timed[side]]
    whole = Record(
        benchmark="psi.wall",
        params=params,
        unit="s",
        median=wall,
        spread=spread,
        bytes=every[0].bytes,
        rounds=every[0].rounds,
        peak_rss_mb=max(sample.memory for sample in every),
        floor=_floor(link, case, every[0], wall, ratio),
        checked=all(sample.output for sample in every),
    )
    records = [whole]
    for side in _SIDES:
        cpu, apart = middle([sample.cpu for sample in timed[side]])
        records.append(_part("psi.cpu", {**params, "side": side}, cpu, apart))
        for stage, last in samples[side][-1].stages.items():
            runs = [sample.stages[stage] for sample in timed[side]]
            where = {**params, "side": side, "stage": stage}
            records.append(_part("psi.stage", where, *middle([run.wall for run in runs]), last))
            records.append(_part("psi.stage_cpu", where, *middle([run.cpu for run in runs])))
    return records


def _floor(
    link: str, case: Case, run: Sample, wall: float, hashes: float | None
) -> tuple[str, float] | None:
    """What the wall time is compared with, and the ratio."""
    if case.security == "hashes":
        return None
    if link not in LINKS:
        return None if hashes is None else ("hashes", hashes)
    bandwidth, latency = LINKS[link]
    return "link", wall / (run.bytes * 8e-6 / bandwidth + run.rounds * latency / 1e3)


def _part(
    benchmark: str,
    params: dict[str, Any],
    median: float,
    spread: float,
    stage: Stage | None = None,
) -> Record:
    return Record(
        benchmark=benchmark,
        params=params,
        unit="s",
        median=median,
        spread=spread,
        bytes=stage and stage.bytes,
        rounds=stage and stage.rounds,
        peak_rss_mb=stage and stage.memory,
        checked=True,
    )


@lru_cache(maxsize=1)
def _items(case: Case, side: str) -> pa.Array:
    return case.items(side)


def _role(channel: Channel, case: Case, side: str) -> bool:
    """Whether what a side gets is right: the common items at the receiver."""
    found = _ROLES[case.security, side](channel, _items(case, side))
    return np.array_equal(found, np.arange(case.common if side == "receiver" else 0))


def _hashes_out(channel: Channel, items: pa.Array) -> np.ndarray[Any, Any]:
    """The floor: send truncated hashes of the items. It gives the items away."""
    channel.send(Column(**columns.pack(matching.sort(_hashed(items)).view(np.uint8)[:, :10])))
    return np.empty(0, np.intp)


def _hashes_in(channel: Channel, items: pa.Array) -> np.ndarray[Any, Any]:
    mine = _hashed(items)
    theirs = columns.unpack(channel.recv(Column), width=10, peer=channel.peer)
    padded = np.zeros((len(theirs), 16), np.uint8)
    padded[:, :10] = theirs
    return np.flatnonzero(matching.positions(mine, padded.view(np.uint64)) >= 0)


def _hashed(items: pa.Array) -> np.ndarray[Any, Any]:
    held = Items.of(items)
    digests = hashing.digests(held.data, held.offsets, size=16)
    digests[:, 1] &= np.uint64(0xFFFF)
    return digests


def _protocol(role: Callable[..., Any], security: str) -> Callable[..., Any]:
    return lambda channel, items: role(channel, items, security=security)


_ROLES: dict[tuple[str, str], Callable[..., Any]] = {
    ("hashes", "receiver"): _hashes_in,
    ("hashes", "sender"): _hashes_out,
    **{
        (form, side): _protocol(role, form)
        for form in ("malicious", "semi-honest")
        for side, role in (("receiver", psi.receiver), ("sender", psi.sender))
    },
}
