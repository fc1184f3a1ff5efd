# SPDX-License-Identifier: Apache-2.0
"""Scores and decisions whose correlations a dealer makes: files, sessions with TLS, and words."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from mpc.apps import companies
from mpc.errors import ConfigError, MpcError, ParameterMismatch, PolicyError
from mpc.net.channel import Channel
from mpc.party import config, jobs, runs
from tests.party.notaries import NOTARY, add_notary, dealt
from tests.party.party_runs import ROWS, edit, one, play, rows_of


@pytest.fixture
def dealing(folder: Path) -> Path:
    add_notary(folder)
    return folder


def all_done(reports: dict[str, object]) -> dict[str, runs.Report]:
    done = {name: r for name, r in reports.items() if isinstance(r, runs.Report)}
    assert set(done) == set(reports), reports
    return done


def test_a_score_with_a_dealer(dealing: Path) -> None:
    truth = companies.in_the_open(companies.write_demo(dealing, ROWS, 5))
    dealt(dealing, "score", "reasons = 1")
    reports = all_done(play(dealing, "score"))
    for row in rows_of(dealing / "bank" / "scores.csv"):
        answer = truth[row["id"]].probability
        if answer is None:
            assert row["probability"] == ""
        else:
            assert float(row["probability"]) == pytest.approx(answer, abs=1e-6)
    notary = reports[NOTARY]
    assert notary.output is None
    assert notary.findings == ["dealt until the others needed no more"]
    assert set(notary.traffic) == {"bank", "tax_office", "power_utility"}
    # The first party gets corrections; the others get a seed, and ask.
    first, *rest = sorted(notary.traffic.values(), key=lambda passed: -passed.sent_bytes)
    assert first.sent_bytes > 10 * max(passed.sent_bytes for passed in rest)


def test_a_decision_with_a_dealer(dealing: Path) -> None:
    truth = companies.in_the_open(companies.write_demo(dealing, ROWS, 5))
    dealt(dealing, "decision")
    reports = all_done(play(dealing, "decision"))
    rows = rows_of(dealing / "bank" / "decisions.csv")
    assert [row["outcome"] for row in rows] == [answer.outcome for answer in truth.values()]
    assert reports["lender_b"].findings == [f"{ROWS} applicants were decided on"]
    assert reports[NOTARY].gave == "random numbers that fit together, to each party its share"


@pytest.mark.parametrize("output", ["probability", "band"])
def test_nobody_to_score_leaves_no_dealer_waiting(dealing: Path, output: str) -> None:
    applicants = dealing / "bank" / "applicants.csv"
    applicants.write_text(applicants.read_text().splitlines()[0] + "\n")
    dealt(dealing, "score", f'output = "{output}"')
    all_done(play(dealing, "score"))
    assert rows_of(dealing / "bank" / "scores.csv") == []


def test_what_a_dealer_reads_is_no_input(dealing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that reaches it, of two jobs over other values of the same companies, is the same."""
    seen: list[bytes] = []
    recv = Channel.recv

    def noted(self: Channel, kind: type) -> object:
        message = recv(self, kind)
        if kind.__name__ in ("DealerHello", "CorrelationRequest"):
            seen.append(self.peer.encode() + message.SerializeToString(deterministic=True))
        return message

    dealt(dealing, "score", 'output = "decision"', "threshold = 0.2")
    monkeypatch.setattr(Channel, "recv", noted)
    customers = dealing / "power_utility" / "customers.csv"
    views, results = [], []
    for values in ({}, {"late_payments": "3", "kwh_trend": "-0.4"}):
        held = rows_of(customers)
        with customers.open("w", newline="") as file:
            writer = csv.DictWriter(file, held[0])
            writer.writeheader()
            writer.writerows(row | values for row in held)
        all_done(play(dealing, "score"))
        views.append(sorted(seen))
        seen.clear()
        results.append(rows_of(dealing / "bank" / "scores.csv"))
    assert views[0] == views[1]
    assert len(views[0]) > 10
    assert results[0] != results[1]


def test_a_dealer_that_did_not_agree_to_deal_refuses(dealing: Path) -> None:
    dealt(dealing, "score")
    edit(dealing / NOTARY / "party.toml", "[jobs.deal]", "")
    with pytest.raises(PolicyError, match=r"notary takes part in no deal job.*\[jobs.deal\]"):
        one(dealing, NOTARY, "score")


def test_parties_that_disagree_on_the_source(dealing: Path) -> None:
    (dealing / "other").mkdir()
    other = dealing / "other" / "score.toml"
    other.write_text((dealing / "score.toml").read_text())
    dealt(dealing, "score")

    def tax_office() -> runs.Report:
        mine = config.load(dealing / "tax_office" / "party.toml")
        return runs.run(mine, jobs.load(other), wait=3)

    outcomes = play(dealing, "score", tax_office=tax_office)
    assert all(isinstance(outcome, MpcError) for outcome in outcomes.values()), outcomes
    mismatch = outcomes["tax_office"]
    assert isinstance(mismatch, ParameterMismatch), outcomes
    assert mismatch.field in ("source", "dealer")


@pytest.mark.parametrize("kind", ["score", "decision"])
@pytest.mark.parametrize("named", ["bank", "tax_office"])
def test_a_computing_party_is_no_dealer(dealing: Path, kind: str, named: str) -> None:
    job = dealt(dealing, kind)
    edit(job, f'dealer = "{NOTARY}"', f'dealer = "{named}"')
    with pytest.raises(ConfigError, match=f"dealer names '{named}', who computes"):
        jobs.load(job)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('source = "bank"', "source must be one of vole, dealer"),
        ('source = "dealer"', "dealer is missing"),
        ('dealer = "notary"', 'dealer is of source = "dealer"'),
        ('source = "dealer"\ndealer = "Notary"', "'Notary' cannot be a party's name"),
        ('form = "paillier"\nsource = "dealer"\ndealer = "notary"', "source is not used by form"),
    ],
)
def test_faults_of_a_source(folder: Path, lines: str, words: str) -> None:
    job = folder / "score.toml"
    job.write_text(f"{lines}\n{job.read_text()}")
    with pytest.raises(ConfigError, match=words):
        jobs.load(job)


@pytest.mark.parametrize("kind", ["score", "decision"])
def test_the_job_says_who_makes_the_correlations(folder: Path, kind: str) -> None:
    plain = jobs.load(folder / f"{kind}.toml")
    assert any("no third party is trusted" in line for line in plain.terms())
    job = jobs.load(dealt(folder, kind))
    assert job.parties == (*plain.parties, NOTARY)
    assert job.meets(NOTARY) == plain.parties
    (line,) = (line for line in job.terms() if NOTARY in line)
    assert line.startswith("notary makes the random numbers that the others compute with, and sees")
    assert "notary together with any one of them could read what all of them put in" in line
    assert "which steps are done" in job.learns(NOTARY)
    assert job.never(NOTARY).endswith("unless one of the others helps it")
    assert NOTARY not in job.learns("bank")
    paillier = folder / "score.toml"
    paillier.write_text('form = "paillier"\n' + paillier.read_text().split("\n", 2)[2])
    if kind == "score":
        assert not any("random numbers" in line for line in jobs.load(paillier).terms())
