# SPDX-License-Identifier: Apache-2.0
"""Correlations: views are uniform, nothing serves twice, and the bytes are the recorded ones."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest
from mesh_runs import by_dealer, by_vole, computing, names

from mpc.errors import (
    CryptoError,
)
from mpc.net import memory
from mpc.net.channel import Channel
from mpc.net.mesh import Mesh
from mpc.net.traced import Traced
from mpc.protocols.triples import (
    Ands,
    Bits,
    Numbers,
    Products,
    Selections,
    Sines,
    Squares,
    Truncations,
    dealer,
    kinds,
    matrices,
    products,
    sines,
    vole,
)
from mpc.testing import run_mesh, seeded
from tests.protocols.triples_views import Views, pair_views


@pytest.mark.parametrize("value", [0, 1, 2**63, 2**64 - 1])
def test_products_of_words_show_nothing(value):
    same = np.full(40, value, np.uint64)
    views = pair_views(
        lambda partner: products.words_sender(partner, same),
        lambda partner: products.words_receiver(partner, same),
    )
    views.uniform("ChoiceFlips", "MaskedFactors", "CorrelatedRows", "sender", "receiver")


@pytest.mark.parametrize("bit", [0, 1])
def test_products_of_bits_show_nothing(bit):
    factors, chosen = np.full((500, 2), 7, np.uint64), np.full(500, bit, np.uint8)
    views = pair_views(
        lambda partner: products.bits_sender(partner, factors),
        lambda partner: products.bits_receiver(partner, chosen, 2),
    )
    views.seen.pop("ChoiceFlips.flips")  # 500 bits end inside a word
    views.uniform("MaskedFactors", "sender", "receiver")


def test_products_of_packed_bits_show_nothing():
    factors = np.full(100, 2**64 - 1, np.uint64)
    views = pair_views(
        lambda partner: products.ands_sender(partner, factors),
        lambda partner: products.ands_receiver(partner, factors),
    )
    views.uniform("ChoiceFlips", "MaskedFactors", "sender", "receiver")


def test_rows_times_a_matrix_show_nothing():
    matrix = np.array([[0, 1], [2, 3], [5, 0]], np.uint64)
    views = pair_views(
        lambda partner: matrices.sender(partner, matrix, 1000),
        lambda partner: matrices.receiver(partner, 3, 2, 1000),
        seeds=2,
    )
    views.uniform("WordHoles", "PuncturedTrees", "ChoiceFlips", "sender", "receiver holds 0")


def test_sines_show_nothing():
    kind = Sines(20, 2, 18, 20)
    angle = np.zeros(20, np.uint64)
    factors = sines.own(kind, angle, 2)
    views = pair_views(
        lambda partner: sines.cut(kind, sines.sender(partner, kind, factors), 2, leads=True),
        lambda partner: sines.cut(kind, sines.receiver(partner, kind, factors, 2), 2, leads=False),
    )
    views.uniform("ChoiceFlips", "MaskedFactors", "sender", "receiver")


ALL = [
    Products(8),
    Squares(64),
    Ands(8),
    Bits(256),
    Selections(256),
    Numbers(64, 8),
    Truncations(16, 8),
    Sines(20, 2, 18, 4),
]


def whole_views(parties, draw, seeds):
    views = Views()

    def play(mesh):
        channels = {name: views.channel(mesh.channel(name)) for name in mesh.peers}
        noted = Mesh(mesh.me, mesh.names, channels)
        draw(vole.source(noted), views)

    for _ in range(seeds):
        run_mesh(dict.fromkeys(names(parties), play))
    return views


@pytest.mark.parametrize("parties", [2, 3])
def test_what_a_party_receives_and_holds_is_uniform(parties):
    def draw(triples, views):
        for kind in ALL:
            for field, share in triples.draw(kind).take().items():
                # A number mod 2^64 of one kind each: bits and their like have 64-bit shares too.
                views.note(f"{kinds.name(kind)} {field}", share.tobytes())
        mask = triples.fixed(2, 1)
        for array in triples.against(mask, 300).take().values():
            views.note("against", array.tobytes())

    views = whole_views(parties, draw, seeds=3)
    views.uniform("MaskedFactors", "ChoiceFlips", "WordHoles", "squares c", "truncations high")
    assert ("MatrixCorrection.rows" in views.seen) == (parties > 2)


def test_shares_of_three_tell_nothing_of_what_each_drew():
    """Without shares of zero the lowest bit of a bit's or a square's share is the party's own."""
    same = []

    def role(mesh, triples):
        bits, squares = triples.draw(Bits(256)).take(), triples.draw(Squares(256)).take()
        low = np.packbits((bits["number"] & np.uint64(1)).astype(np.uint8), bitorder="little")
        own = bits["packed"].view(np.uint8)
        same.append(np.unpackbits(~(low ^ own)).mean())
        same.append(float(np.mean((squares["a"] ^ squares["c"]) & np.uint64(1) == 0)))

    by_vole(role, 3)
    assert all(0.3 < share < 0.7 for share in same)
    same.clear()
    by_vole(role, 2)
    assert all(share == 1 for share in same)


def test_a_dealer_hands_out_uniform_shares_and_one_correction():
    """The first party gets 8 bytes for each word that follows from the others; the rest nothing."""
    views = Views()
    sent = {}

    def play(mesh):
        channel = Traced(mesh.channel("dealer")._link)
        noted = views.channel(Channel(channel))
        triples = dealer.source(computing(mesh), noted)
        for field, share in triples.draw(Products(5000)).take().items():
            views.note(field, share.tobytes())
        sent[mesh.me] = channel.traffic.received_bytes
        triples.close()

    run_mesh(
        {**dict.fromkeys(names(3), play), "dealer": lambda m: dealer.serve(m, rng=seeded("d"))}
    )
    views.uniform("Correction.words", "a", "b", "c")
    assert 40_000 < sent["p0"] < 40_200
    assert sent["p1"] < 100 > sent["p2"]


def test_a_correlation_serves_once():
    def role(mesh, triples):
        correlation = triples.draw(Products(3))
        assert "secret" in repr(correlation)
        first = correlation.take()
        with pytest.raises(CryptoError, match="products: used before; it serves once"):
            correlation.take()
        again = triples.draw(Products(3)).take()
        return first, again

    for first, again in by_dealer(role, 2).values():
        assert not set(first["a"].tolist()) & set(again["a"].tolist())


def test_of_many_threads_one_gets_a_correlation():
    def role(mesh, triples):
        correlation = triples.draw(Products(1))

        def take(_):
            with suppress(CryptoError):
                return correlation.take()
            return None

        with ThreadPoolExecutor(8) as pool:
            return sum(got is not None for got in pool.map(take, range(64)))

    assert set(by_dealer(role, 2).values()) == {1}


def test_what_was_saved_is_no_longer_in_the_pool():
    def role(mesh, triples):
        triples.prepare([Products(10), Bits(64)])
        lots = triples.emptied()
        assert triples.emptied() == []
        held = [
            array for kind, arrays in lots if isinstance(kind, Products) for array in arrays["a"]
        ]
        return set(held) & set(triples.draw(Products(10)).take()["a"])

    assert list(by_dealer(role, 2).values()) == [set(), set()]


# The wire.


def transcript(draw):
    ends = [Traced(link) for link in memory.pair("p0", "p1")]
    meshes = {
        "p0": Mesh("p0", ["p0", "p1"], {"p1": Channel(ends[0], timeout=20)}),
        "p1": Mesh("p1", ["p0", "p1"], {"p0": Channel(ends[1], timeout=20)}),
    }

    def play(mesh):
        draw(vole.source(mesh, rng=seeded(mesh.me)))

    with ThreadPoolExecutor(2) as pool:
        for run in [pool.submit(play, mesh) for mesh in meshes.values()]:
            run.result(timeout=60)
    traffic = ends[0].traffic
    digest = hashlib.sha256(ends[0].digest()).hexdigest()[:32]
    return traffic.sent_bytes, traffic.received_bytes, traffic.rounds, digest


def everything(triples):
    for kind in ALL:
        triples.draw(kind)
    triples.against(triples.fixed(2, 1), 300)


def test_the_transcript_is_the_recorded_one():
    """It changes only in a commit that says why."""
    assert transcript(everything) == GOLDEN


# Bytes sent and received by the first party, its rounds, and a digest.
GOLDEN = (369466, 401454, 24, "d24cddcb8029372f4669b872e4bb35f7")


def test_base_transfers_are_made_once():
    def products_of(batches):
        def draw(triples):
            for _ in range(batches):
                triples.draw(Products(2))

        return np.array(transcript(draw)[:3])

    one, two, three = (products_of(batches) for batches in (1, 2, 3))
    assert np.array_equal(three - two, two - one)
    # 128 pairs of points.
    assert one[0] - (two - one)[0] > 8192


def test_the_bytes_of_a_product():
    """In number 128 silent transfers: a bit and 8 * 33 / 64 bytes of each, and the trees."""
    small, large = (transcript(lambda t, n=n: t.draw(Products(n))) for n in (1000, 3000))
    sent, received = ((large[i] - small[i]) / 2000 for i in (0, 1))
    assert 2 * 33 * 8 <= sent < 2 * 33 * 8 + 10
    assert 16 <= received < 26
