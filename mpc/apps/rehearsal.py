# SPDX-License-Identifier: Apache-2.0
"""Which correlations a joint job takes, found by playing it in memory over nothing but zeros.

What a computation on shares draws depends on its shape alone: on the parties, the number of rows,
and what is to come out. So it is played once in this process, by one thread for each party, with
features, weights and correlations that are all zero, and what was drawn is noted: the kinds and
counts that ``Triples.prepare_like`` makes ahead. Nothing secret takes part, and nothing is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from mpc.apps.score_results import Wanted
from mpc.net import memory
from mpc.net.mesh import Mesh
from mpc.primitives import cuckoo
from mpc.protocols import decision, scoring
from mpc.protocols.decision import Plan
from mpc.protocols.scoring import shares
from mpc.protocols.triples import Triples, kinds
from mpc.protocols.triples.kinds import Arrays, Kind

Part = Callable[[Mesh, Triples], Any]


def of_score(roles: scoring.Roles, wanted: Wanted, rows: int, bands: int) -> list[Kind]:
    """What a score of ``rows`` rows draws, at every party; of ``bands`` bands where it has them."""
    weights = {name: np.zeros(count) for name, count in roles.features.items()}

    def part(mesh: Mesh, triples: Triples) -> None:
        owns = mesh.me == roles.model_owner
        model = scoring.Model(weights, 0.0) if owns else None
        opened = shares.open_model(mesh, roles, triples, model=model)
        own = roles.features.get(mesh.me)
        given: dict[str, Any] = {"features": None if own is None else np.zeros((rows, own))}
        given["rows"] = rows
        match wanted.output:
            case "probability":
                shares.probability(opened, **given)
            case "band":
                limits = np.linspace(0, 1, bands + 1)[1:-1] if owns else None
                shares.band(opened, count=bands, limits=limits, **given)
            case "decision":
                shares.decision(opened, threshold=0.5 if owns else None, **given)
        if wanted.reasons:
            shares.reasons(opened, count=wanted.reasons, raising=wanted.raising, **given)

    return _drawn(roles.parties, part)


def of_decision(plan: Plan, names: tuple[str, ...], applicants: int) -> list[Kind]:
    """What a decision on so many applicants draws, at every party of ``names``, in their order."""
    return _drawn(
        names, lambda mesh, triples: decision.rehearse(mesh, plan, cuckoo.bins(applicants), triples)
    )


class _Zeros:
    """A maker of correlations of zeros, which fit together as others do, and hide nothing."""

    def make(self, kind: Kind) -> Arrays:
        kind = kinds.whole(kind)
        return {f.name: np.zeros(kinds.shape(kind, f), np.uint64) for f in kind.fields()}

    def close(self, *, failed: bool = False) -> None:
        """There is nobody to tell."""


def _drawn(names: tuple[str, ...], part: Part) -> list[Kind]:
    meshes: Mapping[str, Mesh] = memory.mesh(list(names), timeout=None)

    def play(mesh: Mesh) -> list[Kind]:
        triples = Triples(_Zeros())
        try:
            part(mesh, triples)
        except BaseException as error:
            mesh.abort(error)
            raise
        return triples.drawn

    with ThreadPoolExecutor(len(names)) as pool:
        first, *_ = pool.map(play, meshes.values())
    return first
