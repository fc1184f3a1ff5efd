# SPDX-License-Identifier: Apache-2.0
"""A blacklist job over buckets that breaks off, and the same commands again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mpc.apps import companies, intersection
from mpc.errors import ConfigError
from mpc.party import config, jobs, runs
from mpc.protocols.psi import Progress, agreement
from tests.party.party_runs import edit, play, rows_of

MEMORY = 1 << 14  # bytes, of three holders together: some ten buckets with each


@pytest.fixture(autouse=True)
def in_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intersection, "small", lambda: 0)
    monkeypatch.setattr(agreement, "LEAST_BUCKET", 1)


def run(folder: Path, name: str) -> runs.Report:
    mine, job = config.load(folder / name / "party.toml"), jobs.load(folder / "blacklist.toml")
    return runs.run(mine, job, wait=10, memory=MEMORY, progress=folder / name / "progress")


def played(folder: Path) -> dict[str, object]:
    names = jobs.load(folder / "blacklist.toml").parties
    changes: dict[str, Any] = {name: lambda name=name: run(folder, name) for name in names}
    return play(folder, "blacklist", **changes)


def finished(monkeypatch: pytest.MonkeyPatch, *, break_at: int | None = None) -> list[int]:
    """Note the buckets that are finished; the first to come to ``break_at`` breaks off there."""
    seen: list[int] = []
    original = Progress.finish

    def finish(self: Progress, bucket: int, *rows: Any) -> None:
        if bucket == break_at:
            raise KeyboardInterrupt
        seen.append(bucket)
        original(self, bucket, *rows)

    monkeypatch.setattr(Progress, "finish", finish)
    return seen


def kept(folder: Path) -> set[str]:
    """The files of all parties, without the locks."""
    paths = folder.glob("*/progress/*.progress")
    return {str(path.relative_to(folder)) for path in paths}


def interrupted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        finished(patch, break_at=4)
        with pytest.raises(KeyboardInterrupt):
            played(folder)
    assert "bank/progress/lender_b.progress" in kept(folder)


def right(folder: Path) -> bool:
    truth = companies.in_the_open(companies.write_demo(folder / "again", 120, 5))
    rows = rows_of(folder / "bank" / "listed.csv")
    return [row["listed"] for row in rows] == [
        str(bool(truth[row["id"]].listed_by)).lower() for row in rows
    ]


def test_the_same_commands_go_on_after_an_interruption(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(folder, monkeypatch)
    seen = finished(monkeypatch)
    reports = played(folder)
    assert all(isinstance(report, runs.Report) for report in reports.values()), reports
    # With some peer at least, both sides had come as far as the break.
    assert seen.count(0) < seen.count(max(seen)) == 6
    assert right(folder)
    assert kept(folder) == set()


def test_another_list_starts_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(folder, monkeypatch)
    path = folder / "bank" / "applicants.csv"
    head, *rows = path.read_text().splitlines(keepends=True)
    path.write_text("".join([head, *rows[::-1]]))
    seen = finished(monkeypatch)
    played(folder)
    assert seen.count(0) == seen.count(max(seen)) == 6
    assert right(folder)


def test_what_is_kept_of_another_session_is_refused_before_anything_is_sent(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(folder, monkeypatch)
    edit(folder / "blacklist.toml", 'session = "', 'session = "other-')
    with pytest.raises(ConfigError, match="is not the progress of this job under this key"):
        run(folder, "bank")


def test_progress_is_of_blacklist_jobs(folder: Path) -> None:
    mine, job = config.load(folder / "bank" / "party.toml"), jobs.load(folder / "score.toml")
    with pytest.raises(ConfigError, match="progress is kept of blacklist jobs"):
        runs.run(mine, job, progress=folder / "progress")
