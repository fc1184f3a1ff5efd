# SPDX-License-Identifier: Apache-2.0
"""The benchmarks of intersections and of the store run, between real processes over TLS."""

from __future__ import annotations

import json
import statistics
import time

import pytest

from benchmarks.__main__ import main
from benchmarks._flights import Chain, Chained
from benchmarks._sides import measured
from benchmarks.parties import LINKS
from mpc.net import memory
from mpc.pb.v1.columns_pb2 import Column
from mpc.protocols import psi
from mpc.testing import run_pair


def records(arguments, path):
    main([*arguments, "--seconds", "0", "--json", str(path)])
    return json.loads(path.read_text())


def test_psi(tmp_path, capsys):
    arguments = ["psi", "--log2n", "9", "--links", "tls", "--unbalanced", "20", "--repeat", "1"]
    found = records([*arguments, "--profile"], tmp_path / "psi.json")
    walls = [record for record in found if record["benchmark"] == "psi.wall"]
    assert len(walls) == 6
    assert all(record["checked"] for record in found)
    by_form = {r["params"]["form"]: r["bytes"] for r in walls if r["params"]["x"] == 512}
    assert by_form["hashes"] < by_form["semi-honest"] < by_form["malicious"]
    stages = [record for record in found if record["benchmark"] == "psi.stage"]
    names = {record["params"]["stage"] for record in stages}
    assert names == {"hash", "okvs", "vole", "transfer", "tags", "match"}
    assert all(record["peak_rss_mb"] >= 0 for record in stages)
    cpu = [record for record in found if record["benchmark"] == "psi.stage_cpu"]
    assert [record["params"] for record in cpu] == [record["params"] for record in stages]
    rounds = {}
    for side in ("receiver", "sender"):
        params = {"x": 512, "y": 512, "form": "malicious", "link": "tls", "side": side}
        mine = [r for r in found if params.items() <= r["params"].items()]
        (whole,) = [r["median"] for r in mine if r["benchmark"] == "psi.cpu"]
        parts = [r["median"] for r in mine if r["benchmark"] == "psi.stage_cpu"]
        assert 0 < sum(parts) <= whole
        rounds[side] = sum(r["rounds"] for r in mine if r["benchmark"] == "psi.stage")
    assert rounds["receiver"] == walls[0]["rounds"] >= rounds["sender"] > 1
    vole = [record["bytes"] for record in stages if record["params"]["stage"] == "vole"]
    assert min(vole) > 100_000
    shown = capsys.readouterr().out
    assert "psi.wall" in shown
    profile = shown[shown.index("psi x=512 y=512 form=malicious link=tls side=receiver") :]
    assert all(f"{name} " in profile for name in names)


def test_psi_over_a_shaped_link(tmp_path):
    arguments = ["psi", "--log2n", "6", "--links", "wan", "--security", "semi-honest"]
    found = records([*arguments, "--unbalanced", "0", "--repeat", "1"], tmp_path / "psi.json")
    (wall,) = [record for record in found if record["benchmark"] == "psi.wall"]
    assert wall["checked"]
    assert wall["median"] > wall["rounds"] * 0.05
    assert wall["floor"]["name"] == "link"


def begins(channel, _case, side):
    """When a side begins, of what takes the receiver a latency longer than the sender."""
    begun = time.monotonic()
    if side == "sender":
        channel.send(Column())
    else:
        channel.recv(Column)
    return begun


def test_both_sides_begin_together_over_a_long_link():
    """The one that ends first does not begin the next run a latency late."""
    both = measured(("receiver", "sender"), begins, ["any"], 5, way="wan")
    mine, theirs = ([sample.output for sample in both[side][0]] for side in ("receiver", "sender"))
    apart = [abs(one - other) for one, other in zip(mine, theirs, strict=True)]
    assert statistics.median(apart) < LINKS["wan"][1] / 1e3 / 2


@pytest.mark.parametrize(("security", "flights"), [("malicious", 7), ("semi-honest", 3)])
def test_the_flights_of_an_intersection(security, flights):
    chains = [Chain(), Chain()]
    ends = [Chained(link, chain) for link, chain in zip(memory.pair(), chains, strict=True)]
    items = [f"company {i}" for i in range(2000)]
    run_pair(
        lambda channel: psi.receiver(channel, items, security=security),
        lambda channel: psi.sender(channel, items, security=security),
        links=lambda: tuple(ends),
    )
    assert [chain.rounds for chain in chains] == [flights, flights]
    assert [chain.reached.flights for chain in chains] == [flights, flights - 1]


def test_okvs(tmp_path, capsys):
    found = records(["okvs", "--log2n", "8", "--repeat", "1"], tmp_path / "okvs.json")
    assert {record["benchmark"] for record in found} == {"okvs.rows", "okvs.encode", "okvs.decode"}
    assert all(record["checked"] for record in found)
    assert "ns/key" in capsys.readouterr().out
