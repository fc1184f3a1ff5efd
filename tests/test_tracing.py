# SPDX-License-Identifier: Apache-2.0
"""Spans reach those who listen, nested and timed, and cost next to nothing when nobody does."""

from __future__ import annotations

import time
from threading import Thread

import numpy as np
import pytest

from mpc.net.mesh import Mesh
from mpc.primitives import paillier
from mpc.protocols import psi, scoring
from mpc.testing import run_mesh, run_pair
from mpc.tracing import Span, listening, span


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
    begun = time.perf_counter()
    for _ in range(10_000):
        with span("quiet"):
            pass
    assert (time.perf_counter() - begun) / 10_000 < 20e-6


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


def test_the_stages_of_an_intersection() -> None:
    heard: list[Span] = []
    with listening(heard.append):
        run_pair(lambda c: psi.receiver(c, ["a", "b"]), lambda c: psi.sender(c, ["b"]))
    for role in ("left", "right"):
        stages = {s.name for s in heard if s.thread == role}
        assert stages == {"okvs", "vole", "transfer", "tags", "match"}
    # Items are hashed beside the messages, in a thread of each side.
    ahead = [s for s in heard if s.name == "hash"]
    assert len({s.thread for s in ahead}) == len(ahead) == 2


def test_the_stages_of_a_score() -> None:
    roles = scoring.Roles("bank", "bank", {"tax": 2, "bank": 1})
    secret, _ = paillier.keygen(2048)
    model = scoring.Model({"tax": np.array([1.0, 2.0]), "bank": np.array([3.0])}, 0.5)

    def bank(mesh: Mesh) -> object:
        ours = np.array([[1.0]])
        return scoring.paillier.score(
            mesh, roles, rows=1, features=ours, model=model, secret=secret
        )

    def tax(mesh: Mesh) -> object:
        return scoring.paillier.score(mesh, roles, rows=1, features=np.array([[1.0, 1.0]]))

    heard: list[Span] = []
    with listening(heard.append):
        found = run_mesh({"bank": bank, "tax": tax})
    assert found["bank"] == pytest.approx([6.5])
    stages = {name: {s.name for s in heard if s.thread == name} for name in ("bank", "tax")}
    assert stages["bank"] == {"seeds", "encrypt", "transfer", "wait", "decrypt", "product"}
    assert stages["tax"] == {"seeds", "wait", "key", "mask", "product", "transfer"}
