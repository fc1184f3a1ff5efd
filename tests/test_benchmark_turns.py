# SPDX-License-Identifier: Apache-2.0
"""How often a benchmark does what it measures, in one process and in several that go together."""

from __future__ import annotations

import random
import time

import pytest

from benchmarks import _sides, parties
from benchmarks.harness import catalog, timing
from benchmarks.parties import Seat
from mpc.net.channel import Channel
from mpc.net.mesh import Mesh
from mpc.pb.v1.columns_pb2 import Column


def test_turns_go_on_until_the_spread_is_small_or_the_time_is_over() -> None:
    steady: list[float] = []
    for _ in timing.turns({"steady": steady}, at_least=4):
        steady.append(1.0)
    assert len(steady) == 4
    wild: list[float] = []
    with timing.spending(0.05):
        for turn in timing.turns({"steady": steady, "wild": wild}, at_least=3):
            wild.append(1.0 + turn % 2)
    assert len(wild) > 3
    assert timing.error([1.0, 2.0]) == float("inf")
    assert timing.error([1.0, 1.01, 0.99, 1.0, 1.02]) < 0.01 < timing.error([1.0, 2.0, 3.0])


def test_measurements_take_turns_with_each_other_and_those_that_are_known_wait() -> None:
    series: dict[str, dict[str, list[float]]] = {"a": {"x": []}, "b": {"x": [], "y": []}}
    made: list[str] = []
    with timing.spending(0.05):
        for name in timing.rounds(series, at_least=3):
            made.append(name)
            for part, values in series[name].items():
                values.append(1.0 + (part == "y") * (len(values) % 2))
    assert made[:6] == 3 * ["a", "b"]
    assert made[6:] == (len(made) - 6) * ["b"] != []
    # Each of the measurements may take the time, but only if its spread is wide.
    series["b"].pop("y")
    assert list(timing.rounds(series, at_least=1)) == ["a", "b"]


def test_all_that_measure_together_take_the_turns_of_the_one_that_decides() -> None:
    said: list[bool] = []

    def tell(goes_on: bool) -> bool:
        said.append(goes_on)
        return goes_on

    wild: list[float] = []
    with timing.spending(0.05):
        for turn in timing.agreed({"wild": wild}, at_least=3, decides=True, tell=tell):
            wild.append(1.0 + turn % 2)
    assert len(wild) > 3
    answers = iter(said)
    follows = timing.agreed({}, at_least=100, decides=False, tell=lambda mine: next(answers) | mine)
    assert list(follows) == list(range(len(wild)))


def _wild(seat: Seat, _options: None) -> tuple[int, int]:
    """How often a party did what takes a while every other time, and how often it was counted."""
    runs = []

    def work(_mesh: Mesh) -> None:
        runs.append(seat.me)
        time.sleep(0.01 * (len(runs) % 2))

    times = parties.timed(seat, "tls", 3, lambda mesh: mesh, work, lambda _: True)
    return len(runs), len(times.seconds)


@pytest.mark.parametrize("seconds", [0.0, 0.5])
def test_parties_go_on_together_until_the_first_ones_median_is_steady(seconds: float) -> None:
    with timing.spending(seconds):
        found = parties.play(("one", "other"), _wild, None)
    runs, counted = found["one"]
    assert found["other"] == (runs, counted) == (counted + 1, counted)
    assert (counted > 3) == (seconds > 0)


def _echo(channel: Channel, grows: bool, side: str) -> None:
    if side == "near" and grows:
        time.sleep(0.02 * random.random())
    channel.exchange(Column())


def test_two_sides_go_on_together_until_the_first_ones_median_is_steady() -> None:
    with timing.spending(0.4):
        found = _sides.measured(("near", "far"), _echo, [True], 3)
    assert [len(found[side][0]) for side in ("near", "far")] == 2 * [len(found["near"][0])]
    assert len(found["near"][0]) > 3


def test_a_quick_run_takes_its_repeats_and_no_more() -> None:
    module = catalog.load("psi")
    seconds = {
        a: catalog.parse("psi", module, a.split()).seconds for a in ("", "--quick", "--sweep")
    }
    assert seconds["--quick"] == 0.0 < seconds["--sweep"] < seconds[""]
    assert catalog.parse("psi", module, ["--quick", "--seconds", "2"]).seconds == 2.0


def test_a_sample_is_long_enough_for_the_clock() -> None:
    times = iter([0.0, 1.0, 2.5])
    runs: list[int] = []
    work = timing.Work(lambda: runs.append(1), count=10)
    assert timing.seconds_each(work, lambda: next(times), moment=2.0) == pytest.approx(0.125)
    assert len(runs) == 2
