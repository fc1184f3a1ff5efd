# SPDX-License-Identifier: Apache-2.0
"""Rules of a joint decision at their bounds: what is below is declined, and what is at is not."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from mpc.errors import EncodingOverflow
from mpc.primitives import fixed
from mpc.protocols import decision
from mpc.protocols.decision import Known, Model, Plan, Rule
from mpc.protocols.decision.plan import FRACTION_BITS, RULE_MOST, VALUE_LIMIT
from mpc.protocols.lookup import widths
from mpc.protocols.threshold import Listed, Terms
from tests.protocols.computing import compute

NOW, BEFORE = ("p1", "now"), ("p1", "before")


def declined(rule, columns):
    """Whether the rule, which declines, holds for each row of ``columns``."""
    plan = Plan(Terms("p0", 1, {"p2": 1}, "shares"), {"p1": ("score",)}, 0.99, 0.995, (rule,))
    ruled = np.stack([columns[name] for name, _ in plan.ruled("p1")], axis=1)
    keys = [f"c{i}" for i in range(len(ruled))]

    def job(p):
        means = {"seeds": p.seeds, "triples": p.triples}
        if p.mesh.me == "p0":
            return decision.asker(p.mesh, plan, keys, Model(np.array([0.5]), -1.0), **means)
        if p.mesh.me == "p1":
            known = Known(keys, np.zeros((len(keys), 1)), ruled)
            return decision.other(p.mesh, plan, known=known, **means)
        return decision.other(p.mesh, plan, listed=Listed(["stranger"]), **means)

    return compute(3, job)[0].outcome == 2


@pytest.mark.parametrize("kept", ["0.8", "0.6", "0.35", "0.001"])
@pytest.mark.parametrize("unit", [1.0, 1024.0])
def test_whole_numbers_at_the_bound_of_a_fall(kept, unit):
    """Encoded as it is, 0.6 is more than it is, and all who fell by just 40 % would be declined."""
    before = np.arange(1, 41) * 1000
    at = np.array([int(Fraction(kept) * int(b)) for b in before])
    now = at + np.arange(40) % 3 - 1
    rule = Rule("fell", {NOW: 1.0, BEFORE: -float(kept)}, 0.0, "decline", unit)
    assert declined(rule, {"now": now, "before": before}).tolist() == (now < at).tolist()


@pytest.mark.parametrize("coefficient", [1.0, 0.1, 0.3])
def test_one_value_at_its_bound(coefficient):
    """0.2 has no end in binary: encoded by 20 bits it is less, and below 0.2 by more of them."""
    now = np.arange(1, 41) / 100
    for sign in (1, -1):
        rule = Rule("low", {NOW: sign * coefficient}, sign * coefficient * 0.2, "decline")
        wanted = [sign * i < sign * 20 for i in range(1, 41)]
        assert declined(rule, {"now": now}).tolist() == wanted


def test_other_bounds():
    now, before = np.array([10.0, 10.0, 9.0, RULE_MOST]), np.array([0.0, 1.0, 0.0, -RULE_MOST])
    rule = Rule("sum", {NOW: 0.7, BEFORE: 0.1}, 7.1, "decline")
    assert declined(rule, {"now": now, "before": before}).tolist() == [True, False, True, False]
    fallen = Rule("fallen", {BEFORE: 1.0}, -RULE_MOST + 2.0**-20, "decline")
    assert declined(fallen, {"before": before}).tolist() == [False, False, False, True]
    far = Rule("far", {NOW: 0.001}, 1000.0, "decline")  # 10^6: above all values
    assert declined(far, {"now": now}).all()
    none = Rule("none", {NOW: 0.0}, 0.0, "decline")
    assert not declined(none, {"now": now}).any()


def test_coefficients_without_so_few_bits_stay_as_they_are():
    rule = Rule("odd", {NOW: 0.123456789, BEFORE: -1 / 3}, 0.5, "refer")
    assert rule.encodable == rule
    dyadic = Rule("even", {NOW: 1.0, BEFORE: -0.75}, 0.5, "refer")
    assert dyadic.encodable == dyadic


def test_values_at_their_limits_fit_the_width_they_are_looked_up_with():
    rule = Rule("low", {NOW: 1.0}, 0.0, "decline")
    plan = Plan(
        Terms("p0", 1, {"p2": 1}, "shares"), {"p1": ("a",), "p2": ("b",)}, 0.9, 0.9, (rule,)
    )
    for owner, most in (("p1", RULE_MOST), ("p2", VALUE_LIMIT)):
        words = fixed.encode([[most, -most, 0.0]], FRACTION_BITS)
        width = plan.value_bytes(owner)
        widths.lowered(words, width)
        with pytest.raises(EncodingOverflow, match=f"value_bytes={width} holds all"):
            widths.lowered(words, width - 1)
