# SPDX-License-Identifier: Apache-2.0
"""Every operation on shares, with correlations of every source, against numpy at edge values."""

from __future__ import annotations

import numpy as np
import pytest

from mpc import kernels
from mpc.protocols import arith, boolean, compare, convert, seeds
from mpc.protocols.triples import Ands, Bits, Numbers, Products, Selections, Squares, Truncations
from tests.protocols.computing import Party
from tests.protocols.mesh_runs import SOURCES, by_dealer, by_file, by_vole

UNIT = 2.0**-16
X = np.array([0.0, UNIT, -UNIT, 1.0, -1.0, 1000.0, -1000.0, 0.5])
Y = np.array([0.0, -UNIT, UNIT, 3.0, 2.5, -999.5, 1000.0, 0.5])
# What the job below draws; the ANDs are of one comparison, one equality and planes, with room.
DEMAND = [
    Products(8),
    Squares(8),
    Truncations(16, 8),
    Numbers(64, 24),
    Ands(1200),
    Selections(64),
    Bits(128),
]


def job(mesh, triples):
    agreed = seeds.agree(mesh)
    p = Party(mesh, agreed, triples)
    x, y = p.share(X, fraction_bits=16), p.share(Y, owner=1, fraction_bits=16)
    less = compare.less_than(mesh, x, y, triples)
    product = arith.truncate(mesh, arith.mul(mesh, x, y, triples), 16, triples)
    return {
        "product": p.reveal(product),
        "square": p.reveal(arith.square(mesh, x, triples)),
        "less": boolean.reveal(mesh, less),
        "equal": boolean.reveal(mesh, compare.equal(mesh, x, y, triples)),
        "smaller": p.reveal(compare.select(mesh, less, x, y, triples)),
        "number": p.reveal(convert.to_number(mesh, less, triples)),
        "planes": boolean.reveal(mesh, convert.to_planes(mesh, x, triples)),
    }


@pytest.mark.parametrize("parties", [2, 3, 5])
@pytest.mark.parametrize("source", ["vole", "dealer", "file"])
def test_operations_with_correlations_of_every_source(source, parties, tmp_path):
    if source == "file":
        results = by_file(job, parties, tmp_path, DEMAND)
    else:
        results = {"vole": by_vole, "dealer": by_dealer}[source](job, parties)
    scaled = np.rint(X / UNIT).astype(np.int64).view(np.uint64)
    for found in (found for found in results.values() if found is not None):
        assert np.abs(found["product"] - X * Y).max() <= UNIT
        assert found["square"].tolist() == (X * X).tolist()
        assert found["less"].tolist() == found["number"].tolist() == (X < Y).astype(int).tolist()
        assert found["equal"].tolist() == (X == Y).astype(int).tolist()
        assert found["smaller"].tolist() == np.minimum(X, Y).tolist()
        plain = [[int(word) >> bit & 1 for word in scaled] for bit in range(64)]
        assert found["planes"].tolist() == plain


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
        if source == "file":
            fixed = [(3, 1, 285), (3, 2, 4)]
            results = by_file(matrices, parties, tmp_path, [], fixed=fixed)
        else:
            results = {"vole": by_vole, "dealer": by_dealer}[source](matrices, parties)
    whole = LEFT @ RIGHT
    for found in results.values():
        assert found[0].tolist() == whole.tolist()
        assert found[1].tolist() == whole[:, :1].tolist()
        assert found[2].tolist() == whole[:1, :1].tolist()
        assert found[3].tolist() == np.tile(whole[:, :1], (70, 1)).tolist()
