# SPDX-License-Identifier: Apache-2.0
"""Powers to p - 1 modulo p**2 against pow, in both backends."""

from __future__ import annotations

import random

import gmpy2
import numpy as np
import pytest

from mpc.errors import ConfigError
from mpc.kernels import bigint
from mpc.kernels.bigint import Fermat

SPARSE = int(gmpy2.next_prime(1 << 520))
ONES = (1 << 521) - 1
"""Of p - 32 nearly all digits are 0, or 31."""


def edges(p):
    """Elements that p does not divide, of which both digits are extreme."""
    return [1, p * p - 1, p - 1, p + 1, p * p - p + 1, 2, (p >> 1) * (p + 1)]


def prime(rng, bits):
    return int(gmpy2.next_prime(rng.getrandbits(bits) | 3 << (bits - 2)))


@pytest.mark.parametrize("bits", [64, 65, 250, 510, 521, 1024, 1536, 2048])
def test_each_prime_has_its_power(backend, bits):
    rng = random.Random(bits)
    primes = [prime(rng, bits), prime(rng, bits)]
    rings = [bigint.modulo_square(p) for p in primes]
    fermat = Fermat(rings)
    for count in (9, 17):
        values = [[*edges(p), *(rng.randrange(1, p) for _ in range(count))][:count] for p in primes]
        # Not canonical inside: the results of products.
        x = [r.mul(r.encode(v), r.ones(1)) for r, v in zip(rings, values, strict=True)]
        powers = fermat.power(x)
        for ring, p, vs, found in zip(rings, primes, values, powers, strict=True):
            wanted = [pow(v, p - 1, p * p) for v in vs]
            assert ring.decode(found) == wanted
            assert ring.root.decode(ring.log(found)) == [w // p for w in wanted]


@pytest.mark.parametrize("p", [SPARSE, ONES], ids=["sparse", "ones"])
def test_digits_of_the_exponent_all_alike(backend, p):
    ring = bigint.modulo_square(p)
    values = [*edges(p), random.Random(p).randrange(1, p * p)]
    (found,) = Fermat([ring]).power([ring.encode(values)])
    assert ring.decode(found) == [pow(v, p - 1, p * p) for v in values]


def test_powers_multiply(backend):
    """What is lacking is made good for products as for their factors: logs add."""
    p = prime(random.Random(3), 512)
    ring = bigint.modulo_square(p)
    fermat, x = Fermat([ring]), ring.encode(range(2, 40))
    logs = [ring.log(fermat.power([y])[0]) for y in (x, x[::-1], ring.mul(x, x[::-1]))]
    first, second, both = (ring.root.decode(log) for log in logs)
    assert both == [(a + b) % p for a, b in zip(first, second, strict=True)]


def test_elements_without_inverse_are_no_error(backend):
    ring = bigint.modulo_square(ONES)
    values = [0, ONES, 3, 5 * ONES]
    (found,) = Fermat([ring]).power([ring.encode(values)])
    assert len(ring.decode(found)) == 4
    assert ring.decode(found)[2] == pow(3, ONES - 1, ONES * ONES)


def test_nothing_to_raise(backend):
    rings = [bigint.modulo_square(ONES)] * 2
    assert [len(power) for power in Fermat(rings).power([r.encode([]) for r in rings])] == [0, 0]


def test_arguments(backend):
    ring = bigint.modulo_square(ONES)
    fermat, x = Fermat([ring, ring]), ring.encode([2])
    assert repr(fermat) == "Fermat(<2 rings>)"
    with pytest.raises(ConfigError, match="2 parts"):
        fermat.power([x])
    with pytest.raises(ConfigError, match="2 parts"):
        fermat.power([x, ring.encode([2, 3])])
    with pytest.raises(ConfigError, match="another ring"):
        fermat.power([x, bigint.Residues(np.zeros((1, 3, 8), np.uint64), 1)])
    with pytest.raises(ConfigError, match="one length"):
        Fermat([ring, bigint.modulo_square((1 << 607) - 1)])
    with pytest.raises(ConfigError, match="one length"):
        Fermat([])
    with pytest.raises(ConfigError, match="one modulus"):
        Fermat([bigint.modulo_square([ONES, ONES])])
