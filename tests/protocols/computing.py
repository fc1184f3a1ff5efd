# SPDX-License-Identifier: Apache-2.0
"""Jobs on shares, run by n parties on threads, with correlations made in the clear."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mpc import testing
from mpc.net.mesh import Mesh
from mpc.primitives.rng import uint64
from mpc.primitives.sharing import Share
from mpc.protocols import arith, seeds
from mpc.protocols.triples import Triples, kinds
from mpc.protocols.triples.kinds import Arrays, Kind, Operand


class Ideal:
    """What a party would get from a dealer that all trust: every party draws the same stream."""

    def __init__(self, party: int, parties: int, seed: int | str = 0) -> None:
        self._rng = testing.seeded(f"ideal {seed}")
        self._party = party
        self._parties = parties
        self._operands: dict[int, Any] = {}

    def make(self, kind: Kind) -> Arrays:
        kind = kinds.whole(kind)
        fields = kind.fields()
        free = {f.name: uint64(self._rng, kinds.shape(kind, f)) for f in fields if f.free}
        if isinstance(kind, Operand):
            self._operands[kind.number] = free["b"][0]
        whole = free | kind.complete(free, self._operands)
        return {f.name: self._share(whole[f.name], f.xor) for f in fields}

    def close(self) -> None:
        """There is nobody to tell."""

    def _share(self, value: Any, xor: bool) -> Any:
        random = [uint64(self._rng, value.shape) for _ in range(self._parties - 1)]
        rest = value
        for words in random:
            rest = rest ^ words if xor else rest - words
        return [rest, *random][self._party]


@dataclass(frozen=True)
class Party:
    """What a job has to work with."""

    mesh: Mesh
    seeds: seeds.Seeds
    triples: Triples

    def share(self, values: Any, *, owner: int = 0, fraction_bits: int = 20) -> Share:
        """Shares of ``values``, which the owner knows; the others take their shape alone."""
        name, shape = self.mesh.names[owner], np.shape(values)
        mine = values if self.mesh.me == name else None
        return self.seeds.share(mine, owner=name, shape=shape, fraction_bits=fraction_bits)

    def reveal(self, x: Share) -> Any:
        return arith.reveal(self.mesh, x)


def compute(
    parties: int,
    job: Callable[[Party], Any],
    *,
    seed: int | str = 0,
    wrap: Callable[[Mesh], Mesh] = lambda mesh: mesh,
) -> list[Any]:
    """What ``job`` gives at each of the parties p0, p1, ..."""

    def role(number: int) -> Callable[[Mesh], Any]:
        def play(mesh: Mesh) -> Any:
            mesh = wrap(mesh)
            agreed = seeds.agree(mesh, rng=testing.seeded(f"{seed} {number}"))
            return job(Party(mesh, agreed, Triples(Ideal(number, parties, seed))))

        return play

    return list(testing.run_mesh({f"p{i}": role(i) for i in range(parties)}).values())
