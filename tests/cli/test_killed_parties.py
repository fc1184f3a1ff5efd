# SPDX-License-Identifier: Apache-2.0
"""A party of a joint decision is killed: each of the others ends, and says who is gone."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
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
[lists]
weights = { lender_b = 1 }
[features]
tax_office = ["arrears_months"]
"""
STAGES = {"bank": "deciding on", "tax_office": "answering", "lender_b": "answering"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The demo's files, and a decision of three of its parties that takes some seconds."""
    demo.configure(tmp_path, companies.write_demo(tmp_path, 3000, 3))
    features = tuple(f for f in companies.SCORECARD.features if f.name == "arrears_months")
    replace(companies.SCORECARD, features=features).save(tmp_path / "bank" / "scorecard.json")
    (tmp_path / "job.toml").write_text(JOB)
    return tmp_path


@pytest.fixture
def parties(folder: Path) -> Iterator[dict[str, subprocess.Popen[str]]]:
    decide = [sys.executable, "-m", "mpc", "decide"]
    started = {
        name: subprocess.Popen(
            [*decide, f"{folder}/{name}/party.toml", f"{folder}/job.toml", "--wait", "10"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in PARTIES
    }
    yield started
    for process in started.values():
        process.kill()
        process.communicate()


def reaches(process: subprocess.Popen[str], stage: str) -> None:
    """Wait until ``process`` says that it is at ``stage``."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if stage in line:
            return
    raise AssertionError(f"ended before {stage!r}: {said}")


def ends(process: subprocess.Popen[str]) -> str:
    """What the process says when it ends, which is that a peer failed."""
    _, said = process.communicate(timeout=60)
    assert process.returncode == 3, said
    return " ".join(said.split())


@pytest.mark.parametrize(
    ("killed", "later"), [("bank", 0.0), ("tax_office", 0.3), ("lender_b", 0.6)]
)
def test_a_party_killed_in_a_decision_is_named_by_all_others(
    folder: Path, parties: dict[str, subprocess.Popen[str]], killed: str, later: float
) -> None:
    reaches(parties[killed], STAGES[killed])
    time.sleep(later)
    victim = parties.pop(killed)
    assert victim.poll() is None
    victim.kill()
    for process in parties.values():
        assert f"PeerClosed: {killed}: " in ends(process)
    victim.communicate()
    assert victim.returncode == -signal.SIGKILL
    assert not (folder / "bank" / "decisions.csv").exists()


def test_a_party_killed_while_it_connects_leaves_nobody_waiting(
    folder: Path, parties: dict[str, subprocess.Popen[str]]
) -> None:
    """Who has not met it yet waits as long as was said; who hears of that is told by whom."""
    reaches(parties["lender_b"], "connecting")
    parties["lender_b"].kill()
    said = [ends(parties[name]) for name in ("bank", "tax_office")]
    assert any("lender_b: " in words for words in said), said
    assert not (folder / "bank" / "decisions.csv").exists()
