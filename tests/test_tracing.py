# SPDX-License-Identifier: Apache-2.0
"""Spans reach those who listen, nested and timed, and cost next to nothing when nobody does."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Thread

import pytest

import mpc
from mpc.tracing import Span, ThreadPool, listening, span, spanned


def test_spans_are_told_when_they_end_with_their_path_and_time() -> None:
    heard: list[Span] = []
    with listening(heard.append), span("outer"):
        with span("inner"):
            time.sleep(0.02)
        with span("inner"):
            sum(range(100_000))
    assert [s.path for s in heard] == [("outer", "inner"), ("outer", "inner"), ("outer",)]
    slept, worked, outer = heard
    assert slept.name == "inner"
    assert slept.wall >= 0.02 > slept.cpu
    assert worked.cpu > 0
    assert outer.start <= slept.start <= worked.start
    assert outer.wall >= slept.wall + worked.wall


def test_without_a_listener_a_span_is_nothing() -> None:
    with span("outer"):
        assert span("a") is span("b")
    taken = []
    for _ in range(10):
        begun = time.thread_time()
        for _ in range(1000):
            with span("quiet"):
                pass
        taken.append(time.thread_time() - begun)
    assert min(taken) / 1000 < 20e-6


def test_a_span_that_raises_ends_and_is_told() -> None:
    heard: list[Span] = []

    def fails() -> None:
        with span("outer"), span("inner"):
            raise KeyError

    with listening(heard.append):
        with pytest.raises(KeyError):
            fails()
        with span("after"):
            pass
    assert [s.path for s in heard] == [("outer", "inner"), ("outer",), ("after",)]


def test_a_function_that_is_a_stage() -> None:
    @spanned("sum")
    def added(left: int, *, right: int) -> int:
        """Adds."""
        return left + right

    heard: list[Span] = []
    assert added(1, right=2) == 3
    with listening(heard.append), span("outer"):
        assert added(3, right=4) == 7
    assert [s.path for s in heard] == [("outer", "sum"), ("outer",)]
    assert (added.__name__, added.__doc__) == ("added", "Adds.")


def test_listeners_stand_beside_each_other_and_hear_their_own_thread() -> None:
    near: list[Span] = []
    far: list[Span] = []

    def elsewhere() -> None:
        with span("elsewhere"):
            pass

    with listening(near.append):
        with listening(far.append), span("both"):
            thread = Thread(target=elsewhere)
            thread.start()
            thread.join()
        with span("one"):
            pass
    with span("none"):
        pass
    assert [s.name for s in far] == ["both"]
    assert [s.name for s in near] == ["both", "one"]


def test_spans_of_a_pool_are_inside_those_of_who_submits() -> None:
    heard: list[Span] = []

    def work(number: int) -> int:
        with span("work"):
            return number + 1

    with listening(heard.append), span("outer"), ThreadPool(2, "pool") as pool:
        assert list(pool.map(work, range(3))) == [1, 2, 3]
        with span("later"):
            assert pool.submit(work, 7).result() == 8
    paths = [s.path for s in heard if s.thread.startswith("pool")]
    assert sorted(paths) == [("outer", "later", "work"), *[("outer", "work")] * 3]
    with ThreadPool(1) as pool:
        assert pool.submit(work, 1).result() == 2
    assert len(heard) == 6  # nobody listens any more


def test_no_protocol_makes_threads_that_are_not_heard() -> None:
    """But those that a listener has no interest in: of the network, and of a rehearsal."""
    package = Path(mpc.__file__).parent
    deaf = {
        file.relative_to(package).as_posix()
        for folder in ("protocols", "primitives", "apps")
        for file in (package / folder).rglob("*.py")
        if "ThreadPoolExecutor(" in file.read_text()
    }
    assert deaf == {"apps/rehearsal.py"}
