# SPDX-License-Identifier: Apache-2.0
"""Job files: what a joint job computes and who takes which part. All parties hold the same one.

A blacklist check and a joint score, each in TOML (a decision: ``decision_job``; a blacklist check
that names no list: ``threshold_job``)::

    kind = "blacklist"                     kind = "score"
    session = "applicants-2026-11"         session = "scores-2026-11"
    asker = "bank"                         model_owner = "bank"
    holders = ["tax_office", "lender_b"]   receiver = "bank"
                                           [features]
                                           tax_office = ["vat_growth", "arrears_months"]
                                           power_utility = ["kwh_trend"]

A score may say what its receiver gets: ``output`` is "probability" (with its band; the default),
"band", "decision" (whether the probability is at least ``threshold``, a number here or in the model
owner's scorecard) or "reasons". ``reasons`` is how many features come with it, of those that lower
the score most, or raise it with ``reasons_for = "high"``. ``form`` is "auto", "shares" or
"paillier", with ``key_bits``.

Everything in it is public to the parties it names, and compared between them before anything else
is sent: two parties with different files both get an error that shows the first difference.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from mpc.apps.score_results import Wanted
from mpc.errors import ConfigError
from mpc.net import settings, tls
from mpc.party import decision_job, threshold_job
from mpc.party.decision_job import DecisionJob
from mpc.party.threshold_job import ThresholdJob

KEY_BITS = 3072
__all__ = ["BlacklistJob", "DecisionJob", "Job", "ScoreJob", "ThresholdJob", "check_member", "load"]

Parameters: TypeAlias = dict[str, str | int | list[str]]


@dataclass(frozen=True, slots=True)
class BlacklistJob:
    """One asker, some holders: is each of the asker's ids on the list of any holder?"""

    session: str
    asker: str
    holders: tuple[str, ...]

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
        return [f"Is each id of {self.asker} on the list of any of {holders}, and of which?"]

    def parameters(self) -> Parameters:
        return {"kind": self.kind, "asker": self.asker, "holders": list(self.holders)}

    def gives(self, party: str) -> str:
        return "the ids it asks about" if party == self.asker else "its list"

    def learns(self, party: str) -> str:
        if party == self.asker:
            return "which of its ids each holder lists; the length of each list"
        return "how many ids were asked"

    def never(self, party: str) -> str:
        """What ``party`` does not come to know, though it enters the computation."""
        if party == self.asker:
            return "who else is on the lists"
        return "which ids were asked, which of them it lists, what others list"


@dataclass(frozen=True, slots=True)
class ScoreJob:
    """A score over ``features`` (owner to names): weights of one party, result for one party."""

    session: str
    model_owner: str
    receiver: str
    features: dict[str, tuple[str, ...]]
    wanted: Wanted = field(default_factory=Wanted)

    kind = "score"

    @property
    def parties(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.receiver, self.model_owner, *self.features)))

    def meets(self, party: str) -> tuple[str, ...]:
        """Whom ``party`` talks to: everyone else in the job."""
        return tuple(name for name in self.parties if name != party)

    def terms(self) -> list[str]:
        """What is computed, in sentences."""
        owners = ", ".join(f"{len(names)} of {owner}" for owner, names in self.features.items())
        return [
            f"A logistic score over features ({owners}), with weights of {self.model_owner}.",
            f"{self.receiver} gets {self._result()}.",
            *self._warnings(),
        ]

    def parameters(self) -> Parameters:
        owned = {f"features.{owner}": list(names) for owner, names in self.features.items()}
        return {
            "kind": self.kind,
            "model_owner": self.model_owner,
            "receiver": self.receiver,
            "feature_owners": list(self.features),
            **owned,
            "output": self.wanted.output,
            "threshold": str(self.wanted.threshold),
            "reasons": self.wanted.reasons,
            "reasons_for": "high" if self.wanted.raising else "low",
            "form": self.wanted.form,
            "key_bits": self.wanted.key_bits,
        }

    def gives(self, party: str) -> str:
        parts = []
        if party == self.receiver:
            parts.append("the ids to score")
        if party == self.model_owner:
            parts.append("the weights")
        if party in self.features:
            count = len(self.features[party])
            parts.append(f"{count} feature{'s' if count > 1 else ''} per company")
        return ", ".join(parts)

    def learns(self, party: str) -> str:
        if party == self.receiver:
            said = f"; {self._equation()}" if self.wanted.output == "probability" else ""
            known = "which of its ids all feature owners know; how many ids each of them has"
            return f"{self._result()}{said}; {known}"
        if party in self.features:
            asked = f"how many ids {self.receiver} has"
            return f"which of its companies are scored; {asked}; means and scales of its features"
        return "how many companies are scored"

    def never(self, party: str) -> str:
        """What ``party`` does not come to know, though it enters the computation."""
        if party == self.receiver:
            return self._kept_from_receiver()
        hidden = ["a feature of another party"]
        if party != self.model_owner:
            hidden.append("a weight")
        return ", ".join([*hidden, "a score"])

    @property
    def _unknown(self) -> list[str]:
        """The features that the receiver does not own."""
        others = (owned for owner, owned in self.features.items() if owner != self.receiver)
        return [name for owned in others for name in owned]

    def _equation(self) -> str:
        """What a probability is to its receiver: its logit is linear in features and weights."""
        unknown = self._unknown
        if self.receiver != self.model_owner:
            solved = sum(len(names) for names in self.features.values()) + 1
            return f"so all weights, from {solved} rows whose features it knows"
        if len(unknown) == 1:
            return f"so the value of {unknown[0]} for each"
        return f"so one linear equation on the {len(unknown)} features of others for each"

    def _kept_from_receiver(self) -> str:
        if self.wanted.output != "probability":
            hidden = ["a feature of another party"] if self._unknown else []
            hidden += [] if self.receiver == self.model_owner else ["a weight"]
            return f"{', '.join(hidden)}, beyond what the result says of them"
        if self.receiver != self.model_owner:
            feature = "a feature of another party or " if self._unknown else ""
            return f"{feature}a weight, beyond what it can solve for"
        if len(self._unknown) == 1:
            return "a feature of companies that it does not ask about"
        return "a feature of another party, beyond that equation"

    def _warnings(self) -> list[str]:
        """Where the result says all of what another party keeps."""
        if self.wanted.output != "probability":
            return []
        if self.receiver == self.model_owner and len(self._unknown) == 1:
            return [
                f"Warning: {self._unknown[0]} is the only feature that {self.receiver} does not "
                "own, and it owns the weights: each score tells it that feature."
            ]
        if self.receiver != self.model_owner and not self._unknown:
            return [
                f"Warning: {self.receiver} owns all features: scores of a few rows tell it all "
                f"weights of {self.model_owner}."
            ]
        return []

    def _result(self) -> str:
        results = {
            "probability": ["each score and its band"],
            "band": ["each score's band"],
            "decision": ["whether each score is at least the threshold"],
            "reasons": [],
        }[self.wanted.output]
        if self.wanted.reasons:
            verb = "raise" if self.wanted.raising else "lower"
            results = [*results, f"the {self.wanted.reasons} features that {verb} each score most"]
        return ", ".join(results)


Job: TypeAlias = BlacklistJob | ThresholdJob | ScoreJob | DecisionJob


def load(path: str | Path) -> Job:
    """Read a job file. ConfigError names the file, the key and what it should be."""
    file = settings.read(path)
    kind = file.text("kind")
    if kind == "blacklist":
        job: Job = _blacklist(file)
    elif kind == "score":
        job = _score(file)
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
    job = BlacklistJob(file.text("session"), file.text("asker"), file.texts("holders"))
    if job.asker in job.holders:
        raise file.fault("holders", f"names the asker, {job.asker!r}, who cannot hold a list")
    return job


def _score(file: settings.Section) -> ScoreJob:
    owners = file.section("features")
    # Tables have no order: two files with the same content are the same job.
    features = {owner: owners.texts(owner) for owner in sorted(owners.names())}
    names = [name for owned in features.values() for name in owned]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise file.fault("features", f"names {twice[0]!r} at two owners")
    job = ScoreJob(
        session=file.text("session"),
        model_owner=file.text("model_owner"),
        receiver=file.text("receiver"),
        features=features,
        wanted=_wanted(file),
    )
    if not [owner for owner in features if owner != job.model_owner]:
        raise file.fault("features", "needs an owner other than the model owner")
    if job.wanted.reasons > len(names):
        raise file.fault("reasons", f"asks for {job.wanted.reasons} of {len(names)} features")
    return job


def _wanted(file: settings.Section) -> Wanted:
    bits = file.whole("key_bits", KEY_BITS)
    if bits not in (2048, 3072, 4096):
        raise file.fault("key_bits", f"must be 2048, 3072 or 4096, not {bits}")
    side = file.text("reasons_for", "low")
    if side not in ("low", "high"):
        raise file.fault("reasons_for", f'must be "low" or "high", not {side!r}')
    try:
        return Wanted(
            output=file.text("output", "probability"),
            reasons=file.whole("reasons", 0),
            raising=side == "high",
            threshold=file.number("threshold") if file.has("threshold") else None,
            form=file.text("form", "auto"),
            key_bits=bits,
        )
    except ConfigError as error:
        raise ConfigError(f"{file.path}: {error}") from None


def check_member(job: Job, party: str) -> None:
    """ConfigError when ``party`` has no part in ``job``."""
    if party not in job.parties:
        named = ", ".join(job.parties)
        raise ConfigError(
            f"{party!r} has no part in this {job.kind} job, whose parties are {named}"
        )
