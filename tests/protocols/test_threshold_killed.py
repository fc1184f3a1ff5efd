# SPDX-License-Identifier: Apache-2.0
"""A party of a threshold dies at some stage: all others end, and say who is gone."""

from __future__ import annotations

from typing import Any

import pytest

from mpc.errors import MpcError
from mpc.net.mesh import Mesh
from mpc.pb.v1 import arith_pb2, lookup_pb2
from mpc.pb.v1 import threshold_pb2 as pb
from mpc.protocols import threshold
from mpc.protocols.threshold import Listed, Output, Terms
from tests.protocols.computing import Party, compute
from tests.protocols.dying import Stage, check, ends
from tests.protocols.threshold_runs import KEYS, LISTS, terms_of

NAMES = ["p0", "p1", "p2", "p3"]
# Of a message that goes to all, one that dies after the first has told one of three.
HOLDER: dict[str, Stage] = {
    "agree": (pb.ThresholdTerms, 0),
    "agree, one told": (pb.ThresholdTerms, 1),
    "accept": (pb.ThresholdAccepted, 0),
    "lookup": (lookup_pb2.LookupOffer, 0),
    "tables": (lookup_pb2.LookupTables, 0),
    "compare": (arith_pb2.Opening, 0),
    "compare, one told": (arith_pb2.Opening, 4),
    "reveal": (arith_pb2.HandedShares, 0),
    "done": (pb.ThresholdDone, 0),
}
ASKER: dict[str, Stage] = {
    "agree": (pb.ThresholdTerms, 0),
    "agree, one told": (pb.ThresholdTerms, 1),
    "lookup": (lookup_pb2.LookupOffer, 1),
    "store": (lookup_pb2.LookupStore, 2),
    "compare": (arith_pb2.Opening, 0),
    "compare, one told": (arith_pb2.Opening, 4),
    "done": (pb.ThresholdDone, 0),
}


def alone(victim: str, stage: Stage, output: Output = "bit") -> None:
    terms = terms_of(LISTS, 2, output=output)

    def job(party: Party) -> MpcError | None:
        number = NAMES.index(party.mesh.me)
        shared: dict[str, Any] = {"seeds": party.seeds, "triples": party.triples}

        def play(mesh: Mesh) -> Any:
            if number == 0:
                return threshold.asker(mesh, terms, KEYS, **shared)
            return threshold.holder(mesh, terms, Listed(LISTS[number - 1]), **shared)

        return ends(party.mesh, victim, stage, play)

    check(compute(4, job), NAMES, victim)


@pytest.mark.parametrize("stage", HOLDER.values(), ids=HOLDER)
@pytest.mark.parametrize("victim", ["p1", "p2", "p3"])
def test_a_holder_that_dies_at_any_stage_is_named_to_all(victim: str, stage: Stage) -> None:
    alone(victim, stage)


@pytest.mark.parametrize("stage", ASKER.values(), ids=ASKER)
def test_an_asker_that_dies_at_any_stage_is_named_to_all(stage: Stage) -> None:
    alone("p0", stage)


@pytest.mark.parametrize("victim", NAMES)
@pytest.mark.parametrize("output", ["count", "shares"])
def test_so_it_is_where_nothing_is_compared(output: Output, victim: str) -> None:
    handing = output == "count" and victim != "p0"
    alone(victim, (arith_pb2.HandedShares if handing else pb.ThresholdDone, 0), output)


@pytest.mark.parametrize(
    ("victim", "stage"),
    [
        ("p2", (pb.ThresholdTerms, 3)),  # three of them in each run
        ("p3", (pb.ThresholdAccepted, 7)),
        ("p2", (lookup_pb2.LookupStore, 0)),
        ("p0", (lookup_pb2.LookupTables, 1)),
        ("p1", (arith_pb2.Opening, 20)),
        ("p0", (arith_pb2.HandedShares, 1)),
        ("p1", (arith_pb2.HandedShares, 2)),
        ("p0", (pb.ThresholdDone, 0)),
        ("p3", (pb.ThresholdDone, 9)),
    ],
)
def test_in_the_mutual_form_too(victim: str, stage: Stage) -> None:
    every = {me: Terms(me, 2, {n: 1 for n in NAMES if n != me}) for me in NAMES}

    def job(party: Party) -> MpcError | None:
        held = Listed(LISTS[NAMES.index(party.mesh.me) % len(LISTS)])

        def play(mesh: Mesh) -> Any:
            given: dict[str, Any] = {"seeds": party.seeds, "triples": party.triples}
            return threshold.mutual(mesh, every, KEYS, held, **given)

        return ends(party.mesh, victim, stage, play)

    check(compute(4, job), NAMES, victim)
