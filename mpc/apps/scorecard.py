# SPDX-License-Identifier: Apache-2.0
"""The joint score of companies: features at several parties, a scorecard at one, results at one.

    receiver                       feature owner k                      model owner
      its ids      <-- alignment -->  its ids
      ScoredRows ------------------- (a model owner without a table) ------> rows
                                      z = (x - mean) / scale  <-- Standardisation
                   <---------------------- ``score_results`` ------------------>

Learns: the receiver, what it asked for (a probability with its band, a band, a decision, reasons)
on each of its companies that all feature owners know, and which these are; a feature owner, which
of its companies are scored, and the means and scales of its own features (figures of the model
owner's population); the model owner, how many companies are scored. Features and weights: see
``mpc.protocols.scoring``, whose form is chosen by their number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mpc.apps import alignment, score_results, standardisation
from mpc.apps.holding import Holding
from mpc.apps.score_results import Scored, Scores, Wanted
from mpc.apps.scorecard_file import Scorecard
from mpc.errors import ConfigError, ProtocolError
from mpc.net.mesh import Mesh
from mpc.pb.v1 import scorecard_pb2 as pb
from mpc.primitives.rng import SYSTEM, Rng
from mpc.protocols import scoring
from mpc.protocols.triples import Triples

MOST_ROWS = 1 << 28
"""As many as an alignment takes: more are not to be had in common."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Who does what; public, and the same at every party. ``features`` maps owner to names, and
    ``pad_to`` a party to the bound that it shows in place of how many ids it has."""

    model_owner: str
    receiver: str
    features: dict[str, tuple[str, ...]]
    wanted: Wanted = field(default_factory=Wanted)
    pad_to: Mapping[str, int] = field(default_factory=dict)

    @property
    def roles(self) -> scoring.Roles:
        counts = {owner: len(names) for owner, names in self.features.items()}
        return scoring.Roles(self.model_owner, self.receiver, counts)

    @property
    def most_rows(self) -> int | None:
        """How many rows there may be, where the receiver shows a bound: that is all that the
        others know beforehand. Where it shows none, its own number may be far below their bounds.
        """
        return min(self.pad_to.values()) if self.receiver in self.pad_to else None


def play(
    mesh: Mesh,
    plan: Plan,
    *,
    holding: Holding | None = None,
    scorecard: Scorecard | None = None,
    triples: Triples | None = None,
    notify: Callable[[str], None] = lambda _: None,
    rng: Rng = SYSTEM,
) -> Scores | None:
    """Play every role that ``plan`` gives to ``mesh.me``; return the scores to the receiver.

    ``holding`` is what the receiver and the feature owners bring, ``scorecard`` the model owner.
    ``triples`` are those of ``plan.roles.over(mesh)``, for the form on shares, which makes them
    where none are given.
    Raises what the roles of ``scoring`` raise, and DataError for a feature that is missing, or more
    than 128 scales from its mean; TooFew for ``triples`` made ahead for fewer rows than the bounds
    of ``plan`` say that there may be, before an id is compared.
    """
    check(plan, mesh.me, holding=holding, scorecard=scorecard)
    if triples is not None and plan.most_rows is not None:
        triples.suffice_for(plan.most_rows)
    notify("finding the companies in common")
    positions, rows = _aligned(mesh, plan, holding, rng)
    if scorecard is not None:
        standardisation.tell(mesh, plan.features, scorecard)
    features = None
    if mesh.me in plan.features and holding is not None:
        features = _standardised(mesh, plan, holding, positions, scorecard)
    notify(f"scoring {rows:,} companies")
    given = Scored(mesh, plan.roles, plan.features, positions, rows, features, scorecard, rng)
    scores = score_results.score(given, plan.wanted, triples)
    return None if scores is None else scores.sorted()


def check(plan: Plan, me: str, *, holding: Holding | None, scorecard: Scorecard | None) -> None:
    """ConfigError or DataError for what ``me`` lacks or has too much of, before any message."""
    if (scorecard is not None) != (me == plan.model_owner):
        needs = "needs the scorecard" if scorecard is None else "must not be given the scorecard"
        raise ConfigError(f"{me} {needs}: the model owner is {plan.model_owner}")
    if holding is None and (me == plan.receiver or me in plan.features):
        raise ConfigError(f"{me} takes part with a table, and none was given")
    if holding is not None and me in plan.features:
        holding.table.require(plan.features[me])
    if scorecard is not None:
        named = {owner: tuple(f.name for f in owned) for owner, owned in scorecard.owners.items()}
        if {k: set(v) for k, v in named.items()} != {k: set(v) for k, v in plan.features.items()}:
            raise ConfigError(f"the scorecard has the features {named}, the job {plan.features}")
        plan.wanted.checked(scorecard)


# --- which rows --------------------------------------------------------------------------------


def _aligned(
    mesh: Mesh, plan: Plan, holding: Holding | None, rng: Rng
) -> tuple[NDArray[np.intp], int]:
    """This party's positions in the order of the receiver, and how many they are."""
    followers = [name for name in plan.features if name != plan.receiver]
    apart = plan.model_owner not in (plan.receiver, *plan.features)
    if mesh.me == plan.receiver and holding is not None:
        ids = holding.ids.array()
        found = alignment.leader(mesh, ids, followers, pad_to=plan.pad_to, rng=rng)
        if apart:
            mesh.channel(plan.model_owner).send(pb.ScoredRows(rows=len(found)))
        return found, len(found)
    channel = mesh.channel(plan.receiver)
    if mesh.me in plan.features and holding is not None:
        ids = holding.ids.array()
        found = alignment.follower(mesh, ids, plan.receiver, followers, pad_to=plan.pad_to, rng=rng)
        return found, len(found)
    rows = int(channel.recv(pb.ScoredRows).rows)
    if rows > MOST_ROWS:
        raise ProtocolError(channel.peer, f"scores {rows} rows, more than {MOST_ROWS}")
    return np.empty(0, np.intp), rows


# --- features ----------------------------------------------------------------------------------


def _standardised(
    mesh: Mesh,
    plan: Plan,
    holding: Holding,
    positions: NDArray[np.intp],
    scorecard: Scorecard | None,
) -> NDArray[np.float64]:
    """This party's features, standardised, in the agreed order of rows."""
    names = plan.features[mesh.me]
    if scorecard is not None:
        by = scorecard.standardisation(names)
    else:
        by = standardisation.told(mesh.channel(plan.model_owner), names)
    rows = holding.ids.rows(positions)
    return standardisation.applied(holding.table, names, rows, by, scoring.FEATURE_LIMIT)
