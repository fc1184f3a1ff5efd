# SPDX-License-Identifier: Apache-2.0
"""The pseudorandom function: as its definition has it, uniform, homomorphic, and strong enough."""

from __future__ import annotations

import copy
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc import kernels
from mpc.errors import ConfigError
from mpc.kernels import lwr as kernel
from mpc.primitives.lwr import BITS, MODULI, RANK, SIZE, Q, Secret, expand, rounded
from mpc.primitives.rng import Prg, uint64
from mpc.testing import seeded
from tests.conftest import BACKENDS
from tests.primitives import lwr_oracle as oracle
from tests.primitives.lattice import primal_bits

WRAP = np.uint64(2**BITS - 1)


def coefficients(seed, count):
    """Random ones modulo q, and many at the edges of an interval of rounding."""
    draw = np.random.default_rng(seed)
    out = draw.integers(0, Q, (count, SIZE)).astype(object)
    steps = draw.integers(0, 2**BITS + 1, (count, SIZE)).astype(object)
    edges = (steps * Q + 2**BITS - 1) // 2**BITS - draw.integers(0, 2, (count, SIZE))
    return np.where(draw.random((count, SIZE)) < 0.5, out, edges) % Q


def test_the_function_is_that_of_the_definition(backend):
    """Inner products of polynomials modulo X^18 + X^9 + 1 and q, in integers, rounded down."""
    rng = seeded("lwr definition")
    secret, seeds = Secret.draw(rng), uint64(rng, (3, 2))
    key = oracle.from_hat(secret.residues)
    sums = []
    for seed in seeds:
        row = np.array(oracle.expand(seed)[0], np.uint32).reshape(2, RANK, SIZE)
        pairs = zip(oracle.from_hat(row), key, strict=True)
        sums.append(np.sum([oracle.product(x, y) for x, y in pairs], axis=0) % Q)
    masks = secret.masks(seeds, rng)
    assert masks.dtype == np.uint64
    # Where nothing is next to the end of an interval, what is added makes no difference.
    low, high = oracle.floors(sums, BITS), oracle.floors(np.add(sums, 1), BITS)
    assert np.all((masks == low) | (masks == high & WRAP))
    assert np.mean(low == high) > 0.9


@pytest.mark.parametrize("bits", [1, 20, 34, 35])
def test_rounding_is_exact(backend, bits):
    chosen = coefficients(1, 200)
    chosen[0], chosen[1], chosen[2], chosen[3] = 0, Q - 1, 1, MODULI[0]
    hat = oracle.hat(chosen)
    assert np.array_equal(kernel.rounded(hat, bits), oracle.floors(chosen, bits))
    dither = uint64(seeded("lwr dither"), chosen.shape)
    dither[:20], dither[20:40] = 0, 2**64 - 1
    expected = oracle.floors(chosen, bits, dither)
    assert np.array_equal(kernel.rounded(hat, bits, dither), expected)
    if bits > 30:
        assert np.any(expected != oracle.floors(chosen, bits))
    assert np.array_equal(rounded(hat), oracle.floors(chosen, 35))


def test_every_mask_has_the_same_share_of_what_is_rounded(backend):
    """Of the reals below q, as exactly as 2^-64 is to 1: at both ends of an interval of 2^34, by
    how many of all dithers of a coefficient next to it go up."""
    for step in (1, 2, 3, 2**33 + 1, 2**34 - 1, 2**34):
        end = -(-step * Q // 2**34)  # the first coefficient that is not below
        need = Fraction(step * Q, 2**34) - (end - 1)  # of a unit, to get from the one before to it
        least = math.ceil(need * 2**64)
        dither = np.full((1, SIZE), least, np.uint64) if least < 2**64 else None
        hat = oracle.hat(np.full((1, SIZE), end - 1, object))
        if dither is not None:
            assert kernel.rounded(hat, 34, dither).min() == step
        assert kernel.rounded(hat, 34, np.full((1, SIZE), least - 1, np.uint64)).max() == step - 1


def test_extreme_values_are_rounded_exactly(backend):
    values = np.zeros((2, 4, SIZE), np.uint32)
    for of, modulus in zip(values, MODULI, strict=True):
        of[1:3] = modulus - 1
        of[2, ::2] = 0
        of[3, 5] = modulus - 1
    assert np.array_equal(rounded(values), oracle.floors(oracle.from_hat(values)))


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.sampled_from(BACKENDS), st.sampled_from(BACKENDS))
def test_shares_are_rounded_each_by_itself(seed, mine, other):
    """Random shares, and those where either one or the sum is at the edge of an interval, for the
    least and the most that is added before a mask is rounded."""
    a, y = coefficients(seed, 6), coefficients(seed + 1, 6)
    b = (y - a) % Q
    with kernels.use(mine):
        first = rounded(oracle.hat(a))
    with kernels.use(other):
        second = rounded(oracle.hat(b))
    for added in (0, 2**64 - 1):
        masks = oracle.floors(y, BITS, np.full(y.shape, added, np.uint64))
        off = (np.uint64(2) * masks - first - second + np.uint64(1)) & (
            WRAP << np.uint64(1) | np.uint64(1)
        )
        assert off.max() <= 3
    assert np.array_equal(first, oracle.floors(a))


def test_rounding_of_shares_of_a_mask(backend):
    """What a protocol does: shares of the inner product, made in the hat domain."""
    rng = seeded("lwr shares")
    secret, seeds = Secret.draw(rng), uint64(rng, (40, 2))
    moduli = np.array(MODULI, np.uint32)[:, None, None]
    own = np.stack([np.random.default_rng(t).integers(0, t, (40, SIZE)) for t in MODULI])
    own = own.astype(np.uint32)
    polynomials = expand(seeds).astype(np.uint64) * secret.residues[:, None].astype(np.uint64)
    sums = (polynomials.sum(axis=2) % moduli.astype(np.uint64)).astype(np.uint32)
    other = rounded((sums + moduli - own) % moduli)
    off = np.uint64(2) * secret.masks(seeds, rng) - rounded(own) - other
    counts = np.bincount((off + np.uint64(1) & np.uint64(2**35 - 1)).ravel().astype(int))
    # The sum of two fractions, from 0 or 1 to where they were cut: 2 takes what is added as well.
    assert len(counts) <= 4
    assert np.all(counts[:3] > off.size / 8)


def test_masks_are_uniform_and_differ():
    rng = seeded("lwr uniform")
    seeds = uint64(rng, (2000, 2))
    secret = Secret.draw(rng)
    masks = secret.masks(seeds, rng)
    assert masks.max() < 2**BITS
    for shift in (0, BITS - 6):
        counts = np.bincount((masks.ravel() >> np.uint64(shift) & np.uint64(63)).astype(int))
        mean = masks.size / 64
        assert abs(((counts - mean) ** 2 / mean).sum() - 63) < 6 * np.sqrt(2 * 63)
    close = seeds ^ np.uint64([0, 1])
    others = [secret.masks(close, rng), Secret.draw(rng).masks(seeds, rng)]
    assert not np.any(masks == others[0])
    assert not np.any(masks == others[1])


def test_masks_are_rounded_as_their_generator_has_it():
    """Were all rounded alike, some masks would be had from more numbers than others."""
    rng = seeded("lwr dithered")
    secret, seeds = Secret.draw(rng), uint64(rng, (2000, 2))
    sums, masks = kernel.products(secret.residues, seeds), []
    for label in ("one", "other"):
        dither = uint64(Prg(seeded(label).bytes(32)), (2000, SIZE))
        masks.append(secret.masks(seeds, seeded(label)))
        assert np.array_equal(masks[-1], kernel.rounded(sums, BITS, dither) & WRAP)
        # About nine are one more than they would be.
        more = masks[-1] - kernel.rounded(sums, BITS) & WRAP
        assert set(more.ravel().tolist()) == {0, 1}
        assert 1 <= more.sum() <= 25
    assert np.any(masks[0] != masks[1])


def test_equal_seeds_have_equal_sums_whatever_is_beside_them(monkeypatch):
    rng = seeded("lwr parts")
    secret, seeds = Secret.draw(rng), uint64(rng, (23, 2))
    whole = secret.masks(seeds, rng)
    monkeypatch.setattr("mpc.primitives.lwr._ROWS", 5)
    # Only where it is rounded makes a difference, in one of some two thousand.
    assert np.mean(secret.masks(seeds[::-1], rng) == whole[::-1]) > 0.98
    assert secret.masks(seeds[:0], rng).shape == (0, SIZE)


def test_keys_are_uniform_below_both_moduli():
    rng = seeded("lwr keys")
    keys = np.stack([Secret.draw(rng).residues for _ in range(40)])
    for which, modulus in enumerate(MODULI):
        of = keys[:, which].ravel().astype(np.uint64)
        assert of.max() < modulus
        counts = np.bincount((of * np.uint64(64) // np.uint64(modulus)).astype(int), minlength=64)
        mean = of.size / 64
        assert abs(((counts - mean) ** 2 / mean).sum() - 63) < 6 * np.sqrt(2 * 63)


def test_a_secret_is_not_shown_or_compared():
    secret = Secret.draw(seeded("lwr secret"))
    assert repr(secret) == str(secret) == "Secret(<secret>)"
    with pytest.raises(TypeError):
        secret == copy.copy(secret)  # noqa: B015
    with pytest.raises(TypeError):
        bool(secret)
    with pytest.raises(TypeError):
        hash(secret)
    with pytest.raises(AttributeError):
        secret.residues = kernel.MODULI


def test_a_secret_of_the_wrong_shape_is_an_error():
    right = Secret.draw(seeded("lwr shape")).residues
    for wrong in (right[:1], right[:, :79], right.astype(np.uint64)):
        with pytest.raises(ConfigError, match="residues"):
            Secret(wrong)


def test_parameters():
    """Primes with 27th roots of unity and slots; the ring's polynomial; at least 128 bits."""
    for t in MODULI:
        assert all(t % k for k in range(2, int(t**0.5) + 1))
        assert t % (27 * 2**14) == 1
        assert all((pow(r, 18, t) + pow(r, 9, t) + 1) % t == 0 for r in oracle.roots(t))
        assert len(set(oracle.roots(t))) == SIZE
    assert MODULI[0] * MODULI[1] == Q
    error = Q / 2**BITS / np.sqrt(12)  # uniform in an interval of q / p
    assert primal_bits(RANK * SIZE, np.log2(Q), error) == pytest.approx(140, abs=1)
    for t in MODULI:  # the samples modulo one of the primes are harder
        assert primal_bits(RANK * SIZE, np.log2(t), error) > 500
