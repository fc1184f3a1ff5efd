# SPDX-License-Identifier: Apache-2.0
"""The benchmarks of scores and of computing on shares run, and check what comes out."""

from __future__ import annotations

import argparse
from types import ModuleType

import pytest

from benchmarks import computing, scoring

SCORING = ["--features", "3", "--few", "3", "--key-bits", "2048"]
ON_SHARES = "prepared,split,anew,decision,reasons"


@pytest.mark.parametrize(
    ("module", "arguments", "expected"),
    [
        (scoring, [*SCORING, "--rows", "20", "--shapes", "tls", "--forms", ON_SHARES], 5),
        (scoring, [*SCORING, "--rows", "1", "--shapes", "20ms", "--forms", "paillier"], 1),
        (computing, ["--count", "300", "--matrix", "9", "--shapes", "tls"], 4),
    ],
)
def test_the_benchmark_checks_its_results(
    module: ModuleType, arguments: list[str], expected: int
) -> None:
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    records = module.run(parser.parse_args([*arguments, "--repeat", "1"]))
    assert all(record.checked for record in records)
    walls = [record for record in records if record.benchmark.endswith(".wall")]
    assert len(walls) == expected
    for record in walls:
        assert record.bytes is not None
        assert record.rounds is not None
        assert record.floor is not None
        assert record.median > 0


def test_the_stages_of_a_score_on_shares_are_measured_on_both_sides() -> None:
    parser = argparse.ArgumentParser()
    scoring.add_arguments(parser)
    asked = ["--rows", "9", "--shapes", "tls", "--forms", "anew,decision", "--repeat", "1"]
    records = scoring.run(parser.parse_args([*SCORING, *asked]))
    parts = [r.params for r in records if r.benchmark == "scoring.stage"]
    found = {
        form: {part["stage"] for part in parts if part["form"] == form and part["side"] == "bank"}
        for form in ("anew", "decision")
    }
    ready = {"correlations", "product", "reveal"}
    assert found == {"anew": ready | {"model"}, "decision": ready | {"compare"}}
    assert {part["side"] for part in parts} == {"bank", "tax"}
