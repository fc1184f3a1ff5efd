# SPDX-License-Identifier: Apache-2.0
"""The online query with limits reached, keys rotated, and either side dishonest or gone."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest
from query_runs import IDS, KEY, REASONS, asked, fetched, hold, make
from tampering import Tampering, flipped

from mpc.errors import (
    ConfigError,
    KeyMismatch,
    PeerClosed,
    PeerTimeout,
    ProtocolError,
)
from mpc.net import columns, memory
from mpc.pb.v1 import query_pb2 as pb
from mpc.pb.v1.columns_pb2 import Column
from mpc.primitives import oprf, prepared, ristretto
from mpc.protocols import query
from mpc.testing import run_pair, seeded

pytestmark = pytest.mark.usefixtures("small_blocks")


# Limits


def test_limits_reach_the_asker_by_name_and_the_channel_goes_on(party):
    def ask(channel):
        seen = []
        for ids in (IDS[:9], IDS[:6], IDS[:3], IDS[:2]):
            try:
                seen.append(len(query.asker(channel, party.listed, ids).listed))
            except query.Refused as no:
                seen.append((no.peer, no.limit, no.allowed, round(no.retry_seconds, 3)))
        return seen

    seen, served = run_pair(ask, lambda channel: hold(party, channel, rate=2, burst=8, total=100))
    assert seen == [("right", "burst", 8, 0), 6, ("right", "rate", 2, 0.5), 2]
    assert (served.refused, served.evaluations) == (2, 8)


def test_a_restart_does_not_give_the_total_back(party):
    def ask(channel):
        return query.asker(channel, party.listed, IDS[:6])

    run_pair(ask, partial(hold, party, total=10))
    with pytest.raises(query.Refused, match=r"'total' stands against it: 4 evaluations are left"):
        run_pair(ask, partial(hold, party, total=10))
    assert query.CounterFile(party.counts).used("left") == 6


def test_a_rotated_key_is_told(party):
    newer = KEY.rotated(seeded("newer"))
    make(party.folder, key=newer, items=IDS[:4], labels=REASONS[:4], room=16)

    def ask(channel):
        with pytest.raises(query.Refused, match="rotated; fetch the list again") as caught:
            query.asker(channel, party.listed, IDS[:1])
        assert caught.value.limit == "key"
        return query.asker(channel, fetched(party, channel), [IDS[0], IDS[5]])

    answers, _ = run_pair(ask, partial(hold, party, key=newer))
    assert answers.listed.tolist() == [True, False]
    with pytest.raises(KeyMismatch, match="another OPRF key"):
        hold(party, None)


@pytest.mark.parametrize(
    "refused",
    [
        {"limit": "mood"},
        {"limit": "rate", "retry_seconds": -1.0},
        {"limit": "rate", "retry_seconds": float("nan")},
        {"limit": "rate", "retry_seconds": float("inf")},
    ],
)
def test_refusals_that_make_no_sense(party, refused):
    def role(channel):
        channel.recv(pb.QueryRequest)
        channel.send(pb.QueryAnswer(refused=pb.QueryRefused(**refused)))

    with pytest.raises(ProtocolError):
        run_pair(lambda channel: query.asker(channel, party.listed, ["x"]), role)


# A dishonest holder


def with_row(column, row, value):
    rows = np.frombuffer(column.data, np.uint8).reshape(-1, 32).copy()
    rows[row] = np.frombuffer(value, np.uint8)
    column.data = rows.tobytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: setattr(e, "proof", bytes(64)), "proof does not show"),
        (lambda e: setattr(e, "proof", flipped(e.proof)), "proof does not show"),
        (lambda e: setattr(e, "proof", e.proof[:-1]), "a proof has 64 bytes"),
        (lambda e: with_row(e.elements, 1, bytes(32)), "first is number 1"),
        (lambda e: with_row(e.elements, 1, b"\xff" * 32), "first is number 1"),
        (lambda e: with_row(e.elements, 1, e.elements.data[:32]), "proof does not show"),
        (lambda e: setattr(e.elements, "width", 31), "expected elements of 32 bytes"),
        (
            lambda e: e.elements.CopyFrom(Column(**columns.pack(np.zeros((1, 32), np.uint8)))),
            "expected 3",
        ),
    ],
)
def test_wrong_evaluations_name_the_holder(party, change, message):
    def spoil(answer):
        if answer.HasField("evaluated"):
            change(answer.evaluated)

    with pytest.raises(ProtocolError, match=message) as caught:
        run_pair(
            lambda channel: query.asker(channel, party.listed, IDS[:3]),
            lambda channel: hold(party, Tampering(channel, {pb.QueryAnswer: spoil})),
        )
    assert caught.value.peer == "right"


def test_a_holder_that_evaluates_under_another_key(party):
    """It proves what it did, but not with the key that the list's header has."""
    newer = KEY.rotated(seeded("newer"))

    def other(channel):
        blinded = channel.recv(pb.QueryRequest).blinded
        elements = columns.unpack(blinded.elements, width=32, peer="x")
        evaluated, proof = oprf.blind_evaluate(newer.oprf, elements)
        column = columns.pack(evaluated)
        channel.send(pb.QueryAnswer(evaluated=pb.QueryEvaluated(elements=column, proof=proof)))

    with pytest.raises(ProtocolError, match="proof does not show"):
        run_pair(lambda channel: query.asker(channel, party.listed, IDS[:1]), other)


def test_a_list_whose_public_key_is_none(party):
    """Its holder signed that; whatever it answers, nothing is unmasked by it."""
    *older, last = party.listed.segments
    header = replace(last.header, public_key=bytes(32))
    listed = replace(party.listed, segments=(*older, replace(last, header=header)))
    with pytest.raises(ProtocolError, match="its list: a public key is the encoding"):
        run_pair(
            lambda channel: query.asker(channel, listed, IDS[:1]),
            lambda channel: channel.recv(pb.QueryRequest),
        )


def test_a_label_that_does_not_open(party, tmp_path):
    """A holder that signs tags with labels of other entries."""
    wrong = SimpleNamespace(**{**vars(party), "folder": tmp_path / "wrong"})
    real = prepared.labels.keys

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepared.labels, "keys", lambda o, n: real(o, n)[::-1].copy())
        make(wrong.folder, items=IDS, labels=REASONS, room=16)
    with pytest.raises(ProtocolError, match="does not open"):
        asked(wrong, IDS[:1])


def test_answers_of_another_kind(party):
    def role(channel):
        channel.recv(pb.QueryRequest)
        channel.send(pb.QueryAnswer(chunk=pb.QueryChunk(data=b"x")))

    with pytest.raises(ProtocolError, match="answered chunk where evaluated was asked for"):
        run_pair(lambda channel: query.asker(channel, party.listed, ["x"]), role)
    with pytest.raises(ProtocolError, match="answered chunk where offer was asked for"):
        run_pair(partial(fetched, party), role)


# A dishonest asker


def points(number):
    return ristretto.encode(ristretto.base(ristretto.scalars(seeded(1), number)))


def blinded(rows, total=None):
    elements = columns.pack(rows)
    total = len(rows) if total is None else total
    key = KEY.oprf.public
    return pb.QueryRequest(blinded=pb.QueryBlinded(public_key=key, total=total, elements=elements))


def spoilt(row):
    rows = points(3)
    rows[1] = np.frombuffer(row, np.uint8)
    return rows


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (lambda: pb.QueryRequest(), "asks for nothing"),
        (lambda: blinded(points(2), total=1), "more evaluations than it announced"),
        (lambda: blinded(points(2), total=0), "more evaluations than it announced"),
        (lambda: blinded(points(0)), "asks for 0 evaluations"),
        (lambda: blinded(spoilt(bytes(32))), "first is number 1"),
        (lambda: blinded(spoilt(b"\xff" * 32)), "first is number 1"),
        (
            lambda: blinded(np.zeros((2, 31), np.uint8)),
            "expected elements of 32 bytes",
        ),
        (
            lambda: blinded(np.zeros((1 << 15, 32), np.uint8)),
            "asks for 32768 evaluations in one message",
        ),
        (lambda: pb.QueryRequest(segment=pb.QuerySegment(version=9)), "version 9 from 0 on"),
        (
            lambda: pb.QueryRequest(segment=pb.QuerySegment(version=1, offset=1 << 40)),
            "version 1 from",
        ),
    ],
)
def test_requests_that_are_wrong_name_the_asker(party, request_, message):
    def ask(channel):
        channel.send(request_())
        channel.recv(pb.QueryAnswer)

    with pytest.raises(ProtocolError, match=message) as caught:
        run_pair(ask, partial(hold, party))
    assert caught.value.peer == "left"


def test_evaluations_beyond_those_admitted(party):
    """A call announces four, takes three, and one more, and one more."""

    def ask(channel):
        for elements, total in ((3, 4), (1, 0), (1, 0)):
            channel.send(blinded(points(elements), total))
            channel.recv(pb.QueryAnswer)

    with pytest.raises(ProtocolError, match="more evaluations than it announced"):
        run_pair(ask, partial(hold, party))


# Peers that are gone


def test_a_holder_without_a_list(party, tmp_path):
    party.folder = tmp_path / "none"
    with pytest.raises(ConfigError, match="no prepared list"):
        hold(party, None)


@pytest.mark.parametrize("after", range(3))
def test_a_holder_that_is_gone(party, after):
    def leave(channel):
        answers = count()

        def stop(message):
            if next(answers) == after:
                raise Gone

        try:
            hold(party, Tampering(channel, {pb.QueryAnswer: stop}))
        except Gone:
            channel.close()

    with pytest.raises(PeerClosed):
        run_pair(partial(asking_for_ever, party), leave)


class Gone(Exception):
    pass


def asking_for_ever(party, channel):
    copy = fetched(party, channel)
    while True:
        query.asker(channel, copy, ["x"])


def test_an_asker_that_is_gone_between_requests_ends_the_service(party):
    _, served = run_pair(partial(fetched, party), partial(hold, party))
    assert served.requests == 2


def test_an_asker_that_leaves_during_the_transfer(party):
    def leave(channel):
        channel.send(pb.QueryRequest(catalog=pb.QueryCatalog()))
        channel.recv(pb.QueryAnswer)
        channel.send(pb.QueryRequest(segment=pb.QuerySegment(version=1)))

    with pytest.raises(PeerClosed):
        run_pair(leave, partial(hold, party), links=partial(memory.pair, capacity=1))


def test_peers_that_are_silent(party):
    def stay(channel):
        channel.recv(pb.QueryRequest)
        channel.recv(pb.QueryRequest)

    with pytest.raises(PeerTimeout):
        run_pair(partial(fetched, party), stay, timeout=0.3)
    with pytest.raises(PeerTimeout):
        run_pair(lambda channel: channel.recv(pb.QueryAnswer), partial(hold, party), timeout=0.3)
