# SPDX-License-Identifier: Apache-2.0
"""The joint-score example runs as its README says, and its scores are those of the open formula."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mpc.apps import scorecard_file
from mpc.protocols import scoring

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "joint_score"


def by_id(path: Path, column: str) -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return {row[column].strip().upper(): row for row in csv.DictReader(file)}


def run(tmp_path: Path, *arguments: str) -> Path:
    """The folder of the example after its script."""
    folder = tmp_path / "joint_score"
    ignored = shutil.ignore_patterns("keys", "scores.csv")
    shutil.copytree(EXAMPLE, folder, ignore=ignored)
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [str(folder / "run.sh"), *arguments],
        env={**os.environ, "PATH": search},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_the_script_scores_the_applicants(tmp_path: Path) -> None:
    folder = run(tmp_path)
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
    folder = run(tmp_path, "decision.toml")
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
