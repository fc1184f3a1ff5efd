# SPDX-License-Identifier: Apache-2.0
"""Every operation on shares, with correlations of every source, against numpy at edge values."""

from __future__ import annotations

import numpy as np
import pytest

from mpc.protocols import arith, boolean, compare, convert, seeds
from mpc.protocols.triples import Ands, Bits, Numbers, Products, Selections, Squares, Truncations
from tests.protocols.computing import Party
from tests.protocols.mesh_runs import by_dealer, by_file, by_vole

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
