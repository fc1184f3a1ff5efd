# SPDX-License-Identifier: Apache-2.0
"""The field of 2^255 - 19 on lanes, at the ends of its bounds, against Python's integers."""

from __future__ import annotations

import operator
import random

import numpy as np
import pytest

from mpc import kernels
from mpc.kernels.ristretto import constants
from mpc.kernels.ristretto.constants import P

pytestmark = pytest.mark.skipif(kernels.backend() != "simd", reason="needs the simd backend")

LANES = 8
TIGHT = [2**52 - 1] * 4 + [2**47 + 2**11 - 1]
LOOSE = [2**63 - 1] * 5
PRODUCT = [10 * 2**52 + 2**14 - 1] * 5


def value(limbs):
    return sum(limb << 52 * i for i, limb in enumerate(limbs))


def limbs(number):
    return [number >> 52 * i & (2**52 - 1) for i in range(4)] + [number >> 208]


def packed(rows):
    """Eight elements of five limbs as the lanes hold them."""
    return np.array(rows, dtype=np.uint64).T.copy().reshape(-1)


def unpacked(words):
    return words.reshape(5, LANES).T.tolist()


@pytest.fixture(scope="module")
def run():
    """Apply an operation of ``field`` to rows of eight elements."""
    from numba import njit

    from mpc.kernels.lanes import address
    from mpc.kernels.ristretto import field

    compiled = {}

    def apply(name, *operands):
        operation = getattr(field, name)
        if name not in compiled:

            @njit
            def one(x, y, out):
                got = operation(field.load_element(address(x), 0))
                field.store_element(address(out), 0, got)

            @njit
            def two(x, y, out):
                left = field.load_element(address(x), 0)
                got = operation(left, field.load_element(address(y), 0))
                field.store_element(address(out), 0, got)

            compiled[name] = one if len(operands) == 1 else two
        out = np.empty(5 * LANES, np.uint64)
        arrays = [packed(rows) for rows in operands]
        compiled[name](arrays[0], arrays[-1], out)
        return unpacked(out)

    return apply


def tight_rows(seed):
    draw = random.Random(seed)
    rows = [TIGHT, limbs(0), limbs(1), limbs(P - 1), limbs(P), limbs(2**255 - 1)]
    return rows + [[draw.randrange(limb + 1) for limb in TIGHT] for _ in range(2)]


def assert_tight(rows):
    for row in rows:
        assert all(limb <= top for limb, top in zip(row, TIGHT, strict=True)), row


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("name", "oracle"),
    [("times", operator.mul), ("plus", operator.add), ("minus", operator.sub)],
)
def test_tight_operations(run, name, oracle, seed):
    x, y = tight_rows(seed), tight_rows(seed + 100)[::-1]
    got = run(name, x, y)
    assert_tight(got)
    for p, q, r in zip(x, y, got, strict=True):
        assert value(r) % P == oracle(value(p), value(q)) % P


@pytest.mark.parametrize("seed", range(5))
def test_square_is_times_itself(run, seed):
    x = tight_rows(seed)
    got = run("square", x)
    assert_tight(got)
    assert [value(row) % P for row in got] == [value(row) ** 2 % P for row in x]


@pytest.mark.parametrize("name", ["loose_times", "loose_square"])
def test_a_product_stays_in_the_bound_the_other_operations_rely_on(run, name):
    rows = [TIGHT] * LANES
    got = run(name, *([rows] if name == "loose_square" else [rows, rows]))
    for row in got:
        assert all(limb <= top for limb, top in zip(row, PRODUCT, strict=True)), row
        assert value(row) % P == value(TIGHT) ** 2 % P


def test_carrying_the_largest_loose_element(run):
    rows = [LOOSE, [2**63 - 1, 0, 0, 0, 0], [0, 0, 0, 0, 2**63 - 1], PRODUCT] * 2
    got = run("tight", rows)
    assert_tight(got)
    assert [value(row) % P for row in got] == [value(row) % P for row in rows]


def test_differences_of_sums_of_products_do_not_wrap(run):
    # The longest chain in a double: (b - a) - 2c.
    b_minus_a = run("loose_minus", [[0] * 5] * LANES, [PRODUCT] * LANES)
    twice = run("loose_plus", [PRODUCT] * LANES, [PRODUCT] * LANES)
    got = run("loose_minus", b_minus_a, twice)
    assert {value(row) % P for row in got} == {-3 * value(PRODUCT) % P}
    assert max(max(row) for row in got) < 2**63


@pytest.mark.parametrize(
    "number",
    [0, 1, 18, 19, P - 1, P, P + 1, 2**255 - 1, 2**255, 2**255 + 1, 2 * P - 2, 2 * P - 1],
)
def test_frozen_is_the_number_below_p(run, number):
    assert run("frozen", [limbs(number)] * LANES) == [limbs(number % P)] * LANES


def test_frozen_of_random_tight_elements(run):
    for seed in range(20):
        rows = tight_rows(seed)
        assert run("frozen", rows) == [limbs(value(row) % P) for row in rows]


def test_constants_follow_from_their_definitions():
    d = -121665 * pow(121666, -1, P) % P
    assert d == constants.D
    assert constants.SQRT_M1**2 % P == P - 1
    assert (-d - 1) % P == constants.SQRT_AD_MINUS_ONE**2 % P
    assert constants.INVSQRT_A_MINUS_D**2 * (-1 - d) % P == 1
    assert (1 - d * d) % P == constants.ONE_MINUS_D_SQ
    assert (d - 1) ** 2 % P == constants.D_MINUS_ONE_SQ
    assert constants.BASE_Y * 5 % P == 4
    assert constants.BASE_X % 2 == 0
    x2, y2 = constants.BASE_X**2, constants.BASE_Y**2
    assert (y2 - x2 - 1 - d * x2 * y2) % P == 0
