# SPDX-License-Identifier: Apache-2.0
"""Masks: the random n-th residues modulo n**2 that hide what a ciphertext holds.

Two distributions, against two adversaries.

**Short** masks hide a plaintext from everybody without the secret key. They are those of Damgård,
Jurik and Nielsen (Int. J. Inf. Secur. 9, 2010): h_s**a with h_s = h**n mod n**2, h = -y**2 mod n,
and a uniform of half the length of n. That they look random is the composite residuosity
assumption together with the indistinguishability of half-length exponents, which the paper rests
on factoring, for n a product of two primes that are 3 modulo 4. In the paper y is the key owner's
choice, so an owner could publish an h_s of small order, 1 even, and undo all masks. Here nobody
chooses: y is a hash of n, everyone derives h_s from n alone and it travels nowhere. In the
random-oracle model its distribution is that of the paper.

**Uniform** masks hide from the owner of the key how a ciphertext was computed. The owner can take
the randomness out of a ciphertext; that of sum_i w_i * x_i is the product of r_i**w_i, for r_i it
may have chosen itself. A short mask covers a part of the group only and leaves traces of the w_i
in the rest, beginning with a Jacobi symbol. Uniform masks are within 2**-128 of uniform over all
n-th residues, so nothing but the plaintext is left, if n is well formed (`proof`).

They are r**n for uniform r, at one exponentiation each. Where many are needed they are products of
random powers of t fixed elements r_j**n, from tables: with t exponents of w bits each, for
t * w >= log2(n) + 256 and t >= 260, the leftover hash lemma (Impagliazzo, Levin, Luby, STOC 1989)
gives that distance. Products of powers of uniform group elements are a universal hash of the
exponents, except for two exponent vectors all of whose differences share a prime, which happens
with probability about 2**-t. The tables hold t * 2**w elements: with w = 6, 384 * 64 of them,
13 MiB, at 2048 bits, and 555 * 64, 28 MiB, at 3072; 30 MiB with w = 5 at 4096, and 72 MiB with
w = 4 at 8192.

The table of short masks takes 36 MiB at most, at any length of key (18 at 2048 bits, 23 at 3072).

Keys without a proof of their form, such as other libraries make, get uniform masks for everything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NamedTuple

import gmpy2
import numpy as np
from numpy.typing import NDArray

from mpc.kernels.bigint import Comb, Residues, SquareRing, modulo_square
from mpc.primitives.paillier.pool import MaskPool, joined
from mpc.primitives.rng import SYSTEM, Rng, below

MIN_BASES = 260


class MaskSource:
    """The masks of one public key. Tables are made on first use and kept.

    Two threads may make the same table at once, and either one serves: so there is no lock that a
    fork could leave held.
    """

    __slots__ = ("_n", "_one_by_one", "_proven", "_ring", "_short", "_uniform", "pools")

    def __init__(self, n: int, *, proven: bool) -> None:
        self._n = n
        self._proven = proven
        self._ring: SquareRing | None = None
        self._short: Comb | None = None
        self._uniform: Comb | None = None
        self._one_by_one = 0
        self.pools = Pools(
            MaskPool(lambda count: self._make_short(count, SYSTEM)),
            MaskPool(lambda count: self._make_uniform(count, SYSTEM)),
        )

    @property
    def ring(self) -> SquareRing:
        """The integers modulo n**2."""
        if self._ring is None:
            self._ring = modulo_square(self._n)
        return self._ring

    def for_plaintexts(self, count: int, rng: Rng) -> Residues:
        """Masks for new ciphertexts of our own values."""
        if not self._proven:
            return self.for_results(count, rng)
        return _pooled(self.pools.short, self._make_short, count, rng)

    def for_results(self, count: int, rng: Rng) -> Residues:
        """Masks for ciphertexts that were computed on."""
        return _pooled(self.pools.uniform, self._make_uniform, count, rng)

    def prepare(self, plaintexts: int, results: int) -> None:
        """Have masks made in the background for so many of either use."""
        if not self._proven:
            plaintexts, results = 0, plaintexts + results
        self.pools.short.fill(plaintexts)
        self.pools.uniform.fill(results)

    def _make_short(self, count: int, rng: Rng) -> Residues:
        bits = short_exponent_bits(self._n)
        if self._short is None:
            h_s = gmpy2.powmod(subgroup_base(self._n), self._n, self._n**2)
            self._short = self.ring.comb(self.ring.encode([int(h_s)]), bits)
        return self._short.power(random_exponents(count, bits, rng))

    def _make_uniform(self, count: int, rng: Rng) -> Residues:
        width, terms = digit_bits(self._n), bases(self._n)
        if self._uniform is None:
            # The tables cost as much as two masks for each base, made one by one.
            if self._one_by_one + count <= 2 * terms:
                self._one_by_one += count
                return self._nth_powers(count, rng)
            powers = self._nth_powers(terms, SYSTEM)
            self._uniform = self.ring.joint_comb(powers, width)
        return self._uniform.power(random_exponents(count, terms * width, rng))

    def _nth_powers(self, count: int, rng: Rng) -> Residues:
        return self.ring.power(self.ring.encode(below(rng, self._n, count)), self._n)


class Pools(NamedTuple):
    """Ready masks of the two kinds."""

    short: MaskPool
    uniform: MaskPool


def subgroup_base(n: int) -> int:
    """h = -y**2 mod n of Damgård, Jurik and Nielsen, with y the hash of n."""
    width = (n.bit_length() + 7) // 8
    label = f"mpc:v1:paillier:randomness base:{width}\0".encode()
    digest = hashlib.shake_256(label + n.to_bytes(width, "little")).digest(width + 16)
    y = int.from_bytes(digest, "little") % n
    return -y * y % n


def short_exponent_bits(n: int) -> int:
    """Half the length of n."""
    return (n.bit_length() + 1) // 2


def digit_bits(n: int) -> int:
    """Bits of each exponent of a uniform mask from tables: fewer where these would be too large."""
    return 6 if n.bit_length() <= 3072 else 5 if n.bit_length() <= 4096 else 4


def bases(n: int) -> int:
    """How many bases the tables of uniform masks have."""
    return max(MIN_BASES, -(-(n.bit_length() + 256) // digit_bits(n)))


def random_exponents(count: int, bits: int, rng: Rng) -> NDArray[np.uint8]:
    """Uniform integers below 2**bits, uint8 (count, width), little-endian."""
    width = -(-bits // 8)
    out = np.frombuffer(bytearray(rng.bytes(count * width)), np.uint8).reshape(count, width)
    out[:, -1] &= 0xFF >> (8 * width - bits)
    return out


def _pooled(pool: MaskPool, make: Callable[[int, Rng], Residues], count: int, rng: Rng) -> Residues:
    """Masks from the pool as far as it goes, the rest made now.

    The pool holds the system's randomness; another source gets masks that depend on it alone.
    """
    ready = pool.take(count) if rng is SYSTEM else None
    if ready is None:
        return make(count, rng)
    if len(ready) == count:
        return ready
    return joined([ready, make(count - len(ready), rng)])
