# SPDX-License-Identifier: Apache-2.0
"""The linear part of a joint score, and its probability at the receiver; see the package."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError, EncodingOverflow, ProtocolError
from mpc.kernels import ring
from mpc.net import columns
from mpc.net.mesh import Mesh
from mpc.pb.v1 import scoring_pb2 as pb
from mpc.primitives import fixed
from mpc.primitives.rng import SYSTEM, Rng
from mpc.primitives.sharing import Share
from mpc.protocols import seeds as common
from mpc.protocols.scoring.roles import (
    FEATURE_LIMIT,
    Floats,
    Model,
    Roles,
    all_weights,
    checked_features,
    checked_model,
    logistic,
)
from mpc.protocols.triples import Fixed, Triples
from mpc.tracing import span

Words = NDArray[np.uint64]

FRACTION_BITS = 24  # of a feature and of a weight; a logit carries twice as many
LOGIT_LIMIT = 2.0**14
REVEALED_BITS = 22  # of the fraction of a logit
BLOCK_BYTES = 1 << 21  # masked features of one message: what is in the caches while it is made

_DROPPED = np.uint64(2 * FRACTION_BITS - REVEALED_BITS)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Opened:
    """A model whose weights are opened under their masks: what a party needs to score rows by it.

    ``words`` holds, at the model owner, the encoded weights of each owner; at another feature
    owner, its own features' weights under their mask. Not for use by two threads at once.
    """

    mesh: Mesh
    roles: Roles
    triples: Triples
    seeds: common.Seeds
    masks: dict[str, Fixed]
    words: dict[str, Words]
    model: Model | None

    @property
    def owns(self) -> bool:
        """Whether this party is the model owner."""
        return self.mesh.me == self.roles.model_owner

    def __repr__(self) -> str:
        return f"Opened({self.mesh.me}, <secret>)"


def open_model(
    mesh: Mesh,
    roles: Roles,
    triples: Triples,
    *,
    model: Model | None = None,
    rng: Rng = SYSTEM,
) -> Opened:
    """Get a model ready for any number of scores; every party of ``roles`` does this.

    ``mesh`` is ``roles.over(mesh)``, ``triples`` are those of its parties, and the model owner
    gives ``model``. Raises EncodingOverflow for weights that leave no room for their sum.
    """
    if mesh.names != roles.parties:
        raise ConfigError(f"a mesh of {mesh.names}, where the score is among {roles.parties}")
    words: dict[str, Words] = {}
    if mesh.me == roles.model_owner:
        words = _encoded(roles, checked_model(roles, model))
    elif model is not None:
        raise ConfigError(f"{mesh.me} gives a model; the model owner is {roles.model_owner}")
    with span("model"):
        seeds = common.agree(mesh, rng=rng)
        masks = {
            name: triples.fixed(roles.features[name], 1, holder=mesh.names.index(name))
            for name in roles.helpers
        }
        if words:
            for name, mask in masks.items():
                masked = words[name] - mask.mask[:, 0]
                mesh.channel(name).send(pb.MaskedWeights(words=columns.pack(masked)))
        elif mesh.me in masks:
            channel, count = mesh.channel(roles.model_owner), roles.features[mesh.me]
            message = channel.recv(pb.MaskedWeights)
            words = {mesh.me: columns.unpack_uint64(message.words, count=count, peer=channel.peer)}
    return Opened(mesh, roles, triples, seeds, masks, words, model)


def prepare_model(mesh: Mesh, roles: Roles, triples: Triples, rows: int) -> None:
    """Make what a later ``open_model`` and ``rows`` rows take, before even the model is known."""
    for name in roles.helpers:
        triples.prepare_fixed(roles.features[name], 1, rows, holder=mesh.names.index(name))


def prepare(opened: Opened, rows: int) -> None:
    """Make what ``rows`` rows take before their features are known."""
    for mask in opened.masks.values():
        opened.triples.prepare_against(mask, rows)


def probability(opened: Opened, *, rows: int, features: Floats | None = None) -> Floats | None:
    """The probability of each row, float64 (rows,), at the receiver; None at the others.

    ``rows`` (at all parties) counts the rows, already in one order; ``features`` (feature owners)
    is rows x count, |value| <= 128. Raises DataError for a value out of range before anything is
    sent, ProtocolError for a peer that disagrees on the number of rows.
    """
    x = logit(opened, rows=rows, features=features)
    high = x.words >> _DROPPED
    if opened.mesh.me != opened.roles.receiver:
        opened.mesh.channel(opened.roles.receiver).send(pb.HighParts(words=columns.pack(high)))
        return None
    with span("reveal"):
        for name, message in opened.mesh.gather(pb.HighParts).items():
            high = high + columns.unpack_uint64(message.words, count=rows, peer=name)
    # The parties' low bits together are worth half a unit for each of them.
    units = ring.shift_signed(high << _DROPPED, int(_DROPPED)).view(np.int64)
    return logistic((units.astype(np.float64) + x.parties / 2) * 2.0**-REVEALED_BITS)


def logit(opened: Opened, *, rows: int, features: Floats | None = None) -> Share:
    """Shares of the logits (rows,) among all parties, to compute with; as in ``probability``."""
    mesh, roles = opened.mesh, opened.roles
    values = checked_features(roles, mesh.me, rows, features)
    # All draw for all, to keep in step; a party that has no part in a product gets zeros.
    drawn = {name: opened.triples.against(m, rows).take() for name, m in opened.masks.items()}
    with span("product"):
        words = opened.seeds.zero(rows)
        if opened.owns:
            words += _collected(opened, values) + sum(t["c"][:, 0] for t in drawn.values())
        elif mesh.me in roles.helpers:
            words += _answered(opened, values, **drawn[mesh.me])
    return Share(words, mesh.names.index(mesh.me), len(mesh.names), 2 * FRACTION_BITS)


def error_bound(roles: Roles, model: Model, features: Floats) -> Floats:
    """The largest error of each row's logit in ``probability``, and so of its probability.

    ``features`` has all of them, in the order of ``roles.features``. The error of a probability is
    at most a quarter of it.
    """
    weights = all_weights(model, roles.features)
    unit = 2.0 ** -(FRACTION_BITS + 1)
    rounding = np.abs(weights).sum() + np.abs(features).sum(axis=1) + unit * (len(weights) + 1)
    return np.asarray(unit * rounding + len(roles.parties) / 2 * 2.0**-REVEALED_BITS)


def _answered(opened: Opened, values: Floats, a: Words, c: Words) -> Words:
    """A feature owner's part of the logits, with rows ``a`` and its shares ``c`` of their sums."""
    mesh, rows = opened.mesh, len(values)
    channel = mesh.channel(opened.roles.model_owner)
    for part in _blocks(values.shape):
        masked = _fixed(values[part]) - a[part]
        channel.send(pb.MaskedFeatures(rows=rows), words=masked)
    return c[:, 0] + ring.matmul(a, opened.words[mesh.me])


def _collected(opened: Opened, values: Floats) -> Words:
    """The model owner's part of the logits, but for its shares of the masks' products."""
    mesh, roles, rows = opened.mesh, opened.roles, len(values)
    total = np.full(rows, _intercept(opened.model), np.uint64)
    if mesh.me in roles.features:
        total += ring.matmul(_fixed(values), opened.words[mesh.me])
    for name in roles.helpers:
        channel, width = mesh.channel(name), roles.features[name]
        for part in _blocks((rows, width)):
            message = channel.recv(pb.MaskedFeatures)
            if message.rows != rows:
                raise ProtocolError(name, f"scores {message.rows} rows where we have {rows}")
            count = len(total[part])
            words = columns.unpack(message.words, width=8 * width, count=count, peer=name)
            total[part] += ring.matmul(words.view("<u8"), opened.words[name])
    return total


def _blocks(shape: tuple[int, ...]) -> list[slice]:
    """Rows of each message; of no rows there is one, which says so."""
    step = max(1, BLOCK_BYTES // (8 * shape[1]))
    return [slice(start, start + step) for start in range(0, max(1, shape[0]), step)]


def _fixed(values: Floats) -> Words:
    """Fixed point of checked numbers."""
    return np.rint(values * 2.0**FRACTION_BITS).astype(np.int64).view(np.uint64)


def _encoded(roles: Roles, model: Model) -> dict[str, Words]:
    """The words of each owner's weights, checked: every sum has room."""
    flat = all_weights(model, roles.features)
    if not np.abs(flat).sum() * FEATURE_LIMIT + abs(model.intercept) < LOGIT_LIMIT:
        raise EncodingOverflow(
            f"sum |weight| * {FEATURE_LIMIT:.0f} + |intercept| is not below {LOGIT_LIMIT:.0f}: "
            "scores might not fit 64 bits. Standardise with smaller scales, which makes weights "
            "smaller, or take the Paillier form"
        )
    return {name: _fixed(np.asarray(model.weights[name], np.float64)) for name in roles.features}


def _intercept(model: Model | None) -> np.uint64:
    value = 0.0 if model is None else model.intercept
    return np.uint64(fixed.encode(np.array([value]), 2 * FRACTION_BITS)[0])
