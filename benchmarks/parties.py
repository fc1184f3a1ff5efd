# SPDX-License-Identifier: Apache-2.0
"""Parties in processes of their own, every two of them connected by gRPC with mutual TLS."""

from __future__ import annotations

import math
import multiprocessing
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from mpc.net import columns
from mpc.net.channel import Channel
from mpc.net.grpc_link import Endpoint
from mpc.net.link import LINGER_SECONDS, Frame, Link
from mpc.net.mesh import Mesh
from mpc.net.peer import Address, Peer
from mpc.net.shaped import Shaped
from mpc.net.tls import load_identity, load_pinned, make_identity
from mpc.net.traced import Traced, Traffic
from mpc.pb.v1.arith_pb2 import Opening
from mpc.protocols.opening import AHEAD, BLOCK_BYTES
from mpc.protocols.triples import dealer

from ._flights import Chain, Chained, Reached
from ._processes import gathered, hand_back, heard, told
from .harness import timing
from .harness.profile import staged
from .record import Record, middle

LOOPBACK = "127.0.0.1"
LINKS: dict[str, tuple[float, float]] = {
    "lan": (1000.0, 0.5),
    "20ms": (8000.0, 10.0),
    "wan": (100.0, 50.0),
    "slow": (10.0, 100.0),
}
"""What can be put on top of the loopback: megabits a second, and milliseconds one way."""
SHAPES = ("tls", *LINKS)
DEALER = "dealer"
"""Who makes correlations where that is not what is measured, and takes no other part."""

Job = Callable[["Seat", Any], Any]


def shaped(link: Link, way: str, chain: Chain | None = None) -> Link:
    """``link`` with a shape of ``LINKS``, or as it is under any other name; with a ``chain``, what
    passes is told to it."""
    shape: dict[str, float] = {}
    if way in LINKS:
        bandwidth, latency = LINKS[way]
        shape = {"latency": latency / 1e3, "bandwidth": bandwidth * 1e6 / 8}
        link = Shaped(link, **shape)
    return link if chain is None else Chained(link, chain, **shape)


def link_params(way: str) -> dict[str, object]:
    """What a record says of the link it was measured over."""
    return {"link": way} | dict(
        zip(("bandwidth_mbit", "latency_ms"), LINKS.get(way, ()), strict=False)
    )


class Way:
    """A link that is as it is until it is given a shape, and counts from then on.

    So what is made ready need not wait for a long link. Both ends take the shape at a moment when
    nothing is on its way.
    """

    __slots__ = ("_link",)

    def __init__(self, link: Link) -> None:
        self._link = link

    def take(self, shape: str, chain: Chain | None) -> Traced:
        """Be of this shape from now on; what counts."""
        self._link = traced = Traced(shaped(self._link, shape, chain), digest=False)
        return traced

    @property
    def peer(self) -> str:
        return self._link.peer

    def put(self, frame: Frame, timeout: float | None = None) -> None:
        self._link.put(frame, timeout)

    def get(self, timeout: float | None = None) -> Frame:
        return self._link.get(timeout)

    def close(self, timeout: float | None = LINGER_SECONDS) -> None:
        self._link.close(timeout)


@dataclass(frozen=True, slots=True)
class Seat:
    """A party's place at the table: how to connect it with the others."""

    me: str
    names: tuple[str, ...]
    links: dict[str, Any]

    def mesh(self) -> Mesh:
        """A mesh of all, over the links as they are."""
        return Mesh(self.me, self.names, {n: Channel(link) for n, link in self.links.items()})

    def ways(self) -> tuple[Mesh, list[Way]]:
        """A mesh of all, and its links, which can take a shape."""
        ways = {name: Way(link) for name, link in self.links.items()}
        channels = {name: Channel(way) for name, way in ways.items()}
        return Mesh(self.me, self.names, channels), list(ways.values())

    def together(self) -> None:
        """Wait until all are here."""
        self._tell(0.0)

    def began(self, begun: float) -> float:
        """When the first of all began, who each tell when they did; one machine has one clock."""
        return min(begun, *self._tell(begun))

    def largest(self, number: int) -> int:
        """The largest of the numbers that all tell."""
        return int(max(number, *self._tell(number)))

    def turns(self, seconds: list[float], *, at_least: int) -> Iterator[int]:
        """As many turns as the first party's ``seconds`` take to be steady."""
        return timing.agreed(
            {"wall": seconds},
            at_least=at_least,
            decides=self.me == self.names[0],
            tell=lambda goes_on: bool(self.largest(goes_on)),
        )

    def _tell(self, number: float) -> list[float]:
        return told(self.links.values(), number)


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of each run, bytes of one both ways, its rounds, what ``reached`` this party with
    nothing computed, and whether results were right; the seconds of each stage in every run."""

    seconds: list[float]
    bytes: int
    rounds: int
    reached: Reached
    checked: bool
    stages: dict[str, list[float]]

    def record(
        self,
        benchmark: str,
        params: dict[str, object],
        floor: tuple[str, float] | None = None,
    ) -> Record:
        """In seconds, beside those of a floor."""
        median, spread = middle(self.seconds)
        return Record(
            benchmark=benchmark,
            params=params,
            unit="s",
            median=median,
            spread=spread,
            bytes=self.bytes,
            rounds=self.rounds,
            floor=floor and (floor[0], median / floor[1]),
            checked=self.checked,
        )

    def rate(self, record: Record, count: float, unit: str) -> Record:
        """A record of these times as how many of ``count`` there are in a second."""
        median, spread = middle([count / second for second in self.seconds])
        floor = record.floor and (record.floor[0], 1 / record.floor[1])
        return replace(record, unit=unit, median=median, spread=spread, floor=floor)

    def each(self, benchmark: str, params: dict[str, object], count: int) -> Record:
        """For one of ``count``, in microseconds."""
        median, spread = middle([1e6 * second / max(1, count) for second in self.seconds])
        return Record(
            benchmark=benchmark,
            params=params,
            unit="us",
            median=median,
            spread=spread,
            bytes=self.bytes // max(1, count),
            checked=self.checked,
        )

    def parts(self, benchmark: str, params: dict[str, object], side: str) -> list[Record]:
        """The stages of ``side``, whose times these are."""
        return [
            Record(
                benchmark=benchmark,
                params={**params, "side": side, "stage": stage},
                unit="s",
                median=middle(seconds)[0],
                spread=middle(seconds)[1],
                checked=self.checked,
            )
            for stage, seconds in self.stages.items()
        ]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


@dataclass(frozen=True, slots=True)
class _Run:
    """One run: seconds in all and of each stage, what passed each link, rounds and how far its
    messages reach where they are counted, and whether right."""

    seconds: float
    stages: dict[str, float]
    traffic: list[Traffic]
    rounds: int
    reached: Reached
    right: bool


def timed(
    seat: Seat,
    shape: str,
    repeat: int,
    ready: Callable[[Mesh], Any],
    work: Callable[[Any], Any],
    right: Callable[[Any], bool],
    *,
    idle: bool = False,
    depth: int = 1,
) -> Times:
    """``work`` on what ``ready`` makes of a mesh, which is not counted; nor is the first run.

    From when the first party begins that is not ``idle``, so that none gains from one that was
    ahead, to the result. ``ready`` is done over the links as they are, and only then do they take
    their shape: preparing over a long one would take the time of what is measured many times over.
    It is done ``repeat`` times, and on until the first party's median is steady or time is over.
    The run that is not counted tells what its messages reach, which takes a copy of each. Stages
    are told to a ``depth`` as ``staged`` has it.
    """

    def once(*, counted: bool = False) -> _Run:
        mesh, ways = seat.ways()
        held = ready(mesh)
        seat.together()
        chain = Chain()
        links = [way.take(shape, chain if counted else None) for way in ways]
        with staged(depth) as stages:
            begun = time.perf_counter()
            found = work(held)
            ended = time.perf_counter()
        # All of it before it is looked whether the result is right, which may take messages too.
        passed = [link.traffic for link in links], chain.rounds, chain.reached
        whole = ended - seat.began(math.inf if idle else begun)
        return _Run(whole, dict(stages), *passed, right(found))

    seconds = list[float]()
    runs = [once(counted=True)]  # the first compiles or loads the kernels
    for _ in seat.turns(seconds, at_least=repeat):
        runs.append(once())
        seconds.append(runs[-1].seconds)
    return _times(runs, seconds)


def _times(runs: Sequence[_Run], seconds: list[float]) -> Times:
    """What ``runs`` come to: rounds of the first, stages of the others, and the last's traffic."""
    stages = defaultdict[str, list[float]](list)
    for run in runs[1:]:
        for stage, taken in run.stages.items():
            stages[stage].append(taken)
    passed = runs[-1].traffic
    return Times(
        seconds,
        sum(one.sent_bytes + one.received_bytes for one in passed),
        runs[0].rounds,
        runs[0].reached,
        all(run.right for run in runs),
        dict(stages),
    )


def dealing(seat: Seat, shape: str, repeat: int, *, deals: bool = True) -> Times:
    """The dealer's part while the others are ``timed``: it makes what they ask for beforehand."""
    return timed(
        seat, shape, repeat, dealer.serve if deals else _nothing, _nothing, _always, idle=True
    )


def without_dealer(mesh: Mesh) -> Mesh:
    """Those that compute."""
    names = [name for name in mesh.names if name != DEALER]
    return Mesh(mesh.me, names, {name: mesh.channel(name) for name in names if name != mesh.me})


def _nothing(_: Any) -> None:
    pass


def _always(_: Any) -> bool:
    return True


def exchange(channels: Sequence[Channel], size: int, rounds: int) -> None:
    """``size`` bytes with each, half of them each way, in so many rounds, and nothing else; in
    blocks of the size that an opening has."""
    words = np.zeros(max(1, size // (16 * max(1, rounds))), np.uint64)
    block = BLOCK_BYTES // words.itemsize
    starts = range(0, len(words), block)
    blocks = [words[start : start + block] for start in starts]
    for _ in range(rounds):
        for step in range(len(blocks) + AHEAD):
            for channel in channels if step < len(blocks) else ():
                channel.send(Opening(), words=blocks[step])
            for channel in channels if step >= AHEAD else ():
                columns.unpack_uint64(channel.recv(Opening).words, peer=channel.peer)


def floor_of(
    seat: Seat, shape: str, repeat: int, times: Times, centre: str, *ends: str
) -> tuple[str, float]:
    """The name and the seconds of the floor of ``times``, those of ``centre``: over a link that is
    shaped, what the links alone take; else the bare exchange with all ``ends`` of as many bytes, in
    as many rounds as ``centre`` waited for."""
    if shape in LINKS:
        return "link", times.reached.seconds
    here = seat.me == centre
    rounds = seat.largest(times.reached.flights if here else 0)
    size = seat.largest(times.bytes if here else 0) // len(ends)
    others = list(ends) if here else [centre] if seat.me in ends else []

    def bare(mesh: Mesh) -> None:
        exchange([mesh.channel(name) for name in others], size, rounds)

    idle = not (here or others)
    least = timed(seat, shape, repeat, lambda mesh: mesh, bare, _always, idle=idle)
    return "exchange", least.median


def play(names: Sequence[str], job: Job, options: Any) -> dict[str, Any]:
    """What ``job`` gives in the process of each of the parties."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            make_identity(name, Path(folder))
        pipes, children, ports = {}, [], {}
        for name in names:
            pipes[name], there = context.Pipe()
            arguments = (name, tuple(names), Path(folder), there, job, options, timing.allowed())
            children.append(context.Process(target=_party, args=arguments, daemon=True))
            children[-1].start()
            there.close()
            pipes[name].send(ports)
            ports[name] = heard(name, pipes[name])
        return gathered(pipes, children)


def _party(
    me: str,
    names: tuple[str, ...],
    folder: Path,
    parent: Connection,
    job: Job,
    options: Any,
    seconds: float,
) -> None:
    """Listens for those who come later, and dials those who came before."""
    ports = parent.recv()
    peers = [
        Peer(
            name,
            Address(LOOPBACK, ports[name]) if name in ports else None,
            load_pinned(name, folder / f"{name}.crt"),
        )
        for name in names
        if name != me
    ]
    endpoint = Endpoint(
        me,
        peers,
        identity=load_identity(me, folder / f"{me}.key", folder / f"{me}.crt"),
        listen=Address(LOOPBACK, 0),
        insecure=False,
    )
    with closing(endpoint):
        assert endpoint.address is not None
        parent.send(endpoint.address.port)
        links = {peer.name: endpoint.connect(peer.name) for peer in peers}
        with timing.spending(seconds):
            hand_back(parent, lambda: job(Seat(me, names, links), options))
        for link in links.values():
            link.close()
