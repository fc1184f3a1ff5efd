# SPDX-License-Identifier: Apache-2.0
"""Circuits on bits shared by XOR, against numpy."""

from __future__ import annotations

import numpy as np
import pytest

from mpc import kernels
from mpc.errors import ConfigError, KeyMismatch
from mpc.kernels import bits
from mpc.primitives import xor_sharing
from mpc.primitives.xor_sharing import XorShare
from mpc.protocols import boolean
from mpc.testing import seeded
from tests.protocols.computing import compute, looks_uniform, recorded, view

PARTIES = [2, 3, 5]
BACKENDS = ["portable"] + (["simd"] if kernels.backend() == "simd" else [])
rng = np.random.default_rng(9)


@pytest.fixture(params=BACKENDS)
def backend(request):
    with kernels.use(request.param):
        yield request.param


def drawn(*shape):
    return rng.integers(0, 2, shape, np.uint8)


def held(p, values, label=0):
    """This party's share of bits that the test knows."""
    parties = len(p.mesh.names)
    return xor_sharing.split(values, parties, rng=seeded(f"bits {label}"))[
        p.mesh.names.index(p.mesh.me)
    ]


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 200])
@pytest.mark.usefixtures("backend")
def test_gates(parties, count):
    x, y, z = drawn(count), drawn(count), drawn(3, count)

    def job(p):
        a, b, c = held(p, x, "x"), held(p, y, "y"), held(p, z, "z")
        gates = [
            boolean.both(p.mesh, a, b, p.triples),
            boolean.either(p.mesh, a, b, p.triples),
            boolean.all_of(p.mesh, c, p.triples),
            *boolean.ands(p.mesh, [(a, a), (c, c)], p.triples),
        ]
        assert boolean.ands(p.mesh, [], p.triples) == []
        return [boolean.reveal(p.mesh, gate).tolist() for gate in gates]

    expected = [x & y, x | y, np.bitwise_and.reduce(z), x, z]
    assert compute(parties, job) == [[each.tolist() for each in expected]] * parties


@pytest.mark.parametrize("parties", [2, 3])
@pytest.mark.parametrize("width", [1, 2, 3, 8, 31, 63, 64])
@pytest.mark.usefixtures("backend")
def test_addition(parties, width):
    top = np.uint64(2**width - 1)
    x = np.append(rng.integers(0, 2**63, 70, np.uint64) * np.uint64(2), top) & top
    y = np.append(rng.integers(0, 2**63, 70, np.uint64), np.uint64(1)) & top

    def job(p):
        a, b = (
            held(p, bits.unpack(bits.planes(v)[:width], len(v)), i) for i, v in enumerate((x, y))
        )
        total = boolean.add(p.mesh, a, b, p.triples)
        generates = boolean.both(p.mesh, a, b, p.triples)
        out = boolean.carry(p.mesh, generates, a ^ b, p.triples)
        return boolean.reveal(p.mesh, total), boolean.reveal(p.mesh, out)

    wanted = bits.unpack(bits.planes(x + y & top)[:width], len(x))
    wide = [(int(a) + int(b)) >> width for a, b in zip(x, y, strict=True)]
    for total, out in compute(parties, job):
        assert total.tolist() == wanted.tolist()
        assert out.tolist() == wide


def test_an_and_of_no_bits_is_refused():
    def job(p):
        none = xor_sharing.public(np.zeros((0, 5), np.uint8), p.mesh.names.index(p.mesh.me), 2)
        with pytest.raises(ConfigError, match="an AND of no bits"):
            boolean.all_of(p.mesh, none, p.triples)
        return p.triples.drawn

    assert compute(2, job) == [[], []]


def test_rounds():
    x, y = drawn(64, 10), drawn(64, 10)

    def job(p):
        mesh = recorded(p.mesh)
        counts, came = [], mesh.channel(mesh.peers[0]).came
        a, b = held(p, x, "x"), held(p, y & (1 - x), "y")
        for circuit in (boolean.add, boolean.carry, boolean.carries, boolean.both):
            before = len(came)
            circuit(mesh, a, b, p.triples)
            counts.append(len(came) - before)
        before = len(came)
        boolean.all_of(mesh, a, p.triples)
        return [*counts, len(came) - before]

    assert compute(2, job) == [[7, 6, 6, 1, 6]] * 2


def test_only_one_party_gets_what_is_revealed_to_it():
    x = drawn(3, 70)
    found = compute(3, lambda p: boolean.reveal(p.mesh, held(p, x), to="p2"))
    assert found[:2] == [None, None]
    assert found[2].tolist() == x.tolist()


def test_what_is_behind_the_last_bit_is_not_shown():
    def job(p):
        mesh = recorded(p.mesh)
        ones = XorShare(np.full(1, 2**64 - 1, np.uint64), 3, p.mesh.names.index(p.mesh.me), 2)
        boolean.reveal(mesh, ones)
        (message,) = mesh.channel(mesh.peers[0]).came
        return int.from_bytes(message.words.data, "little")

    assert compute(2, job) == [7, 7]


def test_shapes_must_agree():
    def job(p):
        with pytest.raises(ConfigError, match="an AND of"):
            boolean.both(p.mesh, held(p, drawn(2, 9)), held(p, drawn(3, 9)), p.triples)
        with pytest.raises(KeyMismatch):
            boolean.both(p.mesh, held(p, drawn(9)), held(p, drawn(8)), p.triples)

    compute(2, job)


@pytest.mark.parametrize("parties", [2, 3])
def test_views_are_uniform_whatever_the_inputs(parties):
    def job(p):
        x, y = held(p, np.zeros((64, 64), np.uint8)), held(p, np.ones((64, 64), np.uint8))
        boolean.add(p.mesh, x, y, p.triples)

    assert looks_uniform(view(parties, job, seeds=2))
