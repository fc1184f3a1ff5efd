# SPDX-License-Identifier: Apache-2.0
"""What tests of kernels share."""

from __future__ import annotations

from collections import deque

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
def no_helpers(monkeypatch):
    """None from before, and none that comes late to the next test: what they do is counted."""
    settle(all_are_idle)
    monkeypatch.setattr(helpers, "_helpers", set())
    monkeypatch.setattr(helpers, "_idle", deque())
    yield
    settle(all_are_idle)
