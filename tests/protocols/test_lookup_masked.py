# SPDX-License-Identifier: Apache-2.0
"""Lookups whose rows are sent once, under masks: the right shares, and noise to whoever looks.

Small tables are looked up by bins; here they are not, but for the test of which form is taken.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict

import numpy as np
import pytest
from lookup_runs import assert_named, change_sent, cut, even, ids, opened, plain, run, table

from mpc import kernels
from mpc.errors import ProtocolError
from mpc.net import memory
from mpc.net.channel import Channel
from mpc.net.traced import Traced
from mpc.pb.v1 import lookup_pb2 as pb
from mpc.primitives import lwr, rlwe
from mpc.primitives.rng import uint64
from mpc.protocols import lookup
from mpc.protocols.lookup import masked, transfers
from mpc.protocols.lookup.sizes import MOST_BLOCKS, Sizes
from mpc.testing import run_pair, seeded
from tests.protocols.test_stages import stages

GOLDEN = "ea536bbfa82291609f27edc88db02ee3530fb186a37d2f96fb8daefd99f4659b"

BACKENDS = ["portable"] + (["simd"] if kernels.backend() == "simd" else [])


@pytest.fixture
def small(monkeypatch):
    """Small tables are masked, too."""
    monkeypatch.setattr(Sizes, "_by_bins", lambda self: 1 << 60)


def check(keys, rows, values, **options):
    asked, held = run(keys, rows, values, **options)
    member, found = opened(asked, held)
    listed, expected = plain(keys, rows, values)
    assert np.array_equal(member, listed)
    assert np.array_equal(found, expected)
    assert asked.places is held.places is None
    return asked, held


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("count", "rows"), [(0, 3), (3, 0), (1, 1), (2, 1), (1, 2), (7, 40), (101, 33), (456, 60)]
)
def test_sizes(count, rows):
    check(ids(0, count), ids(count // 2, count // 2 + rows), table(rows, 3))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("octets", range(1, 9))
def test_every_width(octets):
    values = table(40, 2) >> (64 - 8 * octets + (octets < 8))
    values[0], values[1] = values.min(), values.max()
    check(ids(0, 30), ids(10, 50), values, value_bytes=octets)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("columns", "octets"), [(8, 8), (9, 8), (40, 5), (17, 1)])
def test_rows_of_more_than_one_input_of_masks(columns, octets):
    values = table(30, columns) >> (64 - 8 * octets + (octets < 8))
    check(ids(0, 20), ids(10, 40), values, value_bytes=octets)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("rows", [ids(0, 30), ids(30, 60)], ids=["all", "none"])
def test_all_and_none_present(rows):
    check(ids(0, 30), rows, table(30, 4))


@pytest.mark.usefixtures("small")
def test_keys_that_differ_in_one_bit_are_different():
    keys = [bytes([1 << bit]) + bytes(15) for bit in range(8)]
    keys += [bytes(15) + bytes([1 << bit]) for bit in range(8)]
    check(keys, [bytes(16), *keys[::2]], table(9, 2))


@pytest.mark.usefixtures("small")
def test_values_with_fractions():
    asked, held = run(ids(0, 4), ids(2, 5), [1.5, -2.25, 3.0], fraction_bits=20)
    assert opened(asked, held)[1].tolist() == [[0], [0], [1.5], [-2.25]]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("backend", BACKENDS)
def test_on_both_kernels(backend):
    with kernels.use(backend):
        check(ids(0, 6), ids(3, 12), table(9, 3))


@pytest.mark.usefixtures("small")
def test_in_many_messages_and_runs_of_transfers(monkeypatch):
    """More answers than an asker has ready before it reads the store, a store in parts."""
    for name, value in (("_BLOCKS", 1), ("_AHEAD", 2), ("_ROWS", 100), ("_STORED", 2000)):
        monkeypatch.setattr(masked, name, value)
    monkeypatch.setattr(transfers, "RUN", 5_000)
    check(ids(0, 1800), ids(900, 1300), table(400, 1))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("octets", [8, 2])
@pytest.mark.parametrize("start", [0, 200, 400])
def test_views_are_uniform_whatever_is_in_the_table(start, octets, monkeypatch):
    sent, seen = defaultdict(bytes), {}
    real, decoded, answered = Channel.send, masked._stored, masked._answered

    def send(self, message):
        match message:
            case pb.LookupHint():
                rows = np.frombuffer(message.values.data, np.uint8)
                # What is past a row's last piece is zeros.
                sent[pb.LookupHint] += rows.reshape(-1, message.values.width)[:, :-1].tobytes()
            case pb.LookupSecret() | pb.LookupMasked():
                column = message.ListFields()[-1][1]
                sent[type(message)] += column.data[:60_000]
            case pb.LookupFactors():
                sent[pb.LookupFactors] += message.words.data
        real(self, message)

    def keep(name, made):
        seen[name] = made
        return made

    monkeypatch.setattr(Channel, "send", send)
    monkeypatch.setattr(masked, "_stored", lambda *args: keep("row", decoded(*args)))
    monkeypatch.setattr(masked, "_answered", lambda *args: keep("slots", answered(*args)))
    # The keys are much alike, and all values are the same.
    values = np.full((400, 3), 7)
    asked, held = run(ids(0, 400), ids(start, start + 400), values, value_bytes=octets)
    for side in (asked, held):
        assert even(side.member.words.tobytes())
        assert even(side.values.words.tobytes())
    assert [kind.DESCRIPTOR.name for kind, data in sent.items() if not even(data)] == []
    assert len(sent) == 4
    # The asker's: a store decodes to noise, at keys that are in it too.
    present = np.arange(400) >= start
    for some in (present, ~present):
        if some.any():
            rows = seen["row"][some].view(np.uint8)
            assert even(rows[:, : masked.Pieces(3, octets).width - 1].tobytes())
    # The holder's: sums under masks, uniform modulo each prime.
    for residues, modulus in zip(seen["slots"][0], rlwe.T, strict=True):
        part = residues[: 400 * lwr.SIZE].astype(np.uint64) * np.uint64(256) // np.uint64(modulus)
        assert even(part.astype(np.uint8).tobytes())


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("columns", "octets"), [(8, 8), (3, 2), (1, 4), (9, 7), (1, 3)])
def test_no_bit_of_a_store_tells_its_keys_from_others(columns, octets, monkeypatch):
    decoded, rows = masked._stored, []

    def keep(*args):
        rows.append(decoded(*args))
        return rows[0]

    monkeypatch.setattr(masked, "_stored", keep)
    values = np.full((200, columns), 7)
    run(ids(0, 400), ids(200, 400), values, value_bytes=octets)
    width = masked.Pieces(columns, octets).width
    bits = np.unpackbits(rows[0].view(np.uint8)[:, :width], axis=1, bitorder="little")
    used = sum(masked.Pieces(columns, octets).bits)
    assert not bits[:, used:].any()
    for part in (bits[:200, :used], bits[200:, :used]):
        # Six standard deviations.
        assert np.abs(part.mean(axis=0) - 0.5).max() < 6 / np.sqrt(4 * 200)


@pytest.mark.usefixtures("small")
def test_answers_are_hidden_for_all_that_a_run_has_of_them(monkeypatch):
    real, read = masked._secret, []

    def keep(*args):
        read.append(real(*args))
        return read[0]

    monkeypatch.setattr(masked, "_secret", keep)
    # Nine columns take two inputs each, and 455 fit an answer.
    run(ids(0, 230), ids(0, 9), table(9, 9))
    assert read[0].budget == rlwe.Budget.of(lwr.RANK, 2)


@pytest.mark.usefixtures("small")
def test_what_is_sent_has_the_same_sizes_whatever_is_in_the_table():
    sizes = []
    for start in (0, 20, 40):
        left, right = (Traced(end) for end in memory.pair())
        ends = (left, right)
        run(ids(0, 40), ids(start, start + 40), table(40, 2), links=lambda ends=ends: ends)
        sizes.append((left.traffic.sent_bytes, left.traffic.received_bytes, left.traffic.rounds))
    assert sizes[0] == sizes[1] == sizes[2]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("refuses", ["asker", "holder"])
def test_either_side_may_refuse_masks(refuses, monkeypatch):
    monkeypatch.setattr(masked, "asker", None)
    values = table(5, 1)
    asked, held = run_pair(
        lambda channel: lookup.asker(channel, ids(0, 4), masks=refuses != "asker"),
        lambda channel: lookup.holder(channel, ids(2, 7), values, masks=refuses != "holder"),
    )
    assert np.array_equal(opened(asked, held)[1], plain(ids(0, 4), ids(2, 7), values)[1])


@pytest.mark.usefixtures("small")
def test_stages():
    _, at = stages(lambda: run(ids(0, 4), ids(2, 7), table(5, 1)))
    every = {"layout", "secret", "store", "products", "pieces", "bases", "equality", "selection"}
    assert at["left"] == every
    assert at["right"] == every | {"masks"}


@pytest.mark.usefixtures("small")
def test_shares_are_new_in_every_run():
    one, two = (run(ids(0, 4), ids(0, 4), table(4, 1), seed=seed) for seed in range(2))
    for first, second in zip(one, two, strict=True):
        assert not np.any(first.member.words == second.member.words)
        assert not np.any(first.values.words == second.values.words)


@pytest.mark.usefixtures("small")
def test_keys_and_seeds_are_new_in_every_run(monkeypatch):
    real, answered, hidden = Channel.send, masked._answered, masked._masked
    seeds, keys, secrets = [], [], []

    def send(self, message):
        match message:
            case pb.LookupLayout():
                seeds.append(message.key)
            case pb.LookupSecret() | pb.LookupHintSeed():
                seeds.append(message.seed)
        real(self, message)

    def keep(channel, key, inputs):
        keys.append(key._secret)
        return answered(channel, key, inputs)

    def hide(*args):
        secrets.append(args[3].residues)
        return hidden(*args)

    monkeypatch.setattr(Channel, "send", send)
    monkeypatch.setattr(masked, "_masked", hide)
    monkeypatch.setattr(masked, "_answered", keep)
    for seed in range(2):
        run(ids(0, 4), ids(0, 4), table(4, 1), seed=seed)
    assert len(set(seeds)) == 6
    assert [np.unique(key).tolist() for key in keys] == 2 * [[-1, 0, 1]]
    assert not np.array_equal(*keys)
    # Of 2880 residues of 23 bits few are equal.
    assert not np.array_equal(*secrets)
    assert all(len(np.unique(secret)) > 2800 for secret in secrets)


@pytest.mark.parametrize("columns", [8, 9, 40])
def test_no_two_inputs_of_masks_are_the_same(columns):
    pieces, digests = masked.Pieces(columns, 8), uint64(seeded("inputs"), (50, 4))
    inputs = masked._inputs(digests, pieces)
    assert np.array_equal(inputs[:50], digests[:, :2])
    assert len(np.unique(inputs, axis=0)) == len(inputs) == 50 * pieces.masks


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("victim", "kind", "after"),
    [
        ("asker", pb.LookupLayout, 0),
        ("holder", pb.LookupSecret, 0),
        ("holder", pb.LookupHintSeed, 0),
        ("holder", pb.LookupHint, 0),
        ("asker", pb.LookupMasked, 0),
        ("asker", pb.LookupFlips, 0),
        ("holder", pb.LookupFactors, 0),
        ("holder", pb.LookupTables, 0),
        ("asker", pb.LookupFactors, 0),
    ],
)
def test_a_peer_that_dies_at_any_stage_is_named(victim, kind, after):
    assert_named(victim, kind, after, ids(4, 20), table(16, 2))


def full(name):
    """All bits of a column are ones, and so beyond every prime."""

    def change(message):
        column = getattr(message, name)
        column.data = b"\xff" * len(column.data)

    return change


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("kind", "change", "match"),
    [
        (pb.LookupLayout, lambda m: setattr(m, "key", b""), "layout"),
        (pb.LookupLayout, lambda m: setattr(m, "seed", bytes(16)), "layout"),
        (pb.LookupSecret, lambda m: setattr(m, "seed", b""), "secret that is none: a seed has"),
        (pb.LookupSecret, cut("polynomials"), "expected"),
        (pb.LookupSecret, full("polynomials"), "secret that is none"),
        (pb.LookupHintSeed, lambda m: setattr(m, "seed", b""), "seed"),
        (pb.LookupHint, cut("values"), "expected"),
        (pb.LookupHint, lambda m: setattr(m.values, "width", 8), "expected"),
        (pb.LookupMasked, cut("answers"), "expected"),
        (pb.LookupMasked, full("answers"), "answer that is none"),
    ],
)
def test_malformed_messages_are_refused(kind, change, match, monkeypatch):
    change_sent(monkeypatch, kind, change)
    with pytest.raises(ProtocolError, match=match):
        run(ids(0, 9), ids(4, 20), table(16, 2))


@pytest.mark.parametrize(
    ("keys", "rows", "columns", "octets", "ordered", "once"),
    [
        (1 << 16, 1 << 20, 8, 8, True, True),
        (1000, 1 << 20, 8, 8, True, True),
        (1 << 16, 1 << 20, 8, 8, False, False),
        (1 << 20, 1 << 20, 0, 8, True, False),
        (1000, 20_000, 8, 4, True, False),
        (0, 1 << 20, 8, 8, True, False),
        (1 << 20, 1 << 24, 8, 8, True, False),
        (1 << 16, 1 << 25, 8, 8, True, True),
        # What an asker would have to hold.
        (1 << 16, 1 << 28, 256, 8, True, False),
    ],
)
def test_the_form_that_takes_fewer_bytes(keys, rows, columns, octets, ordered, once):
    assert Sizes(keys, rows, columns, octets, ordered, True, b"").masked is once
    assert not Sizes(keys, rows, columns, octets, ordered, False, b"").masked


def test_the_most_blocks_can_be_hidden_and_both_sides_have_the_same_moduli():
    assert rlwe.Budget.of(lwr.RANK, MOST_BLOCKS).final > 0
    assert rlwe.T == lwr.MODULI


@pytest.mark.usefixtures("small")
def test_bytes_are_as_they_are_counted():
    left, right = (Traced(end) for end in memory.pair())
    run(ids(0, 500), ids(0, 2000), table(2000, 8), links=lambda: (left, right))
    counted = Sizes(500, 2000, 8, 8, True, True, b"")._by_masks()
    seen = left.traffic.sent_bytes + left.traffic.received_bytes
    # What both forms take is not counted: equality, selection, silent transfers.
    assert counted < seen < counted + 2_000_000


@pytest.mark.usefixtures("small")
def test_the_golden_transcript():
    """Changes only in a commit that says why. Both backends send the same."""
    left, right = (Traced(end) for end in memory.pair())
    run(ids(0, 20), ids(10, 40), table(30, 2), links=lambda: (left, right))
    seen = left.traffic
    assert (seen.sent_bytes, seen.received_bytes, seen.rounds) == (171_278, 14_460_800, 14)
    assert hashlib.sha256(left.digest() + right.digest()).hexdigest() == GOLDEN
