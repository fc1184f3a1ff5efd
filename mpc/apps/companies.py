# SPDX-License-Identifier: Apache-2.0
"""Made-up companies for the demo and the benchmarks, split into the files of five parties.

A hidden health of each company moves all that the parties see of it, so that scores, lists and
bands agree with each other as they would in life. Each party's file has its own columns, its own
companies (no party knows all of them) and its own order of rows; some codes at the power utility
are written in small letters, in full-width characters or with blanks around them, as an old system
does. The codes are well-formed but belong to a region that does not exist, so none is that of
a real company; likeness of a name is chance.

``in_the_open`` computes, from the files of all parties together, what the joint jobs must find. It
is written in plain Python over dictionaries and shares no code with them.
"""

from __future__ import annotations

import csv
import json
import math
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from mpc.apps import identifiers, tables
from mpc.apps.scorecard_file import Band, Feature, Scorecard
from mpc.errors import ConfigError

Column = NDArray[Any]
LISTS = {
    "tax_office": "tax_office/offenders.csv",
    "lender_b": "lender_b/defaulters.parquet",
    "lender_c": "lender_c/late_payers.csv",
}
HOLDERS = tuple(LISTS)

SCORECARD = Scorecard(
    features=(
        Feature("overdraft_share", "bank", 0.31, 0.2, 0.5),
        Feature("account_years", "bank", 4.0, 4.0, -0.2),
        Feature("arrears_months", "tax_office", 0.7, 1.2, 0.55),
        Feature("vat_growth", "tax_office", 0.03, 0.17, -0.35),
        Feature("invoice_volatility", "tax_office", 0.34, 0.17, 0.25),
        Feature("kwh_trend", "power_utility", 0.02, 0.145, -0.3),
        Feature("late_payments", "power_utility", 0.75, 1.05, 0.45),
    ),
    intercept=-2.6,
    bands=(Band("low", 0.0), Band("moderate", 0.05), Band("high", 0.2)),
)

DECISION: dict[str, Any] = {
    "refer_from": 0.12,
    "decline_from": 0.3,
    "reasons": 2,
    "threshold": 2,
    "since": "2023-01-01",
    "weights": {"tax_office": 2, "lender_b": 1, "lender_c": 1},
    "rule": {
        "name": "revenue fell by more than 30 %",
        "owner": "tax_office",
        "values": {"declared_revenue": 1.0, "revenue_year_before": -0.7},
        "unit": 10_000.0,
        "then": "decline",
    },
}
"""What the demo's joint decision is made by, beside the scorecard."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file that one party holds, and its column of company codes."""

    path: Path
    id_column: str


@dataclass(frozen=True, slots=True)
class Demo:
    """The files of a demo: ``tables`` by party for the score, ``lists`` by holder."""

    folder: Path
    tables: Mapping[str, Source]
    lists: Mapping[str, Source]
    scorecard: Path


def write_demo(
    folder: str | Path, rows: int = 20_000, seed: int = 1, *, applicants: int | None = None
) -> Demo:
    """Make up ``rows`` companies and write what each party holds to ``folder/PARTY``.

    ``applicants`` of them are customers who ask the bank for credit; all of them when not given.
    The same arguments give the same files.
    """
    wanted = rows if applicants is None else applicants
    if not 0 <= wanted <= rows:
        raise ConfigError(f"{wanted:,} applicants of {rows:,} companies; ask for fewer")
    generator = np.random.default_rng(seed)
    codes = np.array(identifiers.synthetic_credit_codes(generator, rows), dtype="U18")
    health = generator.standard_normal(rows)
    folder = Path(folder)
    sources: dict[str, Source] = {}

    def write(name: str, columns: dict[str, Column]) -> Source:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        tables.write(path, pa.table({key: pa.array(column) for key, column in columns.items()}))
        return Source(path, next(iter(columns)))

    asking = generator.permutation(rows)[:wanted]
    sources["bank"] = write("bank/applicants.csv", _bank(generator, codes, health, asking))
    known = _chosen(generator, np.full(rows, 0.96))
    sources["tax_office"] = write(
        "tax_office/taxpayers.parquet", _tax_office(generator, codes, health, known)
    )
    known = _chosen(generator, np.full(rows, 0.93))
    sources["power_utility"] = write(
        "power_utility/customers.csv", _power_utility(generator, codes, health, known)
    )
    lists = {name: write(path, _list(generator, codes, health)) for name, path in LISTS.items()}
    SCORECARD.save(folder / "bank" / "scorecard.json")
    return Demo(folder, sources, lists, folder / "bank" / "scorecard.json")


# --- what each party sees ----------------------------------------------------------------------


def _bank(
    generator: np.random.Generator, codes: Column, health: Column, rows: Column
) -> dict[str, Column]:
    count, well = len(rows), health[rows]
    overdraft = 1 / (1 + np.exp(1 + 0.7 * well + 0.7 * generator.standard_normal(count)))
    return {
        "credit_code": codes[rows],
        "company": _names(generator, count),
        "requested_amount": generator.integers(5, 500, count) * 10_000,
        "overdraft_share": np.round(overdraft, 3),
        "account_years": np.round(generator.exponential(4, count), 1),
    }


def _tax_office(
    generator: np.random.Generator, codes: Column, health: Column, rows: Column
) -> dict[str, Column]:
    count, well = len(rows), health[rows]
    growth = 0.03 + 0.08 * well + 0.15 * generator.standard_normal(count)
    revenue = np.round(generator.lognormal(14.5 + 0.3 * well, 1.1), 2)
    before = revenue / np.exp(0.05 + 0.1 * well + 0.2 * generator.standard_normal(count))
    return {
        "taxpayer_code": codes[rows],
        "declared_revenue": revenue,
        "revenue_year_before": np.round(before, 2),
        "vat_growth": np.round(np.maximum(growth, -1), 3),
        "arrears_months": np.minimum(generator.poisson(np.exp(-0.7 - 0.8 * well)), 36),
        "invoice_volatility": np.round(generator.lognormal(-1.2 - 0.25 * well, 0.4), 3),
        "years_registered": generator.integers(1, 26, count),
    }


def _power_utility(
    generator: np.random.Generator, codes: Column, health: Column, rows: Column
) -> dict[str, Column]:
    count, well = len(rows), health[rows]
    trend = 0.02 + 0.08 * well + 0.12 * generator.standard_normal(count)
    return {
        "customer_uscc": _as_an_old_system_writes(generator, codes[rows]),
        "monthly_kwh": np.round(generator.lognormal(9 + 0.2 * well, 1), 1),
        "kwh_trend": np.round(np.maximum(trend, -1), 3),
        "late_payments": np.minimum(generator.poisson(np.exp(-0.5 - 0.6 * well)), 24),
    }


def _list(generator: np.random.Generator, codes: Column, health: Column) -> dict[str, Column]:
    """A blacklist: some six in a hundred, the unhealthy ones first."""
    rows = _chosen(generator, 1 / (1 + np.exp(3.3 + 1.2 * health)))
    days = generator.integers(0, 2000, len(rows)).astype("timedelta64[D]")
    return {
        "credit_code": codes[rows],
        "listed_on": np.datetime_as_string(np.datetime64("2020-01-01") + days),
    }


def _chosen(generator: np.random.Generator, chances: Column) -> Column:
    """Rows drawn with these chances, in random order."""
    return generator.permutation(np.flatnonzero(generator.random(len(chances)) < chances))


_WIDE = {plain: plain + 0xFEE0 for plain in range(0x21, 0x7F)}
_HABITS: tuple[Callable[[str], str], ...] = (
    str.lower,
    lambda code: code.translate(_WIDE),
    lambda code: f"{code} ",
    lambda code: f"\u3000{code}",
)


def _as_an_old_system_writes(generator: np.random.Generator, codes: Column) -> Column:
    """Four in a hundred of ``codes`` in another form of the same code."""
    written = codes.astype("U20")
    for row in np.flatnonzero(generator.random(len(codes)) < 0.04):
        written[row] = _HABITS[generator.integers(len(_HABITS))](str(codes[row]))
    return written


_FIRST = np.array(["星河", "云杉", "北辰", "金穗", "远航", "明泰", "华诚", "瑞丰", "天衡", "青禾"])
_SECOND = np.array(["达", "盛", "源", "通", "嘉", "恒", "景", "锐", "和", "益"])
_TRADE = np.array(["机械", "纺织", "食品", "电子", "建材", "物流", "包装", "化工", "家具", "农业"])


def _names(generator: np.random.Generator, count: int) -> Column:
    first, second, trade = (
        words[generator.integers(len(words), size=count)] for words in (_FIRST, _SECOND, _TRADE)
    )
    named: Column = np.char.add(np.char.add(first, second), np.char.add(trade, "有限公司"))
    return named


# --- the answers, in the open ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """What is true of one applicant; ``probability`` and ``band`` are None for one not scored.

    ``reasons`` are the features that weigh most, for one declined.
    """

    listed_by: tuple[str, ...]
    probability: float | None
    band: str | None
    outcome: str
    reasons: frozenset[str] | None


def in_the_open(demo: Demo) -> dict[str, Answer]:
    """The answer for each applicant by its code in normal form, in the order of the bank's file."""
    card = json.loads(demo.scorecard.read_text("utf-8"))
    rows = {party: _rows(source) for party, source in demo.tables.items()}
    lists = {holder: _rows(source) for holder, source in demo.lists.items()}
    answers = {}
    for code in rows["bank"]:
        listed_by = tuple(holder for holder, listed in lists.items() if code in listed)
        probability, band = None, None
        weighed = _contributions(card, {p: held[code] for p, held in rows.items() if code in held})
        if all(code in held for held in rows.values()):
            probability = 1 / (1 + math.exp(-card["intercept"] - sum(weighed.values())))
            band = [b["name"] for b in card["bands"] if b["from"] <= probability][-1]
        outcome = _outcome(probability, rows, {h: lists[h].get(code) for h in lists}, code)
        reasons = None
        if outcome == "decline":
            largest = sorted(weighed, key=lambda name: -weighed[name])
            reasons = frozenset(largest[: DECISION["reasons"]])
        answers[code] = Answer(listed_by, probability, band, outcome, reasons)
    return answers


def _outcome(
    probability: float | None,
    rows: Mapping[str, dict[str, dict[str, Any]]],
    entries: Mapping[str, dict[str, Any] | None],
    code: str,
) -> str:
    """The decision on one company."""
    rule, weight = DECISION["rule"], 0
    for holder, entry in entries.items():
        if entry is not None and str(entry["listed_on"]) >= DECISION["since"]:
            weight += DECISION["weights"][holder]
    held = rows[rule["owner"]].get(code)
    fell = held is not None and sum(c * float(held[v]) for v, c in rule["values"].items()) < 0
    high = probability is not None and probability >= DECISION["decline_from"]
    if weight >= DECISION["threshold"] or fell or high:
        return "decline"
    return "refer" if probability is None or probability >= DECISION["refer_from"] else "approve"


def _rows(source: Source) -> dict[str, dict[str, Any]]:
    """The rows of a file by their code, all in memory."""
    if source.path.suffix == ".parquet":
        rows = pa.parquet.read_table(source.path).to_pylist()
    else:
        with source.path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    return {
        unicodedata.normalize("NFKC", row[source.id_column]).strip().upper(): row for row in rows
    }


def _contributions(card: dict[str, Any], rows: Mapping[str, dict[str, Any]]) -> dict[str, float]:
    """What each feature adds to the logit, owner after owner: nothing where the owner of it does
    not know the company."""
    return {
        feature["name"]: feature["weight"]
        * (float(rows[feature["owner"]][feature["name"]]) - feature["mean"])
        / feature["scale"]
        if feature["owner"] in rows
        else 0.0
        for feature in sorted(card["features"], key=lambda feature: feature["owner"])
    }
