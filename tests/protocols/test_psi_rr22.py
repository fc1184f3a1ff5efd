# SPDX-License-Identifier: Apache-2.0
"""Intersection by store and vector OLE: equal to Python sets, and what cheats and accidents do."""

from __future__ import annotations

import threading

import numpy as np
import pyarrow as pa
import pytest

from mpc import kernels
from mpc.errors import (
    ChannelError,
    ConfigError,
    CryptoError,
    DataError,
    ParameterMismatch,
    PeerAborted,
    PeerClosed,
    ProtocolError,
)
from mpc.net import columns
from mpc.net import memory as memory_link
from mpc.net.channel import Channel
from mpc.pb.v1 import rr22_pb2 as pb
from mpc.primitives import okvs
from mpc.primitives.rng import uint64
from mpc.protocols import psi
from mpc.protocols.psi import wire
from mpc.testing import run_pair, seeded

FORMS = [("malicious", False), ("malicious", True), ("semi-honest", False), ("semi-honest", True)]
SIMD = kernels.backend() == "simd"


def intersect(left, right, seed=0, **options):
    return run_pair(
        lambda channel: psi.receiver(channel, left, rng=seeded(f"r{seed}"), **options),
        lambda channel: psi.sender(channel, right, rng=seeded(f"s{seed}"), **options),
    )


def expected(left, right):
    other = set(right)
    return [i for i, item in enumerate(left) if item in other]


def ids(start, stop):
    return [f"91{number:016d}" for number in range(start, stop)]


@pytest.mark.parametrize(("security", "to_both"), FORMS)
@pytest.mark.parametrize(
    ("left", "right"),
    [
        (ids(0, 0), ids(0, 0)),
        (ids(0, 0), ids(0, 5)),
        (ids(0, 5), ids(0, 0)),
        (ids(0, 1), ids(0, 1)),
        (ids(0, 1), ids(1, 2)),
        (ids(0, 2), ids(1, 3)),
        (ids(0, 300), ids(0, 300)),
        (ids(0, 300), ids(300, 600)),
        (ids(0, 1000), ids(900, 1500)),
        ([""], ["", "a"]),
    ],
)
def test_intersection(left, right, security, to_both):
    mine, theirs = intersect(left, right, security=security, to_both=to_both)
    assert mine.tolist() == expected(left, right)
    assert theirs.tolist() == (expected(right, left) if to_both else [])


@pytest.mark.parametrize("backend", kernels.BACKENDS)
def test_both_backends(backend):
    if backend == "simd" and not SIMD:
        pytest.skip("no AVX-512 here")
    with kernels.use(backend):
        mine, _ = intersect(ids(0, 200), ids(150, 400))
    assert mine.tolist() == list(range(150, 200))


def test_a_hundred_seeds():
    # The portable kernels take a second each.
    for seed in range(100 if SIMD else 10):
        rng = np.random.default_rng(seed)
        left = [str(i) for i in rng.choice(400, rng.integers(0, 120), replace=False)]
        right = [str(i) for i in rng.choice(400, rng.integers(0, 120), replace=False)]
        security, to_both = FORMS[seed % 4]
        mine, theirs = intersect(left, right, seed, security=security, to_both=to_both)
        assert mine.tolist() == expected(left, right)
        assert theirs.tolist() == (expected(right, left) if to_both else [])


@pytest.mark.parametrize(("few", "many"), [(1, 100_000), (3, 100_003)])
def test_sizes_far_apart(few, many):
    small, large = ids(5, 5 + few), ids(0, many)
    assert intersect(small, large)[0].tolist() == list(range(few))
    assert intersect(large, small)[0].tolist() == list(range(5, 5 + few))


def test_items_that_differ_in_one_bit():
    base = bytearray(b"91350211M000100Y43")
    flipped = []
    for bit in range(8 * len(base)):
        other = bytearray(base)
        other[bit // 8] ^= 1 << bit % 8
        flipped.append(bytes(other))
    assert intersect([bytes(base)], flipped)[0].tolist() == []
    assert intersect(flipped, [bytes(base), flipped[17]])[0].tolist() == [17]


def test_every_sort_of_items():
    names = ids(0, 50)
    forms = [
        names,
        [name.encode() for name in names],
        np.array(names),
        np.array(names, dtype="S"),
        pa.array(names),
        pa.array(names, pa.large_string()),
        pa.array([name.encode() for name in names]),
    ]
    for form in forms:
        assert intersect(form, ids(40, 60))[0].tolist() == list(range(40, 50))


def test_duplicates_are_an_error_or_their_first_row():
    left = ["a", "b", "a", "c", "b", "a"]
    with pytest.raises(DataError, match=r"3 of 6 items repeat an earlier one, the first in row 2"):
        intersect(left, ["b"])
    with pytest.raises(DataError, match="repeat"):
        intersect(["b"], left)
    mine, theirs = intersect(left, ["x", "b", "b", "a"], duplicates="first", to_both=True)
    assert mine.tolist() == [0, 1]
    assert theirs.tolist() == [1, 3]


def test_padding_hides_sizes():
    def watched(count):
        sizes = []
        left, right = memory_link.pair()
        counted = Counting(left, sizes)
        run(counted, right, ids(0, count), ids(0, 2 * count), pad_to=500)
        return sizes

    assert watched(3) == watched(200)


class Counting:
    """A link that notes how long each frame is, both ways."""

    def __init__(self, link, sizes):
        self.link, self.sizes, self.peer = link, sizes, link.peer

    def put(self, frame, timeout=None):
        self.sizes.append(("put", len(frame)))
        self.link.put(frame, timeout)

    def get(self, timeout=None):
        frame = self.link.get(timeout)
        self.sizes.append(("get", len(frame)))
        return frame

    def close(self, timeout=None):
        self.link.close()


def run(left_link, right_link, left, right, **options):
    return run_pair(
        lambda channel: psi.receiver(channel, left, **options),
        lambda channel: psi.sender(channel, right, **options),
        links=lambda: (left_link, right_link),
    )


def test_padding_of_an_empty_set():
    for left, right in (([], ["a"]), (["a"], []), ([], [])):
        mine, theirs = intersect(left, right, pad_to=5, to_both=True)
        assert (mine.tolist(), theirs.tolist()) == ([], [])


def test_more_buckets_than_there_may_be_are_refused():
    with pytest.raises(ConfigError, match="buckets"):
        intersect(["a"], ["b"], pad_to=1 << 20, memory=1000)


def test_a_bound_below_the_count_is_refused():
    with pytest.raises(ConfigError, match="public bound"):
        intersect(ids(0, 5), ids(0, 3), pad_to=4)


@pytest.mark.parametrize(
    "options", [{"security": "none"}, {"duplicates": "last"}, {"memory": 0}], ids=str
)
def test_wrong_options_are_refused_before_anything_is_sent(options):
    with pytest.raises(ConfigError):
        psi.receiver(None, [], **options)


def test_different_terms_are_named():
    with pytest.raises(ParameterMismatch, match="security"):
        run_pair(
            lambda channel: psi.receiver(channel, ["a"], security="semi-honest"),
            lambda channel: psi.sender(channel, ["a"]),
        )
    with pytest.raises(ParameterMismatch, match="to_both"):
        run_pair(
            lambda channel: psi.receiver(channel, ["a"], to_both=True),
            lambda channel: psi.sender(channel, ["a"]),
        )
    with pytest.raises(ProtocolError, match="fits a receiver"):
        run_pair(
            lambda channel: psi.receiver(channel, ["a"]),
            lambda channel: psi.receiver(channel, ["a"]),
        )


def test_types_of_ids_that_differ_end_at_once():
    with pytest.raises(DataError, match="not a string"):
        intersect(["1", "2"], [1, 2])


# Buckets.

BUCKETS = {"memory": 384 * 500}


@pytest.mark.parametrize("security", ["malicious", "semi-honest"])
def test_buckets(security):
    left, right = ids(0, 2000), ids(1900, 2500)
    mine, theirs = intersect(left, right, to_both=True, security=security, **BUCKETS)
    assert mine.tolist() == expected(left, right)
    assert theirs.tolist() == expected(right, left)


def test_the_smaller_memory_decides():
    mine, _ = run_pair(
        lambda channel: psi.receiver(channel, ids(0, 1000), memory=384 * 200),
        lambda channel: psi.sender(channel, ids(500, 1500)),
    )
    assert mine.tolist() == list(range(500, 1000))


def breaking(link, after):
    """A link that ends after so many messages were put."""
    count = iter(range(after))

    class Breaking(Counting):
        def put(self, frame, timeout=None):
            if next(count, None) is None:
                self.link.close()
                raise PeerClosed(self.peer, "gone")
            super().put(frame, timeout)

    return Breaking(link, [])


def test_a_run_goes_on_from_its_first_open_bucket():
    left, right = ids(0, 2000), ids(1500, 2500)
    mine, theirs = psi.Progress(), psi.Progress()

    def attempt(after):
        one, other = memory_link.pair()
        return run_pair(
            lambda channel: psi.receiver(channel, left, progress=mine, **BUCKETS),
            lambda channel: psi.sender(channel, right, progress=theirs, **BUCKETS),
            links=lambda: (breaking(one, after), other),
        )

    with pytest.raises(ChannelError):
        attempt(15)
    kept = len(mine.found)
    assert 0 < kept < mine.buckets
    first = [part.copy() for part in mine.found]
    found, _ = attempt(10_000)
    assert found.tolist() == list(range(1500, 2000))
    assert all(np.array_equal(a, b) for a, b in zip(first, mine.found, strict=False))
    assert "2000" not in repr(mine)


def test_a_bucket_above_its_bound_ends_the_run(monkeypatch):
    monkeypatch.setattr(okvs, "capacity", lambda items, clusters, bits: 100)
    with pytest.raises(CryptoError, match="padded"):
        intersect(ids(0, 1000), ids(0, 1000), **BUCKETS)


def test_a_run_does_not_go_on_with_other_items():
    mine, theirs = psi.Progress(), psi.Progress()
    one, other = memory_link.pair()
    with pytest.raises(ChannelError):
        run_pair(
            lambda channel: psi.receiver(channel, ids(0, 2000), progress=mine, **BUCKETS),
            lambda channel: psi.sender(channel, ids(0, 2000), progress=theirs, **BUCKETS),
            links=lambda: (breaking(one, 15), other),
        )
    with pytest.raises(DataError, match="go on"):
        run_pair(
            lambda channel: psi.receiver(channel, ids(1, 2001), progress=mine, **BUCKETS),
            lambda channel: psi.sender(channel, ids(0, 2000), progress=theirs, **BUCKETS),
        )


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
                got.append(
                    columns.unpack(pb.IntersectTags.FromString(body).tags, width=16, peer="")
                )
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


def test_tags_and_store_look_uniform():
    sent = tags_sent(ids(0, 4000), 3)
    # The leading bytes of sorted tags are uniform over the whole message, as the others are.
    for column in (0, 7, 8, 15):
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
    run(Watching(left, []), right, ["same", *ids(0, 3000)], ids(0, 10))
    counts = np.bincount(np.frombuffer(b"".join(stores), np.uint8), minlength=256)
    expected_count = counts.sum() / 256
    assert ((counts - expected_count) ** 2 / expected_count).sum() < 400


@pytest.mark.parametrize(
    ("security", "sizes"),
    [
        ("malicious", [("Offer", 66), ("Seed", 36), ("Store", 23917), ("Replies", 1610)]),
        ("semi-honest", [("Offer", 68), ("Seed", 36), ("Store", 11963), ("Replies", 1610)]),
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


@pytest.mark.parametrize("kind", [pb.IntersectStore, pb.IntersectTags, pb.IntersectSeed])
def test_wrong_shapes_are_refused(monkeypatch, kind):
    real = Channel.send

    def send(self, message):
        if isinstance(message, kind):
            message = kind()
        real(self, message)

    monkeypatch.setattr(Channel, "send", send)
    with pytest.raises(ProtocolError):
        intersect(ids(0, 10), ids(0, 10))


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
