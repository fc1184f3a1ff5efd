# SPDX-License-Identifier: Apache-2.0
"""Every kind of link, in pairs, and what tests of all kinds share."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from mpc.net import memory
from mpc.net.link import Link
from mpc.net.shaped import shape
from mpc.net.traced import Traced
from mpc.testing import grpc_pair

MIB = 1 << 20
# What is to end at once would else take 30 s; a busy machine may take some of them.
PROMPTLY = 20.0
Pair = tuple[Link, Link]
Links = Callable[..., Pair]


def _traced(links: Links, **bounds: int) -> Pair:
    left, right = links(**bounds)
    return Traced(left), Traced(right)


def _shaped(links: Links, **bounds: int) -> Pair:
    return shape(links(**bounds), latency=0.001, bandwidth=2e9)


KINDS: dict[str, Callable[[Path], Links]] = {
    "memory": lambda _folder: memory.pair,
    "grpc": lambda _folder: grpc_pair,
    "grpc tls": lambda folder: partial(grpc_pair, folder=folder),
    "shaped": lambda _folder: partial(_shaped, memory.pair),
    "traced": lambda _folder: partial(_traced, memory.pair),
    "shaped traced grpc": lambda _folder: partial(_shaped, partial(_traced, grpc_pair)),
}


def flood(put: Callable[[], None]) -> None:
    """Call ``put`` until it fails, which it does; what it raises passes."""
    for _ in range(1000):
        put()
    pytest.fail("a thousand messages were taken without a reader")


def within(seconds: float, begun: float) -> None:
    assert time.monotonic() - begun < seconds
