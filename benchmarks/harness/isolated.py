# SPDX-License-Identifier: Apache-2.0
"""Each benchmark in a process of its own, so that none finds memory or threads of another.

The process is the command line itself, ``NAME --json FILE``, with the backend and the number of
threads in its environment, where ``mpc.kernels`` looks for them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..record import Record, read_json
from . import catalog

SECONDS = 1800.0
SWEEP_SECONDS = 3600.0


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
        return [*size, *(["--profile"] if self.profile else [])]

    def seconds(self) -> float:
        """How long one may take."""
        return SWEEP_SECONDS if self.size == "sweep" else SECONDS

    def variables(self) -> dict[str, str]:
        """What the environment of each benchmark's process says of it."""
        found = {}
        if self.backend is not None:
            found["MPC_KERNELS"] = self.backend
        if self.cores is not None:
            found["MPC_THREADS"] = str(self.cores)
        return found


def run_each(
    names: Sequence[str], setting: Setting, keep: Callable[[list[Record]], None]
) -> tuple[list[Record], dict[str, str]]:
    """The records of all that ran, and why the others did not. After each that ran ``keep`` is
    given all there are, so that what ends the rest does not lose them."""
    records: list[Record] = []
    failed: dict[str, str] = {}
    for name in names:
        begun = time.monotonic()
        print(f"{name} ...", file=sys.stderr, end=" ", flush=True)
        try:
            records += run_one(name, setting, setting.seconds())
            keep(records)
        except RuntimeError as error:
            failed[name] = str(error)
        took = f"{time.monotonic() - begun:.1f} s"
        print(f"failed: {failed[name]}" if name in failed else took, file=sys.stderr, flush=True)
    return records, failed


def run_one(name: str, setting: Setting, seconds: float) -> list[Record]:
    """A benchmark's records; RuntimeError, with its last words, when it has none."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "records.json")
        asked = (catalog.PACKAGE, name, "--json", str(file), *setting.arguments())
        command, environment = catalog.started(*asked, **setting.variables())
        code, words = _ended(command, environment, seconds)
        if not file.exists():
            raise RuntimeError((words.strip().splitlines() or [f"exit code {code}"])[-1])
        return read_json(file)


def _ended(
    command: Sequence[str], environment: Mapping[str, str], seconds: float
) -> tuple[int, str]:
    """The exit code and what was said on stderr; after ``seconds`` it and its parties are ended."""
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _, words = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"took more than {seconds:g} s") from None
    finally:
        if process.poll() is None:  # or this was interrupted
            # The parties are processes of their own, and would wait for each other.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return process.returncode, words
