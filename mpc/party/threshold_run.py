# SPDX-License-Identifier: Apache-2.0
"""One party's run of a blacklist check that names no list: its file, its limit, what it gets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from mpc.apps import threshold
from mpc.apps.holding import Holding
from mpc.net.mesh import Mesh
from mpc.party import read
from mpc.party.config import Grant
from mpc.party.limit import gate_of, limited
from mpc.party.outcome import Notify, Outcome, Play
from mpc.protocols.query.limits import Gate
from mpc.protocols.threshold import Listed, Terms


def prepare(me: str, lists: Terms, grant: Grant, input: Path | None, notify: Notify) -> Play:
    """Read the file of ``me``, so that all that is wrong with it is found now."""
    held = read.holding(grant.data, "blacklist", input, notify=notify)
    if me == lists.asker:
        return lambda mesh, notify: _ask(mesh, lists, held, notify)
    listed = threshold.entries(me, held, lists.since)
    gate = gate_of(grant)
    return lambda mesh, notify: _answer(mesh, lists, grant, gate, listed, notify)


def _ask(mesh: Mesh, lists: Terms, held: Holding, notify: Notify) -> Outcome:
    notify(f"asking about {len(held):,} ids")
    ids = held.ids.array()
    found = threshold.ask(mesh, lists, ids)
    if lists.output == "count":
        told = f"{np.count_nonzero(found):,} of {len(ids):,} ids are listed"
        return Outcome([told], pa.table({"id": ids, "count": pa.array(found)}))
    told = f"{np.count_nonzero(found):,} of {len(ids):,} ids are on {lists.threshold} or more lists"
    if lists.total != len(lists.weights):
        told += ", as they count"
    return Outcome([told], pa.table({"id": ids, "listed": pa.array(found.astype(np.bool_))}))


def _answer(
    mesh: Mesh, lists: Terms, grant: Grant, gate: Gate | None, listed: Listed, notify: Notify
) -> Outcome:
    notify("answering")
    with limited(grant, gate):
        asked = threshold.answer(mesh, lists, listed, gate=gate)
    return Outcome([f"{asked:,} ids were asked about"])
