# SPDX-License-Identifier: Apache-2.0
"""Fixed-point encoding: real numbers as integers with a public scale of 2**-fraction_bits.

A number x becomes the integer nearest to x * 2**fraction_bits (ties to even). The integers then
live in Z_2^64 as two's complement words (``encode``, ``decode``), or in Z_n for an odd n with the
upper half standing for the negative numbers (``residues``, ``from_residues``); ``integers`` and
``from_integers`` are the step the two share. With ``fraction_bits=0`` whole numbers come back as
integers, exactly; with a scale, numbers come back as float64.

The conversions are exact but for that one rounding: integers of any NumPy width and Python
integers of any size are taken as they are, and floats are scaled by shifting their exponent.
Nothing wraps. A value without a place in the encoding raises, and the message names the index of
the first such value and what is wrong with it, never the value itself, which may be secret.
"""

from __future__ import annotations

import math
from typing import Any, NoReturn, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpc.errors import ConfigError, DataError, EncodingOverflow

MAX_FRACTION_BITS = 960
"""Below the exponents at which float64 loses digits, so that decoding rounds once."""

Integers: TypeAlias = NDArray[Any]
"""Signed integers: int64 where all of them fit, else an object array of Python integers."""


def encode(values: ArrayLike, fraction_bits: int = 0) -> NDArray[np.uint64]:
    """Words of Z_2^64 for ``values``, of the same shape; the range is [-2**63, 2**63).

    Raises DataError for NaN, infinity and what is not a number, EncodingOverflow out of range.
    """
    signed = integers(values, fraction_bits)
    if signed.dtype == object:
        require_within(signed, -(1 << 63), (1 << 63) - 1, "needs over 64 bits")
    return signed.astype(np.int64, copy=False).view(np.uint64)


def decode(words: NDArray[np.uint64], fraction_bits: int = 0) -> NDArray[Any]:
    """The numbers that ``words`` of Z_2^64 stand for: int64 without a scale, else float64."""
    if words.dtype != np.uint64:
        raise DataError(f"words of Z_2^64 are uint64, not {words.dtype}")
    return from_integers(words.view(np.int64), fraction_bits)


def residues(values: ArrayLike, modulus: int, fraction_bits: int = 0) -> NDArray[Any]:
    """Python integers in [0, ``modulus``) for ``values``; the range is ±(modulus - 1) / 2."""
    signed = integers(values, fraction_bits).astype(object)
    half = (modulus - 1) // 2
    require_within(signed, -half, half, "exceeds half the modulus")
    return np.asarray(signed % modulus, dtype=object)


def from_residues(values: NDArray[Any], modulus: int, fraction_bits: int = 0) -> NDArray[Any]:
    """The numbers that integers in [0, ``modulus``) stand for, as ``from_integers`` gives them."""
    plain = np.asarray(values, dtype=object)
    return from_integers(np.where(plain > modulus // 2, plain - modulus, plain), fraction_bits)


def integers(values: ArrayLike, fraction_bits: int = 0) -> Integers:
    """The integers nearest to ``values`` * 2**fraction_bits, ties to even, of the same shape.

    Takes bool, integer and float arrays (up to 64 bits), Python numbers and nested lists of them,
    and object arrays of Python integers of any size.
    """
    _check_scale(fraction_bits)
    array = _numbers(values)
    if array.dtype.kind == "f":
        return _from_floats(array.astype(np.float64), fraction_bits)
    if array.dtype.kind in "bi" and fraction_bits == 0:
        return array.astype(np.int64)
    if array.dtype == object:
        return _narrow(_scaled(array, fraction_bits))
    if array.dtype == np.uint64 or _might_leave_int64(array, fraction_bits):
        return _narrow(np.asarray(array.astype(object) << fraction_bits, dtype=object))
    return array.astype(np.int64) << fraction_bits


def from_integers(signed: Integers, fraction_bits: int = 0) -> NDArray[Any]:
    """``signed`` * 2**-fraction_bits: integers without a scale, else the nearest float64."""
    _check_scale(fraction_bits)
    if fraction_bits == 0:
        return _narrow(signed) if signed.dtype == object else signed
    if signed.dtype != object:
        return np.asarray(np.ldexp(signed.astype(np.float64), -fraction_bits))
    try:
        # The true division of two Python integers is rounded once, whatever their sizes.
        return np.asarray(signed / (1 << fraction_bits), dtype=np.float64)
    except OverflowError:
        raise EncodingOverflow("a decoded value exceeds the range of float64") from None


def has_floats(values: ArrayLike) -> bool:
    """Whether ``values`` holds floats, which a scale of zero fraction bits would round away."""
    array = _numbers(values)
    if array.dtype == object:
        return any(isinstance(value, float | np.floating) for value in array.flat)
    return array.dtype.kind == "f"


def magnitude(signed: Integers) -> int:
    """The largest absolute value, as a Python integer (the one of -2**63 fits no int64)."""
    if signed.size == 0:
        return 0
    return max(abs(int(signed.max())), abs(int(signed.min())))


def require_within(signed: Integers, low: int, high: int, fault: str) -> None:
    """Raise EncodingOverflow, naming the first index, unless all values are in [low, high]."""
    outside = (signed < low) | (signed > high)
    _refuse(np.asarray(outside, dtype=np.bool_), EncodingOverflow, fault)


def _check_scale(fraction_bits: int) -> None:
    if not 0 <= fraction_bits <= MAX_FRACTION_BITS:
        raise ConfigError(f"fraction_bits is {fraction_bits}, not in [0, {MAX_FRACTION_BITS}]")


def _numbers(values: ArrayLike) -> NDArray[Any]:
    """``values`` as a bool, integer, float or object array, without NumPy's own promotion.

    NumPy reads a list of integers on both sides of 2**63 as float64 and so would round them.
    """
    if isinstance(values, np.ma.MaskedArray):
        raise DataError("masked values have no encoding; fill or drop them first")
    array = values if isinstance(values, np.ndarray | np.generic) else _from_python(values)
    array = np.asarray(array)
    if array.dtype.kind not in "biufO" or array.dtype.itemsize > 8:
        raise DataError(f"{array.dtype} values have no fixed-point encoding; use float64 or int64")
    return array


def _from_python(values: ArrayLike) -> NDArray[Any]:
    try:
        array = np.asarray(values)
        if array.dtype.kind == "f" and array.size:
            array = np.asarray(values, dtype=object)
            if all(isinstance(value, float) for value in array.flat):
                return array.astype(np.float64)
    except ValueError as error:
        raise DataError(f"not an array of numbers: {error}") from None
    return array


def _from_floats(array: NDArray[np.float64], fraction_bits: int) -> Integers:
    _refuse(np.isnan(array), DataError, "is NaN")
    _refuse(np.isinf(array), DataError, "is infinite")
    with np.errstate(over="ignore"):
        nearest = np.rint(np.ldexp(array, fraction_bits))
    if np.all((nearest >= -(2.0**63)) & (nearest < 2.0**63)):
        return nearest.astype(np.int64)
    return _scaled(array.astype(object), fraction_bits)


def _scaled(array: NDArray[Any], fraction_bits: int) -> NDArray[Any]:
    """Python numbers, one by one: the way for what does not fit 64 bits."""
    out = np.empty(array.shape, dtype=object)
    for index, value in np.ndenumerate(array):
        if isinstance(value, int | np.integer | np.bool_):
            out[index] = int(value) << fraction_bits
        elif isinstance(value, float | np.floating):
            out[index] = _nearest(float(value), index, fraction_bits)
        else:
            _fail(DataError, index, f"is a {type(value).__name__}, not a number")
    return out


def _nearest(value: float, index: tuple[int, ...], fraction_bits: int) -> int:
    if math.isnan(value):
        _fail(DataError, index, "is NaN")
    if math.isinf(value):
        _fail(DataError, index, "is infinite")
    numerator, denominator = value.as_integer_ratio()
    whole, rest = divmod(numerator << fraction_bits, denominator)
    return whole + (2 * rest > denominator or (2 * rest == denominator and whole & 1))


def _might_leave_int64(array: NDArray[Any], fraction_bits: int) -> bool:
    return bool(array.size) and (magnitude(array) << fraction_bits) >= 1 << 63


def _narrow(signed: NDArray[Any]) -> Integers:
    """int64 where every value fits."""
    if signed.size and not -(1 << 63) <= signed.min() <= signed.max() < 1 << 63:
        return signed
    return signed.astype(np.int64)


def _refuse(bad: NDArray[np.bool_], error: type[Exception], what: str) -> None:
    if bad.any():
        _fail(error, tuple(int(axis) for axis in np.argwhere(bad)[0]), what)


def _fail(error: type[Exception], index: tuple[int, ...], what: str) -> NoReturn:
    where = f" at index {index[0] if len(index) == 1 else index}" if index else ""
    raise error(f"the value{where} {what}")
