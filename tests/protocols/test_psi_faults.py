# SPDX-License-Identifier: Apache-2.0
"""Faults that intersections elsewhere were found to have, and each of these must not.

Of the others of that kind: files believed by their size are in ``test_query_fetching`` and
``test_psi_buckets``, rows left on the disk by a kill in the latter, and what two of many parties
have in common in ``test_psi_many`` and ``test_threshold``.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message
from psi_runs import Counting, ids

from mpc.errors import DataError
from mpc.net import columns
from mpc.net import memory as memory_link
from mpc.net.channel import Channel
from mpc.net.traced import Traced
from mpc.pb.v1 import psi_sum_pb2
from mpc.primitives import ristretto
from mpc.primitives.items import Items
from mpc.primitives.paillier import keygen
from mpc.protocols import psi, psi_dh, psi_sum
from mpc.testing import run_pair, seeded

WINDOW = 12  # bytes; two runs of a few hundred thousand random ones share none but by 2^-60


class Recording(Counting):
    """A link that keeps the byte strings that each side sent, out of their messages."""

    def __init__(self, link):
        super().__init__(link, [])
        self.strings = {"put": [], "get": []}

    def put(self, frame, timeout=None):
        self.strings["put"] += strings(bytes(frame))
        super().put(frame, timeout)

    def get(self, timeout=None):
        frame = bytes(super().get(timeout))
        self.strings["get"] += strings(frame)
        return frame


def strings(frame):
    name, body = frame[2 : 2 + frame[1]].decode(), frame[2 + frame[1] :]
    kind = message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(name))
    waiting, found = [kind.FromString(body)], []
    while waiting:
        for _, value in waiting.pop().ListFields():
            found += [value] if isinstance(value, bytes) else []
            waiting += [value] if isinstance(value, Message) else []
    return found


def windows(sent):
    """Every string of ``WINDOW`` bytes in what was sent."""
    long = [np.frombuffer(data, np.uint8) for data in sent if len(data) >= WINDOW]
    views = [np.lib.stride_tricks.sliding_window_view(data, WINDOW) for data in long]
    return {row.tobytes() for view in views for row in view}


PROTOCOLS = {
    "malicious": (psi.receiver, psi.sender),
    "semi-honest": (
        partial(psi.receiver, security="semi-honest"),
        partial(psi.sender, security="semi-honest"),
    ),
    "to both": (partial(psi.receiver, to_both=True), partial(psi.sender, to_both=True)),
    "diffie-hellman": (psi_dh.receiver, psi_dh.sender),
    "counting": (psi_sum.receiver, psi_sum.sender),
}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_nothing_that_is_sent_is_a_function_of_the_set(name):
    """No hash of a key set, or of its only key, as a "consistency check": of two runs over the same
    items neither side sends any twelve bytes twice, so none that could be looked up."""
    receiver, sender = PROTOCOLS[name]
    seen = []
    for _ in range(2):
        left, right = memory_link.pair()
        watched = Recording(left)
        run_pair(
            lambda channel: receiver(channel, ["only"]),
            lambda channel: sender(channel, ["only"]),
            links=lambda watched=watched, right=right: (watched, right),
        )
        seen.append({way: windows(sent) for way, sent in watched.strings.items()})
    for way in ("put", "get"):
        assert len(seen[0][way]) > 16
        assert not seen[0][way] & seen[1][way]


def test_counting_shuffles_both_ways(monkeypatch):
    """With a mask of one, what is sent would show the order of the file, or that of the values."""
    sent = {"left": [], "right": []}
    real = Channel.send

    def send(self, message):
        if isinstance(message, psi_sum_pb2.PsiSumMasked):
            points = columns.unpack(message.points, width=32, peer="")
            sent["right" if self.peer == "left" else "left"].append(points)
        real(self, message)

    monkeypatch.setattr(Channel, "send", send)
    monkeypatch.setattr(ristretto, "scalar", lambda rng: ristretto.scalars_of([1]))
    names = ids(0, 60)
    run_pair(
        lambda channel: psi_sum.receiver(channel, names, rng=seeded(1)),
        lambda channel: psi_sum.sender(channel, names, rng=seeded(2)),
    )
    plain = ristretto.encode(ristretto.hash_to_group(Items.of(names), psi_sum.LABEL))
    places = {row.tobytes(): place for place, row in enumerate(plain)}
    orders = []
    for side in ("left", "right"):
        orders.append([places[row.tobytes()] for row in np.concatenate(sent[side])])
        assert sorted(orders[-1]) == list(range(60))
        # Neither as in the file, nor by value: as many steps up as down, nearly.
        ups = int((np.diff(orders[-1]) > 0).sum())
        by_value = [row.tobytes() for row in np.concatenate(sent[side])]
        assert 15 < ups < 45
        assert 15 < sum(a < b for a, b in pairwise(by_value)) < 45
    assert orders[0] != orders[1]


@pytest.mark.parametrize("label", [psi_dh.LABEL, psi_sum.LABEL])
def test_no_bit_of_an_item_survives_its_mask(label, backend):
    """A digest taken as a coordinate is on the curve or on its twist, in the group of prime order
    or beside it, and stays so under any mask. Here every hash is of the group: its order annuls it,
    and so does that of whatever it is multiplied by."""
    points = ristretto.hash_to_group(Items.of(ids(0, 40)), label)
    order = ristretto.scalars_of([ristretto.ORDER - 1])
    for masked in (points, ristretto.mul(points, ristretto.scalar(seeded("mask")))):
        total = ristretto.mul(masked, order) + masked
        assert not ristretto.encode(total).any()
        assert len(ristretto.decode(ristretto.encode(masked))) == 40


def test_columns_of_other_types_end_the_run_on_both_sides():
    """Numbers against strings: the side with numbers says so, and the other does not wait."""
    for roles in (
        (partial(psi.receiver, items=[1, 2]), partial(psi.sender, items=["1", "2"])),
        (partial(psi.receiver, items=["1", "2"]), partial(psi.sender, items=np.arange(2))),
    ):
        with pytest.raises(DataError):
            run_pair(*roles, timeout=20)


# The transcripts change only with the protocols: then say why in the commit.

MALICIOUS = ((489457, 6), (9886, 5), 4)
BOTH = ((248439, 6), (9067, 3), 3)
TOTAL = ((510, 3), (10675, 4), 3)


def traffic(left, right):
    """Bytes and messages each way, and rounds. A digest would be that of one backend: stores are
    solved in another order by the other."""
    ends = [Traced(link) for link in memory_link.pair()]
    run_pair(left, right, links=lambda: ends)
    seen = ends[0].traffic
    return (
        (seen.sent_bytes, seen.sent_messages),
        (seen.received_bytes, seen.received_messages),
        seen.rounds,
    )


@pytest.mark.parametrize(
    ("options", "golden"),
    [({}, MALICIOUS), ({"security": "semi-honest", "to_both": True}, BOTH)],
    ids=["malicious", "semi-honest to both"],
)
def test_the_transcript(options, golden, backend):
    seen = traffic(
        lambda channel: psi.receiver(channel, ids(0, 90), rng=seeded("r"), **options),
        lambda channel: psi.sender(channel, ids(60, 150), rng=seeded("s"), **options),
    )
    assert seen == golden


def test_the_transcript_of_a_total(backend):
    key = keygen(512, allow_weak=True, rng=seeded("psi_sum"))[0]
    seen = traffic(
        lambda channel: psi_sum.receiver(channel, ids(0, 9), allow_weak=True, rng=seeded("r")),
        lambda channel: psi_sum.sender(channel, ids(6, 15), np.arange(9), key=key, rng=seeded("s")),
    )
    assert seen == TOTAL
