# SPDX-License-Identifier: Apache-2.0
"""The example of three parties tells the bank what NumPy says, and the others nothing."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np

from mpc.protocols.scoring import logistic

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "three_party_score.py"


def test_the_bank_is_told_the_results() -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLE], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    made = runpy.run_path(str(EXAMPLE))
    table = np.concatenate([made["features"](owner) for owner in made["ROLES"].features], axis=1)
    parts = table * np.concatenate(list(made["MODEL"].weights.values()))
    probability = logistic(parts.sum(axis=1) + made["MODEL"].intercept)
    bank = [line for line in done.stdout.splitlines() if line.startswith("bank: ")]
    others = [line for line in done.stdout.splitlines() if not line.startswith("bank: ")]
    assert len(bank) == made["COMPANIES"]
    assert len(others) == 2
    assert all("nothing but" in line for line in others)
    for line, value, row in zip(bank, probability, parts, strict=True):
        _, _, said = line.partition("probability ")
        told, _, verdict = said.partition(": ")
        assert abs(float(told) - value) <= 2e-6
        order = [made["NAMES"][i] for i in np.argsort(-row)[:2] if row[i] > 0]
        risky = f"refer, for {', '.join(order)}"
        assert verdict == (risky if value >= made["THRESHOLD"] else "approve")
    assert {"refer", "approve"} == {line.rpartition(": ")[2].split(",")[0] for line in bank}
