# SPDX-License-Identifier: Apache-2.0
"""What tests of the online query share: a holder with a list, and both roles."""

from __future__ import annotations

from functools import partial

from mpc.primitives import prepared
from mpc.primitives.prepared import HolderKey
from mpc.protocols import query
from mpc.testing import run_pair, seeded

KEY = HolderKey.generate(seeded("holder"))
PIN = KEY.pin("blacklist")
IDS = [f"9135{i:014d}" for i in range(30)]
REASONS = [f"reason {i}" for i in range(30)]
make = partial(prepared.prepare, key=KEY, name="blacklist", clock=lambda: 0.0)
change = partial(prepared.update, key=KEY, name="blacklist", clock=lambda: 0.0)


def hold(party, channel, *, key=KEY, rate=1e6, burst=1000, total=10**6, **options):
    counter = query.CounterFile(party.counts)
    with query.Gate(query.Limits(rate, burst, total), counter, clock=lambda: 0.0) as gate:
        options = {"name": "blacklist", "gate": gate, "rng": seeded("holder side"), **options}
        return query.holder(channel, key, party.folder, **options)


def fetched(party, channel, **options):
    return query.fetch(channel, party.copy, PIN, **options)


def asked(party, ids, **options):
    """Fetch, ask for ``ids``, and end; the answers and what was served."""

    def ask(channel):
        copy = fetched(party, channel)
        answers = query.asker(channel, copy, ids, rng=seeded("asker"))
        query.end(channel)
        return answers

    return run_pair(ask, partial(hold, party), **options)
