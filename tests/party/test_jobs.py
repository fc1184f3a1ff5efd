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
    assert job.parameters() == {
        "kind": "blacklist",
        "asker": "bank",
        "holders": ["tax", "lender"],
        "pad_to": [],
    }
    assert not [line for line in job.terms() if "bound" in line]
    assert job.learns("bank").endswith("; the length of each list")
    assert job.learns("tax") == "how many ids were asked"


def test_a_file_as_other_systems_write_it(tmp_path: Path) -> None:
    path = tmp_path / "job.toml"
    path.write_bytes(b"\xef\xbb\xbf" + BLACKLIST.replace("\n", "\r\n").encode())
    assert jobs.load(path) == jobs.load(write(tmp_path, BLACKLIST))


def test_a_file_without_an_end_is_not_read_to_it() -> None:
    with pytest.raises(ConfigError, match="/dev/zero has more than 1 MB"):
        jobs.load("/dev/zero")


@pytest.mark.parametrize("form", ["", "threshold = 2\n", 'output = "count"\n'])
def test_bounds_of_a_blacklist_job(tmp_path: Path, form: str) -> None:
    job = jobs.load(write(tmp_path, BLACKLIST + form + "pad_to = { tax = 1_000, bank = 20 }\n"))
    assert job.parameters()["pad_to"] == ["bank 20", "tax 1000"]
    assert job.terms()[-1] == (
        "In place of how many ids it has, bank shows 20 and tax shows 1,000, a bound that it does "
        "not exceed."
    )
    assert job.learns("bank").endswith(" (of tax: at most 1,000)")
    assert job.learns("tax") == "how many ids were asked (of bank: at most 20)"


def test_bounds_of_a_score_job(tmp_path: Path) -> None:
    job = jobs.load(write(tmp_path, "pad_to = { tax = 1_000, bank = 20 }" + SCORE))
    assert job.parameters()["pad_to"] == ["bank 20", "tax 1000"]
    assert "tax shows 1,000" in job.terms()[2]
    assert job.learns("bank").endswith("how many ids each of them has (of tax: at most 1,000)")
    assert "; how many ids bank has (of bank: at most 20); means" in job.learns("utility")


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
        "pad_to": [],
        "output": "probability",
        "threshold": "None",
        "reasons": 0,
        "reasons_for": "low",
        "form": "auto",
        "key_bits": 3072,
        "source": "vole",
        "dealer": "",
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
        (BLACKLIST.replace('asker = "bank"', ""), "asker is missing$"),
        (BLACKLIST.replace("asker", "askr"), r"asker is missing; is askr meant for it\?"),
        (SCORE.replace("[features]", "[feature]"), r"features is missing; is feature meant for it"),
        (BLACKLIST.replace('"tax", ', '"bank", '), "names the asker"),
        (BLACKLIST.replace('"tax", ', '"lender", '), "names something twice"),
        (BLACKLIST.replace('["tax", "lender"]', "[]"), "must be a list of texts"),
        (BLACKLIST + "limit = 2", "limit is not a known key; known here: asker"),
        (BLACKLIST + "pad_to = 5", r"pad_to must be a table, \[pad_to\]"),
        (BLACKLIST + "pad_to = { tax = 0 }", "pad_to.tax must be 1 to 268,435,456, not 0"),
        (BLACKLIST + "pad_to = { tax = 2.5 }", "pad_to.tax must be a whole number"),
        (BLACKLIST + "pad_to = { ta = 5 }", "pad_to.ta brings no ids .*; bank, tax, lender do"),
        ("pad_to = { bank = -1 }" + SCORE, "pad_to.bank must be 1 to"),
        ("pad_to = { model = 5 }" + SCORE.replace('r = "bank"', 'r = "model"', 1), "no ids"),
        (SCORE.replace('["kwh"]', '["growth"]'), "names 'growth' at two owners"),
        (SCORE.replace('tax = ["growth", "arrears"]\nutility', "bank"), "other than the model"),
        ("key_bits = 1024" + SCORE, "must be 2048, 3072 or 4096, not 1024"),
        (
            'output = "odds"' + SCORE,
            "output must be one of probability, band, decision, reasons, not 'odds'",
        ),
        ('form = "odd"' + SCORE, "form must be one of auto, shares, paillier, not 'odd'"),
        ("reasons = 4" + SCORE, "reasons asks for 4 of 3 features"),
        ('reasons_for = "both"' + SCORE, 'must be "low" or "high"'),
        ('threshold = "half"' + SCORE, "threshold must be a number"),
        ("threshold = 2" + SCORE, "not between 0 and 1"),
        ('key_bits = "big"' + SCORE, "must be a whole number"),
        (SCORE.replace("[features]", "features = 1\n[other]"), r"must be a table, \[features\]"),
        ("kind = ", "is not TOML"),
        ("deep = " + "[" * 5000, "nested too deep"),
        (BLACKLIST.replace('"tax"', '"Tax"'), "'Tax' cannot be a party's name"),
        (
            BLACKLIST.replace('"bank"', r'"ba\u001b[2Jnk"'),
            r"asker has control characters: 'ba\\x1b",
        ),
        (BLACKLIST.replace('"s1"', r'"s\n1"'), "session has control characters"),
        (BLACKLIST + r'"\u001b[2J" = 1', r"\?\[2J is not a known key"),
        (SCORE.replace('"kwh"', r'"k\rwh"'), "features.utility has control characters"),
        (SCORE.replace("utility", r'"\u001b[2J"'), r"features.\?\[2J is no name, or has control"),
        (SCORE.replace("utility", "UTILITY"), "'UTILITY' cannot be a party's name"),
    ],
)
def test_a_fault_names_the_file_the_key_and_the_mend(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        jobs.load(write(tmp_path, text))
    assert "job.toml" in str(caught.value)
    assert str(caught.value).isprintable()


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


OWN = {"bank": ("age",), "tax": ("growth", "arrears"), "utility": ("kwh",)}


def score_of(
    features: dict[str, tuple[str, ...]], *, owner: str = "bank", output: str = "probability"
) -> jobs.ScoreJob:
    wanted = Wanted(output, threshold=0.5 if output == "decision" else None)
    return jobs.ScoreJob("s", owner, "bank", features, wanted)


def warned(job: jobs.ScoreJob) -> list[str]:
    return [line for line in job.terms() if line.startswith("Warning: ")]


def test_a_receiver_who_owns_the_model_is_told_an_equation() -> None:
    job = score_of(OWN)
    assert job.learns("bank").startswith(
        "each score and its band; so one linear equation on the 3 features of others for each; "
    )
    assert job.learns("bank").endswith(
        "; which of its ids all feature owners know; how many ids each of them has"
    )
    assert "; how many ids bank has; " in job.learns("tax")
    assert job.never("bank") == "a feature of another party, beyond that equation"
    assert job.never("tax") == "a feature of another party, a weight, a score"
    assert not warned(job)


def test_an_equation_with_one_unknown_is_that_feature() -> None:
    job = score_of({"bank": ("age", "size"), "utility": ("kwh",)})
    assert "; so the value of kwh for each; " in job.learns("bank")
    assert job.never("bank") == "a feature of companies that it does not ask about"
    assert warned(job) == [
        "Warning: kwh is the only feature that bank does not own, and it owns the weights: each "
        "score tells it that feature."
    ]


def test_a_receiver_without_the_model_can_solve_for_it() -> None:
    job = score_of(OWN, owner="model")
    assert "; so all weights, from 5 rows whose features it knows; " in job.learns("bank")
    assert job.never("bank") == (
        "a feature of another party or a weight, beyond what it can solve for"
    )
    assert not warned(job)
    whole = score_of({"bank": ("age", "size")}, owner="model")
    assert "so all weights, from 3 rows" in whole.learns("bank")
    (warning,) = warned(whole)
    assert warning.startswith("Warning: bank owns all features: scores of a few rows")
    assert "another party" not in whole.never("bank")


@pytest.mark.parametrize("output", ["band", "decision"])
def test_less_than_a_probability_is_no_equation(output: str) -> None:
    for owner in ("bank", "model"):
        job = score_of({"bank": ("age",), "utility": ("kwh",)}, owner=owner, output=output)
        assert "equation" not in job.learns("bank")
        assert "weights" not in job.learns("bank")
        assert job.never("bank").endswith(", beyond what the result says of them")
        assert ("a weight" in job.never("bank")) == (owner == "model")
        assert not warned(job)
