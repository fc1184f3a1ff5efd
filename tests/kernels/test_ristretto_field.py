# SPDX-License-Identifier: Apache-2.0
"""The field of 2^255 - 19, of both kinds, at the ends of its bounds, against Python's integers."""

from __future__ import annotations

import operator
import random
import re
from functools import cache

import numpy as np
import pytest

from mpc import kernels
from mpc.kernels.ristretto import constants
from mpc.kernels.ristretto.constants import P

pytestmark = pytest.mark.skipif(kernels.backend() != "simd", reason="needs the simd backend")

ROWS = 8
KINDS = {"eights": (8, 52, 47), "ones": (1, 51, 51)}  # lanes, and bits of limbs and of the top one
LOOSE = [2**63 - 1] * 5


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def tight(kind):
    """The largest tight element."""
    _, bits, top = KINDS[kind]
    if kind == "eights":
        return [2**bits - 1] * 4 + [2**top + 2**11 - 1]
    return [2**bits + 2**17 - 1] * 5


def largest_factor(kind):
    return [2**54 - 1] * 5 if kind == "ones" else tight(kind)


def product(kind):
    """A bound of the limbs of a product."""
    return [10 * 2**52 + 2**14 - 1] * 5 if kind == "eights" else tight(kind)


def value(kind, limbs):
    return sum(limb << KINDS[kind][1] * i for i, limb in enumerate(limbs))


def limbs(kind, number):
    bits = KINDS[kind][1]
    return [number >> bits * i & (2**bits - 1) for i in range(4)] + [number >> 4 * bits]


@cache
def compiled(name, operands):
    """An operation of ``field`` on rows of limbs, for each kind that it is called with."""
    from numba import njit

    from mpc.kernels.lanes import address
    from mpc.kernels.ristretto import field

    operation = getattr(field, name)

    @njit
    def one(x, y, out, like):
        got = operation(field.load_element(address(x), 0, like))
        field.store_element(address(out), 0, got)

    @njit
    def two(x, y, out, like):
        left = field.load_element(address(x), 0, like)
        got = operation(left, field.load_element(address(y), 0, like))
        field.store_element(address(out), 0, got)

    return one if operands == 1 else two


@pytest.fixture
def run(kind):
    """Apply an operation of ``field`` to eight rows of limbs."""
    from mpc.kernels.ristretto import field

    lanes = KINDS[kind][0]
    like = field.EIGHTS if kind == "eights" else field.ONES

    def apply(name, *operands):
        got = []
        for first in range(0, ROWS, lanes):
            parts = [rows[first : first + lanes] for rows in operands]
            arrays = [np.array(part, np.uint64).T.copy().reshape(-1) for part in parts]
            out = np.empty(5 * lanes, np.uint64)
            compiled(name, len(operands))(arrays[0], arrays[-1], out, like)
            got += out.reshape(5, lanes).T.tolist()
        return got

    return apply


def tight_rows(kind, seed):
    draw = random.Random(seed)
    rows = [tight(kind), *(limbs(kind, n) for n in (0, 1, P - 1, P, 2**255 - 1))]
    return rows + [[draw.randrange(limb + 1) for limb in tight(kind)] for _ in range(2)]


def assert_tight(kind, rows):
    for row in rows:
        assert all(limb <= top for limb, top in zip(row, tight(kind), strict=True)), row


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("name", "oracle"),
    [("times", operator.mul), ("plus", operator.add), ("minus", operator.sub)],
)
def test_tight_operations(run, kind, name, oracle, seed):
    x, y = tight_rows(kind, seed), tight_rows(kind, seed + 100)[::-1]
    got = run(name, x, y)
    assert_tight(kind, got)
    for p, q, r in zip(x, y, got, strict=True):
        assert value(kind, r) % P == oracle(value(kind, p), value(kind, q)) % P


@pytest.mark.parametrize("seed", range(5))
def test_square_is_times_itself(run, kind, seed):
    x = tight_rows(kind, seed)
    got = run("square", x)
    assert_tight(kind, got)
    assert [value(kind, row) % P for row in got] == [value(kind, row) ** 2 % P for row in x]


@pytest.mark.parametrize("name", ["loose_times", "loose_square"])
def test_a_product_stays_in_the_bound_the_other_operations_rely_on(run, kind, name):
    rows = [tight(kind)] * ROWS
    got = run(name, *([rows] if name == "loose_square" else [rows, rows]))
    for row in got:
        assert all(limb <= top for limb, top in zip(row, product(kind), strict=True)), row
        assert value(kind, row) % P == value(kind, tight(kind)) ** 2 % P


@pytest.mark.parametrize("name", ["times", "square"])
def test_a_product_of_the_largest_factors_is_tight(run, kind, name):
    rows = [largest_factor(kind), tight(kind)] * 4
    got = run(name, *([rows] if name == "square" else [rows, rows]))
    assert_tight(kind, got)
    assert [value(kind, row) % P for row in got] == [value(kind, row) ** 2 % P for row in rows]


def test_combinations_of_products_are_factors(run, kind):
    """The ones that formulas of points make: each of them may be multiplied."""
    one, none = [product(kind)] * ROWS, [[0] * 5] * ROWS
    two = run("loose_plus", one, one)
    three = run("loose_plus", two, one)
    combinations = [
        (3, run("factor", three)),
        (2, run("factor_plus", one, one)),
        (1, run("factor_minus", two, one)),
        (-2, run("factor_minus", none, two)),
        (2, run("factor", run("loose_minus", three, one))),  # in a double
    ]
    for count, rows in combinations:
        assert {value(kind, row) % P for row in rows} == {count * value(kind, one[0]) % P}
        most = largest_factor(kind)
        assert all(limb <= top for row in rows for limb, top in zip(row, most, strict=True))


def test_carrying_the_largest_loose_element(run, kind):
    rows = [LOOSE, [2**63 - 1, 0, 0, 0, 0], [0, 0, 0, 0, 2**63 - 1], product(kind)] * 2
    got = run("tight", rows)
    assert_tight(kind, got)
    assert [value(kind, row) % P for row in got] == [value(kind, row) % P for row in rows]


def test_differences_of_sums_of_products_do_not_wrap(run, kind):
    # The longest chain in a double: (b - a) - 2c.
    b_minus_a = run("loose_minus", [[0] * 5] * ROWS, [product(kind)] * ROWS)
    twice = run("loose_plus", [product(kind)] * ROWS, [product(kind)] * ROWS)
    got = run("loose_minus", b_minus_a, twice)
    assert {value(kind, row) % P for row in got} == {-3 * value(kind, product(kind)) % P}
    assert max(max(row) for row in got) < 2**63


@pytest.mark.parametrize(
    "number",
    [0, 1, 18, 19, P - 1, P, P + 1, 2**255 - 1, 2**255, 2**255 + 1, 2 * P - 2, 2 * P - 1],
)
def test_frozen_is_the_number_below_p(run, kind, number):
    assert run("frozen", [limbs(kind, number)] * ROWS) == [limbs(kind, number % P)] * ROWS


def test_frozen_of_random_tight_elements(run, kind):
    for seed in range(20):
        rows = tight_rows(kind, seed)
        assert run("frozen", rows) == [limbs(kind, value(kind, row) % P) for row in rows]


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


def test_choices_by_a_secret_digit_compile_to_no_branch():
    """LLVM knew a mask from a choice, and compiled choices between loads as branches."""
    from numba import njit

    from mpc.kernels.ristretto import edwards, field

    def looked_up(table, words, shift):
        selected = edwards._selected(table, words, shift)
        field.store_element(table, 0, selected[0])
        field.store_element(table, 1, selected[1])
        field.store_element(table, 2, selected[2])
        field.store_element(table, 3, selected[3])

    of = "void(intp, uint64, intp)"
    (assembly,) = njit(of, error_model="numpy")(looked_up).inspect_asm().values()
    own = assembly.partition("cpython")[0]  # before the wrapper that Python calls
    assert len(own.splitlines()) > 50
    jumps = re.findall(r"^\s+(j(?!mp\b)[a-z]+|cmov[a-z]+|b\.[a-z]+|cbn?z|csel)\s", own, re.M)
    assert len(jumps) <= 1  # the end of the loop over the table
