# SPDX-License-Identifier: Apache-2.0
"""The benchmarks of scores and of computing on shares run, and check what comes out."""

from __future__ import annotations

import argparse
import math
import time
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pytest

from benchmarks import computing, parties, scoring
from benchmarks.parties import LINKS, Seat, Times, timed
from mpc.net.channel import Channel
from mpc.net.memory import pair
from mpc.net.mesh import Mesh
from mpc.pb.v1.columns_pb2 import Column

SCORING = ["--features", "3", "--few", "3", "--key-bits", "2048"]
ON_SHARES = "prepared,offline,split,anew,decision,reasons"
# Bytes and rounds of what is measured, however it was prepared.
SCORES = {
    "prepared": (703, 1),
    "offline": (86006, 11),
    "split": (543, 1),
    "anew": (86709, 12),
    "decision": (4608, 9),
    "reasons": (9919, 20),
}
OPERATIONS = {"mul": (9674, 1), "truncate": (4874, 1), "less_than": (25110, 7), "matmul": (2662, 1)}


@pytest.mark.parametrize(
    ("module", "arguments", "expected"),
    [
        (scoring, [*SCORING, "--rows", "20", "--shapes", "tls", "--forms", ON_SHARES], SCORES),
        (scoring, [*SCORING, "--rows", "1", "--shapes", "20ms", "--forms", "paillier"], None),
        (computing, ["--count", "300", "--matrix", "9", "--shapes", "tls"], OPERATIONS),
    ],
)
def test_the_benchmark_checks_its_results(
    module: ModuleType, arguments: list[str], expected: dict[str, tuple[int, int]] | None
) -> None:
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    records = module.run(parser.parse_args([*arguments, "--repeat", "1"]))
    assert all(record.checked for record in records)
    walls = [record for record in records if record.benchmark.endswith(".wall")]
    if expected is not None:
        names = [str(r.params.get("form", r.params.get("operation"))) for r in walls]
        traffic = [(record.bytes, record.rounds) for record in walls]
        assert dict(zip(names, traffic, strict=True)) == expected
    for record in walls:
        assert record.bytes
        assert record.rounds
        assert record.floor is not None
        assert record.median > 0
    if module is computing:
        stages = {str(r.params["stage"]) for r in records if r.benchmark == "computing.stage"}
        whole = {"products", "truncate", "matmul", "subtraction", "carry"}
        assert stages == whole | {f"{stage}/opening" for stage in whole}


def test_a_long_link_is_measured_three_times(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = argparse.ArgumentParser()
    scoring.add_arguments(parser)
    runs: list[tuple[str, int]] = []
    monkeypatch.setattr(scoring, "_measured", lambda _seat, _case, *asked: runs.append(asked))
    asked = ["--rows", "1", "--forms", "prepared", "--shapes", "tls,wan", "--repeat", "5"]
    options = parser.parse_args(asked)
    scoring._job(Seat("bank", ("bank", "tax"), {}), options)
    assert runs == [("tls", 5), ("wan", 3)]


def test_long_links_are_for_so_many_parties_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = argparse.ArgumentParser()
    computing.add_arguments(parser)
    monkeypatch.setattr(computing, "_measured", lambda *_given: None)
    asked = ["--operations", "mul", "--shapes", "tls,wan", "--count", "9,99", "--most", "9"]
    options = parser.parse_args([*asked, "--shaped-parties", "2"])

    def measured(*names: str) -> list[tuple[str, str, int]]:
        return list(computing._job(Seat("a", (*names, "dealer"), {}), options))

    assert measured("a", "b") == [("mul", "tls", 9), ("mul", "tls", 99), ("mul", "wan", 9)]
    assert measured("a", "b", "c") == [("mul", "tls", 9)]


def _takes_turns(seat: Seat, turns: int) -> tuple[Times, list[float]]:
    """Exchanges made ready, as many measured over a long link, and as many to see what is right."""
    preparing = []

    def exchange(mesh: Mesh) -> Mesh:
        for _ in range(turns):
            for name in mesh.peers:
                mesh.channel(name).exchange(Column())
        return mesh

    def right(mesh: Mesh) -> bool:
        return exchange(mesh) is mesh

    def ready(mesh: Mesh) -> Mesh:
        begun = time.perf_counter()
        exchange(mesh)
        preparing.append(time.perf_counter() - begun)
        return mesh

    return timed(seat, "slow", 1, ready, exchange, right), preparing


def test_a_link_takes_its_shape_when_all_is_ready_and_counts_from_then_on() -> None:
    times, preparing = parties.play(("one", "other"), _takes_turns, 4)["one"]
    latency = LINKS["slow"][1] / 1e3
    assert min(times.seconds) >= 4 * latency
    assert max(preparing) < 3 * latency
    assert times.rounds == times.reached.flights == 4
    assert 4 * latency < times.reached.seconds <= min(times.seconds)
    assert times.bytes == 8 * _frame_bytes()


def _frame_bytes() -> int:
    near, far = pair()
    Channel(near).send(Column())
    return len(far.get())


def test_the_dealer_does_not_start_the_clock() -> None:
    near, far = pair()
    seats = [
        Seat("bank", ("bank", "tax"), {"tax": near}),
        Seat("tax", ("bank", "tax"), {"bank": far}),
    ]

    def began(place: int) -> Any:
        return seats[place].began((2.0, math.inf)[place])

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(began, range(2))) == [2.0, 2.0]


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
    every = {"product", "reveal"}
    assert found == {"anew": every | {"model", "correlations"}, "decision": every | {"compare"}}
    assert {part["side"] for part in parts} == {"bank", "tax"}
