# SPDX-License-Identifier: Apache-2.0
"""What benchmarks found, as it is shown and as it is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.record import Record, read_json, show, write_json


@pytest.mark.parametrize("columns", [60, 80, 130])
def test_what_is_shown_fits_the_terminal_and_nothing_is_cut_off(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    params = {"bits": 2048, "cores": 2, "kernels": "simd"}
    full = Record(
        benchmark="paillier.matrix_8_by_1000_of_10_bits",
        params=params,
        unit="op/s",
        median=123456.0,
        spread=0.5,
        bytes=12345678,
        rounds=3,
        peak_rss_mb=279.0,
        floor=("gmp.powmod", 1.3),
        peers={"phe": 56.1, "one core": 0.769},
        quiet=(5, 7),
        checked=True,
    )
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    show([full])
    shown = capsys.readouterr().out
    assert max(len(line) for line in shown.splitlines()) <= columns
    words = " ".join(shown.split())
    assert "…" not in words
    said = ("123,456 op/s", "matrix_8_by_1000_of_10_bits", "kernels=simd", "gmp.powmod 1.3")
    for part in (*said, "phe 56.1", "one core 0.769", "5 of 7", "12,345,678", "279"):
        assert part in words, part


def test_records_come_back_as_they_were_written(tmp_path: Path) -> None:
    bare = Record(benchmark="c", unit="s", median=1.5, spread=0.5, checked=True)
    full = replace(bare, params={"n": 1}, bytes=7, floor=("gmp", 2.0), peers={"phe": 9.0})
    full = replace(full, quiet=(0, 3))
    write_json([full, bare], tmp_path / "records.json")
    assert read_json(tmp_path / "records.json") == [full, bare]
