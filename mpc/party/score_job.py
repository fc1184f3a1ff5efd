# SPDX-License-Identifier: Apache-2.0
"""The job file of a joint score, which all parties hold::

    kind = "score"
    session = "scores-2026-11"
    model_owner = "bank"
    receiver = "bank"
    pad_to = { tax_office = 100_000 }    # shown in place of how many ids it has; may be left out

    [features]
    tax_office = ["vat_growth", "arrears_months"]
    power_utility = ["kwh_trend"]

It may say what the receiver gets: ``output`` is "probability" (with its band; the default),
"band", "decision" (whether the probability is at least ``threshold``, a number here or in the model
owner's scorecard) or "reasons". ``reasons`` is how many features come with it, of those that lower
the score most, or raise it with ``reasons_for = "high"``. ``form`` is "auto", "shares" or
"paillier", with ``key_bits``. ``source`` says who makes the correlations: see ``correlations``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mpc.apps.score_results import Wanted
from mpc.errors import ConfigError
from mpc.net import settings
from mpc.party import bounds, correlations
from mpc.party.correlations import Source

KEY_BITS = 3072


@dataclass(frozen=True, slots=True)
class ScoreJob:
    """A score over ``features`` (owner to names): weights of one party, result for one party."""

    session: str
    model_owner: str
    receiver: str
    features: dict[str, tuple[str, ...]]
    wanted: Wanted = field(default_factory=Wanted)
    pad_to: Mapping[str, int] = field(default_factory=dict)
    source: Source = field(default_factory=Source)

    kind = "score"

    @property
    def parties(self) -> tuple[str, ...]:
        computing = dict.fromkeys((self.receiver, self.model_owner, *self.features))
        return (*computing, *self.source.outsiders)

    def meets(self, party: str) -> tuple[str, ...]:
        """Whom ``party`` talks to: everyone else in the job."""
        return tuple(name for name in self.parties if name != party)

    def terms(self) -> list[str]:
        """What is computed, in sentences."""
        owners = ", ".join(f"{len(names)} of {owner}" for owner, names in self.features.items())
        return [
            f"A logistic score over features ({owners}), with weights of {self.model_owner}.",
            f"{self.receiver} gets {self._result()}.",
            *bounds.terms(self.pad_to),
            *([] if self.wanted.form == "paillier" else self.source.terms()),
            *self._warnings(),
        ]

    def parameters(self) -> dict[str, str | int | list[str]]:
        owned = {f"features.{owner}": list(names) for owner, names in self.features.items()}
        return {
            "kind": self.kind,
            "model_owner": self.model_owner,
            "receiver": self.receiver,
            "feature_owners": list(self.features),
            **owned,
            "pad_to": bounds.parameters(self.pad_to),
            "output": self.wanted.output,
            "threshold": str(self.wanted.threshold),
            "reasons": self.wanted.reasons,
            "reasons_for": "high" if self.wanted.raising else "low",
            "form": self.wanted.form,
            "key_bits": self.wanted.key_bits,
            **self.source.parameters(),
        }

    def gives(self, party: str) -> str:
        parts = []
        if party == self.source.dealer:
            return self.source.gives()
        if party == self.receiver:
            parts.append("the ids to score")
        if party == self.model_owner:
            parts.append("the weights")
        if party in self.features:
            count = len(self.features[party])
            parts.append(f"{count} feature{'s' if count > 1 else ''} per company")
        return ", ".join(parts)

    def learns(self, party: str) -> str:
        if party == self.source.dealer:
            return self.source.learns()
        if party == self.receiver:
            said = f"; {self._equation()}" if self.wanted.output == "probability" else ""
            sizes = f"how many ids each of them has{bounds.besides(self.pad_to, self.features)}"
            known = f"which of its ids all feature owners know; {sizes}"
            return f"{self._result()}{said}; {known}"
        if party in self.features:
            asked = f"how many ids {self.receiver} has"
            asked += bounds.besides(self.pad_to, [self.receiver])
            return f"which of its companies are scored; {asked}; means and scales of its features"
        return "how many companies are scored"

    def never(self, party: str) -> str:
        """What ``party`` does not come to know, though it enters the computation."""
        if party == self.source.dealer:
            return self.source.never()
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


def load(file: settings.Section) -> ScoreJob:
    """The job in a file whose kind is "score". ConfigError names the file, the key and the mend."""
    owners = file.section("features", needed=True)
    # Tables have no order: two files with the same content are the same job.
    features = {owner: owners.texts(owner) for owner in sorted(owners.names())}
    names = [name for owned in features.values() for name in owned]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise file.fault("features", f"names {twice[0]!r} at two owners")
    model_owner, receiver = file.text("model_owner"), file.text("receiver")
    source = correlations.load(file, (model_owner, receiver, *features))
    job = ScoreJob(
        session=file.text("session"),
        model_owner=model_owner,
        receiver=receiver,
        features=features,
        wanted=_wanted(file, source),
        source=source,
        pad_to=bounds.load(file, tuple(dict.fromkeys((receiver, *features)))),
    )
    if not [owner for owner in features if owner != job.model_owner]:
        raise file.fault("features", "needs an owner other than the model owner")
    if job.wanted.reasons > len(names):
        raise file.fault("reasons", f"asks for {job.wanted.reasons} of {len(names)} features")
    return job


def _wanted(file: settings.Section, source: Source) -> Wanted:
    bits = file.whole("key_bits", KEY_BITS)
    if bits not in (2048, 3072, 4096):
        raise file.fault("key_bits", f"must be 2048, 3072 or 4096, not {bits}")
    form = file.text("form", "auto")
    if source.kind != "vole":
        # Its makers wait for it to be used, so no number of rows may choose the other form.
        if form == "paillier":
            raise file.fault(
                "source", f'is not used by form = "paillier": leave out {source.kind!r}'
            )
        form = "shares" if form == "auto" else form
    side = file.text("reasons_for", "low")
    if side not in ("low", "high"):
        raise file.fault("reasons_for", f'must be "low" or "high", not {side!r}')
    try:
        return Wanted(
            output=file.text("output", "probability"),
            reasons=file.whole("reasons", 0),
            raising=side == "high",
            threshold=file.number("threshold") if file.has("threshold") else None,
            form=form,
            key_bits=bits,
        )
    except ConfigError as error:
        raise ConfigError(f"{file.path}: {error}") from None
