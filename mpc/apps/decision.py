# SPDX-License-Identifier: Apache-2.0
"""Joint decisions over tables: what each party reads from its files for ``protocols.decision``.

    asker                                    every other party
      its applicants and its own features      its list, and its table: all of its companies
      Standardisation  ------------------->    z = (x - mean) / scale   (feature owners)
                      <---- protocols.decision ---->
      outcome, and reasons by name

Who learns what is in ``protocols.decision``; besides, a feature owner learns the means and scales
of its own features. Nobody learns who applied: all companies of a table are standardised, and
looked up unseen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpc.apps import standardisation
from mpc.apps.holding import Holding
from mpc.apps.row_report import first_rows
from mpc.apps.scorecard_file import Scorecard
from mpc.errors import ConfigError, DataError
from mpc.net.mesh import Mesh
from mpc.primitives.rng import SYSTEM, Rng
from mpc.protocols import decision, seeds
from mpc.protocols.decision import Known, Model, Plan
from mpc.protocols.decision.plan import RULE_LIMIT, VALUE_LIMIT
from mpc.protocols.query.limits import Gate
from mpc.protocols.threshold import Listed
from mpc.protocols.triples import vole

Notify = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """For each applicant one of "approve", "refer", "decline", and the features that weigh most."""

    outcome: list[str]
    reasons: list[tuple[str, ...]]


def check(
    plan: Plan,
    me: str,
    *,
    listed: Holding | None,
    held: Holding | None,
    card: Scorecard | None = None,
) -> None:
    """ConfigError or DataError for what ``me`` lacks, before any message."""
    _check_card(plan, me, card)
    if (listed is not None) != (me in plan.lists.weights):
        raise ConfigError(f"{me}: a list is brought by holders, {sorted(plan.lists.weights)}")
    if (held is not None) != (me == plan.asker or me in plan.owners):
        raise ConfigError(f"{me}: a table is brought by the asker and by owners of features")
    if held is not None:
        held.table.require([*plan.features.get(me, ()), *(name for name, _ in plan.ruled(me))])
    if listed is not None and plan.lists.since is not None:
        if listed.dates is None:
            raise ConfigError(
                f"{me}: entries since {plan.lists.since} count: name the list's column of dates"
            )
        listed.table.require([listed.dates])


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
    held: Holding,
    card: Scorecard,
    *,
    notify: Notify = lambda _: None,
    rng: Rng = SYSTEM,
) -> Outcomes:
    """The decisions on all of the asker's applicants, in the order of its table."""
    check(plan, mesh.me, listed=None, held=held, card=card)
    mine = plan.features.get(mesh.me, ())
    own = standardisation.applied(
        held.table, mine, held.rows, card.standardisation(mine), VALUE_LIMIT
    )
    model = Model(card.weights(plan.names), card.intercept)
    agreed = seeds.agree(mesh, rng=rng)
    standardisation.tell(mesh, plan.features, card)
    notify(f"deciding on {len(held):,} applicants")
    found = decision.asker(
        mesh,
        plan,
        held.ids.array(),
        model,
        own=own,
        seeds=agreed,
        triples=vole.source(mesh, rng=rng),
        rng=rng,
    )
    names = np.array(plan.names)
    return Outcomes(
        [decision.OUTCOMES[place] for place in found.outcome],
        [tuple(names[row].tolist()) for row in found.reasons],
    )


def answer(
    mesh: Mesh,
    plan: Plan,
    *,
    listed: Holding | None = None,
    held: Holding | None = None,
    gate: Gate | None = None,
    notify: Notify = lambda _: None,
    rng: Rng = SYSTEM,
) -> int:
    """Play every part of ``mesh.me`` that is not the asker's; how many applicants there were."""
    check(plan, mesh.me, listed=listed, held=held)
    entries = None if listed is None else _listed(plan, listed)
    ruled = None if held is None else _ruled(plan, mesh.me, held)
    agreed = seeds.agree(mesh, rng=rng)
    known = None
    if held is not None and ruled is not None:
        names = plan.features.get(mesh.me, ())
        standardised = np.zeros((len(held), 0))
        if names:
            by = standardisation.told(mesh.channel(plan.asker), names)
            standardised = standardisation.applied(held.table, names, held.rows, by, VALUE_LIMIT)
        known = Known(held.ids.array(), standardised, ruled)
    notify("answering")
    return decision.other(
        mesh,
        plan,
        listed=entries,
        known=known,
        seeds=agreed,
        triples=vole.source(mesh, rng=rng),
        gate=gate,
        rng=rng,
    )


def _listed(plan: Plan, listed: Holding) -> Listed:
    if plan.lists.since is None or listed.dates is None:
        return Listed(listed.ids.array())
    return Listed(listed.ids.array(), listed.table.days(listed.dates, listed.rows))


def _ruled(plan: Plan, me: str, held: Holding) -> NDArray[np.float64]:
    """The values of rules, as they stand in the table; DataError for those beyond their units."""
    wanted = plan.ruled(me)
    if not wanted:
        return np.zeros((len(held), 0))
    values = held.table.features([name for name, _ in wanted], held.rows)
    for column, (name, unit) in enumerate(wanted):
        far = held.rows[~(np.abs(values[:, column]) <= RULE_LIMIT * unit)]
        if len(far):
            raise DataError(
                f"{held.table.path}, column {name!r}: {len(far):,} of {len(held):,} rows are "
                f"beyond {RULE_LIMIT:.0f} of their rule's unit, {unit:g} "
                f"({first_rows(np.sort(far))}); mend them, or give the rule a larger unit"
            )
    return values
