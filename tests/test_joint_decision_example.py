# SPDX-License-Identifier: Apache-2.0
"""The joint-decision example runs as its README says, and decides as the open rules do."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np

from mpc.apps import scorecard_file
from mpc.protocols import scoring
from mpc.protocols.lookup import room
from tests.example_scripts import by_id, run

TABLES = {
    "bank": ("applicants.csv", "credit_code"),
    "tax_office": ("taxpayers.csv", "taxpayer"),
    "power_utility": ("customers.csv", "customer"),
}
LISTS = {
    "tax_office": "offenders.csv",
    "lender_b": "defaulters.csv",
    "lender_c": "late_payers.csv",
}


def in_the_open(folder: Path) -> dict[str, str]:
    """The outcome for each applicant, from all files together."""
    job = tomllib.loads((folder / "decision.toml").read_text())
    card = scorecard_file.load(folder / "scorecard.json")
    held = {party: by_id(folder / name, column) for party, (name, column) in TABLES.items()}
    lists = {party: by_id(folder / name, "credit_code") for party, name in LISTS.items()}
    outcomes = {}
    for code in held["bank"]:
        weight = sum(
            job["lists"]["weights"][party]
            for party, listed in lists.items()
            if listed.get(code, {}).get("listed_on", "") >= str(job["lists"]["since"])
        )
        tax = held["tax_office"].get(code)
        fell = tax is not None and (
            float(tax["declared_revenue"]) < 0.7 * float(tax["revenue_year_before"])
        )
        probability = None
        if all(code in table for table in held.values()):
            values = [float(held[f.owner][code][f.name]) for f in card.features]
            probability = float(scoring.logistic(card.logit(np.array([values])))[0])
        high = probability is not None and probability >= job["decline_from"]
        if weight >= job["lists"]["threshold"] or fell or high:
            outcomes[code] = "decline"
        elif probability is None or probability >= job["refer_from"]:
            outcomes[code] = "refer"
        else:
            outcomes[code] = "approve"
    return outcomes


def test_the_script_decides_on_the_applicants(tmp_path: Path) -> None:
    folder, said = run("joint_decision", tmp_path)
    assert "never comes to know" in said
    decisions = by_id(folder / "decisions.csv", "id")
    assert {code: row["outcome"] for code, row in decisions.items()} == in_the_open(folder)
    assert decisions["91990100MAFQ6NBK7D"]["reasons"] == "late_payments; arrears_months"
    named = {
        row["company"]: code
        for code, row in by_id(folder / "applicants.csv", "credit_code").items()
    }
    told = {company: decisions[code]["outcome"] for company, code in named.items()}
    assert told == {
        "Cedar Metalwork": "decline",
        "Harbour Foods": "decline",
        "Northgate Textiles": "refer",
        "Redwood Tools": "decline",
        "Summit Packaging": "approve",
        "Tideway Electric": "refer",
        "Upland Glass": "approve",
    }
    counted = json.loads((folder / "lender_b.keys.json").read_text())
    assert counted == {"evaluations": {"bank": room(7)}}
