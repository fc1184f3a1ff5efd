# SPDX-License-Identifier: Apache-2.0
"""Runs of ``threshold`` over memory links, the asker p0 and holders p1, p2, ..."""

from __future__ import annotations

from mpc.protocols import threshold
from mpc.protocols.threshold import Listed, Terms
from mpc.testing import seeded
from tests.protocols.computing import compute


def ids(numbers):
    return [f"id {number:05d}" for number in numbers]


def terms_of(lists, at_least=1, *, output="bit", weights=None, since=None):
    names = [f"p{i + 1}" for i in range(len(lists))]
    return Terms("p0", at_least, dict(zip(names, weights or [1] * len(lists), strict=True)),
                 output, since)  # fmt: skip


def run(keys, lists, terms, *, seed=0, gate=None, wrap=lambda mesh: mesh, parties=None):
    """What every party returns; the asker is p0."""

    def job(p):
        number = p.mesh.names.index(p.mesh.me)
        shared = {"seeds": p.seeds, "triples": p.triples, "rng": seeded(f"{seed} {number}")}
        if number == 0:
            return threshold.asker(p.mesh, terms, keys, **shared)
        held = lists[number - 1]
        held = held if isinstance(held, Listed) else Listed(held)
        return threshold.holder(p.mesh, terms, held, gate=gate, **shared)

    return compute(parties or 1 + len(lists), job, seed=seed, wrap=wrap)


def counted(keys, lists, weights=None):
    weights = weights or [1] * len(lists)
    return [
        sum(w for held, w in zip(lists, weights, strict=True) if key in set(held)) for key in keys
    ]


LISTS = [ids(range(0, 40)), ids(range(20, 60)), ids([5, 25, 99])]
KEYS = ids([99, 5, 25, 30, 70, 0, 98, 59])
