# SPDX-License-Identifier: Apache-2.0
"""What tests of kernels share."""

from __future__ import annotations

import pytest

from mpc import kernels


@pytest.fixture(params=["portable", "simd"])
def backend(request):
    if request.param == "simd" and kernels.backend() != "simd":
        pytest.skip("no simd kernels here")
    with kernels.use(request.param):
        yield request.param
