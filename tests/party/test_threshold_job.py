# SPDX-License-Identifier: Apache-2.0
"""The job file of a blacklist check that names no list: what is read, refused, and said of it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from mpc.errors import ConfigError
from mpc.party import jobs
from mpc.protocols.threshold import Terms

WHOLE = """
kind = "blacklist"
session = "applicants"
asker = "bank"
holders = ["tax", "lender", "court"]
threshold = 2
weights = { tax = 2 }
since = 2024-01-01
"""
COUNT = WHOLE.replace("threshold = 2", 'output = "count"')
LEAST = WHOLE.replace("weights = { tax = 2 }\nsince = 2024-01-01\n", "")


def read(folder: Path, text: str) -> jobs.ThresholdJob:
    path = folder / "job.toml"
    path.write_text(text)
    job = jobs.load(path)
    assert isinstance(job, jobs.ThresholdJob)
    return job


def test_a_job_with_a_threshold(tmp_path: Path) -> None:
    job, weights = read(tmp_path, WHOLE), {"tax": 2, "lender": 1, "court": 1}
    assert job.lists == Terms("bank", 2, weights, "bit", date(2024, 1, 1))
    assert (job.kind, job.session, job.receiver) == ("blacklist", "applicants", "bank")
    assert job.parties == ("bank", "tax", "lender", "court")
    assert job.meets("lender") == ("bank", "tax", "court")
    assert read(tmp_path, LEAST).lists == Terms("bank", 2, dict.fromkeys(weights, 1))
    assert read(tmp_path, COUNT).lists == Terms("bank", 1, weights, "count", date(2024, 1, 1))
    # Without any of them it is the form that names holders.
    (tmp_path / "job.toml").write_text(LEAST.replace("threshold = 2\n", ""))
    assert isinstance(jobs.load(tmp_path / "job.toml"), jobs.BlacklistJob)


def test_all_that_is_agreed_is_compared(tmp_path: Path) -> None:
    ours = read(tmp_path, WHOLE).parameters()
    changes = {
        "threshold": ("threshold = 2", "threshold = 3"),
        "since": ("2024-01-01", "2023-12-31"),
        "weights": ("tax = 2", "tax = 3"),
        "asker": ('"bank"', '"bank_b"'),
    }
    for key, (old, new) in changes.items():
        theirs = read(tmp_path, WHOLE.replace(old, new, 1)).parameters()
        assert {name for name in ours if ours[name] != theirs[name]} == {key}
    theirs = read(tmp_path, COUNT).parameters()
    assert {name for name in ours if ours[name] != theirs[name]} == {"output", "threshold"}
    plain = jobs.BlacklistJob("applicants", "bank", ("tax", "lender", "court")).parameters()
    assert ours.keys() - plain.keys() == {"output", "threshold", "weights", "since"}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("threshold = 2", "", "threshold is missing: how much must the lists weigh"),
        ("threshold = 2", "threshold = 5", "threshold is 5; the lists weigh 1 to 4 together"),
        ("threshold = 2", "threshold = 0", "threshold is 0; the lists weigh 1 to 4"),
        ("threshold = 2", 'threshold = "two"', "threshold must be a whole number"),
        ("threshold = 2", 'threshold = 2\noutput = "count"', "threshold is of output = \"bit\""),
        ("threshold = 2", 'threshold = 2\noutput = "shares"', "bit or count, as shares are no"),
        ("threshold = 2", 'threshold = 2\noutput = "names"', "the output is bit, count or shares"),
        ("threshold = 2", "treshold = 2", "threshold is missing"),
        ("tax = 2", "tax = 0", "weights are 1 to 65536"),
        ("tax = 2", "utility = 2", "weights.utility is not a known key; known here: court"),
        ("since = 2024-01-01", 'since = "2024"', "since must be a day such as"),
        ('"tax", ', '"bank", ', "the asker 'bank' not among them"),
        ('session = "applicants"', "", "session is missing"),
    ],
)  # fmt: skip
def test_a_fault_names_the_file_the_key_and_the_mend(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    text = WHOLE.replace(old, new, 1)
    if new in ("utility = 2", '"bank", '):
        text = text if new == "utility = 2" else text.replace("weights = { tax = 2 }\n", "")
    with pytest.raises(ConfigError, match=words) as caught:
        read(tmp_path, text)
    assert str(caught.value).count("job.toml") == 1


def test_the_terms_in_words(tmp_path: Path) -> None:
    assert read(tmp_path, WHOLE).terms() == [
        "For each id of bank, whether 2 or more of the lists of tax (counts 2), lender, court hold "
        "it by entries since 2024-01-01."
    ]
    assert read(tmp_path, LEAST).terms() == [
        "For each id of bank, whether 2 or more of the lists of tax, lender, court hold it."
    ]
    assert read(tmp_path, COUNT).terms() == [
        "For each id of bank, how many of the lists of tax (counts 2), lender, court hold it by "
        "entries since 2024-01-01."
    ]


def test_what_each_gives_and_comes_to_know(tmp_path: Path) -> None:
    job = read(tmp_path, WHOLE)
    assert (job.gives("bank"), job.gives("tax")) == ("the ids it asks about", "its list")
    assert job.learns("bank") == (
        "whether 2 or more of the lists hold each of its ids, as they count; "
        "how many entries since 2024-01-01 each list has"
    )
    assert read(tmp_path, LEAST).learns("bank") == (
        "whether 2 or more of the lists hold each of its ids; how many entries each list has"
    )
    assert read(tmp_path, COUNT).learns("bank").startswith("how many of the lists hold each of its")
    assert "which of the lists hold an id" in job.never("bank")
    for party in ("tax", "lender", "court"):
        assert job.learns(party) == "how many ids were asked"
        assert "which of them it lists" in job.never(party)
