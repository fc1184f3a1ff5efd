# SPDX-License-Identifier: Apache-2.0
"""The check fails where a hot path got slower, names it, and does not fail for noise."""

from __future__ import annotations

import json
import os
import subprocess
import textwrap
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.harness import catalog, check, gates, machine
from benchmarks.harness.gates import GATES, Measured

HERE = "a processor, Python 3"
SLOW = """
    from mpc.kernels import aes
    fast = aes.counter
    def counter(*given, **named):
        for _ in range(2):
            fast(*given, **named)
        return fast(*given, **named)
    aes.counter = counter
"""


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that a check would have made."""
    made: list[float] = []
    monkeypatch.setattr(check, "sleep", made.append)
    return made


def known(ratio: float = 2.0, noise: float = 0.01, processor: str = HERE) -> check.Known:
    return {processor: {"g": {"floor": "aes", "ratio": ratio, "noise": noise}}}


def judged(known: check.Known, *ratios: float, noise: float = 0.01) -> tuple[check.Verdict, int]:
    """The verdict on a gate whose ratio is measured as these, one after the other."""
    asked: list[Sequence[str]] = []

    def measure(names: Sequence[str]) -> dict[str, Measured]:
        asked.append(names)
        return {"g": Measured("aes", ratios[len(asked) - 1], noise)}

    (verdict,) = check.judge(known, HERE, measure, ["g"])
    return verdict, len(asked)


def test_a_kernel_made_slow_fails_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = {name: GATES[name] for name in ("aes.counter", "hashing.digests")}
    monkeypatch.setattr(check, "GATES", few)
    monkeypatch.setattr(check, "RUNS", 1)
    monkeypatch.setattr(check, "ATTEMPTS", 2)
    file = tmp_path / "baseline.json"
    assert check.baseline("portable", file=file) == 0
    assert "portable: aes.counter is new, at " in capsys.readouterr().out
    assert check.check("portable", file=file) == 0
    assert "got slower" not in capsys.readouterr().out
    (tmp_path / "sitecustomize.py").write_text(textwrap.dedent(SLOW))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    assert check.check("portable", file=file) == 1
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith("aes.counter got slower: ")
    ratio = json.loads(file.read_text())["portable"][check.processor()]["aes.counter"]["ratio"]
    assert f"times aes, where the baseline has {ratio:.4g}" in said
    assert said.endswith("in 2 runs")


def test_what_is_within_the_noise_passes_at_once() -> None:
    assert judged(known(), 2.49) == (check.Verdict("g", "aes", 2.49, 2.0, 2.5), 1)
    verdict, _ = judged(known(noise=0.1), 2.55)
    assert not verdict.slower
    assert verdict.limit == pytest.approx(2.0 * (1 + 3 * (0.1**2 + 0.01**2) ** 0.5))
    verdict, _ = judged(known(), 2.55, noise=0.1)
    assert not verdict.slower


def test_a_slow_run_is_repeated_after_a_while_before_it_counts(pauses: list[float]) -> None:
    verdict, runs = judged(known(), 9.0, 2.0)
    assert (verdict.slower, verdict.attempts, runs, pauses) == (False, 2, 2, [check.PAUSE])
    verdict, runs = judged(known(), 9.0, 5.0, 7.0, 8.0)
    assert (verdict.slower, verdict.ratio, runs) == (True, 5.0, 4)
    assert pauses == [check.PAUSE] * 4
    assert verdict.sentence() == (
        "g got slower: 5 times aes, where the baseline has 2 and its noise allows 2.5, in 4 runs"
    )


def test_each_run_is_on_the_next_core(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def run(command: Sequence[str], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(command[-2])
        return subprocess.CompletedProcess(command, 0, stdout="{}")

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5, 3})
    monkeypatch.setattr(check.subprocess, "run", run)
    cores = check._cores()
    for _ in range(3):
        assert check.measured_apart(["g"], "portable", cores) == {}
    assert asked == ["3", "5", "3"]


def test_a_process_measures_on_its_core(capsys: pytest.CaptureFixture[str]) -> None:
    free = os.sched_getaffinity(0)
    try:
        gates.main(str(max(free)))
        assert os.sched_getaffinity(0) == {max(free)}
    finally:
        os.sched_setaffinity(0, free)
    assert json.loads(capsys.readouterr().out) == {}


def test_what_slows_a_few_turns_of_every_gate_changes_no_ratio(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turns: list[int] = []

    def ratio(_: gates.Gate, turn: int) -> float:
        turns.append(turn)
        return 5.0 if turn in (2, 3, 4) else 2.0

    monkeypatch.setattr(gates, "_ratio", ratio)
    found = gates.measure(["aes.counter", "hashing.digests"])
    assert [each.ratio for each in found.values()] == [2.0, 2.0]
    assert turns[: 2 * gates.TURNS] == [turn for turn in range(gates.TURNS) for _ in found]


@pytest.mark.parametrize("name", gates.MACHINE)
def test_what_is_slower_for_all_widens_the_limits(name: str) -> None:
    held = {HERE: {**known()[HERE], name: {"floor": "aes", "ratio": 0.02, "noise": 0.0}}}

    def measure(names: Sequence[str]) -> dict[str, Measured]:
        assert list(names) == ["g", *gates.MACHINE]
        asked = dict.fromkeys(gates.MACHINE, Measured("aes", ratio, 0.01))
        return {"g": Measured("aes", 2.8, 0.01), **asked}

    ratio = 0.024
    (verdict,) = check.judge(held, HERE, measure, ["g"])
    assert verdict.limit == pytest.approx(2.0 * (1 + check.LEAST + 0.2))
    assert not verdict.slower
    ratio = 0.018  # faster than ever: the limit stays
    (verdict,) = check.judge(held, HERE, measure, ["g"])
    assert verdict.limit == pytest.approx(2.0 * (1 + check.LEAST))
    assert verdict.slower
    # Of a processor that the baseline does not know, nothing is known.
    assert check.contention({}, {name: Measured("aes", 9.0, 0.0)}) == 0


def test_on_another_processor_the_largest_ratio_serves_with_a_wide_margin() -> None:
    others = {**known(1.0, processor="one"), **known(2.0, processor="two")}
    assert not judged(others, 4.0)[0].slower
    assert judged(others, *[4.3] * check.ATTEMPTS)[0].slower


def test_a_gate_without_a_baseline_or_with_another_floor_is_new() -> None:
    for nothing in ({}, {HERE: {}}, {HERE: {"g": {"floor": "gmp", "ratio": 1.0, "noise": 0.0}}}):
        verdict, runs = judged(nothing, 99.0)
        assert (verdict.limit, verdict.slower, runs) == (None, False, 1)


def test_the_changes_are_said() -> None:
    old = {"a": {"ratio": 1.0}, "b": {"ratio": 2.0}, "c": {"ratio": 3.0}}
    new = {"b": {"ratio": 1.5}, "c": {"ratio": 3.0}, "d": {"ratio": 4.0}}
    assert list(check.changes(old, new)) == [
        "a is gone, was at 1",
        "b went from 2 to 1.5 (-25.0%)",
        "d is new, at 4",
    ]


def test_the_committed_baseline_has_every_gate_and_no_other() -> None:
    held = json.loads((catalog.FOLDER / "baseline.json").read_text())
    assert held.keys() == {"portable", "simd-256", "simd-512"}
    for kind, processors in held.items():
        for processor, entries in processors.items():
            # Measured on Zen 3 before the message of this gate became another.
            missing = {"channel.message"} if "AuthenticAMD 25 1," in processor else set()
            known = entries.keys() - gates.MACHINE.keys()
            assert known == GATES.keys() - missing, (kind, processor)
            assert all(entry["ratio"] > 0 for entry in entries.values())
        assert any(GATES.keys() <= entries.keys() for entries in processors.values()), kind


@pytest.mark.parametrize("name", [*GATES, *gates.MACHINE])
def test_every_gate_measures_something(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "TURNS", 3)
    monkeypatch.setattr(gates, "SECONDS", 0.0)
    (found,) = gates.measure([name]).values()
    assert found.ratio > 0
    assert found.floor in {"aes", "copy", "gmp.power", "gmp.product", "sha256"}


def test_the_machine_is_described() -> None:
    facts = machine.facts()
    assert facts["kernels"] in ("portable", "simd-256", "simd-512")
    assert "numpy" in facts["versions"]
    assert int(facts["cores"]) >= 1
    assert facts["mpc"].split(", ")[1].startswith(("commit ", "installed"))
    assert check.backends("portable") == ["portable"]
    assert check.backends(None)[-1] == "portable"
