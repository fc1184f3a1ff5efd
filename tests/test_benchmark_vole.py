# SPDX-License-Identifier: Apache-2.0
"""The benchmark of vector OLE runs, and checks what both sides get."""

from __future__ import annotations

import argparse

from benchmarks import vole
from benchmarks.harness import profile


def test_every_ring_and_part_is_measured_and_right():
    parser = argparse.ArgumentParser()
    vole.add_arguments(parser)
    options = parser.parse_args(["--counts", "100,5000", "--repeat", "2"])
    with profile.collected("vole", wanted=True) as stages:
        records = vole.run(options)
    trees = {"rows", "rows/bases", "trees", "trees/pads", "code", "products", "check"}
    assert trees <= {record.params["stage"] for record in stages}
    assert all(record.checked and record.median > 0 for record in records)
    measured = [(r.params["ring"], r.params["count"]) for r in records if "ring" in r.params]
    assert measured == [
        (ring, n) for ring in ("bits", "words", "blocks", "z64") for n in (100, 5000)
    ]
    for record in records:
        if record.benchmark == "vole.correlations":
            assert record.bytes is not None
            assert record.rounds in (2, 5, 6, 8)
            assert record.floor is not None
