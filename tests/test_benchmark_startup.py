# SPDX-License-Identifier: Apache-2.0
"""The benchmark of what a process waits for at first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import startup
from benchmarks.__main__ import main


def test_processes_are_started_and_their_results_checked(tmp_path: Path) -> None:
    file = tmp_path / "records.json"
    asked = ["startup", "--parts", "import,warm", "--works", "psi", "--repeat", "1"]
    assert main([*asked, "--json", str(file)]) == 0
    found = {r["benchmark"]: r for r in json.loads(file.read_text())}
    parts = ("import", "warm")
    assert list(found) == [f"startup.{part}{of}" for part in parts for of in ("", ".cpu")]
    assert all(record["checked"] for record in found.values())
    assert 0 < found["startup.import.cpu"]["median"] < 0.3
    assert found["startup.warm"]["floor"]["name"] == "1.5 s"


def test_compiling_is_measured_once_in_an_empty_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    folders = []

    def started(work: str, **variables: str) -> dict[str, float]:
        assert work == "paillier"
        folders.append(Path(variables["NUMBA_CACHE_DIR"]))
        assert not list(folders[-1].iterdir()) or len(folders) > 1
        (folders[-1] / "compiled").touch()
        return {"wall": 1.0 / len(folders), "cpu": 0.25, "right": len(folders) < 3}

    monkeypatch.setattr(startup, "_started", started)
    assert main(["startup", "--parts", "compile,warm", "--works", "paillier", "--repeat", "2"]) == 1
    assert len(folders) == 3
    assert len({*folders}) == 1
    assert not folders[0].exists()


def test_a_process_that_fails_is_told_with_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPC_KERNELS", "abacus")
    with pytest.raises(RuntimeError, match=r"psi: .*MPC_KERNELS is auto, simd or portable"):
        startup._started("psi")
