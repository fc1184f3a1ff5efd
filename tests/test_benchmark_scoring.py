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
    assert len(records) == expected
    for record in records:
        assert record.checked, record
        assert record.bytes is not None
        assert record.rounds is not None
        assert record.floor is not None
        assert record.median > 0
