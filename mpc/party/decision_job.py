# SPDX-License-Identifier: Apache-2.0
"""The job file of a joint decision, which all parties hold::

    kind = "decision"
    session = "loans-2026-11"
    asker = "bank"
    refer_from = 0.10                  # probabilities of default
    decline_from = 0.35
    reasons = 3                        # features named to the bank for each one it declines
    pad_to = { bank = 2_000 }          # shown in place of how many ids it has; may be left out

    [lists]
    threshold = 2                      # lists that weigh so much together decline
    since = 2024-01-01                 # only entries of this day or later count; may be left out
    weights = { tax_office = 2, lender_b = 1, lender_c = 1 }

    [features]                         # of the score; the asker may own some
    bank = ["overdraft_share"]
    tax_office = ["arrears_months", "vat_growth"]
    power_utility = ["kwh_trend"]

    [[rules]]                          # sum of factor * value below a bound
    name = "revenue fell by more than 30 %"
    values.tax_office = { declared_revenue = 1.0, revenue_year_before = -0.7 }
    unit = 1024.0                      # of the values, below 2^18 of it; a power of two is exact
    below = 0.0
    then = "decline"                   # or "refer"

The order of what stands in a table says nothing: it is read in the order of names, so that two
files which differ in that are the same job. Everything in it is public to the parties that it
names. Weights of the score are not in it: they are the asker's secret. ``source`` says who makes
the correlations: see ``correlations``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from mpc.errors import ConfigError
from mpc.net import settings
from mpc.party import bounds, correlations
from mpc.party.correlations import Source
from mpc.party.threshold_job import holding, young
from mpc.protocols.decision import Plan, Rule
from mpc.protocols.decision.plan import Verdict
from mpc.protocols.threshold import Terms


@dataclass(frozen=True, slots=True)
class DecisionJob:
    """Approve, refer or decline each of the asker's applicants, and tell it nothing else."""

    session: str
    plan: Plan
    source: Source = field(default_factory=Source)
    pad_to: Mapping[str, int] = field(default_factory=dict)

    kind = "decision"

    @property
    def parties(self) -> tuple[str, ...]:
        return (*self.plan.parties, *self.source.outsiders)

    @property
    def receiver(self) -> str:
        """Who gets the result."""
        return self.plan.asker

    def meets(self, party: str) -> tuple[str, ...]:
        """Whom ``party`` talks to: everyone else in the job."""
        return tuple(name for name in self.parties if name != party)

    def parameters(self) -> dict[str, str | int | list[str]]:
        plan, lists = self.plan, self.plan.lists
        rules = [
            f"{rule.name}: {dict(rule.terms)} below {rule.below} of {rule.unit} then {rule.then}"
            for rule in plan.rules
        ]
        return {
            "kind": self.kind,
            "asker": plan.asker,
            "refer_from": repr(plan.refer_from),
            "decline_from": repr(plan.decline_from),
            "reasons": plan.reasons,
            "lists.threshold": lists.threshold,
            "lists.since": str(lists.since),
            "lists.weights": [f"{name} {weight}" for name, weight in lists.weights.items()],
            "feature_owners": list(plan.features),
            **{f"features.{owner}": list(names) for owner, names in plan.features.items()},
            "rules": rules,
            "pad_to": bounds.parameters(self.pad_to),
            **self.source.parameters(),
        }

    def terms(self) -> list[str]:
        """What is decided, in sentences."""
        plan, lists = self.plan, self.plan.lists
        declined = [
            f"{holding(lists)} hold the applicant{young(lists)}",
            f"its probability of default is {_plain(plan.decline_from)} or more",
            *(_said(rule) for rule in plan.rules if rule.then == "decline"),
        ]
        referred = [
            f"its probability of default is {_plain(plan.refer_from)} or more",
            f"{' or '.join(plan.scored)} does not know it",
            *(_said(rule) for rule in plan.rules if rule.then == "refer"),
        ]
        return [
            f"Declined: {'; or '.join(declined)}.",
            f"Else referred: {'; or '.join(referred)}.",
            *bounds.terms(self.pad_to),
            *self.source.terms(),
        ]

    def gives(self, party: str) -> str:
        plan, parts = self.plan, []
        if party == self.source.dealer:
            return self.source.gives()
        if party == plan.asker:
            parts += ["the ids of its applicants", "the weights of the score"]
        if party in plan.lists.weights:
            parts.append("its list")
        if names := plan.features.get(party, ()):
            owned = ", ".join(names)
            parts.append(f"{owned} of its applicants" if party == plan.asker else owned)
        if ruled := dict.fromkeys(name for name, _ in plan.ruled(party)):
            parts.append(f"{', '.join(ruled)} for rules")
        return "; ".join(parts)

    def learns(self, party: str) -> str:
        plan = self.plan
        if party == self.source.dealer:
            return self.source.learns()
        if party != plan.asker:
            told = f"how many applicants there are{bounds.besides(self.pad_to, [plan.asker])}"
            if party in plan.features:
                told += "; means and scales of its features"
            return told
        told = "approve, refer or decline for each applicant"
        if plan.reasons:
            told += f"; for those declined, {plan.reasons} features that weigh most"
        sizes = bounds.besides(self.pad_to, plan.parties[1:])
        return f"{told}; how long lists and tables are{sizes}"

    def never(self, party: str) -> str:
        """What ``party`` does not come to know, though it enters the computation."""
        if party == self.source.dealer:
            return self.source.never()
        if party == self.plan.asker:
            return (
                "a feature, a score, who is on which list, which rule or limit decided, but for "
                "what the outcome implies"
            )
        return "who applied, who of its own companies was asked about, any outcome, any weight"


def _said(rule: Rule) -> str:
    """A rule's name, which anyone may have chosen, and the condition that is computed."""
    total = ""
    for (owner, name), coefficient in rule.terms.items():
        minus = coefficient < 0
        sign = (" − " if minus else " + ") if total else "−" * minus
        total += f"{sign}{_plain(abs(coefficient))} × {owner}.{name}"
    unit = "" if rule.unit == 1 else f" (in units of {_plain(rule.unit)})"
    return f"{rule.name}: {total} below {_plain(rule.below)}{unit}"


def _plain(number: float) -> str:
    """Every digit of ``number``: what is agreed on must not look like something near it."""
    return repr(number).removesuffix(".0")


def load(file: settings.Section) -> DecisionJob:
    """The job in a file whose kind is "decision". ConfigError names the file, the key, the mend."""
    asker, lists = file.text("asker"), file.section("lists")
    owners = file.section("features")
    try:
        plan = Plan(
            lists=_lists(asker, lists),
            features={owner: owners.texts(owner) for owner in sorted(owners.names())},
            refer_from=file.number("refer_from"),
            decline_from=file.number("decline_from"),
            rules=tuple(_rule(section) for section in file.tables("rules")),
            reasons=file.whole("reasons", 0),
        )
    except ConfigError as error:
        if str(error).startswith(str(file.path)):
            raise
        raise ConfigError(f"{file.path}: {error}") from None
    names = [name for owned in plan.features.values() for name in owned]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise file.fault("features", f"names {twice[0]!r} at two owners")
    source, pad_to = correlations.load(file, plan.parties), bounds.load(file, plan.parties)
    return DecisionJob(file.text("session"), plan, source, pad_to)


def _lists(asker: str, section: settings.Section) -> Terms:
    given = section.section("weights")
    weights = {name: given.whole(name, 1) for name in sorted(given.names())}
    since = section.day("since") if section.has("since") else None
    terms = Terms(asker, section.whole("threshold", 1), weights, "shares", since)
    section.done()
    return terms


def _rule(section: settings.Section) -> Rule:
    terms = {
        (owner, name): owned.number(name)
        for owner, owned in sorted(section.sections("values"), key=lambda one: one[0])
        for name in sorted(owned.names())
    }
    rule = Rule(
        name=section.text("name"),
        terms=terms,
        below=section.number("below", 0.0),
        then=cast(Verdict, section.text("then")),  # Rule refuses any other word
        unit=section.number("unit", 1.0),
    )
    section.done()
    return rule
