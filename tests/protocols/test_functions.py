# SPDX-License-Identifier: Apache-2.0
"""Functions of shares against numpy: errors over their ranges, what they cost, what is seen."""

from __future__ import annotations

import re

import numpy as np
import pytest
from numpy.polynomial import chebyshev, polynomial

from mpc import kernels
from mpc.errors import ConfigError
from mpc.primitives.sharing import Share
from mpc.protocols import functions
from mpc.protocols.functions import logistic, polynomials
from mpc.protocols.triples import (
    Ands,
    Bits,
    Correlation,
    Numbers,
    Products,
    Selections,
    Sines,
    Triples,
    Truncations,
)
from mpc.protocols.triples.sines import ERROR_UNITS
from tests.protocols.computing import compute, even, openings, recorded, views, views_are_uniform

BACKENDS = ["portable"] + (["simd"] if kernels.backend() == "simd" else [])
CASES = [(2, 20), (3, 20), (5, 20), (2, 8), (3, 14)]
GRID = 2500
SERIES_ERROR = 1e-4
FUNCTIONS = ["exp", "log", "reciprocal", "rsqrt", "sigmoid", "tanh"]


@pytest.fixture(params=BACKENDS)
def backend(request):
    with kernels.use(request.param):
        yield request.param


def results(parties, function, x, f):
    """What the first party is shown of ``function`` of x, which has f fraction bits."""

    def job(p):
        owner = parties - 1
        return p.reveal(function(p.mesh, p.share(x, owner=owner, fraction_bits=f), p.triples))

    found, *others = compute(parties, job)
    assert all(np.array_equal(found, other) for other in others)
    return found


def grid(low, high, f, *edges):
    """Numbers of f fraction bits all over a range, its ends and ``edges`` among them."""
    x = np.concatenate([np.linspace(low, high, GRID), [low, high, *edges]])
    return np.ldexp(np.trunc(np.ldexp(x, f)), -f)


def widely(f):
    """Numbers of every size from a unit to 2^61 units, powers of two and their neighbours too."""
    low, high = 2.0**-f, 2.0 ** (60.99 - f)
    powers = np.ldexp(1.0, np.arange(-f, 61 - f))
    near = np.concatenate([powers, powers + low, powers[1:] - low, [2.0 ** (61 - f) - 2.0**8]])
    x = np.concatenate([np.exp(np.linspace(np.log(low), np.log(high), GRID)), near])
    return np.unique(np.maximum(np.ldexp(np.trunc(np.ldexp(x, f)), -f), low))


def logistic_of(x):
    return 1 / (1 + np.exp(-np.maximum(x, -500)))


@pytest.mark.parametrize(("parties", "f"), CASES)
@pytest.mark.usefixtures("backend")
class TestErrors:
    def test_exp(self, parties, f):
        unit = 2.0**-f
        x = grid(-30, 11, f, 0, unit, -unit, 10 - unit, -(2.0 ** (34 - f)), -1, 1)
        found, wanted = results(parties, functions.exp, x, f), np.exp(x)
        assert np.all(np.abs(found - wanted) <= unit + wanted * 2.0**-22)
        assert not found[wanted < unit / 4].any()

    def test_log(self, parties, f):
        x = widely(f)
        error = np.abs(results(parties, functions.log, x, f) - np.log(x))
        assert error.max() <= 2.0**-f + 2.0**-23

    def test_reciprocal(self, parties, f):
        x = widely(f)
        x = np.concatenate([x, -x])
        error = np.abs(results(parties, functions.reciprocal, x, f) - 1 / x)
        assert np.all(error <= 2.0**-f + 2.0**-20 / np.abs(x))

    def test_rsqrt(self, parties, f):
        x = widely(f)
        error = np.abs(results(parties, functions.rsqrt, x, f) - x**-0.5)
        assert np.all(error <= 2.0**-f + 2.0**-21 / np.sqrt(x))

    def test_sigmoid_and_tanh(self, parties, f):
        unit, most = 2.0**-f, 2.0 ** (33 - f)
        x = grid(-25, 25, f, 0, unit, -unit, most - unit, unit - most, 1, -1)
        error = np.abs(results(parties, functions.sigmoid, x, f) - logistic_of(x))
        assert error.max() <= 2 * unit
        error = np.abs(results(parties, functions.tanh, x, f) - np.tanh(x))
        assert error.max() <= 4 * unit

    def test_series(self, parties, f):
        unit = 2.0**-f
        x = grid(-functions.RANGE, functions.RANGE, f, 0, unit, -unit, 1, -1)
        error = np.abs(results(parties, functions.sigmoid_series, x, f) - logistic_of(x))
        assert error.max() <= SERIES_ERROR

    def test_clamped_series(self, parties, f):
        def clamped(*given):
            return functions.sigmoid_series(*given, clamp=True)

        unit, most, edge = 2.0**-f, 2.0 ** (61 - f), functions.RANGE
        near = [edge, edge + unit, edge - unit, -edge, -edge - unit, unit - edge, 0, unit, -unit]
        x = grid(-40, 40, f, *near, most, -most, 16, -16, 32, -32)
        error = np.abs(results(parties, clamped, x, f) - logistic_of(x))
        assert error.max() <= SERIES_ERROR

    def test_softmax(self, parties, f):
        rng = np.random.default_rng(3)
        x = np.ldexp(np.rint(np.ldexp(rng.normal(0, 5, (400, 6)), f)), -f)
        x[0], x[1], x[2] = 0, [0, 0, 0, 0, 0, -(2.0**-f)], [90, -90, 0, 90, 1, 2]
        wanted = np.exp(x - x.max(axis=1, keepdims=True))
        wanted /= wanted.sum(axis=1, keepdims=True)
        assert np.abs(results(parties, functions.softmax, x, f) - wanted).max() <= 10 * 2.0**-f

    def test_quotients(self, parties, f):
        rng = np.random.default_rng(4)
        by = np.concatenate([rng.integers(1, 10**6, 300), [1, 2, 3, 999_999, 10**6, 2**19]])
        x = np.round(rng.uniform(-1, 1, len(by)) * 50 * by)
        x[:3] = 50 * by[0], -50 * by[1], 0

        def job(p):
            above = p.share(x, fraction_bits=f)
            below = p.share(by, owner=1, fraction_bits=0)
            return p.reveal(
                functions.divide(
                    p.mesh, above, below, p.triples, most=10**6, size=50, fraction_bits=f
                )
            )

        found = compute(parties, job)[0]
        assert np.abs(found - x / by).max() <= 3 * 2.0**-f + 50 * 2.0**-25


@pytest.mark.parametrize("name", ["exp", "reciprocal", "sigmoid_series", "softmax"])
@pytest.mark.parametrize("shape", [(2, 3, 4), (1, 1), (5,)])
def test_shapes_are_kept(name, shape):
    def job(p):
        x = p.share(np.ones(shape), fraction_bits=16)
        return getattr(functions, name)(p.mesh, x, p.triples)

    found = compute(2, job)[0]
    assert found.shape == shape
    assert found.fraction_bits == (44 if name == "sigmoid_series" else 16)


SINGLE = {
    "exp": np.e, "log": 0, "reciprocal": 1, "rsqrt": 1, "tanh": np.tanh(1),
    "sigmoid": logistic_of(1), "sigmoid_series": logistic_of(1),
}  # fmt: skip


@pytest.mark.parametrize("name", SINGLE)
def test_one_number_without_an_axis(name):
    def job(p):
        found = getattr(functions, name)(p.mesh, p.share([1.0, 0.0]).sum(), p.triples)
        return found.shape, p.reveal(found)

    for shape, found in compute(2, job):
        assert shape == ()
        assert found == pytest.approx(SINGLE[name], abs=1e-4)


def test_a_quotient_without_an_axis():
    def job(p):
        x, by = p.share(1.0), p.share(2.0, owner=1)
        return p.reveal(functions.divide(p.mesh, x, by, p.triples, most=4, size=2))

    assert compute(2, job) == [pytest.approx(0.5, abs=1e-6)] * 2


@pytest.mark.parametrize("most", [1, 0.75, 0.25])
@pytest.mark.parametrize("parties", [2, 3])
def test_quotients_by_one_and_less(most, parties):
    """Of a divisor that has one bit, or none, as it is encoded: 1, or the unit of its scale."""
    bits, x = (0, [0.5, -0.25, 0]) if most == 1 else (2, [0.125, -0.25, 0])
    by = np.full(3, 1.0 if most == 1 else 0.25)

    def job(p):
        above, below = p.share(x), p.share(by, owner=1, fraction_bits=bits)
        return p.reveal(functions.divide(p.mesh, above, below, p.triples, most=most, size=2))

    for found in compute(parties, job):
        assert np.abs(found - np.array(x) / by).max() < 1e-6


@pytest.mark.parametrize("name", ["exp", "log", "rsqrt", "sigmoid", "sigmoid_series"])
def test_none_at_all(name):
    def job(p):
        return getattr(functions, name)(p.mesh, p.share(np.empty(0)), p.triples).shape

    assert compute(2, job) == [(0,), (0,)]


def test_quotients_of_rows():
    """A divisor for each row, and with fraction bits of its own."""
    x, by = np.array([[1.5, -2, 0.25], [10, 20, -30]]), np.array([[0.5], [40.0]])

    def job(p):
        return p.reveal(
            functions.divide(
                p.mesh, p.share(x), p.share(by, fraction_bits=10), p.triples, most=40, size=4,
                fraction_bits=18,
            )
        )  # fmt: skip

    assert np.abs(compute(2, job)[0] - x / by).max() < 1e-5


# --- tables --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("coefficients", "function", "bound"),
    [
        (polynomials.EXP2, lambda t: 2 ** ((t + 1) / 2), 3e-9),
        (polynomials.LOG, lambda t: np.log((t + 3) / 4), 4e-8),
        (polynomials.RSQRT, lambda t: ((t + 3) / 4) ** -0.5, 7e-8),
    ],
)
def test_polynomials_are_truncated_chebyshev_series(coefficients, function, bound):
    t = np.linspace(-1, 1, 10_001)
    series = chebyshev.chebinterpolate(function, 60)[: len(coefficients)]
    assert np.allclose(coefficients, chebyshev.cheb2poly(series), rtol=1e-9, atol=1e-13)
    assert np.abs(polynomial.polyval(t, coefficients) - function(t)).max() < bound


def test_the_series_is_the_least_squares_fit():
    count, period = len(logistic.COEFFICIENTS), 2**logistic.PERIOD_BITS
    x = 10.5 * np.cos(np.linspace(0, np.pi / 2, 4001))
    waves = np.sin(2 * np.pi * np.outer(x, np.arange(1, count + 1)) / period)
    fitted = np.linalg.lstsq(waves, logistic_of(x) - 0.5)[0]
    assert np.abs(fitted - logistic.COEFFICIENTS).max() < 1e-8


def test_the_series_is_refused_to_more_parties_than_it_is_right_for():
    x = np.linspace(-functions.RANGE, functions.RANGE, 100_001)
    k = np.arange(1, len(logistic.COEFFICIENTS) + 1)
    waves = np.sin(2 * np.pi * np.outer(x, k) / 2**logistic.PERIOD_BITS)
    alone = np.abs(waves @ logistic.COEFFICIENTS + 0.5 - logistic_of(x)).max()
    # A sine and a cosine of c, whose squares add up to one, times what is rounded.
    unit = ERROR_UNITS * 2.0 ** -(functions.SERIES_FRACTION_BITS // 2) * np.sqrt(2)
    most = logistic.MOST_SERIES_PARTIES
    assert alone + most * unit * np.abs(logistic.COEFFICIENTS).sum() <= SERIES_ERROR
    many = Share(np.zeros(1, np.uint64), 0, most + 1, 20)
    with pytest.raises(ConfigError, match=f"up to {most} parties, not {most + 1}"):
        functions.sigmoid_series(None, many, None)


def test_sines_are_those_of_numpy():
    turn = np.concatenate([np.linspace(0, 1, 10_001), [0.25, 0.5, 0.75]])
    sines, cosines = logistic._turns(turn, 13)
    angles = 2 * np.pi * np.outer(turn, np.arange(1, 14))
    assert np.abs(sines - np.sin(angles)).max() < 1e-10
    assert np.abs(cosines - np.cos(angles)).max() < 1e-10


def test_the_table_of_costs_is_what_is_measured():
    count, k = 6400, 8
    named = re.findall(r"^    (\w+)( \(.*?\))? .* (\d+) +(\d+)$", functions.__doc__, re.M)
    assert len(named) == 9

    def costs(p):
        x, found = p.share(np.ones(count)), []
        for name, option, _, _ in named:
            mesh, function = recorded(p.mesh), getattr(functions, name)
            if "clamp" in option:
                function(mesh, x, p.triples, clamp=True)
            else:
                function(mesh, x.reshape(-1, k) if "k" in option else x, p.triples)
            data = openings(mesh)
            found.append((len(data), sum(map(len, data)) / count))
        return found

    for (name, option, rounds, octets), (took, sent) in zip(
        named, compute(2, costs)[0], strict=True
    ):
        assert took == int(rounds), (name, option)
        assert sent == pytest.approx(int(octets), abs=0.6), (name, option)


# --- what is seen --------------------------------------------------------------------------------


@pytest.mark.parametrize("parties", [2, 3])
@pytest.mark.parametrize("x", [0.0, 9.75])
def test_the_opening_of_the_series_is_uniform_in_the_period(parties, x):
    """What others send, and what it adds up to, on one input over many masks."""

    def job(p):
        share, mesh = p.share(np.full(400, x), fraction_bits=19), recorded(p.mesh)
        functions.sigmoid_series(mesh, share, p.triples)
        # 19 bits and the 5 of the period
        assert all(np.frombuffer(words, "<u4").max() < 2**24 for words in openings(mesh))

    compute(parties, job)

    def series(p):
        functions.sigmoid_series(p.mesh, p.share(np.full(400, x), fraction_bits=19), p.triples)

    assert views_are_uniform(parties, series, seeds=20)


@pytest.mark.parametrize("parties", [2, 3])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_views_are_uniform(name, parties):
    """All that each party sees, on one input, over the masks of many runs."""

    def job(p):
        getattr(functions, name)(p.mesh, p.share(np.full(64, 0.75)), p.triples)

    assert views_are_uniform(parties, job, seeds=3)


@pytest.mark.parametrize(
    ("kind", "mask", "name", "step"),
    [
        (Products, "b", "rsqrt", "products"),
        (Truncations, "number", "rsqrt", "truncate"),
        (Numbers, "number", "exp", "subtraction"),
        (Ands, "a", "exp", "ands, bits"),
        (Bits, "packed", "exp", "to_number, bits"),
        (Selections, "a", "sigmoid", "times_bit"),
        (Selections, "packed", "sigmoid", "times_bit, bits"),
        (Sines, "angle", "sigmoid_series", "sigmoid_series"),
    ],
)
def test_a_mask_of_zeros_would_be_noticed(kind, mask, name, step, monkeypatch):
    draw = Triples.draw

    def bare(triples, wanted):
        arrays = draw(triples, wanted).take()
        if isinstance(wanted, kind):
            arrays[mask] = np.zeros_like(arrays[mask])
        return Correlation(wanted, arrays)

    monkeypatch.setattr(Triples, "draw", bare)

    def job(p):
        getattr(functions, name)(p.mesh, p.share(np.full(64, 0.75)), p.triples)

    seen = views(2, job, seeds=3)
    assert not even(seen["opened", step])


@pytest.mark.parametrize("parties", [2, 3])
@pytest.mark.parametrize("name", ["softmax", "divide"])
def test_views_of_quotients_are_uniform(name, parties):
    def job(p):
        x = p.share(np.tile([0.75, -2.0, 0.0], (32, 1)))
        if name == "softmax":
            functions.softmax(p.mesh, x, p.triples)
        else:
            by = p.share(np.full((32, 1), 3), fraction_bits=0, owner=1)
            functions.divide(p.mesh, x, by, p.triples, most=100, size=4)

    assert views_are_uniform(parties, job, seeds=3)
