# SPDX-License-Identifier: Apache-2.0
"""The joint score on shares: every result against the plain one, from every source of triples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpc import kernels, testing
from mpc.net.mesh import Mesh
from mpc.protocols.scoring import Model, Roles, logistic, shares
from mpc.protocols.scoring.shares import linear
from mpc.protocols.triples import Triples, dealer, file, vole
from tests.protocols.scoring_cases import ROLES, Case
from tests.protocols.scoring_runs import (
    PLAIN,
    Job,
    decision,
    given,
    ideal,
    lowering,
    opened,
    probability,
    raising,
    run,
)

BACKENDS = ["portable"] + (["simd"] if kernels.backend() == "simd" else [])
KEY = bytes(range(32))


@pytest.mark.parametrize("name", ROLES)
@pytest.mark.parametrize("rows", [0, 1, 47])
@pytest.mark.parametrize("backend", BACKENDS)
def test_only_the_receiver_gets_the_plain_probabilities(name: str, rows: int, backend: str) -> None:
    case = Case(ROLES[name], rows)
    with kernels.use(backend):
        results = run(case, probability)
    received = results.pop(case.roles.receiver)
    assert received.shape == (rows,)
    bound = shares.error_bound(case.roles, case.model, case.table) / 4
    assert (np.abs(received - logistic(case.logits)) <= bound).all()
    assert bound.max(initial=0) < 1e-6
    assert all(result is None for result in results.values())


@pytest.mark.parametrize("job", PLAIN)
@pytest.mark.parametrize("name", ROLES)
def test_only_the_receiver_gets_the_plain_results(name: str, job: Job) -> None:
    case = Case(ROLES[name], 33)
    results = run(case, job)
    received = results.pop(case.roles.receiver)
    assert received.tolist() == PLAIN[job](case).tolist()
    assert all(result is None for result in results.values())


@pytest.mark.parametrize("job", PLAIN)
def test_no_rows_have_no_results(job: Job) -> None:
    case = Case(ROLES["one feature owner"], 0)
    assert len(run(case, job)["bank"]) == 0


@pytest.mark.parametrize("job", [lowering, raising])
def test_one_feature_has_or_has_no_reason(job: Job) -> None:
    case = Case(Roles("bank", "bank", {"tax": 1}), 9)
    received = run(case, job)["bank"]
    assert received.tolist() == PLAIN[job](case).tolist()
    assert {-1, 0} == set(received.reshape(-1).tolist())


def test_one_band_takes_no_comparison() -> None:
    def one(model: shares.Opened, case: Case) -> Any:
        limits = [] if model.owns else None
        return shares.band(model, count=1, limits=limits, **given(model, case))

    assert run(Case(ROLES["one feature owner"], 3), one)["bank"].tolist() == [0, 0, 0]


def test_an_open_model_scores_again_and_again() -> None:
    case, later = Case(ROLES["all apart"], 5), Case(ROLES["all apart"], 8, seed=1)
    later.model = case.model

    def twice(model: shares.Opened, _: Case) -> Any:
        shares.prepare(model, 6)
        return probability(model, case), decision(model, later), probability(model, later)

    first, yes, last = run(case, twice)["receiver"]
    assert np.allclose(first, logistic(case.logits), atol=1e-6)
    assert np.allclose(last, logistic(later.logits), atol=1e-6)
    assert yes.tolist() == PLAIN[decision](later).tolist()


def by_vole(mesh: Mesh) -> Triples:
    return vole.source(mesh, rng=testing.seeded(mesh.me))


@pytest.mark.parametrize(
    ("name", "job"),
    [
        ("one feature owner", decision),
        ("one feature owner", raising),
        ("everyone owns features", decision),
    ],
)
def test_without_a_dealer(name: str, job: Job) -> None:
    case = Case(ROLES[name], 1)
    received = run(case, job, source=by_vole)[case.roles.receiver]
    assert received.tolist() == PLAIN[job](case).tolist()


def test_a_probability_without_a_dealer_among_four() -> None:
    case = Case(ROLES["all apart"], 3)
    received = run(case, probability, source=by_vole)["receiver"]
    assert np.allclose(received, logistic(case.logits), atol=1e-6)


def dealt(case: Case, job: Callable[[Mesh, Triples], Any]) -> dict[str, Any]:
    """What ``job`` gives at each party, with triples of a dealer."""

    def role(mesh: Mesh) -> Any:
        inner = case.roles.over(mesh)
        triples = dealer.source(inner, mesh.channel("dealer"))
        try:
            return job(inner, triples)
        finally:
            triples.close()

    roles: dict[str, Any] = dict.fromkeys(case.roles.parties, role)
    return testing.run_mesh(roles | {"dealer": lambda mesh: dealer.serve(mesh)})


@pytest.mark.parametrize("name", ["one feature owner", "all apart", "everyone owns features"])
@pytest.mark.parametrize("job", [decision, lowering])
def test_with_a_dealer(name: str, job: Job) -> None:
    case = Case(ROLES[name], 11)
    results = dealt(case, lambda mesh, triples: job(opened(mesh, case, lambda _: triples), case))
    assert results[case.roles.receiver].tolist() == PLAIN[job](case).tolist()


def test_out_of_a_file(tmp_path: Path) -> None:
    case = Case(ROLES["all apart"], 11)

    def save(mesh: Mesh, triples: Triples) -> None:
        shares.prepare_model(mesh, case.roles, triples, case.rows)
        file.save(mesh, tmp_path / mesh.me, triples, KEY)

    dealt(case, save)
    stored: list[Triples] = []

    def source(mesh: Mesh) -> Triples:
        stored.append(file.source(mesh, tmp_path / mesh.me, KEY))
        return stored[-1]

    received = run(case, probability, source=source)["receiver"]
    for triples in stored:
        triples.close()
    assert np.allclose(received, logistic(case.logits), atol=1e-6)


def side_by_side(weights: Any, rows: Any, intercept: float) -> Case:
    """Many models (k, 17) as one, of which each of ``rows`` has the features of one, else zeros."""
    k = len(weights)
    case = Case(Roles("bank", "bank", {"bank": 6 * k, "tax": 11 * k}), k)
    apart = np.eye(k)[:, :, None] * rows
    for name, own in {"bank": slice(6), "tax": slice(6, None)}.items():
        case.features[name] = apart[:, :, own].reshape(k, -1)
        case.model.weights[name][:] = weights[:, own].reshape(-1)
    case.model = Model(case.model.weights, intercept)
    return case


@pytest.mark.parametrize(("count", "together"), [(200, 1), (10_000, 32)])
def test_random_models(count: int, together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row each: the error of the probability is at most 1e-6, and within the stated bound.

    Those side by side share an intercept, and a feature that is one makes up for what it is off.
    """
    # The limit is for rows of features that are all as large as they may be, which these are not.
    monkeypatch.setattr(linear, "LOGIT_LIMIT", shares.LOGIT_LIMIT * together)
    draw = np.random.default_rng(7)
    weights = draw.normal(0, 1, (count, 16)) * draw.uniform(0, 4, (count, 1))
    rows = draw.normal(0, 1.5, (count, 16))
    intercepts = draw.normal(0, 2, count)
    wanted = logistic((weights * rows).sum(axis=1) + intercepts)
    first = intercepts[np.arange(count) // together * together]
    weights = np.column_stack([intercepts - first, weights])
    rows = np.column_stack([np.ones(count), rows])
    cases = [
        side_by_side(weights[i : i + together], rows[i : i + together], float(first[i]))
        for i in range(0, count, together)
    ]

    def role(mesh: Mesh) -> Any:
        triples = ideal(mesh)
        models = (opened(mesh, case, lambda _: triples) for case in cases)
        return [probability(model, case) for model, case in zip(models, cases, strict=True)]

    received = testing.run_mesh(dict.fromkeys(("bank", "tax"), role))["bank"]
    errors = np.abs(np.concatenate(received) - wanted)
    alone = Roles("bank", "bank", {"bank": 6, "tax": 11})
    for error, w, x, intercept in zip(errors, weights, rows, first, strict=True):
        model = Model({"bank": w[:6], "tax": w[6:]}, float(intercept))
        assert error <= shares.error_bound(alone, model, x[None])[0] / 4
    assert errors.shape == (count,)
    assert 0 < errors.max() <= 1e-6


def test_extreme_values_fit() -> None:
    """Weights and features at their limits, all of one sign and of the other."""
    case = Case(Roles("bank", "bank", {"tax": 3, "utility": 2}), 6)
    for owner in case.features:
        signs = np.where(np.arange(6) % 2, 1.0, -1.0)[:, None]
        case.features[owner] = 128.0 * signs * np.ones_like(case.features[owner])
        case.model.weights[owner][:] = 128 / 5 - 1e-2
    model = Model(case.model.weights, 5.0)
    case.model = model
    assert run(case, decision)["bank"].tolist() == [False, True] * 3
    assert run(case, probability)["bank"].tolist() == [0.0, 1.0] * 3
    case.model = Model({k: w * 1e-3 for k, w in model.weights.items()}, 0.0)
    bound = shares.error_bound(case.roles, case.model, case.table) / 4
    assert (np.abs(run(case, probability)["bank"] - logistic(case.logits)) <= bound).all()


def test_at_the_threshold_and_a_unit_beside_it() -> None:
    case = Case(Roles("bank", "bank", {"tax": 1}), 3)
    case.model = Model({"tax": np.array([1.0])}, 0.0)
    unit = 2.0**-shares.FRACTION_BITS
    case.features["tax"] = np.array([[-unit], [0.0], [unit]])

    def half(model: shares.Opened, case: Case) -> Any:
        return shares.decision(model, threshold=0.5 if model.owns else None, **given(model, case))

    assert run(case, half)["bank"].tolist() == [False, True, True]
