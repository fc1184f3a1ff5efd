# SPDX-License-Identifier: Apache-2.0
"""What the key's owner computes modulo p**2 and q**2: decryption, and masks for its own values.

Decryption is Paillier's with the Chinese remainder theorem (Paillier 1999, section 7), by powers
that the kernels take in constant time. Masks are h_s**a modulo p**2 and h_s**b modulo q**2, with a
and b uniform below p - 1 and q - 1: uniform over both of the groups that h_s generates, where
those without p and q have to take one exponent of half the length of n for both.
"""

from __future__ import annotations

from dataclasses import dataclass

import gmpy2

from mpc.kernels.bigint import Comb, Crt, Fermat, Residues, SquareRing, modulo_square
from mpc.primitives.paillier.masks import subgroup_base
from mpc.primitives.rng import Rng, packed_below


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Owner:
    """The rings of one key: ``square`` splits modulo n**2, ``plain`` joins plaintexts modulo n.

    ``fermat`` raises to p - 1 and q - 1. Plaintexts modulo p are scaled by the inverse of what
    decryption of 1 comes to before that.
    """

    factors: tuple[Factor, Factor]
    square: Crt
    fermat: Fermat
    plain: Crt

    @classmethod
    def of(cls, p: int, q: int, ring: SquareRing) -> Owner:
        """For the key n = p * q, with ``ring`` the integers modulo n**2."""
        factors = Factor.of(p, q), Factor.of(q, p)
        return cls(
            factors,
            Crt(ring, [factor.ring for factor in factors]),
            Fermat([factor.ring for factor in factors]),
            Crt(
                ring.root,
                [factor.ring.root for factor in factors],
                # (1 + n)**(p - 1) = 1 + (p - 1)*q*p modulo p**2, and (p - 1)*q = -q modulo p.
                [int(gmpy2.invert(-other, prime)) for prime, other in ((p, q), (q, p))],
            ),
        )

    def decrypt(self, x: Residues) -> list[int]:
        """The plaintexts in [0, n) of elements modulo n**2."""
        powers = self.fermat.power(self.square.split(x))
        logs = [f.ring.log(power) for f, power in zip(self.factors, powers, strict=True)]
        return self.plain.ring.decode(self.plain.join(logs))

    def masks(self, count: int, rng: Rng) -> Residues:
        """Masks for new ciphertexts."""
        return self.square.join([factor.masks(count, rng) for factor in self.factors])


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Factor:
    """One prime, the ring modulo its square, and the powers of h_s there."""

    prime: int
    ring: SquareRing
    comb: Comb

    @classmethod
    def of(cls, prime: int, other: int) -> Factor:
        ring = modulo_square(prime)
        n = prime * other
        base = gmpy2.powmod_sec(subgroup_base(n) % prime**2, n, prime**2)
        return cls(prime, ring, ring.comb(ring.encode([int(base)]), prime.bit_length()))

    def masks(self, count: int, rng: Rng) -> Residues:
        return self.comb.power(packed_below(rng, self.prime - 1, count))
