# SPDX-License-Identifier: Apache-2.0
"""Vectors of residues against gmpy2, in both backends: forms, products, inverses, splits."""

from __future__ import annotations

import random
from itertools import pairwise, product

import gmpy2
import numpy as np
import pytest

from mpc import kernels
from mpc.errors import ConfigError, CryptoError, EncodingOverflow
from mpc.kernels import bigint
from mpc.kernels.bigint import Crt, concatenate

SIZES = [64, 511, 512, 513, 520, 1000, 1024, 1536, 2048, 3072, 4096, 6144, 8191, 8192]
COUNTS = range(18)


def edge_moduli(bits):
    """Odd numbers of exactly ``bits`` bits that are hard on carries."""
    top = 1 << (bits - 1)
    ones = (1 << bits) - 1
    return [ones, top + 1, ones - (1 << (bits // 2)), ones - (((1 << 52) - 1) << 5)]


def edge_values(n):
    limb = (1 << 52) - 1
    size = n.bit_length()
    ones = (1 << (size - 1)) - 1
    values = [0, 1, 2, n - 1, n - 2, n >> 1, (n >> 1) + 1, ones, limb, limb + 1, ones - limb]
    values += [1 << (52 * i) for i in range(0, -(-size // 52), 3)]
    values += [n - (1 << (52 * i)) for i in range(1, size // 52, 4)]
    return [value % n for value in values]


def rings(bits, rng):
    n = rng.getrandbits(bits) | 1 | (1 << (bits - 1))
    yield bigint.modulo(n)
    yield bigint.modulo_square(n)


def draw(rng, n, count):
    return [rng.randrange(n) for _ in range(count)]


@pytest.mark.parametrize("bits", SIZES)
def test_products_and_forms_at_every_size(backend, bits):
    rng = random.Random(bits)
    for ring in rings(bits, rng):
        n = gmpy2.mpz(ring.moduli[0])
        xs = edge_values(int(n)) + draw(rng, n, 5)
        ys = draw(rng, n, 3) + edge_values(int(n))[::-1] + draw(rng, n, 2)
        x, y = ring.encode(xs), ring.encode(ys)
        assert ring.decode(x) == xs
        assert ring.decode(ring.from_bytes(ring.to_bytes(x))) == xs
        assert ring.decode(ring.mul(x, y)) == [a * b % n for a, b in zip(xs, ys, strict=True)]
        assert ring.decode(ring.square(x)) == [a * a % n for a in xs]
        # Many in a row, on what is not canonical in between.
        for _ in range(3):
            x, xs = (
                ring.mul(ring.square(x), y),
                [a * a * b % n for a, b in zip(xs, ys, strict=True)],
            )
        assert ring.decode(x) == xs


@pytest.mark.parametrize("bits", [64, 512, 1024, 2080, 4096])
def test_hard_moduli(backend, bits):
    for n in edge_moduli(bits):
        for ring in (bigint.modulo(n), bigint.modulo_square(n)):
            modulus = gmpy2.mpz(ring.moduli[0])
            xs = edge_values(int(modulus))
            ys = xs[3:] + xs[:3]
            x, y = ring.encode(xs), ring.encode(ys)
            assert ring.decode(ring.square(x)) == [a * a % modulus for a in xs]
            wanted = [a * b % modulus for a, b in zip(xs, ys, strict=True)]
            assert ring.decode(ring.mul(x, y)) == wanted


@pytest.mark.parametrize("count", COUNTS)
def test_every_number_of_lanes(backend, count):
    rng = random.Random(count)
    prime = int(gmpy2.next_prime(rng.getrandbits(1024) | 1 << 1023))
    for ring in (bigint.modulo(prime), bigint.modulo_square(prime)):
        n = ring.moduli[0]
        xs, ys = draw(rng, n, count), draw(rng, n, count)
        x, y = ring.encode(xs), ring.encode(ys)
        assert len(x) == count
        assert ring.to_bytes(x).shape == (count, ring.width)
        assert ring.decode(ring.mul(x, y)) == [a * b % n for a, b in zip(xs, ys, strict=True)]
        assert ring.decode(ring.inverse(x)) == [gmpy2.invert(a, n) for a in xs]
        product = 1
        for a in xs:
            product = product * a % n
        assert ring.decode(ring.product(x)) == [product]
        assert ring.decode(ring.ones(count)) == [1] * count
        if count:
            one = y[:1]
            assert ring.decode(ring.mul(x, one)) == [a * ys[0] % n for a in xs]
            assert ring.decode(ring.mul(one, x)) == [a * ys[0] % n for a in xs]


def test_parts_and_joins(backend):
    ring = bigint.modulo((1 << 600) - 95)
    values = list(range(100, 141))
    x = ring.encode(values)
    for cut in (slice(3), slice(8, 24), slice(8, 8), slice(5, None, 3), slice(None, None, -1)):
        assert ring.decode(x[cut]) == values[cut]
    # Of one element: of the first lane and of others, forwards and backwards.
    for cut in (
        slice(9, 10),
        slice(16, 17),
        slice(16, None, 30),
        slice(-1, None, 9),
        slice(5, 4, -2),
    ):
        assert ring.decode(x[cut]) == values[cut]
        assert ring.decode(ring.mul(x, x[cut])) == [v * values[cut][0] for v in values]
    assert ring.decode(x[np.array([40, 0, 7, 7])]) == [140, 100, 107, 107]
    others = x.replaced(np.array([40, 7, 0]), x[[1, 2, 3]])
    assert ring.decode(others) == [103, *values[1:7], 102, *values[8:40], 101]
    assert ring.decode(x) == values
    assert ring.decode(x[[]]) == []
    for cuts in ([0, 41], [0, 8, 41], [0, 16, 24, 41], [0, 3, 3, 11, 41], [0, 1, 41]):
        parts = [x[a:b] for a, b in pairwise(cuts)]
        assert ring.decode(concatenate(parts)) == values
    with pytest.raises(IndexError):
        x[[41]]
    with pytest.raises(TypeError):
        x[3]


def test_wide_numbers_are_reduced(backend):
    rng = random.Random(7)
    for ring in rings(1000, rng):
        n = ring.moduli[0]
        for width in (0, 1, 7, 64, 125, 130, 131, 260, 700, 1100):
            packed = np.frombuffer(rng.randbytes(9 * width), np.uint8).reshape(9, width)
            packed = np.concatenate([packed, np.full((1, width), 255, np.uint8)])
            wanted = [int.from_bytes(row, "little") % n for row in packed]
            assert ring.decode(ring.reduce(packed)) == wanted


def test_from_bytes_takes_canonical_numbers_only(backend):
    for ring in rings(1024, random.Random(3)):
        n, width = ring.moduli[0], ring.width

        def packed(value, width=width):
            return np.frombuffer(value.to_bytes(width, "little"), np.uint8).reshape(1, -1)

        assert ring.decode(ring.from_bytes(packed(n - 1))) == [n - 1]
        for wrong in (n, n + 1, (1 << (8 * width)) - 1):
            with pytest.raises(EncodingOverflow, match="element 1"):
                ring.from_bytes(np.concatenate([packed(0), packed(wrong)]))
        # Those that only their lower words tell, among others.
        mixed = np.concatenate([packed(v) for v in (n - 1, 5, n - (1 << 70), n - (1 << 64))])
        assert ring.decode(ring.from_bytes(mixed)) == [n - 1, 5, n - (1 << 70), n - (1 << 64)]
        with pytest.raises(EncodingOverflow, match="element 2"):
            ring.from_bytes(np.concatenate([mixed[:2], packed(n), mixed]))
        for other in (
            np.zeros((2, width + 1), np.uint8),
            np.zeros((2, width), np.int64),
            np.zeros(width, np.uint8),
        ):
            with pytest.raises(ConfigError, match=f"elements are {width} bytes each"):
                ring.from_bytes(other)


def test_rows_of_bytes_lie_anywhere_in_memory(backend):
    ring = bigint.modulo((1 << 521) - 1)
    whole = np.random.default_rng(1).integers(0, 256, (9, 300), dtype=np.uint8)
    for rows in (whole[:, ::2], whole[::2], whole.T[:40], whole[:, ::-1], np.asfortranarray(whole)):
        wanted = [int.from_bytes(row.tobytes(), "little") % ring.moduli[0] for row in rows]
        assert ring.decode(ring.reduce(rows)) == wanted
    for wrong in (whole.astype(np.int64), whole[0], whole.view(np.int8)):
        with pytest.raises(ConfigError, match="rows of bytes"):
            ring.reduce(wrong)


def test_integers_of_every_kind(backend):
    ring = bigint.modulo((1 << 512) - 569)
    n = ring.moduli[0]
    values = [-1, n, n + 5, gmpy2.mpz(7), np.int64(-3), np.uint64(2**64 - 1), True]
    assert ring.decode(ring.encode(values)) == [int(value) % n for value in values]
    assert ring.decode(ring.encode(np.array([-(2**63), 2**63 - 1]))) == [
        n - 2**63,
        2**63 - 1,
    ]


def test_what_cannot_be_inverted(backend):
    p, q = (1 << 521) - 1, (1 << 607) - 1
    for ring in (bigint.modulo(p * q), bigint.modulo_square(p * q)):
        assert ring.decode(ring.inverse(ring.encode([]))) == []
        for bad in (0, p, q * 5):
            with pytest.raises(CryptoError, match="factor"):
                ring.inverse(ring.encode([1, 2, bad, 3, 4]))
            for place in (0, 7, 21, 40, 46):  # of several lane groups, and of what is left
                with pytest.raises(CryptoError, match="factor"):
                    ring.inverse(ring.encode([bad if i == place else i + 1 for i in range(47)]))


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_units_are_what_can_be_inverted(backend, threads, monkeypatch):
    if backend == "simd":
        from mpc.kernels import helpers

        monkeypatch.setattr(helpers, "LEAST_SECONDS", 1e-12)
    p, q = (1 << 521) - 1, (1 << 607) - 1
    ring, n = bigint.modulo_square(p * q), p * q
    values = [1, n * n - 1, n + 1, p + 1, *range(2, 45)]
    with kernels.use(threads=threads):
        for count in (0, 1, 8, 9, len(values)):
            packed = ring.to_bytes(ring.encode(values[:count]))
            assert ring.decode(ring.units_from_bytes(packed)) == values[:count]
        for bad, place in product((0, p, q * 5, n, n * p), (0, 7, 21, 40, 46)):
            packed = ring.to_bytes(ring.encode([*values[:place], bad, *values[place + 1 :]]))
            with pytest.raises(CryptoError, match="factor"):
                ring.units_from_bytes(packed)
        full = np.full((3, ring.width), 0xFF, np.uint8)
        with pytest.raises(EncodingOverflow, match="element 0"):
            ring.units_from_bytes(full)


def test_product_of_rows(backend):
    rng = random.Random(4)
    for ring in rings(512, rng):
        n = ring.moduli[0]
        for rows, columns in ((1, 40), (3, 5), (8, 1), (2, 33), (9, 16), (4, 0), (17, 2)):
            xs = draw(rng, n, rows * columns)
            wanted = [1] * rows
            for i, a in enumerate(xs):
                wanted[i // columns] = wanted[i // columns] * a % n
            assert ring.decode(ring.product(ring.encode(xs), rows)) == wanted
    with pytest.raises(ConfigError):
        ring.product(ring.encode([1, 2, 3]), 2)


@pytest.mark.parametrize("bits", [64, 512, 1024, 1500, 4096])
def test_embed_and_log(backend, bits):
    rng = random.Random(bits)
    n = rng.getrandbits(bits) | 1 | (1 << (bits - 1))
    ring = bigint.modulo_square(n)
    ms = [0, 1, n - 1, n >> 1, *draw(rng, n, 9)]
    m = ring.root.encode(ms)
    assert ring.decode(ring.embed(m)) == [1 + a * n for a in ms]
    assert ring.root.decode(ring.log(ring.embed(m))) == ms
    # Logarithms of products add up, and what came out goes in again.
    both = ring.log(ring.mul(ring.embed(m), ring.embed(m[::-1])))
    sums = [(a + b) % n for a, b in zip(ms, ms[::-1], strict=True)]
    assert ring.root.decode(both) == sums
    assert ring.decode(ring.embed(both)) == [1 + a * n for a in sums]
    assert ring.root.decode(ring.root.mul(both, both)) == [a * a % n for a in sums]


@pytest.mark.parametrize("bits", [64, 512, 1500])
def test_modulo_the_root(backend, bits):
    rng = random.Random(bits)
    n = rng.getrandbits(bits) | 1 | (1 << (bits - 1))
    ring = bigint.modulo_square(n)
    xs = [0, 1, n - 1, n, n + 1, n * n - 1, n * n - n, *draw(rng, n * n, 12)]
    x = ring.encode(xs)
    assert ring.root.decode(ring.modulo_root(x)) == [a % n for a in xs]
    assert ring.root.decode(ring.modulo_root(ring.square(x))) == [a * a % n for a in xs]


@pytest.mark.parametrize(
    ("p_bits", "q_bits"),
    [(512, 512), (1024, 1024), (1536, 1536), (100, 1000), (521, 513), (64, 64)],
)
def test_chinese_remainders(backend, p_bits, q_bits):
    rng = random.Random(p_bits)
    p, q = (int(gmpy2.next_prime(rng.getrandbits(b) | 1 << (b - 1))) for b in (p_bits, q_bits))
    if p == q:
        q = int(gmpy2.next_prime(q))
    for make in (bigint.modulo, bigint.modulo_square):
        ring, parts = make(p * q), [make(p), make(q)]
        crt = Crt(ring, parts)
        n = ring.moduli[0]
        xs = [0, 1, n - 1, p, q, n - p, *draw(rng, n, 5)]
        # Not canonical inside either: the results of products.
        x = ring.mul(ring.encode(xs), ring.ones(1))
        halves = crt.split(x)
        for part, half in zip(parts, halves, strict=True):
            assert part.decode(half) == [a % part.moduli[0] for a in xs]
        assert ring.decode(crt.join(halves)) == xs
        again = crt.join([part.square(half) for part, half in zip(parts, halves, strict=True)])
        assert ring.decode(again) == [a * a % n for a in xs]
        moduli = [part.moduli[0] for part in parts]
        scaled = ring.decode(Crt(ring, parts, [3, q]).join(halves))
        assert [a % moduli[0] for a in scaled] == [3 * a % moduli[0] for a in xs]
        assert [a % moduli[1] for a in scaled] == [q * a % moduli[1] for a in xs]
        with pytest.raises(ConfigError, match="scales"):
            Crt(ring, parts, [1])
        with pytest.raises(ConfigError):
            crt.join(halves[:1])
        with pytest.raises(ConfigError, match="multiply"):
            Crt(ring, [parts[0], parts[0]])
        with pytest.raises(ConfigError, match="share"):
            Crt(make(p * p), [parts[0], parts[0]])
        with pytest.raises(ConfigError, match="one modulus"):
            Crt(ring, [make([p, q])])
    with pytest.raises(ConfigError, match="squares"):
        Crt(bigint.modulo(p * p * q * q), [bigint.modulo_square(p), bigint.modulo_square(q)])


def test_three_parts(backend):
    primes = [(1 << 521) - 1, (1 << 607) - 1, (1 << 127) - 1]
    ring = bigint.modulo(primes[0] * primes[1] * primes[2])
    crt = Crt(ring, [bigint.modulo(p) for p in primes])
    xs = draw(random.Random(1), ring.moduli[0], 10)
    assert ring.decode(crt.join(crt.split(ring.encode(xs)))) == xs


def test_unusable_moduli(backend):
    for wrong in (1 << 512, (1 << 63) - 1, (1 << 8192) + 1, 0, -5, 1 - (1 << 600), []):
        with pytest.raises(ConfigError):
            bigint.modulo(wrong)
    with pytest.raises(ConfigError):
        bigint.modulo_square((1 << 8192) + 1)


def test_nothing_is_shown_or_compared(backend):
    secret = (1 << 521) - 1
    ring = bigint.modulo_square(secret)
    comb = ring.comb(ring.encode([3]), 40)
    shown = f"{ring!r} {ring.root!r} {ring.encode([5])!r} {comb!r} {ring.arithmetic!r}"
    assert str(secret) not in shown
    assert hex(secret)[2:40] not in shown
    with pytest.raises(TypeError):
        bool(ring.encode([5]))
    assert ring.encode([5]) != ring.encode([5])


def test_vectors_of_other_rings_are_refused(backend):
    small, large = bigint.modulo_square((1 << 521) - 1), bigint.modulo_square((1 << 1279) - 1)
    x = small.encode([1, 2])
    if backend == "simd":
        for wrong in (
            lambda: large.square(x),
            lambda: large.mul(large.encode([1, 2]), x),
            lambda: small.root.power(x, 3),
            lambda: small.embed(x),
            lambda: small.log(small.root.encode([1])),
            lambda: large.to_bytes(x),
            lambda: large.comb(x[:1], 9),
            lambda: large.multiexp(x, np.array([[1, 2]])),
            lambda: large.product(x),
        ):
            with pytest.raises(ConfigError, match="another ring"):
                wrong()
        with kernels.use("portable"):
            elsewhere = bigint.modulo_square((1 << 521) - 1)
        for ring, theirs in ((small, elsewhere), (elsewhere, small)):
            with pytest.raises(ConfigError, match="another backend"):
                ring.square(theirs.encode([1, 2]))


def test_floats_are_not_rounded(backend):
    ring = bigint.modulo((1 << 521) - 1)
    with pytest.raises(TypeError):
        ring.encode([1.5])
