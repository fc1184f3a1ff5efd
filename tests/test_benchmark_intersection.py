# SPDX-License-Identifier: Apache-2.0
"""The benchmark of small sets: both protocols, right results, and where they meet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import intersection
from benchmarks.__main__ import main


def test_both_protocols_are_measured_and_checked(tmp_path: Path) -> None:
    file = tmp_path / "records.json"
    assert (
        main(
            [
                "intersection",
                "--items",
                "20",
                "--repeat",
                "1",
                "--seconds",
                "0",
                "--json",
                str(file),
            ]
        )
        == 0
    )
    found = json.loads(file.read_text())
    assert [(r["benchmark"], r["params"]["protocol"]) for r in found] == [
        (f"intersection.{name}", protocol)
        for protocol in ("psi", "psi_dh")
        for name in ("cpu", "wall")
    ]
    assert all(r["checked"] and r["median"] > 0 for r in found)
    assert found[0]["bytes"] > found[2]["bytes"]


def test_where_they_meet() -> None:
    costs = {
        100: {"psi": 5.0, "psi_dh": 1.0},
        200: {"psi": 5.0, "psi_dh": 4.0},
        400: {"psi": 5.0, "psi_dh": 8.0},
    }
    (record,) = intersection._meeting(costs, True)
    assert record.median == pytest.approx(500)  # at a quarter of the way, and of both sides
    del costs[400]
    assert intersection._meeting(costs, True) == []
