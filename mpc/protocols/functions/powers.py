# SPDX-License-Identifier: Apache-2.0
"""exp, log, 1/x, 1/sqrt(x) and quotients of shares: ``functions`` says how exact and how dear.

The exponential writes e^x as 2^i 2^f, i whole and f of [0, 1): the bits of i come from the planes
of x log2(e), 2^i is the product of 1 + bit_j (2^2^j - 1), exact, and 2^f a polynomial.

The others find the leading bit k of the encoded number (a prefix OR of its planes, as in Catrina
and Saxena, "Secure Computation with Fixed-Point Numbers", FC 2010) as a vector with a
one in that place. Any function of k alone is then linear in it: 2^(w-1-k), which moves the number
into [1/2, 1], and the power of two, or of its root, that moves the result back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError
from mpc.kernels import ring
from mpc.net.mesh import Mesh
from mpc.primitives import fixed
from mpc.primitives.sharing import Share, concatenate
from mpc.primitives.xor_sharing import XorShare
from mpc.protocols import arith, boolean, convert
from mpc.protocols.functions import polynomials
from mpc.protocols.functions.polynomials import WORKING_BITS, at_scale, doubled
from mpc.protocols.triples import Triples

MIN_BITS, MAX_BITS = 8, 20
"""The fraction bits that a function takes."""

LARGEST_EXP_BITS = 16
"""e^x is right below 2^this, so for x up to 11."""

_LOG2_E = 1.4426950408889634
_LN_2 = 0.6931471805599453
_LOG2_E_BITS = 26
_EXPONENT_BITS = 6
_ROOM_BITS = (
    61  # an encoded number below 2^61 in size moves to at most 2^61, which can be truncated
)


def exp(mesh: Mesh, x: Share, triples: Triples) -> Share:
    """e^x for x up to 11, at the scale of x. 18 rounds.

    Within one unit and 2^-22 e^x. It is 0 for any x below the smallest that gives half a unit, down
    to -2^(34 - fraction_bits); wrong below that, and above 11.
    """
    f = check_scale(x)
    flat = x.reshape(-1)
    # The lowest power of two that counts is half a unit, 2^(-f-1); the exponent counts from there.
    above = at_scale(flat * round(_LOG2_E * 2**_LOG2_E_BITS), f + _LOG2_E_BITS)
    y = arith.truncate(mesh, above, WORKING_BITS, triples) + (f + 1)
    planes = convert.to_planes(mesh, y, triples)
    chosen = planes.words[[*range(WORKING_BITS, WORKING_BITS + _EXPONENT_BITS), 63]]
    numbers = convert.to_number(mesh, replace(planes, words=chosen), triples)
    bits, negative = numbers[:_EXPONENT_BITS], numbers[_EXPONENT_BITS]
    weights = 1 << np.arange(_EXPONENT_BITS, dtype=np.int64)
    part = y - _weighed(bits, weights)
    # The product of 1 + bit (2^weight - 1); zero where the number is below the lowest power.
    factors = bits.T * ((1 << weights) - 1) + 1
    factors = concatenate([factors, (1 - negative).reshape(-1, 1)], axis=1)
    value, power = polynomials.evaluate(
        mesh, doubled(part) - 1, polynomials.EXP2, triples, beside=factors
    )
    assert power is not None, "the factors were given"
    kept = min(WORKING_BITS, _ROOM_BITS - 1 - LARGEST_EXP_BITS - f)
    value = arith.truncate(mesh, value, kept, triples)
    scaled = at_scale(arith.mul(mesh, power, value, triples), kept + f + 1)
    return arith.truncate(mesh, scaled, f, triples).reshape(*x.shape)


def log(mesh: Mesh, x: Share, triples: Triples) -> Share:
    """The natural logarithm of x > 0, at the scale of x, within a unit and 2^-23. 23 rounds.

    Wrong for x <= 0 and x >= 2^(61 - fraction_bits).
    """
    f = check_scale(x)
    held = normalised(mesh, x.reshape(-1), triples)
    exponents = (np.arange(_ROOM_BITS) + (1 - f)) * _LN_2
    value, _ = polynomials.evaluate(mesh, held.centred, polynomials.LOG, triples)
    whole = value + held.of_exponent(exponents, 2 * WORKING_BITS)
    return arith.truncate(mesh, whole, f, triples).reshape(*x.shape)


def reciprocal(mesh: Mesh, x: Share, triples: Triples) -> Share:
    """1 / x for x of either sign, at its scale, within a unit and 2^-20 / |x|. 26 rounds.

    Wrong for x = 0 and |x| >= 2^(61 - fraction_bits).
    """
    f = check_scale(x)
    held = normalised(mesh, x.reshape(-1), triples, signed=True)
    # x = m 2^(k + 1 - f) gives (1 / m) 2^(2f - 1 - k) units; from k = 2f on that is below one.
    kept = min(WORKING_BITS, _ROOM_BITS - 2 * f)
    y = polynomials.inverse(mesh, held.mantissa, triples, negative=held.negative)
    y = arith.truncate(mesh, y, kept, triples)
    places = 2 * f - 1 - np.arange(_ROOM_BITS)
    back = held.of_exponent(np.where(places < 0, 0, 1 << np.maximum(places, 0)))
    made = at_scale(arith.mul(mesh, back, y, triples), f + kept)
    return arith.truncate(mesh, made, f, triples).reshape(*x.shape)


def rsqrt(mesh: Mesh, x: Share, triples: Triples) -> Share:
    """1 / sqrt(x) for x > 0, at its scale, within a unit and 2^-21 / sqrt(x). 25 rounds.

    Wrong for x <= 0 and x >= 2^(61 - fraction_bits).
    """
    f = check_scale(x)
    held = normalised(mesh, x.reshape(-1), triples)
    value, _ = polynomials.evaluate(mesh, held.centred, polynomials.RSQRT, triples)
    # x = m 2^(k + 1 - f) gives m^(-1/2) 2^((3f - 1 - k) / 2) units, for every other k a root of 2.
    guard = 8
    kept = min(WORKING_BITS, _ROOM_BITS - guard - (3 * f + 1) // 2)
    halves = 3 * f - 1 - np.arange(_ROOM_BITS)
    root = np.ldexp(np.where(halves % 2, np.sqrt(2.0), 1.0), halves // 2)
    y = arith.truncate(mesh, value, kept, triples)
    made = arith.mul(mesh, held.of_exponent(root, guard), y, triples)
    return arith.truncate(mesh, at_scale(made, f + kept + guard), f, triples).reshape(*x.shape)


def divide(
    mesh: Mesh,
    x: Share,
    by: Share,
    triples: Triples,
    *,
    most: float,
    size: float,
    fraction_bits: int | None = None,
) -> Share:
    """x / by, with NumPy's broadcasting, for 0 < by <= ``most`` and |x / by| <= ``size``.

    Both bounds are public, and what breaks them gives a wrong result, unseen. The error is at most
    three units 2^-``fraction_bits``, and ``size`` * 2^-25. 28 rounds. Without ``fraction_bits`` the
    result has as many as there is room for, ``quotient_room``, which also says what is refused.
    """
    room = quotient_room(x.fraction_bits, by.fraction_bits, most=most, size=size)
    fraction_bits = room.most if fraction_bits is None else fraction_bits
    if not 0 <= fraction_bits <= room.most:
        raise ConfigError(
            f"no room to divide by up to {most}, giving {size} with {fraction_bits} fraction bits"
        )
    held = normalised(mesh, by.reshape(-1), triples, width=room.width)
    moved = arith.mul(mesh, x, held.up.reshape(*by.shape), triples)
    first = arith.truncate(mesh, at_scale(moved, room.moved), room.most, triples)
    y = arith.truncate(
        mesh, polynomials.inverse(mesh, held.mantissa, triples), WORKING_BITS, triples
    )
    made = arith.mul(mesh, first, y.reshape(*by.shape), triples)
    return arith.truncate(mesh, made, fraction_bits, triples)


@dataclass(frozen=True, slots=True)
class Room:
    """What ``divide`` works with: all public."""

    width: int
    """Bits of the divisor as encoded."""
    moved: int
    """Fraction bits of x when it has been moved up with its divisor."""
    most: int
    """Fraction bits that the quotient may have."""


def quotient_room(x_bits: int, by_bits: int, *, most: float, size: float) -> Room:
    """The room of ``divide`` for x and a divisor of so many fraction bits.

    Raises ConfigError where there is none: ``most`` as encoded, ``size`` and the fraction bits of
    x, less those of ``by``, may have 61 bits in all, and ``size`` with the result 32.
    """
    # The leading bit of two or more is looked for.
    width = max(2, _bits(most * 2.0**by_bits))
    size_bits = _bits(size)
    moved = x_bits - by_bits + width
    quotient = min(moved, _ROOM_BITS - 1 - WORKING_BITS - size_bits)
    if moved > _ROOM_BITS - size_bits or quotient < 0:
        raise ConfigError(
            f"no room to divide by up to {most}, giving {size}, with {x_bits} fraction bits"
        )
    return Room(width, moved, quotient)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Normalised:
    """Numbers (n,) moved up by a power of two, so that they are in [1/2, 1] but for their sign."""

    mantissa: Share
    """(n,), at the working scale."""
    up: Share
    """(n,), the whole number 2^(w-1-k) that moved them."""
    leading: Share
    """(w, n), a one in the place of the leading bit and zeros elsewhere."""
    negative: Share | None
    """(n,), a one where the number is below zero; None where none may be."""

    @property
    def centred(self) -> Share:
        """4 m - 3, of [-1, 1]."""
        return doubled(doubled(self.mantissa)) - 3

    def of_exponent(self, values: NDArray[Any], fraction_bits: int = 0) -> Share:
        """For each number the one of ``values`` (w,) in the place of its leading bit: (n,)."""
        return _weighed(self.leading, fixed.encode(values, fraction_bits), fraction_bits)

    def __repr__(self) -> str:
        return f"Normalised({self.leading.shape}, <secret>)"


def normalised(
    mesh: Mesh, x: Share, triples: Triples, *, width: int = _ROOM_BITS, signed: bool = False
) -> Normalised:
    """The numbers x (n,), which as encoded are below 2^``width`` in size. 16 rounds.

    They must be above zero, or if ``signed``, not zero.
    """
    planes = convert.to_planes(mesh, x, triples)
    sign, held = planes[63], planes[:width]
    if signed:
        # -x - 1 for a negative x: its leading bit is that of -x, or the one below a power of two.
        held = held ^ sign
    found = convert.to_number(mesh, _stacked([_leading(mesh, held, triples), sign]), triples)
    leading, negative = found[:width], found[width]
    up = _weighed(leading, np.uint64(1) << np.arange(width, dtype=np.uint64)[::-1], 0)
    moved = at_scale(arith.mul(mesh, x, up, triples), width)
    mantissa = (
        arith.truncate(mesh, moved, WORKING_BITS, triples)
        if width > WORKING_BITS
        else moved.rescaled(WORKING_BITS)
    )
    return Normalised(mantissa, up, leading, negative if signed else None)


def check_scale(x: Share) -> int:
    """The fraction bits of x. Raises ConfigError unless the functions take them."""
    if not MIN_BITS <= x.fraction_bits <= MAX_BITS:
        raise ConfigError(
            f"functions take {MIN_BITS} to {MAX_BITS} fraction bits, not {x.fraction_bits}"
        )
    return x.fraction_bits


def _leading(mesh: Mesh, planes: XorShare, triples: Triples) -> XorShare:
    """Planes (w, n) with the leading bit of each number alone; where there is none, the lowest."""
    down = replace(planes, words=planes.words[::-1])
    # OR as a carry: a plane makes one where it is set, and passes one on where it is not.
    any_above = boolean.carries(mesh, down, ~down, triples)
    first = any_above ^ boolean.moved_up(any_above)
    lowest = ~any_above[-2:-1]
    return replace(first, words=np.concatenate([first.words[:-1], lowest.words])[::-1])


def _stacked(parts: list[XorShare]) -> XorShare:
    return replace(parts[0], words=np.concatenate([np.atleast_2d(p.words) for p in parts]))


def _weighed(numbers: Share, weights: NDArray[Any], fraction_bits: int = 0) -> Share:
    """The sum over the first axis of whole numbers (w, n) times public encoded weights: (n,)."""
    words = ring.matmul(weights.astype(np.uint64)[None, :], numbers.words)[0]
    return at_scale(numbers.holding(words), fraction_bits)


def _bits(bound: float) -> int:
    """Bits of a whole number up to ``bound``."""
    return max(1, math.ceil(bound).bit_length())
