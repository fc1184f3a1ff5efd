# SPDX-License-Identifier: Apache-2.0
"""The joint score of companies: features at several parties, a scorecard at one, results at one.

    receiver                       feature owner k                      model owner
      its ids      <-- alignment -->  its ids
      ScoredRows ------------------- (a model owner without a table) ------> rows
                                      z = (x - mean) / scale  <-- Standardisation
                   <----------- the score of mpc.protocols.scoring ----------->
      probability  <--------------- (a receiver who is not the model owner) -- Bands

Learns: the receiver, the score of each of its companies that all feature owners know, and with each
feature owner which companies they have in common; a feature owner, which of its companies are
scored, and the means and scales of its own features (figures of the model owner's population); the
model owner, how many companies are scored. Features and weights: see ``mpc.protocols.scoring``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpc.apps import alignment, scorecard_file
from mpc.apps.id_columns import Ids
from mpc.apps.row_report import first_rows
from mpc.apps.scorecard_file import Band, Scorecard
from mpc.apps.tables import Table
from mpc.errors import ConfigError, DataError, ProtocolError
from mpc.net import columns
from mpc.net.mesh import Mesh
from mpc.pb.v1 import scorecard_pb2 as pb
from mpc.primitives import paillier
from mpc.primitives.rng import SYSTEM, Rng
from mpc.protocols import scoring


@dataclass(frozen=True, slots=True)
class Plan:
    """Who does what; public, and the same at every party. ``features`` maps owner to names."""

    model_owner: str
    receiver: str
    features: dict[str, tuple[str, ...]]
    key_bits: int = 3072

    @property
    def roles(self) -> scoring.Roles:
        counts = {owner: len(names) for owner, names in self.features.items()}
        return scoring.Roles(self.model_owner, self.receiver, counts)


@dataclass(frozen=True, slots=True)
class Holding:
    """A party's own table and its ids, in the order of its rows."""

    table: Table
    ids: Ids


@dataclass(frozen=True, slots=True)
class Scores:
    """What the receiver gets: for the ids at ``positions``, ascending, probability and band."""

    positions: NDArray[np.intp]
    probability: NDArray[np.float64]
    band: list[str]


def play(
    mesh: Mesh,
    plan: Plan,
    *,
    holding: Holding | None = None,
    scorecard: Scorecard | None = None,
    notify: Callable[[str], None] = lambda _: None,
    rng: Rng = SYSTEM,
) -> Scores | None:
    """Play every role that ``plan`` gives to ``mesh.me``; return the scores to the receiver.

    ``holding`` is what the receiver and the feature owners bring, ``scorecard`` the model owner.
    Raises what the roles of ``scoring`` raise, and DataError for a feature that is missing, or more
    than 128 scales from its mean.
    """
    check(plan, mesh.me, holding=holding, scorecard=scorecard)
    secret = None
    if scorecard is not None:
        notify("making a Paillier key")
        secret, _ = paillier.keygen(plan.key_bits, rng=rng)
    notify("finding the companies in common")
    positions, rows = _aligned(mesh, plan, holding, rng)
    if scorecard is not None:
        _standardise_peers(mesh, plan, scorecard)
    features = None
    if mesh.me in plan.features and holding is not None:
        features = _standardised(mesh, plan, holding, positions, scorecard)
    notify(f"scoring {rows:,} companies")
    logits = scoring.paillier.score(
        mesh,
        plan.roles,
        rows=rows,
        features=features,
        model=None if scorecard is None else _model(plan, scorecard),
        secret=secret,
        rng=rng,
    )
    if scorecard is not None and mesh.me != plan.receiver:
        _hand_over_bands(mesh, plan, scorecard)
    if logits is None:
        return None
    return _scores(scorecard.bands if scorecard else _bands_of(mesh, plan), positions, logits)


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


# --- which rows --------------------------------------------------------------------------------


def _aligned(
    mesh: Mesh, plan: Plan, holding: Holding | None, rng: Rng
) -> tuple[NDArray[np.intp], int]:
    """This party's positions in the order of the receiver, and how many they are."""
    followers = [name for name in plan.features if name != plan.receiver]
    apart = plan.model_owner not in (plan.receiver, *plan.features)
    if mesh.me == plan.receiver and holding is not None:
        found = alignment.leader(mesh, holding.ids.array(), followers, rng=rng)
        if apart:
            mesh.channel(plan.model_owner).send(pb.ScoredRows(rows=len(found)))
        return found, len(found)
    channel = mesh.channel(plan.receiver)
    if mesh.me in plan.features and holding is not None:
        found = alignment.follower(channel, holding.ids.array(), rng=rng)
        return found, len(found)
    return np.empty(0, np.intp), int(channel.recv(pb.ScoredRows).rows)


# --- features ----------------------------------------------------------------------------------


def _standardise_peers(mesh: Mesh, plan: Plan, scorecard: Scorecard) -> None:
    for owner, names in plan.features.items():
        if owner != mesh.me:
            means, scales = scorecard.standardisation(names)
            message = pb.Standardisation(
                names=names, means=columns.pack(means), scales=columns.pack(scales)
            )
            mesh.channel(owner).send(message)


def _standardised(
    mesh: Mesh,
    plan: Plan,
    holding: Holding,
    positions: NDArray[np.intp],
    scorecard: Scorecard | None,
) -> NDArray[np.float64]:
    """z = (x - mean) / scale of this party's features, in the agreed order of rows."""
    names = plan.features[mesh.me]
    rows = holding.ids.rows(positions)
    if scorecard is not None:
        means, scales = scorecard.standardisation(names)
    else:
        means, scales = _told(mesh, plan, names)
    z = (holding.table.features(names, rows) - means) / scales
    for column, name in enumerate(names):
        far = rows[~(np.abs(z[:, column]) <= scoring.FEATURE_LIMIT)]
        if len(far):
            raise DataError(
                f"{holding.table.path}, column {name!r}: {len(far):,} of {len(rows):,} rows are "
                f"more than {scoring.FEATURE_LIMIT:.0f} scales from the mean "
                f"({first_rows(np.sort(far))}); mend them, or ask for another scale"
            )
    return np.asarray(z, np.float64)


def _told(
    mesh: Mesh, plan: Plan, names: tuple[str, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The means and scales the model owner sends, checked."""
    peer = plan.model_owner
    message = mesh.channel(peer).recv(pb.Standardisation)
    if tuple(message.names) != names:
        raise ProtocolError(peer, f"standardises {list(message.names)}, the job says {list(names)}")
    means, scales = (
        columns.unpack_uint64(column, peer=peer, count=len(names)).view(np.float64)
        for column in (message.means, message.scales)
    )
    if not (np.isfinite(means).all() and np.isfinite(scales).all() and (scales > 0).all()):
        raise ProtocolError(peer, "a mean or scale is not finite, or a scale not positive")
    return means, scales


def _model(plan: Plan, scorecard: Scorecard) -> scoring.Model:
    weights = {owner: scorecard.weights(names) for owner, names in plan.features.items()}
    return scoring.Model(weights, scorecard.intercept)


# --- results -----------------------------------------------------------------------------------


def _hand_over_bands(mesh: Mesh, plan: Plan, scorecard: Scorecard) -> None:
    starts = np.array([band.start for band in scorecard.bands])
    names = [band.name for band in scorecard.bands]
    mesh.channel(plan.receiver).send(pb.Bands(names=names, starts=columns.pack(starts)))


def _bands_of(mesh: Mesh, plan: Plan) -> list[Band]:
    """The bands the model owner sends, checked: they begin at 0 and ascend below 1."""
    peer = plan.model_owner
    message = mesh.channel(peer).recv(pb.Bands)
    starts = columns.unpack_uint64(message.starts, peer=peer, count=len(message.names))
    values = starts.view(np.float64)
    ascending = len(values) and values[0] == 0 and (np.diff(values) > 0).all() and values[-1] < 1
    if not ascending:
        raise ProtocolError(peer, "the bands do not begin at 0 and ascend below 1")
    return [Band(*pair) for pair in zip(message.names, values.tolist(), strict=True)]


def _scores(
    bands: Sequence[Band], positions: NDArray[np.intp], logits: NDArray[np.float64]
) -> Scores:
    order = np.argsort(positions)
    probability = scoring.logistic(logits[order])
    return Scores(positions[order], probability, scorecard_file.band(bands, probability))
