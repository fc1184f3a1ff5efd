# SPDX-License-Identifier: Apache-2.0
"""The band matrix store: every key decodes, sums decode to sums, failures are as rare as stated."""

from __future__ import annotations

import numpy as np
import pytest

from mpc import kernels
from mpc.primitives.band import Parameters, Rows
from mpc.primitives.rng import uint64
from mpc.testing import seeded
from tests.conftest import BACKENDS

SEED = b"sixteen bytes ok"


@pytest.mark.parametrize("words", [1, 3, 10])
@pytest.mark.parametrize("count", [0, 1, 2, 63, 64, 65, 1000, 10_000])
def test_every_key_decodes_from_the_one_store_of_both_backends(count, words):
    rng = seeded(f"band{count}")
    keys, values = uint64(rng, (count, 2)), uint64(rng, (count, words))
    stores = []
    for name in BACKENDS:
        with kernels.use(name):
            rows = Rows.of(keys, SEED, Parameters.of(count))
            stores.append(rows.encode(values, seeded("free")))
            assert stores[-1].shape == (rows.parameters.size, words)
            assert np.array_equal(rows.decode(stores[0]), values)
    assert all(np.array_equal(store, stores[0]) for store in stores)
