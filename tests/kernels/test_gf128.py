# SPDX-License-Identifier: Apache-2.0
"""GF(2^128): the field's laws, a plain-integer oracle, GCM's published products."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc import kernels
from mpc.kernels import gf128
from mpc.primitives.rng import uint64
from mpc.testing import seeded

BACKENDS = ["portable"] + (["simd"] if kernels.backend() == "simd" else [])
FIELD = st.integers(0, 2**128 - 1)


@pytest.fixture(params=BACKENDS)
def backend(request):
    with kernels.use(request.param):
        yield request.param


def pack(values):
    data = b"".join(value.to_bytes(16, "little") for value in values)
    return np.frombuffer(data, np.uint64).reshape(-1, 2)


def unpack(array):
    return [int(low) | int(high) << 64 for low, high in array.reshape(-1, 2)]


def oracle(x, y):
    out = 0
    for bit in range(128):
        if y >> bit & 1:
            out ^= x
        x <<= 1
        if x >> 128:
            x ^= 1 << 128 | 0x87
    return out


def reversed_bits(data):
    """GCM's element (SP 800-38D, section 6.3: first bit is X^0) as ours."""
    return int.from_bytes(bytes(int(f"{byte:08b}"[::-1], 2) for byte in data), "little")


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.tuples(FIELD, FIELD), min_size=1, max_size=9))
def test_product_is_the_oracle(pairs):
    want = [oracle(x, y) for x, y in pairs]
    for name in BACKENDS:
        with kernels.use(name):
            got = gf128.multiply(pack([x for x, _ in pairs]), pack([y for _, y in pairs]))
        assert unpack(got) == want


def test_gcm_product(backend):
    # Test case 2 of the GCM specification (McGrew and Viega): H, the ciphertext block C1, and
    # GHASH after it, C1 * H, then with the length block.
    h = reversed_bits(bytes.fromhex("66e94bd4ef8a2c3b884cfa59ca342b2e"))
    c1 = reversed_bits(bytes.fromhex("0388dace60b6a392f328c2b971b2fe78"))
    x1 = reversed_bits(bytes.fromhex("5e2ec746917062882c85b0685353deb7"))
    length = reversed_bits(bytes.fromhex("00000000000000000000000000000080"))
    ghash = reversed_bits(bytes.fromhex("f38cbb1ad69223dcc3457ae5b6b0f885"))
    assert unpack(gf128.multiply(pack([c1]), pack([h]))) == [x1]
    assert unpack(gf128.multiply(pack([x1 ^ length]), pack([h]))) == [ghash]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 11, 130])
def test_vectors_agree_with_the_oracle(backend, count):
    rng = seeded(f"gf{count}")
    x, y, z = (uint64(rng, (count, 2)) for _ in range(3))
    products = [oracle(a, b) for a, b in zip(unpack(x), unpack(y), strict=True)]
    scalar = unpack(y)[0]
    assert unpack(gf128.multiply(x, y)) == products
    assert unpack(gf128.multiply(x, y[0])) == [oracle(a, scalar) for a in unpack(x)]
    assert unpack(gf128.multiply(y[0], x)) == [oracle(a, scalar) for a in unpack(x)]
    assert np.array_equal(gf128.multiply_add(z, x, y), z ^ gf128.multiply(x, y))
    assert np.array_equal(gf128.multiply_add(z, x, y[0]), z ^ gf128.multiply(x, y[0]))
    assert np.array_equal(gf128.dot(x, y), np.bitwise_xor.reduce(pack(products), axis=0))
    power, want = 1, []
    for _ in range(count):
        power = oracle(power, scalar)
        want.append(power)
    assert unpack(gf128.powers(y[0], count)) == want


def test_inverse(backend):
    x = np.concatenate([uint64(seeded("inverse"), (7, 2)), pack([1, 2, 2**128 - 1])])
    product = gf128.multiply(gf128.inverse(x), x)
    assert np.array_equal(product, np.broadcast_to(gf128.ONE, x.shape))
    assert np.array_equal(gf128.multiply(gf128.inverse(x[0]), x[0]).reshape(2), gf128.ONE)
    with pytest.raises(ZeroDivisionError):
        gf128.inverse(np.zeros((1, 2), np.uint64))


def test_empty_vectors(backend):
    none = np.empty((0, 2), np.uint64)
    assert gf128.multiply(none, none).shape == (0, 2)
    assert unpack(gf128.dot(none, none)) == [0]


def test_wrong_shapes_are_refused():
    x = np.zeros((3, 2), np.uint64)
    for call in (
        lambda: gf128.multiply(x, x[:2]),
        lambda: gf128.multiply(x.astype(np.int64), x),
        lambda: gf128.multiply_add(x[:2], x, x),
        lambda: gf128.dot(x, x[:2]),
        lambda: gf128.powers(x[0], 0),
    ):
        with pytest.raises(ValueError):
            call()


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (1, 1), (5, 4), (4, 9)])
def test_inner_products_with_one_vector(backend, shape):
    x, y = uint64(seeded(1), (*shape, 2)), uint64(seeded(2), (shape[1], 2))
    got = gf128.dots(x, y)
    assert got.shape == (shape[0], 2)
    for row, out in zip(x, got, strict=True):
        assert np.array_equal(gf128.dot(row, y), out)
    # A vector that is part of a larger array, too.
    assert np.array_equal(gf128.dots(x[:, 1:], y[1:]), gf128.dots(x[:, 1:].copy(), y[1:]))


def test_inner_products_of_other_shapes():
    x = uint64(seeded(1), (3, 4, 2))
    for y in (x[0, :3], x[0, 0], x):
        with pytest.raises(ValueError, match="inner products"):
            gf128.dots(x, y)
