# SPDX-License-Identifier: Apache-2.0
"""The Paillier benchmarks run and find results right; figures of so short a run mean nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import constant_time
from benchmarks.__main__ import main
from benchmarks.harness import cores
from mpc import kernels


def test_every_operation_is_measured_and_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores, "TURN", 0.0)
    report = tmp_path / "report.json"
    arguments = ["--bits", "512", "--count", "9", "--repeat", "1", "--json", str(report)]
    with kernels.use(threads=2):
        main(["paillier", *arguments, "--seconds", "0"])
    records = json.loads(report.read_text())
    assert all(record["checked"] for record in records)
    measured = {record["benchmark"] for record in records}
    assert {
        f"paillier.{name}"
        for name in (
            "encrypt_public",
            "encrypt_owner",
            "encrypt_packed_public",
            "encrypt_packed_owner",
            "decrypt",
            "add",
            "multiply_32_bit",
            "multiply_32_bit_negative",
            "rerandomize",
            "dot_1000",
            "matrix_8_by_1000_of_10_bits",
            "keygen",
        )
    } <= measured
    beside = [record for record in records if record["benchmark"] == "paillier.decrypt"]
    assert all({"floor", "peers"} <= record.keys() for record in beside)
    scaled = {r["benchmark"]: r for r in records if "quiet" in r}
    assert scaled.keys() == measured - {"paillier.keygen"}
    for found in scaled.values():
        quiet = found["quiet"]
        assert quiet["of"] == 1
        assert ("one core" in found.get("peers", {})) == (quiet["turns"] > 0)


@pytest.mark.parametrize("backend", ["portable", None])
def test_timing_test_runs(tmp_path: Path, backend: str | None) -> None:
    report = tmp_path / "report.json"
    chosen = ["--backend", backend] if backend else []
    main(["constant_time", "--bits", "512", "--samples", "40", "--json", str(report), *chosen])
    simd = (backend or kernels.backend()) == "simd"
    found = [record["benchmark"] for record in json.loads(report.read_text())]
    assert found[0] == "constant_time.power"
    multiples = [f"multiple_of_{what}" for what in ("1", "8", "generator")]
    others = [
        f"constant_time.{name}" for name in (*multiples, "mask", "decrypt_sums", "encrypted_sums")
    ]
    assert [name for name in found if name in others] == (others if simd else [])


def test_the_statistic_tells_two_classes_apart() -> None:
    rng = np.random.default_rng(4)
    drawn, inputs = rng.integers(0, 2, 4000).astype(np.bool_), rng.integers(0, 64, 4000)
    noise = rng.exponential(100, 4000)

    def statistic(times: NDArray[np.float64]) -> float:
        return constant_time.statistic(times, drawn, inputs)

    assert statistic(noise) < constant_time.THRESHOLD
    assert statistic(noise + 20 * drawn) > constant_time.THRESHOLD
    # A difference in the fast runs only is seen once the slow ones are cropped.
    assert statistic(1e3 + noise**2 + 30 * drawn) > constant_time.THRESHOLD
    # What each input adds, by where it lies, is no difference of classes, however many runs see it.
    places = rng.normal(0, 30, (2, 64))
    assert statistic(noise / 20 + places[drawn.astype(int), inputs]) < constant_time.THRESHOLD
    one = np.array([True, False])
    assert constant_time.statistic(np.zeros(2), one, np.zeros(2, np.intp)) == 0
