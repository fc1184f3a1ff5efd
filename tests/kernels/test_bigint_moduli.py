# SPDX-License-Identifier: Apache-2.0
"""Rings of one modulus per element, of the shortest and the longest among each other."""

from __future__ import annotations

import random

import gmpy2
import numpy as np
import pytest

from mpc import kernels
from mpc.errors import ConfigError, EncodingOverflow
from mpc.kernels import bigint
from mpc.kernels.bigint import concatenate

BACKENDS = ["portable", *(["simd"] if kernels.backend() == "simd" else [])]


@pytest.fixture(params=BACKENDS)
def backend(request):
    with kernels.use(request.param):
        yield request.param


def moduli(count):
    """Odd numbers of 64 to 8192 bits, which share one number of limbs."""
    rng = random.Random(count)
    sizes = [64, 8192, 512, 2048, *(rng.randrange(64, 3000) for _ in range(count))][:count]
    return [rng.getrandbits(bits) | 1 | 1 << (bits - 1) for bits in sizes]


@pytest.mark.parametrize("count", [1, 3, 8, 9, 17])
def test_everything_modulo_squares_of_any_lengths(backend, count):
    rng, roots = random.Random(5), moduli(count)
    ring = bigint.modulo_square(roots)
    squares = [n * n for n in roots]
    assert list(ring.moduli) == squares

    ms = [rng.randrange(n) for n in roots]
    embedded = ring.embed(ring.root.encode(ms))
    assert ring.decode(embedded) == [1 + m * n for m, n in zip(ms, roots, strict=True)]
    assert ring.root.decode(ring.log(embedded)) == ms

    xs = [rng.randrange(n) for n in squares]
    x = ring.encode(xs)
    both = list(zip(xs, squares, strict=True))
    residues = [a % n for a, n in zip(xs, roots, strict=True)]
    assert ring.root.decode(ring.modulo_root(x)) == residues
    assert ring.decode(ring.square(x)) == [a * a % n for a, n in both]
    exponent = (1 << 130) + 12345
    assert ring.decode(ring.power(x, exponent)) == [pow(a, exponent, n) for a, n in both]
    assert ring.decode(ring.ones(count)) == [1] * count

    units = [a if gmpy2.gcd(a, n) == 1 else 1 for a, n in both]
    inverses = [gmpy2.invert(a, n) for a, n in zip(units, squares, strict=True)]
    assert ring.decode(ring.inverse(ring.encode(units))) == inverses


@pytest.mark.parametrize("count", [1, 3, 9])
def test_bytes_modulo_squares_of_any_lengths(backend, count):
    rng = random.Random(6)
    ring = bigint.modulo_square(moduli(count))
    wide = np.frombuffer(rng.randbytes(1200 * count), np.uint8).reshape(count, 1200)
    wanted = [
        int.from_bytes(row.tobytes(), "little") % n
        for row, n in zip(wide, ring.moduli, strict=True)
    ]
    assert ring.decode(ring.reduce(wide)) == wanted
    rows = ring.to_bytes(ring.reduce(wide)).copy()
    assert ring.decode(ring.from_bytes(rows)) == wanted
    if count > 1:
        with pytest.raises(ConfigError, match=f"{count + 1} elements do not fit {count} moduli"):
            ring.from_bytes(np.concatenate([rows, rows[:1]]))
    # Each is held to its own modulus, and not to the longest.
    for place, n in enumerate(ring.moduli):
        wrong = rows.copy()
        wrong[place] = np.frombuffer(n.to_bytes(ring.width, "little"), np.uint8)
        with pytest.raises(EncodingOverflow, match=f"element {place} is not below"):
            ring.from_bytes(wrong)


@pytest.mark.parametrize("count", [1, 5, 8, 9, 17])
def test_one_modulus_per_lane(backend, count):
    rng = random.Random(count)
    # Sizes differ too: the widest decides how many limbs all have.
    roots = [rng.getrandbits(bits) | 1 for bits in rng.choices(range(300, 1100), k=count)]
    for ring in (bigint.modulo(roots), bigint.modulo_square(roots)):
        ns = ring.moduli
        xs = [rng.randrange(n) for n in ns]
        ys = [n - 1 for n in ns]
        x, y = ring.encode(xs), ring.encode(ys)
        each = list(zip(xs, ys, ns, strict=True))
        assert ring.decode(x) == xs
        assert ring.decode(ring.from_bytes(ring.to_bytes(x))) == xs
        assert ring.decode(ring.mul(x, y)) == [a * b % n for a, b, n in each]
        exponents = np.frombuffer(rng.randbytes(9 * count), np.uint8).reshape(count, 9)
        powers = [
            gmpy2.powmod(a, int.from_bytes(e, "little"), n)
            for a, e, n in zip(xs, exponents, ns, strict=True)
        ]
        assert ring.decode(ring.power(x, exponents)) == powers
        signed = [(-1) ** i * (i + 3) for i in range(count)]
        units = [a if gmpy2.gcd(a, n) == 1 else 1 for a, n in zip(xs, ns, strict=True)]
        assert ring.decode(ring.power_signed(ring.encode(units), signed)) == [
            gmpy2.powmod(a, e, n) for a, e, n in zip(units, signed, ns, strict=True)
        ]
    if count > 1:
        with pytest.raises(ConfigError):
            ring.encode([1])
        with pytest.raises(ConfigError):
            ring.product(x)


def test_one_modulus_per_lane_takes_as_many_elements(backend):
    ring = bigint.modulo([(1 << 521) - 1, (1 << 607) - 1, (1 << 127) - 1])
    x = ring.encode([1, 2, 3])
    for wrong in (x[:2], concatenate([x, x])):
        with pytest.raises(ConfigError, match="moduli"):
            ring.square(wrong)
        with pytest.raises(ConfigError, match="moduli"):
            ring.power(wrong, 5)
        with pytest.raises(ConfigError):
            ring.mul(x, wrong)
    with pytest.raises(ConfigError, match="moduli"):
        ring.mul(x, x[:1])
