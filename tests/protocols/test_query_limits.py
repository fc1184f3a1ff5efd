# SPDX-License-Identifier: Apache-2.0
"""What a holder lets a peer evaluate: rate, burst, and a total that outlives the process."""

from __future__ import annotations

import math
import os
from threading import Thread

import pytest

from mpc.errors import ConfigError
from mpc.protocols.query import CounterFile, Gate, Limits, Refused

WRONG = ("-1", '"1"', "true", "1.5")


class Clock:
    def __init__(self):
        self.now = 50.0

    def __call__(self):
        return self.now


@pytest.fixture
def path(tmp_path):
    return tmp_path / "evaluations.json"


def refused(gate, peer, count):
    with pytest.raises(Refused) as caught:
        gate.admit(peer, count)
    return caught.value.limit, caught.value.allowed, round(caught.value.retry_seconds, 6)


def test_the_rate_is_a_bucket_that_fills_again(path):
    clock = Clock()
    gate = Gate(Limits(rate=10, burst=5, total=1000), CounterFile(path), clock=clock)
    assert refused(gate, "a", 6) == ("burst", 5, 0)
    gate.admit("a", 3)
    gate.admit("a", 2)
    assert refused(gate, "a", 1) == ("rate", 0, 0.1)
    assert refused(gate, "a", 4) == ("rate", 0, 0.4)
    gate.admit("b", 5)  # each peer has its own
    clock.now += 0.35
    assert refused(gate, "a", 4) == ("rate", 3, 0.05)
    gate.admit("a", 3)
    clock.now += 1000
    gate.admit("a", 5)
    assert refused(gate, "a", 1) == ("rate", 0, 0.1)


def test_the_total_outlives_the_process(path):
    limits = Limits(rate=1e9, burst=100, total=100)
    with Gate(limits, CounterFile(path, reserve=16)) as gate:
        gate.admit("a", 30)
        gate.admit("b", 1)
    assert CounterFile(path).used("a") == 30  # what was not used is given back
    gate = Gate(limits, CounterFile(path))
    assert refused(gate, "a", 71) == ("total", 70, 0)
    gate.admit("a", 70)
    assert refused(gate, "a", 1) == ("total", 0, 0)
    gate.admit("b", 99)
    assert refused(gate, "b", 1) == ("total", 0, 0)


def test_a_refusal_counts_nothing(path):
    clock = Clock()
    gate = Gate(Limits(rate=1, burst=10, total=5), CounterFile(path, reserve=0), clock=clock)
    assert refused(gate, "a", 6) == ("total", 5, 0)
    gate.admit("a", 5)
    assert CounterFile(path).used("a") == 5
    assert refused(gate, "a", 5) == ("total", 0, 0)  # the bucket is not what stands against it


def test_a_forked_process_has_no_share_of_its_parents_reserve(path):
    counter = CounterFile(path, reserve=50)
    assert counter.take("a", 1, 100) is None
    child = os.fork()
    if not child:
        taken = counter.take("a", 51, 100), counter.take("a", 50, 100)
        os._exit(0 if taken == (50, None) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert counter.take("a", 49, 100) is None  # of its own reserve
    assert counter.take("a", 1, 100) == 0


def test_who_is_killed_has_used_its_reserve(path):
    counter = CounterFile(path, reserve=50)
    assert counter.take("a", 1, 100) is None
    again = CounterFile(path, reserve=50)  # the first was never closed
    assert again.take("a", 51, 100) == 50
    assert again.take("a", 50, 100) is None
    assert again.take("a", 1, 100) == 0


def test_a_reserve_spares_the_file(path):
    counter = CounterFile(path, reserve=100)
    counter.take("a", 1, 10_000)
    written = path.stat().st_mtime_ns, path.stat().st_ino
    for _ in range(99):
        counter.take("a", 1, 10_000)
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == written
    counter.take("a", 1, 10_000)
    assert counter.used("a") == 200
    counter.close()
    counter.close()
    assert counter.used("a") == 101


def test_a_total_that_was_lowered(path):
    counter = CounterFile(path, reserve=10)
    assert counter.take("a", 10, 100) is None
    assert counter.take("a", 1, 5) == 0


def test_threads_and_counters_share_one_total(path):
    taken = []

    def work(counter):
        for _ in range(50):
            if counter.take("a", 1, 120) is None:
                taken.append(1)

    counters = [CounterFile(path, reserve=0), CounterFile(path, reserve=0)]
    threads = [Thread(target=work, args=(counters[i % 2],)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 120
    assert CounterFile(path).used("a") == 120


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"evaluations": 3}', *(f'{{"evaluations": {{"a": {n}}}}}' for n in WRONG)],
)
def test_a_file_that_is_not_of_counts(path, text):
    path.write_text(text)
    with pytest.raises(ConfigError):
        CounterFile(path)


def test_settings_that_cannot_be(path):
    for wrong in ((0, 1, 1), (math.inf, 1, 1), (math.nan, 1, 1), (1, 0, 1), (1, 1, -1)):
        with pytest.raises(ConfigError):
            Limits(*wrong)
    with pytest.raises(ConfigError):
        CounterFile(path, reserve=-1)
    with pytest.raises(ConfigError, match="cannot write"):
        CounterFile(path / "below" / "no folder").take("a", 1, 1)
