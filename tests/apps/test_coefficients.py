# SPDX-License-Identifier: Apache-2.0
"""Coefficients as scikit-learn has them become a scorecard, and a scorecard gives them back."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mpc.apps import coefficients, scorecard_file
from mpc.apps.scorecard_file import Band
from mpc.errors import ConfigError
from mpc.protocols.scoring import logistic

OWNERS = {"arrears": "tax", "growth": "tax", "kwh": "utility"}
BANDS = [Band("low", 0.0), Band("high", 0.2)]
rng = np.random.default_rng(3)
ROWS = rng.normal(5, 3, (20, 3))


def fitted(**changes: Any) -> Any:
    """What a LogisticRegression has once it is fitted."""
    held = {"coef_": np.array([[0.5, -1.25, 2.0]]), "intercept_": np.array([-0.75])}
    return SimpleNamespace(**held | changes)


def scaler(**changes: Any) -> Any:
    """What a StandardScaler has once it is fitted."""
    held = {"mean_": np.array([1.0, 2.0, 3.0]), "scale_": np.array([0.5, 4.0, 2.0])}
    return SimpleNamespace(**held | changes)


def predicted(model: Any, rows: Any) -> Any:
    """scikit-learn's ``predict_proba(rows)[:, 1]``."""
    return logistic((rows @ model.coef_.T + model.intercept_)[:, 0])


@pytest.mark.parametrize("scaled", [None, scaler()])
def test_a_scorecard_scores_as_the_model_does(scaled: Any, tmp_path: Path) -> None:
    model = fitted()
    card = coefficients.scorecard(model, OWNERS, BANDS, scaler=scaled, threshold=0.2)
    z = ROWS if scaled is None else (ROWS - scaled.mean_) / scaled.scale_
    assert np.allclose(logistic(card.logit(ROWS)), predicted(model, z))
    card.save(tmp_path / "card.json")
    again = scorecard_file.load(tmp_path / "card.json", owners={"tax", "utility"})
    assert again.threshold == 0.2
    assert [f.owner for f in again.features] == list(OWNERS.values())
    assert np.array_equal(again.logit(ROWS), card.logit(ROWS))


def test_a_scorecard_gives_coefficients_back() -> None:
    card = coefficients.scorecard(fitted(), OWNERS, BANDS, scaler=scaler())
    model = SimpleNamespace()
    model.coef_, model.intercept_ = coefficients.of(card)
    assert model.coef_.shape == (1, 3)
    assert model.intercept_.shape == (1,)
    assert np.allclose(predicted(model, ROWS), logistic(card.logit(ROWS)))
    model.coef_, model.intercept_ = coefficients.of(card, scaler=True)
    assert np.array_equal(model.coef_, fitted().coef_)
    assert np.array_equal(model.intercept_, fitted().intercept_)


def test_flat_coefficients_and_a_single_intercept_will_do() -> None:
    model = fitted(coef_=np.array([0.5, -1.25, 2.0]), intercept_=-0.75)
    card = coefficients.scorecard(model, OWNERS, BANDS)
    assert card.intercept == -0.75
    assert card.threshold is None


@pytest.mark.parametrize(
    ("model", "scaled", "words"),
    [
        (fitted(coef_=np.ones((3, 3))), None, "3 rows: a scorecard is a model of two classes"),
        (fitted(coef_=np.ones((1, 2))), None, "coef_ has 2 values, not 3"),
        (fitted(intercept_=np.ones(2)), None, "intercept_ has 2 values, not 1"),
        (fitted(coef_=np.array([[1, np.nan, 1]])), None, "coef_ is not finite"),
        (fitted(feature_names_in_=["a", "b", "c"]), None, r"features are \['a', 'b', 'c'\]"),
        (fitted(), scaler(mean_=np.ones(4)), "mean_ has 4 values, not 3"),
        (fitted(), scaler(scale_=np.ones(2)), "scale_ has 2 values, not 3"),
        (fitted(), scaler(scale_=np.array([1.0, 0.0, 1.0])), "scale_ must be above 0"),
    ],
)
def test_what_does_not_fit_is_said(model: Any, scaled: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        coefficients.scorecard(model, OWNERS, BANDS, scaler=scaled)
