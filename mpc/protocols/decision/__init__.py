# SPDX-License-Identifier: Apache-2.0
"""Approve, refer or decline: lists, a score and rules together, of which only the outcome is shown.

An *asker* has applicants and the weights of a score. *Holders* have lists, *feature owners* tables
key -> values; a party may be both. Semi-honest::

    asker                                         every other party
      DecisionAsked: how many applicants  ----->  its limits allow that many
                     DecisionReady  <-- all to all -->
      lookup.asker, with each at once     <---->  lookup.holder of its list, then of its table
      a sharing of all members and values among all parties; weights shared by the asker
                     comparisons, ANDs    <---->  (arith, compare, boolean)
      the outcome and the reasons         <-----  shares of them
                     DecisionReady  <-- all to all -->

The last round tells all parties that all got to the end: whoever dies before that ends the run of
every other one, which says so. The asker may have the outcomes then already.

**Outcome.** With *known*: every feature owner has the applicant in its table::

    decline     lists >= threshold, or known and probability >= decline_from, or a rule to decline
    refer       not so, and: not known, or probability >= refer_from, or a rule to refer
    approve     else

A rule is a linear condition on values, ``sum_j coefficient_j * value_j < below``, as "revenue fell
by more than 30 %" is ``now - 0.7 before < 0``; it holds only where its owners know the applicant.

**Reasons.** On request, for those declined, the names of the k features that raised the logit most
(the largest ``weight * standardised value``; of equals the first in the plan), not in an order. A
feature whose owner does not know the applicant weighs nothing, as an average would, and comes
before one that lowers the logit. There are always k names: fewer would say who knows the applicant.
That a list or a rule declined is not among them: it would say what the lists hold.

**Learns.** The asker: outcome and reasons, and how long lists and tables are. Everybody else: how
many applicants there are, and what the plan says, which is public: thresholds, rules, names of
features. So a tax office never learns who applied, and the bank neither a feature, nor a score, nor
which list, rule or threshold decided. Any parties but one may collude: what is opened is masked by
correlations that are safe against all but one, and members and values are shared between the asker
and their holder until zeros of all pairs make them a sharing among all.

Applicants are looked up in the order of bins of one ``lookup.Layout``, which fits them together
without sending permutations; empty bins are unknown companies, whose outcomes the asker drops.
Values are as wide as the plan lets them be (``Plan.value_bytes``), whatever a table holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError
from mpc.net.mesh import Mesh
from mpc.pb.v1 import decision_pb2 as pb
from mpc.primitives.items import Items
from mpc.primitives.rng import SEED_BYTES, SYSTEM, Prg, Rng
from mpc.primitives.sharing import Share
from mpc.protocols import lookup
from mpc.protocols import seeds as common
from mpc.protocols.decision.circuit import Run, Secret, decided, shared
from mpc.protocols.decision.plan import (
    FRACTION_BITS,
    OUTCOMES,
    Decisions,
    Floats,
    Known,
    Model,
    Plan,
    Rule,
    checked_model,
    checked_own,
    checked_table,
)
from mpc.protocols.query.limits import Gate
from mpc.protocols.seeds import Seeds
from mpc.protocols.threshold import Listed
from mpc.protocols.triples import Triples
from mpc.tracing import ThreadPool, span

__all__ = ["OUTCOMES", "Decisions", "Known", "Model", "Plan", "Rule", "asker", "other", "rehearse"]

Words = NDArray[np.uint64]


def asker(
    mesh: Mesh,
    plan: Plan,
    keys: Any,
    model: Model,
    *,
    own: Floats | None = None,
    seeds: Seeds,
    triples: Triples,
    rng: Rng = SYSTEM,
) -> Decisions:
    """The decisions on ``keys``, in their order.

    ``own`` are the standardised values (n, d) of the asker's own features of the score, if any.
    Raises DataError and CryptoError of ``lookup.Layout.of``, EncodingOverflow for weights too large
    for the numbers, before anything is sent; PeerAborted where a party's limits do not allow it.
    """
    run = _run(mesh, plan, seeds, triples)
    with span("layout"):
        layout = lookup.Layout.of(keys, rng=rng)
        secret = _secret(plan, model, own, layout)
    _begin(run, len(layout.table.places), None)

    def look_up(name: str, seed: bytes) -> tuple[Words | None, lookup.Found | None]:
        own, channel = Prg(seed), mesh.channel(name)
        listed = known = None
        if name in plan.lists.weights:
            listed = lookup.asker(channel, layout, order="table", rng=own).member.words
        if name in plan.owners:
            width = plan.value_bytes(name)
            known = lookup.asker(channel, layout, order="table", value_bytes=width, rng=own)
        return listed, known

    with span("lookups"), ThreadPool(len(mesh.peers)) as pool:
        found = list(pool.map(look_up, mesh.peers, [rng.bytes(SEED_BYTES) for _ in mesh.peers]))
    by_name = dict(zip(mesh.peers, found, strict=True))
    lists = {name: listed for name, (listed, _) in by_name.items() if listed is not None}
    tables = {name: known for name, (_, known) in by_name.items() if known is not None}
    outcome, reasons = decided(run, shared(run, lists, tables), secret)
    mesh.exchange(pb.DecisionReady())
    places = layout.table.places
    return Decisions(np.asarray(outcome)[places], np.asarray(reasons)[places])


def other(
    mesh: Mesh,
    plan: Plan,
    *,
    listed: Listed | None = None,
    known: Known | None = None,
    seeds: Seeds,
    triples: Triples,
    gate: Gate | None = None,
    rng: Rng = SYSTEM,
) -> int:
    """Play every part but the asker's; returns how many applicants there were.

    ``listed`` is what a holder brings and ``known`` a feature owner. ``gate`` bounds how many keys
    the asker may ask, and counts ``lookup.room`` of those that it announces, once for the list and
    once for the table. Raises ConfigError and DataError for what is missing, of another shape, out
    of range, or twice in a list or table, before anything is sent.
    """
    run, channel = _run(mesh, plan, seeds, triples), mesh.channel(plan.asker)
    entries, table = _brought(mesh.me, plan, listed, known)
    asked = _begin(run, None, gate)
    lists, tables = {}, {}
    with span("lookups"):
        if entries is not None:
            found = lookup.holder(channel, entries, order="table", asked=asked, rng=rng)
            lists[mesh.me] = found.member.words
        if table is not None:
            tables[mesh.me] = lookup.holder(
                channel,
                *table,
                fraction_bits=FRACTION_BITS,
                value_bytes=plan.value_bytes(mesh.me),
                order="table",
                asked=asked,
                rng=rng,
            )
    decided(run, shared(run, lists, tables), None)
    mesh.exchange(pb.DecisionReady())
    return asked


def _brought(
    me: str, plan: Plan, listed: Listed | None, known: Known | None
) -> tuple[Items | None, tuple[Items, Floats] | None]:
    """What ``me`` brings, checked: the entries of its list that count, and keys and values of its
    table."""
    if (listed is not None) != (me in plan.lists.weights):
        raise ConfigError(f"{me}: just holders of lists bring a list")
    if (known is not None) != (me in plan.owners):
        raise ConfigError(f"{me}: just feature owners bring a table")
    entries = table = None
    if listed is not None:
        entries = listed.young(plan.lists.since)
        entries.check_distinct()
    if known is not None:
        table = Items.of(known.keys), checked_table(plan, me, known)
        table[0].check_distinct()
    return entries, table


def rehearse(mesh: Mesh, plan: Plan, bins: int, triples: Triples) -> None:
    """Decide on ``bins`` bins (``cuckoo.bins``) of zeros, so that ``triples.drawn`` says what it
    takes. Nobody's input takes part."""
    run, party = _run(mesh, plan, common.agree(mesh), triples), 0 if mesh.me == plan.asker else 1
    widths = {name: len(plan.features.get(name, ())) for name in (plan.asker, *plan.owners)}
    tables = {}
    for owner in plan.owners:
        values = np.zeros((bins, widths[owner] + len(plan.ruled(owner))), np.uint64)
        member = Share(np.zeros(bins, np.uint64), party, 2)
        tables[owner] = lookup.Found(member, Share(values, party, 2, FRACTION_BITS))
    secret = None
    if mesh.me == plan.asker:
        others = np.zeros(sum(widths[owner] for owner in plan.scored))
        secret = Secret(others, np.zeros(1), np.zeros((bins, widths[plan.asker])))
    lists = {name: np.zeros(bins, np.uint64) for name in plan.lists.weights}
    decided(run, shared(run, lists, tables), secret)


def _secret(plan: Plan, model: Model, own: Floats | None, layout: lookup.Layout) -> Secret:
    weights, places = checked_model(plan, model), layout.table.places
    owners = np.array([owner for owner, names in plan.features.items() for _ in names])
    mine = np.append(owners == plan.asker, False)
    products = np.zeros((layout.table.size, int(mine.sum())))
    products[places] = checked_own(plan, own, len(places)) * weights[mine]
    return Secret(weights[:-1][~mine[:-1]], weights[-1:], products)


def _run(mesh: Mesh, plan: Plan, seeds: Seeds, triples: Triples) -> Run:
    if set(mesh.names) != set(plan.parties):
        raise ConfigError(f"the plan names {plan.parties}, the mesh {mesh.names}")
    return Run(mesh, plan, seeds, triples)


def _begin(run: Run, keys: int | None, gate: Gate | None) -> int:
    """All are ready, have correlations for as many keys as the asker has, and allow so many."""
    mesh, asker = run.mesh, run.plan.asker
    if (keys is not None) != (mesh.me == asker):
        raise ConfigError(f"{mesh.me}: the asker is {asker}")
    with span("agree"):
        if keys is not None:
            run.triples.suffice_for(keys)
            mesh.broadcast(pb.DecisionAsked(keys=keys))
            asked = keys
        else:
            asked = mesh.channel(asker).recv(pb.DecisionAsked).keys
            run.triples.suffice_for(asked)
            # One that lies may ask other keys of the table than of the list.
            lookups = (mesh.me in run.plan.lists.weights) + (mesh.me in run.plan.owners)
            lookup.admit(gate, asker, asked, lookups=lookups)
        mesh.exchange(pb.DecisionReady())
    return asked
