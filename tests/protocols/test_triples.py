# SPDX-License-Identifier: Apache-2.0
"""Every kind of correlation holds, from every source and for any number of parties; once."""

from __future__ import annotations

from dataclasses import replace

import mesh_runs
import numpy as np
import pytest
from mesh_runs import SOURCES, by_dealer, by_file, by_vole, holds, whole, whole_rows

from mpc import kernels
from mpc.protocols import triples as pool
from mpc.protocols.triples import (
    Ands,
    Bits,
    Numbers,
    Products,
    Selections,
    Sines,
    Squares,
    Truncations,
    kinds,
    sines,
)
from mpc.testing import run_mesh

BACKENDS = ["portable"] + (["simd"] if kernels.backend() == "simd" else [])
# Odd counts, and those that end inside a word of packed bits.
KINDS = [
    Products(5),
    Squares(3),
    Ands(3),
    Bits(70),
    Selections(65),
    Numbers(64, 3),
    Numbers(5, 70),
    Truncations(16, 3),
    Truncations(0, 2),
    Truncations(62, 1),
    Sines(20, 3, 18, 5),
]
# One of each, since the portable kernels take milliseconds for a group operation.
SMALLEST = [
    Products(1),
    Squares(1),
    Ands(1),
    Bits(1),
    Selections(1),
    Truncations(16, 1),
    Sines(9, 1, 4, 1),
]
several = pytest.mark.parametrize("parties", [2, 3, 5])


def drawn(mesh, triples):
    return [triples.draw(kind).take() for kind in KINDS]


def smallest(mesh, triples):
    return [triples.draw(kind).take() for kind in SMALLEST]


def run(source, role, parties, folder, demand=KINDS):
    if source == "file":
        return by_file(role, parties, folder, demand)
    return {"vole": by_vole, "dealer": by_dealer}[source](role, parties)


@several
@pytest.mark.parametrize("source", SOURCES)
def test_every_kind_is_what_it_is_defined_as(source, parties, tmp_path):
    results = run(source, drawn, parties, tmp_path)
    units = sines.ERROR_UNITS * parties + 0.5 if source == "vole" else 0
    for kind, *shares in zip(KINDS, *results.values(), strict=True):
        assert holds(kind, whole(kind, shares), units=units if isinstance(kind, Sines) else 0), kind


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("source", SOURCES)
def test_on_both_kernels(source, backend, tmp_path):
    with kernels.use(backend):
        results = run(source, smallest, 2, tmp_path, SMALLEST)
    units = sines.ERROR_UNITS * 2 + 0.5
    for kind, *shares in zip(SMALLEST, *results.values(), strict=True):
        assert holds(kind, whole(kind, shares), units=units if isinstance(kind, Sines) else 0), kind


def test_rows_by_vector_ole_on_the_portable_kernels():
    def role(mesh, triples):
        mask = triples.fixed(1, 1)
        return mask, triples.against(mask, 256).take()

    with kernels.use("portable"):
        (mask, left), (other, right) = by_vole(role, 2).values()
    operands = {0: mask.mask + other.mask}
    kind = kinds.Against(0, 1, 1, 256)
    values = whole_rows(kind, [mask.mask, other.mask], [left, right])
    assert holds(kind, values, operands)


@pytest.mark.parametrize("source", SOURCES)
def test_batches_are_cut_where_they_are_drawn(source, tmp_path):
    """From one prepared lot, in pieces of odd sizes, and more than was prepared."""
    counts = [1, 3, 2, 5, 1]
    cut = [
        replace(kind, count=count * kind.UNIT - kind.UNIT // 3)
        for kind in KINDS
        for count in counts
    ]

    def role(mesh, triples):
        if source != "file":
            triples.prepare([replace(kind, count=7 * kind.UNIT) for kind in KINDS])
        return [triples.draw(kind).take() for kind in cut]

    demand = [replace(kind, count=12 * kind.UNIT) for kind in KINDS]
    results = run(source, role, 2, tmp_path, demand)
    seen = set()
    for kind, *shares in zip(cut, *results.values(), strict=True):
        assert holds(kind, whole(kind, shares), units=3 if isinstance(kind, Sines) else 0), kind
        for share in shares:
            first = share[kind.fields()[0].name]
            seen |= {int(word) for word in first.reshape(-1)}
    # No word of a first array was given out twice.
    words = [-(-kind.count * kind.fields()[0].per // kind.UNIT) for kind in cut]
    assert len(seen) == 2 * sum(words)


@several
@pytest.mark.parametrize("source", ["vole", "dealer"])
def test_rows_against_a_fixed_operand(source, parties, tmp_path):
    counts = [1, 0, 7, 300]

    def role(mesh, triples):
        first, second = triples.fixed(4, 1), triples.fixed(3, 2)
        triples.prepare_against(first, 5)
        rows = [
            [triples.against(mask, count).take() for count in counts] for mask in (first, second)
        ]
        return first, second, rows

    results = list(run(source, role, parties, tmp_path).values())
    for which in range(2):
        kind = results[0][which].kind
        masks = [np.array(result[which].mask) for result in results]
        for index, count in enumerate(counts):
            against = kinds.Against(kind.number, kind.rows, kind.columns, count)
            shares = [result[2][which][index] for result in results]
            values = whole_rows(against, masks, shares)
            assert holds(against, values, {kind.number: sum(masks)})


def test_fixed_operands_from_a_file(tmp_path):
    def save(mesh, triples):
        triples.prepare_fixed(2, 2, 1)
        triples.prepare_fixed(3, 1, 9)
        pool.file.save(mesh, tmp_path / mesh.me, triples, mesh_runs.KEY)

    by_dealer(save, 2)

    def use(mesh):
        triples = pool.file.source(mesh, tmp_path / mesh.me, mesh_runs.KEY)
        mask = triples.fixed(3, 1)
        rows = triples.against(mask, 5).take()
        triples.close()
        return mask, rows

    left, right = run_mesh(dict.fromkeys(mesh_runs.names(2), use)).values()
    kind = kinds.Against(left[0].kind.number, 3, 1, 5)
    masks = [left[0].mask, right[0].mask]
    values = whole_rows(kind, masks, [left[1], right[1]])
    assert holds(kind, values, {kind.number: sum(masks)})
