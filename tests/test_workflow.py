# SPDX-License-Identifier: Apache-2.0
"""What CI runs elsewhere: pinned by hash, with few rights, on every version of Python."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
WORKFLOW = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
JOBS = dict(
    re.findall(r"^  (\w+):\n((?:(?:    .*)?\n)+)", WORKFLOW.partition("\njobs:\n")[2], re.MULTILINE)
)


def test_actions_are_pinned_by_the_hash_of_a_release() -> None:
    used = re.findall(r"uses: (.*)", WORKFLOW)
    assert len(used) >= 8
    for action in used:
        assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action
    pins: dict[str, set[str]] = {}
    for action in used:
        pins.setdefault(action.partition("@")[0], set()).add(action)
    assert all(len(found) == 1 for found in pins.values()), pins


def test_it_may_only_read() -> None:
    assert re.findall(r"^ *permissions:\n((?: .*\n)+)", WORKFLOW, re.MULTILINE) == [
        "  contents: read\n"
    ]
    assert WORKFLOW.count("persist-credentials: false") == WORKFLOW.count("actions/checkout@")
    assert "secrets." not in WORKFLOW
    assert "pull_request_target" not in WORKFLOW


def test_each_job_ends_and_has_the_source_and_a_python() -> None:
    assert JOBS.keys() == {"lint", "test", "wheel", "bench"}
    for name, job in JOBS.items():
        assert re.search(r"^    runs-on: ubuntu-\d+\.\d+$", job, re.MULTILINE), name
        assert re.search(r"^    timeout-minutes: \d+$", job, re.MULTILINE), name
        assert job.count("actions/checkout@") == job.count("actions/setup-python@") == 1, name
        assert re.search(r"^          python-version: ", job, re.MULTILINE), name


def test_it_runs_what_a_change_must_pass() -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for job, target in (("lint", "lint"), ("test", "test"), ("bench", "bench-check")):
        assert f"      - run: make {target}\n" in JOBS[job]
        assert target in targets


def test_the_tests_run_on_every_python_and_with_both_kinds_of_kernels() -> None:
    assert 'python: ["3.11", "3.12", "3.13", "3.14"]' in JOBS["test"]
    assert "python-version: ${{ matrix.python }}" in JOBS["test"]
    assert "kernels: [auto, portable]" in JOBS["test"]
    assert "MPC_KERNELS: ${{ matrix.kernels }}" in JOBS["test"]
    least = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert least == ">=3.11"


def test_the_wheel_is_used_where_the_source_is_not() -> None:
    install, use = JOBS["wheel"].split("- name: Use it\n")
    assert "pip wheel --no-deps" in install
    assert "[bench]" in install
    assert "--editable" not in install
    assert "working-directory: ${{ runner.temp }}" in use
    for command in ("selftest", "demo", "bench list", "bench run"):
        assert f"venv/bin/mpc {command}" in use


def test_the_report_is_uploaded_whatever_the_check_says() -> None:
    _, report, upload = re.split(
        r"^      - (?=name: The report|uses: actions/upload)", JOBS["bench"], flags=re.M
    )
    (folder,) = re.findall(r"benchmarks report --quick --output (\S+)", report)
    assert f"path: {folder}\n" in upload
    assert "if: always()" in report
    assert "if: always()" in upload
