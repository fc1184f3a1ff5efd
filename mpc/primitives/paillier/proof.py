# SPDX-License-Identifier: Apache-2.0
"""A non-interactive zero-knowledge proof that a Paillier modulus is well formed.

It shows that n is the product of exactly two different primes, both 3 modulo 4, and that
gcd(n, phi(n)) = 1. The second makes encryption under n a bijection from plaintext and randomness
to ciphertexts, so that a fresh mask hides everything but the plaintext from the owner of the key;
the first is what the randomness of Damgård, Jurik and Nielsen is defined for.

* Fourth roots: Canetti, Gennaro, Goldfeder, Makriyannis, Peled (CCS 2020; ePrint 2021/060), the
  proof of a Paillier–Blum modulus, Figure 16. For w of the prover's choice and each challenge y,
  one of y, -y, w*y, -w*y has a fourth root x. If n had three prime factors, or one that is 1
  modulo 4, at most half of all y would have one, so each of ``ROOTS`` = 128 rounds halves the
  chance of a cheat.
* n-th roots: Goldberg, Reyzin, Sagga, Baldimtsi (Asiacrypt 2019; ePrint 2018/057), their proof for
  Paillier moduli. For each challenge y the prover shows z with z**n = y. If a prime divided both n
  and phi(n), one y in that prime at most would have one; the verifier first divides n by all primes
  up to ``SMALLEST_FACTOR`` = 2**16, so each of ``NTH_ROOTS`` = 8 rounds leaves a cheat a chance
  below 2**-16. (Figure 16 takes an n-th root in all 128 rounds instead of dividing.)

Challenges come from SHAKE-256 over a label, n and w (Fiat–Shamir). Both parts have soundness error
at most 2**-128 per attempt in the random-oracle model. Nothing else is shown: who programs the
oracle can draw the squares x and the numbers z at random and make the challenges fit.

Not shown: that p and q have the same length, or no structure that helps to factor n. The owner of a
key who wants others to read what is under it can as well publish p and q.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import gmpy2

from mpc.errors import InvalidKey
from mpc.primitives.paillier.primes import has_factor_below
from mpc.primitives.rng import Rng, below

ROOTS = 128
NTH_ROOTS = 8
SMALLEST_FACTOR = 1 << 16


@dataclass(frozen=True, slots=True, repr=False)
class KeyProof:
    """The answers: ``signs`` holds two bits per fourth root, whether -1 and w were factors."""

    w: int
    roots: tuple[int, ...]
    signs: bytes
    nth_roots: tuple[int, ...]

    def to_bytes(self, width: int) -> bytes:
        """All numbers in ``width`` little-endian bytes each, then the signs."""
        numbers = (self.w, *self.roots, *self.nth_roots)
        return b"".join(number.to_bytes(width, "little") for number in numbers) + self.signs

    @staticmethod
    def from_bytes(data: bytes, width: int) -> KeyProof:
        """The reverse of ``to_bytes``; says nothing about whether the proof holds."""
        if len(data) != size(width):
            raise InvalidKey(f"a key proof has {size(width)} bytes here, not {len(data)}")
        count = 1 + ROOTS + NTH_ROOTS
        numbers = [
            int.from_bytes(data[width * i : width * (i + 1)], "little") for i in range(count)
        ]
        return KeyProof(
            numbers[0],
            tuple(numbers[1 : ROOTS + 1]),
            data[width * count :],
            tuple(numbers[ROOTS + 1 :]),
        )

    def __repr__(self) -> str:
        return f"KeyProof({ROOTS} fourth roots, {NTH_ROOTS} n-th roots)"


def size(width: int) -> int:
    """Bytes of a proof for a modulus of ``width`` bytes."""
    return (1 + ROOTS + NTH_ROOTS) * width + 2 * ROOTS // 8


def prove(p: int, q: int, rng: Rng) -> KeyProof:
    """The proof for n = ``p`` * ``q``, both primes 3 modulo 4."""
    n = p * q
    w = _non_residue(n, rng)
    answers = [_fourth_root(y, w, p, q) for y in _challenges(n, w, "fourth root", ROOTS)]
    signs = sum(sign << (2 * i) for i, (_, sign) in enumerate(answers))
    exponents = int(gmpy2.invert(n, p - 1)), int(gmpy2.invert(n, q - 1))
    return KeyProof(
        w,
        tuple(root for root, _ in answers),
        signs.to_bytes(2 * ROOTS // 8, "little"),
        tuple(_power(y, exponents, p, q) for y in _challenges(n, w, "n-th root", NTH_ROOTS)),
    )


def verify(n: int, proof: KeyProof) -> None:
    """Raise InvalidKey unless ``proof`` shows that ``n`` is well formed."""
    if n < 1 << 64 or n % 2 == 0 or has_factor_below(n, SMALLEST_FACTOR):
        raise InvalidKey("the modulus is small, even, or has a small factor")
    if gmpy2.is_prime(n):
        raise InvalidKey("the modulus is prime")
    if (len(proof.roots), len(proof.nth_roots), len(proof.signs)) != _LENGTHS:
        raise InvalidKey("the key proof has another number of rounds")
    if not all(0 < number < n for number in (proof.w, *proof.roots, *proof.nth_roots)):
        raise InvalidKey("a number in the key proof is not in the range of the modulus")
    nth = _challenges(n, proof.w, "n-th root", NTH_ROOTS)
    if any(gmpy2.powmod(z, n, n) != y for z, y in zip(proof.nth_roots, nth, strict=True)):
        raise InvalidKey("the key proof does not show gcd(n, phi(n)) = 1")
    signs = int.from_bytes(proof.signs, "little")
    for i, y in enumerate(_challenges(n, proof.w, "fourth root", ROOTS)):
        if gmpy2.powmod(proof.roots[i], 4, n) != _twisted(y, signs >> (2 * i), proof.w, n):
            raise InvalidKey("the key proof does not show a product of two primes 3 modulo 4")


_LENGTHS = (ROOTS, NTH_ROOTS, 2 * ROOTS // 8)


def _challenges(n: int, w: int, kind: str, count: int) -> Iterator[int]:
    """Uniform elements modulo n, to within 2**-128, that the prover cannot choose."""
    width = (n.bit_length() + 7) // 8
    statement = n.to_bytes(width, "little") + w.to_bytes(width, "little")
    for i in range(count):
        label = f"mpc:v1:paillier:key proof:{kind}:{i}:{width}\0".encode()
        digest = hashlib.shake_256(label + statement).digest(width + 16)
        yield int.from_bytes(digest, "little") % n


def _non_residue(n: int, rng: Rng) -> int:
    """A random number of Jacobi symbol -1: a square modulo one of the two primes only."""
    while True:
        [w] = below(rng, n, 1)
        if gmpy2.jacobi(w, n) == -1:
            return w


def _twisted(y: int, sign: int, w: int, n: int) -> int:
    """``y`` times -1 if bit 0 of ``sign`` is set, times w if bit 1 is."""
    return (-y if sign & 1 else y) * (w if sign & 2 else 1) % n


def _fourth_root(y: int, w: int, p: int, q: int) -> tuple[int, int]:
    """The sign that makes ``y`` a square modulo both primes, and the fourth root of the result.

    Modulo a prime that is 3 modulo 4, raising a square to (p + 1) / 4 gives the one root that is
    a square again. Twice gives a fourth root.
    """
    sign = next(
        sign
        for sign in range(4)
        if gmpy2.legendre(_twisted(y, sign, w, p), p) == 1
        and gmpy2.legendre(_twisted(y, sign, w, q), q) == 1
    )
    exponents = ((p + 1) // 4) ** 2 % (p - 1), ((q + 1) // 4) ** 2 % (q - 1)
    return _power(_twisted(y, sign, w, p * q), exponents, p, q), sign


def _power(base: int, exponents: tuple[int, int], p: int, q: int) -> int:
    """``base`` to the given powers modulo p and q, joined; side-channel-silent powers of GMP."""
    at_p = gmpy2.powmod_sec(base % p, exponents[0], p)
    at_q = gmpy2.powmod_sec(base % q, exponents[1], q)
    return int(at_p + p * (gmpy2.invert(p, q) * (at_q - at_p) % q))
