# SPDX-License-Identifier: Apache-2.0
"""Exponentiation against gmpy2, in both backends: windows, combs, signs, products of powers."""

from __future__ import annotations

import hashlib
import random

import gmpy2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc import kernels
from mpc.errors import ConfigError, CryptoError, EncodingOverflow
from mpc.kernels import bigint
from mpc.kernels.bigint.arithmetic import COMB_BYTES
from mpc.testing import seeded

P, Q = (1 << 521) - 1, (1 << 607) - 1
BACKENDS = ["portable", *(["simd"] if kernels.backend() == "simd" else [])]


@pytest.fixture(params=BACKENDS)
def backend(request):
    with kernels.use(request.param):
        yield request.param


def both_rings(n=P * Q):
    return bigint.modulo(n), bigint.modulo_square(n)


def packed(exponents, width):
    data = b"".join(e.to_bytes(width, "little") for e in exponents)
    return np.frombuffer(data, np.uint8).reshape(len(exponents), width)


def product_of_powers(bases, exponents, n):
    out = gmpy2.mpz(1)
    for base, exponent in zip(bases, exponents, strict=True):
        out = out * gmpy2.powmod(base, int(exponent), n) % n
    return out


def matrix_of_powers(bases, matrix, n):
    terms = len(matrix[0])
    rows = [bases[start : start + terms] for start in range(0, len(bases), terms)]
    return [product_of_powers(row, exponents, n) for row in rows for exponents in matrix]


def units(rng, n, count):
    """Random elements, of moduli whose factors are all large."""
    return [rng.randrange(1, n) for _ in range(count)]


@pytest.mark.parametrize("width", [0, 1, 2, 5, 8, 9, 31, 128])
def test_secret_exponents(backend, width):
    rng = random.Random(width)
    top = (1 << (8 * width)) - 1
    exponents = [0, 1 & top, top, top >> 1, top & 0x5555, *(rng.randint(0, top) for _ in range(6))]
    for ring in both_rings():
        n = ring.moduli[0]
        xs = [0, 1, n - 1, *units(rng, n, 8)]
        x = ring.encode(xs)
        wanted = [gmpy2.powmod(a, e, n) for a, e in zip(xs, exponents, strict=True)]
        assert ring.decode(ring.power(x, packed(exponents, width))) == wanted
        for e in exponents[:3] + exponents[-1:]:
            assert ring.decode(ring.power(x, e)) == [gmpy2.powmod(a, e, n) for a in xs]
            shared = ring.power(x, packed([e], width))
            assert ring.decode(shared) == [gmpy2.powmod(a, e, n) for a in xs]
        assert ring.decode(ring.power(x[:0], packed([], width))) == []


def test_bits_bound_the_exponent(backend):
    for ring in both_rings():
        x = ring.encode([3, 5])
        assert ring.decode(ring.power(x, packed([0xFFFF, 0x1234], 2), 9)) == [
            gmpy2.powmod(3, 0x1FF, ring.moduli[0]),
            gmpy2.powmod(5, 0x034, ring.moduli[0]),
        ]
        assert ring.decode(ring.power(x, 5, 64)) == [3**5, 5**5]
        assert ring.decode(ring.power(x, packed([7, 7], 1), 0)) == [1, 1]


@pytest.mark.parametrize("bits", [64, 512, 1500, 2048, 3072])
def test_full_width_powers(backend, bits):
    rng = random.Random(bits)
    n = rng.getrandbits(bits) | 1 | 1 << (bits - 1)
    for ring in both_rings(n):
        modulus = ring.moduli[0]
        e = rng.getrandbits(bits)
        xs = [rng.randrange(modulus) for _ in range(3)]
        wanted = [gmpy2.powmod(a, e, modulus) for a in xs]
        assert ring.decode(ring.power(ring.encode(xs), e)) == wanted


def test_wrong_exponents(backend):
    ring = both_rings()[0]
    x = ring.encode([2, 3, 4])
    with pytest.raises(ConfigError):
        ring.power(x, -1)
    with pytest.raises(ConfigError):
        ring.power(x, np.zeros((2, 4), np.uint8))
    with pytest.raises(ConfigError):
        ring.power(x, np.zeros((3, 4), np.int64))
    with pytest.raises(ConfigError):
        ring.power_signed(x, [1, 2])


@pytest.mark.parametrize(
    "exponents",
    [
        np.array([-(2**63), 2**63 - 1, -1, 0, 1, 2, -5, 77, 3]),
        np.array([0, 2**64 - 1, 1, 5, 9, 2**63, 3, 2, 8], np.uint64),
        np.array([-128, 127, 0, -1, 3, 5, 7, -9, 1], np.int8),
        [2**200, -(2**200), 0, 1, -1, 2**64, 5, -(2**64), 9],
        np.array([2**100, -3, 0, 1, -1, 4, 5, 6, 7], object),
        [True, False, np.int64(-4), np.uint8(255), 3, 1, 2, 3, 4],
    ],
    ids=["int64", "uint64", "int8", "big", "object", "mixed"],
)
def test_signed_exponents_of_every_kind(backend, exponents):
    for ring in both_rings():
        n = ring.moduli[0]
        xs = units(random.Random(1), n, 9)
        wanted = [gmpy2.powmod(a, int(e), n) for a, e in zip(xs, exponents, strict=True)]
        assert ring.decode(ring.power_signed(ring.encode(xs), exponents)) == wanted
    assert ring.decode(ring.power_signed(ring.encode([]), [])) == []


def test_exponents_that_are_not_integers(backend):
    ring = both_rings()[0]
    for wrong in ([1.5], np.array([2.0]), ["3"]):
        with pytest.raises((TypeError, ConfigError)):
            ring.power_signed(ring.encode([2]), wrong)


def test_negative_powers_of_what_has_no_inverse(backend):
    ring = both_rings()[0]
    x = ring.encode([P, 5])
    assert ring.decode(ring.power_signed(x, [3, -1])) == [P**3 % (P * Q), gmpy2.invert(5, P * Q)]
    with pytest.raises(CryptoError):
        ring.power_signed(x, [-3, 1])


@pytest.mark.parametrize("window", [None, 1, 2, 3, 4, 5, 8])
@pytest.mark.parametrize("bits", [1, 7, 40, 129])
def test_comb(backend, bits, window):
    rng = random.Random(bits)
    top = (1 << bits) - 1
    for ring in both_rings():
        n = ring.moduli[0]
        base = rng.randrange(n)
        comb = ring.comb(ring.encode([base]), bits, window)
        assert 0 < comb.nbytes <= COMB_BYTES
        for count in (0, 1, 8, 19):
            exponents = [rng.randint(0, top) for _ in range(count)]
            exponents[:3] = [0, top, 1][: len(exponents)]
            powers = comb.power(packed(exponents, -(-bits // 8)))
            assert ring.decode(powers) == [gmpy2.powmod(base, e, n) for e in exponents]
        with pytest.raises(EncodingOverflow):
            comb.power(packed([1 << bits], bits // 8 + 1))
        wide = comb.power(packed([top], 60))
        assert ring.decode(wide) == [gmpy2.powmod(base, top, n)]


@pytest.mark.parametrize("bits", [512, 2048, 3072, 4096, 6144, 8192])
def test_tables_of_every_length_of_key_are_bounded(backend, bits):
    """Of the base of short masks; the documented bound, and right at the longest too."""
    n = (1 << bits) - (1 << (bits // 2)) + 1
    ring = bigint.modulo_square(n)
    comb = ring.comb(ring.encode([3**500]), bits // 2)
    assert 0 < comb.nbytes <= COMB_BYTES == 36 << 20
    top = (1 << (bits // 2)) - 1
    (found,) = ring.decode(comb.power(packed([top], bits // 16)))
    assert found == gmpy2.powmod(3**500, top, ring.moduli[0])


def test_many_groups_at_one_comb(backend):
    ring = both_rings()[1]
    comb = ring.comb(ring.encode([7]), 20)
    exponents = list(range(0, 1 << 20, 3001))
    assert ring.decode(comb.power(packed(exponents, 3))) == [
        gmpy2.powmod(7, e, ring.moduli[0]) for e in exponents
    ]


def test_comb_where_sums_reach_the_radix(backend):
    # Of 512 bits, and so R is as little as 2**8 times the modulus: one sum in a hundred reaches it.
    n = (1 << 512) - 569
    ring = bigint.modulo_square(n)
    rng = random.Random(9)
    base = rng.randrange(n * n)
    comb = ring.comb(ring.encode([base]), 64, 4)
    exponents = [rng.getrandbits(64) for _ in range(300)]
    powers = ring.decode(comb.power(packed(exponents, 8)))
    assert powers == [gmpy2.powmod(base, e, n * n) for e in exponents]


def test_comb_of_a_base_without_an_inverse(backend):
    for base in (0, P, Q * Q, P * Q):
        ring = bigint.modulo_square(P * Q)
        comb = ring.comb(ring.encode([base]), 20)
        exponents = [1, 0, 2, 77, 1 << 19]
        powers = ring.decode(comb.power(packed(exponents, 3)))
        assert powers == [gmpy2.powmod(base, e, (P * Q) ** 2) for e in exponents]


def test_unusable_combs(backend):
    ring = both_rings()[0]
    with pytest.raises(ConfigError):
        ring.comb(ring.encode([1, 2]), 10)
    with pytest.raises(ConfigError):
        ring.comb(ring.encode([1]), 0)
    with pytest.raises(ConfigError):
        ring.comb(ring.encode([1]), 10, 9)
    each = bigint.modulo([P, Q])
    with pytest.raises(ConfigError):
        each.comb(each.encode([1, 2])[:1], 10)


SHAPES = [
    # rows of bases, terms, outputs
    (1, 1, 1),
    (1, 2, 300),
    (1, 5, 9),
    (1, 30, 1),
    (1, 90, 2),
    (1, 200, 12),
    (3, 4, 5),
    (20, 6, 1),
    (9, 3, 40),
    (1, 600, 1),
    (2, 300, 3),
]


@pytest.mark.parametrize(("rows", "terms", "outputs"), SHAPES)
@pytest.mark.parametrize("kind", ["positive", "signed", "sparse", "small", "zero"])
def test_multiexp(backend, rows, terms, outputs, kind):
    rng = random.Random(f"{rows} {terms} {outputs} {kind}")
    low, high = {
        "positive": (0, 2**31),
        "signed": (-(2**31), 2**31),
        "sparse": (-(2**31), 2**31),
        "small": (-1, 1),
        "zero": (0, 0),
    }[kind]
    matrix = np.array([[rng.randint(low, high) for _ in range(terms)] for _ in range(outputs)])
    if kind == "sparse":
        matrix[np.random.default_rng(1).random(matrix.shape) < 0.8] = 0
    for ring in both_rings(P):
        n = ring.moduli[0]
        bases = units(rng, n, rows * terms)
        bases[0] = n - 1
        found = ring.multiexp(ring.encode(bases), matrix)
        assert ring.decode(found) == matrix_of_powers(bases, matrix, n)


@pytest.mark.parametrize("outputs", [5, 17])
@pytest.mark.parametrize("bits", [1, 16, 62, 63, 64, 300])
def test_multiexp_of_wide_exponents(backend, bits, outputs):
    rng = random.Random(bits)
    edges = [1 - (1 << bits), (1 << bits) - 1, 0, -1, 1]
    drawn = [rng.choice([*edges, rng.getrandbits(bits)]) for _ in range(6 * outputs)]
    matrix = [drawn[at : at + 6] for at in range(0, len(drawn), 6)]
    matrix[0][0] = 1 - (1 << bits)
    for dtype in (object, np.int64) if bits < 64 else (object,):
        for ring in both_rings():
            bases = units(rng, ring.moduli[0], 6)
            found = ring.multiexp(ring.encode(bases), np.array(matrix, dtype))
            assert ring.decode(found) == matrix_of_powers(bases, matrix, ring.moduli[0])


@pytest.mark.parametrize("outputs", [1, 5, 17])
@pytest.mark.parametrize("dtype", ["b", "<i4", "<i8", ">i8", "u8", "?"])
def test_multiexp_of_any_layout_and_kind(backend, dtype, outputs):
    ring = both_rings()[0]
    drawn = np.random.default_rng(outputs).integers(-100, 100, (outputs, 6)).astype(dtype)
    bases = units(random.Random(outputs), ring.moduli[0], 6)
    for matrix in (drawn, np.asfortranarray(drawn), np.repeat(drawn, 2, axis=1)[:, ::2]):
        found = ring.multiexp(ring.encode(bases), matrix)
        assert ring.decode(found) == matrix_of_powers(bases, drawn, ring.moduli[0])


def test_multiexp_in_slabs(backend, monkeypatch):
    if backend == "simd":
        from mpc.kernels.bigint import multiexp

        monkeypatch.setattr(multiexp, "SLAB", 60)
    ring, n = both_rings(P)[0], P
    rng = random.Random(5)
    for rows, terms, outputs in ((2, 3, 9), (1, 40, 20), (1, 3, 70)):
        matrix = np.array([[rng.randint(-9, 9) for _ in range(terms)] for _ in range(outputs)])
        bases = units(rng, n, rows * terms)
        found = ring.multiexp(ring.encode(bases), matrix)
        assert ring.decode(found) == matrix_of_powers(bases, matrix, n)


def test_unusable_multiexp(backend):
    ring = both_rings()[0]
    x = ring.encode([1, 2, 3])
    with pytest.raises(ConfigError):
        ring.multiexp(x, np.array([[1, 2]]))
    with pytest.raises(ConfigError):
        ring.multiexp(x, np.array([1, 2, 3]))
    with pytest.raises(ConfigError, match="integers, not float64"):
        ring.multiexp(x, np.full((40, 3), -1.5))
    with pytest.raises(ConfigError):
        ring.multiexp(x, np.zeros((2, 0), int))
    assert ring.decode(ring.multiexp(x, np.zeros((0, 3), int))) == []
    assert ring.decode(ring.multiexp(x[:0], np.ones((2, 3), int))) == []
    with pytest.raises(CryptoError):
        ring.multiexp(ring.encode([P, 1]), np.array([[-1, 1]]))


@settings(max_examples=25, deadline=None)
@given(
    st.integers(64, 1100),
    st.randoms(use_true_random=False),
    st.lists(st.integers(0, 2**70), min_size=1, max_size=5),
)
@pytest.mark.parametrize("name", BACKENDS)
def test_powers_add_up(name, bits, rng, exponents):
    n = rng.getrandbits(bits) | 1 | 1 << (bits - 1)
    with kernels.use(name):
        for ring in both_rings(n):
            x = ring.encode([rng.randrange(n)] * len(exponents))
            one_by_one = ring.power(x, packed(exponents, 9))
            together = ring.power(x[:1], sum(exponents))
            assert ring.decode(ring.product(one_by_one)) == ring.decode(together)


def test_known_answers(backend):
    """Digests that both backends, and every later version, give for seeded inputs."""
    rng = seeded("bigint known answers")
    for bits, known in (
        (1024, "248dd59069e590794e11763e1f898c714009f1924859fc6899cc7ae356b11190"),
        (2048, "d54b3b611214ce25e80e72ca0b1e6b62186bf091fff2901f103b676f4792089e"),
    ):
        n = int.from_bytes(rng.bytes(bits // 8), "little") | 1 | 1 << (bits - 1)
        ring = bigint.modulo_square(n)
        x = ring.reduce(np.frombuffer(rng.bytes(9 * ring.width), np.uint8).reshape(9, -1))
        exponents = np.frombuffer(rng.bytes(9 * 32), np.uint8).reshape(9, -1)
        matrix = np.frombuffer(rng.bytes(9 * 9), np.uint8).reshape(9, 9).astype(np.int64)
        parts = [
            ring.power(x, exponents),
            ring.comb(x[:1], 256).power(exponents),
            ring.multiexp(x, matrix),
            ring.square(ring.mul(x, x[::-1])),
        ]
        digest = hashlib.sha256(b"".join(ring.to_bytes(part).tobytes() for part in parts))
        assert digest.hexdigest() == known
