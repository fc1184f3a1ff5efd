# SPDX-License-Identifier: Apache-2.0
"""Scores and decisions with correlations that the parties made ahead: files that serve one job."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mpc.apps import alignment, companies, rehearsal
from mpc.apps.score_results import Wanted
from mpc.errors import ConfigError, MpcError, ParameterMismatch, PeerAborted, WrongPassphrase
from mpc.net import tls
from mpc.party import config, jobs, runs
from mpc.protocols import scoring
from mpc.protocols.scoring import shares
from mpc.protocols.triples import TooFew, Triples, kinds, vole
from mpc.testing import run_mesh, seeded
from tests.party.party_runs import ROWS, edit, one, play, rows_of


def named(folder: Path, kind: str, *lines: str) -> jobs.Job:
    """Let the job take its correlations from files, and every party have one."""
    job = folder / f"{kind}.toml"
    job.write_text("\n".join(['source = "file"', *lines, ""]) + job.read_text())
    for name in jobs.load(job).parties:
        table = f"[jobs.{kind}]\n"
        edit(folder / name / "party.toml", table, f'{table}triples = "{kind}.triples"\n')
    return jobs.load(job)


def prepare(folder: Path, job: jobs.Job, rows: int) -> dict[str, object]:
    """What each party's preparation came to."""

    def party(name: str) -> object:
        try:
            mine = config.load(folder / name / "party.toml")
            return runs.prepare(mine, job, rows, wait=20)
        except MpcError as error:
            return error

    with ThreadPoolExecutor(len(job.parties)) as pool:
        return dict(zip(job.parties, pool.map(party, job.parties), strict=True))


def all_done(reports: dict[str, object]) -> dict[str, runs.Report]:
    done = {name: r for name, r in reports.items() if isinstance(r, runs.Report)}
    assert set(done) == set(reports), reports
    return done


SCORES = {
    "probability": ("reasons = 2",),
    "band": ('output = "band"',),
    "decision": ('output = "decision"', "threshold = 0.2"),
}


@pytest.mark.parametrize("output", SCORES)
def test_a_score_out_of_files_which_serve_once(folder: Path, output: str) -> None:
    truth = companies.in_the_open(companies.write_demo(folder, ROWS, 5))
    job = named(folder, "score", *SCORES[output])
    made = all_done(prepare(folder, job, ROWS))
    assert made["bank"].findings == [f"made for up to {ROWS} rows; they serve one job"]
    assert made["bank"].output == str(folder / "bank" / "score.triples")
    before = (folder / "bank" / "score.triples").read_bytes()
    all_done(play(folder, "score"))
    for row in rows_of(folder / "bank" / "scores.csv"):
        answer = truth[row["id"]]
        if answer.probability is None:
            assert row[output] == ""
        elif output == "probability":
            assert float(row[output]) == pytest.approx(answer.probability, abs=1e-6)
        else:
            wanted = {"band": answer.band, "decision": str(answer.probability >= 0.2).lower()}
            assert row[output] == wanted[output]
    # Again, and with one party's file put back from a copy: nothing is used twice.
    assert (folder / "bank" / "score.triples").read_bytes() != before
    for _ in range(2):
        refused = play(folder, "score")
        assert all(isinstance(error, MpcError) for error in refused.values()), refused
        told = [error for error in refused.values() if isinstance(error, ConfigError)]
        assert told, refused
        for error in told:
            assert "was used before, here or by a peer" in str(error)
            assert "run mpc prepare PARTY.toml JOB.toml --rows N" in error.__notes__[0]
        (folder / "bank" / "score.triples").write_bytes(before)


def test_a_decision_out_of_files(folder: Path) -> None:
    truth = companies.in_the_open(companies.write_demo(folder, ROWS, 5))
    job = named(folder, "decision")
    all_done(prepare(folder, job, ROWS))
    reports = all_done(play(folder, "decision"))
    rows = rows_of(folder / "bank" / "decisions.csv")
    assert [row["outcome"] for row in rows] == [answer.outcome for answer in truth.values()]
    assert reports["lender_b"].findings == [f"{ROWS} applicants were decided on"]


def test_a_file_of_another_job_is_refused_and_stays_of_use_for_its_own(folder: Path) -> None:
    job, file = named(folder, "score"), folder / "score.toml"
    all_done(prepare(folder, job, ROWS))
    before, wording = (folder / "bank" / "score.triples").read_bytes(), file.read_text()
    file.write_text(f'output = "band"\n{wording}')
    refused = play(folder, "score")
    told = [error for error in refused.values() if isinstance(error, ConfigError)]
    assert told, refused
    assert all("among others or for another job" in str(error) for error in told)
    assert (folder / "bank" / "score.triples").read_bytes() == before
    file.write_text(wording)
    all_done(play(folder, "score"))


def test_more_rows_than_were_prepared(folder: Path) -> None:
    """The score of too many is refused with the file unused, which serves one of fewer then."""
    job, asked = named(folder, "score"), folder / "bank" / "applicants.csv"
    all_done(prepare(folder, job, ROWS // 4))
    files = [folder / name / "score.triples" for name in job.parties]
    before = [file.read_bytes() for file in files]
    refused = play(folder, "score")
    told = [error for error in refused.values() if isinstance(error, TooFew)]
    assert told, refused
    assert all(isinstance(error, TooFew | PeerAborted) for error in refused.values()), refused
    for error in told:
        assert error.held == ROWS // 4 < error.needed <= ROWS
        said = f"made ahead for up to {ROWS // 4} rows, and {error.needed} are needed"
        assert said in str(error)
        assert error.__notes__[0].endswith(f"mpc prepare PARTY.toml JOB.toml --rows {error.needed}")
        assert "score.triples is unused" in error.__notes__[0]
    assert not (folder / "bank" / "scores.csv").exists()
    assert [file.read_bytes() for file in files] == before
    asked.write_text("\n".join(asked.read_text().splitlines()[: ROWS // 4]) + "\n")
    all_done(play(folder, "score"))


def test_more_applicants_than_were_prepared(folder: Path) -> None:
    """The asker knows before it says how many it has: nothing is used, or counted."""
    job = named(folder, "decision")
    lender = folder / "lender_b" / "party.toml"
    edit(lender, "[jobs.decision]", "[jobs.decision]\nmost_keys = 1000")
    all_done(prepare(folder, job, ROWS - 1))
    before = (folder / "lender_b" / "decision.triples").read_bytes()
    refused = play(folder, "decision")
    bank = refused.pop("bank")
    assert isinstance(bank, TooFew), bank
    assert (bank.held, bank.needed) == (ROWS - 1, ROWS)
    assert all(isinstance(error, PeerAborted) for error in refused.values()), refused
    assert (folder / "lender_b" / "decision.triples").read_bytes() == before
    assert not (folder / "lender_b" / "party.keys.json").exists()


def test_too_few_for_a_bound_are_not_made(folder: Path) -> None:
    job = named(folder, "decision", "pad_to = { bank = 150, lender_c = 70 }")
    bank = config.load(folder / "bank" / "party.toml")
    with pytest.raises(ConfigError, match=r"by pad_to .* there may be 150, .* with --rows 150"):
        runs.prepare(bank, job, 149, wait=0.5)
    # Those in common are not more than the fewest that a party can have.
    job = named(folder, "score", "pad_to = { bank = 150, tax_office = 140 }")
    bank = config.load(folder / "bank" / "party.toml")
    with pytest.raises(ConfigError, match=r"by pad_to .* there may be 140, .* with --rows 140"):
        runs.prepare(bank, job, 139, wait=0.5)


def test_a_bound_that_is_not_the_receivers_asks_for_no_preparation_of_its_size(
    folder: Path,
) -> None:
    """Bank and power utility have no more than 120 ids, whatever the tax office shows."""
    job = named(folder, "score", "pad_to = { tax_office = 400 }")
    all_done(prepare(folder, job, ROWS))
    all_done(play(folder, "score"))


def test_a_score_with_bounds_is_refused_before_an_id_is_compared(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files were made for fewer rows than there may be, though as many as there are."""
    job = named(folder, "score", "pad_to = { bank = 150 }")
    with monkeypatch.context() as patched:
        patched.setattr(runs, "_most_rows", lambda _: None)
        all_done(prepare(folder, job, ROWS))
    files = [folder / name / "score.triples" for name in job.parties]
    before, aligned = [file.read_bytes() for file in files], []
    for role in ("leader", "follower"):
        monkeypatch.setattr(alignment, role, lambda *_, **__: aligned.append(1))
    refused = play(folder, "score")
    told = [error for error in refused.values() if isinstance(error, TooFew)]
    assert told, refused
    assert {(error.held, error.needed) for error in told} == {(ROWS, 150)}
    assert all(isinstance(error, TooFew | PeerAborted) for error in refused.values()), refused
    assert not aligned
    assert [file.read_bytes() for file in files] == before


def test_what_is_wrong_with_a_file_is_found_before_anyone_is_called(folder: Path) -> None:
    job = named(folder, "score")
    tax = folder / "tax_office"
    with pytest.raises(ConfigError, match=r"score.triples does not exist: all parties .*mpc prepa"):
        one(folder, "tax_office", "score")
    (tax / "score.triples").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"score\.triples exists: all parties remove theirs"):
        runs.prepare(config.load(tax / "party.toml"), job, 5, wait=0.5)
    edit(tax / "party.toml", 'triples = "score.triples"\n', "")
    with pytest.raises(ConfigError, match=r'needs triples = "FILE" in \[jobs.score\]'):
        one(folder, "tax_office", "score")


def test_only_jobs_that_say_so_are_prepared(folder: Path) -> None:
    mine = config.load(folder / "bank" / "party.toml")
    for kind in ("score", "decision", "blacklist"):
        with pytest.raises(ConfigError, match='with source = "file"'):
            runs.prepare(mine, jobs.load(folder / f"{kind}.toml"), 5)
    lender, job = config.load(folder / "lender_b" / "party.toml"), jobs.load(folder / "score.toml")
    with pytest.raises(ConfigError, match="has no part in this score job"):
        runs.prepare(lender, job, 5)


def test_parties_that_prepare_other_numbers_of_rows_or_play_meanwhile(folder: Path) -> None:
    job = named(folder, "score")

    def party(name: str) -> object:
        try:
            mine = config.load(folder / name / "party.toml")
            return runs.prepare(mine, job, 7 if name == "bank" else 8, wait=3)
        except MpcError as error:
            return error

    with ThreadPoolExecutor(3) as pool:
        errors = list(pool.map(party, job.parties))
    mismatches = [error for error in errors if isinstance(error, ParameterMismatch)]
    assert {error.field for error in mismatches} == {"prepares"}, errors
    assert not list(folder.glob("*/score.triples"))


def test_a_file_opens_under_the_key_of_its_party_alone(folder: Path) -> None:
    job = named(folder, "score")
    all_done(prepare(folder, job, 10))
    bank = config.load(folder / "bank" / "party.toml")
    (folder / "bank" / "bank.key").unlink()
    (folder / "bank" / "bank.crt").unlink()
    tls.make_identity("bank", folder / "bank")
    for name in ("tax_office", "power_utility"):
        (folder / name / "bank.crt").write_bytes((folder / "bank" / "bank.crt").read_bytes())
    assert config.load(folder / "bank" / "party.toml").session.identity != bank.session.identity
    refused = play(folder, "score")
    assert isinstance(refused["bank"], WrongPassphrase), refused


def test_the_words_say_that_nobody_else_is_trusted(folder: Path) -> None:
    job = named(folder, "decision")
    (line,) = (line for line in job.terms() if "random numbers" in line)
    assert line.endswith(
        "ahead, and keep their shares in encrypted files: no third party is trusted."
    )
    assert job.parameters()["source"] == "file"


# --- what is prepared is what is drawn ------------------------------------------------------------

ROLES = scoring.Roles("bank", "receiver", {"bank": 2, "tax": 3, "power": 1})


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(),
        Wanted("decision", 2),
        Wanted("band", raising=True),
        Wanted("reasons", 3),
    ],
)
def test_a_rehearsal_draws_what_a_score_draws(wanted: Wanted) -> None:
    rows, rng = 70, np.random.default_rng(3)
    features = {name: rng.normal(size=(rows, count)) for name, count in ROLES.features.items()}
    model = scoring.Model({name: rng.normal(size=n) for name, n in ROLES.features.items()}, 0.1)

    def role(mesh):
        triples = vole.source(mesh, rng=seeded(mesh.me))
        owns = mesh.me == "bank"
        opened = shares.open_model(mesh, ROLES, triples, model=model if owns else None)
        given = {"rows": rows, "features": features.get(mesh.me)}
        if wanted.output == "probability":
            shares.probability(opened, **given)
        elif wanted.output == "decision":
            shares.decision(opened, threshold=0.3 if owns else None, **given)
        elif wanted.output == "band":
            shares.band(opened, count=4, limits=[0.1, 0.5, 0.6] if owns else None, **given)
        if wanted.reasons:
            shares.reasons(opened, count=wanted.reasons, raising=wanted.raising, **given)
        return triples.drawn

    drawn = run_mesh(dict.fromkeys(ROLES.parties, role))
    rehearsed = rehearsal.of_score(ROLES, wanted, rows, 4)
    assert all(each == rehearsed for each in drawn.values())


def test_what_is_prepared_like_a_run_suffices_for_it_and_no_more() -> None:
    drawn = rehearsal.of_score(ROLES, Wanted("decision", 2), 9, 0)
    made: list[kinds.Kind] = []

    class Noting(rehearsal._Zeros):
        def make(self, kind: kinds.Kind) -> kinds.Arrays:
            made.append(kind)
            return super().make(kind)

    triples = Triples(Noting())
    triples.prepare_like(drawn)
    count = len(made)
    assert count == len({replace(kind, count=0) for kind in made})  # each family in one go
    for kind in drawn:
        if isinstance(kind, kinds.Operand):
            triples.fixed(kind.rows, kind.columns, holder=kind.holder)
        else:
            triples.draw(kind)
    assert len(made) == count
    assert triples.emptied() == [] or all(kind.count == 0 for kind, _ in triples.emptied())
