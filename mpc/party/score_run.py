# SPDX-License-Identifier: Apache-2.0
"""One party's run of a joint score: its files, what it brings, and what it gets."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mpc.apps import rehearsal, score_results, scorecard, scorecard_file
from mpc.apps.holding import Holding
from mpc.apps.score_results import Scores
from mpc.apps.scorecard_file import Scorecard
from mpc.errors import ConfigError
from mpc.net.mesh import Mesh
from mpc.party import bounds, read
from mpc.party.config import Grant
from mpc.party.correlations import Stored
from mpc.party.outcome import Notify, Outcome, Play
from mpc.party.score_job import ScoreJob
from mpc.protocols.triples.kinds import Kind


def prepare(
    me: str, job: ScoreJob, grant: Grant, input: Path | None, stored: Stored | None, notify: Notify
) -> Play:
    """Read the files of ``me``, so that most of what is wrong with them is found now."""
    plan, card = _plan(job), _card(me, job, grant)
    takes_table = me == job.receiver or me in job.features
    holding = read.holding(grant.data, job.kind, input, notify=notify) if takes_table else None
    scorecard.check(plan, me, holding=holding, scorecard=card)
    if holding is not None:
        bounds.check(job.pad_to, me, len(holding))

    def play(mesh: Mesh, notify: Notify) -> Outcome:
        computing = plan.roles.over(mesh)
        with job.source.opened(mesh, computing, stored) as triples:
            scores = scorecard.play(
                computing, plan, holding=holding, scorecard=card, triples=triples, notify=notify
            )
        if scores is None or holding is None:
            return Outcome([])
        return _scored(holding, scores)

    return play


def computing(mesh: Mesh, job: ScoreJob) -> Mesh:
    """Who computes, in the order in which they do."""
    return _plan(job).roles.over(mesh)


def most_rows(job: ScoreJob) -> int | None:
    """How many rows there may be at most, where the job file's bounds say it."""
    return _plan(job).most_rows


def demand(mesh: Mesh, job: ScoreJob, grant: Grant, rows: int) -> list[Kind]:
    """What a score of ``rows`` rows draws of correlations, at every party of ``computing``."""
    bands = 0
    if job.wanted.output == "band":
        card = _card(mesh.me, job, grant)
        bands = len(score_results.band_names(mesh, job.model_owner, card))
    return rehearsal.of_score(_plan(job).roles, job.wanted, rows, bands)


def _plan(job: ScoreJob) -> scorecard.Plan:
    return scorecard.Plan(job.model_owner, job.receiver, job.features, job.wanted, job.pad_to)


def _card(me: str, job: ScoreJob, grant: Grant) -> Scorecard | None:
    """The scorecard, at the model owner."""
    if me != job.model_owner:
        return None
    if grant.scorecard is None:
        raise ConfigError(f'{me} is the model owner: [jobs.score] needs scorecard = "FILE"')
    return scorecard_file.load(grant.scorecard)


def _scored(holding: Holding, scores: Scores) -> Outcome:
    """Every id of the receiver, those that not all feature owners know without a score."""
    ids, positions = holding.ids.array(), scores.positions
    table: dict[str, Any] = {"id": ids}
    findings = [f"{len(positions):,} companies scored"]
    if scores.probability is not None:
        table["probability"] = _placed(positions, scores.probability, len(ids), pa.float64())
    if scores.band is not None:
        table["band"] = _placed(positions, scores.band, len(ids), pa.string())
        names = sorted(set(scores.band))
        counts = ", ".join(f"{name} {scores.band.count(name):,}" for name in names)
        findings[0] += f": {counts}" if counts else ""
    if scores.decision is not None:
        table["decision"] = _placed(positions, scores.decision, len(ids), pa.bool_())
        findings[0] += f", {scores.decision.sum():,} at the threshold or above"
    if scores.reasons is not None:
        for place, column in enumerate(zip(*scores.reasons, strict=True), 1):
            table[f"reason_{place}"] = _placed(positions, column, len(ids), pa.string())
    if missing := len(ids) - len(positions):
        findings.append(f"{missing:,} not scored: not every feature owner knows them")
    return Outcome(findings, pa.table(table))


def _placed(
    positions: NDArray[np.intp], values: Iterable[Any], count: int, kind: pa.DataType
) -> pa.Array:
    """``values`` at their positions in a column of ``count``, empty elsewhere."""
    column: list[Any] = [None] * count
    for position, value in zip(positions.tolist(), values, strict=True):
        column[position] = value
    return pa.array(column, kind)
