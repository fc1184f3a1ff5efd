# SPDX-License-Identifier: Apache-2.0
"""Correlations: who asks for other things, sends malformed messages or is no dealer is named."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from mesh_runs import by_dealer, by_vole, computing, names
from tampering import Tampering

from mpc.errors import (
    ConfigError,
    DataError,
    MpcError,
    ParameterMismatch,
    PeerAborted,
    PeerClosed,
    ProtocolError,
)
from mpc.net import memory
from mpc.net.mesh import Mesh
from mpc.pb.v1 import arith_pb2, ot_pb2, triples_pb2, vole_pb2
from mpc.protocols.triples import (
    Ands,
    Bits,
    Products,
    Sines,
    Squares,
    Truncations,
    dealer,
    kinds,
    vole,
)
from mpc.testing import run_mesh, seeded

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


def test_a_party_that_fails_does_not_say_that_it_needs_no_more():
    # A dealer that heard so would blame the others, which ask on and did nothing wrong.
    def party(mesh):
        with (
            pytest.raises(DataError, match="without rows"),
            dealer.source(computing(mesh), mesh.channel("dealer")),
        ):
            raise DataError("a table without rows")
        mesh.channel("dealer").send(triples_pb2.DealerSeed(seed=b"next"))

    def served(mesh):
        mesh.channel("p0").recv(triples_pb2.DealerHello)
        mesh.channel("p0").send(triples_pb2.DealerSeed(seed=bytes(16)))
        return mesh.channel("p0").recv(triples_pb2.DealerSeed).seed

    assert run_mesh({"p0": party, "dealer": served})["dealer"] == b"next"


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
        ("operand", [0, 1 << 24, 1 << 24, 0], 1, "too much at once"),
        ("operand", [0, 1 << 24, 9, 0], 1, "too much at once"),
        ("against", [0, 2, 1, 0], 1, "unknown operand"),
        ("bits", [], 63, "too much at once|whole"),
    ],
)
def test_a_dealer_refuses_what_is_no_request(kind, parameters, count, what):
    request = triples_pb2.CorrelationRequest(kind=kind, parameters=parameters, count=count)
    with pytest.raises(ProtocolError, match=what) as caught:
        asking(request)
    assert caught.value.peer == "p0"


def test_a_party_does_not_ask_for_what_a_dealer_refuses():
    def role(mesh, triples):
        with pytest.raises(ConfigError, match="up to 134217728 words at once"):
            triples.fixed(1 << 14, 1 << 14)
        return len(triples.draw(Products(3)).take()["a"])

    assert set(by_dealer(role, 2).values()) == {3}


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
