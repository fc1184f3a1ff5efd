# SPDX-License-Identifier: Apache-2.0
"""What tests of private lookup share: keys, tables, runs, and the plain answer."""

from __future__ import annotations

from threading import Thread

import numpy as np

from mpc.errors import PeerClosed
from mpc.net import memory
from mpc.net.channel import Channel
from mpc.pb.v1 import lookup_pb2 as pb
from mpc.primitives.sharing import reconstruct
from mpc.protocols import lookup
from mpc.testing import run_pair, seeded
from tests.protocols.dying import Death, Dying, KilledError


def ids(start, stop):
    return [f"91{number:016d}" for number in range(start, stop)]


def table(rows, columns, seed=0):
    """Values (rows, columns), some of them as large as 64 bits allow."""
    rng = np.random.default_rng(seed)
    return rng.integers(-(2**63), 2**63 - 1, (rows, columns), dtype=np.int64)


def run(keys, rows, values=None, *, seed=0, order="keys", fraction_bits=0, value_bytes=8, **links):
    """What both sides get."""
    return run_pair(
        lambda channel: lookup.asker(channel, keys, order=order, rng=seeded(f"a{seed}")),
        lambda channel: lookup.holder(
            channel,
            rows,
            values,
            order=order,
            fraction_bits=fraction_bits,
            value_bytes=value_bytes,
            rng=seeded(f"h{seed}"),
        ),
        **links,
    )


def opened(asked, held):
    """Which keys are members, and their values."""
    return (
        reconstruct([asked.member, held.member]),
        reconstruct([asked.values, held.values]),
    )


def plain(keys, rows, values=None):
    """The same from a dictionary."""
    held = {key: row for row, key in enumerate(rows)}
    values = np.empty((len(rows), 0), np.int64) if values is None else np.asarray(values)
    values = values.reshape(len(rows), -1 if len(rows) else values.shape[-1])
    found = np.array([held.get(key, -1) for key in keys], np.int64)
    expected = np.zeros((len(keys), values.shape[1]), values.dtype)
    expected[found >= 0] = values[found[found >= 0]]
    return found >= 0, expected


def assert_named(victim, kind, after, rows, values, **options):
    """A side that dies at its message of a kind ends the other, which names it."""
    ends = dict(zip(("asker", "holder"), memory.pair("asker", "holder"), strict=True))
    ends[victim] = Dying(ends[victim], Death(kind, after))
    errors = {}

    def play(name, role):
        try:
            role(Channel(ends[name], timeout=60))
        except Exception as error:
            errors[name] = error

    roles = {
        "asker": lambda channel: lookup.asker(channel, ids(0, 9)),
        "holder": lambda channel: lookup.holder(channel, rows, values, **options),
    }
    threads = [Thread(target=play, args=item) for item in roles.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (other,) = set(roles) - {victim}
    assert isinstance(errors[victim], KilledError)
    assert isinstance(errors[other], PeerClosed)
    assert errors[other].peer == victim


def change_sent(monkeypatch, kind, change):
    """Messages of a kind are changed before they are sent."""
    real = Channel.send

    def send(self, message):
        if isinstance(message, kind):
            change(message)
        real(self, message)

    monkeypatch.setattr(Channel, "send", send)


def cut(name):
    """One element of a column is left out."""

    def change(message):
        column = getattr(message, name)
        column.count -= 1
        column.data = column.data[: column.count * column.width]

    return change


def even(data):
    """Chi-square of bytes, of 255 degrees: outside of these bounds with probability 10^-6."""
    counts = np.bincount(np.frombuffer(bytes(data), np.uint8), minlength=256)
    mean = counts.sum() / 256
    assert mean > 5, f"{counts.sum()} bytes say too little"
    return 155 < np.sum((counts - mean) ** 2) / mean < 380


def secrets_of(message):
    """The bytes of a message that are to look uniform."""
    match message:
        case pb.LookupStore() | pb.LookupHint():
            return message.values.data
        case pb.LookupChoices():
            return message.corrections[:-1]
        case pb.LookupTables():
            return message.tables.data
        case pb.LookupFlips():
            return message.flips.data[:-8]
        case pb.LookupFactors():
            return message.words.data + message.bits.data[:-8]
    return b""
