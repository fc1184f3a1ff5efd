# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks`` and ``mpc bench``: what they run, where, and what they say of it."""

from __future__ import annotations

import ast
import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from benchmarks import parties
from benchmarks.__main__ import main
from benchmarks.harness import catalog, command, isolated, profile, report
from benchmarks.parties import Seat
from benchmarks.record import Record, read_json
from mpc.cli import bench
from mpc.errors import ConfigError
from mpc.tracing import Span

ROOT = Path(__file__).resolve().parent.parent


def test_run_takes_each_in_its_own_process(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "records.json"
    asked = ["run", "okvs", "--quick", "--backend", "portable", "--cores", "1", "--json", str(file)]
    assert main(asked) == 0
    records = read_json(file)
    assert {r.benchmark for r in records} == {"okvs.rows", "okvs.encode", "okvs.decode"}
    assert {r.params["keys"] for r in records} == {1024, 4096}
    assert all(r.checked and r.peak_rss_mb for r in records)
    shown = capsys.readouterr()
    assert "okvs.encode" in shown.out
    assert "okvs ... " in shown.err


def test_the_setting_reaches_the_process() -> None:
    setting = isolated.Setting("sweep", "portable", 3, profile=True)
    assert setting.variables() == {"MPC_KERNELS": "portable", "MPC_THREADS": "3"}
    assert setting.arguments() == ["--sweep", "--profile"]
    assert isolated.Setting("quick").arguments() == ["--quick"]
    assert isolated.Setting().variables() == {}
    command, environment = catalog.started("benchmarks", "okvs", MPC_THREADS="3")
    assert command == [sys.executable, "-P", "-m", "benchmarks", "okvs"]
    assert environment["PYTHONPATH"].startswith(str(ROOT))
    assert environment["MPC_THREADS"] == "3"


def test_a_benchmark_that_fails_is_named_with_its_last_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MPC_KERNELS", "abacus")
    assert main(["run", "okvs", "--quick"]) == 1
    shown = capsys.readouterr().out
    assert "okvs failed: MPC_KERNELS is auto, simd or portable" in shown


def test_what_was_measured_is_kept_when_a_later_one_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Record(benchmark="okvs.rows", unit="s", median=1.0, spread=0.0, checked=True)
    file, output = tmp_path / "records.json", tmp_path / "report"

    def run_one(name: str, _setting: isolated.Setting, _seconds: float) -> list[Record]:
        if name == "psi":
            raise RuntimeError("out of memory")
        if name == "vole":
            assert read_json(file) == [one]
            assert report.read(output)[0] == [one]
            raise KeyboardInterrupt
        return [one]

    monkeypatch.setattr(isolated, "run_one", run_one)
    asked = ["okvs", "psi", "vole", "--json", str(file)]
    with pytest.raises(KeyboardInterrupt):
        main(["report", *asked, "--output", str(output)])
    assert read_json(file) == [one]
    file.unlink()
    monkeypatch.setattr(catalog, "default_names", lambda: ["okvs", "psi"])
    assert main(["run", "--json", str(file)]) == 1
    assert read_json(file) == [one]


def test_a_benchmark_that_takes_too_long_is_ended() -> None:
    with pytest.raises(RuntimeError, match=r"took more than 0\.1 s"):
        isolated.run_one("okvs", isolated.Setting(), 0.1)
    assert isolated.Setting("sweep").seconds() > isolated.Setting().seconds()


def test_its_parties_are_ended_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = tmp_path / "started"
    waits = f"""
        import pathlib, subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        pathlib.Path({str(started)!r}).write_text(str(child.pid))
        time.sleep(600)
    """
    command = [sys.executable, "-c", textwrap.dedent(waits)]
    monkeypatch.setattr(catalog, "started", lambda *_given, **_named: (command, dict(os.environ)))
    with pytest.raises(RuntimeError, match="took more than 10 s"):
        isolated.run_one("psi", isolated.Setting(), 10)
    status = Path("/proc", started.read_text(), "status")
    # It was killed; that it ends is the system's to do, and may take a moment.
    until = time.monotonic() + 30
    while runs(status) and time.monotonic() < until:
        time.sleep(0.01)
    assert not runs(status)


def runs(status: Path) -> bool:
    """Whether the process of this file in /proc is there, and not a zombie."""
    try:
        return "zombie" not in status.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_run_names_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "chess"]) == 2
    assert "no benchmark 'chess': choose from" in capsys.readouterr().err
    assert main(["chess"]) == 2
    said = capsys.readouterr().err
    assert "no command or benchmark 'chess'" in said
    assert "`python -m benchmarks list` names the benchmarks" in said
    assert "constant_time" in catalog.names()
    assert "constant_time" not in catalog.default_names()
    assert not {"record", "harness"} & set(catalog.names())
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    assert "python -m benchmarks" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("run okvs --cores 0", "'0' is not a whole number of at least 1"),
        ("okvs --log2n 8,x", "'x' is not a whole number from 1 to 30"),
        ("okvs --repeat 0", "'0' is not a whole number of at least 1"),
        ("computing --parties 1", "'1' is not a whole number of at least 2"),
        ("lookup --sizes 10x20", "'10x20' is not keys x rows x values"),
        ("psi --links tls,moon", "'moon' is none of tls, plain, lan, 20ms, wan, slow"),
        ("scoring --forms anew,old", "'old' is none of prepared, offline, split, anew"),
        ("psi --log2n 12,99", "'99' is not a whole number from 1 to 30"),
        ("paillier --bits 2048,99", "'99' is not a whole number from 512 to 8192"),
        ("paillier --bits 2047", "'2047' is odd"),
        ("constant_time --bits 5", "'5' is not a whole number from 512 to 8192"),
        ("okvs --seconds nan", "python -m benchmarks okvs: error: argument --seconds: 'nan'"),
        ("okvs --seconds -1", "'-1' is no number of seconds"),
        (f"okvs --repeat {'9' * 5000}", "is not a whole number of at least 1"),
    ],
)
def test_a_wrong_option_is_said_before_anything_is_measured(
    asked: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(asked.split())
    assert left.value.code == 2
    assert why in capsys.readouterr().err


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("okvs --json no/such/file", "no/such/file cannot be written"),
        ("run okvs --json .", ". cannot be written"),
        ("okvs --json taken/x", "taken/x cannot be written"),
        ("report okvs --output taken", "the folder taken cannot be written"),
        ("report okvs --output taken/x/y", "the folder taken/x/y cannot be written"),
        ("report okvs --readme taken", "taken has no lines"),
        ("report okvs --json no/such/file", "no/such/file cannot be written"),
        ("report okvs --readme no.md", "there is no no.md"),
        ("report --from nowhere", "there is no nowhere/machine.json"),
        ("check --file nowhere", "there is no nowhere"),
        ("baseline --file no/such/file", "no/such/file cannot be written"),
    ],
)
def test_a_file_that_is_not_there_is_said_before_anything_is_measured(
    asked: str,
    why: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").touch()
    assert main(asked.split()) == 2
    assert why in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize("asked", ["okvs --json", "report okvs --output"])
def test_a_full_disk_is_said_in_a_line(
    asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_given: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    one = [Record(benchmark="okvs.rows", unit="s", median=1.0, spread=0.0, checked=True)]
    monkeypatch.setattr(catalog.load("okvs"), "run", lambda _options: one)
    monkeypatch.setattr(isolated, "run_one", lambda *_given: one)
    monkeypatch.setattr(command, "write_json", full)
    monkeypatch.setattr(report, "write_json", full)
    assert main([*asked.split(), str(tmp_path / "new")]) == 2
    said = capsys.readouterr()
    assert said.err.endswith(f"cannot write {tmp_path / 'new'}: No space left on device\n")
    assert "okvs.rows" in said.out or "report" in asked


def _ends(seat: Seat, how: str) -> None:
    if seat.me == "one":
        seat.together()  # the other does not come
    elif how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    raise ValueError("out of paper")


@pytest.mark.parametrize(
    ("how", "why"),
    [("fails", "other failed: ValueError: out of paper"), ("killed", "its process was killed")],
)
def test_a_party_that_fails_is_named_with_its_words_and_not_the_one_that_waits(
    how: str, why: str
) -> None:
    with pytest.raises(RuntimeError, match=why):
        parties.play(("one", "other"), _ends, how)


def test_a_party_that_ends_before_it_listens_is_named() -> None:
    with pytest.raises(RuntimeError, match="one failed: its process was killed"):
        parties.play(("one", "other"), _ends, _Unreadable())


class _Unreadable:
    """Ends the process that unpickles it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (3,)


def test_a_missing_package_is_named_with_what_brings_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "benchmarks.paillier", raising=False)
    monkeypatch.setitem(sys.modules, "phe", None)
    assert main(["paillier", "--bits", "512", "--count", "4"]) == 2
    assert "paillier needs phe: pip install 'mpc-parties[bench]'" in capsys.readouterr().err
    with pytest.raises(SystemExit) as left:
        main(["paillier", "--help"])
    assert left.value.code == 0
    assert "--bits" in capsys.readouterr().out


def test_every_benchmark_has_sizes_for_a_quick_run() -> None:
    for name in catalog.names():
        module = catalog.load(name)
        quick = catalog.parse(name, module, ["--quick"])
        assert vars(quick) != vars(catalog.parse(name, module, [])) | {"quick": True}, name
        assert catalog.parse(name, module, ["--sweep"]).sweep
        assert catalog.summary(name).endswith(".")


def test_a_wrong_result_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = [Record(benchmark="okvs.rows", unit="s", median=1.0, spread=0.0, checked=False)]
    monkeypatch.setattr(catalog.load("okvs"), "run", lambda _options: wrong)
    assert main(["okvs"]) == 1


def test_a_profile_counts_each_second_once(capsys: pytest.CaptureFixture[str]) -> None:
    spans = [
        Span(("outer", "inner"), 0.0, 2.0, 1.0, "bank"),
        Span(("outer", "inner"), 3.0, 1.0, 1.0, "bank"),
        Span(("outer",), 0.0, 4.0, 2.0, "bank"),
        Span(("outer",), 0.0, 1.0, 0.5, "lender"),
    ]
    records = profile.totals("demo", spans)
    found = {(r.params["side"], r.params["stage"]): r.median for r in records}
    assert found == {
        ("bank", "outer"): 1.0,
        ("bank", "outer/inner"): 3.0,
        ("lender", "outer"): 1.0,
    }
    profile.show(records)
    shown = capsys.readouterr().out
    assert "demo side=bank" in shown
    assert "75%" in shown


def test_imports_within_the_suite_are_relative() -> None:
    """The wheel carries it as ``mpc.benchmarks``."""
    for path in (ROOT / "benchmarks").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            assert not [n for n in names if n.split(".")[0] == "benchmarks"], path


def test_mpc_bench_is_the_suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _path, command: started.append(command))
    bench.run(["run", "--quick"])
    assert started == [[sys.executable, "-P", "-m", "benchmarks", "run", "--quick"]]
    monkeypatch.setattr(bench.mpc, "__file__", str(tmp_path / "mpc" / "__init__.py"))
    with pytest.raises(ConfigError, match="not installed"):
        bench.run(["list"])


def test_the_wheel_carries_the_suite(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    assert {path.name for path in (tmp_path / "site").glob("*")} >= {"mpc"}
    assert not (tmp_path / "site" / "benchmarks").exists()
    # In a folder with a module of the same name, which must not be taken for the suite.
    (tmp_path / "benchmarks.py").write_text("raise SystemExit('hijacked')")

    def bench(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-P", "-m", "mpc", "bench", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout

    assert "Intersection of two sets" in bench("list")
    file = tmp_path / "records.json"
    small = [
        "--seconds",
        "0",
        "--megabytes",
        "1",
        "--message-kb",
        "64",
        "--round-trips",
        "2",
        "--repeat",
        "1",
    ]
    assert "link.round_trip" in bench("link", *small, "--json", str(file))
    assert all(record["checked"] for record in json.loads(file.read_text()))
    assert "mpc bench psi" in bench("psi", "--help")
    assert "okvs.encode" in bench("run", "okvs", "--quick", "--backend", "portable")


def test_a_report_without_its_extra_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from benchmarks.__main__ import main\n"
        "sys.exit(main(['report']))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "a report needs matplotlib: pip install 'mpc-parties[bench]'\n"
