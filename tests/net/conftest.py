# SPDX-License-Identifier: Apache-2.0
"""Parties with keys for the tests of the network; every test ends with the threads and processes
it began with."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from link_pairs import KINDS, Links, Pair
from net_parties import Parties
from session_files import Files

from mpc.errors import ChannelError
from mpc.net.link import Link

LEFTOVER_SECONDS = 30.0


def _running() -> set[object]:
    return {*threading.enumerate(), *psutil.Process().children(recursive=True)}


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    gc.collect()  # what an earlier failure may have kept is not this test's
    before = _running()
    yield
    deadline = time.monotonic() + LEFTOVER_SECONDS
    while (left := _running() - before) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not left


@pytest.fixture
def parties(tmp_path: Path) -> Iterator[Parties]:
    made = Parties(tmp_path)
    yield made
    made.close()


@pytest.fixture(params=KINDS)
def links(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Links]:
    """A way to make pairs; what it made is closed after the test."""
    make = KINDS[request.param]
    made: list[Link] = []

    def pair(**bounds: int) -> Pair:
        both = make(tmp_path_factory.mktemp("keys"))(**bounds)
        made.extend(both)
        return both

    yield pair
    for link in made:
        with suppress(ChannelError):
            link.close(0.1)


@pytest.fixture
def pair(links: Links) -> Pair:
    return links()


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Those of three parties in a folder of the test's own."""
    return Files(tmp_path)
