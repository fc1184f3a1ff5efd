# SPDX-License-Identifier: Apache-2.0
"""The job file of a blacklist check that names no list, which all parties hold::

    kind = "blacklist"
    session = "applicants-2026-11"
    asker = "bank"
    holders = ["tax_office", "lender_b", "lender_c"]
    threshold = 2                      # told is whether lists that weigh so much hold an id
    weights = { tax_office = 2 }       # others weigh 1; may be left out
    since = 2024-01-01                 # only entries of this day or later count; may be left out
    output = "bit"                     # or "count": what they weigh, and there is no threshold
    pad_to = { lender_b = 50_000 }     # shown in place of how many ids it has; may be left out

``threshold``, ``weights``, ``since`` or ``output`` makes a blacklist check one of this form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from mpc.errors import ConfigError
from mpc.net import settings
from mpc.party import bounds
from mpc.protocols.threshold import Output, Terms

KEYS = ("threshold", "weights", "since", "output")


@dataclass(frozen=True, slots=True)
class ThresholdJob:
    """Do enough lists hold each of the asker's ids? Which ones do is told to nobody."""

    session: str
    lists: Terms
    pad_to: Mapping[str, int] = field(default_factory=dict)

    kind = "blacklist"

    @property
    def receiver(self) -> str:
        """Who gets the result."""
        return self.lists.asker

    @property
    def parties(self) -> tuple[str, ...]:
        return (self.lists.asker, *self.lists.weights)

    def meets(self, party: str) -> tuple[str, ...]:
        """Whom ``party`` talks to: everyone else in the job."""
        return tuple(name for name in self.parties if name != party)

    def parameters(self) -> dict[str, str | int | list[str]]:
        lists = self.lists
        return {
            "kind": self.kind,
            "asker": lists.asker,
            "holders": list(lists.weights),
            "output": lists.output,
            "threshold": lists.threshold,
            "weights": [f"{name} {weight}" for name, weight in lists.weights.items()],
            "since": str(lists.since),
            "pad_to": bounds.parameters(self.pad_to),
        }

    def terms(self) -> list[str]:
        """What is computed, in sentences."""
        lists, asker = self.lists, self.lists.asker
        told = f"For each id of {asker}, whether {holding(lists)} hold it{young(lists)}."
        if lists.output == "count":
            told = f"For each id of {asker}, how many of {weighed(lists)} hold it{young(lists)}."
        return [told, *bounds.terms(self.pad_to)]

    def gives(self, party: str) -> str:
        return "the ids it asks about" if party == self.receiver else "its list"

    def learns(self, party: str) -> str:
        lists = self.lists
        if party != self.receiver:
            return f"how many ids were asked{bounds.besides(self.pad_to, [lists.asker])}"
        entries = "entries" if lists.since is None else f"entries since {lists.since}"
        told = f"whether {lists.threshold} or more of the lists hold each of its ids"
        if lists.output == "count":
            told = "how many of the lists hold each of its ids"
        counted = "" if lists.total == len(lists.weights) else ", as they count"
        sizes = f"how many {entries} each list has{bounds.besides(self.pad_to, lists.weights)}"
        return f"{told}{counted}; {sizes}"

    def never(self, party: str) -> str:
        """What ``party`` does not come to know, though it enters the computation."""
        if party != self.receiver:
            return "which ids were asked, which of them it lists, what others list, any result"
        return "which of the lists hold an id, but for what the result implies; their other entries"


def weighed(lists: Terms) -> str:
    """Whose lists count, and how much where that is not 1."""
    named = (
        name if weight == 1 else f"{name} (counts {weight})"
        for name, weight in lists.weights.items()
    )
    return f"the lists of {', '.join(named)}"


def holding(lists: Terms) -> str:
    """How many of whose lists."""
    return f"{lists.threshold} or more of {weighed(lists)}"


def young(lists: Terms) -> str:
    """By which of their entries, where not by all."""
    return "" if lists.since is None else f" by entries since {lists.since}"


def load(file: settings.Section) -> ThresholdJob:
    """The job in a file whose kind is "blacklist". ConfigError names the file, key and mend."""
    asker, weights = file.text("asker"), file.section("weights")
    counts = {name: weights.whole(name, 1) for name in file.texts("holders")}
    weights.done()
    output, threshold = file.text("output", "bit"), file.whole("threshold", 1)
    if output == "bit" and not file.has("threshold"):
        raise file.fault("threshold", "is missing: how much must the lists weigh that hold an id?")
    if output == "count" and file.has("threshold"):
        raise file.fault("threshold", 'is of output = "bit": a count tells more than any threshold')
    since = file.day("since") if file.has("since") else None
    try:
        lists = Terms(asker, threshold, counts, cast(Output, output), since)
        if output == "shares":
            raise ConfigError("the output is bit or count, as shares are no file")
    except ConfigError as error:
        raise ConfigError(f"{file.path}: {error}") from None
    pad_to = bounds.load(file, (asker, *counts))
    return ThresholdJob(file.text("session"), lists, pad_to)
