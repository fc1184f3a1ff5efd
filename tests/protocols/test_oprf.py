# SPDX-License-Identifier: Apache-2.0
"""Oblivious evaluation between two parties: the outputs, the transcript, and bad peers."""

from __future__ import annotations

import numpy as np
import pytest
from link_kinds import KINDS

from mpc import kernels
from mpc.errors import (
    ConfigError,
    DataError,
    InvalidKey,
    ParameterMismatch,
    PeerClosed,
    PeerTimeout,
    ProtocolError,
)
from mpc.net import columns, memory
from mpc.net.traced import Traced
from mpc.pb.v1 import oprf_pb2 as pb
from mpc.primitives import ristretto
from mpc.primitives.items import Items
from mpc.primitives.oprf import Mode, evaluate, generate_key
from mpc.protocols import oprf
from mpc.testing import run_pair, seeded

BACKENDS = ["portable"] + (["simd"] if kernels.backend() == "simd" else [])
KEYS = {mode: generate_key(mode, seeded("key")) for mode in Mode}
ITEMS = [f"item {i}" for i in range(20)]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(oprf, "BLOCK", 8)


def public(mode):
    return KEYS[mode].public if mode is Mode.VOPRF else b""


def ask(channel, items, mode, **options):
    options = {"public_key": public(mode), "mode": mode, "rng": seeded("querier"), **options}
    return oprf.querier(channel, items, **options)


def answer(channel, mode, limit=100):
    return oprf.evaluator(channel, KEYS[mode], limit=limit, rng=seeded("evaluator"))


def play(items, mode, limit=100, **options):
    return run_pair(
        lambda channel: ask(channel, items, mode),
        lambda channel: answer(channel, mode, limit),
        **options,
    )


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("kind", KINDS)
def test_over_every_link(kind, mode, tmp_path):
    with KINDS[kind](tmp_path) as ends:
        outputs, count = play(ITEMS, mode, links=lambda: ends)
    assert count == 20
    assert outputs.tobytes() == evaluate(KEYS[mode], Items.of(ITEMS)).tobytes()


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 16, 17])
def test_at_the_edges_of_blocks(count, mode, backend):
    outputs, asked = play(ITEMS[:count], mode)
    assert asked == count
    assert outputs.shape == (count, 64)
    assert outputs.tobytes() == evaluate(KEYS[mode], Items.of(ITEMS[:count])).tobytes()


def test_an_item_asked_twice_has_one_output_and_two_blinded_elements():
    outputs, _ = play(["a", "a", b"a"], Mode.VOPRF)
    assert len({row.tobytes() for row in outputs}) == 1


GOLDEN = {
    Mode.OPRF: "67fd6aca6120455909326d9209b7307f75272ea21c8028c75ad9fe714af4ae7d",
    Mode.VOPRF: "4c377b9dc74a8c70ddbd7b5815f2132d53346c2c7e8ed506d66a0c11fc902608",
}


@pytest.mark.parametrize("mode", Mode)
def test_the_transcript(mode, backend):
    """Changes only with the protocol: then say why in the commit."""
    ends = [Traced(link) for link in memory.pair()]
    play(ITEMS, mode, links=lambda: tuple(ends))
    traffic = ends[0].traffic
    assert (traffic.sent_messages, traffic.received_messages) == (5, 4)
    assert traffic.rounds == 3
    payload = 32 * 20
    assert payload < traffic.sent_bytes < payload + 350
    assert payload < traffic.received_bytes < payload + 500
    assert ends[0].digest().hex() == GOLDEN[mode]


def test_nothing_the_querier_sends_depends_on_its_items():
    """One item asked for under 300 seeds looks like uniform elements: chi-square."""
    seen = []

    def watch(channel):
        channel.exchange(parameters(Mode.OPRF))
        for _ in range(channel.recv(pb.OprfRequest).count):
            elements = channel.recv(pb.OprfBlinded).elements
            seen.append(columns.unpack(elements, width=32, peer=channel.peer))
            channel.send(pb.OprfEvaluated(elements=elements))

    for seed in range(300):
        run_pair(lambda channel, s=seed: ask(channel, ["same"], Mode.OPRF, rng=seeded(s)), watch)
    # The low byte of an encoding is even; its upper seven bits fall evenly into eight classes.
    counts = np.bincount(np.concatenate(seen)[:, 0] >> 5, minlength=8)
    assert counts.sum() == 300
    # Seven degrees of freedom: 24.3 is exceeded once in a thousand; the seeds are fixed.
    assert ((counts - 37.5) ** 2 / 37.5).sum() < 24.3


def parameters(agreed, **changes):
    return pb.OprfParameters(
        **{
            "suite": "ristretto255-SHA512",
            "mode": agreed,
            "public_key": public(agreed),
            "block_items": oprf.BLOCK,
            **changes,
        }
    )


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"suite": "P256-SHA256"}, "suite"),
        ({"mode": 0}, "mode"),
        ({"mode": 7}, "mode"),
        ({"public_key": bytes(200)}, "public_key"),
        ({"block_items": 9}, "block_items"),
    ],
)
def test_other_parameters_stop_both_sides(changes, field):
    def other(channel):
        channel.exchange(parameters(Mode.VOPRF, **changes))
        channel.recv(pb.OprfBlinded)

    for role in (lambda c: ask(c, ITEMS, Mode.VOPRF), lambda c: answer(c, Mode.VOPRF)):
        with pytest.raises(ParameterMismatch) as caught:
            run_pair(role, other)
        assert (caught.value.field, caught.value.peer) == (field, "right")


def test_the_querier_asks_for_the_weaker_mode_by_name():
    with pytest.raises(InvalidKey):
        run_pair(lambda channel: oprf.querier(channel, ITEMS), lambda c: answer(c, Mode.OPRF))
    with pytest.raises(ConfigError, match="leave it out"):
        run_pair(
            lambda c: oprf.querier(c, ITEMS, mode=Mode.OPRF, public_key=KEYS[Mode.VOPRF].public),
            lambda c: answer(c, Mode.OPRF),
        )


def test_no_more_evaluations_than_allowed():
    assert play(ITEMS, Mode.OPRF, limit=20)[1] == 20
    with pytest.raises(ProtocolError, match="left: asks for 20 evaluations, 19 are allowed"):
        play(ITEMS, Mode.OPRF, limit=19)


def test_items_that_cannot_be_asked_for():
    with pytest.raises(DataError, match="row 1: a NoneType"):
        play(["a", None], Mode.OPRF)


def cheat(change):
    """An evaluator that does everything right, and then changes its answers."""

    def role(channel):
        channel.exchange(parameters(Mode.VOPRF))
        for _ in range(0, channel.recv(pb.OprfRequest).count, oprf.BLOCK):
            column = channel.recv(pb.OprfBlinded).elements
            elements = columns.unpack(column, width=32, peer=channel.peer)
            evaluated, proof = oprf.oprf.blind_evaluate(KEYS[Mode.VOPRF], elements)
            evaluated, proof = change(evaluated, proof)
            channel.send(pb.OprfEvaluated(elements=columns.pack(evaluated), proof=proof))

    return role


def with_row(array, row, value):
    out = array.copy()
    out[row] = np.frombuffer(value, np.uint8)
    return out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e, p: (e, bytes(64)), "proof does not show"),
        (lambda e, p: (e, p[:-1]), "a proof has 64 bytes"),
        (lambda e, p: (e, b"\xff" * 64), "scalar 0 of 2 is not below"),
        (lambda e, p: (e[::-1].copy(), p), "proof does not show"),
        (lambda e, p: (with_row(e, 3, bytes(32)), p), "first is number 3"),
        (lambda e, p: (with_row(e, 3, b"\xff" * 32), p), "first is number 3"),
        (lambda e, p: (e[:-1], p), "expected 8 elements, got 7"),
        (lambda e, p: (e[:, :31], p), "expected elements of 32 bytes, got 31"),
    ],
)
def test_wrong_answers_name_the_evaluator(change, message):
    with pytest.raises(ProtocolError, match=message) as caught:
        run_pair(lambda channel: ask(channel, ITEMS, Mode.VOPRF), cheat(change))
    assert caught.value.peer == "right"


@pytest.mark.parametrize("bad", [bytes(32), b"\xff" * 32])
def test_a_querier_that_sends_no_elements(bad, backend):
    elements = ristretto.encode(ristretto.base(ristretto.scalars(seeded(1), 3)))

    def other(channel):
        channel.exchange(parameters(Mode.VOPRF))
        channel.send(pb.OprfRequest(count=3))
        channel.send(pb.OprfBlinded(elements=columns.pack(with_row(elements, 2, bad))))
        channel.recv(pb.OprfEvaluated)

    with pytest.raises(ProtocolError, match=r"elements from 0 on: 1 of 3 .* number 2"):
        run_pair(lambda channel: answer(channel, Mode.VOPRF), other)


def test_a_message_of_another_type():
    def other(channel):
        channel.exchange(parameters(Mode.VOPRF))
        channel.send(pb.OprfBlinded())
        channel.recv(pb.OprfEvaluated)

    with pytest.raises(ProtocolError, match=r"expected mpc.v1.OprfRequest, got mpc.v1.OprfBlinded"):
        run_pair(lambda channel: answer(channel, Mode.VOPRF), other)


@pytest.mark.parametrize("role", ["querier", "evaluator"])
@pytest.mark.parametrize("after", [0, 1])
def test_a_peer_that_is_gone(role, after):
    def leave(channel):
        if after:
            channel.exchange(parameters(Mode.OPRF))

    roles = {
        "querier": lambda channel: ask(channel, ITEMS, Mode.OPRF),
        "evaluator": lambda channel: answer(channel, Mode.OPRF),
    }
    with pytest.raises(PeerClosed):
        run_pair(roles[role], leave)


def test_a_peer_that_is_silent():
    def stay(channel):
        channel.exchange(parameters(Mode.OPRF))
        channel.recv(pb.OprfBlinded)

    with pytest.raises(PeerTimeout):
        run_pair(lambda channel: answer(channel, Mode.OPRF), stay, timeout=0.3)
