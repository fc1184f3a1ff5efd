# SPDX-License-Identifier: Apache-2.0
"""Products of two parties: a matrix that the first one knows, rows that another one knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mpc import testing
from mpc.errors import ProtocolError
from mpc.net.mesh import Mesh
from mpc.pb.v1 import triples_pb2 as pb
from mpc.protocols.triples import Fixed, Triples, dealer, file, vole

KEY = bytes(range(32))
Words = NDArray[np.uint64]
Drawn = tuple[Fixed, list[dict[str, Words]]]


def draw(mesh: Mesh, triples: Triples, holder: int, counts: list[int]) -> Drawn:
    mask = triples.fixed(3, 2, holder=holder)
    return mask, [triples.against(mask, count).take() for count in counts]


def by_vole(parties: int, holder: int, counts: list[int], _: Path) -> list[Drawn]:
    def role(mesh: Mesh) -> Drawn:
        return draw(mesh, vole.source(mesh, rng=testing.seeded(mesh.me)), holder, counts)

    return list(testing.run_mesh({f"p{i}": role for i in range(parties)}).values())


def by_dealer(parties: int, holder: int, counts: list[int], _: Path) -> list[Drawn]:
    return dealt(parties, lambda mesh, triples: draw(mesh, triples, holder, counts))


def dealt(parties: int, job: Any) -> list[Any]:
    names = [f"p{i}" for i in range(parties)]

    def role(mesh: Mesh) -> Any:
        inner = Mesh(mesh.me, names, {n: mesh.channel(n) for n in names if n != mesh.me})
        triples = dealer.source(inner, mesh.channel("dealer"))
        result = job(inner, triples)
        triples.close()
        return result

    roles: dict[str, Any] = dict.fromkeys(names, role)
    roles["dealer"] = lambda mesh: dealer.serve(mesh, rng=testing.seeded("dealer"))
    return list(testing.run_mesh(roles).values())[:-1]


def by_file(parties: int, holder: int, counts: list[int], folder: Path) -> list[Drawn]:
    def save(mesh: Mesh, triples: Triples) -> None:
        triples.prepare_fixed(3, 2, sum(counts), holder=holder)
        file.save(mesh, folder / mesh.me, triples, KEY, segment=4)

    def role(mesh: Mesh) -> Drawn:
        triples = file.source(mesh, folder / mesh.me, KEY)
        try:
            return draw(mesh, triples, holder, counts)
        finally:
            triples.close()

    dealt(parties, save)
    return list(testing.run_mesh({f"p{i}": role for i in range(parties)}).values())


@pytest.mark.parametrize("source", [by_vole, by_dealer, by_file])
@pytest.mark.parametrize(("parties", "holder"), [(2, 1), (3, 2), (5, 3)])
def test_two_parties_share_what_their_secrets_make(
    source: Any, parties: int, holder: int, tmp_path: Path
) -> None:
    drawn = source(parties, holder, [2, 0, 7], tmp_path)
    matrix = drawn[0][0].mask
    assert len(np.unique(matrix)) == matrix.size
    for party, (mask, rows) in enumerate(drawn):
        if party:
            assert not mask.mask.any()
        if party not in (0, holder):
            assert not any(row["a"].any() or row["c"].any() for row in rows)
    for ours, theirs in zip(drawn[0][1], drawn[holder][1], strict=True):
        assert not ours["a"].any()
        assert np.array_equal(ours["c"] + theirs["c"], theirs["a"] @ matrix)
    words = np.concatenate([rows["a"].reshape(-1) for rows in drawn[holder][1]])
    assert len(np.unique(words)) == words.size == 27


def test_many_rows_come_by_vector_ole(tmp_path: Path) -> None:
    (mask, ours), (_, theirs) = by_vole(2, 1, [1000], tmp_path)
    assert np.array_equal(ours[0]["c"] + theirs[0]["c"], theirs[0]["a"] @ mask.mask)


def test_the_dealer_refuses_products_with_a_party_that_is_not() -> None:
    def role(mesh: Mesh) -> None:
        inner = Mesh(mesh.me, names, {n: mesh.channel(n) for n in names if n != mesh.me})
        dealer.source(inner, mesh.channel("dealer"))
        request = pb.CorrelationRequest(kind="operand", parameters=[0, 1, 1, 2], count=1)
        mesh.channel("dealer").send(request)

    names = ["p0", "p1"]
    with pytest.raises(ProtocolError, match="products with party 2 of 2"):
        testing.run_mesh({"p0": role, "p1": role, "dealer": dealer.serve})
