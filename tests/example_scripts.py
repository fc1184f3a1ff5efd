# SPDX-License-Identifier: Apache-2.0
"""Examples that are a folder with a ``run.sh``, run in a copy of it."""

from __future__ import annotations

import csv
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
MADE = ("keys", "scores.csv", "decisions.csv", "*.keys.json")


def run(name: str, tmp_path: Path, *arguments: str) -> tuple[Path, str]:
    """The folder in which the script of an example ran, and what it printed."""
    folder = tmp_path / name
    shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns(*MADE))
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with _ports():
        done = subprocess.run(
            [str(folder / "run.sh"), *arguments],
            env={**os.environ, "PATH": search},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


@contextmanager
def _ports() -> Iterator[None]:
    """One script at a time on this machine: they listen at fixed ports."""
    with Path(tempfile.gettempdir(), "mpc-example-ports.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def by_id(path: Path, column: str) -> dict[str, dict[str, str]]:
    """The rows of a CSV file by their ids in normal form."""
    with path.open(encoding="utf-8", newline="") as file:
        return {row[column].strip().upper(): row for row in csv.DictReader(file)}
