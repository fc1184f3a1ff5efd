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
import numpy as np

from mpc.kernels.bigint import Comb, Crt, Residues, SquareRing, modulo_square
from mpc.primitives.paillier.masks import subgroup_base
from mpc.primitives.rng import Rng, below


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Owner:
    """The rings of one key: ``square`` splits modulo n**2, ``plain`` modulo n."""

    factors: tuple[Factor, Factor]
    square: Crt
    plain: Crt

    @classmethod
    def of(cls, p: int, q: int, ring: SquareRing) -> Owner:
        """For the key n = p * q, with ``ring`` the integers modulo n**2."""
        factors = Factor.of(p, q), Factor.of(q, p)
        return cls(
            factors,
            Crt(ring, [factor.ring for factor in factors]),
            Crt(ring.root, [factor.ring.root for factor in factors]),
        )

    def decrypt(self, x: Residues) -> list[int]:
        """The plaintexts in [0, n) of elements modulo n**2."""
        parts = zip(self.factors, self.square.split(x), strict=True)
        joined = self.plain.join([factor.decrypt(part) for factor, part in parts])
        return self.plain.ring.decode(joined)

    def masks(self, count: int, rng: Rng) -> Residues:
        """Masks for new ciphertexts."""
        return self.square.join([factor.masks(count, rng) for factor in self.factors])


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Factor:
    """One prime, the ring modulo its square, and the powers of h_s there.

    ``unit`` is the inverse of what decryption of 1 comes to before it is scaled.
    """

    prime: int
    ring: SquareRing
    unit: Residues
    comb: Comb

    @classmethod
    def of(cls, prime: int, other: int) -> Factor:
        ring = modulo_square(prime)
        n = prime * other
        base = gmpy2.powmod_sec(subgroup_base(n) % prime**2, n, prime**2)
        # (1 + n)**(p - 1) = 1 + (p - 1)*q*p modulo p**2, and (p - 1)*q = -q modulo p.
        unit = gmpy2.invert(-other, prime)
        return cls(
            prime,
            ring,
            ring.root.encode([int(unit)]),
            ring.comb(ring.encode([int(base)]), prime.bit_length()),
        )

    def decrypt(self, x: Residues) -> Residues:
        """The plaintexts modulo the prime, of elements modulo its square."""
        return self.ring.root.mul(self.ring.log(self.ring.power(x, self.prime - 1)), self.unit)

    def masks(self, count: int, rng: Rng) -> Residues:
        width = (self.prime.bit_length() + 7) // 8
        exponents = below(rng, self.prime - 1, count)
        packed = b"".join(exponent.to_bytes(width, "little") for exponent in exponents)
        return self.comb.power(np.frombuffer(packed, np.uint8).reshape(count, width))
