# SPDX-License-Identifier: Apache-2.0
"""Intersection of two sets, between two processes: wall, CPU, bytes, rounds, memory, by stage.

18-character ids in Arrow arrays, 10 % of them common; the receiver's wall time from its call to its
indices, both sides having started together, over the gRPC link with TLS, without, and (``shaped``)
with 100 Mbit/s and 50 ms one way on top of the plain one (``lan``: 1 Gbit/s and 0.5 ms; ``slow``:
10 Mbit/s and 100 ms). The floor is the same ids compared by exchanging truncated hashes, which
protects nothing, over the same link in the same run. Memory is a side's peak above what it held
before the run, its input included in that; by stage it is looked at in a run of its own, as are the
bytes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mpc.kernels import hashing, matching
from mpc.net import columns
from mpc.net.channel import Channel
from mpc.net.grpc_link import Endpoint
from mpc.net.link import Link
from mpc.net.peer import Address, Peer
from mpc.net.shaped import Shaped
from mpc.net.tls import load_identity, load_pinned, make_identity
from mpc.net.traced import Traced
from mpc.pb.v1.columns_pb2 import Column
from mpc.primitives.items import Items
from mpc.protocols import psi
from mpc.tracing import Span, listening

from .record import Record, middle

QUICK = "--log2n 10 --unbalanced 0 --links tls --repeat 2"
SWEEP = (
    "--log2n 8,10,12,14,16,18,20,22 --links tls,lan,shaped,slow --shaped-most 65536 "
    "--unbalanced 0 --repeat 3"
)
GROWS_WITH = ("x", "y")

_SIDES = ("receiver", "sender")
_LOOPBACK = "127.0.0.1"
# Megabits a second, and milliseconds one way.
_SHAPES = {"lan": (1000.0, 0.5), "shaped": (100.0, 50.0), "slow": (10.0, 100.0)}


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


@dataclass(slots=True)
class Stage:
    """One stage of one run: seconds, bytes both ways, and the peak of memory in megabytes."""

    wall: float = 0.0
    cpu: float = 0.0
    bytes: int = 0
    memory: float | None = None


@dataclass(slots=True)
class Sample:
    """What one side saw of one run."""

    wall: float
    cpu: float
    bytes: int
    rounds: int
    memory: float
    right: bool
    stages: dict[str, Stage] = field(default_factory=dict)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Sizes, links and protocols."""
    parser.add_argument("--log2n", default="12,16,20", help="items of a side, as powers of two")
    parser.add_argument("--items", default="", help="more sizes, such as 10000000")
    parser.add_argument(
        "--links", default="tls,plain,shaped", help=f"of tls, plain, {', '.join(_SHAPES)}"
    )
    parser.add_argument("--security", default="malicious,semi-honest,hashes")
    parser.add_argument("--unbalanced", type=int, default=1000, help="against the largest; 0: none")
    parser.add_argument(
        "--shaped-most",
        type=int,
        default=1 << 20,
        help="items of a side over links that are shaped",
    )
    parser.add_argument("--repeat", type=int, default=5)


def run(options: argparse.Namespace) -> list[Record]:
    """Measure every case over every link."""
    sizes = [1 << int(power) for power in options.log2n.split(",") if power]
    sizes += [int(size) for size in options.items.split(",") if size]
    forms = options.security.split(",")
    cases = [Case(size, size, form) for size in sizes for form in forms]
    if options.unbalanced:
        cases += [Case(options.unbalanced, max(sizes), form) for form in forms]
    records: list[Record] = []
    every = cases
    for link in options.links.split(","):
        cases = every
        if link in _SHAPES:
            cases = [c for c in every if max(c.receiver, c.sender) <= options.shaped_most]
        samples = _measured(link, cases, options.repeat)
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
        "link": link,
    }
    if link in _SHAPES:
        params["bandwidth_mbit"], params["latency_ms"] = _SHAPES[link]
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
        floor=None if ratio is None or case.security == "hashes" else ("hashes", ratio),
        checked=all(sample.right for sample in every),
    )
    records = [whole]
    for side in _SIDES:
        cpu, apart = middle([sample.cpu for sample in timed[side]])
        records.append(_part("psi.cpu", {**params, "side": side}, cpu, apart))
        for stage, last in samples[side][-1].stages.items():
            times = [sample.stages[stage].wall for sample in timed[side]]
            where = {**params, "side": side, "stage": stage}
            records.append(_part("psi.stage", where, *middle(times), last))
    return records


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
        peak_rss_mb=stage and stage.memory,
        checked=True,
    )


def _measured(link: str, cases: list[Case], repeat: int) -> dict[str, dict[Case, list[Sample]]]:
    return in_two_processes(_SIDES, link, _samples, cases, repeat)


def in_two_processes(
    sides: tuple[str, str], way: str, work: Callable[..., Any], *arguments: Any
) -> dict[str, Any]:
    """What ``work(side, link, *arguments)`` returns on each side, in a process of its own, over a
    link that is ``tls``, ``plain`` or a shape. The first side listens, the other dials."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        for side in sides:
            make_identity(side, Path(folder))
        pipes, children = {}, []
        for side in sides:
            pipes[side], there = context.Pipe()
            both = (side, sides[1 - sides.index(side)])
            meeting = (both, side == sides[0], way, Path(folder), there)
            children.append(context.Process(target=_side, args=(*meeting, work, arguments)))
            children[-1].start()
        pipes[sides[1]].send(pipes[sides[0]].recv())
        results = {side: pipes[side].recv() for side in sides}
        for child in children:
            child.join()
    return results


def _side(
    names: tuple[str, str],
    listens: bool,
    way: str,
    folder: Path,
    parent: Connection,
    work: Callable[..., Any],
    arguments: tuple[Any, ...],
) -> None:
    """One side's process: it meets the other, works, and hands back what came of it."""
    side, other = names
    address = None if listens else Address(_LOOPBACK, parent.recv())
    endpoint = Endpoint(
        side,
        [Peer(other, address, load_pinned(other, folder / f"{other}.crt"))],
        identity=load_identity(side, folder / f"{side}.key", folder / f"{side}.crt"),
        listen=Address(_LOOPBACK, 0) if listens else None,
        insecure=way != "tls",
    )
    with closing(endpoint):
        if endpoint.address is not None:
            parent.send(endpoint.address.port)
        with closing(endpoint.connect(other)) as link:
            if way in _SHAPES:
                bandwidth, latency = _SHAPES[way]
                shaped = Shaped(link, latency=latency / 1e3, bandwidth=bandwidth * 1e6 / 8)
                parent.send(work(side, shaped, *arguments))
            else:
                parent.send(work(side, link, *arguments))


def _samples(side: str, link: Link, cases: list[Case], repeat: int) -> dict[Case, list[Sample]]:
    samples: dict[Case, list[Sample]] = defaultdict(list)
    for case in cases:
        items = case.items(side)
        # The first run compiles or loads the kernels, and is not counted; the last is for the
        # memory of each stage, which takes time to look at.
        for turn in range(repeat + 2):
            sample = _sample(side, case, items, link, by_stage=turn > repeat)
            if turn:
                samples[case].append(sample)
    return dict(samples)


def _sample(side: str, case: Case, items: pa.Array, link: Link, *, by_stage: bool) -> Sample:
    Channel(link).exchange(Column())
    traced = Traced(link, digest=False)
    channel = Channel(traced)
    before = _resident("VmRSS")
    _forget_peak()
    with _stages(traced, before if by_stage else None) as stages:
        wall, cpu = time.perf_counter(), time.process_time()
        found = _ROLES[case.security, side](channel, items)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    expected = np.arange(case.common if side == "receiver" else 0)
    traffic = traced.traffic
    return Sample(
        wall=wall,
        cpu=cpu,
        bytes=traffic.sent_bytes + traffic.received_bytes,
        rounds=traffic.rounds,
        memory=_resident("VmHWM") - before,
        right=np.array_equal(found, expected),
        stages=stages,
    )


def _resident(key: str) -> float:
    """Megabytes: resident now (VmRSS), or at most since the last reset (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(key))


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


@contextmanager
def _stages(traced: Traced, before: float | None) -> Iterator[dict[str, Stage]]:
    """Add up the spans of the protocol's stages; what passed the link since the stage before is the
    stage's, and with ``before`` also the peak of memory, above that."""
    stages: dict[str, Stage] = defaultdict(Stage)
    passed = 0

    def note(span: Span) -> None:
        nonlocal passed
        if len(span.path) > 1:
            return  # a part of a stage is in the stage
        stage, traffic = stages[span.name], traced.traffic
        stage.wall += span.wall
        stage.cpu += span.cpu
        stage.bytes += traffic.sent_bytes + traffic.received_bytes - passed
        passed = traffic.sent_bytes + traffic.received_bytes
        if before is not None:
            stage.memory = max(stage.memory or 0.0, _resident("VmHWM") - before, 0.0)
            _forget_peak()

    with listening(note):
        yield stages


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
