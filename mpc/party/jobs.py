# SPDX-License-Identifier: Apache-2.0
"""Job files: what a joint job computes and who takes which part. All parties hold the same one.

A blacklist check, in TOML (a score: ``score_job``; a decision: ``decision_job``; a blacklist check
that names no list: ``threshold_job``)::

    kind = "blacklist"
    session = "applicants-2026-11"
    asker = "bank"
    holders = ["tax_office", "lender_b"]
    pad_to = { tax_office = 100_000 }    # shown in place of how many ids it has; may be left out

Everything in it is public to the parties it names, and compared between them before anything else
is sent: two parties with different files both get an error that shows the first difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from mpc.errors import ConfigError
from mpc.net import settings, tls
from mpc.party import bounds, correlations, decision_job, score_job, threshold_job
from mpc.party.decision_job import DecisionJob
from mpc.party.score_job import ScoreJob
from mpc.party.threshold_job import ThresholdJob

__all__ = [
    "BlacklistJob",
    "DecisionJob",
    "Job",
    "ScoreJob",
    "ThresholdJob",
    "check_member",
    "dealers",
    "load",
    "work",
]

Parameters: TypeAlias = dict[str, str | int | list[str]]


@dataclass(frozen=True, slots=True)
class BlacklistJob:
    """One asker, some holders: is each of the asker's ids on the list of any holder?"""

    session: str
    asker: str
    holders: tuple[str, ...]
    pad_to: Mapping[str, int] = field(default_factory=dict)

    kind = "blacklist"

    @property
    def parties(self) -> tuple[str, ...]:
        return (self.asker, *self.holders)

    def meets(self, party: str) -> tuple[str, ...]:
        """Whom ``party`` talks to: the asker talks to all holders, a holder to the asker alone."""
        return self.holders if party == self.asker else (self.asker,)

    def terms(self) -> list[str]:
        """What is computed, in sentences."""
        holders = ", ".join(self.holders)
        asked = f"Is each id of {self.asker} on the list of any of {holders}, and of which?"
        return [asked, *bounds.terms(self.pad_to)]

    def parameters(self) -> Parameters:
        return {
            "kind": self.kind,
            "asker": self.asker,
            "holders": list(self.holders),
            "pad_to": bounds.parameters(self.pad_to),
        }

    def gives(self, party: str) -> str:
        return "the ids it asks about" if party == self.asker else "its list"

    def learns(self, party: str) -> str:
        if party == self.asker:
            lengths = f"the length of each list{bounds.besides(self.pad_to, self.holders)}"
            return f"which of its ids each holder lists; {lengths}"
        return f"how many ids were asked{bounds.besides(self.pad_to, [self.asker])}"

    def never(self, party: str) -> str:
        """What ``party`` does not come to know, though it enters the computation."""
        if party == self.asker:
            return "who else is on the lists"
        return "which ids were asked, which of them it lists, what others list"


Job: TypeAlias = BlacklistJob | ThresholdJob | ScoreJob | DecisionJob


def load(path: str | Path) -> Job:
    """Read a job file. ConfigError names the file, the key and what it should be."""
    file = settings.read(path)
    kind = file.text("kind")
    if kind == "blacklist":
        job: Job = _blacklist(file)
    elif kind == "score":
        job = score_job.load(file)
    elif kind == "decision":
        job = decision_job.load(file)
    else:
        raise file.fault("kind", f'must be "blacklist", "score" or "decision", not {kind!r}')
    file.done()
    for party in job.parties:
        try:
            tls.check_name(party)
        except ConfigError as error:
            raise ConfigError(f"{file.path}: {error}") from None
    return job


def _blacklist(file: settings.Section) -> BlacklistJob | ThresholdJob:
    file.offers(*threshold_job.KEYS)
    if any(file.has(key) for key in threshold_job.KEYS):
        return threshold_job.load(file)
    asker, holders = file.text("asker"), file.texts("holders")
    if asker in holders:
        raise file.fault("holders", f"names the asker, {asker!r}, who cannot hold a list")
    pad_to = bounds.load(file, (asker, *holders))
    return BlacklistJob(file.text("session"), asker, holders, pad_to)


def dealers(job: Job) -> tuple[str, ...]:
    """Who computes nothing, and makes correlations for the others."""
    return job.source.outsiders if isinstance(job, ScoreJob | DecisionJob) else ()


def work(job: Job, party: str) -> str:
    """The kind of work that ``party`` does in ``job``, which its own file has to allow."""
    return correlations.DEAL if party in dealers(job) else job.kind


def check_member(job: Job, party: str) -> None:
    """ConfigError when ``party`` has no part in ``job``."""
    if party not in job.parties:
        named = ", ".join(job.parties)
        raise ConfigError(
            f"{party!r} has no part in this {job.kind} job, whose parties are {named}"
        )
