# SPDX-License-Identifier: Apache-2.0
"""Arithmetic on shares: what each party sees of it, and the bytes on the wire."""

from __future__ import annotations

import numpy as np
import pytest

from mpc.net.channel import Channel
from mpc.net.mesh import Mesh
from mpc.net.traced import Traced
from mpc.protocols import arith, opening
from tests.protocols.computing import compute, even, views, views_are_uniform


@pytest.mark.parametrize("parties", [2, 3])
def test_views_are_uniform_whatever_the_inputs(parties):
    def job(p):
        x, y = p.share(np.zeros(32)), p.share(np.full(32, -1.0))
        product = arith.mul(p.mesh, x, y, p.triples)
        arith.truncate(p.mesh, product, 20, p.triples)
        arith.square(p.mesh, x, p.triples)
        arith.matmul(p.mesh, x.reshape(8, 4), y.reshape(4, 8), p.triples)

    assert views_are_uniform(parties, job, seeds=15)


def test_an_opening_without_its_mask_would_be_noticed():
    def bare(p):
        opening.sums(p.mesh, "leak", [p.share(np.zeros(2000)).words])

    # One share alone is uniform, and what all come to is not.
    uniform = {who: even(seen) for (who, _), seen in views(2, bare, seeds=3).items()}
    assert uniform == {"p0": True, "p1": True, "opened": False}

    def leak(p):
        leads = p.mesh.me == "p0"
        words = np.arange(2000, dtype=np.uint64) if leads else p.share(np.zeros(2000)).words
        opening.residues(p.mesh, "leak", words, 17)

    uniform = {who: even(seen) for (who, _), seen in views(2, leak, seeds=3).items()}
    assert uniform == {"p0": True, "p1": False, "opened": True}


def test_the_transcript_is_what_it_was():
    """Changes only with a commit that says why: rounds and bytes are what users pay."""

    def job(p):
        (name,) = p.mesh.peers
        traced = Traced(p.mesh.channel(name)._link)
        mesh = Mesh(p.mesh.me, p.mesh.names, {name: Channel(traced)})
        x, y = p.share(np.arange(8.0)), p.share(np.ones(8), owner=1)
        z = arith.truncate(mesh, arith.mul(mesh, x, y, p.triples), 20, p.triples)
        assert arith.reveal(mesh, z).round().tolist() == list(range(8))
        return traced.traffic, traced.digest().hex()[:16]

    left, right = compute(2, job)
    assert left[0] == right[0]
    assert (left[0].rounds, left[0].sent_messages, left[0].sent_bytes) == (3, 3, 358)
    assert left[1] == "706567caca8d36dc"
