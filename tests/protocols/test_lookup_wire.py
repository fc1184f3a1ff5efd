# SPDX-License-Identifier: Apache-2.0
"""What a private lookup shows on the wire, and what happens when a peer dies or sends nonsense."""

from __future__ import annotations

import hashlib
from collections import defaultdict

import numpy as np
import pytest
from lookup_runs import assert_named, change_sent, cut, even, ids, run, secrets_of, table

from mpc import kernels
from mpc.errors import ProtocolError
from mpc.net import memory
from mpc.net.channel import Channel
from mpc.net.traced import Traced
from mpc.pb.v1 import lookup_pb2 as pb
from mpc.primitives import cuckoo, okvs
from mpc.protocols import lookup
from mpc.protocols.lookup import function, programmed
from mpc.protocols.lookup.packing import Packing
from mpc.testing import run_pair, seeded

# Bytes there and back, rounds, and the digest of all that passed. Of the solutions that a store or
# a table has, the kernels find others: they peel keys off in another order.
GOLDEN = {
    "simd": {
        (0, 8): "911e9741e30a333e492efa3424136bbb803a164107f8289c73e83742992f6225",
        (2, 8): "7bc40126eeb02cf8493819cfb2267b5d4abb988b86f8cf457bc1f090eeb5e20d",
        (2, 3): "51cc5d6eae93ba0b836b6f01d1905571ecd7a258d846822579e845d45efa735c",
    },
    "portable": {
        (0, 8): "2f219de5ddd63b56300be401a9e3f50db4985463b6321d6ab01b1ade01a879b1",
        (2, 8): "49b1330dfbdef55d9c11a427c9061ab39945bcfff30f0b5516ea6435e83102d1",
        (2, 3): "3153da803f54c6b5ffe37d88c2c9080f3a0fe4f0863d57940ed2dcf3170603f1",
    },
}


@pytest.mark.parametrize(
    ("start", "octets"), [(0, 8), (500, 8), (1000, 8), (0, 2), (500, 2), (1000, 2)]
)
def test_views_are_uniform_whatever_is_in_the_table(start, octets, monkeypatch):
    sent, decoded = defaultdict(bytes), []
    real, words = Channel.send, programmed.asker

    def send(self, message):
        sent[type(message)] += secrets_of(message)
        real(self, message)

    def keep(*args):
        word, held = words(*args)
        decoded.append((args[2], np.concatenate([word[:, None], held], axis=1)))
        return word, held

    monkeypatch.setattr(Channel, "send", send)
    monkeypatch.setattr(programmed, "asker", keep)
    # The keys are much alike, and all values are the same.
    values = np.full((1000, 3), 7)
    asked, held = run(ids(0, 1000), ids(start, start + 1000), values, value_bytes=octets)
    kinds = {kind for kind, data in sent.items() if data}
    assert kinds == {
        pb.LookupStore,
        pb.LookupHint,
        pb.LookupChoices,
        pb.LookupTables,
        pb.LookupFlips,
        pb.LookupFactors,
    }
    assert [kind.DESCRIPTOR.name for kind in kinds if not even(sent[kind])] == []
    ((cuckoo_table, view),) = decoded
    present = cuckoo_table.places[start:]
    for rows in (present, np.delete(np.arange(len(view)), present)):
        if len(rows) > 200:
            assert even(Packing(1, 3, octets).pack(view[rows]))
    for side in (asked, held):
        assert even(side.member.words.tobytes())
        assert even(side.values.words.tobytes())


def test_a_curious_asker_gets_nothing_of_the_other_bins_of_its_keys(monkeypatch):
    """With all it saw it decodes each key for all of its bins: what two keys of the table both
    gave for one bin would say that they are in it. Only the bin a key stands in gives anything."""
    seen = {}
    real = {
        "asker": programmed.asker,
        "holder": programmed.holder,
        "vole": function.vole.receiver,
    }
    hints, receive = [], Channel.recv

    def asker(channel, digests, table, sizes, seed, rng):
        seen.update(digests=digests, table=table, sizes=sizes, seed=seed)
        return real["asker"](channel, digests, table, sizes, seed, rng)

    def holder(*args):
        seen["targets"], masks = real["holder"](*args)
        return seen["targets"], masks

    def receiver(*args, **options):
        out = real["vole"](*args, **options)
        seen.setdefault("c", out[1])
        return out

    def recv(self, kind):
        message = receive(self, kind)
        if kind in (pb.LookupHint, pb.LookupHintSeed):
            hints.append(message)
        return message

    monkeypatch.setattr(programmed, "asker", asker)
    monkeypatch.setattr(programmed, "holder", holder)
    monkeypatch.setattr(function.vole, "receiver", receiver)
    monkeypatch.setattr(Channel, "recv", recv)
    run(ids(0, 200), ids(0, 300), table(300, 1))

    digests, cuckoo_table, sizes = seen["digests"], seen["table"], seen["sizes"]
    candidates = cuckoo.positions(digests, cuckoo_table.seed, sizes.bins)
    for choice in range(3):
        points = programmed._points(digests, choice, sizes)
        rows = okvs.Rows.of(points[:, 2:], seen["seed"], okvs.Parameters.of(sizes.keys))
        values = np.empty((len(points), 2), np.uint64)
        values[rows.order] = rows.decode(seen["c"])
        hashed = programmed._hashed(values, points, sizes)
        seed, store = hints[2 * choice].seed, hints[2 * choice + 1].values
        held = np.frombuffer(store.data, np.uint64).reshape(store.count, -1)
        rows = okvs.Rows.of(hashed[:, :2], seed, okvs.Parameters.of(sizes.rows))
        tags = np.empty(len(points), np.uint64)
        tags[rows.order] = rows.decode(held[:, :1].copy())[:, 0]
        tags ^= programmed.expanded(hashed[:, 2:], 2, sizes.session)[:, 0]
        hits = tags == seen["targets"][candidates[:, choice]]
        assert np.array_equal(hits, cuckoo_table.choices == choice)


@pytest.mark.parametrize("order", ["keys", "table"])
def test_what_is_sent_has_the_same_sizes_whatever_is_in_the_table(order):
    sizes = []
    for start in (0, 20, 40):
        left, right = (Traced(end) for end in memory.pair())
        run(
            ids(0, 40),
            ids(start, start + 40),
            table(40, 2),
            order=order,
            links=lambda ends=(left, right): ends,
        )
        sizes.append((left.traffic.sent_bytes, left.traffic.received_bytes, left.traffic.rounds))
    assert sizes[0] == sizes[1] == sizes[2]


def test_shares_are_new_in_every_run():
    one, two = (run(ids(0, 4), ids(0, 4), table(4, 1), seed=seed) for seed in range(2))
    for first, second in zip(one, two, strict=True):
        assert not np.any(first.member.words == second.member.words)
        assert not np.any(first.values.words == second.values.words)


# Products with the asker's shares, an order by switches, lifting: there are none without values.
ABSENT = {
    ("asker", pb.LookupFactors, 0),
    ("holder", pb.LookupFlips, 0),
    ("asker", pb.LookupFlips, 1),
    ("asker", pb.LookupFlips, 2),
    ("holder", pb.LookupFactors, 14),
}


@pytest.mark.parametrize(
    ("victim", "kind", "after"),
    [
        ("asker", pb.LookupOffer, 0),
        ("asker", pb.LookupLayout, 0),
        ("asker", pb.LookupStore, 0),
        ("asker", pb.LookupChoices, 0),
        ("asker", pb.LookupChoices, 2),
        ("asker", pb.LookupFlips, 0),
        ("asker", pb.LookupFlips, 1),
        ("asker", pb.LookupFlips, 2),
        ("asker", pb.LookupFactors, 0),
        ("holder", pb.LookupOffer, 0),
        ("holder", pb.LookupHintSeed, 0),
        ("holder", pb.LookupHint, 2),
        ("holder", pb.LookupTables, 0),
        ("holder", pb.LookupTables, 2),
        ("holder", pb.LookupFactors, 0),
        ("holder", pb.LookupFactors, 14),
        ("holder", pb.LookupFlips, 0),
    ],
)
@pytest.mark.parametrize("columns", [0, 2])
def test_a_peer_that_dies_at_any_stage_is_named(victim, kind, after, columns):
    if not columns and (victim, kind, after) in ABSENT:
        pytest.skip("membership alone has no such message")
    values = table(16, columns) >> 40
    assert_named(victim, kind, after, ids(4, 20), values, value_bytes=4)


@pytest.mark.parametrize(
    ("kind", "change", "match"),
    [
        (pb.LookupOffer, lambda m: setattr(m, "role", "asker"), "part"),
        (pb.LookupOffer, lambda m: setattr(m, "nonce", b"short"), "offer"),
        (pb.LookupOffer, lambda m: setattr(m, "columns", 257), "offer"),
        (pb.LookupOffer, lambda m: setattr(m, "fraction_bits", 63), "offer"),
        (pb.LookupOffer, lambda m: setattr(m, "value_bytes", 0), "offer"),
        (pb.LookupOffer, lambda m: setattr(m, "value_bytes", 9), "offer"),
        (pb.LookupOffer, lambda m: setattr(m, "count", 1 << 40), "offer"),
        (pb.LookupLayout, lambda m: setattr(m, "seed", b""), "layout"),
        (pb.LookupStore, cut("values"), "expected"),
        (pb.LookupHintSeed, lambda m: setattr(m, "seed", b""), "seed"),
        (pb.LookupHint, cut("values"), "expected"),
        (pb.LookupHint, lambda m: setattr(m.values, "width", 8), "expected"),
        (pb.LookupChoices, lambda m: setattr(m, "corrections", b"\0"), "bytes of choices"),
        (pb.LookupTables, cut("tables"), "expected"),
        (pb.LookupFlips, cut("flips"), "expected"),
        (pb.LookupFactors, cut("words"), "expected"),
        (pb.LookupFactors, lambda m: setattr(m.words, "width", 8), "expected"),
        (pb.LookupFactors, cut("bits"), "expected"),
    ],
)
def test_malformed_messages_are_refused(kind, change, match, monkeypatch):
    change_sent(monkeypatch, kind, change)
    with pytest.raises(ProtocolError, match=match):
        run(ids(0, 9), ids(4, 20), table(16, 2) >> 40, value_bytes=4)


def test_tables_of_a_block_of_bits_have_four_bits_an_entry(monkeypatch):
    def four_each(message):
        if message.tables.width == 8:
            message.tables.width, message.tables.count = 2, 4 * message.tables.count

    change_sent(monkeypatch, pb.LookupTables, four_each)
    with pytest.raises(ProtocolError, match="expected"):
        run(ids(0, 9), ids(4, 20))


@pytest.mark.parametrize(
    ("columns", "octets", "traffic"),
    [
        (0, 8, (474_081, 106_532, 12)),
        (2, 8, (492_887, 131_512, 13)),
        (2, 3, (492_721, 119_238, 14)),
    ],
)
def test_the_golden_transcript(columns, octets, traffic):
    """Changes only in a commit that says why."""
    left, right = (Traced(end) for end in memory.pair())
    values = table(30, columns) >> (64 - 8 * octets + (octets < 8))
    run(ids(0, 20), ids(10, 40), values, value_bytes=octets, links=lambda: (left, right))
    digests = hashlib.sha256(left.digest() + right.digest()).hexdigest()
    seen = left.traffic
    assert (seen.sent_bytes, seen.received_bytes, seen.rounds) == traffic
    assert digests == GOLDEN[kernels.backend()][columns, octets]


def test_equal_roles_are_refused():
    with pytest.raises(ProtocolError, match="part"):
        run_pair(
            lambda channel: lookup.asker(channel, ["a"], rng=seeded(1)),
            lambda channel: lookup.asker(channel, ["a"], rng=seeded(2)),
        )
