# SPDX-License-Identifier: Apache-2.0
"""One party's run of a joint decision: its files, its limits, and what it gets."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa

from mpc.apps import decision, scorecard_file
from mpc.apps.holding import Holding
from mpc.errors import ConfigError
from mpc.net.mesh import Mesh
from mpc.party import read
from mpc.party.config import Grant
from mpc.party.outcome import Notify, Outcome, Play
from mpc.protocols.decision import OUTCOMES, Plan
from mpc.protocols.query.limits import CounterFile, Gate, Limits

_RATE = 1e9  # keys a second: it is the total that an operator bounds here


def prepare(me: str, plan: Plan, grant: Grant, input: Path | None) -> Play:
    """Read the files of ``me``, so that all that is wrong with them is found now."""
    takes_table = me == plan.asker or me in plan.owners
    held = read.holding(grant.data, "decision", input) if takes_table else None
    listed = None
    if me in plan.lists.weights:
        listed = read.holding(grant.list, "decision", key="list")
    card = None
    if me == plan.asker:
        if grant.scorecard is None:
            raise ConfigError(f'{me} owns the weights: [jobs.decision] needs scorecard = "FILE"')
        card = scorecard_file.load(grant.scorecard)
    decision.check(plan, me, listed=listed, held=held, card=card)
    if card is None or held is None:
        return lambda mesh, notify: _answer(mesh, plan, grant, listed, held, notify)
    return lambda mesh, notify: _ask(mesh, plan, held, card, notify)


def _ask(
    mesh: Mesh, plan: Plan, held: Holding, card: scorecard_file.Scorecard, notify: Notify
) -> Outcome:
    found = decision.ask(mesh, plan, held, card, notify=notify)
    columns = {"id": held.ids.array(), "outcome": pa.array(found.outcome, pa.string())}
    if plan.reasons:
        columns["reasons"] = pa.array(["; ".join(names) for names in found.reasons], pa.string())
    counts = ", ".join(f"{found.outcome.count(name):,} {name}" for name in OUTCOMES)
    return Outcome([f"{len(held):,} applicants: {counts}"], pa.table(columns))


def _answer(
    mesh: Mesh,
    plan: Plan,
    grant: Grant,
    listed: Holding | None,
    held: Holding | None,
    notify: Notify,
) -> Outcome:
    with ExitStack() as stack:
        gate = None
        if grant.most_keys is not None:
            limits = Limits(rate=_RATE, burst=max(1, grant.most_keys), total=grant.most_keys)
            gate = stack.enter_context(Gate(limits, CounterFile(grant.counts, reserve=0)))
        asked = decision.answer(mesh, plan, listed=listed, held=held, gate=gate, notify=notify)
    return Outcome([f"{asked:,} applicants were decided on"])
