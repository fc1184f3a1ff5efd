# SPDX-License-Identifier: Apache-2.0
"""A party's own file: what it may say of its data and of each kind of job."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpc.errors import ConfigError, DataError
from mpc.net.tls import make_identity
from mpc.party import config, read

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
        ("blacklist", 'list = "x"', "data, most_keys, output"),
        ("blacklist", 'list = "companies"', "data, most_keys, output"),
        ("blacklist", 'scorecard = "card.json"', "data, most_keys, output"),
        ("score", "most_keys = 5", "data, output, scorecard, triples"),
        ("score", 'list = "companies"', "data, output, scorecard, triples"),
    ],
)
def test_a_key_that_a_kind_of_job_does_not_use_is_refused(
    path: Path, kind: str, line: str, known: str
) -> None:
    path.write_text(WHOLE.replace(f"[jobs.{kind}]", f"[jobs.{kind}]\n{line}"))
    key = line.split(maxsplit=1)[0]
    with pytest.raises(ConfigError, match=rf"jobs\.{kind}\.{key} is not .*known here: {known}$"):
        config.load(path)


def test_a_kind_of_job_that_there_is_not(path: Path) -> None:
    path.write_text(WHOLE.replace("[jobs.decision]", "[jobs.decison]"))
    words = r"jobs\.decison is no kind of job; there are blacklist, deal, decision, score"
    with pytest.raises(ConfigError, match=words):
        config.load(path)


@pytest.mark.parametrize("table", ["policy", "approvals", "audit", "keystore"])
def test_a_table_that_nothing_reads_is_refused(path: Path, table: str) -> None:
    path.write_text(f"{WHOLE}\n[{table}]\nmost = 1\n")
    with pytest.raises(ConfigError, match=rf"{table} is not a known key; known here: .*data, jobs"):
        config.load(path)


def test_what_a_table_may_leave_out(path: Path) -> None:
    (path.parent / "companies.csv").write_text("code;name\nA;one\nB;two\na;three\n;four\n")
    told: list[str] = []

    def ids(*lines: str) -> list[str]:
        said = "\n".join(('id = ["code"]', *lines))
        path.write_text(WHOLE.replace('id = ["code"]', said))
        grant = config.load(path).grant("blacklist")
        return read.holding(grant.data, "blacklist", notify=told.append).ids.array().to_pylist()

    split = 'delimiter = ";"'
    with pytest.raises(DataError, match="has no column 'code'"):
        ids()
    with pytest.raises(DataError, match=r'nulls="drop" skips them.*duplicates="first" skips them'):
        ids(split)
    with pytest.raises(DataError, match="have no id"):
        ids(split, 'duplicates = "first"')
    assert told == []
    assert ids(split, 'duplicates = "first"', 'nulls = "drop"') == ["A", "B"]
    assert told == [
        "left out of companies.csv: 1 rows without an id, 1 with that of an earlier row"
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('duplicates = "last"', "companies.duplicates must be one of error, first, not 'last'"),
        ('nulls = "zero"', "companies.nulls must be one of error, drop, not 'zero'"),
        ('delimiter = ", "', "companies.delimiter must be one character"),
        ('duplicates = "first"\ndates = "day"', 'cannot be "first" in a list with dates'),
    ],
)
def test_a_fault_of_a_table(path: Path, line: str, words: str) -> None:
    path.write_text(WHOLE.replace('id = ["code"]', f'id = ["code"]\n{line}'))
    with pytest.raises(ConfigError, match=words):
        config.load(path)


def test_a_tab_between_columns(path: Path) -> None:
    path.write_text(WHOLE.replace('id = ["code"]', 'id = ["code"]\ndelimiter = "\\t"'))
    found = config.load(path).grant("blacklist").data
    assert found is not None
    assert found.delimiter == "\t"
