# SPDX-License-Identifier: Apache-2.0
"""Residues are drawn without bias, and packed as densely as they can be."""

from __future__ import annotations

import numpy as np
import pytest

from mpc.errors import CryptoError
from mpc.primitives import residues
from mpc.primitives.rlwe import PRIMES, T
from mpc.testing import seeded


@pytest.mark.parametrize("bound", [1, 2, 3, 5, 255, 256, 257, T[0], PRIMES[0], 2**32 - 1])
def test_draws_are_uniform(bound):
    count = 30_000
    drawn = residues.below(seeded(bound), bound, count)
    assert drawn.dtype == np.uint32
    cells = min(bound, 30)
    found = np.bincount(drawn.astype(np.uint64) * cells // bound, minlength=cells)
    edges = -(-np.arange(cells + 1) * bound // cells)
    expected = count * np.diff(edges) / bound
    assert len(found) == cells
    # Of cells - 1 degrees of freedom: six standard deviations above the mean, at least.
    assert ((found - expected) ** 2 / expected).sum() < cells + 9 * np.sqrt(2 * cells)


def test_no_prime_gets_what_another_rejects():
    drawn = residues.uniform(seeded(1), T, 5, 1000)
    assert drawn.shape == (5, 2, 1000)
    assert (drawn < np.array(T)[:, None]).all()
    assert drawn[:, 0].max() > T[1]


def part(row, low, many):
    """``many`` bits of each residue from bit ``low`` on, one after another."""
    bits = sum((x >> low & (1 << many) - 1) << many * i for i, x in enumerate(row))
    return bits.to_bytes(many * len(row) // 8, "little")


@pytest.mark.parametrize("size", [8, 16, 8192])
def test_packed_bits_are_those_of_the_residues(size):
    rows = residues.uniform(seeded(size), PRIMES, 2, size)
    rows[0, 0, :3] = 0, PRIMES[0] - 1, 1
    octets = residues.pack(rows)
    assert octets.shape == (2, len(PRIMES), residues.width(size))
    assert residues.width(size) * 8 == 29 * size
    for i in range(3):
        row, packed = rows[0, i].tolist(), octets[0, i].tobytes()
        assert packed == b"".join(part(row, *of) for of in ((0, 16), (16, 8), (24, 4), (28, 1)))
    assert np.array_equal(residues.unpack(octets, PRIMES, size), rows)


@pytest.mark.parametrize("place", range(len(PRIMES)))
def test_a_residue_beyond_its_prime_is_refused(place):
    rows = residues.uniform(seeded(2), PRIMES, 2, 16)
    rows[1, place, 7] = PRIMES[place] - 1
    assert np.array_equal(residues.unpack(residues.pack(rows), PRIMES, 16), rows)
    for beyond in (PRIMES[place], 2**29 - 1):
        rows[1, place, 7] = beyond
        with pytest.raises(CryptoError, match="below its prime"):
            residues.unpack(residues.pack(rows), PRIMES, 16)


def test_shapes_are_checked():
    octets = np.zeros((1, 6, residues.width(16)), np.uint8)
    for wrong in (octets[:, :5], octets[..., 1:], octets.astype(np.uint16)):
        with pytest.raises(ValueError, match="rows of 16"):
            residues.unpack(wrong, PRIMES, 16)
    for size in (1, 12, 8191):
        with pytest.raises(ValueError, match=f"a row of {size}"):
            residues.width(size)
