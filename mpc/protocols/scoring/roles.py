# SPDX-License-Identifier: Apache-2.0
"""Who takes which part in a joint score, and what they put in, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError, DataError
from mpc.net.mesh import Mesh

Floats = NDArray[np.float64]

FEATURE_LIMIT = 128.0
"""The largest size of a feature: they are standardised, so that is as many scales from the mean."""


@dataclass(frozen=True, slots=True)
class Roles:
    """Who does what; public, and the same at every party.

    ``features`` maps each feature owner, in the agreed order, to how many features it holds.
    """

    model_owner: str
    receiver: str
    features: dict[str, int]

    def __post_init__(self) -> None:
        if not self.helpers:
            raise ConfigError("a joint score needs a feature owner other than the model owner")
        if short := [owner for owner, count in self.features.items() if count < 1]:
            raise ConfigError(f"{short[0]} owns no feature: leave it out of this score")

    @property
    def helpers(self) -> tuple[str, ...]:
        """The feature owners who compute with the model owner: all but itself."""
        return tuple(name for name in self.features if name != self.model_owner)

    @property
    def parties(self) -> tuple[str, ...]:
        """Everyone with a role, the model owner first."""
        return tuple(dict.fromkeys((self.model_owner, *self.features, self.receiver)))

    @property
    def count(self) -> int:
        """How many features there are."""
        return sum(self.features.values())

    def over(self, mesh: Mesh) -> Mesh:
        """The parties with a role, in the order of ``parties``, out of a mesh that has them all."""
        channels = {name: mesh.channel(name) for name in self.parties if name != mesh.me}
        return Mesh(mesh.me, self.parties, channels)


@dataclass(frozen=True, slots=True)
class Model:
    """The model owner's secret: ``weights[owner]`` in the order of that owner's features."""

    weights: dict[str, Floats]
    intercept: float

    def __repr__(self) -> str:
        return "Model(<secret>)"


def checked_features(roles: Roles, me: str, rows: int, features: Floats | None) -> Floats:
    """What ``me`` gives, of shape (rows, count); of no columns when it owns no feature.

    Raises ConfigError for another shape, DataError for NaN, infinity and what is too large.
    """
    shape = (rows, roles.features.get(me, 0))
    values = np.zeros(shape) if features is None else np.asarray(features, np.float64)
    if values.shape != shape or (features is None and shape[1]):
        given = "none" if features is None else f"an array of shape {values.shape}"
        raise ConfigError(f"{me} must give features of shape {shape}, not {given}")
    # Extremes first, which NaN is of, since that is one pass; then the place of what is wrong.
    if values.size and not max(values.max(), -values.min()) <= FEATURE_LIMIT:
        wrong = ~(np.abs(values) <= FEATURE_LIMIT)
        row, column = (int(i) for i in np.argwhere(wrong)[0])
        raise DataError(
            f"{int(wrong.sum())} feature values are not numbers within ±{FEATURE_LIMIT:.0f}; "
            f"the first is feature {column} of row {row}"
        )
    return values


def checked_model(roles: Roles, model: Model | None) -> Model:
    """The model owner's ``model``. Raises ConfigError unless it has a weight for each feature."""
    if model is None:
        raise ConfigError(f"{roles.model_owner} is the model owner and must give the model")
    counts = {name: len(weights) for name, weights in model.weights.items()}
    if counts != roles.features:
        raise ConfigError(f"the model has weights for {counts}, the roles say {roles.features}")
    return model


def all_weights(model: Model, owners: Iterable[str]) -> Floats:
    """The weights in the order of ``owners`` and of their features."""
    return np.concatenate([np.asarray(model.weights[name], np.float64) for name in owners])


def logistic(logit: Floats) -> Floats:
    """1 / (1 + exp(-logit)), without overflow at either end."""
    small = np.exp(-np.abs(logit))
    return np.asarray(np.where(logit >= 0, 1 / (1 + small), small / (1 + small)))
