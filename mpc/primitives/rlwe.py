# SPDX-License-Identifier: Apache-2.0
"""Shares of inner products of one side's vectors with vectors that the other sent encrypted.

The part of BFV that this takes: Brakerski (CRYPTO 2012), Fan, Vercauteren (eprint 2012/144), with
residues as in Bajard et al. (2016/510). Nothing is rotated, relinearised, or multiplied but by
plaintexts. A *slot vector* is ``SLOTS`` values modulo each prime of ``T``, uint32 (2, SLOTS)::

    holder                                       asker
      key = Key.draw()
      seed, sent = key.encrypt(values)   --->    vectors = Vectors.read(seed, sent, terms)
                                         <---    answers, masks = vectors.products(plain)
      sums = key.decrypt(answers)

with ``values`` (terms, 2, SLOTS), ``plain`` (blocks, terms, 2, SLOTS), and the rest (blocks, 2,
SLOTS). Slot by slot, modulo each prime t_j of T, ``sums`` = sum over terms of plain * values +
masks, where the masks are uniform.

**How.** R_Q = Z_Q[X]/(X^N + 1), N = SLOTS, Q the product of ``PRIMES``, t that of T, s a uniform
ternary key. A polynomial m modulo t, whose slots are its transform's, is encrypted as

    c0 = -(a s + e) + round(Q m / t),   c1 = a              a expanded from the seed, so not sent

and one encryption of zero goes along as public key b. Since round(Q m / t) = Q m / t + r, |r| <=
1/2, and Q times an integer is zero, products with integers A of up to t / 2 stay exact: sum A c is
Q (sum A m mod t) / t + sum A (r - e). (With floor(Q / t) m in its place, the multiples of t in A m
would leave noise of A m (Q mod t) / t, some 2^97.) The asker adds round(Q mask / t) and u b, with
u ternary, an error e1 to c1, and to c0 a uniform integer of [-2^k, 2^k); it then divides by all
primes but ``KEPT`` of them, rounds, and sends that.

**Who learns what**, both sides following the protocol:

* the asker sees encryptions: nothing, by ring-LWE in s. The seed is hashed to a stream of AES-256;
* the holder sees ``sums``, and nothing else. c1 + u b1 + e1 is uniform to it by ring-LWE in u, and
  given that and its key, c0 is what it decrypts to. The noise in it does depend on ``plain``: it is
  at most B, and hidden by the uniform integer up to a distance of B / 2^(k+1) for each coefficient.
  ``Budget`` has k such that in all coefficients of a run that is at most 2^-40;
* sizes: both know terms and blocks.

This is for sides that follow the protocol. A holder that sends ciphertexts of its own making, with
noise that it chose near Q / t rather than drew, reads from each coefficient of an answer the few
bits by which Q / t exceeds 2^k, of products of ``plain`` with what it chose: enough to test guesses
of ``plain``. One that sends another b may undo the hiding by u. An asker that sends answers of its
own making, and is told what becomes of them, may learn of the key. A key serves one run.

**Parameters.** N = 8192, Q of 174 bits, s and u ternary, errors centred binomial of eta = 21, a
standard deviation of 3.24: 131 bits by the count of core-SVP (0.292 beta) for the primal attack.
The Homomorphic Encryption Standard (2018, table 1) allows 218 bits of Q for 128 bits of security
with such keys. The binomial is in place of a Gaussian, as in NewHope (Alkim, Ducas, Pöppelmann,
Schwabe, USENIX Security 2016, section 4), since it is drawn in constant time.

**Time** depends on shapes, and on how many random words are rejected, which no secret depends on;
in the portable backend, on the processor's division too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from mpc.errors import CryptoError
from mpc.kernels import ntt, rns
from mpc.primitives import residues
from mpc.primitives.residues import Octets, Residues
from mpc.primitives.rng import SEED_BYTES, SYSTEM, Prg, Rng, derive, uint64

SLOTS = 8192
T = (6635521, 5308417)
PRIMES = (536690689, 536641537, 536608769, 536543233, 536494081, 536215553)
KEPT = 2
ETA = 21

POLYNOMIAL_BYTES = len(PRIMES) * residues.width(SLOTS)
"""Octets of one encrypted slot vector; one more is sent, the public key."""

ANSWER_BYTES = 2 * KEPT * residues.width(SLOTS)
"""Octets of the answer for one block."""

BLOCKS = 512
"""How many blocks are answered under one key, unless a caller says otherwise."""

STATISTICAL_SECURITY = 40
_LIMIT = math.prod(PRIMES[:KEPT]) / (2 * math.prod(T))


@dataclass(frozen=True, slots=True)
class Budget:
    """What noise products of ``terms`` terms have, and what hides it in ``blocks`` of them.

    ``honest`` bounds a coefficient's noise before it is hidden, ``smudging`` is k, and ``final``
    bounds the noise that decryption finds. They fail with probability 2^-70 and 2^-69 at most, over
    the errors that the holder draws and the rounding of c1, whatever plaintexts and values are.
    """

    terms: int
    blocks: int
    honest: float
    smudging: int
    final: float

    @classmethod
    def of(cls, terms: int, blocks: int = BLOCKS) -> Budget:
        """ValueError where decryption could fail: for 512 blocks from some 500 terms on, for 2048
        from some 120."""
        if terms < 1 or blocks < 1:
            raise ValueError(f"products of {terms} terms in {blocks} blocks")
        # The coefficients of plaintexts (``ntt.combine``).
        largest = T[0] * (T[1] // 2 + 1)
        # Sums of x_i e_i with e_i the half of 2 eta uniform signs: Hoeffding's inequality.
        deviation = math.sqrt(ETA / 2) * largest * math.sqrt(terms * SLOTS)
        rounding = largest * terms * SLOTS / 2
        masking = 2 * ETA * SLOTS + 1  # the public key's error times u, e1 times s, the mask's r
        honest = _tail(deviation) + rounding + masking
        # Half of the distance allowed, so that the other half is left for where ``honest`` fails.
        smudging = math.ceil(math.log2(honest * blocks * SLOTS)) + STATISTICAL_SECURITY
        # The rounding of c1, uniform in [-1/2, 1/2], times s, and that of c0.
        switching = _tail(math.sqrt(SLOTS / 4)) + 1
        final = (2.0**smudging + honest) / math.prod(PRIMES[KEPT:]) + switching
        if final >= _LIMIT:
            raise ValueError(
                f"products of {terms} terms, hidden in {blocks} blocks, have too much noise"
            )
        return cls(terms, blocks, honest, smudging, final)


def _tail(deviation: float) -> float:
    """What a sub-Gaussian sum exceeds in absolute value with probability 2^-70 at most."""
    return deviation * math.sqrt(2 * 71 * math.log(2))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Key:
    """The holder's key."""

    _secret: NDArray[np.int8]

    @classmethod
    def draw(cls, rng: Rng = SYSTEM) -> Key:
        """A new key."""
        return cls(_ternary(rng))

    def encrypt(self, values: Residues, rng: Rng = SYSTEM) -> tuple[bytes, Octets]:
        """A seed, and octets (terms + 1, POLYNOMIAL_BYTES) of slot vectors (terms, 2, SLOTS)."""
        _check_slots("values", values, (len(values),))
        Budget.of(len(values))
        seed, ring = rng.bytes(SEED_BYTES), _ring()
        scaled = rns.scale(_slots().inverse(values), T, PRIMES)
        noise = rns.small(_errors(rng, len(values) + 1), PRIMES)
        noise[:-1] = _plus(noise[:-1], scaled, PRIMES)
        secret = ring.forward(rns.small(-self._secret, PRIMES))
        expanded = _expanded(seed, len(values))
        sent = rns.multiply_add(ring.forward(noise), expanded, secret, PRIMES)
        return seed, residues.pack(sent).reshape(len(sent), POLYNOMIAL_BYTES)

    def decrypt(self, answers: Octets) -> Residues:
        """The sums (blocks, 2, SLOTS) in ``answers`` (blocks, ANSWER_BYTES).

        Raises ``CryptoError`` for octets that are no answer.
        """
        return _slots().forward(rns.scale(self._phase(answers), PRIMES[:KEPT], T))

    def _phase(self, answers: Octets) -> Residues:
        """c0 + c1 s: (blocks, KEPT, SLOTS)."""
        _check_octets("answers", answers, ANSWER_BYTES)
        shape = (len(answers), 2, KEPT, residues.width(SLOTS))
        kept, ring = PRIMES[:KEPT], ntt.Transform.of(PRIMES[:KEPT], SLOTS)
        read = ring.forward(residues.unpack(answers.reshape(shape), kept, SLOTS))
        secret = ring.forward(rns.small(self._secret, kept))
        return ring.inverse(rns.multiply_add(read[:, 0], read[:, 1], secret, kept))

    def __repr__(self) -> str:
        return "Key(<secret>)"

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError("secret keys do not compare")

    def __bool__(self) -> NoReturn:
        raise TypeError("a secret key has no truth value")

    __hash__ = None  # type: ignore[assignment]  # the way to say that it has no hash


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Vectors:
    """The encrypted slot vectors that a holder sent, and its public key."""

    budget: Budget
    _ciphertexts: Residues  # (terms, 2, primes, SLOTS), as slots of the ring
    _public: Residues  # (2, primes, SLOTS)

    @classmethod
    def read(cls, seed: bytes, sent: Octets, terms: int, blocks: int = BLOCKS) -> Vectors:
        """Of what ``Key.encrypt`` gave, to answer ``blocks`` in all, or fewer.

        Raises ``CryptoError`` for what is nothing of the kind, ValueError for too many terms.
        """
        budget = Budget.of(terms, blocks)
        if len(seed) != SEED_BYTES:
            raise CryptoError(f"a seed has {SEED_BYTES} bytes, not {len(seed)}")
        _check_octets("encrypted vectors", sent, POLYNOMIAL_BYTES)
        if len(sent) != terms + 1:
            raise CryptoError(f"{len(sent)} polynomials, expected {terms} and a public key")
        both = np.empty((terms + 1, 2, len(PRIMES), SLOTS), np.uint32)
        rows = sent.reshape(terms + 1, len(PRIMES), residues.width(SLOTS))
        both[:, 0] = residues.unpack(rows, PRIMES, SLOTS)
        both[:, 1] = _expanded(seed, terms)
        return cls(budget, both[:-1], both[-1])

    def products(self, plain: Residues, rng: Rng = SYSTEM) -> tuple[Octets, Residues]:
        """Answers (blocks, ANSWER_BYTES) for ``plain`` (blocks, terms, 2, SLOTS), and the masks.

        All that is drawn is expanded from one seed of ``rng`` by AES-256. For many blocks call it
        for a few at a time: ``plain`` is 64 kB for each term of each.
        """
        _check_slots("plaintexts", plain, (len(plain), self.budget.terms))
        stream = Prg(rng.bytes(SEED_BYTES))
        masks = residues.uniform(stream, T, len(plain), SLOTS)
        sums = ntt.combine(plain, self._ciphertexts, _slots(), _ring())
        answers = np.empty((len(plain), ANSWER_BYTES), np.uint8)
        for block, total in enumerate(sums):
            hidden = self._hidden(total, masks[block : block + 1], stream)
            answers[block] = residues.pack(hidden).reshape(-1)
        return answers, masks

    def _hidden(self, total: Residues, mask: Residues, stream: Rng) -> Residues:
        """A sum (2, primes, SLOTS) with its mask, of which the holder sees nothing but the slots.

        Returns coefficients (2, KEPT, SLOTS).
        """
        ring, bits = _ring(), self.budget.smudging + 1
        u = ring.forward(rns.small(_ternary(stream), PRIMES))
        coefficients = ring.inverse(rns.multiply_add(total, self._public, u, PRIMES))
        words = uint64(stream, (1, 2, SLOTS)).view(np.uint32).reshape(1, 4, SLOTS)
        wide = rns.wide(words, bits, PRIMES)[0]
        scaled = rns.scale(_slots().inverse(mask), T, PRIMES)[0]
        added = np.stack([_plus(wide, scaled, PRIMES), rns.small(_errors(stream, 1)[0], PRIMES)])
        return rns.rescale(_plus(coefficients, added, PRIMES), PRIMES, KEPT)


def _slots() -> ntt.Transform:
    return ntt.Transform.of(T, SLOTS)


def _ring() -> ntt.Transform:
    return ntt.Transform.of(PRIMES, SLOTS)


def _expanded(seed: bytes, terms: int) -> Residues:
    """c1 of all that is sent, as slots."""
    return residues.uniform(derive(seed, "rlwe"), PRIMES, terms + 1, SLOTS)


def _ternary(rng: Rng) -> NDArray[np.int8]:
    """A polynomial of uniform coefficients -1, 0, 1."""
    return residues.below(rng, 3, SLOTS).astype(np.int8) - np.int8(1)


def _errors(rng: Rng, count: int) -> NDArray[np.int8]:
    """Polynomials (count, SLOTS) of centred binomial coefficients."""
    words, mask = uint64(rng, (count, SLOTS)), np.uint64((1 << ETA) - 1)
    plus, minus = np.bitwise_count(words & mask), np.bitwise_count(words >> np.uint64(ETA) & mask)
    return np.asarray(plus.astype(np.int8) - minus.astype(np.int8))


def _plus(x: Residues, y: Residues, primes: tuple[int, ...]) -> Residues:
    """x + y modulo each prime."""
    q = np.array(primes, np.uint32)[:, None]
    total = x + y
    # Where the sum is below q, taking q away wraps to above it.
    return np.asarray(np.minimum(total, total - q))


def _check_slots(what: str, values: Residues, before: tuple[int, ...]) -> None:
    shape = (*before, len(T), SLOTS)
    if values.dtype != np.uint32 or values.shape != shape:
        raise ValueError(f"{what} are uint32 {shape}, not {values.dtype} {values.shape}")
    if (values >= np.array(T, np.uint32)[:, None]).any():
        raise ValueError(f"{what} are not below the primes {T}")


def _check_octets(what: str, octets: Octets, width: int) -> None:
    if octets.dtype != np.uint8 or octets.ndim != 2 or octets.shape[1] != width:
        raise CryptoError(f"{what} are octets (n, {width}), not {octets.dtype} {octets.shape}")
