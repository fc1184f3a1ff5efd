# SPDX-License-Identifier: Apache-2.0
"""A party of a joint decision dies at some stage: all others end, and say who is gone.

``tests/cli/test_killed_parties`` does the same to processes, at fewer stages."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.message import Message

from mpc.errors import MpcError
from mpc.net.mesh import Mesh
from mpc.pb.v1 import arith_pb2, lookup_pb2
from mpc.pb.v1 import decision_pb2 as pb
from mpc.protocols import decision
from tests.protocols.computing import Party, compute
from tests.protocols.decision_runs import APPLICANTS, MODEL, PLAN, tables
from tests.protocols.dying import Stage, check, ends

NAMES = ["p0", "p1", "p2", "p3"]
# p1 has a list and a table, p2 a table, p3 a list. Of a message that goes to all, one that dies
# after the first has told one of three. (Of the last one, who was told has got to the end.)
ANYONE: dict[str, Stage] = {
    "ready": (pb.DecisionReady, 0),
    "ready, one told": (pb.DecisionReady, 1),
    "lookup": (lookup_pb2.LookupOffer, 0),
    "products": (arith_pb2.Opening, 0),
    "compare, one told": (arith_pb2.Opening, 4),
    "verdict": (arith_pb2.Opening, 20),
    "done": (pb.DecisionReady, 3),
}
ASKER: dict[str, Stage] = {
    "asked": (pb.DecisionAsked, 0),
    "asked, one told": (pb.DecisionAsked, 1),
    "second lookup": (lookup_pb2.LookupOffer, 3),
    "store": (lookup_pb2.LookupStore, 2),
}
OTHERS: dict[str, Stage] = {
    "outcome": (arith_pb2.HandedShares, 0),
    "reasons": (arith_pb2.HandedShares, 1),
}


def run(victim: str, stage: Stage) -> None:
    """All but the victim, which dies at the stage, say that it is gone."""
    listed, known = tables()

    def job(party: Party) -> MpcError | None:
        me = party.mesh.me
        shared: dict[str, Any] = {"seeds": party.seeds, "triples": party.triples}

        def play(mesh: Mesh) -> Any:
            if me == "p0":
                return decision.asker(mesh, PLAN, APPLICANTS, MODEL, **shared)
            brought: dict[str, Any] = {"listed": listed.get(me), "known": known.get(me)}
            return decision.other(mesh, PLAN, **brought, **shared)

        return ends(party.mesh, victim, stage, play)

    check(compute(len(NAMES), job), NAMES, victim)


@pytest.mark.parametrize("stage", ANYONE.values(), ids=ANYONE)
@pytest.mark.parametrize("victim", NAMES)
def test_whoever_dies_is_named_to_all(victim: str, stage: Stage) -> None:
    run(victim, stage)


@pytest.mark.parametrize("stage", ASKER.values(), ids=ASKER)
def test_an_asker_that_dies_is_named_to_all(stage: Stage) -> None:
    run("p0", stage)


@pytest.mark.parametrize("stage", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("victim", NAMES[1:])
def test_one_that_dies_as_it_hands_its_shares_over_is_named(victim: str, stage: Stage) -> None:
    run(victim, stage)


@pytest.mark.parametrize("kind", [lookup_pb2.LookupHint, lookup_pb2.LookupTables])
def test_one_that_dies_in_its_second_lookup_is_named(kind: type[Message]) -> None:
    run("p1", (kind, 3 if kind is lookup_pb2.LookupHint else 4))
