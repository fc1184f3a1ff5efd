# SPDX-License-Identifier: Apache-2.0
"""What a joint decision is agreed to be, and what each party brings to it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError, DataError, EncodingOverflow
from mpc.protocols.threshold import Terms

Floats = NDArray[np.float64]
Verdict = Literal["refer", "decline"]

FRACTION_BITS = 20  # of values, and of the factors of rules
VALUE_LIMIT = 128.0  # of a standardised feature
WEIGHTS_LIMIT = 2.0**13  # of all weights together, so that a logit has 60 bits at most
RULE_LIMIT = 2.0**18  # of a value in the unit of its rule, and of a bound: 8 and 1 have 62 bits
RULE_MOST = RULE_LIMIT - 2.0**-FRACTION_BITS  # the largest of such values
OUTCOMES = ("approve", "refer", "decline")


@dataclass(frozen=True, slots=True)
class Rule:
    """``sum of coefficient * value / unit`` over ``terms`` (owner, feature) is below ``below``.

    Coefficients are at most 1 in size, and 8 of them; values below 2^18 units, taken to the nearest
    2^-20 of the unit. A rule is right at its bound too where values are whole multiples of that, as
    whole numbers are in units of 1 or 1024 (in units of 1000 they are not), and coefficients have
    few digits; and any rule on one value is.
    """

    name: str
    terms: Mapping[tuple[str, str], float]
    below: float
    then: Verdict
    unit: float = 1.0

    def __post_init__(self) -> None:
        sizes = [abs(coefficient) for coefficient in self.terms.values()]
        small = all(size <= 1 for size in sizes)  # which NaN is not
        if not 1 <= len(sizes) <= 8 or not small or not 0 < self.unit < math.inf:
            raise ConfigError(
                f"rule {self.name!r}: 1 to 8 features with coefficients from -1 to 1, and a unit "
                "above 0; divide both sides of the condition"
            )
        if not abs(self.below) < RULE_LIMIT:
            raise ConfigError(
                f"rule {self.name!r}: below is {self.below} and must be under 2^18 in size; "
                "choose a larger unit"
            )
        if self.then not in ("refer", "decline"):
            raise ConfigError(
                f'rule {self.name!r}: then must be "refer" or "decline", not {self.then!r}'
            )

    @property
    def owners(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(owner for owner, _ in self.terms))

    @property
    def encodable(self) -> Rule:
        """The same condition with coefficients that have 20 fraction bits, where it has such.

        Most decimal fractions have no end in binary: with 0.6 rounded up, whoever is at the bound
        of ``now - 0.6 before < 0`` would be below it, where it is not below 0 of
        ``5/8 now - 3/8 before``. All of it comes of public numbers, alike at all parties.
        """
        if len(self.terms) == 1:
            return self._of_one()
        terms = {term: Fraction(repr(float(c))) for term, c in self.terms.items()}
        whole = math.lcm(*(c.denominator for c in terms.values()))
        factor = Fraction(whole, 1 << (whole - 1).bit_length())
        scaled = {term: factor * c for term, c in terms.items()}
        if max(c.denominator for c in scaled.values()) > 1 << FRACTION_BITS:
            return self
        below = float(factor * Fraction(repr(float(self.below))))
        return replace(self, terms={term: float(c) for term, c in scaled.items()}, below=below)

    def _of_one(self) -> Rule:
        """A condition on one value itself: its bound is then rounded as the value is."""
        ((term, coefficient),) = self.terms.items()
        if not abs(self.below) < abs(coefficient) * RULE_LIMIT:
            return self  # no value is near such a bound
        sign = math.copysign(1.0, coefficient)
        units = round(self.below / abs(coefficient) * 2**FRACTION_BITS)
        most = int(RULE_MOST * 2**FRACTION_BITS)
        below = min(max(units, -most), most) / 2**FRACTION_BITS
        return replace(self, terms={term: sign}, below=below)


@dataclass(frozen=True, slots=True)
class Plan:
    """What all parties agree on; public.

    ``features`` maps owners to the features of the score; the asker may own some too. Rules are on
    values of the others.
    """

    lists: Terms
    features: Mapping[str, tuple[str, ...]]
    refer_from: float
    decline_from: float
    rules: tuple[Rule, ...] = ()
    reasons: int = 0

    def __post_init__(self) -> None:
        if not self.scored or not all(self.features.values()):
            raise ConfigError("a decision needs features of parties other than the asker")
        if any(self.asker in rule.owners for rule in self.rules):
            raise ConfigError("a rule is on values of the others, not of the asker")
        if not 0 < self.refer_from <= self.decline_from < 1:
            raise ConfigError(
                f"refer from {self.refer_from} and decline from {self.decline_from}: "
                "probabilities between 0 and 1, the first not above the second"
            )
        if not 0 <= self.reasons <= len(self.names):
            raise ConfigError(f"{self.reasons} reasons of {len(self.names)} features")

    @property
    def asker(self) -> str:
        return self.lists.asker

    @property
    def scored(self) -> tuple[str, ...]:
        """The others with features of the score."""
        return tuple(owner for owner in self.features if owner != self.asker)

    @property
    def owners(self) -> tuple[str, ...]:
        """The others with a table: of features of the score, or of a rule's."""
        ruled = [owner for rule in self.rules for owner in rule.owners]
        return tuple(dict.fromkeys((*self.scored, *ruled)))

    @property
    def parties(self) -> tuple[str, ...]:
        """Everyone with a part, the asker first."""
        return tuple(dict.fromkeys((self.asker, *self.lists.weights, *self.owners)))

    @property
    def names(self) -> tuple[str, ...]:
        """The features of the score, owner after owner, in the plan's order."""
        return tuple(name for owned in self.features.values() for name in owned)

    def ruled(self, owner: str) -> tuple[tuple[str, float], ...]:
        """The values that rules take from ``owner``: each with the unit of its rule."""
        found = [(n, rule.unit) for rule in self.rules for o, n in rule.terms if o == owner]
        return tuple(dict.fromkeys(found))

    def value_bytes(self, owner: str) -> int:
        """How wide the values of ``owner``'s table are: 31 bits hold any within VALUE_LIMIT, and 39
        any within RULE_MOST."""
        return 5 if self.ruled(owner) else 4


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Model:
    """The asker's secret: weights of the standardised features, in the order of ``Plan.names``."""

    weights: Floats
    intercept: float

    def __repr__(self) -> str:
        return "Model(<secret>)"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Known:
    """A feature owner's table: ``standardised`` (N, features) and ``ruled`` (N, ``Plan.ruled``)."""

    keys: Any
    standardised: Floats
    ruled: Floats

    def __repr__(self) -> str:
        return "Known(<secret>)"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Decisions:
    """``outcome`` (n,), places in ``OUTCOMES``; ``reasons`` (n, features), true for a reason."""

    outcome: NDArray[np.intp]
    reasons: NDArray[np.bool_]


def checked_own(plan: Plan, own: Floats | None, count: int) -> Floats:
    """The asker's own standardised features (count, d)."""
    wanted = count, len(plan.features.get(plan.asker, ()))
    values = np.zeros((count, 0)) if own is None else np.asarray(own, np.float64)
    if values.shape != wanted:
        raise DataError(f"values {values.shape} of the asker's own features, not {wanted}")
    if not bool((np.abs(values) <= VALUE_LIMIT).all()):
        raise DataError(f"an own value is missing, or beyond {VALUE_LIMIT:.0f} scales")
    return values


def checked_model(plan: Plan, model: Model) -> Floats:
    """Weights and intercept as one vector."""
    weights = np.asarray(model.weights, np.float64)
    if weights.shape != (len(plan.names),):
        raise ConfigError(f"{weights.shape} weights for {len(plan.names)} features")
    if not np.isfinite(weights).all() or not np.isfinite(model.intercept):
        raise DataError("a weight or the intercept is not a finite number")
    if np.abs(weights).sum() * VALUE_LIMIT + abs(model.intercept) > WEIGHTS_LIMIT * VALUE_LIMIT:
        raise EncodingOverflow(
            f"the weights add up to more than {WEIGHTS_LIMIT:.0f}: give the features larger scales"
        )
    return np.append(weights, model.intercept)


def checked_table(plan: Plan, me: str, known: Known) -> Floats:
    """The values of one party: its standardised features, then those of rules."""
    wanted = len(plan.features.get(me, ())), len(plan.ruled(me))
    standardised, ruled = (np.asarray(v, np.float64) for v in (known.standardised, known.ruled))
    rows = len(known.keys)
    if standardised.shape != (rows, wanted[0]) or ruled.shape != (rows, wanted[1]):
        raise DataError(
            f"{rows} keys with values of {standardised.shape} and {ruled.shape}; the plan says "
            f"{wanted[0]} features and {wanted[1]} values of rules"
        )
    scaled = ruled / np.array([unit for _, unit in plan.ruled(me)])
    for values, limit in ((standardised, VALUE_LIMIT), (scaled, RULE_MOST)):
        if not bool((np.abs(values) <= limit).all()):
            raise DataError(f"a value is missing, or beyond {limit:.0f} scales or units")
    return np.concatenate([standardised, scaled], axis=1)
