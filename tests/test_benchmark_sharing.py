# SPDX-License-Identifier: Apache-2.0
"""The benchmark of correlated randomness runs, and checks what both parties get."""

from __future__ import annotations

import argparse

from benchmarks import sharing


def test_every_kind_is_made_and_right():
    parser = argparse.ArgumentParser()
    sharing.add_arguments(parser)
    arguments = ["--count", "20", "--rows", "300", "--features", "3", "--parties", "3"]
    arguments += ["--repeat", "2"]
    records = sharing.run(parser.parse_args(arguments))
    assert all(record.checked and record.median > 0 for record in records)
    made = [r.params["kind"] for r in records if r.benchmark == "sharing.correlations"]
    assert made == [
        *("products", "squares", "ands", "bits", "selections", "numbers", "truncations"),
        *("sines", "against"),
    ]
    timed = [record.benchmark for record in records if record.unit == "s"]
    assert timed == ["sharing.first", "sharing.first_row", "sharing.row", "sharing.among"]
    for record in records:
        if "kind" in record.params:
            assert record.bytes
            assert record.rounds
            assert record.floor is not None
