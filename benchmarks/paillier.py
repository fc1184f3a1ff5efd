# SPDX-License-Identifier: Apache-2.0
"""Paillier, operation by operation, beside python-paillier and GMP's own powers.

Every operation is measured on 1, 2, 4 cores and so on, up to all of them, in turn with
``phe`` on the same key and with what it comes to in plain GMP calls, so that what else the machine
does falls on all alike. "floor" is that ratio; GMP and ``phe`` run on one core always. On all cores
"one core" stands among the peers: how much faster it is than that, in the "quiet turns" during
which nothing else ran (``harness.cores``), or nothing where there was none. Every result is
compared with the plain numbers, on one core and on all.
"""

from __future__ import annotations

import argparse
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gmpy2
import numpy as np
from numpy.typing import NDArray

from mpc import kernels
from mpc.primitives import paillier
from mpc.primitives.paillier import Ciphertexts, PublicKey, SecretKey

from ._options import several_key_bits, whole
from .harness import floors
from .harness.operations import Operation, measured
from .harness.timing import Work
from .record import Record, middle

QUICK = "--bits 2048 --count 16 --repeat 3"
SWEEP = "--bits 1024,2048,3072,4096 --count 64 --repeat 3"
GROWS_WITH = (("bits",), ("cores",))

TERMS = 1000  # of the dot product
MANY = 10_000  # ciphertexts of a large batch


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The sizes of the measurements."""
    parser.add_argument(
        "--bits",
        type=several_key_bits,
        default="2048,3072",
        help="lengths of keys, with commas between",
    )
    parser.add_argument("--count", type=whole, default=512, help="numbers in a vector")
    parser.add_argument("--repeat", type=whole, default=7, help="measurements of each")
    parser.add_argument("--backend", choices=kernels.BACKENDS, help="default: the best there is")


def run(options: argparse.Namespace) -> list[Record]:
    """Measure every operation for every length of key."""
    with kernels.use(options.backend):
        operations = [
            replace(each, name=f"paillier.{each.name}", params={"bits": bits})
            for bits in options.bits
            for each in _operations(*paillier.keygen(bits, allow_weak=True), options.count)
        ]
        records = measured(operations, repeat=options.repeat)
        return records + [_key_generation(bits) for bits in options.bits]


def _key_generation(bits: int) -> Record:
    """Beside what GMP takes to find two primes of that length, both of random beginnings."""
    seconds: dict[str, list[float]] = {"ours": [], "gmp": []}
    for _ in range(5):
        start = time.perf_counter()
        secret, public = paillier.keygen(bits, allow_weak=True)
        between = time.perf_counter()
        for _ in range(2):
            gmpy2.next_prime(secrets.randbits(bits // 2))
        seconds["ours"].append(between - start)
        seconds["gmp"].append(time.perf_counter() - between)
    median, spread = middle(seconds["ours"])
    right = secret.decrypt(public.encrypt([7])).tolist() == [7] and public.bits == bits
    return Record(
        benchmark="paillier.keygen",
        params={"bits": bits, "cores": 1, "kernels": kernels.backend()},
        unit="s",
        median=median,
        spread=spread,
        floor=("gmp.next_prime", median / middle(seconds["gmp"])[0]),
        checked=right,
    )


def _operations(secret: SecretKey, public: PublicKey, count: int) -> list[Operation]:
    rng = np.random.default_rng(7)
    values = rng.integers(-(1 << 31), 1 << 31, count)
    factors = rng.integers(1 << 31, 1 << 32, count) * rng.choice([-1, 1], count)
    x, y = public.encrypt(values), secret.encrypt(values[::-1])
    theirs = Theirs(secret, public, values, factors)
    return [
        *_encryptions(secret, public, values, theirs),
        *_packed(secret, public, count, theirs),
        Operation(
            "decrypt",
            Work(lambda: secret.decrypt(x), count),
            lambda result: np.array_equal(result, values),
            theirs.owner_powers(),
            peers={"phe": theirs.decrypt()},
        ),
        Operation(
            "add",
            Work(lambda: x + y, count),
            _holds(secret, values + values[::-1]),
            theirs.products(),
            "gmp.mulmod",
            {"phe": theirs.add()},
        ),
        *_multiplications(secret, x, values, factors, theirs),
        Operation(
            "rerandomize",
            Work(x.rerandomized, count),
            _holds(secret, values),
            floor=theirs.nth_powers(),
        ),
        _received(public, x, values, secret),
        *_many(secret, x, values, theirs),
        *_dot(secret, rng),
    ]


def _holds(secret: SecretKey, expected: NDArray[Any]) -> Callable[[Ciphertexts], bool]:
    return lambda result: np.array_equal(secret.decrypt(result), expected)


def _encryptions(
    secret: SecretKey, public: PublicKey, values: NDArray[Any], theirs: Theirs
) -> list[Operation]:
    return [
        Operation(
            f"encrypt_{who}",
            Work(lambda encrypt=encrypt: encrypt(values), len(values)),
            _holds(secret, values),
            floor,
            peers={"phe": theirs.encrypt()},
        )
        for who, encrypt, floor in (
            ("public", public.encrypt, theirs.nth_powers()),
            ("owner", secret.encrypt, theirs.owner_powers()),
        )
    ]


def _multiplications(
    secret: SecretKey, x: Ciphertexts, values: NDArray[Any], factors: NDArray[Any], theirs: Theirs
) -> list[Operation]:
    negative = -abs(factors)
    return [
        Operation(
            name,
            Work(lambda by=by: x * by, len(values)),
            _holds(secret, values.astype(object) * by),
            theirs.powers(),
            peers={"phe": theirs.multiply(negative=by is negative)},
        )
        for name, by in (("multiply_32_bit", factors), ("multiply_32_bit_negative", negative))
    ]


def _packed(secret: SecretKey, public: PublicKey, count: int, theirs: Theirs) -> list[Operation]:
    packing = public.packing(value_bits=32)
    values = np.random.default_rng(8).integers(0, 1 << 32, count * packing.slots)
    return [
        Operation(
            f"encrypt_packed_{who}",
            Work(lambda encrypt=encrypt: encrypt(values, packing=packing), len(values)),
            lambda result: np.array_equal(secret.decrypt(result), values),
            theirs.nth_powers(),
            peers={"phe": theirs.encrypt()},
        )
        for who, encrypt in (("public", public.encrypt), ("owner", secret.encrypt))
    ]


def _received(
    public: PublicKey, x: Ciphertexts, values: NDArray[Any], secret: SecretKey
) -> Operation:
    array = x.to_array()
    return Operation(
        "from_array",
        Work(lambda: Ciphertexts.from_array(public, array), len(array)),
        lambda result: np.array_equal(secret.decrypt(result), values),
        floor=Work(floors.copy(array.nbytes).run, len(array)),
        floor_name="copy",
    )


def _many(
    secret: SecretKey, x: Ciphertexts, values: NDArray[Any], theirs: Theirs
) -> list[Operation]:
    """What is soon done, on a batch that takes long enough to be worth a second thread.

    Of 512 ciphertexts the sum takes half a millisecond, and to have a second thread begin and end
    a tenth of that. Some results are compared, all along the batch.
    """
    places = np.arange(MANY) % len(values)
    some = np.arange(0, MANY, MANY // 16)
    array, many = x.to_array()[places], x[places]

    def holds(expected: NDArray[Any]) -> Callable[[Ciphertexts], bool]:
        return lambda result: np.array_equal(secret.decrypt(result[some]), expected[places[some]])

    return [
        Operation(
            f"add_of_{MANY}",
            Work(lambda: many + many, MANY),
            holds(2 * values),
            theirs.products(),
            "gmp.mulmod",
            {"phe": theirs.add()},
        ),
        Operation(
            f"from_array_of_{MANY}",
            Work(lambda: Ciphertexts.from_array(secret.public, array), MANY),
            holds(values),
            floor=Work(floors.copy(array.nbytes).run, MANY),
            floor_name="copy",
        ),
    ]


def _dot(secret: SecretKey, rng: np.random.Generator) -> list[Operation]:
    values = rng.integers(-(1 << 31), 1 << 31, TERMS)
    weights = rng.integers(-(1 << 31), 1 << 31, TERMS)
    matrix = rng.integers(-1000, 1000, (8, TERMS))
    x = secret.encrypt(values)
    theirs = Theirs(secret, secret.public, values, weights)
    dot = values.astype(object) @ weights.astype(object)
    return [
        Operation(
            f"dot_{TERMS}",
            Work(lambda: x.dot(weights), 1),
            lambda result: secret.decrypt(result) == dot,
            theirs.powers(TERMS, per=TERMS),
            peers={"phe": theirs.dot()},
        ),
        Operation(
            f"matrix_8_by_{TERMS}_of_10_bits",
            Work(lambda: matrix @ x, 1),
            lambda result: np.array_equal(secret.decrypt(result), matrix @ values),
            floor=theirs.powers(TERMS, per=TERMS, bits=10),
        ),
    ]


class Theirs:
    """The same work in python-paillier, on the same key and numbers, and in plain GMP calls."""

    def __init__(
        self, secret: SecretKey, public: PublicKey, values: NDArray[Any], factors: NDArray[Any]
    ) -> None:
        import phe  # so that --help needs nothing more than the library

        self.key = phe.PaillierPublicKey(public.n)
        self.private = phe.PaillierPrivateKey(self.key, *secret.reveal_primes())
        self.values = [int(value) for value in values]
        self.factors = [int(factor) for factor in factors]
        rows = public.encrypt(values).to_array()
        self.plain = [gmpy2.mpz.from_bytes(row.tobytes(), "little") for row in rows]
        self.numbers = [phe.EncryptedNumber(self.key, int(c)) for c in self.plain]
        self.square = gmpy2.mpz(public.n) ** 2
        self.squares = [gmpy2.mpz(prime) ** 2 for prime in secret.reveal_primes()]

    def encrypt(self, count: int = 5) -> Work:
        return Work(lambda: [self.key.encrypt(v) for v in self.values[:count]], count)

    def decrypt(self, count: int = 10) -> Work:
        return Work(lambda: [self.private.decrypt(c) for c in self.numbers[:count]], count)

    def add(self) -> Work:
        pairs = list(zip(self.numbers, reversed(self.numbers), strict=True))
        return Work(lambda: [a + b for a, b in pairs], len(pairs))

    def multiply(self, count: int = 100, *, negative: bool = False) -> Work:
        factors = [-abs(f) if negative else f for f in self.factors[:count]]
        pairs = list(zip(self.numbers, factors, strict=False))
        return Work(lambda: [c * f for c, f in pairs], len(pairs))

    def dot(self) -> Work:
        pairs = list(zip(self.numbers, self.factors, strict=True))
        return Work(lambda: sum((c * f for c, f in pairs[1:]), pairs[0][0] * pairs[0][1]), 1)

    def nth_powers(self, count: int = 5) -> Work:
        """r**n modulo n**2, which is textbook encryption."""
        n = self.key.n
        return Work(lambda: [gmpy2.powmod(c, n, self.square) for c in self.plain[:count]], count)

    def owner_powers(self, count: int = 10) -> Work:
        """c**(p - 1) modulo p**2 and the same for q, which is decryption."""

        def run() -> object:
            return [
                [gmpy2.powmod(c, gmpy2.isqrt(m) - 1, m) for m in self.squares]
                for c in self.plain[:count]
            ]

        return Work(run, count)

    def products(self) -> Work:
        pairs = list(zip(self.plain, reversed(self.plain), strict=True))
        return Work(lambda: [a * b % self.square for a, b in pairs], len(pairs))

    def powers(self, count: int = 100, per: int = 1, bits: int = 32) -> Work:
        """c**k modulo n**2 for k of 32 bits or fewer; ``per`` of them make one operation."""
        pairs = [
            (c, abs(f) >> (32 - bits))
            for c, f in zip(self.plain[:count], self.factors, strict=False)
        ]
        return Work(lambda: [gmpy2.powmod(c, f, self.square) for c, f in pairs], len(pairs) // per)
