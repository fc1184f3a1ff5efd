# SPDX-License-Identifier: Apache-2.0
"""How many keys an operator lets each asker ask, counted in a file beside the party's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mpc.party.config import Grant
from mpc.protocols.query.limits import CounterFile, Gate, Limits, Refused

# Keys a second and at once: it is the total that an operator bounds here.
_RATE, _AT_ONCE = 1e9, 1 << 62


def gate_of(grant: Grant) -> Gate | None:
    """Counts keys against ``most_keys``; None where that is not set.

    Raises ConfigError for a file of counts that cannot be read.
    """
    if grant.most_keys is None:
        return None
    limits = Limits(rate=_RATE, burst=_AT_ONCE, total=grant.most_keys)
    return Gate(limits, CounterFile(grant.counts, reserve=0))


@contextmanager
def limited(grant: Grant, gate: Gate | None) -> Iterator[None]:
    """One job under ``gate``, whose refusal is said in the words of this party's file."""
    if gate is None:
        yield
        return
    try:
        with gate:
            yield
    except Refused as refused:
        # The lookup's note says how keys are counted.
        left = f"most_keys = {grant.most_keys} in our file, of which {refused.allowed} are left"
        refused.args = (f"{refused.peer} asks for more than we allow: {left}",)
        raise
