# SPDX-License-Identifier: Apache-2.0
"""Masks and streams in a forked process, and copies of them: neither may serve a second time."""

from __future__ import annotations

import copy
import pickle

import pytest

from mpc import testing
from mpc.errors import CryptoError
from mpc.net import memory
from mpc.net.mesh import Mesh
from mpc.primitives import forks
from mpc.protocols import seeds
from mpc.protocols.triples import Products, Triples, vole
from tests.forking import in_child
from tests.protocols.computing import Ideal
from tests.protocols.mesh_runs import by_dealer

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]


def outcome(draw):
    """What a process gets of ``draw``: words, or why it gets none."""
    try:
        return [int(word) for word in draw()]
    except CryptoError as error:
        return str(error)


def agreed():
    """One party's end of seeds with a party that is gone."""
    return testing.run_mesh(dict.fromkeys(["p0", "p1"], seeds.agree))["p0"]


class TestForked:
    def test_a_pool_does_not_serve_in_the_child(self):
        triples = Triples(Ideal(0, 2))
        triples.prepare([Products(8)])
        drawn = triples.draw(Products(2))

        def child():
            draws = [
                lambda: triples.draw(Products(2)).take()["a"],
                lambda: drawn.take()["a"],
                lambda: triples.prepare([Products(100)]) or [],
                lambda: triples.fixed(2, 1).mask,
                lambda: triples.emptied() and [],
            ]
            return [outcome(draw) for draw in draws]

        told = in_child(child)
        assert all("made before this process was forked" in each for each in told), told
        # The parent goes on.
        assert len(drawn.take()["a"]) == 2
        assert len(triples.draw(Products(2)).take()["a"]) == 2
        assert len(triples.emptied()) == 1

    def test_nor_does_a_source_of_the_parties_own(self):
        ends = memory.mesh(["p0", "p1"])
        triples = vole.source(ends["p0"])
        assert "was forked" in in_child(lambda: outcome(lambda: triples.draw(Products(1)).take()))

    @pytest.mark.parametrize(
        "use",
        [
            lambda held: held.zero(3),
            lambda held: held.zero_bits(3),
            lambda held: held.share(owner="p1", shape=3).words,
            lambda held: held.share([1, 2, 3], owner="p0", shape=3).words,
            lambda held: held.share_bits(owner="p1", count=3).words,
            lambda held: held.share_bits([1, 0, 1], owner="p0", count=3).words,
        ],
    )
    def test_seeds_do_not_serve_in_the_child(self, use):
        held = agreed()
        assert "agreement on seeds was made before" in in_child(lambda: outcome(lambda: use(held)))
        assert len(use(held))

    def test_what_the_child_makes_serves_it_and_not_its_own_child(self):
        def child():
            made = Triples(Ideal(0, 2))
            grandchild = in_child(lambda: outcome(lambda: made.draw(Products(2)).take()["a"]))
            return outcome(lambda: made.draw(Products(2)).take()["a"]), grandchild, forks.count()

        before = forks.count()
        words, grandchild, count = in_child(child)
        assert len(words) == 2
        assert "was forked" in grandchild
        assert (count, forks.count()) == (before + 1, before)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
def test_none_of_it_is_copied(duplicate):
    def role(mesh: Mesh, triples):
        drawn = triples.draw(Products(1))
        for held in (triples, drawn, triples.fixed(2, 1)):
            with pytest.raises(TypeError, match=r"not copied"):
                duplicate(held)
        return len(drawn.take()["a"])

    assert set(by_dealer(role, 2).values()) == {1}
    with pytest.raises(TypeError, match="not copied"):
        duplicate(agreed())
