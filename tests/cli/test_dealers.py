# SPDX-License-Identifier: Apache-2.0
"""Parties as processes of their own, with correlations of a dealer, and of files made ahead."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mpc.apps import companies
from mpc.cli import demo, processes
from mpc.cli.app import app
from mpc.party import jobs
from tests.party.notaries import NOTARY, add_notary, dealt
from tests.party.party_runs import edit


def test_three_processes_score_with_what_a_fourth_deals(tmp_path: Path) -> None:
    inputs = companies.write_demo(tmp_path, 150, 3)
    demo.configure(tmp_path, inputs)
    add_notary(tmp_path)
    job = str(dealt(tmp_path, "score"))
    files = {
        name: str(tmp_path / name / "party.toml")
        for name in ("bank", "tax_office", "power_utility", NOTARY)
    }
    commands = {
        name: ["deal" if name == NOTARY else "score", file, job, "--wait", "60", "--json"]
        for name, file in files.items()
    }
    said: list[str] = []
    reports = processes.play(commands, lambda _, line: said.append(line))
    assert {name: report["kind"] for name, report in reports.items()} == {
        name: arguments[0] for name, arguments in commands.items()
    }
    assert reports[NOTARY]["findings"] == ["dealt until the others needed no more"]
    truth = companies.in_the_open(inputs)
    with (tmp_path / "bank" / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(truth)
    for row in rows:
        answer = truth[row["id"]].probability
        wanted = "" if answer is None else pytest.approx(answer, abs=1e-6)
        assert (row["probability"] and float(row["probability"])) == wanted

    def refused(*arguments: str) -> str:
        result = CliRunner().invoke(app, list(arguments))
        assert result.exit_code == 2, result.output
        return " ".join(result.output.split())

    assert "names us as its dealer: run mpc deal" in refused("score", files[NOTARY], job)
    assert "is a score job: run mpc score" in refused("deal", files["bank"], job)
    assert "has no part in this score job" in refused(
        "deal", files["bank"].replace("bank", "lender_b"), job
    )


def test_three_processes_score_with_what_they_made_ahead(tmp_path: Path) -> None:
    inputs = companies.write_demo(tmp_path, 150, 3)
    demo.configure(tmp_path, inputs)
    job = tmp_path / "score.toml"
    job.write_text('source = "file"\n' + job.read_text())
    parties = {name: tmp_path / name / "party.toml" for name in jobs.load(job).parties}
    for file in parties.values():
        edit(file, "[jobs.score]\n", '[jobs.score]\ntriples = "night.triples"\n')

    def play(command: str, *options: str) -> dict[str, dict[str, object]]:
        commands = {
            name: [command, str(file), str(job), "--wait", "60", "--json", *options]
            for name, file in parties.items()
        }
        return processes.play(commands, lambda *_: None)

    made = play("prepare", "--rows", "150")
    assert made["tax_office"]["output"] == str(tmp_path / "tax_office" / "night.triples")
    assert (tmp_path / "bank" / "night.triples").stat().st_mode & 0o077 == 0
    scored = play("score")
    assert "companies scored" in str(scored["bank"]["findings"])
