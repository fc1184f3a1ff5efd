# SPDX-License-Identifier: Apache-2.0
"""The online query: transfer, answers, limits, transcripts, and both sides dishonest."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from link_kinds import KINDS
from query_runs import IDS, KEY, PIN, REASONS, asked, change, fetched, hold, make
from tampering import Tampering

from mpc.net import columns, memory
from mpc.net.traced import Traced
from mpc.pb.v1 import query_pb2 as pb
from mpc.primitives import oprf, prepared
from mpc.protocols import query
from mpc.testing import run_pair, seeded

pytestmark = pytest.mark.usefixtures("small_blocks")


@pytest.mark.parametrize("kind", KINDS)
def test_over_every_link(kind, party, tmp_path):
    with KINDS[kind](tmp_path) as ends:
        answers, served = asked(party, [IDS[3], "other", IDS[3]], links=lambda: ends)
    assert answers.listed.tolist() == [True, False, True]
    assert answers.labels == (b"reason 3", None, b"reason 3")
    assert (answers.version, answers.newest) == (1, 1)
    assert (served.requests, served.evaluations, served.refused) == (3, 3, 0)
    assert served.file_bytes == party.listed.newest.file_bytes


@pytest.mark.parametrize("asking", [0, 1, 3, 4, 5, 8, 9, 30])
def test_at_the_edges_of_blocks(asking, party, backend):
    answers, served = asked(party, IDS[:asking])
    assert answers.listed.tolist() == [True] * asking
    assert list(answers.labels) == [text.encode() for text in REASONS[:asking]]
    assert served.evaluations == asking
    assert IDS[0] not in repr(answers)


@pytest.mark.parametrize("entries", [0, 1])
def test_short_lists(entries, tmp_path):
    party = SimpleNamespace(folder=tmp_path / "h", copy=tmp_path / "a", counts=tmp_path / "c")
    make(party.folder, items=IDS[:entries])
    answers, _ = asked(party, IDS[:3])
    assert answers.listed.tolist() == [i < entries for i in range(3)]
    assert answers.labels == (None, None, None)


def test_many_queries_and_updates_on_one_channel(party):
    def ask(channel):
        copy = fetched(party, channel)
        seen = []
        for name in IDS[:6]:
            seen.append(bool(query.asker(channel, copy, [name]).listed[0]))
        change(party.folder, add=["new"], labels=["since today"], remove=IDS[:2])
        late = query.asker(channel, copy, [IDS[0]])
        assert (late.listed[0], late.version, late.newest) == (True, 1, 2)
        copy = fetched(party, channel)
        after = query.asker(channel, copy, [IDS[0], IDS[2], "new"])
        return seen, after.listed.tolist(), after.labels

    (seen, after, labels), served = run_pair(ask, partial(hold, party))
    assert (seen, after) == ([True] * 6, [False, True, True])
    assert labels == (None, b"reason 2", b"since today")
    # The second time, only the delta went over.
    assert served.file_bytes < party.listed.newest.file_bytes + 600


def test_rfc_9497_appendix_a123_on_the_wire(tmp_path, monkeypatch):
    """A batch of two: published blinded elements, evaluations, proof and outputs.

    The asker blinds as the RFC does; ``oprf.mask``, in its place, the holder cannot tell apart.
    """
    monkeypatch.setattr(query, "BLOCK", 2)
    monkeypatch.setattr(oprf, "mask", partial(oprf.blind, oprf.Mode.VOPRF))
    secret = oprf.derive_key(oprf.Mode.VOPRF, bytes.fromhex("a3" * 32), b"test key")
    rfc = replace(KEY, oprf=secret)
    party = SimpleNamespace(folder=tmp_path / "h", copy=tmp_path / "a", counts=tmp_path / "c")
    make(party.folder, key=rfc, items=[b"\0", b"\x5a" * 17])
    sent = {}

    def ask(channel):
        watched = Tampering(channel, {pb.QueryRequest: partial(keep, sent, "blinded")})
        blinds = Scripted(
            "64d37aed22a27f5191de1c1d69fadb899d8862b58eb4220029e036ec4c1f6706",
            "222a5e897cf59db8145db8d16e597e8facb80ae7d4e26d9881aa6f61d645fc0e",
        )
        copy = fetched(party, channel)
        return query.asker(watched, copy, [b"\0", b"\x5a" * 17], rng=blinds)

    def answer(channel):
        watched = Tampering(channel, {pb.QueryAnswer: partial(keep, sent, "evaluated")})
        nonce = Scripted("419c4f4f5052c53c45f3da494d2b67b220d02118e0857cdbcf037f9ea84bbe0c")
        return hold(party, watched, key=rfc, rng=nonce)

    answers, _ = run_pair(ask, answer)
    assert answers.listed.tolist() == [True, True]
    assert sent["blinded"].elements.data.hex() == (
        "863f330cc1a1259ed5a5998a23acfd37fb4351a793a5b3c090b642ddc439b945"
        "90a0145ea9da29254c3a56be4fe185465ebb3bf2a1801f7124bbbadac751e654"
    )
    assert sent["evaluated"].elements.data.hex() == (
        "aa8fa048764d5623868679402ff6108d2521884fa138cd7f9c7669a9a014267e"
        "cc5ac221950a49ceaa73c8db41b82c20372a4c8d63e5dded2db920b7eee36a2a"
    )
    assert sent["evaluated"].proof.hex() == (
        "cc203910175d786927eeb44ea847328047892ddf8590e723c37205cb74600b0a"
        "5ab5337c8eb4ceae0494c2cf89529dcf94572ed267473d567aeed6ab873dee08"
    )


class Scripted:
    """Randomness that makes ``ristretto.scalars`` draw the given ones."""

    def __init__(self, *scalars):
        self.left = [int.from_bytes(bytes.fromhex(text), "little") - 1 for text in scalars]

    def bytes(self, size):
        drawn, self.left = self.left[: size // 32], self.left[size // 32 :]
        return b"".join(value.to_bytes(32, "little") for value in drawn)


def keep(sent, kind, message):
    if message.HasField(kind):
        sent[kind] = type(getattr(message, kind))()
        sent[kind].CopyFrom(getattr(message, kind))


# What is sent


GOLDEN = "498133411a21940f5228aba6665589f77466fb0ebc9e2375809696908a7e5f50"


def test_the_transcript(party, backend):
    """Changes only with the protocol: then say why in the commit."""
    ends = [Traced(link) for link in memory.pair()]
    asked(party, IDS[:9], links=lambda: tuple(ends))
    traffic = ends[0].traffic
    files = party.listed.newest.file_bytes
    chunks = -(-files // 300)
    assert (traffic.sent_messages, traffic.received_messages) == (2 + 3 + 1, 1 + chunks + 3)
    payload = 32 * 9
    assert payload < traffic.sent_bytes < payload + 400
    assert payload < traffic.received_bytes - files < payload + 300 + 288 + 60 * chunks
    assert ends[0].digest().hex() == GOLDEN


def test_one_id_takes_one_round_trip(party):
    run_pair(partial(fetched, party), partial(hold, party))
    ends = [Traced(link) for link in memory.pair()]
    copy = prepared.open_list(party.copy, PIN)
    run_pair(
        lambda channel: query.asker(channel, copy, ["x"]), partial(hold, party), links=lambda: ends
    )
    traffic = ends[0].traffic
    assert (traffic.sent_messages, traffic.received_messages) == (1, 1)
    assert max(traffic.sent_bytes, traffic.received_bytes) < 200


@pytest.mark.parametrize(
    "ids", [[IDS[0]] * 300, ["other"] * 300, [f"{i}" * 9 for i in range(300)]], ids=lambda i: i[1]
)
def test_nothing_that_is_sent_depends_on_the_ids(party, ids):
    """300 queries for a listed id, for another, for all different ones: chi-square."""
    requests = []

    def answer(channel):
        for _ in range(75):
            requests.append(channel.recv(pb.QueryRequest).blinded)
            elements = columns.unpack(requests[-1].elements, width=32, peer="x", count=4)
            evaluated, proof = oprf.blind_evaluate(KEY.oprf, elements)
            column = columns.pack(evaluated)
            channel.send(pb.QueryAnswer(evaluated=pb.QueryEvaluated(elements=column, proof=proof)))

    run_pair(lambda channel: query.asker(channel, party.listed, ids, rng=seeded("view")), answer)
    # Beside the elements, a request says which key, and how many.
    assert {len(request.SerializeToString()) for request in requests[1:]} == {172}
    rows = np.frombuffer(b"".join(r.elements.data for r in requests), np.uint8).reshape(300, 32)
    assert len({row.tobytes() for row in rows}) == 300
    # The low byte of an encoding is even; its upper three bits fall evenly into eight classes.
    counts = np.bincount(rows[:, 0] >> 5, minlength=8)
    # Seven degrees of freedom: 24.3 is exceeded once in a thousand; the seed is fixed.
    assert ((counts - 37.5) ** 2 / 37.5).sum() < 24.3
