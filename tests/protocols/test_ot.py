# SPDX-License-Identifier: Apache-2.0
"""Oblivious transfer: what each side holds, what it sees, and what a dishonest one gets."""

from __future__ import annotations

import numpy as np
import pytest
from link_kinds import KINDS
from tampering import Tampering, flipped

from mpc import kernels
from mpc.errors import ConfigError, PeerAborted, PeerClosed, ProtocolError
from mpc.net import columns, memory
from mpc.net.traced import Traced
from mpc.pb.v1 import ot_pb2 as pb
from mpc.primitives import ristretto
from mpc.protocols import ot
from mpc.testing import run_pair, seeded

BACKENDS = ["portable"] + (["simd"] if kernels.backend() == "simd" else [])
DELTA = np.array([0x0123456789ABCDEF, 0xFEDCBA9876543210], np.uint64)


def bits(count, seed=0):
    return np.random.default_rng(seed).integers(0, 2, count).astype(np.uint8)


def transfer(choices, seed=0, **options):
    return run_pair(
        lambda channel: ot.sender(channel, len(choices), rng=seeded(f"s{seed}")),
        lambda channel: ot.receiver(channel, choices, rng=seeded(f"r{seed}")),
        **options,
    )


def correlate(chosen, *, delta=DELTA, changes=None, sender_changes=None, **options):
    return run_pair(
        lambda channel: ot.correlated_sender(
            Tampering(channel, sender_changes or {}), len(chosen), delta, rng=seeded("s")
        ),
        lambda channel: ot.correlated_receiver(
            Tampering(channel, changes or {}), chosen, rng=seeded("r")
        ),
        **options,
    )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("count", [0, 1, 2, 9, 128])
def test_the_receiver_has_the_key_it_chose_and_not_the_other(count, backend):
    choices = bits(count)
    with kernels.use(backend):
        both, one = transfer(choices)
    rows = np.arange(count)
    assert np.array_equal(both[rows, choices], one)
    assert not np.any(both[rows, 1 - choices] == one)
    assert len({key.tobytes() for pair in both for key in pair}) == 2 * count


@pytest.mark.parametrize("kind", KINDS)
def test_over_every_link(kind, tmp_path):
    choices = bits(5)
    with KINDS[kind](tmp_path) as ends:
        both, one = transfer(choices, links=lambda: ends)
    assert np.array_equal(both[np.arange(5), choices], one)


def test_choices_are_zeros_and_ones():
    with pytest.raises(ConfigError, match="zeros and ones"):
        transfer(np.array([0, 1, 2], np.uint8))


def test_both_points_of_a_transfer_look_alike():
    """The pair says nothing of the choice: every bit is balanced over many, whichever it is."""
    seen = {}
    for choice in (0, 1):
        sent = []

        def watch(message, into=sent):
            into.append(columns.unpack(message.pairs, width=64, peer="x"))

        run_pair(
            lambda channel: ot.sender(channel, 512, rng=seeded(1)),
            lambda channel, c=choice, w=watch: ot.receiver(
                Tampering(channel, {pb.TransferChoices: w}),
                np.full(512, c, np.uint8),
                rng=seeded(2),
            ),
        )
        pairs = sent[0].reshape(512, 2, 32)
        for half in range(2):
            ristretto.decode(np.ascontiguousarray(pairs[:, half]))
        seen[choice] = np.unpackbits(pairs, axis=2, bitorder="little")
    for ones in seen.values():
        # Bit 0 is clear in every encoding, bits 252 to 255 nearly so: RFC 9496, section 4.3.1.
        counts = ones[:, :, 1:252].sum(axis=0, dtype=np.int64)
        assert np.all(np.abs(counts - 256) < 6 * np.sqrt(512) / 2)


@pytest.mark.parametrize(
    ("point", "what"),
    [
        (bytes(32), "identity"),
        (b"\xff" * 32, "not encodings"),
        (b"", "32 bytes"),
        (bytes(33), "32 bytes"),
    ],
)
def test_a_key_that_is_no_point_is_refused(point, what):
    with pytest.raises(ProtocolError, match=what) as caught:
        run_pair(
            lambda channel: (
                channel.send(pb.TransferKey(point=point)),
                channel.recv(pb.TransferChoices),
                channel.recv(pb.TransferChoices),
            ),
            lambda channel: ot.receiver(channel, bits(3), rng=seeded(1)),
        )
    assert caught.value.peer == "left"


@pytest.mark.parametrize("rows", [2, 4])
def test_another_number_of_choices_is_refused(rows):
    with pytest.raises(ProtocolError, match="expected 3 elements"):
        run_pair(
            lambda channel: ot.sender(channel, 3, rng=seeded(1)),
            lambda channel: ot.receiver(channel, bits(rows), rng=seeded(1)),
        )


def test_choices_that_are_no_points_are_refused():
    def spoil(message):
        message.pairs.data = b"\xff" * 64 + message.pairs.data[64:]

    with pytest.raises(ProtocolError, match="oblivious transfer: 1 of 3") as caught:
        run_pair(
            lambda channel: ot.sender(channel, 3, rng=seeded(1)),
            lambda channel: ot.receiver(
                Tampering(channel, {pb.TransferChoices: spoil}), bits(3), rng=seeded(1)
            ),
        )
    assert caught.value.peer == "right"


def test_no_message_of_one_transfer_serves_in_another():
    """The batch's rule (McQuoid, Rosulek, Roy 2021): a repeated pair has other keys."""
    choices = np.zeros(2, np.uint8)

    def repeat(message):
        message.pairs.data = message.pairs.data[:64] * 2

    both, one = run_pair(
        lambda channel: ot.sender(channel, 2, rng=seeded(1)),
        lambda channel: ot.receiver(
            Tampering(channel, {pb.TransferChoices: repeat}), choices, rng=seeded(1)
        ),
    )
    assert not np.any(both[0] == both[1])
    assert not np.any(both[1, 0] == one[0])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("count", [0, 1, 2, 127, 128, 129, 1000])
def test_rows_are_correlated(count, backend):
    chosen = bits(count)
    with kernels.use(backend):
        theirs, mine = correlate(chosen)
    assert np.array_equal(theirs.rows ^ mine.rows, chosen[:, None] * DELTA)
    assert theirs.session == mine.session
    assert len({row.tobytes() for row in mine.rows}) == count


def test_pads_are_the_keys_of_a_transfer():
    chosen = bits(300)
    theirs, mine = correlate(chosen)
    pads = [ot.pads(rows, theirs.session) for rows in (theirs.rows, theirs.rows ^ DELTA)]
    picked = np.where(chosen[:, None] == 0, *pads)
    assert np.array_equal(picked, ot.pads(mine.rows, mine.session))
    assert not np.any(pads[0] == pads[1])
    later = ot.pads(mine.rows[100:], mine.session, first=100)
    assert np.array_equal(later, picked[100:])
    assert not np.any(ot.pads(mine.rows[:1], mine.session, first=1) == picked[:1])


def test_the_transcript():
    """Changes only with the protocol: then say why in the commit."""
    ends = [Traced(link) for link in memory.pair()]
    correlate(bits(1000), links=lambda: tuple(ends))
    traffic = ends[0].traffic
    assert (traffic.sent_messages, traffic.received_messages) == (1, 2)
    payload = 64 * 128 + 32 + 128 * 16 * 9 + 16 + 128 * 16
    assert payload < traffic.sent_bytes + traffic.received_bytes < payload + 200
    assert ends[0].digest().hex() == GOLDEN


GOLDEN = "309882e9210f412196204075793a103680e3686cbd85db72557ec27ba1297e06"


def test_the_columns_sent_are_balanced():
    sent = []
    correlate(
        np.ones(5000, np.uint8),
        changes={pb.CorrelatedRows: lambda message: sent.append(message.corrections.data)},
    )
    ones = np.unpackbits(np.frombuffer(sent[0], np.uint8).reshape(128, -1), axis=1)
    for axis in (0, 1):
        trials = ones.shape[axis]
        counts = ones.sum(axis=axis, dtype=np.int64)
        assert np.all(np.abs(counts - trials / 2) < 6 * np.sqrt(trials) / 2)


def test_other_bits_in_one_column_are_caught():
    """Flipping a bit of column c of the message is other bits there, seen where delta is one."""

    def cheat(column):
        def change(message):
            size = message.corrections.width
            message.corrections.data = flipped(message.corrections.data, 8 * size * column + 200)

        return {pb.CorrelatedRows: change}

    ones = np.flatnonzero(np.unpackbits(DELTA.view(np.uint8), bitorder="little"))
    for column in ones[:3].tolist():
        with pytest.raises(ProtocolError, match="inconsistent") as caught:
            correlate(bits(300), changes=cheat(column))
        assert caught.value.peer == "right"


def test_a_guess_of_delta_survives_where_it_is_right():
    """A cheat in a column where delta is zero passes: what the functionality allows."""
    chosen = bits(300)
    zeros = np.flatnonzero(np.unpackbits(DELTA.view(np.uint8), bitorder="little") == 0)
    column = int(zeros[0])
    honest = ot._session

    def cheated(transcript, message):
        # A dishonest receiver hashes under the challenge of what it sends.
        if not message.bits_tag:
            size = message.corrections.width
            message.corrections.data = flipped(message.corrections.data, 8 * size * column + 200)
        return honest(transcript, message)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ot, "_session", cheated)
        theirs, mine = correlate(chosen)
    assert np.array_equal(theirs.rows ^ mine.rows, chosen[:, None] * DELTA)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda m: m.column_tags.__setattr__("data", flipped(m.column_tags.data)), "inconsistent"),
        (lambda m: m.__setattr__("bits_tag", flipped(m.bits_tag)), "inconsistent"),
        (lambda m: m.__setattr__("bits_tag", b""), "16 bytes"),
        (lambda m: m.corrections.__setattr__("count", 127), "announced 127"),
        (lambda m: m.column_tags.__setattr__("width", 8), "expected elements of 16"),
    ],
)
def test_a_bad_answer_is_caught(change, what):
    with pytest.raises(ProtocolError, match=what) as caught:
        correlate(bits(300), changes={pb.CorrelatedRows: change})
    assert caught.value.peer == "right"


def test_another_number_of_rows_is_refused():
    with pytest.raises(ProtocolError, match="expected elements of"):
        run_pair(
            lambda channel: ot.correlated_sender(channel, 1000, DELTA, rng=seeded(1)),
            lambda channel: ot.correlated_receiver(channel, bits(300), rng=seeded(2)),
        )


def test_a_peer_that_is_gone():
    with pytest.raises(PeerClosed):
        run_pair(
            lambda channel: ot.correlated_sender(channel, 100, DELTA, rng=seeded(1)),
            lambda channel: None,
        )


def test_a_peer_that_gives_up_is_named():
    def give_up(channel):
        channel.abort(ConfigError("no"))

    with pytest.raises(PeerAborted) as caught:
        run_pair(give_up, lambda channel: ot.correlated_receiver(channel, bits(5), rng=seeded(2)))
    assert caught.value.peer == "left"


def test_rows_are_not_shown():
    theirs, _ = correlate(bits(3))
    assert repr(theirs) == "Correlated(3 rows, <secret>)"
