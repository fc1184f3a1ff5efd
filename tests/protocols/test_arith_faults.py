# SPDX-License-Identifier: Apache-2.0
"""Arithmetic on shares: what is refused, over which links it runs, and peers that lie or die."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mpc import testing
from mpc.errors import (
    ConfigError,
    CryptoError,
    EncodingOverflow,
    KeyMismatch,
    PeerClosed,
    ProtocolError,
)
from mpc.net.channel import Channel
from mpc.net.mesh import Mesh
from mpc.primitives import sharing
from mpc.protocols import arith, boolean, compare, seeds
from mpc.protocols.triples import Products, Triples
from tests.protocols import link_kinds
from tests.protocols.computing import (
    Ideal,
    Party,
    compute,
    recorded,
)


def test_a_correlation_serves_once():
    def job(p):
        drawn = p.triples.draw(Products(3))
        drawn.take()
        with pytest.raises(CryptoError, match="serves once"):
            drawn.take()

    compute(2, job)


def test_shares_of_other_parties_are_refused():
    def job(p):
        foreign = sharing.split([1, 2], 4)[0]
        for verb in (
            lambda: arith.reveal(p.mesh, foreign),
            lambda: arith.mul(p.mesh, foreign, foreign, p.triples),
            lambda: arith.truncate(p.mesh, foreign, 0, p.triples),
        ):
            with pytest.raises(KeyMismatch):
                verb()

    compute(2, job)


def test_shapes_and_scales_are_checked_before_anything_is_sent():
    def job(p):
        x = p.share(np.ones((2, 3)))
        for bad in (
            lambda: arith.matmul(p.mesh, x, x, p.triples),
            lambda: arith.factor(p.mesh, x.reshape(1, 2, 3), p.triples),
            lambda: arith.mul(p.mesh, x, x.reshape(3, 2), p.triples),
            lambda: compare.less_than(p.mesh, x.reshape(-1), x[0], p.triples),
            lambda: arith.truncate(p.mesh, x, 21, p.triples),
            lambda: arith.truncate(p.mesh, x, -1, p.triples),
        ):
            with pytest.raises(ConfigError):
                bad()

    compute(2, job)


def test_a_scale_without_room_costs_no_triple():
    def job(p):
        mesh, x = recorded(p.mesh), p.share(np.ones((2, 2)), fraction_bits=40)
        held = arith.factor(p.mesh, x, p.triples)
        p.triples.drawn.clear()
        for bad in (
            lambda: arith.mul(mesh, x, x, p.triples),
            lambda: arith.products(mesh, [(x[:, 0], p.share([1.0])), (x, x)], p.triples),
            lambda: arith.square(mesh, x, p.triples),
            lambda: arith.matmul(mesh, x, x, p.triples),
            lambda: arith.matmul(mesh, x, held, p.triples),
        ):
            with pytest.raises(EncodingOverflow, match="80 fraction bits leave no room"):
                bad()
        return p.triples.drawn, mesh.channel(mesh.peers[0]).came

    assert compute(2, job) == [([], [])] * 2


def test_a_peer_at_another_step_is_named():
    def job(p):
        x = p.share([1.0])
        if p.mesh.me == "p0":
            return arith.square(p.mesh, x, p.triples)
        return arith.mul(p.mesh, x, x, p.triples)

    with pytest.raises(ProtocolError, match=r"p[01]: (is at the step|expected)"):
        compute(2, job)


def test_too_many_words_are_the_peers_fault():
    def job(p):
        return p.reveal(p.share(np.ones(3 if p.mesh.me == "p0" else 4)))

    with pytest.raises(ProtocolError, match=r"expected [34] elements, got [34]"):
        compute(2, job)


def test_half_a_seed_of_another_length_is_refused():
    def change(message):
        message.seed = message.seed[:-1]

    def role(mesh: Mesh):
        return seeds.agree(recorded(mesh, change) if mesh.me == "p1" else mesh)

    with pytest.raises(ProtocolError, match="p1: sent half a seed of 31 bytes"):
        testing.run_mesh({"p0": role, "p1": role})


@pytest.mark.parametrize("kind", link_kinds.KINDS)
def test_over_every_link(kind, tmp_path):
    x = np.random.default_rng(5).normal(size=300)

    def job(p):
        a = p.share(x)
        less = compare.is_negative(p.mesh, arith.square(p.mesh, a, p.triples) - 1.0, p.triples)
        return boolean.reveal(p.mesh, less).tolist()

    with link_kinds.KINDS[kind](tmp_path) as (left, right):
        ends = {"left": (left, "right"), "right": (right, "left")}

        def role(me):
            link, peer = ends[me]
            mesh = Mesh(me, ["left", "right"], {peer: Channel(link, timeout=60)})
            number = mesh.names.index(me)
            agreed = seeds.agree(mesh)
            return job(Party(mesh, agreed, Triples(Ideal(number, 2))))

        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(role, ends))
    assert found == [(x**2 < 1).astype(int).tolist()] * 2


@pytest.mark.parametrize("survivors", [1, 2])
def test_a_peer_that_dies_is_named(survivors):
    def job(p):
        x = p.share([1.0])
        if p.mesh.me == "p0":
            for name in p.mesh.peers:
                p.mesh.channel(name).close()
            return None
        with pytest.raises(PeerClosed) as died:
            arith.square(p.mesh, x, p.triples)
        return died.value.peer

    assert compute(1 + survivors, job) == [None, *["p0"] * survivors]
