# SPDX-License-Identifier: Apache-2.0
"""Every operation on shares, with correlations of every source, against numpy at edge values."""

from __future__ import annotations

import numpy as np
import pytest

from mpc import kernels
from mpc.kernels import bits
from mpc.protocols import arith, boolean, compare, convert, functions, seeds, statistics
from mpc.protocols.functions.polynomials import at_scale
from mpc.protocols.triples.kinds import Against, Operand
from tests.protocols.computing import Party, compute
from tests.protocols.mesh_runs import SOURCES, by_dealer, by_file, by_vole
from tests.protocols.statistics_runs import (
    MEAN_ERROR,
    TERMS,
    brought,
    held,
    table,
)

UNIT = 2.0**-16
LARGEST = 2**62 - 1
drawn = np.random.default_rng(11)


def by(source, job, parties, tmp_path):
    """What ``job`` gives at each party with correlations of a source.

    Those of vector OLE and of a file are prepared: just as many as the job draws of others.
    """
    if source == "dealer":
        return by_dealer(job, parties)

    def draws(p):
        job(p.mesh, p.triples)
        return p.triples.drawn

    demand = compute(parties, draws)[0]
    rows = [kind for kind in demand if isinstance(kind, Against)]
    fixed = [
        (held.rows, held.columns, sum(kind.count for kind in rows if kind.number == held.number))
        for held in demand
        if isinstance(held, Operand)
    ]
    demand = [kind for kind in demand if not isinstance(kind, Operand | Against)]
    if source == "file":
        return by_file(job, parties, tmp_path, demand, fixed=fixed)

    def prepared(mesh, triples):
        triples.prepare(demand)
        return job(mesh, triples)

    return by_vole(prepared, parties)


X = np.array([0.0, UNIT, -UNIT, 1.0, -1.0, 1000.0, -1000.0, 0.5, 0.5 - UNIT, 0.5 + UNIT])
Y = np.array([0.0, -UNIT, UNIT, 3.0, 2.5, -999.5, 1000.0, 0.5, 0.5, 0.5])
X, Y = (np.append(each, np.rint(drawn.uniform(-10, 10, 6) / UNIT) * UNIT) for each in (X, Y))
SMALL = np.clip(X, -functions.RANGE, functions.RANGE)
POSITIVE = np.abs(X) + UNIT


def real(mesh, triples):
    """Real numbers, in fixed point."""
    p = Party(mesh, seeds.agree(mesh), triples)
    x, y = p.share(X, fraction_bits=16), p.share(Y, owner=1, fraction_bits=16)
    small, positive = p.share(SMALL, fraction_bits=16), p.share(POSITIVE, fraction_bits=16)
    less = compare.less_than(mesh, x, y, triples)
    return {
        "product": p.reveal(arith.truncate(mesh, arith.mul(mesh, x, y, triples), 16, triples)),
        "square": p.reveal(arith.square(mesh, x, triples)),
        "matmul": p.reveal(arith.matmul(mesh, x.reshape(4, 4), y.reshape(4, 4), triples)),
        "less": boolean.reveal(mesh, less),
        "at_most_half": boolean.reveal(mesh, ~compare.less_than(mesh, 0.5 - x, 0.0, triples)),
        "equal": boolean.reveal(mesh, compare.equal(mesh, x, y, triples)),
        "smaller": p.reveal(compare.select(mesh, less, x, y, triples)),
        "number": p.reveal(convert.to_number(mesh, less, triples)),
        "series": p.reveal(functions.sigmoid_series(mesh, small, triples)),
        "exp": p.reveal(functions.exp(mesh, small, triples)),
        "reciprocal": p.reveal(functions.reciprocal(mesh, positive, triples)),
    }


@pytest.mark.parametrize("parties", [2, 3, 5])
@pytest.mark.parametrize("source", SOURCES)
def test_real_numbers_with_correlations_of_every_source(source, parties, tmp_path):
    results = by(source, real, parties, tmp_path)
    assert len(results) == parties
    for found in results.values():
        assert np.abs(found["product"] - X * Y).max() <= UNIT
        assert found["square"].tolist() == (X * X).tolist()
        assert found["matmul"].tolist() == (X.reshape(4, 4) @ Y.reshape(4, 4)).tolist()
        assert found["less"].tolist() == found["number"].tolist() == (X < Y).astype(int).tolist()
        assert found["at_most_half"].tolist() == (X <= 0.5).astype(int).tolist()
        assert found["equal"].tolist() == (X == Y).astype(int).tolist()
        assert found["smaller"].tolist() == np.minimum(X, Y).tolist()
        assert np.abs(found["series"] - 1 / (1 + np.exp(-SMALL))).max() <= 1e-4
        exact = np.exp(SMALL)
        assert np.all(np.abs(found["exp"] - exact) <= UNIT + exact * 2.0**-22)
        bound = UNIT + 2.0**-20 / POSITIVE
        assert np.all(np.abs(found["reciprocal"] - 1 / POSITIVE) <= bound)


EDGES = np.array([0, 1, -1, LARGEST, -LARGEST, 2**32, -(2**32), 5])
A = np.append(EDGES, drawn.integers(-LARGEST, LARGEST, 4))
B = np.append(np.roll(EDGES, 3), A[-4:] + np.array([0, 1, -1, 0]))


def whole(mesh, triples):
    """Whole numbers, up to the largest that have room."""
    p = Party(mesh, seeds.agree(mesh), triples)
    a, b = p.share(A, fraction_bits=0), p.share(B, owner=1, fraction_bits=0)
    rows = a.reshape(3, 4)
    planes = [convert.to_planes(mesh, each, triples) for each in (a, b)]
    total = boolean.add(mesh, *planes, triples)
    return {
        "product": p.reveal(arith.mul(mesh, a, b, triples)),
        "square": p.reveal(arith.square(mesh, a, triples)),
        "truncated": p.reveal(at_scale(arith.truncate(mesh, at_scale(a, 16), 0, triples), 0)),
        "negative": boolean.reveal(mesh, compare.is_negative(mesh, a, triples)),
        "less": boolean.reveal(mesh, compare.less_than(mesh, a, b, triples)),
        "equal": boolean.reveal(mesh, compare.equal(mesh, a, b, triples)),
        "maximum": p.reveal(compare.maximum(mesh, rows, triples)),
        "argmax": p.reveal(compare.argmax(mesh, rows, triples)),
        "ranks": p.reveal(compare.ranks(mesh, rows, triples)),
        "sort": p.reveal(compare.sort(mesh, rows, triples)),
        "top": p.reveal(compare.top_k(mesh, rows, 2, triples)[0]),
        "planes": boolean.reveal(mesh, planes[0]),
        "total": boolean.reveal(mesh, total),
        "numbers": p.reveal(convert.from_planes(mesh, total, triples)),
    }


@pytest.mark.parametrize("parties", [2, 3, 5])
@pytest.mark.parametrize("source", SOURCES)
def test_whole_numbers_with_correlations_of_every_source(source, parties, tmp_path):
    results = by(source, whole, parties, tmp_path)
    rows = A.reshape(3, 4)
    expected = {
        "product": A * B,
        "square": A * A,
        "negative": A < 0,
        "less": A < B,
        "equal": A == B,
        "maximum": rows.max(axis=1),
        "argmax": rows.argmax(axis=1),
        "ranks": rows.argsort(axis=1, kind="stable").argsort(axis=1),
        "sort": np.sort(rows, axis=1),
        "top": -np.sort(-rows, axis=1)[:, :2],
        "planes": A.view(np.uint64) >> np.arange(64, dtype=np.uint64)[:, None] & np.uint64(1),
        "total": bits.unpack(bits.planes((A + B).view(np.uint64)), len(A)),
        "numbers": A + B,
    }
    assert len(results) == parties
    for found in results.values():
        assert set((found.pop("truncated") - (A >> 16)).tolist()) <= {0, 1}
        for name, wanted in expected.items():
            assert found[name].tolist() == wanted.astype(int).tolist(), name


LEFT = np.array([[2**63 - 1, -1, 0], [-(2**63), 3, 1], [5, -7, 2**32], [-1, -1, -1]])
RIGHT = np.array([[1, -1], [2**31, 2**62], [-(2**32), 12345]])


def matrices(mesh, triples):
    p = Party(mesh, seeds.agree(mesh), triples)
    x, y = p.share(LEFT, fraction_bits=0), p.share(RIGHT, owner=1, fraction_bits=0)
    held = arith.factor(mesh, y[:, 0], triples)
    products = [
        arith.matmul(mesh, x, y, triples),
        arith.matmul(mesh, x, held, triples),
        arith.matmul(mesh, x[:1], held, triples),
        # So many rows are made by vector OLE.
        arith.matmul(mesh, p.share(np.tile(LEFT, (70, 1)), fraction_bits=0), held, triples),
    ]
    return [p.reveal(product) for product in products]


CASES = [(source, parties, kernels.backend()) for source in SOURCES for parties in (2, 3, 5)]
# Base transfers take long without kernels; their rows are tested in ``test_triples``.
CASES += [("dealer", 3, "portable"), ("file", 3, "portable")]


@pytest.mark.parametrize(("source", "parties", "backend"), CASES)
def test_matrix_products_with_correlations_of_every_source(source, parties, backend, tmp_path):
    with kernels.use(backend):
        results = by(source, matrices, parties, tmp_path)
    product = LEFT @ RIGHT
    for found in results.values():
        assert found[0].tolist() == product.tolist()
        assert found[1].tolist() == product[:, :1].tolist()
        assert found[2].tolist() == product[:1, :1].tolist()
        assert found[3].tolist() == np.tile(product[:, :1], (70, 1)).tolist()


ROWS = table(40, 2)
KEPT = (np.arange(40) % 3 > 0).astype(np.uint8)
BINS = [-200, 0, 200]


def figures(mesh, triples):
    """Figures of aligned rows that are picked unseen, and of pooled ones: matrix products, a
    division, comparisons, bits in both forms."""
    p = Party(mesh, seeds.agree(mesh), triples)
    of = {"aligned": held(p, ROWS, TERMS, KEPT), "pooled": brought(p, ROWS, TERMS)}
    return {
        how: {
            "count": statistics.count(mesh, group, triples),
            "mean": statistics.mean(mesh, group, triples),
            "bins": statistics.histogram(mesh, group, BINS, triples),
        }
        for how, group in of.items()
    }


@pytest.mark.parametrize("parties", [2, 3])
@pytest.mark.parametrize("source", SOURCES)
def test_figures_with_correlations_of_every_source(source, parties, tmp_path):
    for found in by(source, figures, parties, tmp_path).values():
        for how, rows in {"aligned": ROWS[KEPT == 1], "pooled": ROWS}.items():
            told = found[how]
            assert told["count"] == len(rows)
            assert np.abs(told["mean"] - rows.mean(axis=0)).max() <= MEAN_ERROR
            assert told["bins"].counts.tolist() == np.histogram(rows[:, 0], BINS)[0].tolist()
