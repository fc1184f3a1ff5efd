# SPDX-License-Identifier: Apache-2.0
"""Joint scores on shares as tests play them: what each party does, and the plain result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mpc import testing
from mpc.net.mesh import Mesh
from mpc.protocols.scoring import logistic, shares
from mpc.protocols.triples import Triples
from tests.protocols.computing import Ideal
from tests.protocols.scoring_cases import Case

Job = Callable[[shares.Opened, Case], Any]
Source = Callable[[Mesh], Triples]


def ideal(mesh: Mesh) -> Triples:
    return Triples(Ideal(mesh.names.index(mesh.me), len(mesh.names)))


def run(
    case: Case,
    job: Job,
    *,
    source: Source = ideal,
    wrap: Callable[[Mesh], Mesh] = lambda mesh: mesh,
    seed: object = 0,
) -> dict[str, Any]:
    """What ``job`` gives at each party of the case, by name."""

    def role(mesh: Mesh) -> Any:
        return job(opened(wrap(mesh), case, source, seed), case)

    return testing.run_mesh(dict.fromkeys(case.roles.parties, role))


def opened(mesh: Mesh, case: Case, source: Source = ideal, seed: object = 0) -> shares.Opened:
    model = case.model if mesh.me == case.roles.model_owner else None
    rng = testing.seeded(f"{seed} {mesh.me}")
    return shares.open_model(mesh, case.roles, source(mesh), model=model, rng=rng)


def given(model: shares.Opened, case: Case) -> dict[str, Any]:
    return {"rows": case.rows, "features": case.features.get(model.mesh.me)}


def probability(model: shares.Opened, case: Case) -> Any:
    return shares.probability(model, **given(model, case))


def decision(model: shares.Opened, case: Case) -> Any:
    threshold = 0.3 if model.owns else None
    return shares.decision(model, threshold=threshold, **given(model, case))


LIMITS = [0.01, 0.3, 0.5, 0.98]


def band(model: shares.Opened, case: Case) -> Any:
    limits = LIMITS if model.owns else None
    return shares.band(model, limits=limits, count=5, **given(model, case))


def lowering(model: shares.Opened, case: Case) -> Any:
    return shares.reasons(model, count=min(3, case.roles.count), **given(model, case))


def raising(model: shares.Opened, case: Case) -> Any:
    return shares.reasons(model, count=1, raising=True, **given(model, case))


def plain_reasons(case: Case, count: int, sign: int = 1) -> Any:
    parts = sign * case.table * case.weights
    order = np.argsort(parts, axis=1, kind="stable")[:, :count]
    return np.where(np.take_along_axis(parts, order, axis=1) < 0, order, -1)


PLAIN: dict[Any, Callable[[Case], Any]] = {
    decision: lambda case: logistic(case.logits) >= 0.3,
    band: lambda case: np.searchsorted(LIMITS, logistic(case.logits), side="right"),
    lowering: lambda case: plain_reasons(case, min(3, case.roles.count)),
    raising: lambda case: plain_reasons(case, 1, -1),
}
