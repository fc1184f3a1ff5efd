# SPDX-License-Identifier: Apache-2.0
"""sigmoid, tanh and softmax of shares: ``functions`` says how exact and how dear.

``sigmoid_series`` follows Zheng, Zhang, Tan, Peng, Li, Chow, Yin, "Secure Softmax/Sigmoid for
Machine-learning Computation" (ACSAC 2023), with coefficients fitted to the range, as in Boura,
Chillotti, Gama, Jetchev, Peceny, Petric, "High-Precision Privacy-Preserving Real-Valued Function
Evaluation" (FC 2018)::

    sigmoid(x) - 1/2  ~  sum over k of a_k sin(2 pi k x / P)        for |x| <= 10, P = 32

The parties open c = x + r modulo the period, 2^m units, for a uniform r of m bits, so c is uniform
and says nothing of x. With sin and cos of 2 pi k r / 2^m shared beforehand (``triples.Sines``),

    sin(k x) = sin(k c) cos(k r) - cos(k c) sin(k r)

is linear in shares: one round. The period has to leave room for the series to turn back from 1/2 to
-1/2 smoothly, so it is three times the range, and the coefficients are the least squares fit over
|x| <= 10.5. They and the sines of c are the same integers at all parties, whatever the CPU: the
former are literals, the latter come of sums and products that IEEE 754 rounds in one way.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError
from mpc.net.mesh import Mesh
from mpc.primitives import sharing
from mpc.primitives.sharing import Share
from mpc.protocols import arith, compare, opening
from mpc.protocols.functions import polynomials, powers
from mpc.protocols.functions.polynomials import WORKING_BITS, at_scale, doubled
from mpc.protocols.triples import Sines, Triples

Floats = NDArray[np.float64]

RANGE = 10
"""The series is right up to this in size."""

SERIES_FRACTION_BITS = 44
"""The scale of its result."""

MOST_SERIES_PARTIES = 25
"""The series is off by up to 5e-5 by itself, and for each party by up to 1.8e-6, as its shares of
sines are rounded (``triples.sines.ERROR_UNITS``): that is within 1e-4 for so many."""

PERIOD_BITS = 5  # P = 32
COEFFICIENTS = (
    0.83290578,
    -0.423070899,
    0.659360459,
    -0.555475822,
    0.540082785,
    -0.405615616,
    0.301398644,
    -0.185411715,
    0.106925233,
    -0.050123487,
    0.020953722,
    -0.006178018,
    0.001445816,
)
_MOST_SERIES_BITS = 32 - PERIOD_BITS  # so that an opening takes four bytes


def sigmoid(mesh: Mesh, x: Share, triples: Triples) -> Share:
    """1 / (1 + e^-x) at the scale of x, within two units, for all |x| < 2^(34 - fraction_bits).

    By comparison: 1 / (1 + e^-|x|), or one less that for a negative x. 35 rounds.
    """
    f = powers.check_scale(x)
    flat = x.reshape(-1)
    negative = compare.is_negative(mesh, flat, triples)
    size = flat - doubled(compare.times_bit(mesh, negative, flat, triples))
    # Half of 1 + e^-|x| is in [1/2, 1].
    m = at_scale(powers.exp(mesh, -size, triples) + 1, f + 1).rescaled(WORKING_BITS)
    inverse = polynomials.inverse(mesh, m, triples)
    above = arith.truncate(mesh, at_scale(inverse, inverse.fraction_bits + 1), f, triples)
    return compare.select(mesh, negative, 1 - above, above, triples).reshape(*x.shape)


def sigmoid_series(mesh: Mesh, x: Share, triples: Triples, *, clamp: bool = False) -> Share:
    """1 / (1 + e^-x) within 1e-4, for |x| <= 10. One round.

    The result has ``SERIES_FRACTION_BITS``, since a truncation would take a round. Beyond 10 it is
    wrong, unless ``clamp``, which puts 0 and 1 there, for 8 rounds and 2 comparisons more.
    ConfigError among more than ``MOST_SERIES_PARTIES``, or for a scale that is too fine.
    """
    if x.parties > MOST_SERIES_PARTIES:
        raise ConfigError(
            f"the series is within 1e-4 among up to {MOST_SERIES_PARTIES} parties, not {x.parties}"
        )
    if x.fraction_bits > _MOST_SERIES_BITS:
        raise ConfigError(
            f"the series takes up to {_MOST_SERIES_BITS} fraction bits, not {x.fraction_bits}"
        )
    flat = x.reshape(-1)
    value = _series(mesh, flat, triples)
    if clamp:
        beyond = sharing.concatenate([flat + RANGE, RANGE - flat])
        which = compare.is_negative(mesh, beyond, triples)
        changes = sharing.concatenate([-value, 1 - value])
        changed = compare.times_bit(mesh, which, changes, triples)
        value = value + changed.reshape(2, -1).sum(axis=0)
    return value.reshape(*x.shape)


def tanh(mesh: Mesh, x: Share, triples: Triples) -> Share:
    """The hyperbolic tangent at the scale of x, within four units. 35 rounds.

    For all |x| < 2^(33 - fraction_bits).
    """
    return doubled(sigmoid(mesh, doubled(x), triples)) - 1


def softmax(mesh: Mesh, x: Share, triples: Triples) -> Share:
    """e^x over its sum along the last axis of x (..., k), at the scale of x, within k + 4 units.

    Differences of a row must be below 2^(34 - fraction_bits). 43 rounds and those of the maximum.
    """
    f = powers.check_scale(x)
    compare.require_columns(x)
    k = x.shape[-1]
    largest = compare.maximum(mesh, x, triples)
    raised = powers.exp(mesh, x - largest.reshape(*x.shape[:-1], 1), triples)
    total = raised.sum(axis=-1).reshape(*x.shape[:-1], 1)
    # Units that e^x is too large by are in the sum too, so a part stays near one at most.
    return powers.divide(mesh, raised, total, triples, most=2 * k, size=2, fraction_bits=f)


def _series(mesh: Mesh, x: Share, triples: Triples) -> Share:
    """The series for x (n,)."""
    period = x.fraction_bits + PERIOD_BITS
    kind = Sines(period, len(COEFFICIENTS), SERIES_FRACTION_BITS // 2, len(x))
    t = triples.draw(kind).take()
    c = opening.residues(mesh, "sigmoid_series", x.words + t["angle"], period)
    sines, cosines = _turns(np.ldexp(c.astype(np.float64), -period), len(COEFFICIENTS))
    sine, cosine = (at_scale(x.holding(t[n]), kind.fraction_bits) for n in ("sine", "cosine"))
    weights = np.array(COEFFICIENTS)
    terms = cosine * (sines * weights) - sine * (cosines * weights)
    value: Share = terms.sum(axis=1) + 0.5
    return value


def _turns(turn: Floats, frequencies: int) -> tuple[Floats, Floats]:
    """sin and cos of 2 pi k ``turn`` (n,), (n, frequencies): the same bits on every CPU."""
    sine, cosine = _sine(turn), _sine(turn + 0.25)
    sines, cosines = [sine], [cosine]
    for _ in range(frequencies - 1):
        s, c = sines[-1], cosines[-1]
        sines.append(s * cosine + c * sine)
        cosines.append(c * cosine - s * sine)
    return np.stack(sines, axis=1), np.stack(cosines, axis=1)


def _sine(turn: Floats) -> Floats:
    """sin(2 pi turn), within 1e-11, by its Taylor series on a quarter of a turn each way."""
    part = turn - np.rint(turn)
    part = np.where(np.abs(part) > 0.25, np.copysign(0.5, part) - part, part)
    angle = part * (2 * np.pi)
    square = angle * angle
    total = np.ones_like(angle)
    for n in range(16, 0, -2):
        total = 1.0 - square * total / (n * (n + 1))
    return np.asarray(angle * total)
