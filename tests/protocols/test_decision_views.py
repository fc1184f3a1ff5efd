# SPDX-License-Identifier: Apache-2.0
"""What a joint decision shows: to the asker, and to a party that is none of its business."""

from __future__ import annotations

import numpy as np
import pytest
from lookup_runs import secrets_of

from mpc.net.mesh import Mesh
from mpc.pb.v1 import arith_pb2, decision_pb2
from mpc.primitives import cuckoo
from mpc.protocols.decision import Known
from mpc.protocols.threshold import Listed
from tests.protocols.computing import evenly, looks_uniform, openings, recorded
from tests.protocols.decision_runs import APPLICANTS, FEATURES, MODEL, PLAN, run, tables

SEEDS = 3
BINS = cuckoo.bins(len(APPLICANTS))
NONE, ALL = Listed([f"x{i}" for i in range(60)]), Listed(APPLICANTS)
CALM = {"now": 50_000.0, "before": 50_000.0, "delay": 1.0}


def test_what_reaches_a_party_is_uniform_whoever_applied():
    _, known = tables()
    keys = known["p1"].keys
    everyone = {"p1": Listed(keys), "p3": Listed(keys)}
    seen: dict[int, bytes] = {}
    for number, lists in enumerate((everyone, {"p1": Listed([]), "p3": Listed(["x"])})):
        came = []

        def wrap(mesh, came=came):
            mesh = recorded(mesh)
            if mesh.me == "p2":
                (first,) = (name for name in mesh.peers if name == "p0")
                came.append(Mesh(mesh.me, [mesh.me, first], {first: mesh.channel(first)}))
            return mesh

        run(PLAN, MODEL, lists, known, wrap=wrap, seed=number)
        # Narrow numbers are opened modulo less than a byte; test_compare looks at those.
        seen[number] = b"".join(openings(came[0], width=8))
    assert len(seen[0]) == len(seen[1])
    assert all(looks_uniform(view) for view in seen.values())


def known_as(scored, ruled):
    """Tables in which all companies have the same features."""
    found = {}
    for name, width in (("p1", 2), ("p2", 1)):
        values = np.tile([scored[column] for column in FEATURES[name]], (len(APPLICANTS), 1))
        rows = np.tile([ruled[n] for n, _ in PLAN.ruled(name)], (len(APPLICANTS), 1))
        assert values.shape[1] == width
        found[name] = Known(APPLICANTS, values, rows)
    return found


def views(lists, known, seed):
    """What came to each party from each of the others, and what p0 got."""
    meshes = {}

    def wrap(mesh):
        meshes[mesh.me] = recorded(mesh)
        return meshes[mesh.me]

    found, *_ = run(PLAN, MODEL, lists, known, wrap=wrap, seed=seed)
    came = {me: {n: mesh.channel(n).came for n in mesh.peers} for me, mesh in meshes.items()}
    return found, came


def test_the_asker_sees_no_feature_no_score_and_not_what_decided():
    """Companies that two lists decline, or their score, or a rule: the asker gets the same
    outcomes and reasons, from as many numbers of the same sizes, all of them uniform."""
    worlds = [
        ({"p1": ALL, "p3": ALL}, known_as({"a": 0.5, "b": -0.3, "c": 0.1}, CALM)),
        ({"p1": NONE, "p3": NONE}, known_as({"a": 2.0, "b": -1.0, "c": 1.0}, CALM)),
        (
            {"p1": NONE, "p3": ALL},
            known_as({"a": -1.0, "b": 1.0, "c": -9.0}, CALM | {"now": 20_000.0}),
        ),
    ]
    sizes = set()
    for number, (lists, known) in enumerate(worlds):
        came = {name: [] for name in ("p1", "p2", "p3")}
        for seed in range(SEEDS):
            found, all_seen = views(lists, known, f"{number} {seed}")
            seen = all_seen["p0"]
            assert found.outcome.tolist() == [2] * len(APPLICANTS)
            assert found.reasons.tolist() == [[True, True, False]] * len(APPLICANTS)
            for name, messages in seen.items():
                came[name] += messages
            counted = [(n, m.DESCRIPTOR.name, m.ByteSize()) for n, ms in seen.items() for m in ms]
            sizes.add(tuple(counted))
        for messages in came.values():
            check_uniform(messages)
    assert len(sizes) == 1


@pytest.mark.parametrize("last", ["p2", "p3"])
def test_all_but_one_together_see_nothing_of_the_last_ones_table_or_list(last):
    """Whatever it holds, with the same outcomes and reasons: as many messages of the same sizes;
    openings, the same to all; and numbers to the asker that are uniform."""
    scores = {"a": 2.0, "b": -1.0, "c": 1.0}
    worlds = {
        "p2": [({"p1": NONE, "p3": ALL}, known_as({**scores, "c": c}, CALM)) for c in (1.0, -9.0)],
        "p3": [({"p1": NONE, "p3": held}, known_as(scores, CALM)) for held in (NONE, ALL)],
    }[last]
    colluders, sizes = sorted({"p0", "p1", "p2", "p3"} - {last}), set()
    for number, (lists, known) in enumerate(worlds):
        reached = []
        for seed in range(SEEDS):
            found, seen = views(lists, known, f"{last} {number} {seed}")
            assert found.outcome.tolist() == [2] * len(APPLICANTS)
            assert found.reasons.tolist() == [[True, True, False]] * len(APPLICANTS)
            came = {name: seen[name][last] for name in colluders}
            opened = {
                name: [m for m in messages if isinstance(m, arith_pb2.Opening)]
                for name, messages in came.items()
            }
            assert opened["p0"]
            for name in colluders[1:]:
                assert opened[name] == opened["p0"]
                others = {type(m) for m in came[name]} - {arith_pb2.Opening}
                assert others == {arith_pb2.SeedHalf, decision_pb2.DecisionReady}
            reached += came["p0"]
            sizes.add(tuple((n, type(m), m.ByteSize()) for n in colluders for m in came[n]))
        check_uniform(reached)
    assert len(sizes) == 1


def check_uniform(messages):
    """Of one party: what it looked up, what it opened, and what it handed over in the end."""
    assert looks_uniform(b"".join(secrets_of(message) for message in messages))
    opened = [m.words for m in messages if isinstance(m, arith_pb2.Opening)]
    assert looks_uniform(b"".join(words.data for words in opened if words.width == 8))
    # Narrow numbers are opened modulo a power of two: who is on lists, and ranks.
    narrow = [np.frombuffer(words.data, np.uint8) for words in opened if words.width != 8]
    assert len(narrow) == 2 * SEEDS
    assert evenly(np.concatenate(narrow[::2]), 16)
    assert evenly(np.concatenate(narrow[1::2]), 8)
    handed = b"".join(m.words.data for m in messages if isinstance(m, arith_pb2.HandedShares))
    rows = np.frombuffer(handed, np.uint8).reshape(-1, -(-BINS // 64) * 8)
    shares = np.unpackbits(rows, axis=1, bitorder="little")
    assert not shares[:, BINS:].any()  # which belongs to nobody
    assert evenly(shares[:, :BINS].reshape(-1), 2)
