# SPDX-License-Identifier: Apache-2.0
"""The joint-score example runs as its README says, and its scores are those of the open formula."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mpc.apps import scorecard_file
from mpc.protocols import scoring
from tests.example_scripts import by_id, run


def test_the_script_scores_the_applicants(tmp_path: Path) -> None:
    folder, _ = run("joint_score", tmp_path)
    card = scorecard_file.load(folder / "scorecard.json")
    sources = {
        "tax_office": by_id(folder / "taxpayers.csv", "taxpayer"),
        "power_utility": by_id(folder / "customers.csv", "customer"),
    }
    scores = by_id(folder / "scores.csv", "id")
    assert len(scores) == 6
    scored = 0
    for code, row in scores.items():
        if not all(code in source for source in sources.values()):
            assert row["probability"] == row["band"] == ""
            continue
        values = [float(sources[f.owner][code][f.name]) for f in card.features]
        probability = scoring.logistic(card.logit(np.array([values])))
        assert float(row["probability"]) == pytest.approx(probability[0], abs=1e-6)
        assert row["band"] == scorecard_file.band(card.bands, probability)[0]
        scored += 1
    assert scored == 5


def test_the_script_decides_and_gives_reasons(tmp_path: Path) -> None:
    folder, _ = run("joint_score", tmp_path, "decision.toml")
    card = scorecard_file.load(folder / "scorecard.json")
    sources = {
        "tax_office": by_id(folder / "taxpayers.csv", "taxpayer"),
        "power_utility": by_id(folder / "customers.csv", "customer"),
    }
    names = [feature.name for feature in card.features]
    means, scales = card.standardisation(names)
    decisions = set()
    for code, row in by_id(folder / "scores.csv", "id").items():
        assert set(row) == {"id", "decision", "reason_1", "reason_2"}
        if not all(code in source for source in sources.values()):
            assert row["decision"] == row["reason_1"] == ""
            continue
        values = np.array([float(sources[f.owner][code][f.name]) for f in card.features])
        parts = (values - means) / scales * card.weights(names)
        probability = scoring.logistic(np.array([parts.sum() + card.intercept]))[0]
        assert row["decision"] == str(bool(probability >= card.threshold)).lower()
        order = [names[i] if parts[i] > 0 else "" for i in np.argsort(-parts)[:2]]
        assert [row["reason_1"], row["reason_2"]] == order
        decisions.add(row["decision"])
    assert decisions == {"true", "false"}
