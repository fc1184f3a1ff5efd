# SPDX-License-Identifier: Apache-2.0
"""Parties over memory links, each with triples of a source, and what their shares add up to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mpc.net.mesh import Mesh
from mpc.protocols.triples import Triples, dealer, file, kinds, vole
from mpc.protocols.triples.kinds import Arrays, Kind
from mpc.testing import run_mesh, seeded

KEY = bytes(range(32))
SOURCES = ["vole", "dealer", "file"]
Role = Callable[[Mesh, Triples], Any]


def names(parties: int) -> list[str]:
    return [f"p{i}" for i in range(parties)]


def by_vole(role: Role, parties: int, *, seed: object = 0, **options: Any) -> dict[str, Any]:
    """What ``role`` returns at each party, with triples that the parties make."""

    def play(mesh: Mesh) -> Any:
        return role(mesh, vole.source(mesh, rng=seeded(f"{seed} {mesh.me}")))

    return run_mesh(dict.fromkeys(names(parties), play), **options)


def by_dealer(role: Role, parties: int, *, seed: object = 0, **options: Any) -> dict[str, Any]:
    """The same with triples from one more party."""

    def play(mesh: Mesh) -> Any:
        inner = computing(mesh)
        triples = dealer.source(inner, mesh.channel("dealer"))
        try:
            return role(inner, triples)
        finally:
            triples.close()

    roles: dict[str, Any] = dict.fromkeys(names(parties), play)
    roles["dealer"] = lambda mesh: dealer.serve(mesh, rng=seeded(f"{seed} dealer"))
    results = run_mesh(roles, **options)
    del results["dealer"]
    return results


def by_file(
    role: Role,
    parties: int,
    folder: Path,
    demand: list[Kind],
    *,
    fixed: Sequence[tuple[int, int, int]] = (),
    seed: object = 0,
    **options: Any,
) -> dict[str, Any]:
    """The same with triples that were prepared, as ``demand`` says, by a dealer, and saved; and
    with masks of ``fixed`` rows and columns, and so many rows against each."""

    def save(mesh: Mesh, triples: Triples) -> None:
        triples.prepare(demand)
        for rows, columns, count in fixed:
            triples.prepare_fixed(rows, columns, count)
        file.save(mesh, folder / mesh.me, triples, KEY, rng=seeded(f"{seed} {mesh.me}"))

    by_dealer(save, parties, seed=seed)

    def play(mesh: Mesh) -> Any:
        triples = file.source(mesh, folder / mesh.me, KEY)
        try:
            return role(mesh, triples)
        finally:
            triples.close()

    return run_mesh(dict.fromkeys(names(parties), play), **options)


def computing(mesh: Mesh) -> Mesh:
    """The parties of ``mesh`` but the dealer."""
    channels = {name: mesh.channel(name) for name in mesh.peers if name != "dealer"}
    return Mesh(mesh.me, [name for name in mesh.names if name != "dealer"], channels)


def whole(kind: Kind, shares: list[Arrays]) -> Arrays:
    """What the shares of all parties add up to."""
    values = {}
    for field in kind.fields():
        stacked = np.stack([share[field.name] for share in shares])
        add = np.bitwise_xor if field.xor else np.add
        values[field.name] = add.reduce(stacked, axis=0)
        assert values[field.name].dtype == np.uint64
    return values


def whole_rows(kind: kinds.Against, masks: list[Any], shares: list[Arrays]) -> Arrays:
    """The same for rows against an operand of which the parties have shares ``masks``: with the
    products of its own factors that each party has left out."""
    own = [share["a"] @ mask for share, mask in zip(shares, masks, strict=True)]
    left_out: Any = sum(own, np.zeros_like(shares[0]["c"]))
    values = whole(kind, shares)
    return values | {"c": values["c"] + left_out}


def holds(
    kind: Kind, values: Arrays, operands: Mapping[int, Any] | None = None, *, units: float = 0
) -> bool:
    """Whether ``values`` are of ``kind``, sines within ``units``: by what defines it."""
    padded = kinds.whole(kind)
    free = {}
    for field in kind.fields():
        rows = -(-kind.count * field.per // kind.UNIT)
        assert values[field.name].shape == (rows, *field.tail)
        if field.free:
            free[field.name] = np.zeros(kinds.shape(padded, field), np.uint64)
            free[field.name][:rows] = values[field.name]
    expected = replace(padded).complete(free, operands or {})
    for name, array in expected.items():
        difference = (values[name] - array[: len(values[name])]).view(np.int64)
        if np.abs(difference).max(initial=0) > units:
            return False
    return True
