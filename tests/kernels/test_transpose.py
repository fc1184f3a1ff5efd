# SPDX-License-Identifier: Apache-2.0
"""The bit transpose, bit by bit."""

from __future__ import annotations

import numpy as np
import pytest

from mpc import kernels
from mpc.kernels import transpose
from mpc.primitives.rng import uint64
from mpc.testing import seeded

BACKENDS = ["portable"] + (["simd"] if kernels.backend() == "simd" else [])


def bit(block, i):
    return int(block[i // 64]) >> i % 64 & 1


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("blocks", [0, 1, 3])
def test_rows_of_columns(backend, blocks):
    columns = uint64(seeded(blocks), (128, blocks, 2))
    with kernels.use(backend):
        rows = transpose.rows(columns)
    assert rows.shape == (128 * blocks, 2)
    for i in range(len(rows)):
        for j in range(128):
            assert bit(rows[i], j) == bit(columns[j, i // 128], i % 128)


@pytest.mark.parametrize("shape", [(127, 1, 2), (128, 2), (128, 1, 3)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="128 columns"):
        transpose.rows(np.zeros(shape, np.uint64))
