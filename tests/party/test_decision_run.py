# SPDX-License-Identifier: Apache-2.0
"""Whole decisions as parties run them: real files, real sessions with TLS."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from mpc.apps import companies, tables
from mpc.cli import demo
from mpc.errors import ConfigError, DataError, ParameterMismatch, PeerAborted
from mpc.net.channel import Channel
from mpc.party import config, jobs, runs
from mpc.protocols.lookup import room
from mpc.protocols.query.limits import Refused
from tests.party.party_runs import ROWS, edit, one, play, rows_of


def test_a_decision_job_over_files(folder: Path) -> None:
    truth = companies.in_the_open(companies.write_demo(folder, ROWS, 5))
    reports = play(folder, "decision")
    rows = rows_of(folder / "bank" / "decisions.csv")
    assert [row["id"] for row in rows] == list(truth)
    assert [row["outcome"] for row in rows] == [answer.outcome for answer in truth.values()]
    assert {row["outcome"] for row in rows} == {"approve", "refer", "decline"}
    for row, answer in zip(rows, truth.values(), strict=True):
        if answer.outcome != "decline":
            assert row["reasons"] == ""
        else:
            assert set(row["reasons"].split("; ")) == answer.reasons
    bank, tax = reports.pop("bank"), reports["tax_office"]
    assert isinstance(bank, runs.Report)
    assert isinstance(tax, runs.Report)
    assert bank.output == str(folder / "bank" / "decisions.csv")
    assert bank.findings[0].startswith(f"{ROWS} applicants: ")
    assert bank.findings[0].endswith(" decline")
    assert tax.gave == jobs.load(folder / "decision.toml").gives("tax_office")
    for report in reports.values():
        assert isinstance(report, runs.Report)
        assert report.output is None
        assert report.findings == [f"{ROWS} applicants were decided on"]
    assert "91990100" not in repr((bank, reports))


def test_a_holder_counts_the_keys_of_an_asker_over_all_jobs(folder: Path) -> None:
    lender = folder / "lender_b" / "party.toml"
    edit(lender, "[jobs.decision]", f"[jobs.decision]\nmost_keys = {2 * room(ROWS) - 1}")
    first = play(folder, "decision")
    assert all(isinstance(report, runs.Report) for report in first.values()), first
    counted = json.loads((folder / "lender_b" / "party.keys.json").read_text())
    assert counted == {"evaluations": {"bank": room(ROWS)}}
    (folder / "bank" / "decisions.csv").unlink()
    outcomes = play(folder, "decision")
    refused = outcomes.pop("lender_b")
    assert isinstance(refused, Refused), refused
    assert (refused.peer, refused.allowed) == ("bank", room(ROWS) - 1)
    assert str(refused) == (
        f"bank asks for more than we allow: most_keys = {2 * room(ROWS) - 1} in our file, of which "
        f"{room(ROWS) - 1} are left"
    )
    assert refused.__notes__ == [
        f"{ROWS} keys count as {room(ROWS)}, since a dishonest asker could ask that many"
    ]
    for error in outcomes.values():
        assert isinstance(error, PeerAborted), outcomes
    assert not (folder / "bank" / "decisions.csv").exists()
    assert json.loads((folder / "lender_b" / "party.keys.json").read_text()) == counted


def test_a_holder_that_gives_no_keys_at_all(folder: Path) -> None:
    edit(folder / "lender_c" / "party.toml", "[jobs.decision]", "[jobs.decision]\nmost_keys = 0")
    outcomes = play(folder, "decision")
    refused = outcomes["lender_c"]
    assert isinstance(refused, Refused)
    assert "most_keys = 0 in our file, of which 0 are left" in str(refused)
    assert not any(isinstance(outcome, runs.Report) for outcome in outcomes.values())
    edit(folder / "lender_c" / "party.toml", "most_keys = 0", "most_keys = -1")
    with pytest.raises(ConfigError, match=r"jobs\.decision\.most_keys must be 0 or more, not -1"):
        one(folder, "lender_c", "decision")


def test_a_holder_with_an_older_job_file_refuses_before_anything_is_sent(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, sent = Channel.put, set()

    def recorded(self: Channel, frame: bytes) -> None:
        sent.add(frame[2 : 2 + frame[1]].decode())
        put(self, frame)

    monkeypatch.setattr(Channel, "put", recorded)
    (folder / "old").mkdir()
    old = folder / "old" / "decision.toml"
    shutil.copy(folder / "decision.toml", old)
    edit(old, "threshold = 2", "threshold = 3")
    stages: list[str] = []

    def lender() -> runs.Report:
        mine = config.load(folder / "lender_b" / "party.toml")
        return runs.run(mine, jobs.load(old), wait=10, notify=stages.append)

    outcomes = play(folder, "decision", lender_b=lender)
    refused = outcomes["lender_b"]
    assert isinstance(refused, ParameterMismatch), outcomes
    assert refused.field == "lists.threshold"
    assert "answering" not in stages
    assert sent == {"mpc.v1.Hello"}  # of any party
    told = [error for error in outcomes.values() if isinstance(error, ParameterMismatch)]
    assert len(told) >= 2, outcomes
    assert not any(isinstance(outcome, runs.Report) for outcome in outcomes.values())
    assert not (folder / "bank" / "decisions.csv").exists()


def test_our_own_faults_are_found_before_anyone_is_called(folder: Path) -> None:
    tax, lender = (folder / name / "party.toml" for name in ("tax_office", "lender_b"))
    originals = {path: path.read_text() for path in (tax, lender)}

    edit(lender, 'list = "blacklist"', "")
    with pytest.raises(ConfigError, match=r'\[jobs.decision\] needs list = "NAME"'):
        one(folder, "lender_b", "decision")
    lender.write_text(originals[lender])
    edit(lender, 'list = "blacklist"', 'list = "defaulters"')
    with pytest.raises(ConfigError, match=r"jobs.decision.list names 'defaulters'"):
        one(folder, "lender_b", "decision")
    lender.write_text(originals[lender])
    edit(lender, 'dates = "listed_on"', "")
    with pytest.raises(ConfigError, match="since 2023-01-01 count: name the list's column of date"):
        one(folder, "lender_b", "decision")
    lender.write_text(originals[lender])
    edit(lender, 'dates = "listed_on"', 'dates = "since"')
    with pytest.raises(DataError, match=r"has no column 'since'.*listed_on"):
        one(folder, "lender_b", "decision")

    edit(tax, '[jobs.decision]\ndata = "companies"', "[jobs.decision]")
    with pytest.raises(ConfigError, match=r'\[jobs.decision\] needs data = "NAME"'):
        one(folder, "tax_office", "decision")
    tax.write_text(originals[tax])
    job = folder / "decision.toml"
    edit(job, "revenue_year_before", "revenue_then")
    with pytest.raises(DataError, match="has no column 'revenue_then'"):
        one(folder, "tax_office", "decision")


def test_counts_that_cannot_be_read_are_found_before_anyone_is_called(folder: Path) -> None:
    lender = folder / "lender_b" / "party.toml"
    edit(lender, "[jobs.decision]", "[jobs.decision]\nmost_keys = 1000")
    (folder / "lender_b" / "party.keys.json").write_text('{"evaluations": [')
    stages: list[str] = []
    with pytest.raises(ConfigError, match=r"cannot read the counts in .*party\.keys\.json"):
        one(folder, "lender_b", "decision", notify=stages.append)
    assert stages == ["reading its table"]


def test_bad_rows_are_found_before_anyone_is_called(folder: Path) -> None:
    stages: list[str] = []

    def refused(name: str, file: str, column: str, value: object, match: str) -> None:
        path = folder / name / file
        table = parquet.read_table(path)
        place = table.column_names.index(column)
        cells = [value, *table[column].to_pylist()[1:]]
        parquet.write_table(table.set_column(place, column, pa.array(cells)), path)
        with pytest.raises(DataError, match=rf"{column!r}: 1 of .* {match}"):
            one(folder, name, "decision", notify=stages.append)

    refused("lender_b", "defaulters.parquet", "listed_on", None, "rows have no date")
    revenue = "declared_revenue"
    refused("tax_office", "taxpayers.parquet", revenue, 1e12, "beyond 262144 of their rule's unit")
    refused("tax_office", "taxpayers.parquet", revenue, None, "rows have no value")
    assert set(stages) == {"reading its table"}


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("bank", "applicants.csv"),
        ("tax_office", "taxpayers.parquet"),
        ("lender_b", "defaulters.parquet"),
    ],
)
def test_an_id_twice_is_found_before_anyone_is_called(folder: Path, name: str, file: str) -> None:
    """Of the applicants, of a table of features, or on a list."""
    path = folder / name / file
    rows = parquet.read_table(path) if path.suffix == ".parquet" else csv.read_csv(path)
    tables.write(path, pa.concat_tables([rows, rows.slice(3, 1)]))
    stages: list[str] = []
    with pytest.raises(DataError, match=rf"{file}.*: 1 of .* have the id of an earlier row"):
        one(folder, name, "decision", notify=stages.append)
    assert stages == ["reading its table"]


def test_what_the_bank_must_say(folder: Path) -> None:
    bank, job = folder / "bank" / "party.toml", folder / "decision.toml"
    original = job.read_text()
    edit(job, '"vat_growth"', '"declared_revenue"')
    with pytest.raises(ConfigError, match="the scorecard has the features"):
        one(folder, "bank", "decision")
    job.write_text(original)
    edit(bank, 'scorecard = "scorecard.json"\noutput = "decisions.csv"', "")
    with pytest.raises(ConfigError, match="say where with --output"):
        one(folder, "bank", "decision")
    edit(bank, "[jobs.decision]", '[jobs.decision]\noutput = "decisions.csv"')
    with pytest.raises(ConfigError, match=r"bank owns the weights: \[jobs.decision\] needs sco"):
        one(folder, "bank", "decision")


BOUNDS = (
    "pad_to = { bank = 130, tax_office = 180, power_utility = 140, lender_b = 60, lender_c = 70 }"
)


def test_bounds_in_place_of_sizes(tmp_path: Path) -> None:
    """Two runs of other numbers of ids, at every party, pass as many messages of as many bytes, and
    have the right outcomes."""
    passed, sizes = [], []
    for rows in (ROWS, ROWS // 2):
        folder = tmp_path / str(rows)
        folder.mkdir()
        inputs = companies.write_demo(folder, rows, 5)
        truth = companies.in_the_open(inputs)
        files = [*inputs.tables.values(), *inputs.lists.values()]
        sizes.append([len(tables.Table.open(each.path).ids(each.id_column)) for each in files])
        demo.configure(folder, inputs)
        job = folder / "decision.toml"
        job.write_text(f"{BOUNDS}\n{job.read_text()}")
        reports = play(folder, "decision")
        assert all(isinstance(report, runs.Report) for report in reports.values()), reports
        out = rows_of(folder / "bank" / "decisions.csv")
        assert [row["id"] for row in out] == list(truth)
        assert [row["outcome"] for row in out] == [answer.outcome for answer in truth.values()]
        told = {name: report.findings[0] for name, report in reports.items()}
        assert told["tax_office"] == told["lender_b"] == "at most 130 applicants were decided on"
        passed.append({name: report.traffic for name, report in reports.items()})
    assert passed[0] == passed[1]
    assert all(one != other for one, other in zip(*sizes, strict=True)), sizes
    job = tmp_path / str(ROWS) / "decision.toml"
    for name, bound in (("bank", 130), ("tax_office", 180), ("lender_b", 60)):
        text = job.read_text()
        job.write_text(text.replace(f"{name} = {bound},", f"{name} = 2,"))
        with pytest.raises(ConfigError, match=r"more than the 2 of pad_to|public bound of 2"):
            one(job.parent, name, "decision")
        job.write_text(text)
