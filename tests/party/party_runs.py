# SPDX-License-Identifier: Apache-2.0
"""Jobs of the demo's parties, with few companies: a thread for each party, over TLS."""

from __future__ import annotations

import csv
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mpc.errors import MpcError
from mpc.party import config, jobs, runs
from mpc.party.outcome import Notify

ROWS = 120


def play(folder: Path, kind: str, **changes: Callable[[], runs.Report]) -> dict[str, object]:
    """Each party's report, or the error that ended it. ``changes`` replace a party's own run."""
    job = folder / f"{kind}.toml"
    names = jobs.load(job).parties

    def one(name: str) -> object:
        try:
            if name in changes:
                return changes[name]()
            return runs.run(config.load(folder / name / "party.toml"), jobs.load(job), wait=10)
        except MpcError as error:
            return error

    with ThreadPoolExecutor(len(names)) as pool:
        return dict(zip(names, pool.map(one, names), strict=True))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def one(
    folder: Path, name: str, kind: str, wait: float = 0.5, notify: Notify = lambda _: None
) -> runs.Report:
    job = jobs.load(folder / f"{kind}.toml")
    mine = config.load(folder / name / "party.toml")
    return runs.run(mine, job, wait=wait, notify=notify)
