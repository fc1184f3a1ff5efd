# SPDX-License-Identifier: Apache-2.0
"""``check`` and ``baseline``: has a hot path become slower, in ratio to a floor of the same run?

The baseline holds, for each kind of kernels and each processor, the ratio of every gate and how far
it was from one process to the next. A gate fails when its ratio is above the baseline's by more
than three times the noise of both, and by ``LEAST`` at least, in ``ATTEMPTS`` processes. Each of
these runs on the next core, and ``PAUSE`` after the one before: what another machine does on the
other half of a core goes on for seconds or minutes. ``LEAST`` is more than the same code was apart
between hours on a shared machine, where the noise of one run does not show it: a comb, which reads
tables while its floor computes, took 17 % more beside the same floor three hours after its
baseline. Other load does more: with 25 processes on two cores, combs took 15 % more, vector OLE and
products of powers 30 %. So each run looks at what ``MACHINE`` takes beside arithmetic, and by how
much any of that is above the baseline's, all limits are wider.

On a processor that the baseline does not know, the largest ratio it has serves, with a margin of
``ELSEWHERE``: caches and instructions differ, and only what is plainly slower fails.
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import sleep
from typing import Any

from rich.console import Console
from rich.table import Table

from mpc import kernels

from . import catalog, machine
from .gates import GATES, MACHINE, Measured

ATTEMPTS = 4
PAUSE = 20.0  # seconds
LEAST = 0.25
ELSEWHERE = 1.0
RUNS = 5  # processes whose ratios make a baseline
_SECONDS = 600.0

Measure = Callable[[Sequence[str]], dict[str, Measured]]
Known = Mapping[str, Mapping[str, Mapping[str, Any]]]  # processor, gate, its floor, ratio and noise


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one gate. ``held_to`` and ``limit`` are None where there is no baseline."""

    gate: str
    floor: str
    ratio: float
    held_to: float | None = None
    limit: float | None = None
    attempts: int = 1

    @property
    def slower(self) -> bool:
        return self.above > 1

    @property
    def above(self) -> float:
        """The ratio over its limit."""
        return 0.0 if self.limit is None else self.ratio / self.limit

    def sentence(self) -> str:
        """What a developer must know of a failure."""
        return (
            f"{self.gate} got slower: {self.ratio:.4g} times {self.floor}, where the baseline has "
            f"{self.held_to:.4g} and its noise allows {self.limit:.4g}, in {self.attempts} runs"
        )


def measured_apart(names: Sequence[str], backend: str, cores: Iterator[int]) -> dict[str, Measured]:
    """The gates in a process of their own, on the next of ``cores``."""
    module, core = f"{catalog.PACKAGE}.harness.gates", str(next(cores))
    command, environment = catalog.started(
        module, core, *names, MPC_KERNELS=backend, MPC_THREADS="1"
    )
    done = subprocess.run(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        timeout=_SECONDS,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    return {name: Measured(**fields) for name, fields in found.items()}


def judge(known: Known, processor: str, measure: Measure, names: Sequence[str]) -> list[Verdict]:
    """Measure ``names``, and again those above their limit, until none is or attempts are over."""
    verdicts: dict[str, Verdict] = {}
    open_names, attempt = list(names), 0
    while open_names and attempt < ATTEMPTS:
        if attempt:
            sleep(PAUSE)
        attempt += 1
        run = measure([*open_names, *MACHINE])
        wider = contention(known.get(processor, {}), run)
        for name in open_names:
            now = _verdict(name, run[name], known, processor, attempt, wider)
            before = verdicts.get(name)
            # The best of the attempts counts, since nothing but a faster path makes one fast.
            if before is not None and now.slower and before.above < now.above:
                now = replace(before, attempts=attempt)
            verdicts[name] = now
        open_names = [name for name in open_names if verdicts[name].slower]
    return list(verdicts.values())


def contention(held: Mapping[str, Mapping[str, Any]], run: Mapping[str, Measured]) -> float:
    """By how much what ``MACHINE`` names is slower than when the baseline was written, at most."""
    known = [name for name in MACHINE if name in held and name in run]
    return max([0.0, *(run[name].ratio / float(held[name]["ratio"]) - 1 for name in known)])


def _verdict(
    name: str, found: Measured, known: Known, processor: str, attempt: int, wider: float
) -> Verdict:
    entries = [of[name] for of in known.values() if name in of]
    entries = [entry for entry in entries if entry["floor"] == found.floor]
    if not entries:
        return Verdict(name, found.floor, found.ratio)
    own = known.get(processor, {}).get(name)
    here = own if own in entries else None
    entry = here or max(entries, key=lambda entry: float(entry["ratio"]))
    noise = 3 * (float(entry["noise"]) ** 2 + found.noise**2) ** 0.5
    margin = max(LEAST, noise) if here else ELSEWHERE + noise
    limit = float(entry["ratio"]) * (1 + margin + wider)
    return Verdict(name, found.floor, found.ratio, float(entry["ratio"]), limit, attempt)


def check(backend: str | None = None, *, file: Path) -> int:
    """Compare this machine's ratios with the baseline's; 1 when a gate got slower."""
    known = json.loads(file.read_text())
    slower: list[Verdict] = []
    cores = _cores()
    for each in backends(backend):
        with kernels.use(each):
            kind = machine.lanes()
        measure = partial(measured_apart, backend=each, cores=cores)
        verdicts = judge(known.get(kind, {}), processor(), measure, list(GATES))
        _show(kind, verdicts)
        slower += [verdict for verdict in verdicts if verdict.slower]
    for verdict in slower:
        print(verdict.sentence())
    return int(bool(slower))


def baseline(backend: str | None = None, *, file: Path) -> int:
    """Rewrite what ``check`` holds this processor to, and print what changed."""
    known = json.loads(file.read_text()) if file.exists() else {}
    cores = _cores()
    for each in backends(backend):
        with kernels.use(each):
            kind = machine.lanes()
        names = (*GATES, *MACHINE)
        runs = [measured_apart(names, each, cores) for _ in range(RUNS)]
        old = known.setdefault(kind, {}).get(processor(), {})
        known[kind][processor()] = new = {name: _entry(name, runs) for name in sorted(names)}
        for line in changes(old, new):
            print(f"{kind}: {line}")
        file.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    return 0


def _entry(name: str, runs: Sequence[Mapping[str, Measured]]) -> dict[str, Any]:
    ratios = [run[name].ratio for run in runs]
    middle = statistics.median(ratios)
    apart = (max(ratios) - min(ratios)) / 2 / middle
    return {"floor": runs[0][name].floor, "ratio": float(f"{middle:.4g}"), "noise": round(apart, 3)}


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """One line for each gate that came, went or has another ratio."""
    for name in sorted(old.keys() | new.keys()):
        before, after = (held.get(name, {}).get("ratio") for held in (old, new))
        if before is None:
            yield f"{name} is new, at {after:.4g}"
        elif after is None:
            yield f"{name} is gone, was at {before:.4g}"
        elif before != after:
            yield f"{name} went from {before:.4g} to {after:.4g} ({after / before - 1:+.1%})"


def backends(asked: str | None) -> list[str]:
    """The one asked for, or all that run here."""
    if asked is not None:
        return [asked]
    return ["simd", "portable"] if kernels.backend() == "simd" else ["portable"]


def _cores() -> Iterator[int]:
    """Those this process may use, in turn and without end."""
    return itertools.cycle(sorted(os.sched_getaffinity(0)))


def processor() -> str:
    """What the ratios depend on besides the code: processor, and interpreter."""
    return f"{machine.processor()}, Python {sys.version_info[0]}.{sys.version_info[1]}"


def _show(kind: str, verdicts: Sequence[Verdict]) -> None:
    table = Table(title=f"Ratios to floors, {kind} kernels on {processor()}", title_justify="left")
    for column in ("gate", "floor"):
        table.add_column(column)
    for column in ("baseline", "now", "limit"):
        table.add_column(column, justify="right")
    table.add_column("")
    for each in verdicts:
        word = "slower" if each.slower else "new" if each.limit is None else "ok"
        numbers = ("" if n is None else f"{n:.4g}" for n in (each.held_to, each.ratio, each.limit))
        table.add_row(each.gate, each.floor, *numbers, word)
    Console(width=110).print(table)
    if verdicts and all(each.limit is None for each in verdicts):
        print(f"No baseline of {kind} kernels: `{catalog.PROGRAM} baseline` writes one.")
