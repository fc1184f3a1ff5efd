# SPDX-License-Identifier: Apache-2.0
"""Whole blacklist checks that name no list, as parties run them: real files, sessions with TLS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from mpc.apps import companies
from mpc.errors import ConfigError, DataError, ParameterMismatch, PeerAborted, PolicyError
from mpc.party import config, jobs, limit, read, runs
from mpc.protocols import lookup
from mpc.protocols.lookup import room
from mpc.protocols.query.limits import Refused
from tests.party.party_runs import ROWS, edit, one, play, rows_of

SINCE = "2023-01-01"
WEIGHTS = {"tax_office": 2, "lender_b": 1, "lender_c": 1}


def ask_for(folder: Path, *lines: str) -> None:
    """Let the blacklist job say ``lines`` too."""
    path = folder / "blacklist.toml"
    path.write_text(path.read_text() + "\n".join(lines) + "\n")


def listed_by(folder: Path, since: str | None = None) -> Mapping[str, list[str]]:
    """Who lists whom, in the open, by entries ``since`` then."""
    inputs = companies.write_demo(folder, ROWS, 5)
    truth = companies.in_the_open(inputs)
    if since is None:
        return {code: list(answer.listed_by) for code, answer in truth.items()}
    young: dict[str, list[str]] = {code: [] for code in truth}
    for name in companies.HOLDERS:
        granted = config.load(folder / name / "party.toml").grant("blacklist").data
        held = read.holding(granted, "blacklist", notify=lambda _: None)
        days = held.table.days("listed_on", held.rows)
        for code, day in zip(held.ids.array().to_pylist(), days, strict=True):
            if code in young and str(day) >= since:
                young[code].append(name)
    return young


def test_all_that_comes_out_is_whether_enough_lists_hold_an_id(folder: Path) -> None:
    ask_for(folder, "threshold = 2")
    truth = listed_by(folder)
    reports = play(folder, "blacklist")
    assert all(isinstance(report, runs.Report) for report in reports.values()), reports
    wanted = [{"id": c, "listed": str(len(names) >= 2).lower()} for c, names in truth.items()]
    assert rows_of(folder / "bank" / "listed.csv") == wanted
    hits = sum(row["listed"] == "true" for row in wanted)
    assert 0 < hits < ROWS
    bank = reports.pop("bank")
    assert isinstance(bank, runs.Report)
    assert bank.findings == [f"{hits} of {ROWS} ids are on 2 or more lists"]
    for report in reports.values():
        assert isinstance(report, runs.Report)
        assert report.output is None
        assert report.findings == [f"{ROWS} ids were asked about"]
    assert "91990100" not in repr((bank, reports))


def test_a_count_of_weighed_lists_by_young_entries(folder: Path) -> None:
    ask_for(folder, 'output = "count"', "weights = { tax_office = 2 }", f"since = {SINCE}")
    truth = listed_by(folder, SINCE)
    assert truth != listed_by(folder)
    reports = play(folder, "blacklist")
    assert all(isinstance(report, runs.Report) for report in reports.values()), reports
    counts = {code: sum(WEIGHTS[name] for name in names) for code, names in truth.items()}
    rows = rows_of(folder / "bank" / "listed.csv")
    assert rows == [{"id": code, "count": str(count)} for code, count in counts.items()]
    assert len(set(counts.values())) > 1
    bank = reports["bank"]
    assert isinstance(bank, runs.Report)
    assert bank.findings == [f"{sum(map(bool, counts.values()))} of {ROWS} ids are listed"]


def test_parties_with_different_job_files_are_both_shown_both_values(folder: Path) -> None:
    """One with another threshold; and one whose file asks for names, which meets the asker alone:
    whoever waits for it hears of that from the asker."""
    (folder / "other").mkdir()
    other = folder / "other" / "blacklist.toml"
    other.write_text((folder / "blacklist.toml").read_text())
    ask_for(folder, "threshold = 2")

    def lender() -> runs.Report:
        mine = config.load(folder / "lender_b" / "party.toml")
        return runs.run(mine, jobs.load(other), wait=10)

    for line, field in (("threshold = 3", "threshold"), ("", "output")):
        original = other.read_text()
        other.write_text(f"{original}{line}\n")
        outcomes = play(folder, "blacklist", lender_b=lender)
        other.write_text(original)
        assert not any(isinstance(outcome, runs.Report) for outcome in outcomes.values()), outcomes
        told = [error for error in outcomes.values() if isinstance(error, ParameterMismatch)]
        assert isinstance(outcomes["lender_b"], ParameterMismatch), outcomes
        assert len(told) >= 2, outcomes
        assert {error.field for error in told} == {field}
        assert not (folder / "bank" / "listed.csv").exists()


def test_a_holder_bounds_how_many_keys_it_answers(folder: Path) -> None:
    ask_for(folder, "threshold = 2")
    lender = folder / "lender_b" / "party.toml"
    edit(lender, "[jobs.blacklist]", f"[jobs.blacklist]\nmost_keys = {2 * room(ROWS) - 1}")
    first = play(folder, "blacklist")
    assert all(isinstance(report, runs.Report) for report in first.values()), first
    counted = json.loads((folder / "lender_b" / "party.keys.json").read_text())
    assert counted == {"evaluations": {"bank": room(ROWS)}}
    (folder / "bank" / "listed.csv").unlink()
    outcomes = play(folder, "blacklist")
    refused = outcomes.pop("lender_b")
    assert isinstance(refused, Refused), refused
    assert (refused.peer, refused.allowed) == ("bank", room(ROWS) - 1)
    for error in outcomes.values():
        assert isinstance(error, PeerAborted), outcomes
    assert not (folder / "bank" / "listed.csv").exists()
    assert json.loads((folder / "lender_b" / "party.keys.json").read_text()) == counted


def test_a_holder_that_says_no_bound_has_one_in_each_job(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_for(folder, "threshold = 2")
    monkeypatch.setattr(limit, "UNSAID_KEYS", ROWS)
    for _ in range(2):
        done = play(folder, "blacklist")
        assert all(isinstance(report, runs.Report) for report in done.values()), done
    monkeypatch.setattr(limit, "UNSAID_KEYS", ROWS // 2)
    outcomes = play(folder, "blacklist")
    refused = [error for error in outcomes.values() if isinstance(error, Refused)]
    assert refused, outcomes
    for error in refused:
        assert str(error) == (
            f"bank asks about more than {ROWS // 2} ids in one job, the most where our file does "
            "not say otherwise: most_keys in [jobs.blacklist]"
        )
    assert not list(folder.glob("*/party.keys.json"))


def test_by_default_a_job_asks_about_a_million_ids_and_not_more() -> None:
    grant = config.Grant(None, None, None, None, None, Path("counts"), None)
    for lookups in (1, 2):
        lookup.admit(limit.gate_of(grant, lookups=lookups), "bank", 1 << 20, lookups=lookups)
        with pytest.raises(Refused):
            lookup.admit(limit.gate_of(grant, lookups=lookups), "bank", 1 << 21, lookups=lookups)
    gate = limit.gate_of(grant)
    lookup.admit(gate, "bank", 1 << 19)
    lookup.admit(gate, "tax", 1 << 20)
    with pytest.raises(Refused):
        lookup.admit(gate, "bank", 1 << 20)


def test_a_bound_is_not_passed_over_in_silence(folder: Path) -> None:
    """The form that names holders counts nothing, so one that bounds takes no part in it."""
    edit(folder / "lender_b" / "party.toml", "[jobs.blacklist]", "[jobs.blacklist]\nmost_keys = 9")
    with pytest.raises(PolicyError, match="most_keys what is asked in blacklist jobs with a thres"):
        one(folder, "lender_b", "blacklist")


def test_our_own_faults_are_found_before_anyone_is_called(folder: Path) -> None:
    ask_for(folder, "threshold = 2", f"since = {SINCE}")
    lender = folder / "lender_b" / "party.toml"
    original = lender.read_text()
    edit(lender, 'dates = "listed_on"', "")
    with pytest.raises(ConfigError, match=f"since {SINCE} count: name the list's column of date"):
        one(folder, "lender_b", "blacklist")
    lender.write_text(original)
    edit(lender, 'dates = "listed_on"', 'dates = "since"')
    with pytest.raises(DataError, match=r"has no column 'since'.*listed_on"):
        one(folder, "lender_b", "blacklist")
    edit(folder / "bank" / "party.toml", 'output = "listed.csv"', "")
    with pytest.raises(ConfigError, match="say where with --output"):
        one(folder, "bank", "blacklist")
    mine, job = (
        config.load(folder / "tax_office" / "party.toml"),
        jobs.load(folder / "blacklist.toml"),
    )
    with pytest.raises(ConfigError, match="progress is kept of blacklist jobs without a threshold"):
        runs.run(mine, job, progress=folder / "progress")


@pytest.mark.parametrize("since", [None, SINCE])
def test_bounds_in_place_of_sizes(folder: Path, since: str | None) -> None:
    dated = [] if since is None else [f"since = {since}"]
    bounds = "pad_to = { tax_office = 150, bank = 130 }"
    ask_for(folder, "threshold = 2", *dated, bounds)
    truth = listed_by(folder, since)
    reports = play(folder, "blacklist")
    assert all(isinstance(report, runs.Report) for report in reports.values()), reports
    wanted = [{"id": c, "listed": str(len(names) >= 2).lower()} for c, names in truth.items()]
    assert rows_of(folder / "bank" / "listed.csv") == wanted
    tax = reports["tax_office"]
    assert isinstance(tax, runs.Report)
    assert tax.findings == ["at most 130 ids were asked about"]
    edit(folder / "blacklist.toml", "tax_office = 150", "tax_office = 1")
    with pytest.raises(ConfigError, match="do not fit the public bound of 1"):
        one(folder, "tax_office", "blacklist")
    edit(folder / "blacklist.toml", "bank = 130", "bank = 1")
    with pytest.raises(ConfigError, match="bank has 120 ids, more than the 1"):
        one(folder, "bank", "blacklist")
