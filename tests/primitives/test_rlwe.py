# SPDX-License-Identifier: Apache-2.0
"""Masked sums of products with encrypted vectors: exact, hidden, and refused where malformed."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import gmpy2
import numpy as np
import pytest

from mpc import kernels
from mpc.errors import CryptoError
from mpc.kernels import ntt
from mpc.primitives import residues, rlwe
from mpc.primitives.rlwe import ETA, KEPT, PRIMES, SLOTS, Budget, Key, T, Vectors
from mpc.testing import seeded
from tests.primitives.lattice import primal_bits

TERMS = 3
T_MODULI = np.array(T, np.uint64)[:, None]
T_PRODUCT, Q_PRODUCT = math.prod(T), math.prod(PRIMES)
DROPPED = math.prod(PRIMES[KEPT:])
SIGMA = math.sqrt(ETA / 2)


def slots(rng, *shape):
    count = math.prod(shape)
    return residues.uniform(rng, T, count, SLOTS).reshape(*shape, len(T), SLOTS)


def constant(value, *shape):
    """Slots of ``value``, from below where it is negative."""
    each = [[value % prime] for prime in T]
    return np.broadcast_to(each, (*shape, 2, SLOTS)).astype(np.uint32)


def sums(plain, values, masks):
    """What decryption is to give."""
    return ((plain.astype(np.uint64) * values % T_MODULI).sum(axis=1) + masks) % T_MODULI


@cache
def holder(backend):
    """A key, values, and what was sent of them."""
    assert kernels.backend() == backend
    rng = seeded("holder")
    key, values = Key.draw(rng), slots(rng, TERMS)
    return key, values, *key.encrypt(values, rng)


@pytest.fixture
def side(backend):
    key, values, seed, sent = holder(backend)
    return key, values, Vectors.read(seed, sent, TERMS)


def whole(values, primes):
    """Of residues (primes, n) the integers of least absolute value."""
    product = math.prod(primes)
    parts = [product // prime * pow(product // prime, -1, prime) for prime in primes]
    integers = (values.astype(object) * np.array(parts)[:, None]).sum(axis=0)
    return (integers + product // 2) % product - product // 2


def noise(phase, primes):
    """How far (primes, n) coefficients are from a multiple of the primes' product over t."""
    grown = phase.astype(object) * T_PRODUCT % np.array(primes)[:, None]
    return (whole(grown, primes) / T_PRODUCT).astype(float)


def test_parameters():
    candidates = range(2**29 - 2**14 + 1, 0, -(2**14))
    assert [p for p in candidates[:200] if gmpy2.is_prime(p)][: len(PRIMES)] == list(PRIMES)
    assert all(gmpy2.is_prime(p) and p % (27 * 2**14) == 1 for p in T)
    secret = math.sqrt(2 / 3)
    assert primal_bits(SLOTS, math.log2(Q_PRODUCT), SIGMA, secret) > 130


@pytest.mark.parametrize("seed", range(3))
def test_sums_of_products(backend, seed):
    rng = seeded(seed)
    values, plain = slots(rng, 2), slots(rng, 2, 2)
    key = Key.draw(rng)
    vectors = Vectors.read(*key.encrypt(values, rng), 2)
    answers, masks = vectors.products(plain, rng)
    assert answers.shape == (2, rlwe.ANSWER_BYTES)
    assert np.array_equal(key.decrypt(answers), sums(plain, values, masks))


@pytest.mark.parametrize("value", [0, 1, -1])
@pytest.mark.parametrize("factor", [0, 1, -1])
def test_extreme_slots(backend, value, factor):
    rng = seeded("extreme")
    key, values = Key.draw(rng), constant(value, TERMS)
    vectors = Vectors.read(*key.encrypt(values, rng), TERMS)
    plain = constant(factor, 1, TERMS)
    answers, masks = vectors.products(plain, rng)
    assert np.array_equal(key.decrypt(answers), sums(plain, values, masks))


def test_extreme_coefficients(side, backend):
    """Coefficients of t / 2 are the largest that products have, and those of 0 to t - 1 in m."""
    key, values, vectors = side
    rng, transform = seeded("coefficients"), ntt.Transform.of(T, SLOTS)
    halves = np.array([[T[0] - 1], [T[1] // 2]], np.uint32)  # t1 - 1 + t1 (t2 // 2), about
    plain = transform.inverse(np.zeros((1, TERMS, 2, SLOTS), np.uint32))
    plain[:, :] = halves
    plain = transform.forward(plain)
    answers, masks = vectors.products(plain, rng)
    assert np.array_equal(key.decrypt(answers), sums(plain, values, masks))


def test_no_blocks(side):
    key, _, vectors = side
    answers, masks = vectors.products(slots(seeded(1), 0, TERMS))
    assert (answers.shape, masks.shape) == ((0, rlwe.ANSWER_BYTES), (0, 2, SLOTS))
    assert key.decrypt(answers).shape == (0, 2, SLOTS)


def test_backends_read_each_other():
    found = []
    for name in ("portable", kernels.backend()):
        with kernels.use(name):
            rng = seeded("backends")
            key, values = Key.draw(rng), slots(rng, 1)
            sent = key.encrypt(values, rng)
            answers, _ = Vectors.read(*sent, 1).products(values[None], rng)
            found.append((*sent, answers, key.decrypt(answers)))
    assert found[0][0] == found[1][0]
    assert all(np.array_equal(a, b) for a, b in zip(found[0][1:], found[1][1:], strict=True))


def test_budget_of_the_lookup():
    budget = Budget.of(80, 512)
    assert 2**62 < budget.honest < 2**63
    assert budget.smudging == 125
    assert Budget.of(80, 145).smudging == 123
    assert budget.final < 2**10 < math.prod(PRIMES[:KEPT]) / T_PRODUCT / 2


@pytest.mark.parametrize(("terms", "blocks"), [(1, 1), (3, 7), (80, 145), (80, 2304), (120, 2048)])
def test_a_run_shows_no_more_than_was_said(terms, blocks):
    budget = Budget.of(terms, blocks)
    # Of a coefficient: the distance, and where the bound on its noise fails.
    shown = budget.honest / 2.0 ** (budget.smudging + 1) + 2.0**-70
    assert shown * blocks * SLOTS <= 2.0**-40
    assert budget.final < math.prod(PRIMES[:KEPT]) / T_PRODUCT / 2


def test_products_of_too_many_terms():
    most = max(terms for terms in range(80, 600) if _within(terms))
    assert 400 < most < 600
    for terms in (0, most + 1, 10**6):
        with pytest.raises(ValueError, match="terms"):
            Budget.of(terms)
        with pytest.raises(ValueError, match="terms"):
            Vectors.read(bytes(32), np.zeros((1, rlwe.POLYNOMIAL_BYTES), np.uint8), terms)
    for blocks in (0, 5000):
        with pytest.raises(ValueError, match="blocks"):
            Budget.of(80, blocks)
    with pytest.raises(ValueError, match="terms"):
        Key.draw().encrypt(constant(0, 0))


def _within(terms):
    try:
        return bool(Budget.of(terms))
    except ValueError:
        return False


def test_noise_of_products_is_as_computed(side):
    key, _, vectors = side
    ring = ntt.Transform.of(PRIMES, SLOTS)
    plain = slots(seeded("noise"), 1, TERMS)
    total = ntt.combine(plain, vectors._ciphertexts, ntt.Transform.of(T, SLOTS), ring)[0]
    secret = ring.forward(residue_of(key._secret))
    q = np.array(PRIMES, np.uint64)[:, None]
    phase = ring.inverse(((total[1].astype(np.uint64) * secret + total[0]) % q).astype(np.uint32))
    found = noise(phase, PRIMES)
    # A coefficient of A is uniform below t / 2, of r below 1 / 2.
    expected = math.sqrt(TERMS * SLOTS * (SIGMA**2 + 1 / 12)) * T_PRODUCT / math.sqrt(12)
    assert found.std() == pytest.approx(expected, rel=0.05)
    assert np.abs(found).max() < 6 * expected < vectors.budget.honest


def residue_of(small):
    return np.stack([small.astype(np.int64) % prime for prime in PRIMES]).astype(np.uint32)


def test_what_hides_is_all_that_an_answer_shows(side):
    """The noise of answers is that of the uniform integers and of rounding, whatever was asked."""
    key, _, vectors = side
    budget = vectors.budget
    rounding = math.sqrt(SLOTS * 2 / 3 / 12)
    uniform = 2.0**budget.smudging / DROPPED / math.sqrt(3)
    asked = constant(0, 1, TERMS), constant(-1, 1, TERMS), slots(seeded("asked"), 1, TERMS)
    for plain in asked:
        answers, _ = vectors.products(plain, seeded("hides"))
        found = noise(key._phase(answers)[0], PRIMES[:KEPT])
        assert np.abs(found).max() < budget.final
        assert found.std() == pytest.approx(math.hypot(rounding, uniform), rel=0.03)
        assert abs(found.mean()) < 5 * found.std() / math.sqrt(SLOTS)


def test_an_answer_that_is_not_hidden_shows_it(side):
    """Integers of 2^97 leave the noise of rounding alone, which the test before would have seen."""
    key, _, vectors = side
    bare = replace(vectors, budget=replace(vectors.budget, smudging=97))
    answers, _ = bare.products(constant(0, 1, TERMS), seeded("hides"))
    found = noise(key._phase(answers)[0], PRIMES[:KEPT])
    assert found.std() == pytest.approx(math.sqrt(SLOTS * 2 / 3 / 12), rel=0.05)


def test_views_are_uniform(side):
    _, _, vectors = side
    answers, masks = vectors.products(constant(0, 2, TERMS))
    shape = (2, 2, KEPT, residues.width(SLOTS))
    answered = residues.unpack(answers.reshape(shape), PRIMES[:KEPT], SLOTS)
    for rows, primes in (
        (masks, T),
        (answered.reshape(4, KEPT, SLOTS), PRIMES[:KEPT]),
        (vectors._ciphertexts.reshape(-1, len(PRIMES), SLOTS), PRIMES),
        (vectors._public, PRIMES),
    ):
        for place, prime in enumerate(primes):
            drawn = rows[:, place].reshape(-1)
            found = np.bincount(drawn.astype(np.uint64) * 64 // prime, minlength=64)
            expected = len(drawn) / 64
            assert ((found - expected) ** 2 / expected).sum() < 64 + 9 * math.sqrt(128)
    assert not np.array_equal(answered[0, 1], answered[1, 1])  # c1, of the same plaintexts
    assert not np.array_equal(masks[0], masks[1])


def test_every_call_draws_anew(side):
    _, _, vectors = side
    rng, plain = seeded("calls"), constant(0, 1, TERMS)
    first, second = (vectors.products(plain, rng) for _ in range(2))
    assert not any(map(np.array_equal, first, second))


def test_what_hides_is_new_in_every_block(side):
    key, _, vectors = side
    answers, _ = vectors.products(constant(0, 2, TERMS), seeded("blocks"))
    first, second = (noise(phase, PRIMES[:KEPT]) for phase in key._phase(answers))
    assert abs(np.corrcoef(first, second)[0, 1]) < 5 / math.sqrt(SLOTS)


def test_all_that_is_sent_has_errors_and_random_halves_of_its_own(side):
    key, _, vectors = side
    sent = np.concatenate([vectors._ciphertexts, vectors._public[None]]).astype(np.uint64)
    assert len({half.tobytes() for half in sent[:, 1]}) == TERMS + 1
    ring, q = ntt.Transform.of(PRIMES, SLOTS), np.array(PRIMES, np.uint64)[:, None]
    phases = (sent[:, 0] + sent[:, 1] * ring.forward(residue_of(key._secret))) % q
    errors = [noise(phase, PRIMES) for phase in ring.inverse(phases.astype(np.uint32))]
    for error in errors:
        # Those of slots have what was rounded, too.
        assert error.std() == pytest.approx(SIGMA, rel=0.05)
        assert np.abs(error).max() < ETA + 1
    apart = np.corrcoef(errors) - np.eye(TERMS + 1)
    assert np.abs(apart).max() < 5 / math.sqrt(SLOTS)


def test_the_part_that_decrypts_has_an_error_of_its_own(side, monkeypatch):
    """Seen where no prime is divided away, and nothing else is in it."""
    _, _, vectors = side
    monkeypatch.setattr(rlwe, "KEPT", len(PRIMES))
    nothing = replace(vectors, _public=0 * vectors._public)
    hidden = nothing._hidden(0 * vectors._public, constant(0, 1), seeded("e1"))
    error = whole(hidden[1], PRIMES).astype(float)
    assert np.abs(error).max() <= ETA
    assert error.std() == pytest.approx(SIGMA, rel=0.05)


def test_zeros_are_encrypted_as_anything_else():
    rng = seeded("zeros")
    key = Key.draw(rng)
    first, second = (key.encrypt(constant(0, 1), rng) for _ in range(2))
    assert first[0] != second[0]
    assert not np.array_equal(first[1], second[1])


def test_small_polynomials():
    ternary = rlwe._ternary(seeded(1))
    assert np.abs(np.bincount(ternary + 1, minlength=3) / SLOTS - 1 / 3).max() < 0.03
    errors = rlwe._errors(seeded(2), 4)
    assert errors.shape == (4, SLOTS)
    assert np.abs(errors).max() <= ETA
    assert errors.std() == pytest.approx(SIGMA, rel=0.03)
    assert abs(errors.mean()) < 0.1


def test_what_was_sent_is_checked(side, backend):
    _, _, seed, sent = holder(backend)
    beyond = sent.copy()
    beyond[1] = 255
    for wrong in (
        (seed[1:], sent, TERMS),
        (seed, beyond, TERMS),
        (seed, sent[1:], TERMS),
        (seed, sent, TERMS - 1),
        (seed, sent[:, 1:], TERMS),
        (seed, sent.reshape(-1), TERMS),
        (seed, sent.astype(np.uint16), TERMS),
    ):
        with pytest.raises(CryptoError):
            Vectors.read(*wrong)


def test_answers_are_checked(side):
    key, _, vectors = side
    answers, _ = vectors.products(constant(1, 1, TERMS))
    beyond = answers.copy()
    beyond[0, :] = 255
    for wrong in (beyond, answers[:, 1:], answers[0], answers.astype(np.uint16)):
        with pytest.raises(CryptoError):
            key.decrypt(wrong)


def test_own_slots_are_checked(side):
    key, values, vectors = side
    plain = constant(0, 1, TERMS)
    beyond = plain.copy()
    beyond[0, 2, 1, 5] = T[1]
    for wrong in (plain[0], plain[:, :2], plain[..., 1:], plain.astype(np.uint64), beyond):
        with pytest.raises(ValueError, match="plaintexts are"):
            vectors.products(wrong)
    for wrong in (values[:, 0], values[..., 1:], values.astype(np.int64), beyond[0]):
        with pytest.raises(ValueError, match="values are"):
            key.encrypt(wrong)


def test_a_key_tells_nothing_of_itself():
    key = Key.draw()
    assert repr(key) == "Key(<secret>)"
    for use in (lambda: bool(key), lambda: key == key, lambda: hash(key)):
        with pytest.raises(TypeError):
            use()
