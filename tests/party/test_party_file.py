# SPDX-License-Identifier: Apache-2.0
"""A party's own file: what it may say of its data and of each kind of job."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpc.errors import ConfigError
from mpc.net.tls import make_identity
from mpc.party import config

WHOLE = """
name = "bank"
listen = "127.0.0.1:7100"
key = "bank.key"
certificate = "bank.crt"

[data.companies]
file = "companies.csv"
id = ["code"]

[jobs.blacklist]
data = "companies"
output = "listed.csv"

[jobs.score]
data = "companies"
scorecard = "card.json"
output = "scores.csv"

[jobs.decision]
data = "companies"
list = "companies"
most_keys = 100
scorecard = "card.json"
output = "decisions.csv"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    make_identity("bank", tmp_path)
    (tmp_path / "bank.toml").write_text(WHOLE)
    return tmp_path / "bank.toml"


def test_what_each_kind_may_say(path: Path) -> None:
    found = config.load(path)
    assert list(found.grants) == ["blacklist", "score", "decision"]
    assert found.grant("blacklist").output == path.parent / "listed.csv"
    assert found.grant("score").scorecard == path.parent / "card.json"
    assert found.grant("decision").most_keys == 100
    assert found.grant("decision").counts == path.parent / "bank.keys.json"


@pytest.mark.parametrize(
    ("kind", "line", "known"),
    [
        ("blacklist", "most_keys = 5", "data, output"),
        ("blacklist", 'list = "companies"', "data, output"),
        ("blacklist", 'scorecard = "card.json"', "data, output"),
        ("score", "most_keys = 5", "data, output, scorecard"),
        ("score", 'list = "companies"', "data, output, scorecard"),
    ],
)
def test_a_key_that_a_kind_of_job_does_not_use_is_refused(
    path: Path, kind: str, line: str, known: str
) -> None:
    path.write_text(WHOLE.replace(f"[jobs.{kind}]", f"[jobs.{kind}]\n{line}"))
    key = line.split()[0]
    with pytest.raises(ConfigError, match=rf"jobs\.{kind}\.{key} is not .*known here: {known}$"):
        config.load(path)


def test_a_kind_of_job_that_there_is_not(path: Path) -> None:
    path.write_text(WHOLE.replace("[jobs.decision]", "[jobs.decison]"))
    words = r"jobs\.decison is no kind of job; there are blacklist, decision, score"
    with pytest.raises(ConfigError, match=words):
        config.load(path)


@pytest.mark.parametrize("table", ["policy", "approvals", "audit", "keystore"])
def test_a_table_that_nothing_reads_is_refused(path: Path, table: str) -> None:
    path.write_text(f"{WHOLE}\n[{table}]\nmost = 1\n")
    with pytest.raises(ConfigError, match=rf"{table} is not a known key; known here: .*data, jobs"):
        config.load(path)
