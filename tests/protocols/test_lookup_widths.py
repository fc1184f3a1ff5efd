# SPDX-License-Identifier: Apache-2.0
"""Private lookup of values of fewer than 8 bytes: the same answers, in fewer bytes."""

from __future__ import annotations

import numpy as np
import pytest
from lookup_runs import ids, opened, plain, run

from mpc.errors import ConfigError, EncodingOverflow, ParameterMismatch, ProtocolError
from mpc.net import memory
from mpc.net.traced import Traced
from mpc.pb.v1 import lookup_pb2 as pb
from mpc.protocols import lookup
from mpc.protocols.lookup import widths
from mpc.protocols.lookup.packing import Packing
from mpc.protocols.lookup.transfers import Receiver, Sender
from mpc.testing import run_pair, seeded

SESSION = bytes(range(32))


def bounds(octets):
    """The least and the largest value of so many bytes."""
    half = 2**63 if octets == 8 else 2 ** (8 * octets - 2)
    return -half, half - 1


def extremes(rows, columns, octets):
    """Values (rows, columns) of all of the range, its ends and neighbours of zero among them."""
    low, high = bounds(octets)
    values = np.random.default_rng(octets).integers(low, high, (rows, columns), endpoint=True)
    ends = np.array([low, high, low + 1, high - 1, 0, -1, 1])
    values.flat[: len(ends)] = ends[: values.size]
    return values


def check(keys, rows, values, octets, order):
    asked, held = run(keys, rows, values, value_bytes=octets, order=order)
    member, found = opened(asked, held)
    if order == "table":
        rest = np.delete(np.arange(len(member)), asked.places)
        assert not member[rest].any()
        assert not found[rest].any()
        member, found = member[asked.places], found[asked.places]
    listed, expected = plain(keys, rows, values)
    assert np.array_equal(member, listed)
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("order", ["keys", "table"])
@pytest.mark.parametrize("octets", range(1, 9))
def test_every_width_gives_what_a_dictionary_says(octets, order):
    check(ids(0, 41), ids(20, 81), extremes(61, 3, octets), octets, order)


@pytest.mark.parametrize("order", ["keys", "table"])
@pytest.mark.parametrize(
    ("count", "rows"), [(0, 0), (0, 3), (3, 0), (1, 1), (2, 1), (1, 2), (2, 5)]
)
def test_sizes(count, rows, order):
    check(ids(0, count), ids(count // 2, count // 2 + rows), extremes(rows, 2, 3), 3, order)


def test_over_many_parts_of_messages(monkeypatch):
    monkeypatch.setattr("mpc.protocols.lookup.transfers._PART", 50)
    monkeypatch.setattr("mpc.protocols.lookup.transfers.RUN", 700)
    check(ids(0, 300), ids(150, 450), extremes(300, 3, 4), 4, "keys")


def test_a_width_goes_with_fractions():
    values = [[1.5, -2.25], [0.125, -8192.0]]
    asked, held = run(ids(0, 3), ids(0, 2), values, fraction_bits=17, value_bytes=4)
    member, found = opened(asked, held)
    assert member.tolist() == [1, 1, 0]
    assert found.tolist() == [*values, [0, 0]]
    assert asked.values.fraction_bits == 17


@pytest.mark.parametrize("octets", range(1, 8))
def test_a_value_one_beyond_is_refused_before_anything_is_sent(octets):
    low, high = bounds(octets)
    for beyond in (low - 1, high + 1):
        values = np.zeros((3, 5), np.int64)
        values[1, 2] = values[2, 4] = beyond
        with pytest.raises(EncodingOverflow) as caught:
            lookup.holder(None, ids(0, 3), values, value_bytes=octets)
        assert f"columns 2, 4 need more than the {8 * octets - 1} bits" in str(caught.value)
        assert f"value_bytes={octets + 1} holds all" in str(caught.value)
        assert str(beyond) not in str(caught.value)


@pytest.mark.parametrize("octets", [0, 9, -1])
def test_a_width_that_no_value_has_is_refused_before_anything_is_sent(octets):
    with pytest.raises(ConfigError, match="1 to 8 bytes"):
        lookup.holder(None, ["a"], [1], value_bytes=octets)


def test_another_width_than_agreed_is_refused():
    with pytest.raises(ParameterMismatch, match="value_bytes"):
        run_pair(
            lambda channel: lookup.asker(channel, ["a"], value_bytes=4),
            lambda channel: lookup.holder(channel, ["a"], [1], value_bytes=8),
        )


def test_a_width_of_no_values_is_refused():
    def lying(channel):
        channel.exchange(
            pb.LookupOffer(role="holder", order="keys", count=1, value_bytes=4, nonce=bytes(32))
        )

    with pytest.raises(ProtocolError, match="malformed offer"):
        run_pair(lambda channel: lookup.asker(channel, ["a"]), lying)


@pytest.mark.parametrize("octets", range(1, 9))
@pytest.mark.parametrize("wide", [0, 1])
def test_packed_words_are_their_lowest_octets(octets, wide):
    packing = Packing(wide, 3, octets)
    words = np.random.default_rng(octets).integers(0, 2**64, (7, wide + 3), np.uint64)
    packed = packing.pack(words)
    expected = [
        b"".join(
            int(word).to_bytes(8, "little")[: 8 if place < wide else octets]
            for place, word in enumerate(row)
        )
        for row in words
    ]
    assert [row.tobytes() for row in packed] == expected
    assert packed.shape == (7, packing.width)
    kept = np.full(wide + 3, 2 ** (8 * octets) - 1, np.uint64)
    kept[:wide] = 2**64 - 1
    assert np.array_equal(packing.unpack(packed), words & kept)


def lifted(member, shares, octets):
    """What lifting makes of both parties' shares modulo 2^(8 octets)."""
    count = shares[0].size

    def asker(channel):
        transfers = Receiver(channel, count, SESSION, seeded("r"))
        return widths.lift(transfers.times, member[0], shares[0], octets)

    def holder(channel):
        transfers = Sender(channel, count, SESSION, seeded("s"))
        return widths.lift(transfers.times, member[1], shares[1], octets)

    return run_pair(asker, holder)


def test_lifting_is_exact_for_all_shares_of_all_values_of_a_byte():
    raised, first = np.meshgrid(np.arange(128, dtype=np.uint64), np.arange(256, dtype=np.uint64))
    second = (raised - first) & np.uint64(255)
    random = np.random.default_rng(5).integers(0, 2**64, (3, 256, 128), np.uint64)
    # What is above the lowest octet of a share says nothing.
    shares = [
        low | high << np.uint64(8) for low, high in zip((first, second), random, strict=False)
    ]
    member = random[2, :, 0], np.uint64(1) - random[2, :, 0]
    one, other = lifted(member, shares, 1)
    assert np.array_equal((one + other).view(np.int64), raised.view(np.int64) - 64)


@pytest.mark.parametrize("octets", range(2, 8))
def test_lifting_at_the_ends_of_the_range(octets):
    top, modulus = 2 ** (8 * octets - 1), 2 ** (8 * octets)
    values = np.array([0, 1, top // 2 - 1, top // 2, top - 2, top - 1], np.uint64)
    firsts = np.array([0, 1, top - 1, top, top + 1, modulus - 1], np.uint64)
    raised, first = np.meshgrid(values, firsts)
    second = (raised - first) & np.uint64(modulus - 1)
    member = np.ones(6, np.uint64), np.zeros(6, np.uint64)
    one, other = lifted(member, [first, second], octets)
    assert np.array_equal((one + other).view(np.int64), raised.view(np.int64) - top // 2)


def test_bytes_are_those_that_the_docstring_says():
    """Of widths beside one another: what both take besides is no part of the formula."""
    keys, rows, columns, bins = 600, 4000, 8, 780
    moved = {}
    for octets in (1, 7):
        left, right = (Traced(end) for end in memory.pair())
        values = extremes(rows, columns, octets)
        run(ids(0, keys), ids(0, rows), values, value_bytes=octets, links=lambda e=(left, right): e)
        moved[octets] = left.traffic.sent_bytes + left.traffic.received_bytes
    hints, order = 3.9 * rows * columns, bins * np.log2(bins) * columns
    step = hints + order + 2 * keys * columns - keys * columns
    assert moved[7] - moved[1] == pytest.approx(6 * step, rel=0.03)
