# SPDX-License-Identifier: Apache-2.0
"""What tests of kernels share."""

from __future__ import annotations

import pytest

from mpc import kernels
from mpc.kernels import helpers
from tests.kernels.batches import all_are_idle, settle


@pytest.fixture(params=["portable", "simd"])
def backend(request):
    if request.param == "simd" and kernels.backend() != "simd":
        pytest.skip("no simd kernels here")
    with kernels.use(request.param):
        yield request.param


@pytest.fixture
def cut_all(monkeypatch):
    """Cut the smallest batches over threads too."""
    monkeypatch.setattr(helpers, "LEAST_SECONDS", 1e-12)


@pytest.fixture
def no_helpers():
    """None from before, and none is left to the next test: what they do is counted."""

    def leave():
        settle(all_are_idle)
        settle(lambda: not helpers._helpers)
        settle(lambda: not helpers._idle)

    leave()
    yield
    leave()
