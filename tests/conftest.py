# SPDX-License-Identifier: Apache-2.0
"""Fixtures of all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from mpc import kernels
from mpc.cli import processes
from tests.ports import free_ports

BACKENDS = ["portable"] + (["simd"] if kernels.backend() == "simd" else [])

# No example is failed for the time it took: other processes use the machine too.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(autouse=True, scope="session")
def _own_ports() -> Iterator[None]:
    """The demo's parties listen where no other test process lets any listen."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "free_ports", free_ports)
        yield


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each backend that runs here, in turn."""
    with kernels.use(request.param):
        yield request.param
