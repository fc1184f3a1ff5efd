# SPDX-License-Identifier: Apache-2.0
"""A party of a joint decision is killed: each of the others ends, and says who is gone."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mpc.apps import companies
from mpc.cli import demo

PARTIES = ("bank", "tax_office", "lender_b")
JOB = """\
kind = "decision"
session = "killed"
asker = "bank"
refer_from = 0.1
decline_from = 0.3
reasons = 1
[lists]
weights = { lender_b = 1 }
[features]
tax_office = ["arrears_months"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The demo's files, and a decision of three of its parties that takes some seconds."""
    demo.configure(tmp_path, companies.write_demo(tmp_path, 3000, 3))
    features = tuple(f for f in companies.SCORECARD.features if f.name == "arrears_months")
    replace(companies.SCORECARD, features=features).save(tmp_path / "bank" / "scorecard.json")
    (tmp_path / "job.toml").write_text(JOB)
    return tmp_path


# Runs the command line, but the process kills itself where a stage begins.
DIES = """\
import os, signal, sys
from mpc import cli
from mpc.net import session
from mpc.protocols.decision import circuit
from mpc.protocols.lookup import equality

def die(*given, **_options):
    if stage == "connecting":
        given[0].recv(session.Hello)  # so that one has met it
    os.kill(os.getpid(), signal.SIGKILL)

stages = {
    "connecting": (session, "greet"),
    "lookup": (equality, "asker" if sys.argv[2] == "bank" else "holder"),
    "score": (circuit, "_contributions"),
    "threshold": (circuit, "_narrow"),
    "result": (circuit.boolean, "reveal"),
    "reasons": (circuit, "_reasons"),
}
stage = sys.argv[1]
setattr(*stages[stage], die)
del sys.argv[1:3]
cli.main()
"""


def start(
    folder: Path, name: str, stage: str | None = None, *, wait: int = 60
) -> subprocess.Popen[str]:
    """The process of a party, which dies at ``stage``, and waits for the others for so long."""
    command = ["-m", "mpc"] if stage is None else ["-c", DIES, stage, name]
    options = ["decide", f"{folder}/{name}/party.toml", f"{folder}/job.toml", "--wait", f"{wait}"]
    return subprocess.Popen(
        [sys.executable, *command, *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def started() -> Iterator[dict[str, subprocess.Popen[str]]]:
    """Processes by name, none of which outlives the test."""
    held: dict[str, subprocess.Popen[str]] = {}
    yield held
    for process in held.values():
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


def ends(process: subprocess.Popen[str]) -> str:
    """What the process says when it ends, which is that a peer failed."""
    _, said = process.communicate(timeout=240)
    assert process.returncode == 3, said
    return " ".join(said.split())


@pytest.mark.parametrize("killed", PARTIES)
@pytest.mark.parametrize("stage", ["lookup", "score", "threshold", "result", "reasons"])
def test_a_party_killed_at_a_stage_is_named_by_all_others(
    folder: Path, started: dict[str, subprocess.Popen[str]], stage: str, killed: str
) -> None:
    for name in PARTIES:
        started[name] = start(folder, name, stage if name == killed else None)
    for name in PARTIES:
        if name != killed:
            assert f"PeerClosed: {killed}: " in ends(started[name])
    started[killed].communicate()
    assert started[killed].returncode == -signal.SIGKILL
    assert not (folder / "bank" / "decisions.csv").exists()


@pytest.mark.parametrize("killed", PARTIES)
def test_a_party_killed_while_it_connects_ends_all_others(
    folder: Path, started: dict[str, subprocess.Popen[str]], killed: str
) -> None:
    """Who has met it says that it is closed. Who has met neither it nor those that stopped for it
    cannot know more than that somebody is not there, or closed before it said hello, which may be
    one of those."""
    for name in PARTIES:
        started[name] = start(folder, name, "connecting" if name == killed else None, wait=20)
    said = {name: ends(started[name]) for name in PARTIES if name != killed}
    told = "\n".join(said.values())
    assert f"PeerClosed: {killed}: " in told, told
    for name, words in said.items():
        others = set(PARTIES) - {name}
        named = [f"{gone}: {it}: " for gone in ("PeerClosed", "PeerUnreachable") for it in others]
        assert any(one in words for one in named), told
    assert not (folder / "bank" / "decisions.csv").exists()
