# SPDX-License-Identifier: Apache-2.0
"""Every protocol that is measured says which stages it goes through, whoever runs it."""

from __future__ import annotations

from functools import partial

import decision_runs
import lookup_runs
import numpy as np
import pytest
import query_runs
import threshold_runs
import vole_runs
from mesh_runs import by_dealer, by_vole
from psi_runs import intersect

from mpc.primitives import paillier, sharing
from mpc.protocols import arith, compare, scoring, vole
from mpc.protocols.scoring import Model, Roles
from mpc.protocols.triples import kinds
from mpc.testing import run_mesh, seeded
from mpc.tracing import listening


def stages(work, depth=1):
    """What ``work`` gives, and for each thread the paths of its spans, cut to ``depth``."""
    heard = []
    with listening(heard.append):
        found = work()
    paths = {}
    for span in heard:
        paths.setdefault(span.thread, set()).add("/".join(span.path[:depth]))
    return found, paths


def test_an_intersection():
    found, at = stages(lambda: intersect(["a", "b"], ["b"]))
    assert found[0].tolist() == [1]
    every = {"okvs", "vole", "transfer", "tags", "match"}
    assert at["left"] == at["right"] == every
    # Items are hashed beside the messages, in a thread of each side.
    beside = [own for name, own in at.items() if name not in ("left", "right")]
    assert len(beside) == 2
    assert all({"hash"} <= own <= {"hash", "okvs"} for own in beside)


@pytest.mark.parametrize(
    ("ring", "more"),
    [(vole.BITS, set()), (vole.BLOCKS, set()), (vole.Z64, {"products", "products/pads", "check"})],
    ids=["bits", "blocks", "z64"],
)
def test_vector_ole(ring, more):
    _, at = stages(lambda: vole_runs.run(vole_runs.TREES, ring), depth=2)
    expected = {"rows", "rows/bases", "trees", "trees/pads", "code"} | more
    assert at == {"left": expected, "right": expected}


def test_correlations():
    def role(_mesh, triples):
        triples.draw(kinds.Products(100)).take()

    _, at = stages(lambda: by_vole(role, 2), depth=2)
    made = {"correlations"} | {f"correlations/{part}" for part in ("bases", "rows", "trees")}
    made |= {f"correlations/{part}" for part in ("code", "pads")}
    assert at == {"p0": made, "p1": made}


def held(mesh, values):
    place = mesh.names.index(mesh.me)
    return sharing.split(values, len(mesh.names), fraction_bits=20, rng=seeded("x"))[place]


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        (lambda mesh, x, t: arith.mul(mesh, x, x, t), {"products"}),
        (lambda mesh, x, t: arith.square(mesh, x, t), {"square"}),
        (lambda mesh, x, t: arith.truncate(mesh, x, 10, t), {"truncate"}),
        (lambda mesh, x, t: arith.matmul(mesh, x, x, t), {"matmul"}),
        (lambda mesh, x, t: compare.less_than(mesh, x, 0, t), {"subtraction", "carry"}),
        (lambda mesh, x, t: compare.equal(mesh, x, 0, t), {"subtraction", "all_of"}),
    ],
    ids=["mul", "square", "truncate", "matmul", "less_than", "equal"],
)
def test_computing(work, expected):
    def role(mesh, triples):
        work(mesh, held(mesh, np.array([1.5, -2.0])), triples)

    _, at = stages(lambda: by_dealer(role, 2), depth=2)
    inside = {f"{stage}/{part}" for stage in expected for part in ("opening", "correlations")}
    assert at == {"p0": expected | inside, "p1": expected | inside}


def test_a_query(party):
    _, at = stages(lambda: query_runs.asked(party, query_runs.IDS[:3]), depth=2)
    fetch = {"offer", "offer/answer", "transfer", "transfer/answer"}
    assert at["left"] == fetch | {"mask", "ahead", "answer", "finalize", "look_up"}
    assert at["right"] == {"evaluate"}


def test_a_lookup():
    keys, rows = lookup_runs.ids(0, 4), lookup_runs.ids(2, 6)
    _, at = stages(lambda: lookup_runs.run(keys, rows, lookup_runs.table(4, 1)))
    both = {"layout", "bases", "programmed", "equality", "order", "selection"}
    assert at == {"left": both, "right": both}


def test_a_threshold():
    terms = threshold_runs.terms_of(threshold_runs.LISTS, 2)
    run = partial(threshold_runs.run, threshold_runs.KEYS, threshold_runs.LISTS, terms)
    _, at = stages(run)
    assert at["p0"] == {"layout", "agree", "lookups", "compare"}
    assert at["p1"] == at["p3"] == {"agree", "lookups", "compare"}


def test_a_decision():
    listed, known = decision_runs.tables()
    run = partial(decision_runs.run, decision_runs.PLAN, decision_runs.MODEL, listed, known)
    _, at = stages(run)
    every = {"agree", "lookups", "score", "compare", "verdict", "reasons"}
    assert at["p0"] == every | {"layout"}
    assert at["p1"] == at["p2"] == at["p3"] == every


ROLES = Roles("bank", "bank", {"tax": 2, "bank": 1})
MODEL = Model({"tax": np.array([1.0, 2.0]), "bank": np.array([3.0])}, 0.5)


def test_an_encrypted_score():
    secret, _ = paillier.keygen(2048)

    def bank(mesh):
        mine = {"features": np.array([[1.0]]), "model": MODEL, "secret": secret}
        return scoring.paillier.score(mesh, ROLES, rows=1, **mine)

    def tax(mesh):
        return scoring.paillier.score(mesh, ROLES, rows=1, features=np.array([[1.0, 1.0]]))

    found, at = stages(lambda: run_mesh({"bank": bank, "tax": tax}))
    assert found["bank"] == pytest.approx([6.5])
    assert at["bank"] == {"seeds", "encrypt", "transfer", "wait", "decrypt", "product"}
    assert at["tax"] == {"seeds", "wait", "key", "mask", "product", "transfer"}
