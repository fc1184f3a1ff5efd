# SPDX-License-Identifier: Apache-2.0
"""Polynomials of shared numbers, and the inverse of a number near one; in fixed point.

    evaluate      powers up to the fourth, and then the upper half of the polynomial times t^4
                  (Paterson and Stockmeyer 1973): 6 rounds up to degree 8, the last truncation left
                  to the caller
    inverse       Goldschmidt's iteration: y (1 + e) (1 + e^2) (1 + e^4) for e = 1 - m y: 7 rounds,
                  the last truncation left to the caller

The coefficients are truncated Chebyshev series, which are within a fifth of the best polynomials.
They are literals and not computed, since all parties must multiply their shares by the very same
integers: a coefficient that one CPU rounds differently would add a unit of a uniform share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mpc.net.mesh import Mesh
from mpc.primitives.sharing import Share, concatenate
from mpc.protocols import arith
from mpc.protocols.triples import Triples

WORKING_BITS = 28
"""Fraction bits inside a function: two factors have 56, which leaves room for numbers up to 64."""

# In t of [-1, 1]; the number is m = (t + 3) / 4, of [1/2, 1], or for EXP2 (t + 1) / 2, of [0, 1].
EXP2 = (
    1.4142135623158878,
    0.49012909022559276,
    0.08493289787606191,
    0.00981168502743043,
    0.0008501213906872269,
    5.922210284209203e-05,
    3.418360116853454e-06,
)
"""2^m, within 3e-9."""
LOG = (
    -0.28768207676695506,
    0.3333330830293389,
    -0.055555342056717145,
    0.01234896895475076,
    -0.0030881011462175634,
    0.0008114790472642623,
    -0.00022403659441495876,
    8.002991118186178e-05,
    -2.4029183451354652e-05,
)
"""The natural logarithm of m, within 4e-8."""
RSQRT = (
    1.1547005473936454,
    -0.1924495947794166,
    0.04811207688491329,
    -0.013371085172801498,
    0.0039015088917728094,
    -0.0011466229303553135,
    0.00034778252696868227,
    -0.00013941995553859777,
    4.4855975869079464e-05,
)
"""1 / sqrt(m), within 7e-8."""
INVERSE_START = 2.9142135623730949
"""y = this - 2 m is 1 / m for m of [1/2, 1] but for a factor within 0.0858 of one."""


def multiply(mesh: Mesh, pairs: Sequence[tuple[Share, Share]], triples: Triples) -> list[Share]:
    """Products of shares that all have one scale, at ``WORKING_BITS``. Two rounds for all."""
    return _level(mesh, pairs, None, triples)[0]


def evaluate(
    mesh: Mesh,
    t: Share,
    coefficients: Sequence[float],
    triples: Triples,
    *,
    beside: Share | None = None,
) -> tuple[Share, Share | None]:
    """The polynomial of t (n,), |t| <= 1 at the working scale, to be truncated from twice that.

    Degree 5 to 8. ``beside`` (n, k), k up to 8 whole numbers each, has its rows multiplied up in
    the same rounds; the second result is their products (n,). Six rounds.
    """
    (t2,), beside = _level(mesh, [(t, t)], beside, triples)
    (t3, t4), beside = _level(mesh, [(t2, t), (t2, t2)], beside, triples)
    powers = [t, t2, t3, t4]
    lower, upper = coefficients[1:5], coefficients[5:]
    high = arith.truncate(mesh, _combined(powers, upper), WORKING_BITS, triples)
    products, beside = _halved(mesh, [(t4, high)], beside, triples)
    value = products[0] + _combined(powers, lower) + coefficients[0]
    return value, None if beside is None else beside[:, 0]


def inverse(mesh: Mesh, m: Share, triples: Triples, *, negative: Share | None = None) -> Share:
    """1 / m (n,) for m of [1/2, 1] at the working scale, to be truncated from twice that.

    Where ``negative``, whole numbers (n,), is one, m is of [-1, -1/2]. Within 2^-26. Seven rounds.
    """
    start = round(INVERSE_START * 2**WORKING_BITS)
    y = doubled(-m) + INVERSE_START
    if negative is not None:
        y = y - at_scale(negative * (2 * start), WORKING_BITS)
    (my,) = multiply(mesh, [(m, y)], triples)
    e = 1.0 - my
    e2, ye = multiply(mesh, [(e, e), (e, y)], triples)
    y = y + ye
    e4, ye = multiply(mesh, [(e2, e2), (e2, y)], triples)
    y = y + ye
    return y.rescaled(2 * WORKING_BITS) + arith.mul(mesh, e4, y, triples)


def doubled(x: Share) -> Share:
    """2 x: exact, local."""
    return x.holding(np.left_shift(x.words, np.uint64(1)))


def at_scale(x: Share, fraction_bits: int) -> Share:
    """The same encoded numbers, read at another scale: x times a power of two."""
    return replace(x, fraction_bits=fraction_bits)


def _level(
    mesh: Mesh,
    pairs: Sequence[tuple[Share, Share]],
    beside: Share | None,
    triples: Triples,
) -> tuple[list[Share], Share | None]:
    made, beside = _halved(mesh, pairs, beside, triples)
    flat = concatenate([z.reshape(-1) for z in made])
    whole = arith.truncate(mesh, flat, WORKING_BITS, triples)
    ends = np.cumsum([z.words.size for z in made])
    parts = [
        whole[end - z.words.size : end].reshape(*z.shape) for z, end in zip(made, ends, strict=True)
    ]
    return parts, beside


def _halved(
    mesh: Mesh, pairs: Sequence[tuple[Share, Share]], beside: Share | None, triples: Triples
) -> tuple[list[Share], Share | None]:
    """Products of ``pairs``, and in the same round each two neighbours of ``beside`` as one."""
    if beside is None or beside.shape[1] == 1:
        return arith.products(mesh, pairs, triples), beside
    even = beside.shape[1] // 2 * 2
    halves = (beside[:, 0:even:2], beside[:, 1:even:2])
    *made, paired = arith.products(mesh, [*pairs, halves], triples)
    return made, concatenate([paired, beside[:, even:]], axis=1)


def _combined(powers: list[Share], coefficients: Sequence[float]) -> Share:
    """The sum of powers of the working scale times public coefficients, at twice that scale."""
    terms = [power * c for power, c in zip(powers, coefficients, strict=False)]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total
