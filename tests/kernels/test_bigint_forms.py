# SPDX-License-Identifier: Apache-2.0
"""The simd kernels on numbers as they may be inside: not canonical, several times the modulus."""

from __future__ import annotations

import random

import numpy as np
import pytest
from gmpy2 import mpz

from mpc import kernels

if kernels.backend() != "simd":
    pytest.skip("no simd kernels here", allow_module_level=True)

from mpc.kernels.bigint import modulo, modulo_square
from mpc.kernels.bigint.integers import wrap_all
from mpc.kernels.bigint.limbs import (
    aligned,
    apart,
    begin,
    by_element,
    cut,
    in_digits,
    joined,
    split_integers,
    split_packed,
)
from mpc.kernels.bigint.montgomery import square_two
from mpc.kernels.bigint.residues import LANES, Residues, lane_groups
from mpc.kernels.bigint.rows import ROW
from mpc.kernels.compiled import kernel
from mpc.kernels.lanes import address

BOUND = 10  # times the modulus; what a product may be given
UPPER = 16  # the same of second digits
SIZES = [64, 512, 1024, 2048, 4096]


@pytest.fixture(autouse=True)
def simd():
    with kernels.use("simd", threads=1):
        yield


def moduli(bits):
    ones = (1 << bits) - 1
    return [ones, (1 << (bits - 1)) + 1, ones - (1 << (bits // 2))]


def digits_of(x, ring):
    """The digits as they are: for each place, one integer per element."""
    limbs = ring.arithmetic.limbs
    out = []
    for place in range(ring.arithmetic.digits):
        rows = x.data[:, place * limbs : (place + 1) * limbs]
        assert int(rows.max()) < 1 << 52
        out.append([number(rows, i) for i in range(len(x))])
    return out


def number(rows, i):
    """Element i of limbs (groups, limbs, 8)."""
    return sum(int(limb) << 52 * j for j, limb in enumerate(rows[i // LANES, :, i % LANES]))


def vector(places, ring):
    """A vector with these digits, reduced or not."""
    limbs, count = ring.arithmetic.limbs, len(places[0])
    padding = [0] * (-count % LANES or (LANES if count == 1 else 0))
    rows = [split_integers([*place, *padding], limbs) for place in places]
    out = lane_groups(*np.concatenate(rows, axis=1).shape[:2])
    out[...] = np.concatenate(rows, axis=1)
    return Residues(out, count)


def extremes(n, rng, bound=BOUND):
    values = [0, 1, n - 1, n, n + 1, 2 * n, 9 * n, bound * n - 1, bound * n - n // 3]
    values += [(1 << 52 * i) - 1 for i in range(1, n.bit_length() // 52 + 1, 5)]
    return [*values, *(rng.randrange(bound * n) for _ in range(5))]


@pytest.mark.parametrize("bits", SIZES)
def test_one_digit_of_any_size(bits):
    rng = random.Random(bits)
    for n in moduli(bits):
        ring = modulo(n)
        inverse = pow(1 << (52 * ring.arithmetic.limbs), -1, n)
        xs = extremes(n, rng)
        ys = [BOUND * n - 1, *xs[1:][::-1]]
        x, y = vector([xs], ring), vector([ys], ring)
        assert digits_of(x, ring) == [xs]
        for found, wanted in (
            (ring.mul(x, y), [a * b for a, b in zip(xs, ys, strict=True)]),
            (ring.square(x), [a * a for a in xs]),
        ):
            (values,) = digits_of(found, ring)
            assert max(values) < 2 * n
            assert [v % n for v in values] == [w * inverse % n for w in wanted]
        assert ring.decode(x) == [a * inverse % n for a in xs]


@pytest.mark.parametrize("bits", SIZES)
def test_two_digits_of_any_size(bits):
    rng = random.Random(bits)
    for n in moduli(bits):
        ring = modulo_square(n)
        inverse = pow(1 << (52 * ring.arithmetic.limbs), -1, n * n)
        lows = extremes(n, rng)
        uppers = extremes(n, rng, UPPER)
        x, y = vector([lows, uppers], ring), vector([lows[::-1], uppers], ring)
        xs = [low + high * n for low, high in zip(lows, uppers, strict=True)]
        ys = [low + high * n for low, high in zip(lows[::-1], uppers, strict=True)]
        for found, wanted in (
            (ring.mul(x, y), [a * b for a, b in zip(xs, ys, strict=True)]),
            (ring.square(x), [a * a for a in xs]),
        ):
            low, high = digits_of(found, ring)
            assert max(low) < 2 * n
            assert max(high) < 4 * n
            values = [a + b * n for a, b in zip(low, high, strict=True)]
            assert [v % (n * n) for v in values] == [w * inverse % (n * n) for w in wanted]
        assert ring.decode(x) == [a * inverse % (n * n) for a in xs]


@kernel
def square_two_all(start, stop, out, times, n, _n_step, limbs, digits, routines, scratch):
    modulus, work = address(n), address(scratch)
    for group in range(start, stop):
        to = address(out) + ROW * limbs * digits * group
        square_two(routines, to, times, modulus, work, limbs, digits)


@pytest.mark.parametrize("bits", [*SIZES, 1500, 3072, 8192])
@pytest.mark.parametrize("digits", [1, 2])
def test_squares_of_two_alone(bits, digits):
    rng = random.Random(bits)
    for n in moduli(bits):
        ring = modulo(n) if digits == 1 else modulo_square(n)
        whole = n**digits
        inverse = pow(1 << (52 * ring.arithmetic.limbs), -1, whole)
        places = [extremes(n, rng), extremes(n, rng, UPPER)[::-1]][:digits]
        x = vector(places, ring)
        two = [i for i in range(len(x)) if i % LANES < 2]
        values = [sum(place[i] * n**j for j, place in enumerate(places)) for i in two]
        for times in (0, 1, 2, 5):
            out = aligned(x.data)
            ring.arithmetic.run(square_two_all, times, out, times)
            found = digits_of(Residues(out, len(x)), ring)
            for place, before, bound in zip(found, places, (2 * n, 4 * n), strict=False):
                if times == 0:
                    assert [place[i] for i in two] == [before[i] for i in two]
                else:
                    assert max(place[i] for i in two) < bound
            for i, value in zip(two, values, strict=True):
                wanted = value
                for _ in range(times):
                    wanted = wanted * wanted * inverse % whole
                assert (
                    sum(place[i] * n**j for j, place in enumerate(found)) % whole == wanted % whole
                )


def of_halves(n, limbs):
    """Numbers whose lower half of limbs is less than the upper, as much, and more, by all there is
    and by one limb's lowest bit: long products have the sign of the difference from there."""
    half = 52 * (limbs // 2)
    ones, top = (1 << half) - 1, n >> half
    halves = [(0, top), (top, top), (ones, 0), (ones, top - 1), (top - 1, top), (top + 1, top)]
    halves += [(1 << 52, 1), (1, 1 << 52), (ones - (1 << 52), ones % top), (0, 0)]
    return [low + (high << half) for low, high in halves]


@pytest.mark.parametrize("bits", [1500, 2048, 3072, 8192])
def test_halves_of_either_order(bits):
    n = (1 << bits) - 159
    ring = modulo_square(n)
    inverse = pow(1 << (52 * ring.arithmetic.limbs), -1, n * n)
    numbers = of_halves(n, ring.arithmetic.limbs)
    pairs = [(a, b) for a in numbers for b in numbers]
    lows, uppers = zip(*pairs, strict=True)
    x = vector([lows, uppers], ring)
    y = vector([uppers[1:] + uppers[:1], lows], ring)
    xs = [low + high * n for low, high in pairs]
    ys = [a + b * n for a, b in zip(uppers[1:] + uppers[:1], lows, strict=True)]
    for found, wanted in (
        (ring.mul(x, y), [a * b for a, b in zip(xs, ys, strict=True)]),
        (ring.square(x), [a * a for a in xs]),
    ):
        low, high = digits_of(found, ring)
        values = [a + b * n for a, b in zip(low, high, strict=True)]
        assert [v % (n * n) for v in values] == [w * inverse % (n * n) for w in wanted]


@pytest.mark.parametrize("bits", SIZES)
def test_every_form_of_a_number_is_one_number(bits):
    n = moduli(bits)[0]
    ring = modulo_square(n)
    rng = random.Random(bits)
    m = rng.randrange(n)
    low, high = (place[0] for place in digits_of(ring.embed(ring.root.encode([m])), ring))
    low, high = low % n, (high + low // n) % n
    # A multiple of n may be moved from the low digit to the high one, or left out of the high one.
    forms = [(low + i * n, (high - i) % n + j * n) for i in range(9) for j in range(9)]
    x = vector([list(place) for place in zip(*forms, strict=True)], ring)
    assert set(ring.decode(x)) == {1 + m * n}
    assert set(ring.root.decode(ring.log(x))) == {m}


@pytest.mark.parametrize("limbs", [1, 10, 20, 33])
def test_limbs(limbs):
    rng = random.Random(limbs)
    for width in (1, 6, 7, 8, 13, 64, 65, 130):
        values = [0, (1 << (8 * width)) - 1, *(rng.getrandbits(8 * width) for _ in range(9))]
        data = b"".join(value.to_bytes(width, "little") for value in values)
        rows = split_packed(np.frombuffer(data, np.uint8).reshape(-1, width), limbs)
        kept = [value % (1 << (52 * limbs)) for value in values]
        for i, value in enumerate(kept):
            limbs_of = [value >> (52 * j) & ((1 << 52) - 1) for j in range(limbs)]
            assert rows[i // LANES, :, i % LANES].tolist() == limbs_of
            assert number(rows, i) == value


@pytest.mark.parametrize("window", range(1, 9))
def test_digits_of_exponents(window):
    rng = random.Random(window)
    for bits in (1, 8, 63, 64, 65, 200):
        values = [(1 << 208) - 1, 0, *(rng.getrandbits(208) for _ in range(7))]
        data = b"".join(value.to_bytes(26, "little") for value in values)
        digits = cut(np.frombuffer(data, np.uint8).reshape(-1, 26), bits, window)
        assert digits.shape[1] == -(-bits // window)
        for i, value in enumerate(values):
            found = [int(digit) for digit in digits[i // LANES, :, i % LANES]]
            assert sum(d << (window * j) for j, d in enumerate(found)) == value % (1 << bits)
            assert max(found) < 1 << window


@pytest.mark.parametrize("limbs", [5, 10, 15, 40])
@pytest.mark.parametrize("digits", [1, 2])
def test_a_few_numbers_become_elements_and_come_back(limbs, digits):
    root = mpz((1 << (52 * limbs - 8)) - 1)
    edges = [0, 1, root - 1, root**digits - 1, (1 << 52) - 1, 1 << 52, 1 << (104 * (limbs // 2))]
    values = [mpz(value) % root**digits for value in edges + edges[::-1]]
    groups = in_digits(values, [root], digits, limbs)
    elements = by_element(Residues(groups, len(values)))
    assert elements.shape == (len(values), digits * limbs)
    assert int(elements.max()) < 1 << 52
    left = groups[-1, :, len(values) % LANES :]
    assert np.array_equal(left, np.broadcast_to(elements[-1][:, np.newaxis], left.shape))
    assert [joined(groups, (i,), root, limbs) for i in range(len(values))] == [[v] for v in values]
    assert joined(groups, (len(values) - 1, 1), root, limbs) == [values[-1], values[1]]
    for value, element in zip(values, elements, strict=True):
        alone = lane_groups(1, digits * limbs)
        apart(alone, value, root, limbs)
        assert np.array_equal(alone[0], np.repeat(element[:, np.newaxis], LANES, axis=1))
    for value, row in zip(values, elements[:, :limbs], strict=True):
        assert sum(int(limb) << 52 * i for i, limb in enumerate(row)) == value % root


def test_where_an_array_begins():
    array = np.arange(24, dtype=np.uint8)
    read_only = array[8:].reshape(2, 8)
    read_only.flags.writeable = False
    assert begin(array) == array.ctypes.data
    assert begin(array[8:]) == begin(read_only) == begin(array) + 8
    assert begin(array[:0]) == array[:0].ctypes.data


@pytest.mark.parametrize("bits", [1, 64, 65, 130])
def test_integers_of_either_sign_wrap_around(bits):
    values = [0, 1, -1, (1 << 63) - 1, -(1 << 63), -12345678901]
    for integers in (np.array(values), np.array(values, object)):
        packed = wrap_all(integers.reshape(2, 3), bits)
        width = packed.shape[-1]
        assert len(packed) == 6
        assert 8 * width >= bits
        found = [int.from_bytes(row, "little") for row in packed]
        assert found == [value % (1 << (8 * width)) for value in values]
