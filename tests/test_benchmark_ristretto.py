# SPDX-License-Identifier: Apache-2.0
"""The benchmark of the group runs, checks its results, and writes what machines read."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.__main__ import main

OPERATIONS = {"mul", "mul_each", "hash_to_group", "encode", "decode", "add"}


def test_every_operation_is_measured_and_right(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    main(["ristretto", "--count", "64", "--repeat", "2", "--seconds", "0", "--json", str(report)])
    records = json.loads(report.read_text())
    assert {record["benchmark"] for record in records} == {f"ristretto.{o}" for o in OPERATIONS}
    assert {record["params"]["backend"] for record in records} >= {"portable"}
    assert all(record["checked"] and record["median"] > 0 for record in records)
