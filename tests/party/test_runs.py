# SPDX-License-Identifier: Apache-2.0
"""Whole jobs as parties run them: real files, real sessions with TLS, one thread for each party."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from mpc.apps import companies
from mpc.errors import (
    ConfigError,
    DataError,
    ParameterMismatch,
    PeerUnreachable,
    PolicyError,
)
from mpc.net import tls
from mpc.party import config, jobs, runs
from tests.party.party_runs import ROWS, edit, one, play, rows_of


def test_a_blacklist_job_over_files(folder: Path) -> None:
    truth = companies.in_the_open(companies.write_demo(folder, ROWS, 5))
    reports = play(folder, "blacklist")
    rows = rows_of(folder / "bank" / "listed.csv")
    assert [row["id"] for row in rows] == list(truth)
    for row in rows:
        listed_by = truth[row["id"]].listed_by
        assert row["listed"] == str(bool(listed_by)).lower()
        for holder in companies.HOLDERS:
            assert row[f"listed_by_{holder}"] == str(holder in listed_by).lower()
    bank, tax = reports["bank"], reports["tax_office"]
    assert isinstance(bank, runs.Report)
    assert isinstance(tax, runs.Report)
    assert tax.output is None
    assert tax.findings == [f"{ROWS} ids were asked about"]
    assert bank.traffic["tax_office"].sent_bytes == tax.traffic["bank"].received_bytes > 0


def test_a_score_job_over_files(folder: Path) -> None:
    truth = companies.in_the_open(companies.write_demo(folder, ROWS, 5))
    reports = play(folder, "score")
    rows = {row["id"]: row for row in rows_of(folder / "bank" / "scores.csv")}
    assert list(rows) == list(truth)
    unscored = 0
    for code, answer in truth.items():
        if answer.probability is None:
            assert rows[code]["probability"] == rows[code]["band"] == ""
            unscored += 1
        else:
            assert float(rows[code]["probability"]) == pytest.approx(answer.probability, abs=1e-6)
            assert rows[code]["band"] == answer.band
    assert unscored
    bank = reports["bank"]
    assert isinstance(bank, runs.Report)
    assert bank.findings[0].startswith(f"{ROWS - unscored} companies scored: ")
    assert bank.findings[1].startswith(f"{unscored} not scored")
    assert "91990100" not in repr(reports)


def test_lists_of_other_lengths_under_one_bound_look_alike(folder: Path) -> None:
    job = folder / "blacklist.toml"
    job.write_text(job.read_text() + "pad_to = { tax_office = 300, bank = 200 }\n")
    listed = folder / "tax_office" / "offenders.csv"
    sent = []
    for _ in range(2):
        reports = play(folder, "blacklist")
        bank, tax = reports["bank"], reports["tax_office"]
        assert isinstance(bank, runs.Report), reports
        assert isinstance(tax, runs.Report), reports
        assert tax.findings == ["at most 200 ids were asked about"]
        sent.append(tax.traffic["bank"])
        (folder / "bank" / "listed.csv").unlink()
        listed.write_text("".join(listed.read_text().splitlines(keepends=True)[:-4]))
    assert sent[0] == sent[1]


def test_a_score_of_parties_with_bounds(folder: Path) -> None:
    truth = companies.in_the_open(companies.write_demo(folder, ROWS, 5))
    job = folder / "score.toml"
    job.write_text("pad_to = { tax_office = 300, bank = 150 }\n" + job.read_text())
    reports = play(folder, "score")
    assert all(isinstance(report, runs.Report) for report in reports.values()), reports
    for row in rows_of(folder / "bank" / "scores.csv"):
        answer = truth[row["id"]].probability
        if answer is None:
            assert row["probability"] == ""
        else:
            assert float(row["probability"]) == pytest.approx(answer, abs=1e-6)


@pytest.mark.parametrize(("kind", "name"), [("blacklist", "lender_b"), ("score", "tax_office")])
def test_more_ids_than_the_bound_are_found_before_anyone_is_called(
    folder: Path, kind: str, name: str
) -> None:
    job = folder / f"{kind}.toml"
    job.write_text(f"pad_to = {{ {name} = 3 }}\n" + job.read_text())
    with pytest.raises(ConfigError, match=rf"{name} has \d+ ids, more than the 3 of pad_to"):
        one(folder, name, kind)


def test_input_and_output_stand_in_for_those_of_the_file(folder: Path) -> None:
    original = (folder / "bank" / "applicants.csv").read_text().splitlines()
    (folder / "two.csv").write_text("\n".join(original[:3]) + "\n")

    def bank() -> runs.Report:
        mine = config.load(folder / "bank" / "party.toml")
        job = jobs.load(folder / "blacklist.toml")
        return runs.run(mine, job, input=folder / "two.csv", output=folder / "out.parquet", wait=10)

    play(folder, "blacklist", bank=bank)
    assert pyarrow.parquet.read_table(folder / "out.parquet").num_rows == 2
    assert not (folder / "bank" / "listed.csv").exists()


def test_ids_of_other_types_on_each_side_are_the_same_ids(folder: Path) -> None:
    """Digits in a CSV file, text and whole numbers in Parquet: no side waits for the other."""
    numbers = range(1_000, 1_000 + ROWS)
    listed = list(numbers)[::3]
    kinds = {"bank": None, "tax_office": None, "lender_b": pa.string(), "lender_c": pa.int64()}
    for name, kind in kinds.items():
        held = list(numbers) if name == "bank" else [*listed, 77]
        path = folder / name / ("ids.csv" if kind is None else "ids.parquet")
        if kind is None:
            path.write_text("\n".join(["id", *map(str, held)]) + "\n")
        else:
            text = held if kind == pa.int64() else [str(number) for number in held]
            pyarrow.parquet.write_table(pa.table({"id": pa.array(text, kind)}), path)
        (folder / name / "party.toml").write_text(_reads(folder / name / "party.toml", path.name))
    reports = play(folder, "blacklist")
    assert all(isinstance(report, runs.Report) for report in reports.values()), reports
    rows = rows_of(folder / "bank" / "listed.csv")
    assert [int(row["id"]) for row in rows] == list(numbers)
    for row in rows:
        for holder in companies.HOLDERS:
            assert row[f"listed_by_{holder}"] == str(int(row["id"]) in listed).lower()


def test_ids_of_a_type_that_is_none_are_refused_before_anyone_is_called(folder: Path) -> None:
    path = folder / "lender_b" / "ids.parquet"
    pyarrow.parquet.write_table(pa.table({"id": pa.array([1e3, 2e3])}), path)
    (folder / "lender_b" / "party.toml").write_text(
        _reads(folder / "lender_b" / "party.toml", path.name)
    )
    with pytest.raises(DataError, match="'id' holds numbers, but ids are text or whole numbers"):
        one(folder, "lender_b", "blacklist")


def _reads(party: Path, file: str) -> str:
    """The configuration with every dataset in ``file``, under ids of no scheme."""
    text = re.sub(r'file = "\w+\.(csv|parquet)"', f'file = "{file}"', party.read_text())
    return re.sub(r'id = \[.*\]\nidentifier = "uscc"', 'id = ["id"]', text)


@pytest.mark.parametrize("rows", [0, 1])
def test_short_lists(folder: Path, rows: int) -> None:
    for path in ("bank/applicants.csv", "tax_office/offenders.csv"):
        lines = (folder / path).read_text().splitlines()
        (folder / path).write_text("\n".join(lines[: rows + 1]) + "\n")
    for kind, name in (("blacklist", "listed"), ("score", "scores")):
        reports = play(folder, kind)
        assert all(isinstance(report, runs.Report) for report in reports.values()), reports
        assert len(rows_of(folder / "bank" / f"{name}.csv")) == rows


def test_parties_with_different_job_files_are_both_shown_both_values(folder: Path) -> None:
    (folder / "other").mkdir()
    other = folder / "other" / "score.toml"
    other.write_text((folder / "score.toml").read_text())
    edit(other, '"late_payments"', '"monthly_kwh"')

    def utility() -> runs.Report:
        mine = config.load(folder / "power_utility" / "party.toml")
        return runs.run(mine, jobs.load(other), wait=10)

    outcomes = play(folder, "score", power_utility=utility)
    # Whoever met the utility first; the third party may find both of them gone.
    told = [error for error in outcomes.values() if isinstance(error, ParameterMismatch)]
    assert isinstance(outcomes["power_utility"], ParameterMismatch), outcomes
    assert len(told) >= 2, outcomes
    for error in told:
        assert error.field == "features.power_utility"
        assert "monthly_kwh" in str(error)
        assert "late_payments" in str(error)
    assert not any(isinstance(outcome, runs.Report) for outcome in outcomes.values())
    assert not (folder / "bank" / "scores.csv").exists()


def test_a_peer_that_is_not_running(folder: Path) -> None:
    said: list[str] = []
    mine = config.load(folder / "lender_b" / "party.toml")
    job = jobs.load(folder / "blacklist.toml")
    with pytest.raises(PeerUnreachable, match="bank"):
        runs.run(mine, job, wait=2, notify=said.append)
    assert any(line.startswith("waiting for bank at 127.0.0.1:") for line in said)


def test_our_own_faults_are_found_before_anyone_is_called(folder: Path) -> None:
    (folder / "lonely").mkdir()
    tax = folder / "tax_office" / "party.toml"
    original = tax.read_text()

    edit(tax, 'id = ["taxpayer_code"]', 'id = ["tax_code"]')
    with pytest.raises(DataError, match=r"has no column 'tax_code'.*taxpayer_code"):
        one(folder, "tax_office", "score")
    tax.write_text(original)

    edit(folder / "score.toml", '"vat_growth"', '"vat_decline"')
    with pytest.raises(DataError, match="has no column 'vat_decline'"):
        one(folder, "tax_office", "score")
    with pytest.raises(ConfigError, match="vat_decline"):
        one(folder, "bank", "score")
    edit(folder / "score.toml", '"vat_decline"', '"vat_growth"')

    edit(tax, 'file = "taxpayers.parquet"', 'file = "nothing.parquet"')
    with pytest.raises(ConfigError, match="does not exist"):
        one(folder, "tax_office", "score")
    tax.write_text(original)

    edit(tax, 'data = "companies"', 'data = "firms"')
    with pytest.raises(ConfigError, match=r"jobs.score.data names 'firms'.*data.firms"):
        one(folder, "tax_office", "score")
    tax.write_text(original)

    edit(tax, 'identifier = "uscc"', 'identifier = "vat"')
    with pytest.raises(ConfigError, match="must be one of uscc, resident"):
        one(folder, "tax_office", "score")


def test_a_job_that_is_not_allowed_is_refused(folder: Path) -> None:
    utility = folder / "power_utility" / "party.toml"
    edit(utility, "[jobs.score]", "[jobs.blacklist]")
    with pytest.raises(PolicyError, match=r"no score job.*\[jobs.score\]"):
        one(folder, "power_utility", "score")
    with pytest.raises(ConfigError, match="has no part in this blacklist job"):
        one(folder, "power_utility", "blacklist")


def test_what_bank_must_say(folder: Path) -> None:
    bank = folder / "bank" / "party.toml"
    edit(bank, 'scorecard = "scorecard.json"\n', "")
    with pytest.raises(ConfigError, match="needs scorecard"):
        one(folder, "bank", "score")
    edit(bank, 'output = "scores.csv"', "")
    with pytest.raises(ConfigError, match="say where with --output"):
        one(folder, "bank", "score")
    edit(bank, '[jobs.blacklist]\ndata = "companies"', "[jobs.blacklist]")
    with pytest.raises(ConfigError, match=r"needs data = \"NAME\""):
        one(folder, "bank", "blacklist")


def test_a_key_of_another_party_is_refused(folder: Path) -> None:
    tls.make_identity("stranger", folder / "tax_office")
    edit(folder / "tax_office" / "party.toml", '"tax_office.key"', '"stranger.key"')
    with pytest.raises(ConfigError, match="key"):
        one(folder, "tax_office", "score")
