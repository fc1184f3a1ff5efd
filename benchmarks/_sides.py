# SPDX-License-Identifier: Apache-2.0
"""Two sides of one protocol, each in a process of its own, over the real gRPC link."""

from __future__ import annotations

import multiprocessing
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
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

from ._flights import Chain
from ._processes import gathered, hand_back, heard, told
from .harness import timing
from .parties import shaped

C = TypeVar("C")


_LOOPBACK = "127.0.0.1"


@dataclass(slots=True)
class Stage:
    """One stage of one run: seconds, those of CPU of the side's whole process, bytes both ways,
    rounds (by how much the longest chain of messages grew), and the peak of memory in megabytes."""

    wall: float = 0.0
    cpu: float = 0.0
    bytes: int = 0
    rounds: int = 0
    memory: float | None = None


@dataclass(slots=True)
class Sample:
    """What one side saw of one run; ``memory`` is its peak in MB above what it held before."""

    wall: float
    cpu: float
    bytes: int
    rounds: int
    memory: float
    output: Any
    stages: dict[str, Stage] = field(default_factory=dict)


Role = Callable[[Channel, Any, str], Any]
"""What a side does in a case: its channel, the case, its name; what it returns is pickled."""


def measured(
    sides: tuple[str, str],
    role: Role,
    cases: Sequence[C],
    repeat: int,
    *,
    way: str = "tls",
    memory_by_stage: bool = False,
) -> dict[str, list[list[Sample]]]:
    """For each side the samples of each case; ``role`` is a function of a module.

    The first run of a case compiles or loads the kernels, tells the rounds, and is not timed. After
    ``repeat`` of them it goes on until the first side's median is steady, or time is over. With
    ``memory_by_stage`` one more comes last, for that, because it takes time to look at.
    """
    arguments = (role, list(cases), repeat, memory_by_stage)
    return in_two_processes(sides, way, _samples, sides[0], way, *arguments)


def in_two_processes(
    sides: tuple[str, str], way: str, work: Callable[..., Any], *arguments: Any
) -> dict[str, Any]:
    """What ``work(side, link, *arguments)`` returns on each side, in a process of its own. The link
    is over TLS if the ``way`` is ``tls``; if it is a shape, ``work`` puts that on top, by
    ``shaped``. The first side listens, the other dials."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        for side in sides:
            make_identity(side, Path(folder))
        pipes, children = {}, []
        for side in sides:
            pipes[side], there = context.Pipe()
            both = (side, sides[1 - sides.index(side)])
            meeting = (both, side == sides[0], way, Path(folder), there, timing.allowed())
            children.append(
                context.Process(target=_side, args=(*meeting, work, arguments), daemon=True)
            )
            children[-1].start()
            there.close()
        pipes[sides[1]].send(heard(sides[0], pipes[sides[0]]))
        return gathered(pipes, children)


def _side(
    names: tuple[str, str],
    listens: bool,
    way: str,
    folder: Path,
    parent: Connection,
    seconds: float,
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
        with closing(endpoint.connect(other)) as link, timing.spending(seconds):
            hand_back(parent, lambda: work(side, link, *arguments))


def _samples(
    side: str,
    link: Link,
    first: str,
    way: str,
    role: Role,
    cases: list[Any],
    repeat: int,
    memory_by_stage: bool,
) -> list[list[Sample]]:
    samples = []
    for case in cases:
        counted = _sample(link, way, role, case, side, chain=Chain())
        walls: list[float] = []
        taken = []
        for _ in timing.agreed(
            {"wall": walls}, at_least=repeat, decides=side == first, tell=partial(_either, link)
        ):
            taken.append(_sample(link, way, role, case, side))
            walls.append(taken[-1].wall)
        if memory_by_stage:
            taken.append(_sample(link, way, role, case, side, by_stage=True))
        samples.append([_with_rounds(sample, counted) for sample in taken])
    return samples


def _with_rounds(sample: Sample, counted: Sample) -> Sample:
    """``sample`` with the rounds that were counted in a run that was not timed."""
    stages = {
        name: replace(stage, rounds=counted.stages[name].rounds)
        for name, stage in sample.stages.items()
    }
    return replace(sample, rounds=counted.rounds, stages=stages)


def _either(link: Link, goes_on: bool) -> bool:
    """Whether one of the sides goes on."""
    return bool(max(goes_on, *told([link], goes_on)))


def _sample(
    link: Link,
    way: str,
    role: Role,
    case: Any,
    side: str,
    *,
    by_stage: bool = False,
    chain: Chain | None = None,
) -> Sample:
    # Without the shape: over a long link the side that comes last would hear of the other at once,
    # and begin a latency before it.
    Channel(link).exchange(Column())
    traced = Traced(shaped(link, way, chain), digest=False)
    channel = Channel(traced)
    before = _resident("VmRSS")
    _forget_peak()
    with _stages(traced, chain or Chain(), before if by_stage else None) as stages:
        wall, cpu = time.perf_counter(), time.process_time()
        output = role(channel, case, side)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    traffic = traced.traffic
    return Sample(
        wall=wall,
        cpu=cpu,
        bytes=traffic.sent_bytes + traffic.received_bytes,
        rounds=0 if chain is None else chain.rounds,
        memory=_resident("VmHWM") - before,
        output=output,
        stages=stages,
    )


def _resident(key: str) -> float:
    """Megabytes: resident now (VmRSS), or at most since the last reset (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(key))


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


@contextmanager
def _stages(traced: Traced, chain: Chain, before: float | None) -> Iterator[dict[str, Stage]]:
    """Add up the spans of the protocol's stages; what passed the link and what any thread computed
    since the stage before is the stage's, and with ``before`` also the peak of memory, above that.
    """
    stages: dict[str, Stage] = defaultdict(Stage)
    passed, rounds, used = 0, 0, time.process_time()
    here = threading.current_thread().name

    def note(span: Span) -> None:
        nonlocal passed, rounds, used
        if len(span.path) > 1:
            return  # a part of a stage is in the stage
        stage, traffic = stages[span.name], traced.traffic
        stage.wall += span.wall
        if span.thread != here:
            return  # beside a stage of the thread that sends and receives
        stage.bytes += traffic.sent_bytes + traffic.received_bytes - passed
        stage.rounds += (reached := chain.rounds) - rounds
        stage.cpu += (now := time.process_time()) - used
        passed, rounds, used = traffic.sent_bytes + traffic.received_bytes, reached, now
        if before is not None:
            stage.memory = max(stage.memory or 0.0, _resident("VmHWM") - before, 0.0)
            _forget_peak()

    with listening(note):
        yield stages
