# SPDX-License-Identifier: Apache-2.0
"""The circuit of a decision: from shares of members and values to an outcome and reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ProtocolError
from mpc.net.mesh import Mesh
from mpc.primitives.sharing import Share, concatenate
from mpc.primitives.xor_sharing import XorShare
from mpc.protocols import arith, boolean, compare, lookup
from mpc.protocols.decision.plan import FRACTION_BITS, Floats, Plan, Rule, Verdict
from mpc.protocols.seeds import Seeds
from mpc.protocols.triples import Triples
from mpc.tracing import span

Words = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Shared:
    """What is known of all applicants, shared among all parties."""

    count: Share
    members: dict[str, Share]
    values: dict[str, Share]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Secret:
    """The asker's: weights of the others' features, intercept (1,), and products of its own
    features with their weights, for every bin."""

    weights: Floats
    intercept: Floats
    own: Floats


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Run:
    """A party's means: who it talks to, common seeds, and correlations."""

    mesh: Mesh
    plan: Plan
    seeds: Seeds
    triples: Triples
    party: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "party", self.mesh.names.index(self.mesh.me))

    def secret(self, values: Floats | None, shape: tuple[int, ...]) -> Share:
        """Shares of an array of the asker's."""
        return self.seeds.share(
            values, owner=self.plan.asker, shape=shape, fraction_bits=FRACTION_BITS
        )

    def joined(self, words: Words, fraction_bits: int = 0) -> Share:
        """This party's part of a sum over all parties, as a share of it that is uniform."""
        masked = words + self.seeds.zero(words.shape)
        return Share(masked, self.party, len(self.mesh.names), fraction_bits)


def shared(run: Run, lists: Mapping[str, Words], tables: Mapping[str, lookup.Found]) -> Shared:
    """Sharings among all parties, from those between the asker and one other."""
    plan, sizes = run.plan, [len(words) for words in lists.values()]
    bins = (sizes + [len(found.member) for found in tables.values()])[0]
    count = np.zeros(bins, np.uint64)
    for name, words in lists.items():
        count += words * np.uint64(plan.lists.weights[name])
    members, values = {}, {}
    for owner in plan.owners:
        width = len(plan.features.get(owner, ())) + len(plan.ruled(owner))
        member, held = np.zeros(bins, np.uint64), np.zeros((bins, width), np.uint64)
        if owner in tables:
            found = tables[owner]
            if found.values.shape != (bins, width) or found.values.fraction_bits != FRACTION_BITS:
                raise ProtocolError(owner, f"offers values {found.values.shape[1:]}, not {width}")
            member, held = found.member.words, found.values.words
        members[owner], values[owner] = run.joined(member), run.joined(held, FRACTION_BITS)
    return Shared(run.joined(count), members, values)


def decided(
    run: Run, held: Shared, secret: Secret | None
) -> tuple[NDArray[np.intp] | None, NDArray[np.bool_] | None]:
    """The outcome and the reasons for every bin, which the asker gets."""
    mesh, plan = run.mesh, run.plan
    with span("score"):
        contributions, intercept = _contributions(run, held, secret)
    with span("compare"):
        listed, strangers = _narrow(run, held)
        wide = _wide(run, held, contributions.sum(axis=1) + intercept)
    with span("verdict"):
        declines, refers = _verdicts(run, listed, strangers, wide)
        opened = boolean.reveal(mesh, _stack([declines, refers]), to=plan.asker)
    named: NDArray[np.uint8] | None = np.zeros((len(plan.names), len(held.count)), np.uint8)
    if plan.reasons:
        with span("reasons"):
            named = boolean.reveal(mesh, _reasons(run, contributions, declines), to=plan.asker)
    if opened is None or named is None:
        return None, None
    outcome = np.where(opened[0] == 1, 2, opened[1]).astype(np.intp)
    return outcome, np.ascontiguousarray(named.T.astype(np.bool_))


def _contributions(run: Run, held: Shared, secret: Secret | None) -> tuple[Share, Share]:
    """Every weight times its feature (bins, features), and the intercept (1,)."""
    plan, bins = run.plan, len(held.count)
    scored = {owner: held.values[owner][:, : len(plan.features[owner])] for owner in plan.scored}
    width = sum(x.shape[1] for x in scored.values())
    weights = run.secret(None if secret is None else secret.weights, (width,))
    intercept = run.secret(None if secret is None else secret.intercept, (1,))
    spread = np.ascontiguousarray(np.broadcast_to(weights.words, (bins, width)))
    values = concatenate(list(scored.values()), axis=1)
    products = arith.mul(run.mesh, values, weights.holding(spread), run.triples)
    # The asker multiplies its own in the open, and shares the products.
    shape = bins, len(plan.features.get(plan.asker, ()))
    own = run.secret(None if secret is None else secret.own, shape)
    parts, start = [], 0
    for owner, names in plan.features.items():
        if owner == plan.asker:
            parts.append(own)
        else:
            parts.append(products[:, start : start + len(names)])
            start += len(names)
    return concatenate(parts, axis=1), intercept


def _narrow(run: Run, held: Shared) -> tuple[XorShare, list[XorShare]]:
    """Whether enough lists hold each; whom the owners of each set do not all know.

    The first set are the owners of the score's features, the others those of each rule.
    """
    plan = run.plan
    sets = [plan.scored, *(rule.owners for rule in plan.rules)]
    gaps = [held.count - plan.lists.threshold]
    for owners in sets:
        total = held.members[owners[0]]
        for owner in owners[1:]:
            total = total + held.members[owner]
        gaps.append(total - len(owners))
    width = max(plan.lists.total, len(plan.parties)).bit_length()
    below = compare.is_negative(run.mesh, concatenate(gaps), run.triples, width=width)
    rows = below.rows(len(gaps))
    return ~rows[0], [rows[i] for i in range(1, len(gaps))]


def _wide(run: Run, held: Shared, logit: Share) -> list[XorShare]:
    """Whether the logit is below each of both limits, and each rule's sum below its bound."""
    plan = run.plan
    limits = [_logit(plan.decline_from), _logit(plan.refer_from)]
    gaps = [logit - limit for limit in limits]
    for rule in (rule.encodable for rule in plan.rules):
        gaps.append(_sum(plan, held, rule) - rule.below)
    below = compare.is_negative(run.mesh, concatenate(gaps), run.triples)
    rows = below.rows(len(gaps))
    return [rows[i] for i in range(len(gaps))]


def _sum(plan: Plan, held: Shared, rule: Rule) -> Share:
    """The left side of a rule: public coefficients, so it is local."""
    total: Share | None = None
    for (owner, name), coefficient in rule.terms.items():
        column = len(plan.features.get(owner, ())) + plan.ruled(owner).index((name, rule.unit))
        term = coefficient * held.values[owner][:, column]
        total = term if total is None else total + term
    assert total is not None
    return total


def _verdicts(
    run: Run, listed: XorShare, strangers: Sequence[XorShare], wide: Sequence[XorShare]
) -> tuple[XorShare, XorShare]:
    """Declined, and referred but not declined."""
    mesh, triples, rules = run.mesh, run.triples, run.plan.rules
    unknown, below_decline, below_refer = strangers[0], wide[0], wide[1]
    pairs = [(~unknown, ~below_decline)]
    pairs += [(~s, w) for s, w in zip(strangers[1:], wide[2:], strict=True)]
    high, *applied = boolean.ands(mesh, pairs, triples)
    declining = [listed, high, *_of(rules, applied, "decline")]
    referring = [unknown, ~below_refer, *_of(rules, applied, "refer")]
    # An OR is the complement of an AND of complements.
    passes = boolean.all_of(mesh, _stack([~each for each in declining]), triples)
    clear = boolean.all_of(mesh, _stack([~each for each in referring]), triples)
    return ~passes, boolean.both(mesh, passes, ~clear, triples)


def _of(rules: Sequence[Rule], applied: Sequence[XorShare], then: Verdict) -> list[XorShare]:
    return [bit for rule, bit in zip(rules, applied, strict=True) if rule.then == then]


def _reasons(run: Run, contributions: Share, declines: XorShare) -> XorShare:
    """Planes (features, bins): the largest contributions of those declined, of equals the first."""
    mesh, triples, d = run.mesh, run.triples, contributions.shape[1]
    order = compare.ranks(mesh, -contributions, triples)
    by_feature = order.holding(np.ascontiguousarray(order.words.T))
    width = d.bit_length()
    largest = compare.less_than(mesh, by_feature, run.plan.reasons, triples, width=width)
    return boolean.both(mesh, largest.rows(d), _stack([declines] * d), triples)


def _stack(bits: Sequence[XorShare]) -> XorShare:
    return replace(bits[0], words=np.stack([each.words for each in bits]))


def _logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))
