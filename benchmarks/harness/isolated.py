# SPDX-License-Identifier: Apache-2.0
"""Each benchmark in a process of its own, so that none finds memory or threads of another.

The process is the command line itself, ``NAME --json FILE``, with the backend and the number of
threads in its environment, where ``mpc.kernels`` looks for them.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..record import Record, read_json
from . import catalog

SECONDS = 1800.0
SPEND_SECONDS = 1.5  # on one measurement, beyond its repeats


@dataclass(frozen=True, slots=True)
class Setting:
    """How benchmarks are run: the size of them (None for their defaults), and on what."""

    size: str | None = None
    backend: str | None = None
    cores: int | None = None
    profile: bool = False

    def arguments(self) -> list[str]:
        """What the command line of each benchmark is given."""
        size = [f"--{self.size}"] if self.size else []
        more = [] if self.size == "quick" else ["--seconds", str(SPEND_SECONDS)]
        return [*size, *more, *(["--profile"] if self.profile else [])]

    def variables(self) -> dict[str, str]:
        """What the environment of each benchmark's process says of it."""
        found = {}
        if self.backend is not None:
            found["MPC_KERNELS"] = self.backend
        if self.cores is not None:
            found["MPC_THREADS"] = str(self.cores)
        return found


def run_each(
    names: Sequence[str], setting: Setting, seconds: float = SECONDS
) -> tuple[list[Record], dict[str, str]]:
    """The records of all that ran, and why the others did not."""
    records: list[Record] = []
    failed: dict[str, str] = {}
    for name in names:
        begun = time.monotonic()
        print(f"{name} ...", file=sys.stderr, end=" ", flush=True)
        try:
            records += run_one(name, setting, seconds)
        except RuntimeError as error:
            failed[name] = str(error)
        took = f"{time.monotonic() - begun:.1f} s"
        print(f"failed: {failed[name]}" if name in failed else took, file=sys.stderr, flush=True)
    return records, failed


def run_one(name: str, setting: Setting, seconds: float = SECONDS) -> list[Record]:
    """A benchmark's records; RuntimeError, with its last words, when it has none."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "records.json")
        asked = (catalog.PACKAGE, name, "--json", str(file), *setting.arguments())
        command, environment = catalog.started(*asked, **setting.variables())
        try:
            done = subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"took more than {seconds:g} s") from None
        if not file.exists():
            words = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise RuntimeError(words[-1])
        return read_json(file)
