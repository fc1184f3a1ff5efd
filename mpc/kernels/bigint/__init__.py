# SPDX-License-Identifier: Apache-2.0
"""Vectors of integers modulo an odd number of 64 to 8192 bits, or modulo the square of one.

    ring = modulo(n)                         integers mod n; several moduli: one per element
    ring = modulo_square(n)                  integers mod n**2
    x = ring.encode([3, 5])                  Residues: opaque, in the backend's inner form
    x = ring.from_bytes(packed)              uint8 (count, ring.width), little-endian, below n
    x = ring.reduce(packed)                  the same of any width and size, reduced
    ring.decode(x), ring.to_bytes(x)         and back; always canonical
    len(x), x[3:8], x[[2, 0]]                and concatenate([x, y])
    ring.mul(x, y), ring.square(x)           element by element; either length may be 1
    ring.power(x, exponents)                 secret exponents, one for all or one per element
    ring.power_signed(x, integers)           public exponents of either sign, one per element
    comb = ring.comb(base, bits)             a table for one base, then comb.power(exponents)
    ring.joint_comb(bases, bits)             the same for products of powers of several bases
    ring.inverse(x), ring.product(x)         batch inversion; products by a tree
    ring.multiexp(bases, matrix)             out[i] = product over j of bases[j]**matrix[i, j]

Modulo the square of n, which is Paillier's ring, with integers m modulo n beside it:

    ring.root                                the ring of integers modulo n
    ring.units_from_bytes(packed)            from_bytes of what must be invertible
    ring.embed(m)                            1 + m*n, of m: a vector of ring.root
    ring.log(x)                              back: m of x = 1 + m*n
    ring.modulo_root(x)                      x modulo n: a vector of ring.root

    crt = Crt(ring, parts)                   parts: rings whose coprime moduli multiply to ring's
    crt.split(x), crt.join(vectors)          the Chinese remainder theorem

    fermat = Fermat(rings)                   rings modulo the squares of primes p of one length
    fermat.power(vectors)                    the elements of each to p - 1, all at once

Exponents that are secret come as uint8 (count, width), little-endian, which is what random bytes
are, or as one non-negative int for all elements.

**Time and secrets.** In the simd backend ``reduce``, ``to_bytes``, ``mul``, ``square``, ``power``,
``Comb.power``, ``Fermat.power``, ``embed``, ``log``, ``modulo_root``, ``product`` and ``Crt`` take
no branch and touch no address that depends on values or exponents; of an exponent only the width
shows. In the portable backend each power is GMP's ``mpz_powm_sec``, which tells an exponent of zero
and the number of its machine words, and the rest is not constant-time: a comb picks table entries
by secret digits. ``inverse``, ``power_signed``, ``multiexp``, ``from_bytes``, ``units_from_bytes``,
``encode`` and ``decode`` are constant-time in neither: the first three are for public exponents and
blinded values. Nor is the inversion of its bases that ``comb`` begins with modulo a square, nor
what ``Fermat`` prepares, once for a key.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd, prod

from mpc import kernels
from mpc.errors import ConfigError
from mpc.kernels.bigint.arithmetic import Arithmetic, CrtPlan, FermatPlan
from mpc.kernels.bigint.residues import Residues, concatenate
from mpc.kernels.bigint.rings import Comb, Ring, SquareRing

__all__ = [
    "Comb",
    "Crt",
    "Fermat",
    "Residues",
    "Ring",
    "SquareRing",
    "concatenate",
    "modulo",
    "modulo_square",
]

MIN_BITS, MAX_BITS = 64, 8192


def modulo(modulus: int | Sequence[int]) -> Ring:
    """The ring of integers modulo one odd number, or modulo several: the i-th for element i."""
    moduli = _moduli(modulus)
    return Ring(moduli, _arithmetic(moduli, square=False))


def modulo_square(root: int | Sequence[int]) -> SquareRing:
    """The ring modulo ``root**2``, ``root`` of 64 to 8192 bits; several: one per element.

    An element x is kept as two digits x0 + x1*root, so that a product costs 10/16, and a
    squaring 7/12, of what it costs in the plain Montgomery form of the same number.
    """
    roots = _moduli(root)
    return SquareRing(
        tuple(root * root for root in roots),
        _arithmetic(roots, square=True),
        Ring(roots, _arithmetic(roots, square=False)),
    )


class Crt:
    """The Chinese remainder theorem between ``ring`` and ``parts``, whose moduli multiply to its.

    Either all are plain rings, or all are modulo squares. With ``scales``, `join` first multiplies
    each part by one of them, which costs nothing.
    """

    __slots__ = ("_plan", "parts", "ring")

    def __init__(
        self, ring: Ring, parts: Sequence[Ring], scales: Sequence[int] | None = None
    ) -> None:
        if any(len(r.moduli) != 1 for r in (ring, *parts)):
            raise ConfigError("the Chinese remainder theorem is between rings of one modulus each")
        if len({type(r) for r in (ring, *parts)}) > 1:
            raise ConfigError("the ring and its parts are all modulo squares, or all not")
        whole = ring.moduli[0]
        if whole != prod(part.moduli[0] for part in parts):
            raise ConfigError("the moduli of the parts do not multiply to the modulus")
        if any(gcd(whole // part.moduli[0], part.moduli[0]) > 1 for part in parts):
            raise ConfigError("the moduli of the parts share factors")
        self.ring = ring
        self.parts = tuple(parts)
        scales = [1] * len(parts) if scales is None else scales
        if len(scales) != len(parts):
            raise ConfigError(f"{len(scales)} scales do not fit {len(parts)} parts")
        arithmetics = [part.arithmetic for part in parts]
        self._plan: CrtPlan = ring.arithmetic.crt(arithmetics, scales)

    def __repr__(self) -> str:
        return f"Crt({self.ring!r}, <{len(self.parts)} parts>)"

    def split(self, x: Residues) -> list[Residues]:
        """x modulo each part."""
        self.ring.check(x)
        return self._plan.split(x)

    def join(self, parts: Sequence[Residues]) -> Residues:
        """The elements that leave ``parts``, or those times the scales."""
        _check(self.parts, parts)
        return self._plan.join(parts)


class Fermat:
    """Powers to p - 1 in rings modulo the squares of primes p, which are secret.

    They are 1 + m*p of which ``log`` gives m, for elements that p does not divide; for others, and
    where p is not prime, the result means nothing. Of the primes the length shows. Vectors are
    raised side by side, so that several threads have work even where each has less than a lane
    group.
    """

    __slots__ = ("_plan", "rings")

    def __init__(self, rings: Sequence[SquareRing]) -> None:
        if any(len(ring.moduli) != 1 for ring in rings):
            raise ConfigError("powers to p - 1 are in rings of one modulus each")
        if len({ring.root.moduli[0].bit_length() for ring in rings}) != 1:
            raise ConfigError("the primes are of one length")
        self.rings = tuple(rings)
        arithmetics = [ring.arithmetic for ring in rings]
        self._plan: FermatPlan = arithmetics[0].fermat(arithmetics)

    def __repr__(self) -> str:
        return f"Fermat(<{len(self.rings)} rings>)"

    def power(self, vectors: Sequence[Residues]) -> list[Residues]:
        """The elements of each ring's vector to p - 1."""
        _check(self.rings, vectors)
        return self._plan.power(vectors)


def _check(rings: Sequence[Ring], vectors: Sequence[Residues]) -> None:
    if len(vectors) != len(rings) or len({len(vector) for vector in vectors}) != 1:
        raise ConfigError(f"there are {len(rings)} parts, of one length")
    for ring, vector in zip(rings, vectors, strict=True):
        ring.check(vector)


def _arithmetic(moduli: tuple[int, ...], *, square: bool) -> Arithmetic:
    if kernels.backend() == "simd":
        from mpc.kernels.bigint.simd import SimdArithmetic

        return SimdArithmetic.of(moduli, square=square)
    from mpc.kernels.bigint.portable import PortableArithmetic

    return PortableArithmetic.of(moduli, square=square)


def _moduli(modulus: int | Sequence[int]) -> tuple[int, ...]:
    moduli = tuple(int(n) for n in (modulus if isinstance(modulus, Sequence) else (modulus,)))
    if not moduli:
        raise ConfigError("a ring takes at least one modulus")
    for n in moduli:
        if n < 0 or n % 2 == 0 or not MIN_BITS <= n.bit_length() <= MAX_BITS:
            # The modulus may be a secret prime, so it is not part of the message.
            raise ConfigError(
                f"a modulus is odd, positive and of {MIN_BITS} to {MAX_BITS} bits;"
                f" this has {n.bit_length()}"
            )
    return moduli
