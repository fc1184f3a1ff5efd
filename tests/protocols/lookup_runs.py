# SPDX-License-Identifier: Apache-2.0
"""What tests of private lookup share: keys, tables, runs, and the plain answer."""

from __future__ import annotations

import numpy as np

from mpc.pb.v1 import lookup_pb2 as pb
from mpc.primitives.sharing import reconstruct
from mpc.protocols import lookup
from mpc.testing import run_pair, seeded


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
