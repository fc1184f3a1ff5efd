# SPDX-License-Identifier: Apache-2.0
"""Job files: what is read, what is refused, and what the words about each part say."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpc.apps.score_results import Wanted
from mpc.errors import ConfigError
from mpc.party import jobs

BLACKLIST = """
kind = "blacklist"
session = "s1"
asker = "bank"
holders = ["tax", "lender"]
"""
SCORE = """
kind = "score"
session = "s2"
model_owner = "bank"
receiver = "bank"
[features]
tax = ["growth", "arrears"]
utility = ["kwh"]
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "job.toml"
    path.write_text(text)
    return path


def test_a_blacklist_job(tmp_path: Path) -> None:
    job = jobs.load(write(tmp_path, BLACKLIST))
    assert job == jobs.BlacklistJob("s1", "bank", ("tax", "lender"))
    assert job.parties == ("bank", "tax", "lender")
    assert job.parameters() == {"kind": "blacklist", "asker": "bank", "holders": ["tax", "lender"]}


def test_a_score_job(tmp_path: Path) -> None:
    job = jobs.load(write(tmp_path, SCORE))
    assert isinstance(job, jobs.ScoreJob)
    assert job.features == {"tax": ("growth", "arrears"), "utility": ("kwh",)}
    assert job.parties == ("bank", "tax", "utility")
    assert job.parameters() == {
        "kind": "score",
        "model_owner": "bank",
        "receiver": "bank",
        "feature_owners": ["tax", "utility"],
        "features.tax": ["growth", "arrears"],
        "features.utility": ["kwh"],
        "output": "probability",
        "threshold": "None",
        "reasons": 0,
        "reasons_for": "low",
        "form": "auto",
        "key_bits": 3072,
    }


def test_what_a_score_gives(tmp_path: Path) -> None:
    text = 'output = "decision"\nthreshold = 0.2\nreasons = 2\nreasons_for = "high"' + SCORE
    job = jobs.load(write(tmp_path, text))
    assert isinstance(job, jobs.ScoreJob)
    assert job.wanted == Wanted("decision", 2, raising=True, threshold=0.2)
    learns = job.learns("bank")
    assert learns.startswith("whether each score is at least the threshold, the 2 features that ra")
    assert job.parameters()["threshold"] == "0.2"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind = 3", "kind must be a text in quotes"),
        ('kind = "auction"', 'must be "blacklist", "score" or "decision"'),
        ("session = 's'", "kind is missing"),
        (BLACKLIST.replace('asker = "bank"', ""), "asker is missing"),
        (BLACKLIST.replace('"tax", ', '"bank", '), "names the asker"),
        (BLACKLIST.replace('"tax", ', '"lender", '), "names something twice"),
        (BLACKLIST.replace('["tax", "lender"]', "[]"), "must be a list of texts"),
        (BLACKLIST + "limit = 2", "limit is not a known key; known here: asker"),
        (SCORE.replace('["kwh"]', '["growth"]'), "names 'growth' at two owners"),
        (SCORE.replace('tax = ["growth", "arrears"]\nutility', "bank"), "other than the model"),
        ("key_bits = 1024" + SCORE, "must be 2048, 3072 or 4096, not 1024"),
        ('output = "odds"' + SCORE, "no output 'odds'"),
        ("reasons = 4" + SCORE, "reasons asks for 4 of 3 features"),
        ('reasons_for = "both"' + SCORE, 'must be "low" or "high"'),
        ('threshold = "half"' + SCORE, "threshold must be a number"),
        ("threshold = 2" + SCORE, "not between 0 and 1"),
        ('key_bits = "big"' + SCORE, "must be a whole number"),
        (SCORE.replace("[features]", "features = 1\n[other]"), r"must be a table, \[features\]"),
        ("kind = ", "is not TOML"),
    ],
)
def test_a_fault_names_the_file_the_key_and_the_mend(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        jobs.load(write(tmp_path, text))
    assert "job.toml" in str(caught.value)


def test_a_missing_or_binary_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*No such file"):
        jobs.load(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        jobs.load(tmp_path / "binary.toml")


def test_only_members_take_part(tmp_path: Path) -> None:
    job = jobs.load(write(tmp_path, BLACKLIST))
    jobs.check_member(job, "tax")
    with pytest.raises(ConfigError, match=r"'utility' has no part .* bank, tax, lender"):
        jobs.check_member(job, "utility")


def test_every_part_is_put_in_words(tmp_path: Path) -> None:
    for text in (BLACKLIST, SCORE):
        job = jobs.load(write(tmp_path, text))
        for party in job.parties:
            assert job.gives(party)
            assert job.learns(party)
    score = jobs.ScoreJob("s", "model", "bank", {"bank": ("a",), "tax": ("b", "c")})
    assert score.gives("bank") == "the ids to score, 1 feature per company"
    assert score.gives("model") == "the weights"
    assert score.learns("model") == "how many companies are scored"
    assert "which of its companies" in score.learns("tax")
