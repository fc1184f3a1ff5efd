# SPDX-License-Identifier: Apache-2.0
"""Reasons of joint decisions: for applicants whom not all owners know, and of equals."""

from __future__ import annotations

import numpy as np
import pytest

from mpc.protocols.decision import OUTCOMES, Known, Model
from mpc.protocols.threshold import Listed, Terms
from tests.protocols.decision_runs import in_the_open, named, plan_of, run

LISTS = Terms("p0", 1, {"p3": 1}, "shares")
FEATURES = {"p2": ("c", "d"), "p0": ("e",), "p1": ("a", "b")}
KNOWN = {"both": ("p1", "p2"), "first": ("p1",), "second": ("p2",), "none": ()}
WEIGHTS = np.array([0.5, -1.0, 0.75, -0.5, 2.0])
# Every applicant is known to one of these sets of owners, and brings one of these signs of values.
APPLICANTS = [f"{who} {sign} {i}" for who in KNOWN for sign in "+-=" for i in range(6)]


def world(seed):
    """All applicants, all listed but a third of them: values of their sign, or all the same."""
    draw = np.random.default_rng(seed)
    direction = np.sign(WEIGHTS)
    values = np.zeros((len(APPLICANTS), 5))
    for row, key in enumerate(APPLICANTS):
        _, sign, _ = key.split()
        # What raises the logit, what lowers it; or contributions of which some are equal.
        size = draw.integers(1, 200, 5) / 64
        equal = draw.choice([-0.5, 0.0, 0.5], 5) / WEIGHTS
        values[row] = {"+": size * direction, "-": -size * direction, "=": equal}[sign]
    known = {}
    for owner, columns in (("p1", slice(3, 5)), ("p2", slice(0, 2))):
        rows = [i for i, key in enumerate(APPLICANTS) if owner in KNOWN[key.split()[0]]]
        ruled = np.zeros((len(rows), 0))
        known[owner] = Known([APPLICANTS[i] for i in rows], values[rows, columns], ruled)
    listed = {"p3": Listed([key for i, key in enumerate(APPLICANTS) if i % 3])}
    return listed, known, values[:, 2:3]


@pytest.mark.parametrize("reasons", range(6))
def test_whoever_knows_the_applicant_there_are_as_many_as_asked_for(reasons):
    listed, known, own = world(reasons)
    plan = plan_of(features=FEATURES, lists=LISTS, rules=(), reasons=reasons)
    model = Model(WEIGHTS, -1.0)
    decided, *_ = run(plan, model, listed, known, own=own, keys=APPLICANTS)
    wanted = in_the_open(plan, model, listed, known, own, keys=APPLICANTS)
    assert [OUTCOMES[i] for i in decided.outcome] == [outcome for outcome, _ in wanted]
    assert named(plan, decided) == [names for _, names in wanted]
    assert {
        (key.split()[0], len(names)) for key, (_, names) in zip(APPLICANTS, wanted, strict=True)
    } == {(who, count) for who in KNOWN for count in (0, reasons)}


def test_what_nobody_knows_comes_before_what_lowers_and_in_the_plans_order():
    keys = ["good", "bad", "stranger"]
    known = {
        "p1": Known(keys[:2], np.array([[-1.0, -1.0], [1.0, 0.0]]), np.zeros((2, 0))),
        "p2": Known([], np.zeros((0, 1)), np.zeros((0, 0))),
    }
    plan = plan_of(lists=LISTS, rules=(), reasons=2)
    decided, *_ = run(plan, Model(np.ones(3), 0.0), {"p3": Listed(keys)}, known, keys=keys)
    assert named(plan, decided) == [["a", "c"], ["a", "b"], ["a", "b"]]
