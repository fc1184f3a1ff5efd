# SPDX-License-Identifier: Apache-2.0
"""Joint decisions over tables against a plain computation over all rows in the open."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mpc.apps import decision, tables
from mpc.apps.holding import Holding
from mpc.apps.scorecard_file import Band, Feature, Scorecard
from mpc.errors import ConfigError, DataError
from mpc.net.mesh import Mesh
from mpc.protocols.decision import Plan, Rule
from mpc.protocols.threshold import Terms
from mpc.testing import run_mesh, seeded

CARD = Scorecard(
    features=(
        Feature("arrears", "tax", 2.0, 1.5, 0.9),
        Feature("growth", "tax", 0.1, 0.2, -1.1),
        Feature("overdraft", "bank", 0.3, 0.2, 0.6),
        Feature("kwh", "utility", 4e6, 1e6, -0.5),
    ),
    intercept=-0.2,
    bands=(Band("all", 0.0),),
)
# The job names features in an order of its own.
FEATURES = {"bank": ("overdraft",), "utility": ("kwh",), "tax": ("growth", "arrears")}
SINCE = datetime.date(2024, 3, 1)
FELL = Rule("fell", {("tax", "now"): 1.0, ("tax", "before"): -0.7}, 0.0, "decline", 1000.0)
LATE = Rule("late", {("lender", "late_days"): -1.0}, -25.0, "refer")
PLAN = Plan(
    lists=Terms("bank", 3, {"tax": 2, "lender": 1, "insurer": 1}, "shares", SINCE),
    features=FEATURES,
    refer_from=0.4,
    decline_from=0.65,
    rules=(FELL, LATE),
    reasons=2,
)
COMPANIES = [f"C{number:03}" for number in range(60)]

Row = dict[str, Any]


@dataclass
class World:
    """Every party's table and list, as rows by company."""

    tables: dict[str, dict[str, Row]]
    lists: dict[str, dict[str, datetime.date]]


def world(seed: int = 1) -> World:
    random = np.random.default_rng(seed)

    def chosen(count: int) -> list[str]:
        return [COMPANIES[i] for i in random.permutation(len(COMPANIES))[:count]]

    def standard(name: str) -> float:
        (feature,) = (f for f in CARD.features if f.name == name)
        return feature.mean + feature.scale * float(random.normal())

    held = {
        "bank": {c: {"overdraft": standard("overdraft")} for c in chosen(40)},
        "utility": {c: {"kwh": standard("kwh")} for c in chosen(54)},
        "tax": {
            c: {
                "arrears": standard("arrears"),
                "growth": standard("growth"),
                "now": float(random.uniform(2e5, 6e5)),
                "before": float(random.uniform(2e5, 6e5)),
            }
            for c in chosen(53)
        },
        "lender": {c: {"late_days": int(random.integers(0, 40))} for c in chosen(30)},
    }
    lists = {
        name: {
            c: SINCE + datetime.timedelta(days=int(random.integers(-40, 60))) for c in chosen(25)
        }
        for name in PLAN.lists.weights
    }
    # On the very day it counts, the day before it does not: 2 + 1 is enough.
    first, second = list(held["bank"])[:2]
    for name in ("tax", "lender", "insurer"):
        lists[name][first] = SINCE
        lists[name][second] = SINCE - datetime.timedelta(days=1)
    return World(held, lists)


def in_the_open(of: World, plan: Plan, card: Scorecard) -> list[tuple[str, set[str]]]:
    """The outcome for each applicant, and the reasons of one declined."""
    return [_one(of, plan, card, company) for company in of.tables["bank"]]


def _one(of: World, plan: Plan, card: Scorecard, company: str) -> tuple[str, set[str]]:
    weight = sum(
        counts
        for name, counts in plan.lists.weights.items()
        if company in of.lists[name]
        and (plan.lists.since is None or of.lists[name][company] >= plan.lists.since)
    )
    met = all(company in of.tables[owner] for owner in plan.features)
    verdicts = {
        rule.then
        for rule in plan.rules
        if all(company in of.tables[owner] for owner in rule.owners)
        and sum(c * of.tables[o][company][n] for (o, n), c in rule.terms.items())
        < rule.below * rule.unit
    }
    # Nothing of an owner that does not know it.
    parts = {
        f.name: f.weight * (of.tables[f.owner][company][f.name] - f.mean) / f.scale
        for f in card.features
        if company in of.tables[f.owner]
    }
    if met:
        probability = 1 / (1 + math.exp(-card.intercept - sum(parts.values())))
        verdicts |= {"decline"} if probability >= plan.decline_from else set()
        verdicts |= {"refer"} if probability >= plan.refer_from else set()
    if weight >= plan.lists.threshold or "decline" in verdicts:
        largest = sorted(plan.names, key=lambda name: -parts.get(name, 0.0))
        return "decline", set(largest[: plan.reasons])
    return ("refer" if verdicts or not met else "approve"), set()


def holding(folder: Path, name: str, columns: dict[str, list[Any]]) -> Holding:
    path = folder / f"{name}.parquet"
    kinds = {"id": pa.string(), "listed_on": pa.date32()}
    tables.write(path, pa.table({n: pa.array(held, kinds.get(n)) for n, held in columns.items()}))
    table = tables.Table.open(path)
    dates = "listed_on" if "listed_on" in columns else None
    return Holding(table, table.ids("id"), dates)


def held_by(folder: Path, of: World, name: str) -> Holding | None:
    rows = of.tables.get(name)
    if rows is None:
        return None
    names = list(next(iter(rows.values()))) if rows else []
    columns = {"id": list(rows), **{n: [row[n] for row in rows.values()] for n in names}}
    return holding(folder, name, columns)


def listed_by(folder: Path, of: World, name: str) -> Holding | None:
    if name not in of.lists:
        return None
    listed = of.lists[name]
    return holding(folder, f"list-{name}", {"id": list(listed), "listed_on": [*listed.values()]})


def brought_by(folder: Path, of: World, name: str, plan: Plan = PLAN) -> decision.Brought:
    """What a party that does not ask has read."""
    return decision.read(
        plan,
        name,
        listed=listed_by(folder, of, name) if name in plan.lists.weights else None,
        held=held_by(folder, of, name) if name in plan.owners else None,
    )


def play(
    folder: Path, of: World, plan: Plan = PLAN, card: Scorecard = CARD, **changes: Any
) -> dict[str, Any]:
    """What each party gets. ``changes`` replace a party's own part."""

    def bank(mesh: Mesh) -> decision.Outcomes:
        held = held_by(folder, of, "bank")
        brought = decision.read(plan, "bank", held=held, card=card)
        return decision.ask(mesh, plan, brought, rng=seeded("bank"))

    def other(mesh: Mesh) -> int:
        return decision.answer(mesh, plan, brought_by(folder, of, mesh.me, plan), rng=seeded("o"))

    parts: dict[str, Callable[[Mesh], Any]] = dict.fromkeys(plan.parties[1:], other)
    return run_mesh({"bank": bank, **parts, **changes})


def agree(found: decision.Outcomes, wanted: list[tuple[str, set[str]]], reasons: int) -> None:
    assert found.outcome == [outcome for outcome, _ in wanted]
    assert [set(names) for names in found.reasons] == [names for _, names in wanted]
    for names, (outcome, _) in zip(found.reasons, wanted, strict=True):
        assert len(names) == (reasons if outcome == "decline" else 0)


def test_the_decisions_are_those_in_the_open(tmp_path: Path) -> None:
    of = world()
    found = play(tmp_path, of)
    wanted = in_the_open(of, PLAN, CARD)
    agree(found.pop("bank"), wanted, 2)
    assert {outcome for outcome, _ in wanted} == {"approve", "refer", "decline"}
    met = [all(c in of.tables[owner] for owner in FEATURES) for c in of.tables["bank"]]
    assert {here for here, (_, names) in zip(met, wanted, strict=True) if names} == {True, False}
    assert found == dict.fromkeys(("tax", "lender", "insurer", "utility"), 40)


@pytest.mark.parametrize("reasons", [1, 3, 4])
def test_reasons_of_those_whom_no_owner_or_not_each_knows(tmp_path: Path, reasons: int) -> None:
    of = world(4)
    first = list(of.tables["bank"])
    for owner, unknown in (("tax", first[:20]), ("utility", first[10:30])):
        rows = of.tables[owner]
        some = next(iter(rows.values()))
        of.tables[owner] = {c: rows.get(c, some) for c in COMPANIES if c not in unknown}
    of.lists["tax"] |= dict.fromkeys(first, SINCE)
    plan = replace(PLAN, lists=replace(PLAN.lists, threshold=2), reasons=reasons)
    wanted = in_the_open(of, plan, CARD)
    assert {outcome for outcome, _ in wanted} == {"decline"}
    agree(play(tmp_path, of, plan)["bank"], wanted, reasons)


def test_another_scorecard_and_no_dates(tmp_path: Path) -> None:
    """Other weights and limits, the asker without features, entries of any day."""
    of = world(2)
    card = Scorecard(
        (
            Feature("kwh", "utility", 3.5e6, 2e6, 1.75),
            Feature("arrears", "tax", 1.0, 0.5, -0.125),
        ),
        intercept=0.4,
        bands=(Band("all", 0.0),),
    )
    plan = Plan(
        lists=Terms("bank", 2, {"tax": 1, "lender": 1}, "shares"),
        features={"utility": ("kwh",), "tax": ("arrears",)},
        refer_from=0.5,
        decline_from=0.75,
    )
    wanted = in_the_open(of, plan, card)
    assert {outcome for outcome, _ in wanted} == {"approve", "refer", "decline"}
    found = play(tmp_path, of, plan, card)
    agree(found["bank"], [(outcome, set()) for outcome, _ in wanted], 0)
    assert set(found) == {"bank", "tax", "lender", "utility"}


def test_few_applicants_and_empty_lists(tmp_path: Path) -> None:
    of = world(3)
    first = dict(list(of.tables["bank"].items())[:1])
    short = World({**of.tables, "bank": first}, {**of.lists, "insurer": {}})
    agree(play(tmp_path, short)["bank"], in_the_open(short, PLAN, CARD), 2)


def test_a_missing_value_is_named_before_anyone_is_called(tmp_path: Path) -> None:
    of = world()
    company = list(of.tables["tax"])[4]
    of.tables["tax"][company]["arrears"] = None
    with pytest.raises(DataError, match=r"tax.parquet.*'arrears': 1 of 53 rows have no value .*5"):
        brought_by(tmp_path, of, "tax")
    of = world()
    of.tables["tax"][company]["before"] = None
    with pytest.raises(DataError, match="column 'before': 1 of 53 rows have no value"):
        brought_by(tmp_path, of, "tax")
    of = world()
    of.tables["bank"][next(iter(of.tables["bank"]))]["overdraft"] = None
    with pytest.raises(DataError, match="column 'overdraft': 1 of 40 rows have no value"):
        decision.read(PLAN, "bank", held=held_by(tmp_path, of, "bank"), card=CARD)
    of = world()
    of.lists["insurer"]["C001"] = None  # type: ignore[assignment]
    with pytest.raises(DataError, match=r"column 'listed_on': 1 of \d+ rows have no date"):
        brought_by(tmp_path, of, "insurer")


def test_values_that_are_too_large_are_named(tmp_path: Path) -> None:
    """At the asker and in rules before anyone is called; an owner hears scales in the session."""
    of = world()
    of.tables["lender"]["C001"] = {"late_days": 2**19}
    with pytest.raises(
        DataError, match=r"'late_days': 1 of \d+ rows are beyond 262144 of .* unit, 1 \(row"
    ):
        brought_by(tmp_path, of, "lender")
    of = world()
    of.tables["bank"][next(iter(of.tables["bank"]))]["overdraft"] = 1e6
    with pytest.raises(DataError, match="'overdraft': 1 of 40 rows are more than 128 scales"):
        decision.read(PLAN, "bank", held=held_by(tmp_path, of, "bank"), card=CARD)
    of = world()
    company = list(of.tables["utility"])[7]
    of.tables["utility"][company]["kwh"] = 1e9
    with pytest.raises(DataError, match=r"'kwh': 1 of 54 rows are more than 128 scales .*\(row 8"):
        play(tmp_path, of)


def test_what_a_party_lacks_is_found_before_any_message(tmp_path: Path) -> None:
    of = world()
    tax, lender = held_by(tmp_path, of, "tax"), held_by(tmp_path, of, "lender")
    listed = listed_by(tmp_path, of, "tax")
    assert listed is not None
    check = partial(decision.read, PLAN)
    check("tax", listed=listed, held=tax)
    with pytest.raises(ConfigError, match="tax: a list is brought by holders"):
        check("tax", listed=None, held=tax)
    with pytest.raises(ConfigError, match="bank: a list is brought by holders"):
        check("bank", listed=listed, held=tax, card=CARD)
    with pytest.raises(ConfigError, match="tax: a table is brought by the asker and by owners"):
        check("tax", listed=listed, held=None)
    with pytest.raises(ConfigError, match="insurer: a table is brought"):
        check("insurer", listed=listed, held=tax)
    with pytest.raises(DataError, match="has no column 'growth'"):
        check("tax", listed=listed, held=lender)
    with pytest.raises(ConfigError, match="since 2024-03-01 count: name the list's column"):
        check("tax", listed=replace(listed, dates=None), held=tax)
    with pytest.raises(DataError, match="has no column 'listed'"):
        check("tax", listed=replace(listed, dates="listed"), held=tax)


def test_a_scorecard_that_is_not_the_jobs_is_refused(tmp_path: Path) -> None:
    bank = held_by(tmp_path, world(), "bank")
    assert bank is not None
    check = partial(decision.read, PLAN, listed=None, held=bank)
    check("bank", card=CARD)
    with pytest.raises(ConfigError, match="bank owns the weights"):
        check("bank")
    with pytest.raises(ConfigError, match="the scorecard has the features"):
        check("bank", card=replace(CARD, features=CARD.features[:3]))
    utility = held_by(tmp_path, world(), "utility")
    with pytest.raises(ConfigError, match="utility must not be given the scorecard"):
        decision.read(PLAN, "utility", listed=None, held=utility, card=CARD)
