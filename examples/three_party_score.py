# SPDX-License-Identifier: Apache-2.0
"""A bank scores companies by features that a tax office and a power utility hold, three ways.

    python examples/three_party_score.py

The three are threads here, so that the protocol is all there is to read; `joint_score` beside this
file has them as processes with files. The bank has the model and gets the results: probabilities,
which give it one linear equation on each company's features; then, from the same open model, only
whether each is a risk above its threshold, with the two features that say so most, by their names.
The correlated randomness is made by the three of them, with no third party.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from mpc.net.mesh import Mesh
from mpc.protocols.scoring import Model, Roles, shares
from mpc.protocols.triples import vole
from mpc.testing import run_mesh

NAMES = ("arrears", "vat_growth", "turnover", "kwh_trend", "late_payments")
ROLES = Roles(model_owner="bank", receiver="bank", features={"tax_office": 3, "power_utility": 2})
MODEL = Model(
    {"tax_office": np.array([0.9, -0.4, -0.2]), "power_utility": np.array([-0.3, 0.6])}, -1.5
)
THRESHOLD = 0.2  # the bank's own: nobody else learns it
COMPANIES = 5


@dataclass(frozen=True)
class Results:
    """What the bank gets."""

    probability: Any
    risky: Any
    reasons: Any


def features(owner: str) -> Any:
    """Standardised figures of the same companies, in one order that all agreed on."""
    rng = np.random.default_rng(len(owner))
    return rng.normal(0, 1.5, (COMPANIES, ROLES.features[owner]))


def party(mesh: Mesh) -> Results:
    """The same program at all three; None wherever the bank gets something."""
    owns = mesh.me == ROLES.model_owner
    mine = features(mesh.me) if mesh.me in ROLES.features else None
    with vole.source(mesh) as triples:
        opened = shares.open_model(mesh, ROLES, triples, model=MODEL if owns else None)
        shares.prepare(opened, 2 * COMPANIES)  # when there is time: before the features are known
        return Results(
            shares.probability(opened, rows=COMPANIES, features=mine),
            shares.decision(
                opened, rows=COMPANIES, features=mine, threshold=THRESHOLD if owns else None
            ),
            shares.reasons(opened, rows=COMPANIES, features=mine, count=2, raising=True),
        )


def main() -> int:
    """Play all three, and print what each learnt."""
    for name, found in run_mesh(dict.fromkeys(ROLES.parties, party)).items():
        if found.probability is None:
            print(f"{name}: nothing but how many companies there are")
            continue
        for row in range(COMPANIES):
            named = ", ".join(NAMES[i] for i in found.reasons[row] if i >= 0)
            verdict = f"refer, for {named}" if found.risky[row] else "approve"
            print(f"{name}: company {row}, probability {found.probability[row]:.6f}: {verdict}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
