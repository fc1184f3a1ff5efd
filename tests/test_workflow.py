# SPDX-License-Identifier: Apache-2.0
"""What CI runs elsewhere: pinned by hash, with few rights, on every version of Python."""

from __future__ import annotations

import re
from pathlib import Path

WORKFLOW = (Path(__file__).parent.parent / ".github" / "workflows" / "ci.yml").read_text()


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
    assert re.findall(r"^permissions:\n((?: .*\n)+)", WORKFLOW, re.MULTILINE) == [
        "  contents: read\n"
    ]
    assert WORKFLOW.count("persist-credentials: false") == WORKFLOW.count("actions/checkout@")


def test_it_runs_what_a_change_must_pass() -> None:
    for command in ("make lint", "make test", "make bench-check", "mpc bench run", "mpc demo"):
        assert command in WORKFLOW
    assert 'python: ["3.11", "3.12", "3.13", "3.14"]' in WORKFLOW
    assert "kernels: [auto, portable]" in WORKFLOW
