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


def test_the_script_scores_the_applicants(tmp_path: Path) -> None:
    folder = tmp_path / "joint_score"
    ignored = shutil.ignore_patterns("keys", "scores.csv")
    shutil.copytree(EXAMPLE, folder, ignore=ignored)
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [str(folder / "run.sh")],
        env={**os.environ, "PATH": search},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
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
