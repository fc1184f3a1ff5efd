# SPDX-License-Identifier: Apache-2.0
"""Arithmetic on big integers beside GMP: products, squares, powers, combs, products of powers.

``modulo`` is the ring modulo a number of so many bits, ``square`` the one modulo its square, which
GMP works in as numbers of twice the bits. The floor of a single product or square is what one costs
inside GMP's ``powmod``, the fastest that GMP has; that of the others is one ``powmod`` for each
power. GMP runs on one core always. Speed beside "one core" is that of quiet turns, see
``harness.cores``. Every result is compared with GMP's.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import gmpy2
import numpy as np

from mpc import kernels
from mpc.kernels import bigint
from mpc.kernels.bigint import Residues, Ring

from ._options import several, whole
from .harness.operations import Operation, measured
from .harness.timing import Work
from .record import Record

QUICK = "--bits 1024 --count 128 --repeat 3"
SWEEP = "--bits 512,1024,2048,4096 --repeat 3"
GROWS_WITH = (("bits",), ("cores",))

# A 5-bit window spends one product for each five squarings, and its table.
PRODUCTS_PER_BIT = 1.2
SCALAR_BITS = 32


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The sizes of the measurements."""
    parser.add_argument(
        "--bits", type=several, default="1024,2048,3072", help="sizes, with commas between"
    )
    parser.add_argument(
        "--count", type=whole, default=10_000, help="numbers in a vector of products"
    )
    parser.add_argument("--terms", type=whole, default=1000, help="terms in a product of powers")
    parser.add_argument("--repeat", type=whole, default=5, help="measurements of each")
    parser.add_argument("--backend", choices=kernels.BACKENDS, help="default: the best there is")


def run(options: argparse.Namespace) -> list[Record]:
    """Measure every operation for every size, on one core and on more."""
    with kernels.use(options.backend):
        return measured(list(_operations(options)), repeat=options.repeat)


def _operations(options: argparse.Namespace) -> Iterator[Operation]:
    for bits in options.bits:
        rng = random.Random(bits)
        n = int(gmpy2.next_prime(rng.getrandbits(bits) | 1 << (bits - 1)))
        for name, ring in (("modulo", bigint.modulo(n)), ("square", bigint.modulo_square(n))):
            case = partial(Operation, params={"ring": name, "bits": bits})
            yield from _elementwise(case, ring, bits, options.count, rng)
            for outputs in (1, 16):
                yield _multiexp(case, ring, (outputs, options.terms), rng)


def _elementwise(
    case: Callable[..., Operation], ring: Ring, bits: int, count: int, rng: random.Random
) -> Iterator[Operation]:
    n = gmpy2.mpz(ring.moduli[0])
    xs = [rng.randrange(int(n)) for _ in range(count)]
    x, y = ring.encode(xs), ring.encode(xs[::-1])
    full = gmpy2.mpz(2) ** bits - 1
    few = 32

    def equals(wanted: list[Any]) -> Callable[[Residues], bool]:
        return lambda found: ring.decode(found) == wanted

    def power_of_all(count: float = 1) -> Work:
        return Work(lambda: gmpy2.powmod(xs[0], full, n), count)

    each = equals([a * b % n for a, b in zip(xs, xs[::-1], strict=True)])
    inside = power_of_all(bits * PRODUCTS_PER_BIT)
    yield case(
        "kernels.product", ours=Work(lambda: ring.mul(x, y), count), right=each, floor=inside
    )
    squares = equals([a * a % n for a in xs])
    square = Work(lambda: ring.square(x), count)
    yield case("kernels.squaring", ours=square, right=squares, floor=inside)
    powers = equals([gmpy2.powmod(a, full, n) for a in xs[:few]])
    power = Work(lambda: ring.power(x[:few], int(full)), few)
    yield case("kernels.power", ours=power, right=powers, floor=power_of_all())

    many = 16 * few
    half = np.frombuffer(rng.randbytes(many * bits // 16), np.uint8).reshape(many, -1)
    short = [int.from_bytes(e, "little") for e in half]
    comb = ring.comb(x[:1], bits // 2)
    yield case(
        "kernels.comb",
        ours=Work(lambda: comb.power(half), many),
        right=equals([gmpy2.powmod(xs[0], e, n) for e in short]),
        floor=Work(lambda: gmpy2.powmod(xs[0], short[0], n)),
    )


def _multiexp(
    case: Callable[..., Operation], ring: Ring, shape: tuple[int, int], rng: random.Random
) -> Operation:
    (outputs, terms), n = shape, gmpy2.mpz(ring.moduli[0])
    bound = 1 << (SCALAR_BITS - 1)
    bases = [rng.randrange(1, int(n)) for _ in range(terms)]
    matrix = np.array(
        [[rng.randrange(-bound, bound) for _ in range(terms)] for _ in range(outputs)]
    )
    x = ring.encode(bases)

    def dot(exponents: Any) -> Any:
        out = gmpy2.mpz(1)
        for base, exponent in zip(bases, exponents, strict=True):
            out = out * gmpy2.powmod(base, int(exponent), n) % n
        return out

    return case(
        f"kernels.multiexp_{outputs}x{terms}",
        ours=Work(lambda: ring.multiexp(x, matrix), outputs),
        right=lambda found: ring.decode(found[:1]) == [dot(matrix[0])] and len(found) == outputs,
        floor=Work(lambda: dot(np.abs(matrix[0]))),
    )
