# SPDX-License-Identifier: Apache-2.0
"""The ``mpc`` command as a person and as a script meet it: words, JSON, exit codes, Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from mpc.apps import companies
from mpc.cli import demo, processes, show
from mpc.cli.app import EXIT_CODES, app
from mpc.errors import ConfigError
from mpc.net import tls
from mpc.party import config, jobs, runs

RUNNER = CliRunner()
# bench has its own help
COMMANDS = (
    "demo",
    "init",
    "blacklist",
    "score",
    "decide",
    "deal",
    "prepare",
    "explain",
    "selftest",
)


def mpc(*arguments: str, code: int = 0) -> str:
    """Run the command in this process; what it printed on both streams."""
    result = RUNNER.invoke(app, list(arguments))
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "mpc", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    demo.configure(tmp_path, companies.write_demo(tmp_path, 150, 3))
    return tmp_path


def party(folder: Path, name: str) -> str:
    return str(folder / name / "party.toml")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    assert f"Example: mpc {command}" in mpc(command, "--help")


def test_help_names_the_commands_and_the_exit_codes() -> None:
    words = " ".join(mpc("--help").split())
    for command in COMMANDS:
        assert command in words
    assert "Exit codes: 0 done" in words
    assert re.fullmatch(r"mpc \d+\.\d+\.\d+\S*\n", mpc("--version"))


def test_every_error_has_its_own_code() -> None:
    assert len(set(EXIT_CODES.values())) == len(EXIT_CODES) == 5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["demo", "--rows", "3"], "--rows"),
        (["score"], "Missing argument"),
        (["score", "a.toml", "b.toml", "--wait", "soon"], "--wait"),
        (["lottery"], "No such command"),
    ],
)
def test_wrong_arguments_are_code_2(arguments: list[str], words: str) -> None:
    assert words in mpc(*arguments, code=2)


def test_init_makes_a_key_that_only_its_owner_reads(tmp_path: Path) -> None:
    said = json.loads(mpc("init", "tax_office", "--folder", str(tmp_path), "--json"))
    key = Path(said["key"])
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    certificate = Path(said["certificate"]).read_bytes()
    assert said["fingerprint"] == tls.fingerprint(certificate)
    before = key.read_bytes()
    assert "is not overwritten" in mpc("init", "tax_office", "--folder", str(tmp_path), code=2)
    assert key.read_bytes() == before
    words = mpc("init", "bank", "--folder", str(tmp_path))
    assert "fingerprint  " in words
    assert "PRIVATE KEY" not in words
    assert "cannot be a party's name" in mpc("init", "Tax Office!", code=2)


def test_selftest_passes_here() -> None:
    results = json.loads(mpc("selftest", "--json").splitlines()[-1])
    assert [result["name"] for result in results if not result["passed"]] == []
    assert len(results) >= 6
    assert "loopback session" in mpc("selftest")


def test_selftest_says_what_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    from mpc.cli import selftest

    monkeypatch.setattr(selftest, "AES_ZERO", "00" * 16)
    assert "WrongAnswer: got dc95c078" in " ".join(mpc("selftest", code=1).split())


def test_a_missing_file_is_code_2(tmp_path: Path) -> None:
    said = mpc("score", str(tmp_path / "none.toml"), str(tmp_path / "job.toml"), code=2)
    assert "ConfigError: cannot read" in said


def test_a_job_of_the_other_kind_is_code_2(folder: Path) -> None:
    said = mpc("score", party(folder, "bank"), str(folder / "blacklist.toml"), code=2)
    assert "is a blacklist job: run mpc blacklist" in " ".join(said.split())


def test_a_decision_job_is_run_by_decide(folder: Path) -> None:
    job = str(folder / "decision.toml")
    said = mpc("score", party(folder, "bank"), job, code=2)
    assert "is a decision job: run mpc decide" in " ".join(said.split())
    said = mpc("decide", party(folder, "bank"), str(folder / "score.toml"), code=2)
    assert "is a score job: run mpc score" in " ".join(said.split())
    path = folder / "lender_b" / "party.toml"
    path.write_text(path.read_text().partition("[jobs.decision]")[0])
    said = mpc("decide", str(path), job, code=6)
    assert "PolicyError: lender_b takes part in no decision job" in said


def test_explain_says_the_same_of_every_party_wherever_the_file_is(folder: Path) -> None:
    job = folder / "decision.toml"
    said = mpc("explain", str(job))
    words = " ".join(said.split())
    assert words.startswith(
        "A decision job, session demo-decision, between bank, lender_b, lender_c, "
    )
    assert "Declined: 2 or more of the lists of lender_b, lender_c, tax_office (counts 2)" in words
    assert (
        "or revenue fell by more than 30 %: 1 × tax_office.declared_revenue − 0.7 × "
        "tax_office.revenue_year_before below 0 (in units of 10000)."
    ) in words
    for header in ("party", "gives", "comes to know", "never comes to know"):
        assert header in said
    copy = folder / "power_utility" / "decision.toml"
    copy.write_bytes(job.read_bytes())
    assert mpc("explain", str(copy)) == said


@pytest.mark.parametrize("kind", ["blacklist", "threshold", "score", "decision"])
def test_each_party_prints_the_words_of_explain_before_it_runs(
    folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each from a file of its own."""
    monkeypatch.setattr(show.err, "width", show.out.width)
    path, command = folder / f"{kind}.toml", {"decision": "decide"}.get(kind, kind)
    if kind == "threshold":
        path, command = folder / "blacklist.toml", "blacklist"
        path.write_text(f"threshold = 2\n{path.read_text()}")
    ran: list[str] = []

    def run(mine: config.PartyConfig, *_: object, **__: object) -> None:
        ran.append(mine.name)
        raise ConfigError("that is all")

    monkeypatch.setattr(runs, "run", run)
    words, parties = mpc("explain", str(path)), list(jobs.load(path).parties)
    for name in parties:
        own = folder / name / "job.toml"
        own.write_bytes(path.read_bytes())
        said = mpc(command, party(folder, name), str(own), code=2)
        assert said == f"{words}ConfigError: that is all\n"
    assert ran == parties
    assert len(parties) >= 3


@pytest.mark.parametrize("kind", ["blacklist", "score", "decision"])
def test_explain_for_machines(folder: Path, kind: str) -> None:
    path = folder / f"{kind}.toml"
    said = json.loads(mpc("explain", str(path), "--json"))
    job = jobs.load(path)
    assert said["kind"] == kind
    assert said["terms"] == job.terms()
    assert list(said["parties"]) == list(job.parties)
    for name, row in said["parties"].items():
        assert row == {
            "gives": job.gives(name),
            "learns": job.learns(name),
            "never": job.never(name),
        }
        assert all(row.values())


def test_explain_names_a_fault_of_the_file(folder: Path) -> None:
    path = folder / "decision.toml"
    path.write_text(path.read_text().replace("threshold = 2", "threshold = 9"))
    said = " ".join(mpc("explain", str(path), code=2).split())
    assert "ConfigError: " in said
    assert "the threshold is 9; the lists weigh 1 to 4 together" in said


def test_a_peer_that_is_not_running_is_awaited_and_is_code_3(folder: Path) -> None:
    begun = time.monotonic()
    said = mpc(
        "blacklist",
        party(folder, "lender_b"),
        str(folder / "blacklist.toml"),
        "--wait",
        "3",
        code=3,
    )
    assert time.monotonic() - begun < 30  # which it waits unless told
    assert "waiting for bank at 127.0.0.1:" in said
    assert "PeerUnreachable: bank: could not be reached" in said


def test_a_refused_job_is_code_6(folder: Path) -> None:
    path = folder / "power_utility" / "party.toml"
    path.write_text(path.read_text().replace("[jobs.score]", "[jobs.blacklist]"))
    said = mpc("score", str(path), str(folder / "score.toml"), code=6)
    assert "PolicyError: power_utility takes part in no score job" in said


def test_parties_as_processes_print_what_they_learnt(folder: Path) -> None:
    job = str(folder / "blacklist.toml")
    others = [start("blacklist", party(folder, name), job) for name in companies.HOLDERS]
    said = mpc("blacklist", party(folder, "bank"), job)
    assert "put in   the ids it asks about" in said
    assert "150 ids are listed" in said
    assert re.search(r"lender_b\s+\S+ kB", said)
    for other in others:
        out, err = other.communicate(timeout=120)
        assert other.returncode == 0, err
        assert "150 ids were asked about" in out
        # What it means comes before what is done.
        assert 0 < err.index("never comes to know") < err.index("blacklist as")


def test_ctrl_c_tells_the_peers_and_is_code_130(folder: Path) -> None:
    job = str(folder / "blacklist.toml")
    waiting = start("blacklist", party(folder, "tax_office"), job, "--wait", "60")
    bank = start("blacklist", party(folder, "bank"), job, "--wait", "60")
    assert waiting.stderr is not None
    for line in waiting.stderr:
        if "answering" in line:  # it is connected to the bank, which waits for the lenders
            break
    time.sleep(0.5)
    bank.send_signal(signal.SIGINT)
    bank.communicate(timeout=120)
    _, said = waiting.communicate(timeout=120)
    assert bank.returncode == 130
    assert waiting.returncode == 3
    assert "PeerAborted: bank: aborted the job (KeyboardInterrupt)" in said


def test_processes_are_ended_when_one_fails(folder: Path) -> None:
    job = str(folder / "blacklist.toml")
    commands = {
        "bank": ["blacklist", party(folder, "bank"), job, "--json"],
        "tax_office": ["blacklist", str(folder / "nothing.toml"), job, "--json"],
    }
    begun = time.monotonic()
    with pytest.raises(processes.PartyFailed, match="tax_office ended with code 2: ConfigError"):
        processes.play(commands, lambda *_: None)
    assert time.monotonic() - begun < 30  # which the bank would wait


@pytest.mark.timeout(900)  # twelve processes of three jobs, and all again
def test_the_demo_runs_and_leaves_nothing_running(tmp_path: Path) -> None:
    before = descendants(os.getpid())
    target = tmp_path / "demo"
    said = json.loads(
        mpc("demo", "--rows", "300", "--folder", str(target), "--json").splitlines()[-1]
    )
    assert set(descendants(os.getpid())) <= set(before)
    assert all(check["passed"] for check in said["checks"])
    assert len(said["checks"]) == 5
    assert set(said["jobs"]["score"]) == {"bank", "tax_office", "power_utility"}
    assert set(said["jobs"]["blacklist"]) == {"bank", "tax_office", "lender_b", "lender_c"}
    assert list(said["jobs"]["decision"]) == ["bank", *sorted(companies.HOLDERS), "power_utility"]
    again = mpc("demo", "--rows", "120", "--folder", str(target))
    assert again.count("right ") >= 5
    assert "$ mpc score" in again
    assert "$ mpc decide" in again
    assert "what this party could see" in again


def descendants(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def test_ctrl_c_ends_the_demo_and_all_its_parties(tmp_path: Path) -> None:
    running = start("demo", "--rows", "2000", "--folder", str(tmp_path / "demo"))
    assert running.stderr is not None
    for line in running.stderr:
        if "connecting" in line:
            break
    parties = descendants(running.pid)
    assert parties
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=120)
    assert running.returncode == 130
    _, alive = psutil.wait_procs(parties, timeout=30)
    assert not alive


def test_the_demo_notices_a_wrong_answer(folder: Path) -> None:
    bank = folder / "bank"
    (bank / "listed.csv").write_text("id,listed\n")
    (bank / "scores.csv").write_text("id,probability,band\n")
    truth = {"A": companies.Answer(("lender_b",), None, None, "refer", None)}
    (bank / "listed.csv").write_text("id,listed\nA,false\n")
    (bank / "scores.csv").write_text("id,probability,band\nA,,\n")
    (bank / "decisions.csv").write_text("id,outcome,reasons\nA,refer,\n")
    checks = demo.checked(folder, truth)
    assert [check.passed for check in checks] == [False, True, True, True, True]
    (bank / "scores.csv").write_text("id,probability,band\nA,0.51,low\n")
    (bank / "decisions.csv").write_text("id,outcome,reasons\nA,approve,kwh\n")
    known = {"A": companies.Answer((), 0.5, "high", "decline", frozenset({"arrears"}))}
    checks = demo.checked(folder, known)
    assert [check.passed for check in checks] == [True, False, False, False, False]


def test_the_demo_takes_no_folder_with_other_files(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(ConfigError, match="has other files in it"):
        demo.run(tmp_path, rows=200, applicants=50, seed=1, json_lines=True)
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_init_and_demo_say_which_numbers_they_take(tmp_path: Path) -> None:
    said = mpc("init", "bank", "--folder", str(tmp_path), "--days", "3000000", code=2)
    assert "ConfigError: a certificate is valid for up to 36,500 days, not 3,000,000" in said
    assert "--seed" in mpc("demo", "--seed", "-1", "--folder", str(tmp_path / "demo"), code=2)
    assert not list(tmp_path.iterdir())


def test_what_a_job_file_says_does_not_steer_the_terminal(tmp_path: Path) -> None:
    job = tmp_path / "job.toml"
    job.write_text('kind = "blacklist"\n"\\u001b[2J\\n" = 1\n')
    said = mpc("explain", str(job), code=2)
    assert "\x1b" not in said
    job.write_text("deep = " + "[" * 5000)
    assert "nested too deep" in mpc("explain", str(job), code=2)


def test_a_fault_is_one_line_whatever_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    error = ConfigError("column 'a\x1b[2J\nb' is missing")
    error.add_note("noted\r")
    show.fault(error)
    assert capsys.readouterr().err == "ConfigError: column 'a [2J b' is missing; noted \n"


def test_init_prints_every_digit_of_a_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some have ``:CD:`` or ``:AB:`` in them, which rich takes for the names of emoji."""
    shown = ":".join(["0A", "CD", "AB", "FF", *["00"] * 28])
    monkeypatch.setattr(tls, "fingerprint", lambda _: shown)
    assert f"fingerprint  {shown}\n" in mpc("init", "bank", "--folder", str(tmp_path))


def test_a_fault_prints_every_digit_of_a_fingerprint(capsys: pytest.CaptureFixture[str]) -> None:
    show.fault(ConfigError("shows the certificate 0A:CD:AB:FF"))
    assert capsys.readouterr().err == "ConfigError: shows the certificate 0A:CD:AB:FF\n"


def test_paragraphs_of_help_are_broken_by_the_terminal_alone() -> None:
    for command in app.registered_commands:
        assert command.callback is not None
        said = command.callback.__doc__ or ""
        assert said
        assert all("\n" not in paragraph for paragraph in said.split("\n\n"))
