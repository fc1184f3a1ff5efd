# SPDX-License-Identifier: Apache-2.0
"""Counts and totals over an intersection, against Python sets, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from mpc.errors import ConfigError, DataError, ParameterMismatch, ProtocolError
from mpc.net import columns
from mpc.net.channel import Channel
from mpc.pb.v1 import psi_sum_pb2 as pb
from mpc.primitives.paillier import keygen
from mpc.protocols import psi, psi_sum
from mpc.protocols.psi_sum import Aggregate
from mpc.testing import run_pair, seeded


@pytest.fixture(scope="module")
def key():
    return keygen(512, allow_weak=True, rng=seeded("psi_sum"))[0]


def ids(start, stop):
    return [f"company {number}" for number in range(start, stop)]


def counted(left, right, values=None, **options):
    return run_pair(
        lambda channel: psi_sum.receiver(channel, left, allow_weak=True, rng=seeded(1)),
        lambda channel: psi_sum.sender(channel, right, values, rng=seeded(2), **options),
    )


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (ids(0, 0), ids(0, 0)),
        (ids(0, 0), ids(0, 3)),
        (ids(0, 3), ids(0, 0)),
        (ids(0, 1), ids(0, 1)),
        (ids(0, 40), ids(30, 90)),
        (ids(0, 40), ids(40, 60)),
    ],
)
def test_cardinality(left, right):
    count = len(set(left) & set(right))
    assert counted(left, right) == (Aggregate(count, None), len(left))


def cardinality(left, right, **options):
    options = {"security": "semi-honest", "cardinality_only": True, **options}
    return run_pair(
        lambda channel: psi.receiver(channel, left, rng=seeded(1), **options),
        lambda channel: psi.sender(channel, right, rng=seeded(2), **options),
    )


def test_cardinality_as_a_flag_of_the_intersection():
    count, rows = cardinality(ids(0, 40), ids(30, 90))
    assert (count, rows.tolist()) == (10, [])
    twice = ids(0, 4) * 2
    assert cardinality(twice, twice[::-1], duplicates="first")[0] == 4
    with pytest.raises(DataError, match="4 of 8 items repeat an earlier one"):
        cardinality(twice, ids(0, 1))


def test_of_items_that_occur_twice_the_first_counts_on_request(key):
    mine, theirs = ["b", "a", "b"], ["a", "x", "a", "b", "a"]
    values = np.array([1, 2, 4, 8, 16])

    def total(left="first", right="first"):
        return run_pair(
            lambda channel: psi_sum.receiver(channel, mine, duplicates=left, allow_weak=True),
            lambda channel: psi_sum.sender(channel, theirs, values, key=key, duplicates=right),
        )

    assert total() == (Aggregate(2, 9), 2)
    for sides in (("error", "first"), ("first", "error")):
        with pytest.raises(DataError, match="repeat an earlier one"):
            total(*sides)
    with pytest.raises(ConfigError, match="duplicates is error or first, not 'last'"):
        total("last")
    with pytest.raises(ConfigError, match=r"values of shape \(3,\) for 5 items"):
        psi_sum.sender(None, theirs, values[:3], key=key, duplicates="first")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"security": "malicious"}, "say so with security='semi-honest'"),
        ({"to_both": True}, "neither to_both"),
        ({"pad_to": 100}, "pad_to"),
        ({"progress": psi.Progress()}, "nor progress"),
    ],
)
@pytest.mark.parametrize("role", [psi.receiver, psi.sender])
def test_what_cardinality_does_not_give_is_refused_before_anything_is_sent(role, options, message):
    options = {"security": "semi-honest", "cardinality_only": True, **options}
    with pytest.raises(ConfigError, match=message):
        role(None, ["a"], **options)


def test_one_side_that_wants_rows_and_one_that_gives_a_count():
    with pytest.raises(ProtocolError, match=r"expected mpc\.v1\.(Intersect|PsiSum)Offer"):
        run_pair(
            lambda channel: psi.receiver(channel, ["a"], security="semi-honest"),
            lambda channel: psi.sender(
                channel, ["a"], security="semi-honest", cardinality_only=True
            ),
        )


@pytest.mark.parametrize("block", [4, 7, 1000])
def test_totals(key, block, monkeypatch):
    monkeypatch.setattr(psi_sum, "BLOCK", block)
    values = np.arange(-10, 20, dtype=np.int64) * 10**12
    aggregate, _ = counted(ids(0, 25), ids(10, 40), values, key=key)
    assert aggregate == Aggregate(15, sum(values[:15].tolist()))


def test_totals_of_nothing_and_of_fractions(key):
    assert counted(ids(0, 5), ids(5, 9), np.ones(4, np.int64), key=key)[0] == Aggregate(0, 0)
    values = np.array([0.5, -1.25, 3.0])
    aggregate, _ = counted(ids(0, 2), ids(0, 3), values, key=key, fraction_bits=8)
    assert aggregate == Aggregate(2, -0.75)


def test_the_total_leaves_under_a_uniform_mask(key, monkeypatch):
    """What the sender decrypts has nothing of the total, and differs every time."""
    seen = []
    real = type(key).decrypt_residues

    def decrypt(self, ciphertexts):
        seen.append(real(self, ciphertexts)[0])
        return [seen[-1]]

    monkeypatch.setattr(type(key), "decrypt_residues", decrypt)
    for seed in range(2):
        run_pair(
            lambda channel, seed=seed: psi_sum.receiver(
                channel, ids(0, 3), allow_weak=True, rng=seeded(f"mask{seed}")
            ),
            lambda channel: psi_sum.sender(channel, ids(0, 3), [1, 2, 3], key=key),
        )
    assert seen[0] != seen[1]
    assert min(seen).bit_length() > 400


def test_tags_come_back_in_an_order_of_their_own(monkeypatch):
    sent = []
    real = Channel.send

    def send(self, message):
        if isinstance(message, pb.PsiSumTags):
            sent.append(columns.unpack(message.tags, width=16, peer="").view("<u8"))
        real(self, message)

    monkeypatch.setattr(Channel, "send", send)
    counted(ids(0, 50), ids(0, 10))
    tags = np.concatenate(sent)
    assert len(tags) == 50
    assert np.array_equal(tags[:, 0], np.sort(tags[:, 0]))


def test_values_and_keys_come_together(key):
    with pytest.raises(ConfigError, match="need a key"):
        psi_sum.sender(None, ["a"], [1])
    with pytest.raises(ConfigError, match="needs values"):
        psi_sum.sender(None, ["a"], key=key)
    with pytest.raises(ConfigError, match="shape"):
        psi_sum.sender(None, ["a"], [1, 2], key=key)


def test_duplicates_and_equal_roles_are_refused():
    with pytest.raises(DataError, match="repeat"):
        psi_sum.receiver(None, ["a", "a"])
    with pytest.raises(ParameterMismatch, match="role"):
        run_pair(
            lambda channel: psi_sum.receiver(channel, ["a"]),
            lambda channel: psi_sum.receiver(channel, ["a"]),
        )


def test_a_weak_key_is_refused(key):
    with pytest.raises(ProtocolError, match="its key"):
        run_pair(
            lambda channel: psi_sum.receiver(channel, ["a"]),
            lambda channel: psi_sum.sender(channel, ["a"], [1], key=key),
        )


def rewriting(monkeypatch, kind, change):
    real = Channel.send

    def send(self, message):
        if isinstance(message, kind):
            change(message)
        real(self, message)

    monkeypatch.setattr(Channel, "send", send)


@pytest.mark.parametrize(
    ("kind", "change", "match"),
    [
        (pb.PsiSumOffer, lambda m: setattr(m, "fraction_bits", 99), "fractional"),
        (pb.PsiSumOffer, lambda m: setattr(m, "count", 1 << 63), "announces 9223372036854775808"),
        (
            pb.PsiSumMasked,
            lambda m: setattr(m.points, "data", b"\xff" * 32 * m.points.count),
            "masked",
        ),
        (pb.PsiSumMasked, lambda m: m.ClearField("values"), "elements"),
        (pb.PsiSumTags, lambda m: setattr(m.tags, "data", m.tags.data[::-1]), "ascending"),
        (pb.PsiSumTotal, lambda m: setattr(m.total, "count", 2), "announced"),
    ],
)
def test_wrong_messages_are_refused(key, monkeypatch, kind, change, match):
    rewriting(monkeypatch, kind, change)
    with pytest.raises(ProtocolError, match=match):
        counted(ids(0, 5), ids(0, 6), np.arange(6), key=key)
