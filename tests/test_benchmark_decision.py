# SPDX-License-Identifier: Apache-2.0
"""The benchmarks of thresholds and decisions run, between real processes over TLS."""

from __future__ import annotations

import json

import pytest

from benchmarks.__main__ import main

ASKED = {"layout", "agree", "lookups", "compare"}
DECIDED = ASKED | {"score", "verdict", "reasons"}


@pytest.mark.parametrize(
    ("name", "options", "unit", "stages"),
    [
        ("threshold", ["--sizes", "30x40", "--outputs", "bit,count"], "threshold.key", ASKED),
        ("decision", ["--sizes", "30x50"], "decision.applicant", DECIDED),
    ],
)
def test_joint_lists(tmp_path, capsys, name, options, unit, stages):
    path = tmp_path / "found.json"
    main([name, *options, "--holders", "2", "--repeat", "1", "--seconds", "0", "--json", str(path)])
    found = json.loads(path.read_text())
    assert all(record["checked"] for record in found)
    walls = [record for record in found if record["benchmark"] == f"{name}.wall"]
    each = [record for record in found if record["benchmark"] == unit]
    assert len(walls) == len(each) == (2 if name == "threshold" else 1)
    for wall, one in zip(walls, each, strict=True):
        assert wall["params"]["holders"] == 2
        assert wall["rounds"] > 0
        assert wall["floor"]["name"] == "exchange"
        assert one["bytes"] == wall["bytes"] // 30
    parts = [record["params"] for record in found if record["benchmark"] == f"{name}.stage"]
    assert {part["stage"] for part in parts if part["side"] == "asker"} == stages
    assert {part["stage"] for part in parts if part["side"] == "holder_0"} == stages - {"layout"}
    assert unit in capsys.readouterr().out


def test_a_mutual_threshold_with_weights(tmp_path):
    path = tmp_path / "found.json"
    given = ["--forms", "mutual", "--weights", "3,1", "--sizes", "30x40", "--outputs", "bit"]
    main(
        [
            "threshold",
            *given,
            "--holders",
            "3",
            "--repeat",
            "1",
            "--seconds",
            "0",
            "--json",
            str(path),
        ]
    )
    found = {record["benchmark"]: record for record in json.loads(path.read_text())}
    wall, each = found["threshold.wall"], found["threshold.key"]
    assert wall["checked"]
    assert (wall["params"]["form"], wall["params"]["weights"]) == ("mutual", "3,1")
    assert each["bytes"] == wall["bytes"] // (4 * 30)
