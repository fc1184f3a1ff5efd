# SPDX-License-Identifier: Apache-2.0
"""Joint decisions over memory links, the asker p0, and the same in the open."""

from __future__ import annotations

import numpy as np

from mpc.protocols import decision
from mpc.protocols.decision import Known, Model, Plan, Rule
from mpc.protocols.threshold import Listed, Terms
from mpc.testing import seeded
from tests.protocols.computing import compute

rng = np.random.default_rng(21)
APPLICANTS = [f"c{i}" for i in range(60)]
FELL = Rule("revenue fell", {("p1", "now"): 1.0, ("p1", "before"): -0.7}, 0.0, "decline", 1000.0)
LATE = Rule("pays late", {("p2", "delay"): -1.0, ("p1", "now"): 0.001}, -20.0, "refer")
FEATURES = {"p1": ("a", "b"), "p2": ("c",)}


def plan_of(**changes):
    lists = Terms("p0", 2, {"p1": 1, "p3": 2}, "shares")
    given = {
        "lists": lists,
        "features": FEATURES,
        "refer_from": 0.3,
        "decline_from": 0.6,
        "rules": (FELL, LATE),
        "reasons": 2,
    }
    return Plan(**{**given, **changes})


PLAN = plan_of()
RANGES = {"now": (20_000, 60_000), "before": (20_000, 60_000), "delay": (0, 80)}
MODEL = Model(np.array([0.9, -1.3, 0.6]), -0.4)


def tables():
    """Lists and tables of all: some applicants unknown to one owner, some to both."""
    companies = [f"c{i}" for i in range(-20, 80)]
    listed = {name: Listed(list(rng.choice(companies, 20, replace=False))) for name in ("p1", "p3")}
    known = {}
    for name in ("p1", "p2"):
        keys = list(rng.choice(companies, 85, replace=False))
        standardised = rng.normal(size=(85, len(FEATURES[name])))
        columns = {n: rng.uniform(*RANGES[n], 85) for n, _ in PLAN.ruled(name)}
        ruled = np.stack([columns[n] for n, _ in PLAN.ruled(name)], axis=1)
        known[name] = Known(keys, standardised, ruled)
    return listed, known


def in_the_open(plan, model, listed, known, own=None, *, keys=APPLICANTS):
    found = []
    entries = {name: set(held.keys) for name, held in listed.items()}
    places = {name: {key: row for row, key in enumerate(k.keys)} for name, k in known.items()}
    for place, key in enumerate(keys):
        weight = sum(w for name, w in plan.lists.weights.items() if key in entries[name])
        rows = {name: of.get(key) for name, of in places.items()}
        parts = [
            own[place] if n == plan.asker
            else known[n].standardised[rows[n]] if rows[n] is not None else None
            for n in plan.features
        ]  # fmt: skip
        met = all(part is not None for part in parts)
        verdicts, names = set(), []
        if weight >= plan.lists.threshold:
            verdicts.add("decline")
        z = np.concatenate([np.zeros(len(plan.features[n])) if p is None else p
                            for n, p in zip(plan.features, parts, strict=True)])  # fmt: skip
        logit = z @ model.weights + model.intercept
        if not met:
            verdicts.add("refer")
        probability = 1 / (1 + np.exp(-logit))
        if met and probability >= plan.decline_from:
            verdicts.add("decline")
        if probability >= plan.refer_from:
            verdicts.add("refer")
        for rule in plan.rules:
            if any(rows[owner] is None for owner in rule.owners):
                continue
            total = sum(
                c * known[o].ruled[rows[o]][plan.ruled(o).index((n, rule.unit))] / rule.unit
                for (o, n), c in rule.terms.items()
            )
            if total < rule.below:
                verdicts.add(rule.then)
        outcome = "decline" if "decline" in verdicts else "refer" if verdicts else "approve"
        if outcome == "decline":
            order = np.argsort(-z * model.weights, kind="stable")[: plan.reasons]
            names = [plan.names[i] for i in sorted(order)]
        found.append((outcome, names))
    return found


def named(plan, decided):
    """The reasons for each applicant, in the plan's order."""
    return [
        [name for name, told in zip(plan.names, row, strict=True) if told]
        for row in decided.reasons
    ]


def run(
    plan, model, listed, known, *, keys=APPLICANTS, own=None, gates=(), wrap=lambda m: m, seed=0
):
    def job(p):
        shared = {"seeds": p.seeds, "triples": p.triples}
        me = p.mesh.me
        if me == "p0":
            rng_ = seeded(f"asker {seed}")
            return decision.asker(p.mesh, plan, keys, model, own=own, rng=rng_, **shared)
        return decision.other(
            p.mesh,
            plan,
            listed=listed.get(me),
            known=known.get(me),
            gate=dict(gates).get(me),
            rng=seeded(f"{me} {seed}"),
            **shared,
        )

    return compute(len(plan.parties), job, wrap=wrap, seed=seed)
