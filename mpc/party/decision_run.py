# SPDX-License-Identifier: Apache-2.0
"""One party's run of a joint decision: its files, its limits, and what it gets."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from mpc.apps import decision, rehearsal, scorecard_file
from mpc.apps.holding import Holding
from mpc.errors import ConfigError
from mpc.net.mesh import Mesh
from mpc.party import bounds, read
from mpc.party.config import Grant
from mpc.party.correlations import Stored
from mpc.party.decision_job import DecisionJob
from mpc.party.limit import gate_of, limited
from mpc.party.outcome import Notify, Outcome, Play
from mpc.protocols.decision import OUTCOMES
from mpc.protocols.query.limits import Gate
from mpc.protocols.triples.kinds import Kind


def prepare(
    me: str,
    job: DecisionJob,
    grant: Grant,
    input: Path | None,
    stored: Stored | None,
    notify: Notify,
) -> Play:
    """Read the files of ``me``, so that all that is wrong with them is found now."""
    plan = job.plan
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
    if held is not None:
        bounds.check(job.pad_to, me, len(held))
    bound = job.pad_to.get(me)
    brought = decision.read(plan, me, listed=listed, held=held, card=card, pad_to=bound)
    if held is None or me != plan.asker:
        gate = gate_of(grant, lookups=(listed is not None) + (held is not None))
        return lambda mesh, notify: _answer(mesh, job, stored, grant, gate, brought, notify)
    return lambda mesh, notify: _ask(mesh, job, stored, held, brought, notify)


def demand(job: DecisionJob, applicants: int) -> list[Kind]:
    """What a decision on so many applicants draws of correlations."""
    return rehearsal.of_decision(job.plan, job.plan.parties, applicants)


def _ask(
    mesh: Mesh,
    job: DecisionJob,
    stored: Stored | None,
    held: Holding,
    brought: decision.Brought,
    notify: Notify,
) -> Outcome:
    plan, computing = job.plan, mesh.without(*job.source.outsiders)
    with job.source.opened(mesh, computing, stored) as triples:
        found = decision.ask(computing, plan, brought, triples=triples, notify=notify)
    columns = {"id": held.ids.array(), "outcome": pa.array(found.outcome, pa.string())}
    if plan.reasons:
        columns["reasons"] = pa.array(["; ".join(names) for names in found.reasons], pa.string())
    counts = ", ".join(f"{found.outcome.count(name):,} {name}" for name in OUTCOMES)
    return Outcome([f"{len(held):,} applicants: {counts}"], pa.table(columns))


def _answer(
    mesh: Mesh,
    job: DecisionJob,
    stored: Stored | None,
    grant: Grant,
    gate: Gate,
    brought: decision.Brought,
    notify: Notify,
) -> Outcome:
    computing = mesh.without(*job.source.outsiders)
    with limited(grant, gate, job.kind), job.source.opened(mesh, computing, stored) as triples:
        asked = decision.answer(
            computing, job.plan, brought, triples=triples, gate=gate, notify=notify
        )
    return bounds.asked(job.pad_to, job.receiver, asked, "applicants were decided on")
