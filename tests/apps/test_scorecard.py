# SPDX-License-Identifier: Apache-2.0
"""The joint score over tables, with the roles in several hands, against the score in the open."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mpc.apps import score_results, scorecard, tables
from mpc.apps.score_results import Scores, Wanted
from mpc.apps.scorecard import Holding, Plan
from mpc.apps.scorecard_file import Band, Feature, Scorecard, band
from mpc.errors import ConfigError, DataError, ProtocolError
from mpc.net import columns
from mpc.net.mesh import Mesh
from mpc.pb.v1 import scorecard_pb2 as pb
from mpc.protocols import scoring
from mpc.testing import run_mesh

CARD = Scorecard(
    features=(
        Feature("cash", "bank", 100.0, 50.0, 0.7),
        Feature("arrears", "tax", 2.0, 1.5, -0.4),
        Feature("growth", "tax", 0.1, 0.2, 1.1),
        Feature("kwh", "utility", 4e6, 1e6, 0.3),
    ),
    intercept=-0.2,
    bands=(Band("low", 0.0), Band("middle", 0.4), Band("high", 0.6)),
)
# Which of twelve companies each party knows, in the order of its own table.
KNOWN = {
    "bank": (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    "tax": (9, 8, 7, 11, 5, 4, 3, 2, 1),
    "utility": (2, 4, 6, 8, 10, 1, 3, 5, 7),
    "receiver": (5, 4, 3, 2, 1, 0, 11),
}
VALUES = np.random.default_rng(4).normal(0, 1, (12, 4))


def value(feature: Feature, company: int) -> float:
    z = VALUES[company, CARD.features.index(feature)]
    return feature.mean + feature.scale * float(z)


def holding(folder: Path, party: str) -> Holding:
    data: dict[str, list[object]] = {"id": [f"C{company}" for company in KNOWN[party]]}
    for feature in CARD.features:
        if feature.owner == party:
            data[feature.name] = [value(feature, company) for company in KNOWN[party]]
    path = folder / f"{party}.parquet"
    tables.write(path, pa.table(data))
    table = tables.Table.open(path)
    return Holding(table, table.ids("id"))


PAILLIER = Wanted(form="paillier", key_bits=2048)


def plan(
    model_owner: str = "bank", receiver: str = "bank", *owners: str, wanted: Wanted | None = None
) -> Plan:
    named = {owner: tuple(f.name for f in owned) for owner, owned in CARD.owners.items()}
    chosen = {owner: named[owner] for owner in owners or named}
    return Plan(model_owner, receiver, chosen, wanted or Wanted())


def card(of: Plan) -> Scorecard:
    features = tuple(f for f in CARD.features if f.owner in of.features)
    return replace(CARD, features=features)


def roles(folder: Path, of: Plan) -> dict[str, Callable[[Mesh], Scores | None]]:
    return {
        name: partial(
            scorecard.play,
            plan=of,
            holding=holding(folder, name) if name in (*of.features, of.receiver) else None,
            scorecard=card(of) if name == of.model_owner else None,
        )
        for name in of.roles.parties
    }


@pytest.mark.parametrize(
    "of",
    [
        plan("bank", "bank"),
        plan("bank", "bank", wanted=PAILLIER),
        plan("model", "receiver", "tax", wanted=PAILLIER),
        plan("model", "bank"),
        plan("model", "receiver"),
        plan("tax", "bank"),
        plan("model", "bank", "tax", "utility"),
        plan("bank", "bank", "bank", "tax"),
        plan("model", "bank", "bank"),
    ],
    ids=str,
)
def test_the_receiver_gets_the_scores_of_the_companies_in_common(tmp_path: Path, of: Plan) -> None:
    results = run_mesh(roles(tmp_path, of))
    scores = results.pop(of.receiver)
    assert scores is not None
    assert set(results.values()) <= {None}
    ids = KNOWN[of.receiver]
    common = [c for c in ids if all(c in KNOWN[owner] for owner in of.features)]
    assert [ids[position] for position in scores.positions] == common
    assert 1 < len(common) <= len(ids)
    rows = np.array([[value(f, c) for f in card(of).features] for c in common])
    expected = scoring.logistic(card(of).logit(rows))
    assert scores.probability == pytest.approx(expected, abs=1e-6)
    assert scores.band == band(CARD.bands, expected)


def plain(of: Plan) -> tuple[list[int], np.ndarray]:
    """The companies in common, in the receiver's order, and weight * z of each feature."""
    ids = KNOWN[of.receiver]
    common = [c for c in ids if all(c in KNOWN[owner] for owner in of.features)]
    rows = np.array([[value(f, c) for f in card(of).features] for c in common])
    names = [f.name for f in card(of).features]
    means, scales = card(of).standardisation(names)
    return common, (rows - means) / scales * card(of).weights(names)


@pytest.mark.parametrize("roles_", [("bank", "bank"), ("model", "receiver"), ("model", "bank")])
def test_a_band_without_its_probability(tmp_path: Path, roles_: tuple[str, str]) -> None:
    of = plan(*roles_, wanted=Wanted("band"))
    scores = run_mesh(roles(tmp_path, of))[of.receiver]
    assert scores is not None
    _, parts = plain(of)
    expected = scoring.logistic(parts.sum(axis=1) + CARD.intercept)
    assert scores.band == band(CARD.bands, expected)
    assert scores.probability is scores.decision is scores.reasons is None


@pytest.mark.parametrize("raising", [False, True])
def test_a_decision_with_its_reasons(tmp_path: Path, raising: bool) -> None:
    of = plan("model", "bank", wanted=Wanted("decision", 2, raising, threshold=0.45))
    scores = run_mesh(roles(tmp_path, of))["bank"]
    assert scores is not None
    common, parts = plain(of)
    expected = scoring.logistic(parts.sum(axis=1) + CARD.intercept) >= 0.45
    assert scores.decision is not None
    assert scores.decision.tolist() == expected.tolist()
    assert scores.probability is scores.band is None
    assert scores.reasons is not None
    names = [f.name for f in CARD.features]
    for row, given in zip(-parts if raising else parts, scores.reasons, strict=True):
        order = [names[i] if row[i] < 0 else None for i in np.argsort(row)[:2]]
        assert list(given) == order
    assert len(common) == len(scores.reasons) > 1


def test_reasons_alone_and_a_threshold_of_the_scorecard(tmp_path: Path) -> None:
    of = plan("bank", "bank", wanted=Wanted("reasons", 1))
    scores = run_mesh(roles(tmp_path, of))["bank"]
    assert scores is not None
    assert scores.decision is None
    assert scores.reasons is not None
    of = plan("bank", "bank", wanted=Wanted("decision"))
    with pytest.raises(ConfigError, match="needs a threshold, in the scorecard or in the job"):
        run_mesh(roles(tmp_path, of))
    parties = roles(tmp_path, of)
    own = partial(
        scorecard.play,
        plan=of,
        holding=holding(tmp_path, "bank"),
        scorecard=replace(CARD, threshold=0.5),
    )
    decided = run_mesh(parties | {"bank": own})["bank"]
    assert decided is not None
    assert decided.decision is not None
    expected = plain(of)[1].sum(axis=1) + CARD.intercept >= 0
    assert decided.decision.tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("faulty", "words"),
    [
        (
            {"output": "odds"},
            "output must be one of probability, band, decision, reasons, not 'odds'",
        ),
        ({"form": "garbled"}, "form must be one of auto, shares, paillier, not 'garbled'"),
        ({"output": "reasons"}, "needs reasons"),
        ({"reasons": -1}, "needs reasons"),
        ({"output": "band", "form": "paillier"}, "probabilities alone"),
        ({"reasons": 1, "form": "paillier"}, "probabilities alone"),
        ({"threshold": 1.0}, "not between 0 and 1"),
    ],
)
def test_what_cannot_be_wanted(faulty: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Wanted(**faulty)


def test_more_reasons_than_features(tmp_path: Path) -> None:
    of = plan("bank", "bank", "tax", wanted=Wanted(reasons=3))
    with pytest.raises(ConfigError, match="3 reasons of 2 features"):
        scorecard.check(of, "bank", holding=holding(tmp_path, "bank"), scorecard=card(of))


real = score_results.band_names


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "has no bands"),
        (["low", "\x1b[2J"], "a band has no name, or control characters"),
        (["low", ""], "a band has no name, or control characters"),
    ],
)
def test_names_of_bands_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str], words: str
) -> None:
    of = plan("model", "bank", "tax", wanted=Wanted("band"))

    def told(mesh: Mesh, owner: str, card: Scorecard | None) -> list[str]:
        if card is None:
            return real(mesh, owner, card)
        mesh.broadcast(pb.BandNames(names=names))
        return [band.name for band in CARD.bands]

    monkeypatch.setattr(score_results, "band_names", told)
    with pytest.raises(ProtocolError, match=f"model: {words}"):
        run_mesh(roles(tmp_path, of))


def test_nothing_in_common_is_an_empty_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KNOWN, "tax", (11,))
    scores = run_mesh(roles(tmp_path, plan("model", "bank", "tax")))["bank"]
    assert scores is not None
    assert len(scores.positions) == len(scores.probability) == len(scores.band) == 0


def test_a_value_far_from_its_mean_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = VALUES.copy()
    far[4, 2] = 129.0
    monkeypatch.setattr(sys.modules[__name__], "VALUES", far)
    with pytest.raises(DataError, match=r"'growth': 1 of 8 rows .* 128 scales .*\(row 6\)"):
        run_mesh(roles(tmp_path, plan("bank", "bank", "tax")))


def test_what_a_party_lacks_is_found_before_any_message(tmp_path: Path) -> None:
    of = plan("bank", "bank", "tax")
    check = partial(scorecard.check, of)
    tax = holding(tmp_path, "tax")
    with pytest.raises(ConfigError, match="tax takes part with a table"):
        check("tax", holding=None, scorecard=None)
    with pytest.raises(ConfigError, match="bank needs the scorecard"):
        check("bank", holding=tax, scorecard=None)
    with pytest.raises(ConfigError, match="tax must not be given the scorecard"):
        check("tax", holding=tax, scorecard=card(of))
    with pytest.raises(ConfigError, match="the scorecard has the features"):
        check("bank", holding=tax, scorecard=CARD)
    with pytest.raises(DataError, match="has no column 'arrears'"):
        check("tax", holding=holding(tmp_path, "utility"), scorecard=None)


def lying(message: pb.Standardisation) -> Callable[[Mesh], None]:
    """A model owner without a table that tells ``tax`` how to standardise, and waits."""

    def role(mesh: Mesh) -> None:
        mesh.channel("bank").recv(pb.ScoredRows)
        mesh.channel("tax").send(message)
        mesh.channel("tax").recv(pb.ScoredRows)

    return role


@pytest.mark.parametrize(
    ("names", "means", "scales", "words"),
    [
        (["growth", "arrears"], [0.0, 0.0], [1.0, 1.0], "standardises"),
        (["arrears", "growth"], [0.0], [1.0, 1.0], "expected 2 elements, got 1"),
        (["arrears", "growth"], [0.0, np.nan], [1.0, 1.0], "not finite"),
        (["arrears", "growth"], [0.0, 0.0], [1.0, 0.0], "not positive"),
        (["arrears", "growth"], [0.0, 0.0], [1.0, np.inf], "not finite"),
    ],
)
def test_a_lying_standardisation_is_refused(
    tmp_path: Path, names: list[str], means: list[float], scales: list[float], words: str
) -> None:
    of = plan("model", "bank", "tax")
    message = pb.Standardisation(
        names=names, means=columns.pack(np.array(means)), scales=columns.pack(np.array(scales))
    )
    parties = roles(tmp_path, of) | {"model": lying(message)}
    with pytest.raises(ProtocolError, match=f"model: .*{words}"):
        run_mesh(parties)


def test_what_a_party_brings_is_not_shown() -> None:
    of, secret = plan("bank", "bank"), np.array([[0.123456]])
    given = score_results.Scored(
        mesh=Mesh("bank", ["bank"], {}),
        roles=of.roles,
        names=of.features,
        positions=np.array([654321]),
        rows=1,
        features=secret,
        card=CARD,
    )
    assert not any(shown in repr(given) for shown in ("0.123456", "654321", "0.7", "-0.2"))


@pytest.mark.parametrize("rows", [scorecard.MOST_ROWS + 1, 2**64 - 1])
def test_more_rows_than_there_may_be(tmp_path: Path, rows: int) -> None:
    """A model owner without a table is told how many are scored, and works with as many."""

    def lie(mesh: Mesh) -> None:
        mesh.channel("model").send(pb.ScoredRows(rows=rows))
        mesh.channel("model").recv(pb.ScoredRows)

    parties = roles(tmp_path, plan("model", "bank", "bank")) | {"bank": lie}
    with pytest.raises(ProtocolError, match=f"bank: scores {rows} rows"):
        run_mesh(parties)


@pytest.mark.parametrize(
    ("names", "starts", "words"),
    [
        ([], [], "the bands do not begin at 0"),
        (["low", "high"], [0.1, 0.5], "the bands do not begin at 0"),
        (["low", "high"], [0.0, 0.0], "the bands do not begin at 0"),
        (["low", "high"], [0.0, 1.0], "the bands do not begin at 0"),
        (["low", "high"], [0.0, np.nan], "the bands do not begin at 0"),
        (["low", "hi\ngh"], [0.0, 0.5], "a band has no name, or control characters"),
    ],
)
def test_lying_bands_are_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    names: list[str],
    starts: list[float],
    words: str,
) -> None:
    def lie(mesh: Mesh, receiver: str, _: Scorecard) -> None:
        message = pb.Bands(names=names, starts=columns.pack(np.array(starts, np.float64)))
        mesh.channel(receiver).send(message)

    monkeypatch.setattr(score_results, "_hand_over_bands", lie)
    with pytest.raises(ProtocolError, match=f"model: {words}"):
        run_mesh(roles(tmp_path, plan("model", "bank", "tax")))
