# SPDX-License-Identifier: Apache-2.0
"""One party's run of one job: its files are checked, then the session, the job, the result.

What is wrong with this party's own files is found before it connects to anyone: job, ids, columns,
scorecard, counts, and for a decision the values. Not so the values of features in a score, which
are read for the rows that turn out to be common, and a value that is too far from its mean, as the
model owner tells that only then. A result is written whole or not at all.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from mpc.apps import blacklist, tables
from mpc.apps.holding import Holding
from mpc.errors import ChannelError, ConfigError, PolicyError
from mpc.net.mesh import Mesh
from mpc.net.session import Session
from mpc.net.traced import Traffic
from mpc.party import bounds, correlations, decision_run, kept, read, score_run, threshold_run
from mpc.party.config import Grant, PartyConfig
from mpc.party.jobs import (
    BlacklistJob,
    DecisionJob,
    Job,
    ScoreJob,
    ThresholdJob,
    check_member,
    dealers,
    work,
)
from mpc.party.outcome import Notify, Outcome, Play
from mpc.protocols import psi


@dataclass(frozen=True, slots=True)
class Report:
    """What one party put in, learnt and sent; nothing in it names a company. ``kind`` is what it
    did: that of the job, "deal" or "prepare"."""

    kind: str
    party: str
    gave: str
    learnt: str
    findings: list[str]
    output: str | None
    seconds: float
    traffic: dict[str, Traffic]


def run(
    config: PartyConfig,
    job: Job,
    *,
    input: Path | None = None,
    output: Path | None = None,
    wait: float = 30.0,
    memory: int = psi.MEMORY,
    progress: Path | None = None,
    notify: Notify = lambda _: None,
) -> Report:
    """Take this party's part in ``job``.

    ``input`` and ``output`` stand in for the files of the party's own configuration. Peers that are
    not up yet are awaited for ``wait`` seconds. A blacklist job takes ``memory`` bytes beside its
    table; where the other parties come again too, one that broke off goes on with what is kept in
    the folder ``progress`` (see ``kept``). Raises PolicyError when the configuration does not
    allow jobs of this kind, ConfigError and DataError for our own files, and what the session and
    the protocols raise.
    """
    check_member(job, config.name)
    grant = config.grant(work(job, config.name))
    begun = time.monotonic()
    notify("reading its table")
    target = _target(config.name, job, output or grant.output)
    with kept.progress(progress, config.session, job) as places:
        play = _prepare(config, job, grant, input, _Buckets(memory, places), notify)
        notify("connecting")
        outcome, traffic = _met(config, job, play, wait, notify)
    if outcome.table is not None and target is not None:
        notify(f"writing {target}")
        tables.write(target, outcome.table)
    return Report(
        kind=work(job, config.name),
        party=config.name,
        gave=job.gives(config.name),
        learnt=job.learns(config.name),
        findings=outcome.findings,
        output=None if target is None else str(target),
        seconds=time.monotonic() - begun,
        traffic=traffic,
    )


def prepare(
    config: PartyConfig,
    job: Job,
    rows: int,
    *,
    wait: float = 30.0,
    notify: Notify = lambda _: None,
) -> Report:
    """Make the correlations of ``job``, for up to ``rows`` rows or applicants, into this party's
    file, as all parties of the job do at once. The job's file has to say that they come from there.

    Raises what ``run`` does, and ConfigError where there is a file already.
    """
    check_member(job, config.name)
    if not isinstance(job, ScoreJob | DecisionJob) or not job.source.ahead:
        raise ConfigError('what is prepared is for a score or decision with source = "file"')
    grant, begun = config.grant(job.kind), time.monotonic()
    stored = correlations.stored(job.source, grant, config.session, job.parameters())
    assert stored is not None, "such a source has a file"
    bounds.check_rows(rows, _most_rows(job))
    stored.check(made=False)

    def play(mesh: Mesh, notify: Notify) -> Outcome:
        if isinstance(job, ScoreJob):
            computing = score_run.computing(mesh, job)
            drawn = score_run.demand(computing, job, grant, rows)
        else:
            computing, drawn = mesh, decision_run.demand(job, rows)
        notify(f"making correlations for {rows:,} rows")
        stored.made(computing, drawn, rows)
        return Outcome([f"made for up to {rows:,} rows; they serve one job"])

    outcome, traffic = _met(config, job, play, wait, notify, rows)
    return Report(
        kind="prepare",
        party=config.name,
        gave="random numbers",
        learnt="its shares of random numbers that fit together",
        findings=outcome.findings,
        output=str(stored.path),
        seconds=time.monotonic() - begun,
        traffic=traffic,
    )


def _most_rows(job: ScoreJob | DecisionJob) -> int | None:
    """For how many rows a preparation of ``job`` suffices in any case, where bounds say it."""
    if isinstance(job, ScoreJob):
        return score_run.most_rows(job)
    return job.pad_to.get(job.receiver)


def _met(
    config: PartyConfig, job: Job, play: Play, wait: float, notify: Notify, prepares: int = 0
) -> tuple[Outcome, dict[str, Traffic]]:
    """What this party's part comes to in a session with the others, and what passed.

    One that ``prepares`` so many rows does not meet one that plays the job.
    """
    peers = job.meets(config.name)
    with Session.open(
        config.session,
        parameters={**job.parameters(), "prepares": prepares},
        session_id=job.session,
        parties=peers,
        wait=wait,
        on_wait=notify,
    ) as session:
        named = [name for name in job.parties if name == config.name or name in peers]
        mesh = session.mesh(named)
        try:
            outcome = play(mesh, notify)
        except ChannelError as error:
            raise mesh.cause(error) from error
        return outcome, {name: session.traffic(name) for name in peers}


@dataclass(frozen=True, slots=True)
class _Buckets:
    """In how much memory sets are compared, and how far each peer's have come."""

    memory: int
    places: Mapping[str, psi.Progress]


def _target(me: str, job: Job, path: Path | None) -> Path | None:
    """Where the result goes, checked before the job is run."""
    gets_result = me == (job.asker if isinstance(job, BlacklistJob) else job.receiver)
    if not gets_result:
        return None
    if path is None:
        raise ConfigError(f"{me} gets the result: say where with --output, or output in its file")
    tables.check_target(path)
    return path


def _prepare(
    config: PartyConfig,
    job: Job,
    grant: Grant,
    input: Path | None,
    buckets: _Buckets,
    notify: Notify,
) -> Play:
    me = config.name
    if me in dealers(job):
        return lambda mesh, _: correlations.deal(mesh)
    if isinstance(job, ScoreJob | DecisionJob):
        stored = correlations.stored(job.source, grant, config.session, job.parameters())
        if stored is not None:
            stored.check(made=True)
        if isinstance(job, ScoreJob):
            return score_run.prepare(me, job, grant, input, stored, notify)
        return decision_run.prepare(me, job, grant, input, stored, notify)
    if isinstance(job, ThresholdJob):
        return threshold_run.prepare(me, job, grant, input, notify)
    if grant.most_keys is not None and me != job.asker:
        raise PolicyError(
            f"{me} bounds with most_keys what is asked in blacklist jobs with a threshold or a "
            f"count; this one tells {job.asker} who lists whom, and has no such bound"
        )
    held = read.holding(grant.data, job.kind, input, notify=notify)
    bounds.check(job.pad_to, me, len(held))
    if me == job.asker:
        return lambda mesh, notify: _ask(mesh, job, held, buckets, notify)
    return lambda mesh, notify: _hold(mesh, job, held, buckets, notify)


# --- blacklist ---------------------------------------------------------------------------------


def _ask(
    mesh: Mesh, job: BlacklistJob, holding: Holding, buckets: _Buckets, notify: Notify
) -> Outcome:
    notify(f"asking about {len(holding.ids):,} ids")
    ids = holding.ids.array()
    result = blacklist.asker(
        mesh,
        ids,
        job.holders,
        pad_to=job.pad_to,
        memory=buckets.memory,
        progress=buckets.places,
    )
    by_holder: dict[str, Any] = {
        f"listed_by_{name}": pa.array(hits) for name, hits in result.by_holder.items()
    }
    table = pa.table({"id": ids, "listed": pa.array(result.listed), **by_holder})
    counts = ", ".join(f"{name} {hits.sum():,}" for name, hits in result.by_holder.items())
    return Outcome([f"{result.listed.sum():,} of {len(ids):,} ids are listed ({counts})"], table)


def _hold(
    mesh: Mesh, job: BlacklistJob, holding: Holding, buckets: _Buckets, notify: Notify
) -> Outcome:
    notify(f"answering with a list of {len(holding.ids):,}")
    channel, place = mesh.channel(job.asker), buckets.places.get(job.asker)
    ids = holding.ids.array()
    asked = blacklist.holder(
        channel,
        ids,
        pad_to=job.pad_to.get(mesh.me),
        peer_bound=job.pad_to.get(job.asker),
        memory=buckets.memory,
        progress=place,
    )
    return bounds.asked(job.pad_to, job.asker, asked)
