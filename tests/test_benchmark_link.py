# SPDX-License-Identifier: Apache-2.0
"""The benchmark of the link runs, carries what it measures, and writes its records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.record import Record, middle, write_json


def test_a_tiny_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "link.json"
    sizes = ["--megabytes", "4", "--message-kb", "512", "--round-trips", "5", "--repeat", "1"]
    main(["link", *sizes, "--seconds", "0", "--json", str(file)])
    records = json.loads(file.read_text())
    assert {record["benchmark"] for record in records} == {"link.round_trip", "link.throughput"}
    assert all(record["checked"] and record["median"] > 0 for record in records)
    ways = {record["params"]["way"]: record for record in records}
    assert set(ways) == {"tcp", "grpc unary", "link", "link tls", "channel tls"}
    assert set(ways["link tls"]["peers"]) == {"grpc unary"}
    assert ways["link tls"]["floor"]["name"] == "tcp"
    shown = capsys.readouterr().out
    assert "link.throughput" in shown
    assert "link tls" in shown


def test_the_list_names_every_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    main(["list"])
    shown = capsys.readouterr().out
    assert "link             Round-trip time and throughput of the gRPC link" in shown


def test_a_record_leaves_out_what_does_not_apply(tmp_path: Path) -> None:
    record = Record(benchmark="b", unit="ms", median=1.5, spread=0.5, checked=True)
    assert record.as_json() == {
        "benchmark": "b",
        "params": {},
        "unit": "ms",
        "median": 1.5,
        "spread": 0.5,
        "checked": True,
    }
    full = Record(
        benchmark="b",
        params={"n": 1},
        unit="op/s",
        median=1,
        spread=0,
        bytes=7,
        rounds=2,
        peak_rss_mb=3.5,
        floor=("gmp", 2.0),
        peers={"phe": 9.0},
        checked=False,
    )
    write_json([full], tmp_path / "records.json")
    (written,) = json.loads((tmp_path / "records.json").read_text())
    assert written["floor"] == {"name": "gmp", "ratio": 2.0}
    assert (written["bytes"], written["rounds"], written["peers"]) == (7, 2, {"phe": 9.0})


def test_the_middle() -> None:
    assert middle([3.0]) == (3.0, 0.0)
    assert middle([1.0, 2.0, 3.0, 4.0, 100.0]) == (3.0, 2.0)
