# SPDX-License-Identifier: Apache-2.0
"""Parties in processes of their own, every two of them connected by gRPC with mutual TLS."""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from mpc.net import columns
from mpc.net.channel import Channel
from mpc.net.grpc_link import Endpoint
from mpc.net.mesh import Mesh
from mpc.net.peer import Address, Peer
from mpc.net.shaped import Shaped
from mpc.net.tls import load_identity, load_pinned, make_identity
from mpc.net.traced import Traced
from mpc.pb.v1.columns_pb2 import Column

from .record import Record, middle

LOOPBACK = "127.0.0.1"
SHAPES = {"tls": None, "20ms": (0.01, 1e9), "wan": (0.05, 100e6 / 8)}
"""Seconds one way and bytes a second on top of the loopback: none, a round trip of 20 ms, and
100 Mbit/s with 50 ms."""

Job = Callable[["Seat", Any], Any]


@dataclass(frozen=True, slots=True)
class Seat:
    """A party's place at the table: how to connect it with the others, under each shape."""

    me: str
    names: tuple[str, ...]
    links: dict[str, Any]

    def mesh(self, shape: str = "tls") -> tuple[Mesh, list[Traced]]:
        """A mesh of all, and its links, which count."""
        way, traced = SHAPES[shape], {}
        for name, link in self.links.items():
            shaped = link if way is None else Shaped(link, latency=way[0], bandwidth=way[1])
            traced[name] = Traced(shaped, digest=False)
        channels = {name: Channel(link) for name, link in traced.items()}
        return Mesh(self.me, self.names, channels), list(traced.values())

    def together(self) -> None:
        """Wait until all are here."""
        self._tell(0.0)

    def began(self, begun: float) -> float:
        """When the first of all began, who each tell when they did; one machine has one clock."""
        return min(begun, *self._tell(begun))

    def _tell(self, number: float) -> list[float]:
        message = Column(**columns.pack(np.array([number])))
        channels = [Channel(link) for link in self.links.values()]
        for channel in channels:
            channel.send(message)
        heard = [columns.unpack_uint64(c.recv(Column), peer=c.peer, count=1) for c in channels]
        return [float(words.view(np.float64)[0]) for words in heard]


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of each run, bytes both ways and rounds of one, and whether results were right."""

    seconds: list[float]
    bytes: int
    rounds: int
    checked: bool

    def record(self, benchmark: str, params: dict[str, object], floor: float | None) -> Record:
        """In seconds, beside the seconds of the bare exchange of as many bytes."""
        median, spread = middle(self.seconds)
        return Record(
            benchmark=benchmark,
            params=params,
            unit="s",
            median=median,
            spread=spread,
            bytes=self.bytes,
            rounds=self.rounds,
            floor=None if floor is None else ("exchange", median / floor),
            checked=self.checked,
        )

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

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def timed(
    seat: Seat,
    shape: str,
    repeat: int,
    ready: Callable[[Mesh], Any],
    work: Callable[[Any], Any],
    right: Callable[[Any], bool],
) -> Times:
    """``work`` on what ``ready`` makes of a mesh, which is not counted; nor is the first run.

    From when the first party begins, so that none gains from one that was ahead, to the result.
    """
    seconds, checked = [], True
    for turn in range(repeat + 1):
        mesh, links = seat.mesh(shape)
        held = ready(mesh)
        before = [link.traffic for link in links]
        seat.together()
        begun = time.perf_counter()
        found = work(held)
        ended = time.perf_counter()
        moved = [
            link.traffic.sent_bytes + link.traffic.received_bytes - t.sent_bytes - t.received_bytes
            for link, t in zip(links, before, strict=True)
        ]
        rounds = [link.traffic.rounds - t.rounds for link, t in zip(links, before, strict=True)]
        whole = ended - seat.began(begun)
        # The first run compiles or loads the kernels.
        if turn:
            seconds.append(whole)
        checked = checked and right(found)
    return Times(seconds, sum(moved), max(rounds), checked)


def play(names: Sequence[str], job: Job, options: Any) -> dict[str, Any]:
    """What ``job`` gives in the process of each of the parties."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            make_identity(name, Path(folder))
        pipes, children, ports = {}, [], {}
        for name in names:
            pipes[name], there = context.Pipe()
            arguments = (name, tuple(names), Path(folder), there, job, options)
            children.append(context.Process(target=_party, args=arguments))
            children[-1].start()
            pipes[name].send(ports)
            ports[name] = pipes[name].recv()
        results = {name: pipes[name].recv() for name in names}
        for child in children:
            child.join()
    return results


def _party(
    me: str, names: tuple[str, ...], folder: Path, parent: Connection, job: Job, options: Any
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
        parent.send(job(Seat(me, names, links), options))
        for link in links.values():
            link.close()
