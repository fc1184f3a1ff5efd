# SPDX-License-Identifier: Apache-2.0
"""The estimate of lattice attacks gives what is published, before any parameters rest on it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.primitives.lattice import primal_bits


@pytest.mark.parametrize(
    ("dimension", "modulus", "variance", "published"),
    [
        (1024, 12289, 8, 282),  # NewHope: eprint 2015/1092, table 4
        (512, 3329, 1.5, 118),  # Kyber512: its submission to NIST, round 3, table 4
        (768, 3329, 1, 182),  # Kyber768
        (1024, 3329, 1, 256),  # Kyber1024
    ],
)
def test_published_estimates(dimension, modulus, variance, published):
    bits = primal_bits(dimension, np.log2(modulus), np.sqrt(variance))
    assert bits == pytest.approx(published, abs=1.5)


def test_a_smaller_secret_is_easier():
    uniform = primal_bits(1024, 30, 100.0)
    assert primal_bits(1024, 30, 100.0, secret=100.0) == uniform
    assert primal_bits(1024, 30, 100.0, secret=1.0) < uniform - 5


def test_no_parameters_are_beyond_it():
    with pytest.raises(ValueError, match="block size"):
        primal_bits(64, 10, 300.0)
