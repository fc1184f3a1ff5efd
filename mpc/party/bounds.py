# SPDX-License-Identifier: Apache-2.0
"""Public bounds in a job file, which parties show in place of how many ids they have::

    pad_to = { bank = 2_000, tax_office = 100_000 }

A party with a bound may have any number of ids up to it, and nobody learns which. All parties hold
the same job file, so they agree on every bound. In intersections each holds its peers to theirs; in
a check with a threshold and in a decision it is ``most_keys`` that bounds an asker who lies. A
party that has a list and a table shows its bound for each of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mpc.errors import ConfigError
from mpc.net import settings
from mpc.party.outcome import Outcome
from mpc.protocols.psi_many import MOST_ITEMS

Bounds = Mapping[str, int]


def load(file: settings.Section, parties: Sequence[str]) -> dict[str, int]:
    """The bounds of those of ``parties`` that have one, in the order of names."""
    section = file.section("pad_to")
    found = {}
    for name in sorted(section.names()):
        found[name] = section.whole(name, 1)
        if name not in parties:
            raise section.fault(name, f"brings no ids to this job; {', '.join(parties)} do")
        if not 1 <= found[name] <= MOST_ITEMS:
            raise section.fault(name, f"must be 1 to {MOST_ITEMS:,}, not {found[name]:,}")
    return found


def parameters(bounds: Bounds) -> list[str]:
    """What the parties compare."""
    return [f"{name} {bound}" for name, bound in bounds.items()]


def terms(bounds: Bounds) -> list[str]:
    """A sentence on them, where there are any."""
    if not bounds:
        return []
    shown = " and ".join(f"{name} shows {bound:,}" for name, bound in bounds.items())
    return [f"In place of how many ids it has, {shown}, a bound that it does not exceed."]


def besides(bounds: Bounds, names: Iterable[str]) -> str:
    """What to add in words to the sizes of ``names``, for those that show a bound instead."""
    said = [f"of {name}: at most {bounds[name]:,}" for name in names if name in bounds]
    return f" ({'; '.join(said)})" if said else ""


def asked(bounds: Bounds, asker: str, count: int, said: str = "ids were asked about") -> Outcome:
    """What a holder comes to know, who was asked about ``count`` ids or the asker's bound."""
    most = "at most " if asker in bounds else ""
    return Outcome([f"{most}{count:,} {said}"])


def check_rows(rows: int, most: int | None) -> None:
    """ConfigError where fewer ``rows`` are prepared than there may be, as far as bounds say it."""
    if most is not None and rows < most:
        raise ConfigError(
            f"{rows:,} rows are too few: by pad_to in the job there may be {most:,}, "
            f"so prepare with --rows {most}"
        )


def check(bounds: Bounds, party: str, count: int) -> None:
    """ConfigError where ``party`` has more ids than it says to have at most."""
    if count > bounds.get(party, count):
        raise ConfigError(
            f"{party} has {count:,} ids, more than the {bounds[party]:,} of pad_to in the job "
            "file: agree on a larger bound with the other parties"
        )
