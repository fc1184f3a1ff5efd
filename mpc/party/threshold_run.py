# SPDX-License-Identifier: Apache-2.0
"""One party's run of a blacklist check that names no list: its file, its limit, what it gets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from mpc.apps import threshold
from mpc.apps.holding import Holding
from mpc.net.mesh import Mesh
from mpc.party import bounds, read
from mpc.party.config import Grant
from mpc.party.limit import gate_of, limited
from mpc.party.outcome import Notify, Outcome, Play
from mpc.party.threshold_job import ThresholdJob
from mpc.protocols.query.limits import Gate
from mpc.protocols.threshold import Listed


def prepare(me: str, job: ThresholdJob, grant: Grant, input: Path | None, notify: Notify) -> Play:
    """Read the file of ``me``, so that all that is wrong with it is found now."""
    held = read.holding(grant.data, job.kind, input, notify=notify)
    if me == job.lists.asker:
        bounds.check(job.pad_to, me, len(held))
        return lambda mesh, notify: _ask(mesh, job, held, notify)
    listed = threshold.entries(me, held, job.lists.since, pad_to=job.pad_to.get(me))
    gate = gate_of(grant)
    return lambda mesh, notify: _answer(mesh, job, grant, gate, listed, notify)


def _ask(mesh: Mesh, job: ThresholdJob, held: Holding, notify: Notify) -> Outcome:
    lists = job.lists
    notify(f"asking about {len(held):,} ids")
    ids = held.ids.array()
    found = threshold.ask(mesh, lists, ids, pad_to=job.pad_to.get(mesh.me))
    if lists.output == "count":
        told = f"{np.count_nonzero(found):,} of {len(ids):,} ids are listed"
        return Outcome([told], pa.table({"id": ids, "count": pa.array(found)}))
    told = f"{np.count_nonzero(found):,} of {len(ids):,} ids are on {lists.threshold} or more lists"
    if lists.total != len(lists.weights):
        told += ", as they count"
    return Outcome([told], pa.table({"id": ids, "listed": pa.array(found.astype(np.bool_))}))


def _answer(
    mesh: Mesh, job: ThresholdJob, grant: Grant, gate: Gate, listed: Listed, notify: Notify
) -> Outcome:
    notify("answering")
    with limited(grant, gate, job.kind):
        asked = threshold.answer(mesh, job.lists, listed, gate=gate)
    return bounds.asked(job.pad_to, job.receiver, asked)
