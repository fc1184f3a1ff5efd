# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import gmpy2
import pytest

from mpc.errors import InvalidKey
from mpc.primitives.paillier import PublicKey, SecretKey, primes, proof
from mpc.primitives.paillier.proof import KeyProof
from mpc.testing import seeded

Keys = tuple[SecretKey, PublicKey]


@cache
def blum_prime(bits: int, label: str) -> int:
    return primes.random_prime(bits, seeded(label))


P, Q, R = (blum_prime(256, label) for label in "pqr")


def best_effort(n: int, factors: dict[int, int]) -> KeyProof:
    """What a cheat who knows the factorisation of any odd ``n`` can answer: all that has roots.

    ``factors`` maps primes to their powers in n. Challenges without a root are answered with 1.
    """
    source = seeded("cheat")
    group = 1
    for prime, power in factors.items():
        group *= (prime - 1) * prime ** (power - 1)
    w = proof._non_residue(n, source) if not gmpy2.is_square(n) else 2
    moduli = {prime: prime**power for prime, power in factors.items()}

    def root(y: int, degree: int) -> int | None:
        """A root of ``y`` modulo n, joined from its roots modulo each prime power."""
        joined, modulus = 0, 1
        for prime, whole in moduli.items():
            order = (prime - 1) * whole // prime
            found = _root_in_cyclic(y % whole, degree, whole, order)
            if found is None:
                return None
            joined += modulus * ((found - joined) * gmpy2.invert(modulus, whole) % whole)
            modulus *= whole
        return int(joined)

    nth = [root(y, n) or 1 for y in proof._challenges(n, w, "n-th root", proof.NTH_ROOTS)]
    roots, signs = [], 0
    for i, y in enumerate(proof._challenges(n, w, "fourth root", proof.ROOTS)):
        tried = [(sign, root(proof._twisted(y, sign, w, n), 4)) for sign in range(4)]
        sign, found = next(((s, x) for s, x in tried if x), (0, 1))
        roots.append(found)
        signs |= sign << (2 * i)
    return KeyProof(w, tuple(roots), signs.to_bytes(proof.ROOTS // 4, "little"), tuple(nth))


def _root_in_cyclic(y: int, degree: int, modulus: int, order: int) -> int | None:
    """A root in a cyclic group: exists if y**(order/g) = 1 for g = gcd(degree, order).

    Strips the part of the order that shares primes with g, where the exponent can be inverted.
    """
    g = gmpy2.gcd(degree, order)
    if gmpy2.powmod(y, order // g, modulus) != 1:
        return None
    coprime = order
    while (common := gmpy2.gcd(coprime, g)) > 1:
        coprime //= common
    smooth = order // coprime
    # y = u * v with u of order dividing ``coprime`` and v of order dividing ``smooth``.
    to_u = smooth * gmpy2.invert(smooth, coprime) if coprime > 1 else 0
    u = gmpy2.powmod(y, to_u, modulus)
    v = y * gmpy2.invert(u, modulus) % modulus
    root_u = gmpy2.powmod(u, gmpy2.invert(degree, coprime), modulus) if coprime > 1 else 1
    root_v = _small_root(v, degree, modulus, order, smooth)
    return int(root_u * root_v % modulus)


def _small_root(v: int, degree: int, modulus: int, order: int, smooth: int) -> int:
    """A root in the subgroup of order ``smooth``, by search; 1 is its own."""
    if v == 1:
        return 1
    if smooth > 1 << 20:
        return 1  # no honest search; the equation then fails, as it would for any cheat in a hurry
    base = 2
    while True:
        generator = gmpy2.powmod(base, order // smooth, modulus)
        value = gmpy2.mpz(1)
        for _ in range(int(smooth)):
            if gmpy2.powmod(value, degree, modulus) == v:
                return int(value)
            value = value * generator % modulus
        base += 1


def test_the_honest_proof_verifies_and_travels() -> None:
    shown = proof.prove(P, Q, seeded("honest"))
    proof.verify(P * Q, shown)
    width = 64
    data = shown.to_bytes(width)
    assert len(data) == proof.size(width)
    assert KeyProof.from_bytes(data, width) == shown
    proof.verify(P * Q, KeyProof.from_bytes(data, width))


def test_soundness_parameters_give_128_bits() -> None:
    assert proof.ROOTS >= 128
    assert proof.NTH_ROOTS * (proof.SMALLEST_FACTOR.bit_length() - 1) >= 128


def test_the_cheat_of_these_tests_can_prove_what_is_true() -> None:
    """Else the rejections below would show nothing."""
    proof.verify(P * Q, best_effort(P * Q, {P: 1, Q: 1}))


ONE = next(p for p in map(int, range(R + 2, R + 100_000, 4)) if p % 4 == 1 and gmpy2.is_prime(p))
MEDIUM = 65539  # the first prime above 2**16 that is 3 modulo 4

CHEATS = {
    "a small factor": (3 * 5 * P, {3: 1, 5: 1, P: 1}, "small factor"),
    "a small factor of 16 bits": (65519 * P, {65519: 1, P: 1}, "small factor"),
    "three primes": (P * Q * R, {P: 1, Q: 1, R: 1}, "two primes"),
    "a prime that is 1 modulo 4": (P * ONE, {P: 1, ONE: 1}, "two primes"),
    "not square-free": (P * P * Q, {P: 2, Q: 1}, "gcd"),
    "a square": (P * P, {P: 2}, "gcd"),
    "not square-free, of 17 bits": (MEDIUM**2 * P, {MEDIUM: 2, P: 1}, "gcd|two primes"),
    "prime": (P, {P: 1}, "prime"),
}


@pytest.mark.parametrize("case", CHEATS)
def test_cheating_keys_are_rejected(case: str) -> None:
    n, factors, message = CHEATS[case]
    shown = best_effort(n, factors)
    with pytest.raises(InvalidKey, match=message):
        proof.verify(n, shown)


def test_a_prime_that_divides_phi_is_rejected() -> None:
    """n = p*q with p dividing q - 1: the n-th powers are not all of the group."""
    p = blum_prime(128, "divisor")
    k = next(k for k in range(2, 10**6, 4) if gmpy2.is_prime(k * p + 1) and (k * p + 1) % 4 == 3)
    n = p * (k * p + 1)
    with pytest.raises(InvalidKey, match="gcd"):
        proof.verify(n, best_effort(n, {p: 1, k * p + 1: 1}))


def test_even_moduli_are_rejected() -> None:
    shown = proof.prove(P, Q, seeded("even"))
    for n in (2 * P, P * Q + 1, 0, 15):
        with pytest.raises(InvalidKey, match="small, even"):
            proof.verify(n, shown)


def test_every_part_of_a_proof_counts() -> None:
    n = P * Q
    shown = proof.prove(P, Q, seeded("parts"))
    flipped = bytes([shown.signs[0] ^ 1]) + shown.signs[1:]
    swapped = (shown.roots[1], shown.roots[0], *shown.roots[2:])
    wrong = {
        "w": replace(shown, w=proof._non_residue(n, seeded("another"))),
        "signs": replace(shown, signs=flipped),
        "roots": replace(shown, roots=swapped),
        "last root": replace(shown, roots=(*shown.roots[:-1], 2)),
        "n-th root": replace(shown, nth_roots=(*shown.nth_roots[:-1], 2)),
        "fewer rounds": replace(shown, roots=shown.roots[:-1]),
        "fewer n-th roots": replace(shown, nth_roots=()),
        "zero": replace(shown, roots=(0, *shown.roots[1:])),
        "above n": replace(shown, roots=(shown.roots[0] + n, *shown.roots[1:])),
        "w is zero": replace(shown, w=0),
    }
    for fault in wrong.values():
        with pytest.raises(InvalidKey):
            proof.verify(n, fault)


def test_a_proof_is_of_one_key() -> None:
    with pytest.raises(InvalidKey):
        proof.verify(P * R, proof.prove(P, Q, seeded("other")))


def test_a_proof_gives_no_factor_away() -> None:
    """No number in it, nor the difference of any two, shares a factor with n."""
    n = P * Q
    shown = proof.prove(P, Q, seeded("leak"))
    numbers = [1, -1, shown.w, *shown.roots, *shown.nth_roots]
    product = gmpy2.mpz(1)
    for i, a in enumerate(numbers):
        for b in (0, *numbers[:i]):
            product = product * (a - b) * (a + b) % n if a not in (b, -b) else product
    assert gmpy2.gcd(product, n) == 1


def test_a_cheating_key_on_the_wire_is_rejected(keys_of: Callable[..., Keys]) -> None:
    _, public = keys_of(768)
    n = P * Q * R
    assert n.bit_length() == 768 == public.bits
    data = public.to_bytes().replace(public.n.to_bytes(96, "little"), n.to_bytes(96, "little"))
    with pytest.raises(InvalidKey, match="key proof"):
        PublicKey.from_bytes(data, allow_weak=True)


def test_it_shows_no_numbers() -> None:
    assert repr(proof.prove(P, Q, seeded("repr"))) == "KeyProof(128 fourth roots, 8 n-th roots)"
