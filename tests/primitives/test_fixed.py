# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import ConfigError, DataError, EncodingOverflow
from mpc.primitives import fixed

FINITE = st.floats(allow_nan=False, allow_infinity=False)
MODULUS = (1 << 521) - 1


def nearest(value: float | int, bits: int) -> int:
    """The oracle: Python's own rounding of an exact fraction, ties to even."""
    return round(Fraction(value) * (1 << bits))


@given(st.lists(FINITE, max_size=5), st.integers(0, 80))
def test_integers_equal_exact_rounding(values: list[float], bits: int) -> None:
    assert fixed.integers(values, bits).tolist() == [nearest(value, bits) for value in values]


@given(st.lists(st.integers(-(1 << 90), 1 << 90), max_size=5), st.integers(0, 40))
def test_integers_of_python_integers_are_exact(values: list[int], bits: int) -> None:
    assert fixed.integers(values, bits).tolist() == [value << bits for value in values]


@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=5))
def test_int64_round_trip_over_the_whole_range(values: list[int]) -> None:
    array = np.array(values, dtype=np.int64)
    assert fixed.decode(fixed.encode(array)).tolist() == values
    assert fixed.from_residues(fixed.residues(array, MODULUS), MODULUS).tolist() == values


@given(st.lists(st.floats(-1e5, 1e5), max_size=5))
def test_float_round_trip_is_within_half_a_step(values: list[float]) -> None:
    back = fixed.decode(fixed.encode(values, 40), 40)
    assert back.dtype == np.float64
    assert np.all(np.abs(back - values) <= 2.0**-41)
    wide = fixed.from_residues(fixed.residues(values, MODULUS, 40), MODULUS, 40)
    assert wide.tolist() == back.tolist()


@given(FINITE, st.integers(0, 200))
def test_wide_decoding_is_correctly_rounded(value: float, bits: int) -> None:
    whole = fixed.integers([value], bits)
    expected = float(Fraction(nearest(value, bits), 1 << bits))
    assert fixed.from_integers(whole, max(bits, 1)).tolist() == [
        expected if bits else float(Fraction(nearest(value, 0), 2))
    ]


def test_values_just_below_negative_integers_keep_their_whole_part() -> None:
    step = 2.0**-20
    values = np.array([-1 - step, -1 + step, -2 - step, -3.0, -step, -1024 - step])
    assert fixed.decode(fixed.encode(values, 20), 20).tolist() == values.tolist()


def test_ties_go_to_even() -> None:
    assert fixed.integers([0.5, 1.5, -0.5, -1.5, 2.5]).tolist() == [0, 2, 0, -2, 2]
    halves = np.array([(1 << 70) + 1, -(1 << 70) - 1], dtype=object) / 2
    assert fixed.integers(halves.astype(object)).tolist() == [1 << 69, -(1 << 69)]


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.uint8, np.int32, np.uint32, np.int64])
def test_narrow_integers_are_widened_before_they_are_scaled(dtype: type) -> None:
    top = np.array([1], dtype=dtype) if dtype is np.bool_ else np.array([np.iinfo(dtype).max])
    assert fixed.integers(top.astype(dtype), 30).tolist() == [int(top[0]) << 30]


def test_numpy_scalars_do_not_overflow() -> None:
    assert fixed.integers(np.int64(2**62), 10).item() == 2**72
    assert fixed.integers(np.uint64(2**64 - 1)).item() == 2**64 - 1
    assert fixed.integers(np.array([-(2**63)]), 1).tolist() == [-(2**64)]


def test_a_list_over_both_halves_of_64_bits_is_not_rounded() -> None:
    assert fixed.integers([2**63 + 1, -1]).tolist() == [2**63 + 1, -1]
    assert fixed.integers([2**53 + 1, 0.5], 1).tolist() == [2**54 + 2, 1]


def test_floats_are_told_from_integers_that_numpy_would_make_floats() -> None:
    assert not fixed.has_floats([2**63 + 1, -1])
    assert not fixed.has_floats(np.array([2**63 + 1, -1], dtype=object))
    assert not fixed.has_floats([True, 2])
    assert fixed.has_floats([2, 0.5])
    assert fixed.has_floats(np.array([2, 0.5], dtype=object))
    assert fixed.has_floats(np.float32(2))
    with pytest.raises(DataError):
        fixed.has_floats(["1.5"])


@pytest.mark.parametrize(
    ("values", "bits"),
    [
        ([0, 2**63], 0),
        ([0, -(2**63) - 1], 0),
        ([0.0, 2.0**63], 0),
        ([0.0, -(2.0**64)], 0),
        ([0.0, 2.0**43], 20),
        (np.array([0, 2**62]), 1),
        (np.array([0, 2**63], dtype=np.uint64), 0),
    ],
)
def test_words_never_wrap(values: object, bits: int) -> None:
    with pytest.raises(EncodingOverflow, match="at index 1 needs over 64 bits"):
        fixed.encode(values, bits)


def test_words_hold_both_ends_of_the_range() -> None:
    assert fixed.encode([-(2.0**63)]).tolist() == [2**63]
    assert fixed.encode([2**63 - 1]).tolist() == [2**63 - 1]


def test_residues_hold_exactly_half_the_modulus_each_way() -> None:
    assert fixed.residues([3, -3], 7).tolist() == [3, 4]
    assert fixed.from_residues(np.array([3, 4, 0]), 7).tolist() == [3, -3, 0]
    for value in (4, -4):
        with pytest.raises(EncodingOverflow, match="at index 0 exceeds half the modulus"):
            fixed.residues([value], 7)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, float("nan")], "at index 1 is NaN"),
        ([[1.0, 2.0], [float("inf"), 0.0]], r"at index \(1, 0\) is infinite"),
        (float("-inf"), "the value is infinite"),
        (np.array([0.5, float("nan")], dtype=object), "at index 1 is NaN"),
        (np.array([float("inf")], dtype=object), "at index 0 is infinite"),
        ([1, None], "at index 1 is a NoneType"),
        ([1, "2"], "no fixed-point encoding"),
        ([1j], "no fixed-point encoding"),
        ([[1], [2, 3]], "not an array of numbers"),
        (np.array([1.0], dtype=np.longdouble), "no fixed-point encoding"),
        (np.ma.masked_array([1.0, 2.0], [False, True]), "masked"),
    ],
)
def test_what_is_not_a_number_is_refused_by_index(values: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        fixed.integers(values, 8)


def test_messages_do_not_show_values() -> None:
    with pytest.raises(EncodingOverflow) as caught:
        fixed.encode([123456789123456789.0], 20)
    assert "123" not in str(caught.value)


@pytest.mark.parametrize("bits", [-1, 961])
def test_scale_out_of_range(bits: int) -> None:
    with pytest.raises(ConfigError, match="fraction_bits"):
        fixed.encode([1.0], bits)
    with pytest.raises(ConfigError, match="fraction_bits"):
        fixed.from_integers(np.array([1]), bits)


def test_decoding_refuses_other_words_and_overflow() -> None:
    with pytest.raises(DataError, match="uint64"):
        fixed.decode(np.array([1]))  # type: ignore[arg-type]
    with pytest.raises(EncodingOverflow, match="float64"):
        fixed.from_integers(np.array([1 << 2000], dtype=object), 8)


def test_empty_and_shape() -> None:
    assert fixed.encode([]).shape == (0,)
    assert fixed.decode(fixed.encode(np.zeros((2, 3)), 8), 8).shape == (2, 3)
    assert fixed.encode(1.5, 1).shape == ()
    assert fixed.magnitude(np.array([], dtype=np.int64)) == 0
    assert fixed.magnitude(np.array([-(2**63)])) == 2**63
