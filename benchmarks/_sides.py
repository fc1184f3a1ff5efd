# SPDX-License-Identifier: Apache-2.0
"""Two sides of one protocol, each in a process of its own, over the gRPC link with TLS."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from mpc.net.channel import Channel
from mpc.net.grpc_link import Endpoint
from mpc.net.link import Link
from mpc.net.peer import Address, Peer
from mpc.net.tls import load_identity, load_pinned, make_identity
from mpc.net.traced import Traced
from mpc.pb.v1.columns_pb2 import Column
from mpc.tracing import Span, listening

C = TypeVar("C")

_LOOPBACK = "127.0.0.1"


@dataclass(slots=True)
class Sample:
    """What one side saw of one run; ``memory`` is its peak in MB above what it held before."""

    wall: float
    cpu: float
    bytes: int
    rounds: int
    memory: float
    output: Any
    stages: dict[str, float] = field(default_factory=dict)


Role = Callable[[Channel, Any, str], Any]
"""What a side does in a case: its channel, the case, its name; what it returns is pickled."""


def measured(
    sides: tuple[str, str], role: Role, cases: Sequence[C], repeat: int
) -> dict[str, list[list[Sample]]]:
    """For each side the samples of each case; ``role`` is a function of a module.

    The first run of a case compiles or loads the kernels and is not counted.
    """
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        for side in sides:
            make_identity(side, Path(folder))
        pipes, children = {}, []
        for side in sides:
            pipes[side], there = context.Pipe()
            arguments = (side, sides, role, list(cases), repeat, Path(folder), there)
            children.append(context.Process(target=_side, args=arguments))
            children[-1].start()
            there.close()
        pipes[sides[1]].send(pipes[sides[0]].recv())
        results = {side: pipes[side].recv() for side in sides}
        for child in children:
            child.join()
    return results


def _side(
    side: str,
    sides: tuple[str, str],
    role: Role,
    cases: list[Any],
    repeat: int,
    folder: Path,
    parent: Connection,
) -> None:
    """One side's process: the first one listens, the second dials."""
    listens = side == sides[0]
    other = sides[1] if listens else sides[0]
    address = None if listens else Address(_LOOPBACK, parent.recv())
    endpoint = Endpoint(
        side,
        [Peer(other, address, load_pinned(other, folder / f"{other}.crt"))],
        identity=load_identity(side, folder / f"{side}.key", folder / f"{side}.crt"),
        listen=Address(_LOOPBACK, 0) if listens else None,
    )
    with closing(endpoint):
        if endpoint.address is not None:
            parent.send(endpoint.address.port)
        with closing(endpoint.connect(other)) as link:
            samples = []
            for case in cases:
                turns = [_sample(link, role, case, side) for _ in range(repeat + 1)]
                samples.append(turns[1:])
            parent.send(samples)


def _sample(link: Link, role: Role, case: Any, side: str) -> Sample:
    Channel(link).exchange(Column())
    traced = Traced(link, digest=False)
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    stages: dict[str, float] = {}

    def note(done: Span) -> None:
        if len(done.path) == 1:
            stages[done.name] = stages.get(done.name, 0.0) + done.wall

    with listening(note):
        wall, cpu = time.perf_counter(), time.process_time()
        output = role(Channel(traced), case, side)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    traffic = traced.traffic
    return Sample(
        wall=wall,
        cpu=cpu,
        bytes=traffic.sent_bytes + traffic.received_bytes,
        rounds=traffic.rounds,
        memory=_resident("VmHWM") - before,
        output=output,
        stages=stages,
    )


def _resident(key: str) -> float:
    """Megabytes: resident now (VmRSS), or at most since the last reset (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(key))
