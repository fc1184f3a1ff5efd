# SPDX-License-Identifier: Apache-2.0
"""What the command prints where there is little room for it."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from mpc.apps import companies
from mpc.cli import demo, show
from mpc.party import jobs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    demo.configure(tmp_path, companies.write_demo(tmp_path, 150, 3))
    return tmp_path


@pytest.mark.parametrize("kind", demo.JOBS)
@pytest.mark.parametrize("columns", [60, 100])
def test_no_name_is_broken_at_the_end_of_a_line(folder: Path, kind: str, columns: int) -> None:
    """Neither of a party nor of a feature, on a terminal of any usual width."""
    job = jobs.load(folder / f"{kind}.toml")
    screen = Console(width=columns, force_terminal=True, color_system=None, file=io.StringIO())
    show.explanation(job, to=screen)
    assert isinstance(screen.file, io.StringIO)
    said = screen.file.getvalue()
    assert max(len(line) for line in said.splitlines()) <= columns
    words = set(re.findall(r"\w+", said))
    for name in job.parties:
        given = (job.gives(name), job.learns(name), job.never(name), *job.terms())
        assert set(re.findall(r"\w+", " ".join([name, *given]))) <= words


def test_a_report_of_the_demo_fits_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(show.out, "_width", 60)
    traffic = {"tax": {"sent_bytes": 946_100, "sent_messages": 38, "rounds": 14}}
    said = {
        "gave": "declared_revenue, revenue_year_before for rules",
        "learnt": "how many there are",
    }
    one = {
        **said,
        "findings": ["40 applicants were decided on"],
        "traffic": traffic,
        "seconds": 2.9,
    }
    demo._print(Path("mpc-demo"), {"decision": {"power_utility": one}}, [])
    shown = capsys.readouterr().out
    words = " ".join(shown.split())
    for part in ("power_utility", said["gave"], "946.1 kB 38 messages 14 rounds", "2.9 s"):
        assert part in words
    assert max(len(line) for line in shown.splitlines()[:-1]) <= 60  # the last is a path
