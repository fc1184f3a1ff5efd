# SPDX-License-Identifier: Apache-2.0
"""One party's run of a joint decision: its files, its limits, and what it gets."""

from __future__ import annotations

from contextlib import nullcontext
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
from mpc.protocols.query.limits import CounterFile, Gate, Limits, Refused

# Keys a second and at once: it is the total that an operator bounds here.
_RATE, _AT_ONCE = 1e9, 1 << 62


def prepare(me: str, plan: Plan, grant: Grant, input: Path | None, notify: Notify) -> Play:
    """Read the files of ``me``, so that all that is wrong with them is found now."""
    takes_table = me == plan.asker or me in plan.owners
    held = read.holding(grant.data, "decision", input, notify=notify) if takes_table else None
    listed = None
    if me in plan.lists.weights:
        listed = read.holding(grant.list, "decision", key="list", notify=notify)
    card = None
    if me == plan.asker:
        if grant.scorecard is None:
            raise ConfigError(f'{me} owns the weights: [jobs.decision] needs scorecard = "FILE"')
        card = scorecard_file.load(grant.scorecard)
    brought = decision.read(plan, me, listed=listed, held=held, card=card)
    if held is None or me != plan.asker:
        gate = None if grant.most_keys is None else _gate(grant.most_keys, grant.counts)
        return lambda mesh, notify: _answer(mesh, plan, grant, gate, brought, notify)
    return lambda mesh, notify: _ask(mesh, plan, held, brought, notify)


def _ask(
    mesh: Mesh, plan: Plan, held: Holding, brought: decision.Brought, notify: Notify
) -> Outcome:
    found = decision.ask(mesh, plan, brought, notify=notify)
    columns = {"id": held.ids.array(), "outcome": pa.array(found.outcome, pa.string())}
    if plan.reasons:
        columns["reasons"] = pa.array(["; ".join(names) for names in found.reasons], pa.string())
    counts = ", ".join(f"{found.outcome.count(name):,} {name}" for name in OUTCOMES)
    return Outcome([f"{len(held):,} applicants: {counts}"], pa.table(columns))


def _gate(most_keys: int, counts: Path) -> Gate:
    """Counts keys against ``most_keys``. ConfigError for a file of counts that cannot be read."""
    limits = Limits(rate=_RATE, burst=_AT_ONCE, total=most_keys)
    return Gate(limits, CounterFile(counts, reserve=0))


def _answer(
    mesh: Mesh,
    plan: Plan,
    grant: Grant,
    gate: Gate | None,
    brought: decision.Brought,
    notify: Notify,
) -> Outcome:
    try:
        with gate or nullcontext():
            asked = decision.answer(mesh, plan, brought, gate=gate, notify=notify)
    except Refused as refused:
        # In the words of this party's file; the lookup's note says how keys are counted.
        left = f"most_keys = {grant.most_keys} in our file, of which {refused.allowed} are left"
        refused.args = (f"{refused.peer} asks for more than we allow: {left}",)
        raise
    return Outcome([f"{asked:,} applicants were decided on"])
