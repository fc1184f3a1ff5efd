# SPDX-License-Identifier: Apache-2.0
"""The benchmarks of thresholds and decisions run, between real processes over TLS."""

from __future__ import annotations

import json

import pytest

from benchmarks.__main__ import main


@pytest.mark.parametrize(
    ("name", "options", "unit"),
    [
        ("threshold", ["--sizes", "30x40", "--outputs", "bit,count"], "threshold.key"),
        ("decision", ["--sizes", "30x50"], "decision.applicant"),
    ],
)
def test_joint_lists(tmp_path, capsys, name, options, unit):
    path = tmp_path / "found.json"
    main([name, *options, "--holders", "2", "--repeat", "1", "--json", str(path)])
    found = json.loads(path.read_text())
    assert all(record["checked"] for record in found)
    walls = [record for record in found if record["benchmark"] == f"{name}.wall"]
    each = [record for record in found if record["benchmark"] == unit]
    assert len(walls) == len(each) == (2 if name == "threshold" else 1)
    for wall, one in zip(walls, each, strict=True):
        assert wall["params"]["holders"] == 2
        assert wall["rounds"] > 0
        assert one["bytes"] == wall["bytes"] // 30
    assert unit in capsys.readouterr().out
