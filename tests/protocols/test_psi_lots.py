# SPDX-License-Identifier: Apache-2.0
"""Tags that go in lots, where many answer a small store: drawn at random, and all of them."""

from __future__ import annotations

import numpy as np
import pytest
from psi_runs import Counting, expected, ids
from tampering import Tampering

from mpc.errors import ProtocolError
from mpc.kernels import matching
from mpc.net import columns
from mpc.net import memory as memory_link
from mpc.pb.v1 import rr22_pb2 as pb
from mpc.primitives import okvs
from mpc.protocols import psi
from mpc.protocols.psi import wire
from mpc.testing import run_pair, seeded

PIECE = 64
POSITIONS = matching.positions
FORMS = ["malicious", "semi-honest"]


@pytest.fixture(autouse=True)
def small_lots(monkeypatch):
    monkeypatch.setattr(wire, "_PIECE", PIECE)


class Watching(Counting):
    """Keeps the tags of each message that comes in."""

    def get(self, timeout=None):
        frame = bytes(super().get(timeout))
        name = b"mpc.v1.IntersectTags"
        if name in frame[:40]:
            tags = pb.IntersectTags.FromString(frame[2 + len(name) :]).tags
            width = len(tags.data) // max(1, tags.count)
            self.lots.append(columns.unpack(tags, width=width, peer="") if tags.count else None)
        return frame


def watched(left, right, seed=0, **options):
    """What both sides find, and the lots as they come."""
    one, other = memory_link.pair()
    link = Watching(one, [])
    link.lots = []
    found = run_pair(
        lambda channel: psi.receiver(channel, left, rng=seeded(f"r{seed}"), **options),
        lambda channel: psi.sender(channel, right, rng=seeded(f"s{seed}"), **options),
        links=lambda: (link, other),
    )
    return found, link.lots


@pytest.mark.parametrize("security", FORMS)
@pytest.mark.parametrize("to_both", [False, True])
def test_all_lots_together_answer(security, to_both):
    left, right = ids(900, 1000), ids(0, 950)[::-1]
    (found, theirs), lots = watched(left, right, security=security, to_both=to_both)
    assert found.tolist() == expected(left, right)
    assert theirs.tolist() == (expected(right, left) if to_both else [])
    assert len(lots) == -(-len(right) // PIECE)
    assert sum(len(lot) for lot in lots) == len(right)


@pytest.mark.parametrize("security", FORMS)
def test_padding_goes_in_lots_too(security):
    """Which are then of the bound's size, whatever the number of items."""
    sizes = []
    for count in (1, 700):
        right = ids(5, 5 + count)
        options = {"security": security, "pad_to": 1000}
        (found, _), lots = watched(ids(0, 10), right, **options)
        assert found.tolist() == expected(ids(0, 10), right)
        sizes.append([len(lot) for lot in lots])
    assert sizes[0] == sizes[1]
    assert sum(sizes[0]) == 1000


def test_an_item_is_in_any_lot():
    """Wherever it stands in its owner's set, and whatever the key: the first, one in the middle and
    the last are in each of ten lots equally often, by chi-square over seeds."""
    right = ids(0, 600)
    hits = np.zeros((10, 3))
    for seed in range(30):
        found_in = []

        def look(needles, haystack, found_in=found_in):
            places = POSITIONS(needles, haystack)
            found_in.append(places >= 0)
            return places

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(matching, "positions", look)
            (found, _), _ = watched([right[0], right[299], right[-1]], right, seed)
        assert found.tolist() == [0, 1, 2]
        hits += np.array(found_in)
    assert np.all(hits.sum(axis=0) == 30)
    # Nine degrees of freedom: above 40 once in a hundred thousand.
    assert np.all(((hits - 3) ** 2 / 3).sum(axis=0) < 40)


@pytest.mark.parametrize("change", ["fewer", "more", "disordered", "wide"])
def test_lots_that_are_not_what_was_agreed_are_refused(change):
    def spoil(message):
        tags = np.frombuffer(message.tags.data, np.uint8).reshape(-1, 16)
        changed = {
            "fewer": tags[1:],
            "more": np.concatenate([tags, tags[-1:]]),
            "disordered": tags[::-1],
            "wide": tags.reshape(-1)[: len(tags) // 2 * 32].reshape(-1, 32),
        }[change]
        message.tags.CopyFrom(pb.IntersectTags(tags=columns.pack(changed.copy())).tags)

    with pytest.raises(ProtocolError):
        run_pair(
            lambda channel: psi.receiver(channel, ids(0, 10)),
            lambda channel: psi.sender(Tampering(channel, {pb.IntersectTags: spoil}), ids(0, 500)),
        )


def test_a_store_of_several_parts_is_answered_in_one_lot(monkeypatch):
    monkeypatch.setattr(okvs, "_CLUSTER", 1 << 9)
    left, right = ids(0, 2000), ids(1500, 3500)
    (found, _), lots = watched(left, right)
    assert found.tolist() == expected(left, right)
    together = np.concatenate(lots).view("<u8")
    assert matching.ascending(together)
