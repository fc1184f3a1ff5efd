# SPDX-License-Identifier: Apache-2.0
"""Joint decisions over tables: what each party reads from its files for ``protocols.decision``.

    asker                                    every other party
      its applicants and its own features      its list, and its table: all of its companies   read
      Standardisation  ------------------->    z = (x - mean) / scale   (feature owners)
                      <---- protocols.decision ---->
      outcome, and reasons by name

Who learns what is in ``protocols.decision``; besides, a feature owner learns the means and scales
of its own features. Nobody learns who applied: all companies of a table are standardised, and
looked up unseen.

Who shows a public bound in place of how many ids it has (``pad_to``) takes random ones to its own:
applicants that nobody knows, whose outcomes the asker drops; entries and companies, with values of
zero, that nobody asks about. A bound is of a party's list and of its table, each.

``read`` finds all that is wrong with a party's own files, before any message, but for one thing: a
feature that is far off, as the asker's means and scales tell an owner only later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mpc.apps import standardisation, threshold
from mpc.apps.holding import Holding
from mpc.apps.row_report import first_rows
from mpc.apps.scorecard_file import Scorecard
from mpc.errors import ConfigError, DataError
from mpc.net.mesh import Mesh
from mpc.primitives.items import Items
from mpc.primitives.rng import SYSTEM, Rng
from mpc.protocols import decision, seeds
from mpc.protocols.decision import Known, Model, Plan
from mpc.protocols.decision.plan import RULE_LIMIT, RULE_MOST, VALUE_LIMIT
from mpc.protocols.psi.agreement import shown
from mpc.protocols.query.limits import Gate
from mpc.protocols.threshold import Listed
from mpc.protocols.triples import Triples, vole

Notify = Callable[[str], None]
Floats = NDArray[np.float64]


def _none() -> Floats:
    return np.zeros((0, 0))


@dataclass(frozen=True, slots=True)
class Outcomes:
    """For each applicant one of "approve", "refer", "decline", and the features that weigh most."""

    outcome: list[str]
    reasons: list[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Brought:
    """What a party brings, read from its files and checked.

    ``features`` (companies, features of the score) of ``held`` are standardised at the asker and as
    in the table elsewhere, ``ruled`` (companies, values of rules) are as in the table. ``shown`` is
    how many ids of ``held`` the others see.
    """

    listed: Listed | None = None
    held: Holding | None = None
    features: Floats = field(default_factory=_none, repr=False)
    ruled: Floats = field(default_factory=_none, repr=False)
    card: Scorecard | None = field(default=None, repr=False)
    shown: int = 0

    def keys(self, rng: Rng) -> Items:
        """The ids of ``held``, and random ones up to what is shown."""
        assert self.held is not None, "a table"
        return Items.of(self.held.ids.array()).padded(self.shown, rng)

    def padded(self, values: Floats) -> Floats:
        """Rows of ``held``, and zeros for the random ids after them."""
        return np.pad(values, ((0, self.shown - len(values)), (0, 0)))


def read(
    plan: Plan,
    me: str,
    *,
    listed: Holding | None = None,
    held: Holding | None = None,
    card: Scorecard | None = None,
    pad_to: int | None = None,
    rng: Rng = SYSTEM,
) -> Brought:
    """All that ``me`` brings. ConfigError or DataError for what is missing or wrong in it, or more
    than ``pad_to``, the bound that is shown in place of how many ids its list and its table have.
    """
    _check(plan, me, listed, held, card)
    entries = None
    if listed is not None:
        entries = threshold.entries(me, listed, plan.lists.since, pad_to=pad_to, rng=rng)
    if held is None:
        return Brought(entries)
    names, bound = plan.features.get(me, ()), shown(len(held), pad_to)
    if card is None:
        features = held.table.features(names, held.rows)
        return Brought(entries, held, features, _ruled(plan, me, held), shown=bound)
    by = card.standardisation(names)
    own = standardisation.applied(held.table, names, held.rows, by, VALUE_LIMIT)
    return Brought(entries, held, own, card=card, shown=bound)


def _check(
    plan: Plan, me: str, listed: Holding | None, held: Holding | None, card: Scorecard | None
) -> None:
    _check_card(plan, me, card)
    if (listed is not None) != (me in plan.lists.weights):
        raise ConfigError(f"{me}: a list is brought by holders, {sorted(plan.lists.weights)}")
    if (held is not None) != (me == plan.asker or me in plan.owners):
        raise ConfigError(f"{me}: a table is brought by the asker and by owners of features")
    if held is not None:
        held.table.require([*plan.features.get(me, ()), *(name for name, _ in plan.ruled(me))])


def _check_card(plan: Plan, me: str, card: Scorecard | None) -> None:
    if (card is not None) != (me == plan.asker):
        lacks = "owns the weights: it needs the scorecard"
        raise ConfigError(f"{me} {lacks if card is None else 'must not be given the scorecard'}")
    if card is None:
        return
    named = {owner: tuple(f.name for f in owned) for owner, owned in card.owners.items()}
    if {k: set(v) for k, v in named.items()} != {k: set(v) for k, v in plan.features.items()}:
        raise ConfigError(f"the scorecard has the features {named}, the job {plan.features}")


def ask(
    mesh: Mesh,
    plan: Plan,
    brought: Brought,
    *,
    triples: Triples | None = None,
    notify: Notify = lambda _: None,
    rng: Rng = SYSTEM,
) -> Outcomes:
    """The decisions on all of the asker's applicants, in the order of its table.

    ``triples`` are of the parties of ``mesh``, who make them where none are given.
    """
    held, card = brought.held, brought.card
    if held is None or card is None:
        raise ConfigError(f"{mesh.me} asks: it brings applicants and a scorecard")
    model = Model(card.weights(plan.names), card.intercept)
    agreed = seeds.agree(mesh, rng=rng)
    standardisation.tell(mesh, plan.features, card)
    notify(f"deciding on {len(held):,} applicants")
    found = decision.asker(
        mesh,
        plan,
        brought.keys(rng),
        model,
        own=brought.padded(brought.features),
        seeds=agreed,
        triples=triples or vole.source(mesh, rng=rng),
        rng=rng,
    )
    names, count = np.array(plan.names), len(held)
    return Outcomes(
        [decision.OUTCOMES[place] for place in found.outcome[:count]],
        [tuple(names[row].tolist()) for row in found.reasons[:count]],
    )


def answer(
    mesh: Mesh,
    plan: Plan,
    brought: Brought,
    *,
    triples: Triples | None = None,
    gate: Gate | None = None,
    notify: Notify = lambda _: None,
    rng: Rng = SYSTEM,
) -> int:
    """Play every part of ``mesh.me`` that is not the asker's; how many applicants there were,
    or the asker's bound in place of it."""
    agreed = seeds.agree(mesh, rng=rng)
    known, held, names = None, brought.held, plan.features.get(mesh.me, ())
    if held is not None:
        features = brought.features
        if names:
            by = standardisation.told(mesh.channel(plan.asker), names)
            features = standardisation.applied(
                held.table, names, held.rows, by, VALUE_LIMIT, features
            )
        known = Known(brought.keys(rng), brought.padded(features), brought.padded(brought.ruled))
    notify("answering")
    return decision.other(
        mesh,
        plan,
        listed=brought.listed,
        known=known,
        seeds=agreed,
        triples=triples or vole.source(mesh, rng=rng),
        gate=gate,
        rng=rng,
    )


def _ruled(plan: Plan, me: str, held: Holding) -> Floats:
    """The values of rules, as they stand in the table; DataError for those beyond their units."""
    wanted = plan.ruled(me)
    if not wanted:
        return np.zeros((len(held), 0))
    values = held.table.features([name for name, _ in wanted], held.rows)
    for column, (name, unit) in enumerate(wanted):
        far = held.rows[~(np.abs(values[:, column] / unit) <= RULE_MOST)]
        if len(far):
            raise DataError(
                f"{held.table.path}, column {name!r}: {len(far):,} of {len(held):,} rows are "
                f"beyond {RULE_LIMIT:.0f} of their rule's unit, {unit:g} "
                f"({first_rows(np.sort(far))}); mend them, or give the rule a larger unit"
            )
    return values
