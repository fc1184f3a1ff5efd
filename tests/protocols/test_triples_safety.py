# SPDX-License-Identifier: Apache-2.0
"""Correlations: views are uniform, nothing serves twice, and who deviates is named."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest
from mesh_runs import by_dealer, by_vole, computing, names
from tampering import Tampering

from mpc.errors import (
    ConfigError,
    CryptoError,
    MpcError,
    ParameterMismatch,
    PeerAborted,
    PeerClosed,
    ProtocolError,
)
from mpc.net import memory
from mpc.net.channel import Channel
from mpc.net.mesh import Mesh
from mpc.net.traced import Traced
from mpc.pb.v1 import arith_pb2, ot_pb2, triples_pb2, vole_pb2
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
from mpc.protocols.triples.partners import Partner
from mpc.testing import run_mesh, run_pair, seeded


def chi_square(data: bytes) -> float:
    """How far bytes are from uniform, in standard deviations of the statistic."""
    counts = np.bincount(np.frombuffer(data, np.uint8), minlength=256)
    mean = len(data) / 256
    statistic = float(((counts - mean) ** 2).sum() / mean)
    return (statistic - 255) / np.sqrt(2 * 255)


class Views:
    """Everything a party receives, by message and field, and whatever else is noted."""

    def __init__(self) -> None:
        self.seen: dict[str, bytearray] = {}

    def note(self, name: str, data: bytes) -> None:
        self.seen.setdefault(name, bytearray()).extend(data)

    def channel(self, channel: Channel) -> Channel:
        """``channel``, with what it receives noted."""
        return Noting(channel, self)

    def uniform(self, *expected: str) -> None:
        for name in expected:
            assert any(held.startswith(name) for held in self.seen), f"{name}: {list(self.seen)}"
        for name, data in self.seen.items():
            if len(data) >= 256 * 5:
                assert abs(chi_square(bytes(data))) < 6, name


class Noting(Tampering):
    # Public, or encodings of points, which are not uniform bytes; others are random by themselves.
    PLAIN = (triples_pb2.CorrelationRequest, ot_pb2.TransferKey, ot_pb2.TransferChoices)

    def __init__(self, channel: Channel, views: Views) -> None:
        super().__init__(channel, {})
        self._views = views

    def recv(self, kind):
        message = super().recv(kind)
        if kind not in self.PLAIN:
            for field, value in message.ListFields():
                data = value if isinstance(value, bytes) else value.data
                if field.name == "holes":
                    # In correlated transfer the lowest bit of a tree's hole is always one, as
                    # leaves are even and delta odd: a constant, but one that a count of bytes sees.
                    data = np.frombuffer(data, np.uint8).reshape(-1, 16)[:, 1:].tobytes()
                self._views.note(f"{kind.__name__}.{field.name}", data)
        return message


def pair_views(sender, receiver, seeds=6):
    """What both roles receive and return, with the same inputs, over seeds."""
    views = Views()

    def role(work, side, seed, first):
        def play(channel):
            partner = Partner(views.channel(channel), seeded(f"{side}{seed}"), first=first)
            results = work(partner)
            for i, array in enumerate(results if isinstance(results, tuple) else (results,)):
                views.note(f"{side} holds {i}", np.ascontiguousarray(array).tobytes())

        return play

    for seed in range(seeds):
        run_pair(role(sender, "sender", seed, True), role(receiver, "receiver", seed, False))
    return views


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


# A dealer that computes.


def test_a_party_refuses_a_dealer_that_computes():
    def play(mesh):
        with pytest.raises(ConfigError, match="the dealer 'p1' is a computing party"):
            dealer.source(mesh, mesh.channel("p1"))

    meshes = memory.mesh(["p0", "p1"])
    play(meshes["p0"])


def test_a_dealer_refuses_to_compute():
    def party(mesh):
        mesh.channel("dealer").send(triples_pb2.DealerHello(parties=mesh.names))
        mesh.channel("dealer").recv(triples_pb2.DealerSeed)

    roles = {**dict.fromkeys(names(2), party), "dealer": dealer.serve}
    with pytest.raises(ConfigError, match="p0 counts the dealer 'dealer' among"):
        run_mesh(roles)


@pytest.mark.parametrize(
    ("told", "error", "what"),
    [
        (["p1", "p0"], ParameterMismatch, "p1: parameter 'parties' differs"),
        (["p0", "p1", "p2"], ParameterMismatch, "p1: parameter 'parties' differs"),
    ],
)
def test_parties_that_tell_the_dealer_of_others(told, error, what):
    def party(mesh):
        mine = told if mesh.me == "p1" else ["p0", "p1"]
        mesh.channel("dealer").send(triples_pb2.DealerHello(parties=mine))
        mesh.channel("dealer").recv(triples_pb2.DealerSeed)

    with pytest.raises(error, match=what):
        run_mesh({**dict.fromkeys(names(2), party), "dealer": dealer.serve})


def test_a_dealer_serves_the_parties_it_has_channels_to():
    def party(mesh):
        mesh.channel("dealer").send(triples_pb2.DealerHello(parties=["p0"]))
        mesh.channel("dealer").recv(triples_pb2.DealerSeed)

    with pytest.raises(ConfigError, match="but the dealer has channels to"):
        run_mesh({**dict.fromkeys(names(2), party), "dealer": dealer.serve})


def test_a_dealer_that_dies_is_named():
    def dying(mesh):
        for name in mesh.peers:
            mesh.channel(name).recv(triples_pb2.DealerHello)
            mesh.channel(name).send(triples_pb2.DealerSeed(seed=bytes(16)))
        mesh.close()

    def party(mesh):
        triples = dealer.source(computing(mesh), mesh.channel("dealer"))
        with pytest.raises(PeerClosed, match="dealer"):
            triples.draw(Products(3))

    meshes = memory.mesh([*names(2), "dealer"])
    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(party, meshes["p0"]), pool.submit(dying, meshes["dealer"])]
        hello = meshes["p1"].channel("dealer")
        hello.send(triples_pb2.DealerHello(parties=names(2)))
        for run in runs:
            run.result(timeout=20)


# Parties that ask for other things.


@pytest.mark.parametrize(
    "other", [Products(4), Squares(6), Truncations(16, 1), Truncations(17, 1), Sines(20, 2, 18, 1)]
)
@pytest.mark.parametrize("source", [by_vole, by_dealer])
def test_parties_that_ask_for_other_things(source, other):
    kind = Truncations(15, 1) if isinstance(other, Truncations) else Products(3)

    def role(mesh, triples):
        triples.draw(other if mesh.me == "p1" else kind)

    with pytest.raises((ParameterMismatch, PeerAborted)) as caught:
        source(role, 2)
    assert isinstance(caught.value, ParameterMismatch)
    assert caught.value.field == "correlation"


def test_a_party_that_needs_no_more_while_others_do():
    def role(mesh, triples):
        if mesh.me == "p0":
            triples.draw(Products(3))

    with pytest.raises(ParameterMismatch, match="theirs is nothing more"):
        by_dealer(role, 2)


def asking(request, operands=()):
    def party(mesh):
        channel = mesh.channel("dealer")
        channel.send(triples_pb2.DealerHello(parties=names(2)))
        channel.recv(triples_pb2.DealerSeed)
        for one in [*operands, request]:
            channel.send(one)
        if mesh.me == "p0":
            for _ in [*operands, request]:
                channel.recv(triples_pb2.Correction)

    run_mesh({**dict.fromkeys(names(2), party), "dealer": dealer.serve})


@pytest.mark.parametrize(
    ("kind", "parameters", "count", "what"),
    [
        ("cubes", [], 1, "no kind of correlation named 'cubes'"),
        ("products", [1], 1, "products with"),
        ("products", [], 1 << 50, "a count of"),
        ("products", [], 1 << 30, "too much at once"),
        ("truncations", [63], 1, "shift 63"),
        ("sines", [53, 1, 1], 1, "period_bits 53"),
        ("sines", [20, 1, 0], 1, "fraction_bits 0"),
        ("operand", [0, 1 << 40, 1, 0], 1, "rows"),
        ("against", [0, 2, 1, 0], 1, "unknown operand"),
        ("bits", [], 63, "too much at once|whole"),
    ],
)
def test_a_dealer_refuses_what_is_no_request(kind, parameters, count, what):
    request = triples_pb2.CorrelationRequest(kind=kind, parameters=parameters, count=count)
    with pytest.raises(ProtocolError, match=what) as caught:
        asking(request)
    assert caught.value.peer == "p0"


def test_a_dealer_refuses_rows_against_an_operand_of_another_shape():
    operand = kinds.request(kinds.Operand(0, 2, 1))
    with pytest.raises(ProtocolError, match="unknown operand"):
        asking(kinds.request(kinds.Against(0, 3, 1, 4)), [operand])


# Tampered messages. Each change makes a message malformed; p0 sends what p1 takes, or p1 to p0.


def shorter(column):
    def change(message):
        held = getattr(message, column)
        held.count -= 1
        held.data = held.data[: -held.width]

    return change


def wider(column):
    def change(message):
        getattr(message, column).width += 8

    return change


def emptied(field):
    def change(message):
        setattr(message, field, b"")

    return change


@pytest.mark.parametrize(
    ("liar", "parties", "kind", "message", "change"),
    [
        ("p0", 2, Products(3), triples_pb2.MaskedFactors, shorter("factors")),
        ("p0", 2, Products(3), triples_pb2.MaskedFactors, wider("factors")),
        ("p1", 2, Products(3), triples_pb2.ChoiceFlips, shorter("flips")),
        ("p0", 2, Ands(3), triples_pb2.MaskedFactors, shorter("factors")),
        ("p0", 2, Bits(64), triples_pb2.MaskedFactors, wider("factors")),
        ("p0", 2, Sines(9, 1, 4, 1), triples_pb2.MaskedFactors, shorter("factors")),
        ("p1", 2, Products(1), ot_pb2.CorrelatedRows, emptied("bits_tag")),
        ("p0", 3, None, triples_pb2.MatrixCorrection, shorter("rows")),
        ("p1", 3, None, triples_pb2.MatrixCorrection, wider("rows")),
        ("p0", 2, None, vole_pb2.WordHoles, shorter("holes")),
        ("p0", 2, None, vole_pb2.PuncturedTrees, shorter("sums")),
        ("p0", 3, Products(1), arith_pb2.SeedHalf, emptied("seed")),
    ],
)
def test_malformed_messages_name_who_sent_them(liar, parties, kind, message, change):
    errors = {}

    def play(mesh):
        if mesh.me == liar:
            changed = {
                name: Tampering(mesh.channel(name), {message: change}) for name in mesh.peers
            }
            mesh = Mesh(mesh.me, mesh.names, changed)
        triples = vole.source(mesh, rng=seeded(mesh.me))
        try:
            if kind is None:
                triples.against(triples.fixed(2, 1), 300)
            else:
                triples.draw(kind)
        except ProtocolError as error:
            errors[mesh.me] = error
            raise

    with pytest.raises(MpcError):
        run_mesh(dict.fromkeys(names(parties), play), timeout=20)
    assert errors
    assert {error.peer for error in errors.values()} == {liar}
    assert liar not in errors


@pytest.mark.parametrize(
    ("message", "change", "what"),
    [
        (triples_pb2.DealerSeed, emptied("seed"), "a seed has 16 bytes"),
        (triples_pb2.Correction, shorter("words"), "expected 3 elements, got 2"),
        (triples_pb2.Correction, wider("words"), "elements of 8 bytes"),
    ],
)
def test_a_dealer_whose_messages_are_malformed_is_named(message, change, what):
    def lying(mesh):
        changed = {name: Tampering(mesh.channel(name), {message: change}) for name in mesh.peers}
        dealer.serve(Mesh(mesh.me, mesh.names, changed))

    def party(mesh):
        triples = dealer.source(computing(mesh), mesh.channel("dealer"))
        triples.draw(Products(3)).take()
        triples.close()

    with pytest.raises(ProtocolError, match=what) as caught:
        run_mesh({**dict.fromkeys(names(2), party), "dealer": lying})
    assert caught.value.peer == "dealer"


def test_alone_there_is_nobody_to_make_them_with():
    with pytest.raises(ConfigError, match="at least two"):
        vole.source(Mesh("p0", ["p0"], {}))


def test_fixed_operands_are_prepared_by_their_own_name():
    def role(mesh, triples):
        with pytest.raises(ConfigError, match="prepare_fixed"):
            triples.prepare([kinds.Operand(0, 1, 1)])

    by_dealer(role, 2)


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
GOLDEN = (369466, 401454, 24, "03c3b1c8f95b91907123ea65005b4491")


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
