# SPDX-License-Identifier: Apache-2.0
"""The benchmark of correlated randomness runs, and checks what all parties get."""

from __future__ import annotations

import argparse

import numpy as np
import pytest

from benchmarks import sharing
from benchmarks._flights import Reached
from benchmarks.parties import Times
from mpc.protocols.triples import kinds

MADE = ["products", "squares", "ands", "bits", "selections", "numbers", "truncations", "sines"]


def test_every_kind_is_made_over_every_link_and_right():
    parser = argparse.ArgumentParser()
    sharing.add_arguments(parser)
    arguments = ["--count", "20", "--rows", "300", "--features", "3", "--parties", "3"]
    arguments += ["--shapes", "tls,lan", "--most", "10", "--repeat", "1"]
    found = sharing.run(parser.parse_args(arguments))
    assert all(record.checked and record.median > 0 for record in found)
    stages = [record.params for record in found if record.benchmark == "sharing.stage"]
    assert {"correlations", "correlations/bases", "correlations/trees"} <= {
        params["stage"] for params in stages
    }
    records = [record for record in found if record.benchmark != "sharing.stage"]
    made = [r for r in records if r.benchmark == "sharing.correlations"]
    assert [r.params["kind"] for r in made] == 2 * [*MADE, "against"]
    counts = {r.params["link"]: r.params["count"] for r in made if r.params["kind"] == "products"}
    assert counts == {"tls": 20, "lan": 10}
    each = [r for r in records if r.benchmark == "sharing.each"]
    assert [r.params["kind"] for r in each] == [*MADE, "against"]
    blocks = records[0].median
    rates = [r.median for r in made if r.params["link"] == "tls"]
    assert [r.median for r in each] == pytest.approx([blocks / rate for rate in rates])
    assert {r.unit for r in each} == {"AES blocks"}
    timed = [record.benchmark for record in records if record.unit == "s"]
    by_link = ["sharing.first", "sharing.first_row", "sharing.row"]
    assert timed == [*by_link, *by_link, "sharing.among"]
    for record in records:
        if "kind" in record.params and record not in each:
            assert record.bytes
            assert record.rounds
            assert record.floor is not None
            assert record.floor[0] == ("link" if record.params["link"] == "lan" else "exchange")


def test_the_floor_of_a_rate_is_that_of_its_seconds():
    times = Times([2.0], 30_000_000, 4, Reached(4, 1.5), True, {})
    seconds = times.record("x", {}, ("link", times.reached.seconds))
    rate = times.rate(seconds, 100, "1/s")
    assert seconds.floor == ("link", pytest.approx(2.0 / 1.5))
    assert (rate.median, rate.unit) == (50.0, "1/s")
    assert rate.floor == ("link", 1 / seconds.floor[1])


@pytest.mark.parametrize("kind", [kinds.Ands(3), kinds.Bits(64), kinds.Sines(24, 2, 20, 3)])
def test_a_wrong_share_is_seen(kind):
    draw = np.random.default_rng(1)
    free = {
        field.name: draw.integers(0, 1 << 64, kinds.shape(kind, field), np.uint64)
        for field in kind.fields()
        if field.free
    }
    right = free | kind.complete(free, {})
    shares = {name: draw.integers(0, 1 << 64, a.shape, np.uint64) for name, a in right.items()}
    rest = {
        field.name: right[field.name] ^ shares[field.name]
        if field.xor
        else right[field.name] - shares[field.name]
        for field in kind.fields()
    }
    assert sharing._holds(kind, [shares, rest])
    for name in right.keys() - free.keys():
        wrong = rest[name].copy()
        wrong.flat[-1] ^= np.uint64(1 << 40)
        assert not sharing._holds(kind, [shares, rest | {name: wrong}])
