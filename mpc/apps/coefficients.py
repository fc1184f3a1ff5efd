# SPDX-License-Identifier: Apache-2.0
"""Scorecards from the coefficients of scikit-learn, and back; scikit-learn itself is not needed.

A fitted ``LogisticRegression`` has ``coef_`` (1, d) and ``intercept_`` (1,), and what it was
fitted on is often standardised by a ``StandardScaler`` with ``mean_`` and ``scale_`` (d,), which
are what a scorecard has. Any object with these attributes will do::

    card = coefficients.scorecard(model, owners, bands, scaler=scaler)
    model.coef_, model.intercept_ = coefficients.of(card, scaler=True)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.apps.scorecard_file import Band, Feature, Scorecard
from mpc.errors import ConfigError

Floats = NDArray[np.float64]


def scorecard(
    model: Any,
    owners: Mapping[str, str],
    bands: Sequence[Band],
    *,
    scaler: Any = None,
    threshold: float | None = None,
) -> Scorecard:
    """The scorecard of a fitted binary ``model``.

    ``owners`` maps each feature to its owner, in the order of the model's columns. Without a
    ``scaler`` the features are taken as they are: mean 0 and scale 1. Raises ConfigError for a
    model of several classes, and for shapes that do not fit.
    """
    weights, intercept = _flat(model.coef_, "coef_"), _flat(model.intercept_, "intercept_")
    names = [str(name) for name in getattr(model, "feature_names_in_", owners)]
    if names != list(owners):
        raise ConfigError(f"the model's features are {names}, not {list(owners)}")
    count = len(owners)
    means = np.zeros(count) if scaler is None else _flat(scaler.mean_, "mean_")
    scales = np.ones(count) if scaler is None else _flat(scaler.scale_, "scale_")
    if not (scales > 0).all():
        raise ConfigError("scale_ must be above 0 for every feature")
    for name, given, wanted in (
        ("coef_", weights, count),
        ("intercept_", intercept, 1),
        ("mean_", means, count),
        ("scale_", scales, count),
    ):
        if len(given) != wanted:
            raise ConfigError(f"{name} has {len(given)} values, not {wanted}, for {count} features")
    features = tuple(
        Feature(name, owners[name], float(mean), float(scale), float(weight))
        for name, mean, scale, weight in zip(names, means, scales, weights, strict=True)
    )
    return Scorecard(features, float(intercept[0]), tuple(bands), threshold)


def of(card: Scorecard, *, scaler: bool = False) -> tuple[Floats, Floats]:
    """``coef_`` (1, d) and ``intercept_`` (1,), in the order of the scorecard's features.

    For features as they stand in the tables; with ``scaler``, for standardised ones.
    """
    names = [feature.name for feature in card.features]
    weights, intercept = card.weights(names), card.intercept
    if not scaler:
        means, scales = card.standardisation(names)
        weights = weights / scales
        intercept -= float(weights @ means)
    return weights[None, :], np.array([intercept])


def _flat(values: Any, name: str) -> Floats:
    array = np.asarray(values, np.float64)
    if array.ndim == 2 and len(array) != 1:
        raise ConfigError(f"{name} has {len(array)} rows: a scorecard is a model of two classes")
    flat = array.reshape(-1)
    if not np.isfinite(flat).all():
        raise ConfigError(f"{name} is not finite")
    return flat
