# SPDX-License-Identifier: Apache-2.0
"""The joint score on shares: what is wrong, and whose fault it is, is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from google.protobuf.message import Message

from mpc import testing
from mpc.errors import ConfigError, DataError, EncodingOverflow, PeerClosed, ProtocolError
from mpc.net.mesh import Mesh
from mpc.pb.v1 import scoring_pb2
from mpc.protocols.scoring import Model, shares
from tests.protocols.computing import recorded
from tests.protocols.scoring_cases import ROLES, Case
from tests.protocols.scoring_runs import (
    Job,
    decision,
    given,
    ideal,
    lowering,
    opened,
    probability,
    run,
)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 128.1, -128.1])
@pytest.mark.parametrize("job", [probability, lowering])
def test_a_bad_feature_is_named(bad: float, job: Job) -> None:
    case = Case(ROLES["one feature owner"], 5)
    case.features["tax"][3, 2] = bad
    with pytest.raises(DataError, match=r"1 feature values .* feature 2 of row 3"):
        run(case, job)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 127.0])
def test_weights_without_room_are_refused(bad: float) -> None:
    case = Case(ROLES["one feature owner"], 5)
    case.model.weights["tax"][:] = 1.0
    case.model.weights["tax"][1] = bad
    with pytest.raises(EncodingOverflow, match="smaller scales"):
        run(case, probability)


def test_what_a_role_lacks_is_said() -> None:
    case = Case(ROLES["one feature owner"], 5)

    def without(model: shares.Opened, case: Case) -> Any:
        return shares.probability(model, rows=case.rows)

    with pytest.raises(ConfigError, match="not none"):
        run(case, without)
    case.features["tax"] = np.zeros((5, 3))
    with pytest.raises(ConfigError, match=r"shape \(5, 4\), not an array of shape \(5, 3\)"):
        run(case, probability)
    case.model = Model({"tax": np.zeros(3)}, 0.0)
    with pytest.raises(ConfigError, match="weights for"):
        run(case, probability)

    def lacking(mesh: Mesh) -> None:
        shares.open_model(mesh, case.roles, ideal(mesh))

    with pytest.raises(ConfigError, match="must give the model"):
        testing.run_mesh(dict.fromkeys(case.roles.parties, lacking))


def test_only_the_model_owner_gives_model_and_limits() -> None:
    case = Case(ROLES["one feature owner"], 5)

    def both(mesh: Mesh) -> None:
        shares.open_model(mesh, case.roles, ideal(mesh), model=case.model)

    with pytest.raises(ConfigError, match="the model owner is bank"):
        testing.run_mesh(dict.fromkeys(case.roles.parties, both))

    def greedy(model: shares.Opened, case: Case) -> Any:
        return shares.decision(model, threshold=0.5, **given(model, case))

    with pytest.raises(ConfigError, match="just the model owner, bank"):
        run(case, greedy)


@pytest.mark.parametrize("limits", [[0.0, 0.5], [0.5, 1.0], [0.5, 0.5], [np.nan, 0.5], [0.5]])
def test_bad_limits_are_refused(limits: list[float]) -> None:
    def banded(model: shares.Opened, case: Case) -> Any:
        mine = limits if model.owns else None
        return shares.band(model, count=3, limits=mine, **given(model, case))

    with pytest.raises(ConfigError, match="limits"):
        run(Case(ROLES["one feature owner"], 5), banded)


def test_reasons_are_of_the_features() -> None:
    def many(model: shares.Opened, case: Case) -> Any:
        return shares.reasons(model, count=5, **given(model, case))

    with pytest.raises(ConfigError, match="5 reasons of 4 features"):
        run(Case(ROLES["one feature owner"], 5), many)


def test_a_mesh_in_another_order_is_refused() -> None:
    case = Case(ROLES["one feature owner"], 5)

    def role(mesh: Mesh) -> None:
        opened(mesh, case)

    with pytest.raises(ConfigError, match="where the score is among"):
        testing.run_mesh({"tax": role, "bank": role})


@pytest.mark.parametrize(("name", "who"), [("one feature owner", "tax"), ("all apart", "utility")])
def test_parties_that_count_other_rows_are_told(name: str, who: str) -> None:
    case = Case(ROLES[name], 5)

    def fewer(model: shares.Opened, case: Case) -> Any:
        if model.mesh.me != who:
            return probability(model, case)
        return shares.probability(model, rows=4, features=case.features[who][:4])

    with pytest.raises(ProtocolError, match=f"{who}: scores 4 rows where we have 5"):
        run(case, fewer)


def test_a_receiver_that_counts_other_rows_is_told() -> None:
    case = Case(ROLES["all apart"], 5)

    def more(model: shares.Opened, case: Case) -> Any:
        return (
            shares.probability(model, rows=6)
            if model.mesh.me == "receiver"
            else (probability(model, case))
        )

    with pytest.raises(ProtocolError, match="expected 6 elements, got 5"):
        run(case, more)


CUTS: dict[str, Callable[[Any], None]] = {
    "width": lambda column: setattr(column, "width", column.width - 1),
    "count": lambda column: setattr(column, "count", column.count + 1),
    "data": lambda column: setattr(column, "data", column.data[:-8]),
}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("kind", ["MaskedWeights", "MaskedFeatures", "HighParts"])
def test_a_malformed_message_is_refused_by_name(kind: str, cut: str) -> None:
    case = Case(ROLES["one feature owner"], 5)
    liar = "bank" if kind == "MaskedWeights" else "tax"

    def change(message: Message) -> None:
        if type(message).__name__ == kind:
            CUTS[cut](message.words)  # type: ignore[attr-defined]

    def wrap(mesh: Mesh) -> Mesh:
        return recorded(mesh, change) if mesh.me == liar else mesh

    with pytest.raises(ProtocolError, match=f"^{liar}: "):
        run(case, probability, wrap=wrap)


def test_a_wrong_message_names_both_types() -> None:
    case = Case(ROLES["one feature owner"], 5)

    def confused(model: shares.Opened, case: Case) -> Any:
        if model.owns:
            return probability(model, case)
        return model.mesh.channel("bank").send(scoring_pb2.SeedShare(seed=b"x"))

    with pytest.raises(ProtocolError, match=r"expected mpc\.v1\.MaskedFeatures.*SeedShare"):
        run(case, confused)


def test_a_dead_peer_is_noticed() -> None:
    case = Case(ROLES["all apart"], 5)

    def dies(model: shares.Opened, case: Case) -> Any:
        if model.mesh.me == "utility":
            model.mesh.close()
            return None
        return decision(model, case)

    with pytest.raises(PeerClosed, match="utility"):
        run(case, dies)
