# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import copy
import json
import math
import resource
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal, getcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.apps import scorecard_file
from mpc.apps.scorecard_file import Band
from mpc.errors import ConfigError
from mpc.protocols import scoring

GOOD = {
    "features": [
        {"name": "arrears", "owner": "tax_office", "mean": 2, "scale": 4.0, "weight": 0.5},
        {"name": "usage", "owner": "power_utility", "mean": -1.5, "scale": 0.5, "weight": -2},
        {"name": "revenue", "owner": "tax_office", "mean": 1e6, "scale": 1e5, "weight": 0.25},
    ],
    "intercept": -1.25,
    "bands": [
        {"name": "low", "from": 0},
        {"name": "mid", "from": 0.25},
        {"name": "high", "from": 0.5},
    ],
}


@pytest.fixture
def file(tmp_path):
    def write(data):
        path = tmp_path / "scorecard.json"
        path.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
        return path

    return write


def test_a_file_is_read(file):
    card = scorecard_file.load(file(GOOD), owners={"tax_office", "power_utility", "bank"})
    assert [f.name for f in card.features] == ["arrears", "usage", "revenue"]
    assert {owner: [f.name for f in fs] for owner, fs in card.owners.items()} == {
        "tax_office": ["arrears", "revenue"],
        "power_utility": ["usage"],
    }
    means, scales = card.standardisation(["revenue", "arrears"])
    assert (means.tolist(), scales.tolist()) == ([1e6, 2.0], [1e5, 4.0])
    assert card.weights(["usage"]).tolist() == [-2.0]
    assert card.bands == (Band("low", 0.0), Band("mid", 0.25), Band("high", 0.5))
    logits = card.logit(np.array([[2.0, -1.5, 1e6], [6.0, -1.0, 8e5]]))
    assert logits.tolist() == [-1.25, -1.25 + 0.5 - 2.0 - 0.5]


def test_saved_files_are_read_again(file, tmp_path):
    card = scorecard_file.load(file(GOOD))
    card.save(tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text()) == GOOD


@contextmanager
def small_disk():
    """Files may have no more than 100 bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_file_that_was_there(file, tmp_path):
    path = file(GOOD)
    before, card = path.read_bytes(), scorecard_file.load(path)
    with small_disk(), pytest.raises(ConfigError, match=f"cannot write {path}: File too large"):
        replace(card, intercept=1.0).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_saved_file_is_for_its_owner_only(file):
    path = file(GOOD)
    path.chmod(0o644)
    scorecard_file.load(path).save(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_nothing_secret_is_shown(file):
    shown = repr(scorecard_file.load(file(GOOD)))
    for secret in ("0.5", "-2", "1.25", "1000000", "mean", "weight", "intercept"):
        assert secret not in shown
    assert "arrears" in shown


@given(st.floats(-700, 700))
def test_probability_is_the_logistic_function(logit):
    getcontext().prec = 50
    exact = 1 / (1 + Decimal(-logit).exp())
    got = scoring.logistic(np.array([logit]))[0]
    assert got == pytest.approx(float(exact), rel=1e-14)


def test_probability_at_the_ends():
    with np.errstate(all="raise", under="ignore"):
        ends = scoring.logistic(np.array([-1e300, -800.0, 0.0, 800.0, 1e300]))
    assert ends.tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]


def test_bands_are_half_open_and_cover_everything():
    bands = [Band("low", 0.0), Band("mid", 0.25), Band("high", 0.5)]
    values = np.array([0.0, 0.2499, 0.25, math.nextafter(0.5, 0), 0.5, 1.0])
    assert scorecard_file.band(bands, values) == ["low", "low", "mid", "mid", "high", "high"]
    assert scorecard_file.band(bands, np.array([])) == []


def changed(path: str, value):
    """GOOD with what stands at ``path`` replaced, or removed."""
    data = copy.deepcopy(GOOD)
    *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    place = data
    for step in steps:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("intercept", ..., "the file lacks the key 'intercept'"),
        ("threshold", 0, "threshold is 0.0, but must be above 0 and below 1"),
        ("threshold", 1, "threshold is 1.0, but must be above 0 and below 1"),
        ("threshold", "half", "threshold must be a number"),
        ("extra", 1, "the file has the unknown key 'extra'; it may have features,"),
        ("features/1/weight", ..., r"features\[1\] lacks the key 'weight'"),
        ("features/1/wieght", 1, r"features\[1\] has the unknown key 'wieght'"),
        ("features/1", 5, r"features\[1\] must be an object with the keys name, owner"),
        ("features", [], "features must be a list of at least one object"),
        ("features", {}, "features must be a list"),
        ("bands", [], "bands must be a list"),
        ("intercept", "1", "intercept must be a number"),
        ("intercept", True, "intercept must be a number"),
        ("intercept", None, "intercept must be a number"),
        ("intercept", 10**400, "intercept must be a finite number"),
        ("features/0/mean", 1e301, r"features\[0\]\.mean must be a finite number"),
        ("features/0/scale", 0, r"features\[0\]\.scale is 0\.0, but must be above 0"),
        ("features/0/scale", -1, r"features\[0\]\.scale is -1\.0, but must be above 0"),
        ("features/0/name", "", r"features\[0\]\.name must be a text"),
        ("features/0/name", 7, r"features\[0\]\.name must be a text"),
        ("features/2/name", "arrears", r"features\[2\]\.name is 'arrears' again"),
        ("features/0/owner", "casino", r"features\[0\]\.owner is 'casino', which is no party"),
        ("bands/0/from", 0.1, r"bands\[0\]\.from is 0\.1, but the first band must begin at 0"),
        ("bands/1/from", 0, r"bands\[1\]\.from is 0\.0, but must exceed 0\.0"),
        ("bands/2/from", 0.2, r"bands\[2\]\.from is 0\.2, but must exceed 0\.25"),
        ("bands/2/from", 1, r"bands\[2\]\.from is 1\.0, but a band begins at 0 or above"),
        ("bands/2/from", 1.5, r"bands\[2\]\.from is 1\.5, but a band"),
        ("bands/2/name", "low", r"bands\[2\]\.name is 'low' again"),
        ("bands/1/to", 0.5, r"bands\[1\] has the unknown key 'to'; it may have name, from"),
    ],
)
def test_faults_name_the_file_the_key_and_the_mend(file, path, value, message):
    name = file(changed(path, value))
    with pytest.raises(ConfigError, match=message) as caught:
        scorecard_file.load(name, owners=["tax_office", "power_utility"])
    assert str(caught.value).startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "is not JSON"),
        (b'{"intercept": NaN}', "NaN is not a number"),
        (b'{"intercept": -Infinity}', "-Infinity is not a number"),
        (b'{"intercept": 1, "intercept": 2}', "the key 'intercept' is there twice"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "the file must be an object"),
    ],
)
def test_files_that_are_no_scorecard(file, text, message):
    with pytest.raises(ConfigError, match=message):
        scorecard_file.load(file(text))


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.json cannot be read: No such file"):
        scorecard_file.load(tmp_path / "none.json")
