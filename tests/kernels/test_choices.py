# SPDX-License-Identifier: Apache-2.0
"""Pads of one bit and of four: each is the lowest of a hash, on both kernels, and they are even."""

from __future__ import annotations

import numpy as np
import pytest

from mpc import kernels
from mpc.kernels import aes, choices
from mpc.primitives.rng import uint64
from mpc.testing import seeded

BACKENDS = ["portable"] + (["simd"] if kernels.backend() == "simd" else [])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 1000, 9000])
@pytest.mark.parametrize("width", [1, 4])
def test_each_pad_is_the_lowest_bits_of_a_hash(count, width, backend):
    rng = seeded(count)
    keys, shifts, schedule = uint64(rng, (count, 2)), uint64(rng, (16, 2)), aes.schedule(bytes(16))
    with kernels.use(backend):
        got = choices.pads(schedule, keys, shifts, width)
        assert got.dtype == choices.WIDTHS[width]
        low = 2**width - 1
        for v in range(16):
            want = aes.correlation_robust(schedule, keys ^ shifts[v])[:, 0] & np.uint64(low)
            assert np.array_equal(got >> v * width & low, want)


def test_wrong_shapes_are_refused():
    schedule, shifts = aes.schedule(bytes(16)), np.zeros((16, 2), np.uint64)
    with pytest.raises(ValueError, match="keys"):
        choices.pads(schedule, np.zeros((3, 3), np.uint64), shifts)
    with pytest.raises(ValueError, match="shifts"):
        choices.pads(schedule, np.zeros((3, 2), np.uint64), shifts[:8])
    with pytest.raises(ValueError, match="1 or 4 bits"):
        choices.pads(schedule, np.zeros((3, 2), np.uint64), shifts, 2)
