# SPDX-License-Identifier: Apache-2.0
"""Every kind of link a protocol may run over, as context managers that give both ends."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from mpc.net import memory, tls
from mpc.net.grpc_link import Endpoint
from mpc.net.link import Link
from mpc.net.peer import Address, Peer
from mpc.net.shaped import Shaped
from mpc.net.traced import Traced

Ends = tuple[Link, Link]


@contextmanager
def over_memory(_folder: Path) -> Iterator[Ends]:
    yield memory.pair()


@contextmanager
def over_small_memory(_folder: Path) -> Iterator[Ends]:
    """Holds next to nothing each way: a role that sends too far ahead would wait for ever."""
    yield memory.pair(capacity=1)


@contextmanager
def over_traced(_folder: Path) -> Iterator[Ends]:
    left, right = memory.pair()
    yield Traced(left), Traced(right)


@contextmanager
def over_shaped(_folder: Path) -> Iterator[Ends]:
    left, right = memory.pair()
    yield Shaped(left, latency=0.002, bandwidth=1e8), Shaped(right, latency=0.002, bandwidth=1e8)


@contextmanager
def over_grpc(_folder: Path) -> Iterator[Ends]:
    with _endpoints(None, None, None, None, insecure=True) as ends:
        yield ends


@contextmanager
def over_tls(folder: Path) -> Iterator[Ends]:
    left, right = tls.make_identity("left", folder), tls.make_identity("right", folder)
    trust = [tls.load_pinned(name, folder / f"{name}.crt") for name in ("left", "right")]
    with _endpoints(left, right, *trust, insecure=False) as ends:
        yield ends


@contextmanager
def _endpoints(
    left: tls.Identity | None,
    right: tls.Identity | None,
    left_trust: tls.Trust | None,
    right_trust: tls.Trust | None,
    *,
    insecure: bool,
) -> Iterator[Ends]:
    listening = Endpoint(
        "left",
        [Peer("right", None, right_trust)],
        identity=left,
        listen=Address.parse("127.0.0.1:0"),
        insecure=insecure,
    )
    try:
        dialling = Endpoint(
            "right",
            [Peer("left", listening.address, left_trust)],
            identity=right,
            insecure=insecure,
        )
        try:
            with ThreadPoolExecutor(1) as pool:
                waiting = pool.submit(listening.connect, "right")
                to_left = dialling.connect("left")
                yield waiting.result(), to_left
        finally:
            dialling.close()
    finally:
        listening.close()


KINDS = {
    "memory": over_memory,
    "small memory": over_small_memory,
    "traced": over_traced,
    "shaped": over_shaped,
    "grpc": over_grpc,
    "tls": over_tls,
}
