# SPDX-License-Identifier: Apache-2.0
"""Vector OLE and oblivious transfer between two processes: correlations per second, bytes, rounds.

Each side has one thread and they talk over a pipe, so that nothing but the protocol is measured;
the rate is the count over the time until both sides have their output, of which the bases are a
part. The floor is AES-128 in counter mode by OpenSSL, blocks of 16 bytes per second and core.
"Parts" are the local stages on one core: trees, and the code.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from mpc import kernels
from mpc.errors import PeerClosed
from mpc.kernels import aes, gf128
from mpc.net.channel import Channel
from mpc.net.link import Frame, Link
from mpc.net.traced import Traced, Traffic
from mpc.primitives import lpn, puncturable
from mpc.protocols import ot, vole
from mpc.protocols.vole.rings import elements

from ._flights import Chain, Chained
from ._options import several, some_of, whole
from .harness import floors
from .harness.timing import rate, turns
from .record import Record, middle

QUICK = "--counts 4096 --repeat 2"
SWEEP = "--counts 256,4096,65536,1048576,4194304 --repeat 2"
GROWS_WITH = (("count",),)

_RINGS = {"bits": vole.BITS, "words": vole.WORDS, "blocks": vole.BLOCKS, "z64": vole.Z64}
_AES_BLOCKS = 1 << 20
_BASES = 128


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Counts and rings."""
    parser.add_argument(
        "--counts", type=several, default="4096,65536,1363149", help="correlations of a run"
    )
    parser.add_argument(
        "--rings", type=some_of(*_RINGS), default=",".join(_RINGS), help="of " + ", ".join(_RINGS)
    )
    parser.add_argument("--repeat", type=whole, default=5)


def run(options: argparse.Namespace) -> list[Record]:
    """Measure AES, the local parts, base transfers, and every ring at every count."""
    counts = list(options.counts)
    with kernels.use(threads=1):
        keys = aes.schedule(bytes(16))
        floor = floors.aes()
        blocks, _ = rate(floor.run, floor.count, options.repeat)
        own = rate(lambda: aes.counter(keys, _AES_BLOCKS), _AES_BLOCKS, options.repeat)
        right = _aes_is_right(keys)
        records = [_record("vole.aes", {}, "block/s", *own, aes_rate=blocks, checked=right)]
        records += _parts(max(counts), options.repeat, blocks)
    context = multiprocessing.get_context("spawn")
    near, far = context.Pipe()
    process = context.Process(target=_far, args=(far,))
    process.start()
    try:
        records += _protocols(near, counts, list(options.rings), options.repeat, blocks)
    finally:
        near.send(None)
        process.join()
    return records


def _record(
    benchmark: str,
    params: dict[str, object],
    unit: str,
    median: float,
    spread: float,
    *,
    aes_rate: float | None = None,
    traffic: Traffic | None = None,
    rounds: int | None = None,
    checked: bool,
) -> Record:
    return Record(
        benchmark=benchmark,
        params=params,
        unit=unit,
        median=median,
        spread=spread,
        bytes=None if traffic is None else traffic.sent_bytes + traffic.received_bytes,
        rounds=rounds,
        floor=None if aes_rate is None else ("aes", median / aes_rate),
        checked=checked,
    )


def _aes_is_right(keys: Any) -> bool:
    with kernels.use("portable"):
        expected = aes.counter(keys, 1000)
    return np.array_equal(aes.counter(keys, 1000), expected)


def _parts(count: int, repeat: int, aes_rate: float) -> list[Record]:
    """Leaves of trees a second, and outputs of the code a second."""
    noise = vole.BLOCKS.noise(count)
    roots = np.zeros((noise.points, 2), np.uint64)
    grow = partial(puncturable.grow, roots, noise.block, bytes(16))
    leaves, sums = grow()
    right = np.array_equal(np.bitwise_xor.reduce(leaves, axis=1), sums[:, -1, 0] ^ sums[:, -1, 1])
    shares = leaves.reshape(-1, 2)
    compress = partial(lpn.compress, shares, noise.outputs, bytes(16))
    where: dict[str, object] = {"count": count}
    return [
        _record(
            "vole.part",
            {**where, "part": part},
            "1/s",
            *rate(work, size, repeat),
            aes_rate=aes_rate,
            checked=right,
        )
        for part, work, size in (
            ("leaves", grow, noise.length),
            ("code", compress, noise.outputs),
        )
    ]


class PipeLink:
    """A link over a pipe of ``multiprocessing``."""

    peer = "far"

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def put(self, frame: Frame, _timeout: float | None = None) -> None:
        self._pipe.send_bytes(frame)

    def get(self, timeout: float | None = None) -> Frame:
        if not self._pipe.poll(timeout):
            raise PeerClosed(self.peer, "said nothing")
        return self._pipe.recv_bytes()

    def close(self, _timeout: float | None = None) -> None:
        self._pipe.close()


def _link(pipe: Connection, chain: Chain | None) -> Link:
    link: Link = PipeLink(pipe)
    return link if chain is None else Chained(link, chain)


def _far(pipe: Connection) -> None:
    """The sender's process: runs what it is told, and hands back what it got."""
    with kernels.use(threads=1):
        while (order := pipe.recv()) is not None:
            name, count, chained = order
            channel = Channel(_link(pipe, Chain() if chained else None))
            if name == "bases":
                output: Any = ot.sender(channel, count)
            else:
                output = vole.sender(channel, count, ring=_RINGS[name])
            pipe.send_bytes(b"done")
            pipe.send(output)


def _protocols(
    pipe: Connection, counts: list[int], rings: list[str], repeat: int, aes_rate: float
) -> list[Record]:
    choices = np.random.default_rng(0).integers(0, 2, _BASES).astype(np.uint8)
    receive: Callable[[Channel], Any] = partial(ot.receiver, choices=choices)
    right: Callable[[Any, Any], bool] = partial(_is_chosen, choices)
    records = [
        _record(
            "ot.base",
            {"count": _BASES},
            "1/s",
            **_measured(pipe, "bases", _BASES, receive, right, repeat),
        )
    ]
    for name in rings:
        for count in counts:
            receive = partial(vole.receiver, count=count, ring=_RINGS[name])
            right = partial(_is_correlated, _RINGS[name])
            records.append(
                _record(
                    "vole.correlations",
                    {"ring": name, "count": count},
                    "1/s",
                    aes_rate=aes_rate,
                    **_measured(pipe, name, count, receive, right, repeat),
                )
            )
    return records


def _measured(
    pipe: Connection,
    name: str,
    count: int,
    receive: Callable[[Channel], Any],
    right: Callable[[Any, Any], bool],
    repeat: int,
) -> dict[str, Any]:
    """What ``_record`` says of the receiver."""

    def once(chain: Chain | None = None) -> tuple[float, Traffic, bool]:
        link = Traced(_link(pipe, chain), digest=False)
        pipe.send((name, count, chain is not None))
        begun = time.perf_counter()
        with kernels.use(threads=1):
            mine = receive(Channel(link))
        pipe.recv_bytes()
        seconds = time.perf_counter() - begun
        return count / seconds, link.traffic, right(pipe.recv(), mine)

    # The first run compiles or loads the kernels and tells the rounds, and is not timed.
    chain = Chain()
    _, traffic, checked = once(chain)
    rates: list[float] = []
    for _ in turns({"all": rates}, at_least=repeat):
        again, traffic, good = once()
        rates.append(again)
        checked = checked and good
    median, spread = middle(rates)
    return {
        "median": median,
        "spread": spread,
        "traffic": traffic,
        "rounds": chain.rounds,
        "checked": checked,
    }


def _is_chosen(choices: Any, both: Any, one: Any) -> bool:
    """Whether the keys the receiver has are those it chose."""
    return np.array_equal(both[np.arange(len(choices)), choices], one)


def _is_correlated(ring: vole.Ring, theirs: Any, mine: Any) -> bool:
    """Whether c = a * delta + b in every place."""
    (delta, b), (a, c) = theirs, mine
    if ring.modular:
        return np.array_equal(c, a * delta + b)
    return np.array_equal(c, gf128.multiply(elements(a.astype(np.uint64)), delta) ^ b)
