# SPDX-License-Identifier: Apache-2.0
"""Masked sums of products with encrypted vectors: exact, hidden, and refused where malformed."""

from __future__ import annotations

import numpy as np
import pytest

from mpc.primitives import residues
from mpc.primitives.rlwe import SLOTS, Key, T, Vectors
from mpc.testing import seeded

Q = np.array(T, np.uint64)[:, None]


def sums(plain, values, masks):
    """What decryption is to give, from plain residues."""
    return ((plain.astype(np.uint64) * values % Q).sum(axis=1) + masks) % Q


def slots(rng, *shape):
    count = int(np.prod(shape))
    return residues.uniform(rng, T, count, SLOTS).reshape(*shape, len(T), SLOTS)


@pytest.mark.parametrize("seed", range(3))
def test_sums_of_products(backend, seed):
    rng = seeded(seed)
    values, plain = slots(rng, 3), slots(rng, 2, 3)
    key = Key.draw(rng)
    vectors = Vectors.read(*key.encrypt(values, rng), 3)
    answers, masks = vectors.products(plain, rng)
    assert np.array_equal(key.decrypt(answers), sums(plain, values, masks))
