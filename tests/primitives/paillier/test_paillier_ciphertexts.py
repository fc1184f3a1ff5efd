# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpc.errors import (
    ConfigError,
    DataError,
    EncodingOverflow,
)
from mpc.primitives.paillier import Ciphertexts, PublicKey, SecretKey
from mpc.primitives.paillier.masks import random_exponents, subgroup_base
from mpc.testing import seeded

Keys = tuple[SecretKey, PublicKey]

WIDE = st.integers(-(1 << 200), 1 << 200)
BOUND = 1 << 200
property_test = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def big(values: Any) -> np.ndarray[Any, Any]:
    return np.array(values, dtype=object)


# --- encryption ----------------------------------------------------------------------------------


def test_encryption_is_the_textbook_formula(keys: Keys) -> None:
    """(1 + m*n) * h_s**a modulo n**2 in plain Python, for the exponents the generator gives."""
    _, public = keys
    n, values = public.n, [0, 1, -1, 5, -(1 << 63), (1 << 63) - 1, 12345678901234567890]
    encoded = public.encrypt(values, rng=seeded("kat")).to_array()
    exponents = random_exponents(len(values), n.bit_length() // 2, seeded("kat"))
    h_s = pow(subgroup_base(n), n, n * n)
    for row, value, exponent in zip(encoded, values, exponents, strict=True):
        mask = pow(h_s, int.from_bytes(exponent.tobytes(), "little"), n * n)
        assert int.from_bytes(row.tobytes(), "little") == (1 + value * n) * mask % (n * n)


def test_known_answers_of_a_seeded_generator(keys: Keys) -> None:
    """The same on every machine and backend; a change of these is a change of the format."""
    secret, public = keys
    digests = [
        hashlib.sha256(x.to_array().tobytes()).hexdigest()[:16]
        for x in (
            public.encrypt([1, -2, 3], rng=seeded("kat")),
            secret.encrypt([1, -2, 3], rng=seeded("kat")),
            public.encrypt([1, -2, 3], rng=seeded("kat")).rerandomized(rng=seeded("kat")),
        )
    ]
    assert digests == ["3411ee4cfcbf3797", "1de6b85d9b49db94", "8751d80790d409e5"]


@property_test
@given(values=st.lists(WIDE, max_size=9))
def test_both_encryptions_decrypt(keys: Keys, values: list[int]) -> None:
    secret, public = keys
    assert secret.decrypt(public.encrypt(big(values))).tolist() == values
    assert secret.decrypt(secret.encrypt(big(values))).tolist() == values


def test_signed_range_edges(keys: Keys) -> None:
    secret, public = keys
    half = public.n // 2
    edges = [half, -half, half - 1, 1 - half, 0]
    assert secret.decrypt(public.encrypt(big(edges))).tolist() == edges
    for outside in (half + 1, -half - 1, public.n):
        with pytest.raises(EncodingOverflow, match="at index 1"):
            public.encrypt(big([0, outside]))


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 17])
def test_every_lane_count(keys: Keys, count: int) -> None:
    secret, public = keys
    values = np.arange(count) - 4
    x = secret.encrypt(values)
    assert secret.decrypt(x + public.encrypt(values)).tolist() == (2 * values).tolist()
    assert secret.decrypt(x.rerandomized()).tolist() == values.tolist()
    assert secret.decrypt(x.sum()) == values.sum()


def test_shapes_and_dtypes(keys: Keys) -> None:
    secret, public = keys
    assert secret.decrypt(public.encrypt(3)) == 3
    assert secret.decrypt(public.encrypt(2.5)) == 2.5
    ints = secret.decrypt(public.encrypt(np.array([[1, 2], [3, 4]], dtype=np.int8)))
    assert ints.dtype == np.int64
    assert ints.tolist() == [[1, 2], [3, 4]]
    assert secret.decrypt(public.encrypt([True, False])).tolist() == [1, 0]
    floats = secret.decrypt(public.encrypt(np.float32([0.5, -0.25])))
    assert floats.dtype == np.float64
    assert floats.tolist() == [0.5, -0.25]


def test_bad_values_are_named_by_index(keys: Keys) -> None:
    _, public = keys
    with pytest.raises(DataError, match="at index 2 is NaN"):
        public.encrypt([1.0, 2.0, float("nan")])
    with pytest.raises(EncodingOverflow, match="at index 0 exceeds the bound"):
        public.encrypt([200], bound=100)
    with pytest.raises(EncodingOverflow, match="bound exceeds"):
        public.encrypt([1], bound=public.n)


# --- arithmetic ----------------------------------------------------------------------------------


@property_test
@given(a=st.lists(WIDE, min_size=3, max_size=3), b=st.lists(WIDE, min_size=3, max_size=3))
def test_sums_and_differences(keys: Keys, a: list[int], b: list[int]) -> None:
    secret, public = keys
    x, y = secret.encrypt(big(a)), public.encrypt(big(b))
    for combine in (operator.add, operator.sub):
        expected = combine(big(a), big(b)).tolist()
        assert secret.decrypt(combine(x, y)).tolist() == expected
        assert secret.decrypt(combine(x, big(b))).tolist() == expected
        assert secret.decrypt(combine(big(a), y)).tolist() == expected
    assert secret.decrypt(-x).tolist() == (-big(a)).tolist()


@property_test
@given(
    a=st.lists(WIDE, min_size=3, max_size=3),
    b=st.lists(st.integers(-(1 << 100), 1 << 100), min_size=3, max_size=3),
)
def test_products_by_integers_of_any_size(keys: Keys, a: list[int], b: list[int]) -> None:
    secret, _ = keys
    x = secret.encrypt(big(a))
    assert secret.decrypt(x * big(b)).tolist() == (big(a) * big(b)).tolist()
    assert secret.decrypt(b[0] * x).tolist() == (big(a) * b[0]).tolist()


@property_test
@given(
    a=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=2),
    w=st.floats(-1e3, 1e3),
)
def test_floats_are_right_to_their_scale(keys: Keys, a: list[float], w: float) -> None:
    secret, _ = keys
    x = secret.encrypt(a)
    step = 2.0**-33
    assert np.abs(secret.decrypt(x) - a).max() <= step
    product = secret.decrypt(x * w + 1.5)
    exact = np.array(a) * w + 1.5
    assert np.abs(product - exact).max() <= step * (1e6 + 1e3 + 1) + 1e-6


def test_scales_are_aligned_and_added(keys: Keys) -> None:
    secret, public = keys
    x = public.encrypt([1.5, -2.25], fraction_bits=8)
    y = public.encrypt([3, 4])
    assert (x + y).fraction_bits == 8
    assert secret.decrypt(x + y).tolist() == [4.5, 1.75]
    assert secret.decrypt(y - x).tolist() == [1.5, 6.25]
    assert (x * 0.5).fraction_bits == 40
    assert (x * 3).fraction_bits == 8
    assert x.times(0.5, fraction_bits=4).fraction_bits == 12
    assert secret.decrypt(x.times([0.5, -0.5], fraction_bits=4)).tolist() == [0.75, 1.125]
    assert secret.decrypt(y + 0.5).tolist() == [3.5, 4.5]
    with pytest.raises(ConfigError, match="coarser"):
        x.rescaled(4)


def test_a_single_number_meets_every_element(keys: Keys) -> None:
    secret, public = keys
    x, one = public.encrypt([1, 2, 3]), public.encrypt(10)
    assert secret.decrypt(x + one).tolist() == [11, 12, 13]
    assert secret.decrypt(one - x).tolist() == [9, 8, 7]
    assert secret.decrypt(x + 10).tolist() == [11, 12, 13]
    with pytest.raises(ConfigError, match="shapes"):
        x + public.encrypt([1, 2])
    with pytest.raises(ConfigError, match="do not fit"):
        x + np.array([1, 2])
    with pytest.raises(ConfigError, match="do not fit"):
        x * np.array([1, 2])


def test_overflow_is_raised_before_it_happens(keys: Keys) -> None:
    secret, public = keys
    half = public.n // 2
    x = public.encrypt(big([half - 1]))
    x = public.encrypt(big([5]), bound=half - 1)
    assert secret.decrypt(x + 1) == [6]
    with pytest.raises(EncodingOverflow, match="half of n"):
        x + 2
    with pytest.raises(EncodingOverflow, match="half of n"):
        x + x
    with pytest.raises(EncodingOverflow, match="half of n"):
        x * -2
    with pytest.raises(EncodingOverflow, match="half of n"):
        x @ [1, 1] if len(x) == 2 else public.encrypt(big([1, 1]), bound=half - 1) @ [1, -1]
    with pytest.raises(EncodingOverflow, match="half of n"):
        public.encrypt(big([1, 1]), bound=half - 1).sum()
    tight = public.encrypt(big([1, 1]), bound=half // 2)
    assert secret.decrypt(tight.sum()) == 2


def test_a_lie_about_the_bound_shows_on_decryption(keys: Keys) -> None:
    secret, public = keys
    array = public.encrypt([100]).to_array()
    with pytest.raises(EncodingOverflow, match="at index 0 exceeds the bound") as caught:
        secret.decrypt(Ciphertexts.from_array(public, array, bound=99))
    assert "100" not in str(caught.value)
    assert secret.decrypt(Ciphertexts.from_array(public, array, bound=100)).tolist() == [100]


def test_masks_modulo_n_hide_and_wrap(keys: Keys) -> None:
    secret, public = keys
    n = public.n
    x = public.encrypt([7, -7]).masked([n - 7, 3])
    assert secret.decrypt_residues(x) == [0, n - 4]
    assert secret.decrypt_residues(x + x) == [0, n - 8]
    with pytest.raises(EncodingOverflow, match="decrypt_residues"):
        secret.decrypt(x)
    with pytest.raises(ConfigError, match="1 masks do not fit 2"):
        public.encrypt([1, 2]).masked([5])


# --- sums and matrices ---------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4,), (1,), (3, 4), (1, 5), (5, 1)])
def test_sums_along_axes(keys: Keys, shape: tuple[int, ...]) -> None:
    secret, public = keys
    values = np.arange(np.prod(shape)).reshape(shape) - 5
    x = public.encrypt(values)
    for axis in (None, *range(len(shape)), -1):
        assert np.array_equal(secret.decrypt(x.sum(axis=axis)), values.sum(axis=axis))


MATRICES = {
    "vector by vector": ((5,), (5,)),
    "vector by matrix": ((5,), (5, 3)),
    "matrix by vector": ((4, 5), (5,)),
    "matrix by matrix": ((9, 2), (2, 3)),
    "no terms": ((3, 0), (0, 2)),
    "no rows": ((0, 3), (3, 2)),
}


@pytest.mark.parametrize("case", MATRICES)
def test_matrix_products_on_both_sides(keys: Keys, case: str) -> None:
    secret, public = keys
    left, right = (
        np.random.default_rng(3).integers(-(1 << 40), 1 << 40, shape) for shape in MATRICES[case]
    )
    expected = left.astype(object) @ right.astype(object)
    for product in (public.encrypt(left) @ right, left @ public.encrypt(right)):
        assert product.shape == np.shape(expected)
        assert np.array_equal(secret.decrypt(product), np.asarray(expected))


def test_matrices_of_python_integers_and_of_floats(keys: Keys) -> None:
    secret, public = keys
    w = big([[1 << 300, -(1 << 250)], [0, -1]])
    x = public.encrypt([3, -4])
    assert secret.decrypt(w @ x).tolist() == (w @ big([3, -4])).tolist()
    floats = np.array([[0.5, -1.25], [2.0, 0.0]])
    assert secret.decrypt(public.encrypt([[1.5, 2.0]]) @ floats).tolist() == [[4.75, -1.875]]
    assert (x @ [0.5, 0.25]).fraction_bits == 32
    assert x.dot([0.5, 0.25], fraction_bits=2).fraction_bits == 2
    assert secret.decrypt(x.dot([0.5, 0.25], fraction_bits=2)) == 0.5


def test_ciphertexts_do_not_multiply_each_other(keys: Keys) -> None:
    _, public = keys
    x = public.encrypt([1, 2])
    for product in (operator.mul, operator.matmul):
        with pytest.raises(TypeError, match="takes a protocol"):
            product(x, x)


def test_a_row_of_zeros_is_an_encryption_of_zero(keys: Keys) -> None:
    secret, public = keys
    x = np.zeros((2, 3), dtype=np.int64) @ public.encrypt([1, 2, 3])
    assert not x.fresh
    assert secret.decrypt(x.rerandomized()).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("left", "right"), [((3,), (4,)), ((2, 3), (2, 3)), ((3,), ()), ((), (3,))]
)
def test_shapes_that_do_not_multiply(
    keys: Keys, left: tuple[int, ...], right: tuple[int, ...]
) -> None:
    _, public = keys
    with pytest.raises(ConfigError, match="do not multiply"):
        public.encrypt(np.ones(left)) @ np.ones(right)
    with pytest.raises(ConfigError, match="do not multiply"):
        np.ones(left) @ public.encrypt(np.ones(right))


def test_parts_reshaped_and_transposed(keys: Keys) -> None:
    secret, public = keys
    values = np.arange(12).reshape(3, 4)
    x = public.encrypt(values)
    parts: list[Callable[[Any], Any]] = [
        lambda a: a[1],
        lambda a: a[:, 2],
        lambda a: a[::-1],
        lambda a: a[[2, 0]],
        lambda a: a[1, 3],
        lambda a: a.T,
        lambda a: a.reshape(2, 6),
        lambda a: a.reshape(-1),
        lambda a: a[values[:, 0] > 3],
    ]
    for part in parts:
        assert part(x).fresh
        assert np.array_equal(secret.decrypt(part(x)), part(values))
    assert not x[[0, 0]].fresh
    assert len(x) == 3
    with pytest.raises(TypeError, match="no length"):
        len(x[0, 0])
