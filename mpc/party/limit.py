# SPDX-License-Identifier: Apache-2.0
"""How many keys each asker may ask: in all jobs together, counted in a file beside the party's own,
where the operator says so (``most_keys``), else in each job.

What a lookup takes of a holder's memory and time grows with the number of keys, which the asker
announces, so there is a bound where none was thought of: ``UNSAID_KEYS``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mpc.party.config import Grant
from mpc.protocols.lookup import room
from mpc.protocols.query.limits import CounterFile, Gate, Limits, Refused

# Keys a second and at once: it is the total that an operator bounds here.
_RATE, _AT_ONCE = 1e9, 1 << 62

UNSAID_KEYS = 1 << 20
"""How many ids a job may ask about where the holder's file has no ``most_keys``."""


class _OneJob:
    """A counter of one job, which nothing outlives."""

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}

    def take(self, peer: str, count: int, total: int) -> int | None:
        """See ``Counter``."""
        left = total - self._taken.get(peer, 0)
        if left < count:
            return left
        self._taken[peer] = total - left + count
        return None

    def close(self) -> None:
        """There is nothing to write."""


def gate_of(grant: Grant, *, lookups: int = 1) -> Gate:
    """Counts keys against ``most_keys``; where that is not set, those of one job, in so many
    ``lookups``, against ``UNSAID_KEYS`` in each.

    Raises ConfigError for a file of counts that cannot be read.
    """
    if grant.most_keys is None:
        return Gate(Limits(_RATE, _AT_ONCE, lookups * room(UNSAID_KEYS)), _OneJob())
    limits = Limits(rate=_RATE, burst=_AT_ONCE, total=grant.most_keys)
    return Gate(limits, CounterFile(grant.counts, reserve=0))


@contextmanager
def limited(grant: Grant, gate: Gate, kind: str) -> Iterator[None]:
    """One job of a ``kind`` under ``gate``, whose refusal is said in the words of this party's
    file."""
    try:
        with gate:
            yield
    except Refused as refused:
        # The lookup's note says how keys are counted.
        said = (
            f"{refused.peer} asks about more than {UNSAID_KEYS:,} ids in one job, the most where "
            f"our file does not say otherwise: most_keys in [jobs.{kind}]"
        )
        if grant.most_keys is not None:
            left = f"most_keys = {grant.most_keys} in our file, of which {refused.allowed} are left"
            said = f"{refused.peer} asks for more than we allow: {left}"
        refused.args = (said,)
        raise
