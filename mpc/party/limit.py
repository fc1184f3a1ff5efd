# SPDX-License-Identifier: Apache-2.0
"""How many keys an operator lets each asker ask, counted in a file beside the party's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mpc.party.config import Grant
from mpc.protocols.query.limits import CounterFile, Gate, Limits

_RATE = 1e9  # keys a second: it is the total that an operator bounds here


@contextmanager
def limited(grant: Grant) -> Iterator[Gate | None]:
    """The gate for one job; None where ``most_keys`` is not set."""
    if grant.most_keys is None:
        yield None
        return
    limits = Limits(rate=_RATE, burst=max(1, grant.most_keys), total=grant.most_keys)
    with Gate(limits, CounterFile(grant.counts, reserve=0)) as gate:
        yield gate
