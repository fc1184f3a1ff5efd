# SPDX-License-Identifier: Apache-2.0
"""Ports for parties that are told of each other's before they listen.

Each test process has its own, in turn, below those that the system gives out: none of them is taken
between here and there by another test.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain, cycle

from mpc.cli import processes

_EACH = 1000
_FIRST = 20_000 + _EACH * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 12)
_OURS: Iterator[int] = cycle(range(_FIRST, _FIRST + _EACH))
_REAL = processes.free_ports


def free_ports(count: int) -> list[int]:
    """As ``processes.free_ports``, for which it stands in in tests."""
    # One at a time, so that none is tried and let go.
    return list(chain.from_iterable(_REAL(1, _OURS) for _ in range(count)))
