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
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gmpy2
import numpy as np

from mpc import kernels
from mpc.kernels import bigint
from mpc.kernels.bigint import Residues, Ring

from ._options import several, whole
from .harness import machine
from .harness.cores import Scaling
from .harness.timing import Work, seconds_each, turns
from .record import Record, middle

QUICK = "--bits 1024 --count 128 --repeat 3"
SWEEP = "--bits 512,1024,2048,4096 --repeat 3"
GROWS_WITH = (("bits",), ("cores",))

# A 5-bit window spends one product for each five squarings, and its table.
PRODUCTS_PER_BIT = 1.2
SCALAR_BITS = 32


@dataclass(frozen=True)
class Case:
    """``run`` does ``count`` operations, of which GMP does one in ``gmp()`` / ``gmp_count``."""

    name: str
    run: Callable[[], Residues]
    count: int
    right: Callable[[Residues], bool]
    gmp: Callable[[], Any]
    gmp_count: float


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
    records = []
    cores = machine.core_counts()
    with kernels.use(options.backend):
        for bits in options.bits:
            rng = random.Random(bits)
            n = int(gmpy2.next_prime(rng.getrandbits(bits) | 1 << (bits - 1)))
            for name, ring in (("modulo", bigint.modulo(n)), ("square", bigint.modulo_square(n))):
                for case in _cases(ring, bits, options.count, options.terms, rng):
                    records += _measured(case, name, bits, cores, options.repeat)
    return records


def _measured(case: Case, ring: str, bits: int, cores: list[int], repeat: int) -> Iterator[Record]:
    checked = {}
    for count in cores:
        with kernels.use(threads=count):
            checked[count] = case.right(case.run())
    ours, gmp = Scaling(cores), list[float]()
    for _ in turns({**ours.series(), "gmp": gmp}, at_least=repeat):
        ours.measure(Work(case.run, case.count))
        gmp.append(case.gmp_count / seconds_each(Work(case.gmp), time.perf_counter))
    for count in cores:
        median, spread = middle(ours.rates[count])
        yield Record(
            benchmark=f"kernels.{case.name}",
            params={"ring": ring, "bits": bits, "cores": count, "kernels": kernels.backend()},
            unit="op/s",
            median=median,
            spread=spread,
            floor=("gmp.powmod", median / middle(gmp)[0]),
            peers=ours.beside_one(count) or None,
            quiet=ours.quiet(count),
            checked=checked[count],
        )


def _cases(ring: Ring, bits: int, count: int, terms: int, rng: random.Random) -> Iterator[Case]:
    n = gmpy2.mpz(ring.moduli[0])
    xs = [rng.randrange(int(n)) for _ in range(count)]
    x, y = ring.encode(xs), ring.encode(xs[::-1])
    full = gmpy2.mpz(2) ** bits - 1
    few = 32

    def power_of_all() -> Any:
        return gmpy2.powmod(xs[0], full, n)

    def equals(wanted: list[Any]) -> Callable[[Residues], bool]:
        return lambda found: ring.decode(found) == wanted

    each = equals([a * b % n for a, b in zip(xs, xs[::-1], strict=True)])
    inside = bits * PRODUCTS_PER_BIT
    yield Case("product", lambda: ring.mul(x, y), count, each, power_of_all, inside)
    squares = equals([a * a % n for a in xs])
    yield Case("squaring", lambda: ring.square(x), count, squares, power_of_all, inside)
    powers = equals([gmpy2.powmod(a, full, n) for a in xs[:few]])
    yield Case("power", lambda: ring.power(x[:few], int(full)), few, powers, power_of_all, 1)

    many = 16 * few
    half = np.frombuffer(rng.randbytes(many * bits // 16), np.uint8).reshape(many, -1)
    short = [int.from_bytes(e, "little") for e in half]
    comb = ring.comb(x[:1], bits // 2)
    combed = equals([gmpy2.powmod(xs[0], e, n) for e in short])
    yield Case(
        "comb", lambda: comb.power(half), many, combed, lambda: gmpy2.powmod(xs[0], short[0], n), 1
    )
    for outputs in (1, 16):
        yield _multiexp(ring, n, (outputs, terms), rng)


def _multiexp(ring: Ring, n: Any, shape: tuple[int, int], rng: random.Random) -> Case:
    outputs, terms = shape
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

    return Case(
        f"multiexp_{outputs}x{terms}",
        lambda: ring.multiexp(x, matrix),
        outputs,
        lambda found: ring.decode(found[:1]) == [dot(matrix[0])] and len(found) == outputs,
        lambda: dot(np.abs(matrix[0])),
        1,
    )
