# SPDX-License-Identifier: Apache-2.0
"""What an intersection shows on the wire, and what sides that cheat gain: nothing, or an error."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from psi_runs import Counting, ids, intersect, run

from mpc.errors import (
    PeerAborted,
    PeerClosed,
    ProtocolError,
)
from mpc.net import columns
from mpc.net import memory as memory_link
from mpc.net.channel import Channel
from mpc.pb.v1 import rr22_pb2 as pb
from mpc.pb.v1 import vole_pb2
from mpc.primitives.rng import uint64
from mpc.protocols import psi
from mpc.protocols.psi import wire
from mpc.testing import run_pair, seeded

# What is on the wire.


def tags_sent(right, seed, security="malicious"):
    """The tags of one run, as the receiver gets them."""
    got = []
    left, other = memory_link.pair()

    class Watching(Counting):
        def get(self, timeout=None):
            frame = bytes(self.link.get(timeout))
            name = b"mpc.v1.IntersectTags"
            if name in frame[:40]:
                body = frame[2 + len(name) :]
                tags = pb.IntersectTags.FromString(body).tags
                width = len(tags.data) // tags.count
                got.append(columns.unpack(tags, width=width, peer=""))
            return frame

    run_pair(
        lambda channel: psi.receiver(channel, ["z"], rng=seeded(f"w{seed}"), security=security),
        lambda channel: psi.sender(channel, right, rng=seeded(f"v{seed}"), security=security),
        links=lambda: (Watching(left, []), other),
    )
    return np.concatenate(got)


def test_tags_tell_nothing_of_the_order_of_items():
    """The same items in another order, and all else equal: the same bytes."""
    names = ids(0, 500)
    forward, backward = tags_sent(names, 1), tags_sent(names[::-1], 1)
    assert np.array_equal(forward, backward)
    assert not np.array_equal(forward, tags_sent(names, 2))


@pytest.mark.parametrize(("security", "width"), [("malicious", 16), ("semi-honest", 8)])
def test_tags_and_store_look_uniform(security, width):
    sent = tags_sent(ids(0, 4000), 3, security)
    assert sent.shape == (4000, width)
    # The leading bytes of sorted tags are uniform over the whole message, as the others are.
    for column in (0, 3, width // 2, width - 1):
        counts = np.bincount(sent[:, column], minlength=256)
        assert ((counts - len(sent) / 256) ** 2 / (len(sent) / 256)).sum() < 400
    stores = []

    class Watching(Counting):
        def put(self, frame, timeout=None):
            name = b"mpc.v1.IntersectStore"
            if name in bytes(frame[:40]):
                body = bytes(frame[2 + len(name) :])
                stores.append(pb.IntersectStore.FromString(body).values.data)
            super().put(frame, timeout)

    left, right = memory_link.pair()
    run(Watching(left, []), right, ["same", *ids(0, 3000)], ids(0, 10), security=security)
    counts = np.bincount(np.frombuffer(b"".join(stores), np.uint8), minlength=256)
    expected_count = counts.sum() / 256
    assert ((counts - expected_count) ** 2 / expected_count).sum() < 400


@pytest.mark.parametrize(
    ("security", "sizes"),
    [
        (
            "malicious",
            [("Offer", 66), ("Seed", 18), ("Share", 18), ("Store", 23917), ("Replies", 1610)],
        ),
        ("semi-honest", [("Offer", 68), ("Seed", 18), ("Store", 11963), ("Replies", 1610)]),
    ],
)
def test_what_the_receiver_sends(security, sizes):
    """The receiver's messages of this protocol and their lengths, vector OLE's own left out."""
    sent = []

    class Watching(Counting):
        def put(self, frame, timeout=None):
            name = bytes(frame[2 : 2 + frame[1]]).decode()
            if name.startswith("mpc.v1.Intersect"):
                sent.append((name.removeprefix("mpc.v1.Intersect"), len(frame) - 2 - len(name)))
            super().put(frame, timeout)

    left, right = memory_link.pair()
    run(Watching(left, []), right, ids(0, 1000), ids(900, 1500), security=security, to_both=True)
    assert sent == sizes


def test_the_row_seed_is_drawn_when_the_session_key_is_fixed():
    """A sender that saw it before it offers its part of the key could look for a key under which a
    set that it guesses has no store."""
    order = []
    left, right = memory_link.pair()

    class Watching(Counting):
        def put(self, frame, timeout=None):
            order.append(bytes(frame[2 : 2 + frame[1]]).decode())
            super().put(frame, timeout)

        def get(self, timeout=None):
            frame = self.link.get(timeout)
            order.append("got " + bytes(frame[2 : 2 + frame[1]]).decode())
            return frame

    run(Watching(left, []), right, ids(0, 20), ids(10, 30))
    assert order.index("got mpc.v1.IntersectOffer") < order.index("mpc.v1.IntersectSeed")


def test_the_same_set_sends_nothing_twice():
    """No hash of a key set, and no tag, is the same in two runs."""
    first, second = tags_sent(["only"], 4), tags_sent(["only"], 5)
    assert not np.any(np.all(first == second, axis=1))


# Cheats.


def cheat_sender(monkeypatch, change):
    """Run an honest receiver against a sender whose messages ``change`` rewrites."""
    real = Channel.send

    def send(self, message):
        if threading.current_thread().name.startswith("right"):
            message = change(message) or message
        real(self, message)

    monkeypatch.setattr(Channel, "send", send)


def test_a_share_that_was_not_committed_to_is_caught(monkeypatch):
    def change(message):
        if isinstance(message, pb.IntersectShare):
            return pb.IntersectShare(share=bytes(16))
        return None

    cheat_sender(monkeypatch, change)
    with pytest.raises(ProtocolError, match="committed"):
        intersect(ids(0, 10), ids(0, 10))


def test_tags_out_of_order_are_refused(monkeypatch):
    def change(message):
        if isinstance(message, pb.IntersectTags):
            data = np.frombuffer(message.tags.data, np.uint8).reshape(-1, 16)[::-1]
            return pb.IntersectTags(tags=columns.pack(np.ascontiguousarray(data)))
        return None

    cheat_sender(monkeypatch, change)
    with pytest.raises(ProtocolError, match="ascending"):
        intersect(ids(0, 10), ids(0, 10))


def test_tags_made_up_match_nothing(monkeypatch):
    def change(message):
        if isinstance(message, pb.IntersectTags):
            tags = uint64(seeded("forged"), (message.tags.count, 2))
            return pb.IntersectTags(tags=columns.pack(tags[np.lexsort((tags[:, 1], tags[:, 0]))]))
        return None

    cheat_sender(monkeypatch, change)
    assert intersect(ids(0, 100), ids(0, 100))[0].tolist() == []


@pytest.mark.parametrize(
    ("security", "kind"),
    [
        ("malicious", pb.IntersectStore),
        ("malicious", pb.IntersectTags),
        ("malicious", pb.IntersectSeed),
        ("malicious", pb.IntersectShare),
        ("semi-honest", pb.IntersectStore),
        ("semi-honest", pb.IntersectTags),
        ("semi-honest", pb.IntersectSeed),
        ("semi-honest", vole_pb2.PuncturedTrees),
    ],
)
def test_wrong_shapes_are_refused(monkeypatch, security, kind):
    real, replaced = Channel.send, []

    def send(self, message):
        if isinstance(message, kind):
            message = kind()
            replaced.append(self.peer)
        real(self, message)

    monkeypatch.setattr(Channel, "send", send)
    with pytest.raises(ProtocolError):
        intersect(ids(0, 2000), ids(0, 10), security=security)
    assert replaced


def test_a_malformed_offer_is_refused(monkeypatch):
    real = Channel.send

    def send(self, message):
        if isinstance(message, pb.IntersectOffer) and message.role == "sender":
            message.nonce = b"short"
        real(self, message)

    monkeypatch.setattr(Channel, "send", send)
    with pytest.raises((ProtocolError, PeerAborted)):
        intersect(ids(0, 10), ids(0, 10))


def test_a_receiver_that_programs_a_wrong_store_gains_nothing(monkeypatch):
    """A store of other values than H(x): the tags of its items are noise to it."""

    def hashed(run, digests):
        wrong = threading.current_thread().name == "left"
        return np.ascontiguousarray(digests[:, :2]) ^ np.uint64(wrong)

    monkeypatch.setattr(wire, "hashed", hashed)
    assert intersect(ids(0, 50), ids(0, 50))[0].tolist() == []


def test_replies_for_items_not_common_are_caught(monkeypatch):
    real = Channel.send

    def send(self, message):
        if isinstance(message, pb.IntersectReplies):
            message = pb.IntersectReplies(replies=columns.pack(np.zeros((1, 2), np.uint64)))
        real(self, message)

    monkeypatch.setattr(Channel, "send", send)
    with pytest.raises(ProtocolError, match="no item of ours"):
        intersect(ids(0, 10), ids(5, 20), to_both=True)


def test_a_dead_peer_is_noticed():
    left, right = memory_link.pair()
    right.close()
    with pytest.raises(PeerClosed):
        psi.receiver(Channel(left), ids(0, 5))
