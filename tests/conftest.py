# SPDX-License-Identifier: Apache-2.0
"""Fixtures of all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mpc import kernels

BACKENDS = ["portable"] + (["simd"] if kernels.backend() == "simd" else [])


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each backend that runs here, in turn."""
    with kernels.use(request.param):
        yield request.param
