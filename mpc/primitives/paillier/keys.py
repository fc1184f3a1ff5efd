# SPDX-License-Identifier: Apache-2.0
"""Paillier keys (Paillier, Eurocrypt 1999), of the form that Damgård, Jurik and Nielsen 2010 want.

n = p*q with p and q of equal length and 3 modulo 4, g = 1 + n. A ciphertext of m is
(1 + m*n) * mask modulo n**2, where the mask is a random n-th residue (`masks`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

import gmpy2
from numpy.typing import ArrayLike, NDArray

from mpc.errors import EncodingOverflow, InvalidKey, KeyMismatch
from mpc.kernels.bigint import Residues
from mpc.primitives import fixed
from mpc.primitives.paillier import plaintexts
from mpc.primitives.paillier.ciphertexts import Ciphertexts
from mpc.primitives.paillier.masks import MaskSource
from mpc.primitives.paillier.owner import Owner
from mpc.primitives.paillier.packing import Packing
from mpc.primitives.paillier.pool import wipe
from mpc.primitives.paillier.primes import GIVEN_ROUNDS, is_probable_prime, random_prime
from mpc.primitives.paillier.proof import KeyProof, prove, verify
from mpc.primitives.rng import SYSTEM, Rng

MIN_BITS, MAX_BITS = 2048, 8192
"""Lengths of a modulus. Shorter ones, down to ``TOY_BITS``, take ``allow_weak=True``."""

TOY_BITS = 512

_MAGIC = b"mpc:v1:paillier:public key\0"


@dataclass(frozen=True, slots=True, init=False)
class PublicKey:
    """The modulus n, and where there is one the proof of its form, which is verified here.

    Equal if n is. ``allow_weak`` admits moduli below 2048 bits, ``allow_unproven`` keys without a
    proof: those whose owner is trusted to have made them well. Raises InvalidKey.
    """

    n: int
    proof: KeyProof | None = field(compare=False)
    masks: MaskSource = field(compare=False)

    def __init__(
        self,
        n: int,
        proof: KeyProof | None = None,
        *,
        allow_weak: bool = False,
        allow_unproven: bool = False,
    ) -> None:
        check_length(n.bit_length(), allow_weak=allow_weak)
        if proof is not None:
            verify(n, proof)
        elif not allow_unproven:
            raise InvalidKey("the key carries no proof of its form")
        self._set(n, proof)

    @staticmethod
    def _as_it_is(n: int, proof: KeyProof | None) -> PublicKey:
        """A key that was made or checked by this party, without checking it again."""
        key = object.__new__(PublicKey)
        key._set(n, proof)
        return key

    def _set(self, n: int, proof: KeyProof | None) -> None:
        if n % 2 == 0:
            raise InvalidKey("a modulus is odd")
        object.__setattr__(self, "n", n)
        object.__setattr__(self, "proof", proof)
        object.__setattr__(self, "masks", MaskSource(n, proven=proof is not None))

    def __repr__(self) -> str:
        return f"PublicKey({self.bits} bits, id {self.id.hex()[:16]})"

    def __reduce__(self) -> tuple[Callable[..., PublicKey], tuple[int, KeyProof | None]]:
        # A copy, in this process or another, makes its own masks: none is used twice.
        return PublicKey._as_it_is, (self.n, self.proof)

    @property
    def bits(self) -> int:
        return self.n.bit_length()

    @property
    def id(self) -> bytes:
        """32 bytes that name this key: a hash of n."""
        return hashlib.sha256(b"mpc:v1:paillier:key id\0" + _encoded(self.n)).digest()

    @property
    def ciphertext_bytes(self) -> int:
        """The width of an encoded ciphertext."""
        return (2 * self.bits + 7) // 8

    def encrypt(
        self,
        values: ArrayLike,
        *,
        fraction_bits: int | None = None,
        bound: int | None = None,
        packing: Packing | None = None,
        rng: Rng = SYSTEM,
    ) -> Ciphertexts:
        """Fresh ciphertexts of an array of numbers, one each, or packed along the last axis.

        Floats are rounded to ``fraction_bits`` (default 32); integers of any size are taken as they
        are. ``bound`` is the magnitude that the integers, scale included, are known to keep, by
        default a coarse one of these values. Raises DataError for NaN and infinity,
        EncodingOverflow for values out of bounds; both name the first index.
        """
        return _encrypt(self, self.masks.for_plaintexts, values, fraction_bits, bound, packing, rng)

    def packing(self, value_bits: int, headroom_adds: int = 0, scalar_bits: int = 0) -> Packing:
        """Slots for integers (scale included) below 2**value_bits in magnitude, with room to add so
        many more of them and to multiply by factors below 2**scalar_bits in magnitude."""
        return Packing.of(self.bits, value_bits, headroom_adds, scalar_bits)

    def precompute(self, count: int, *, results: int = 0) -> None:
        """Have a background thread make masks until ``count`` encryptions are prepared, and
        ``results`` rerandomisations; returns at once. The next ones take them, each mask once."""
        self.masks.prepare(count, results)

    def to_bytes(self) -> bytes:
        """The modulus and its proof, for the wire and for files."""
        modulus = _encoded(self.n)
        shown = self.proof.to_bytes(len(modulus)) if self.proof else b""
        return _MAGIC + len(modulus).to_bytes(4, "little") + modulus + shown

    @staticmethod
    def from_bytes(
        data: bytes, *, allow_weak: bool = False, allow_unproven: bool = False
    ) -> PublicKey:
        """The key that `to_bytes` encoded, checked as every key. Raises InvalidKey."""
        start = len(_MAGIC) + 4
        width = int.from_bytes(data[len(_MAGIC) : start], "little")
        if data[: len(_MAGIC)] != _MAGIC or len(data) < start + width:
            raise InvalidKey("not an encoded Paillier key of this version")
        n = int.from_bytes(data[start : start + width], "little")
        check_length(n.bit_length(), allow_weak=allow_weak)
        if _encoded(n) != data[start : start + width]:
            raise InvalidKey("the modulus is not encoded in its shortest form")
        rest = data[start + width :]
        shown = KeyProof.from_bytes(rest, width) if rest else None
        return PublicKey(n, shown, allow_weak=allow_weak, allow_unproven=allow_unproven)


class SecretKey:
    """The factors of n. They show in no repr, do not compare and do not pickle.

    Made by `keygen`, `from_primes` and `mpc.primitives.paillier.keystore.load`, which check them.
    """

    __slots__ = ("_made", "_p", "_q", "public")

    def __init__(self, public: PublicKey, p: int, q: int) -> None:
        self.public = public
        self._p = p
        self._q = q
        self._made: Owner | None = None

    @staticmethod
    def from_primes(
        p: int,
        q: int,
        *,
        shown: KeyProof | None = None,
        allow_weak: bool = False,
        rng: Rng = SYSTEM,
    ) -> SecretKey:
        """The key of two given primes, checked as for a stranger's: 64 rounds of Miller–Rabin each.

        ``shown`` is the proof of the key's form made before, if any; else one is made where the
        primes are 3 modulo 4. Raises InvalidKey.
        """
        check_length((p * q).bit_length(), allow_weak=allow_weak)
        check_primes(p, q)
        if not all(is_probable_prime(prime, GIVEN_ROUNDS, rng) for prime in (p, q)):
            raise InvalidKey("a factor of the modulus is not prime")
        if shown is None and p % 4 == q % 4 == 3:
            shown = prove(p, q, rng)
        return SecretKey(PublicKey._as_it_is(p * q, shown), p, q)

    def encrypt(
        self,
        values: ArrayLike,
        *,
        fraction_bits: int | None = None,
        bound: int | None = None,
        packing: Packing | None = None,
        rng: Rng = SYSTEM,
    ) -> Ciphertexts:
        """`PublicKey.encrypt`, faster: masks are made modulo p**2 and q**2."""
        masks = self._owner().masks
        return _encrypt(self.public, masks, values, fraction_bits, bound, packing, rng)

    def decrypt(self, ciphertexts: Ciphertexts) -> NDArray[Any]:
        """The numbers: float64 where they have a scale; without one integers, as int64 if all fit.

        Raises KeyMismatch for another key's ciphertexts, and EncodingOverflow where a number
        exceeds the bound that it was said to keep, or is masked.
        """
        x = ciphertexts
        if x.bound is None:
            raise EncodingOverflow("masked ciphertexts hold residues; use decrypt_residues")
        signed = plaintexts.from_residues(
            self.decrypt_residues(x), self.public.n, x.shape, x.packing
        )
        fixed.require_within(signed, -x.bound, x.bound, "exceeds the bound of its ciphertext")
        return fixed.from_integers(signed, x.fraction_bits)

    def decrypt_residues(self, ciphertexts: Ciphertexts) -> list[int]:
        """The plaintext in [0, n) of each ciphertext, row by row, whatever it stands for."""
        if ciphertexts.public.n != self.public.n:
            raise KeyMismatch(f"the ciphertexts are under {ciphertexts.public}, not {self.public}")
        return self._owner().decrypt(ciphertexts.residues)

    def reveal_primes(self) -> tuple[int, int]:
        """The secret factors of n. Whoever sees them can decrypt everything under this key."""
        return self._p, self._q

    def _owner(self) -> Owner:
        if self._made is None:
            self._made = Owner.of(self._p, self._q, self.public.masks.ring)
        return self._made

    def __repr__(self) -> str:
        return f"SecretKey(<secret> of {self.public})"

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError("secret keys do not compare; compare their public keys")

    def __bool__(self) -> NoReturn:
        raise TypeError("a secret key has no truth value")

    __hash__ = None  # type: ignore[assignment]  # the way to say that it has no hash

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret key is written by mpc.primitives.paillier.keystore only")


def keygen(
    bits: int = 3072, *, allow_weak: bool = False, rng: Rng = SYSTEM
) -> tuple[SecretKey, PublicKey]:
    """A new key pair with a modulus of exactly ``bits`` bits, and the proof of its form.

    2048, 3072 and 4096 bits are worth 112, 128 and about 150 bits of a symmetric key (NIST
    SP 800-57); any even number up to 8192 will do, and below 2048, down to 512 and for tests,
    ``allow_weak=True`` must be given. Raises InvalidKey.
    """
    if bits % 2:
        raise InvalidKey(f"a modulus of two primes of equal length has no {bits} bits")
    check_length(bits, allow_weak=allow_weak)
    while True:
        p, q = random_prime(bits // 2, rng), random_prime(bits // 2, rng)
        # The paper's group of masks is cyclic only then; two in three pairs of primes will do.
        if gmpy2.gcd(p - 1, q - 1) == 2:
            break
    check_primes(p, q)
    public = PublicKey._as_it_is(p * q, prove(p, q, rng))
    return SecretKey(public, p, q), public


def check_length(bits: int, *, allow_weak: bool) -> None:
    """Raise InvalidKey for a modulus that is too short, or too long to compute with."""
    if not TOY_BITS <= bits <= MAX_BITS:
        raise InvalidKey(f"a modulus has {TOY_BITS} to {MAX_BITS} bits, not {bits}")
    if bits < MIN_BITS and not allow_weak:
        raise InvalidKey(f"a modulus of {bits} bits can be factored; allow_weak=True admits it")


def check_primes(p: int, q: int) -> None:
    """Raise InvalidKey unless two primes, taken as such, make a sound modulus."""
    half = p.bit_length()
    if p % 2 == 0 or q % 2 == 0 or half != q.bit_length() or (p * q).bit_length() != 2 * half:
        raise InvalidKey("the factors must be odd and half as long as the modulus")
    if abs(p - q).bit_length() <= half - 100:
        # FIPS 186-5, A.1.3: primes this close are found by Fermat's method.
        raise InvalidKey("the factors are too close to each other")
    if gmpy2.gcd(p * q, (p - 1) * (q - 1)) != 1:
        raise InvalidKey("the modulus has a factor in common with phi(n)")


def _encoded(n: int) -> bytes:
    return n.to_bytes((n.bit_length() + 7) // 8, "little")


def _encrypt(
    public: PublicKey,
    masks: Callable[[int, Rng], Residues],
    values: ArrayLike,
    fraction_bits: int | None,
    bound: int | None,
    packing: Packing | None,
    rng: Rng,
) -> Ciphertexts:
    signed, bits = plaintexts.scaled(values, fraction_bits)
    bound = plaintexts.bounded(signed, bound, public.n, packing)
    ring = public.masks.ring
    plain = ring.root.encode(plaintexts.plaintexts(signed, packing))
    mask = masks(len(plain), rng)
    residues = ring.mul(ring.embed(plain), mask)
    wipe(mask)
    return Ciphertexts(public, residues, signed.shape, bits, bound, fresh=True, packing=packing)
