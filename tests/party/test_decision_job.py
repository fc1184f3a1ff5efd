# SPDX-License-Identifier: Apache-2.0
"""The job file of a decision: what is read, what is refused, and the words about each part."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from mpc.errors import ConfigError
from mpc.party import jobs
from mpc.protocols.decision import Rule

HEAD = """
kind = "decision"
session = "loans"
asker = "bank"
refer_from = 0.1
decline_from = 0.35
reasons = 2
"""
LISTS = """
[lists]
threshold = 2
since = 2024-01-01
weights = { tax = 2, lender = 1 }
"""
FEATURES = """
[features]
bank = ["overdraft"]
tax = ["arrears", "growth"]
utility = ["kwh"]
"""
RULES = """
[[rules]]
name = "revenue fell"
values.tax = { now = 1.0, before = -0.7 }
unit = 1000.0
then = "decline"

[[rules]]
name = "uses little power"
values.utility = { kwh_total = 1 }
below = 20
then = "refer"
"""
WHOLE = HEAD + LISTS + FEATURES + RULES


def read(folder: Path, text: str) -> jobs.DecisionJob:
    path = folder / "job.toml"
    path.write_text(text)
    job = jobs.load(path)
    assert isinstance(job, jobs.DecisionJob)
    return job


def test_the_order_of_a_table_says_nothing(tmp_path: Path) -> None:
    turned = WHOLE.replace("tax = 2, lender = 1", "lender = 1, tax = 2")
    turned = turned.replace("now = 1.0, before = -0.7", "before = -0.7, now = 1.0")
    lines = FEATURES.splitlines()
    turned = turned.replace(FEATURES, "\n".join([*lines[:2], *lines[:1:-1], ""]))
    one, other = read(tmp_path, WHOLE), read(tmp_path, turned)
    assert one.parameters() == other.parameters()
    assert (one.parties, one.plan.names) == (other.parties, other.plan.names)
    assert one.terms() == other.terms()
    assert [one.gives(name) for name in one.parties] == [other.gives(name) for name in one.parties]
    # The order of a list does say something: which feature is which.
    swapped = read(tmp_path, WHOLE.replace('"arrears", "growth"', '"growth", "arrears"'))
    assert one.parameters() != swapped.parameters()


def test_a_decision_job(tmp_path: Path) -> None:
    job = read(tmp_path, WHOLE)
    plan = job.plan
    assert (job.session, job.receiver, plan.asker) == ("loans", "bank", "bank")
    assert job.parties == ("bank", "lender", "tax", "utility")
    assert job.meets("lender") == ("bank", "tax", "utility")
    assert (plan.lists.threshold, plan.lists.since) == (2, date(2024, 1, 1))
    assert plan.lists.weights == {"tax": 2, "lender": 1}
    assert plan.features == {
        "bank": ("overdraft",),
        "tax": ("arrears", "growth"),
        "utility": ("kwh",),
    }
    fell, little = plan.rules
    terms = {("tax", "now"): 1.0, ("tax", "before"): -0.7}
    assert fell == Rule("revenue fell", terms, 0.0, "decline", 1000.0)
    assert little == Rule("uses little power", {("utility", "kwh_total"): 1.0}, 20.0, "refer", 1.0)


def test_the_least_a_decision_job_says(tmp_path: Path) -> None:
    head = HEAD.replace("reasons = 2\n", "")
    job = read(tmp_path, head + "[lists]\nweights.tax = 1\n" + '[features]\ntax = ["arrears"]')
    assert (job.plan.lists.threshold, job.plan.lists.since) == (1, None)
    assert job.plan.rules == ()
    assert job.plan.reasons == 0
    assert job.parties == ("bank", "tax")
    said = f"{job.learns('bank')} {' '.join(job.terms())}"
    assert "weigh" not in said
    assert "since" not in said
    assert "counts" not in said


def test_all_that_is_agreed_is_compared(tmp_path: Path) -> None:
    ours = read(tmp_path, WHOLE).parameters()
    assert ours["kind"] == "decision"
    assert ours["lists.weights"] == ["lender 1", "tax 2"]
    assert ours["features.tax"] == ["arrears", "growth"]
    changes = {
        "refer_from": ("0.1", "0.1000000001"),
        "decline_from": ("0.35", "0.36"),
        "reasons": ("reasons = 2", "reasons = 1"),
        "lists.threshold": ("threshold = 2", "threshold = 3"),
        "lists.since": ("2024-01-01", "2023-12-31"),
        "lists.weights": ("tax = 2", "tax = 3"),
        "features.utility": ('"kwh"', '"kwh_trend"'),
    }
    for key, (old, new) in changes.items():
        theirs = read(tmp_path, WHOLE.replace(old, new, 1)).parameters()
        assert {name for name in ours if ours[name] != theirs[name]} == {key}
    for old, new in (
        ("fell", "fell by 30 %"),
        ("-0.7", "-0.8"),
        ("before", "year_before"),
        ("1000.0", "100.0"),
        ("below = 20", "below = 21"),
        ('then = "refer"', 'then = "decline"'),
    ):
        theirs = read(tmp_path, WHOLE.replace(old, new, 1)).parameters()
        assert {name for name in ours if ours[name] != theirs[name]} == {"rules"}, new


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('session = "loans"', "", "session is missing"),
        ('asker = "bank"', "", "asker is missing"),
        ("refer_from = 0.1", "", "refer_from is missing"),
        ("refer_from = 0.1", "refer = 0.1", r"refer_from is missing; is refer meant for it\?"),
        ("decline_from = 0.35", 'decline_from = "a third"', "decline_from must be a number"),
        ("refer_from = 0.1", "refer_from = 0.5", "probabilities between 0 and 1, the first not"),
        ("reasons = 2", "reasons = 5", "5 reasons of 4 features"),
        ("reasons = 2", "reasons = 1.5", "reasons must be a whole number"),
        ("reasons = 2", "resons = 2", "resons is not a known key; did you mean reasons"),
        ("threshold = 2", "threshold = 4", "threshold is 4; the lists weigh 1 to 3"),
        ("threshold = 2", "threshold = true", "lists.threshold must be a whole number"),
        ("threshold = 2", "treshold = 2", "lists.treshold is not a known key; did you mean"),
        ("since = 2024-01-01", 'since = "2024-01-01"', "lists.since must be a day such as"),
        ("since = 2024-01-01", "since = 2024-01-01T10:00:00", "lists.since must be a day"),
        ("tax = 2, lender = 1", "tax = 0, lender = 2", "weights are 1 to 65536"),
        ("tax = 2, lender = 1", "", "takes 1 to 16 holders"),
        ("lender = 1", "bank = 1", "the asker 'bank' not among them"),
        ("lender = 1", 'lender = "one"', "lists.weights.lender must be a whole number"),
        ("weights = { tax = 2, lender = 1 }", "weights = 3", r"must be a table, \[lists.weights\]"),
        ('["arrears", "growth"]', '["arrears", "kwh"]', "features names 'kwh' at two owners"),
        ('["arrears", "growth"]', "[]", "features.tax must be a list of texts"),
        ('tax = ["arrears", "growth"]\nutility = ["kwh"]', "", "parties other than the asker"),
        ('name = "revenue fell"', "", r"rules\[1\].name is missing"),
        (
            '"revenue fell"',
            r'"fell\u001b[2J"',
            r"rules\[1\].name has control characters: 'fell\\x1b",
        ),
        ("now = 1.0", r'"\nnow" = 1.0', r"rules\[1\].values.tax.\?now is no name, or has control"),
        ("lender = 1", "LENDER = 1", "'LENDER' cannot be a party's name"),
        ("lender = 1", r'"\u001b[2J" = 1', r"lists.weights.\?\[2J is no name"),
        (
            'then = "refer"',
            'then = "approve"',
            "power': then must be \"refer\" or .*, not 'approve'",
        ),
        ("values.tax", "values.bank", "not of the asker"),
        ("now = 1.0", "now = 1.5", "'revenue fell': 1 to 8 features with coefficients"),
        ("values.tax = { now = 1.0, before = -0.7 }", "", "'revenue fell': 1 to 8 features"),
        ("now = 1.0", 'now = "all"', r"rules\[1\].values.tax.now must be a number"),
        ("unit = 1000.0", "unit = 0", "a unit above 0"),
        (
            "below = 20",
            "below = 300000",
            "'uses little power': below is 300000.0 and must be under",
        ),
        ("below = 20", "bellow = 20", r"rules\[2\].bellow is not a known key; did you mean below"),
    ],
)
def test_a_fault_names_the_file_the_key_and_the_mend(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    assert old in WHOLE
    with pytest.raises(ConfigError, match=words) as caught:
        read(tmp_path, WHOLE.replace(old, new, 1))
    assert str(caught.value).count("job.toml") == 1
    assert str(caught.value).isprintable()


def test_rules_that_are_no_tables(tmp_path: Path) -> None:
    for rules in ("rules = 3", "rules = [3]", "[rules]"):
        with pytest.raises(ConfigError, match=r"rules must be tables, \[\[rules\]\]"):
            read(tmp_path, f"{HEAD}{rules}\n{LISTS}{FEATURES}")


def test_the_terms_in_words(tmp_path: Path) -> None:
    declined, referred, source = read(tmp_path, WHOLE).terms()
    assert source.startswith("The parties make the random numbers")
    assert declined == (
        "Declined: 2 or more of the lists of lender, tax (counts 2) hold the applicant by entries "
        "since 2024-01-01; or its probability of default is 0.35 or more; or revenue fell: "
        "−0.7 × tax.before + 1 × tax.now below 0 (in units of 1000)."
    )
    assert referred == (
        "Else referred: its probability of default is 0.1 or more; or tax or utility does not "
        "know it; or uses little power: 1 × utility.kwh_total below 20."
    )


def test_a_rule_is_shown_as_it_is_computed_whatever_its_name_says(tmp_path: Path) -> None:
    text = WHOLE.replace("before = -0.7", "before = 0.7000001").replace(
        '"revenue fell"', '"harmless"'
    )
    declined, *_ = read(tmp_path, text).terms()
    assert "harmless: 0.7000001 × tax.before + 1 × tax.now below 0" in declined
    more = text.replace("0.35", "0.3500001")
    assert "default is 0.3500001 or more" in read(tmp_path, more).terms()[0]


def test_what_each_gives_and_comes_to_know(tmp_path: Path) -> None:
    job = read(tmp_path, WHOLE)
    assert job.gives("bank") == (
        "the ids of its applicants; the weights of the score; overdraft of its applicants"
    )
    assert job.gives("tax") == "its list; arrears, growth; before, now for rules"
    assert job.gives("lender") == "its list"
    assert job.gives("utility") == "kwh; kwh_total for rules"
    assert job.learns("bank").startswith("approve, refer or decline for each applicant; for those")
    assert job.learns("lender") == "how many applicants there are"
    assert "means and scales of its features" in job.learns("tax")
    assert "which list" in job.never("bank") or "on which list" in job.never("bank")
    for party in ("tax", "lender", "utility"):
        assert "who applied" in job.never(party)


def test_the_words_are_the_same_wherever_the_file_is_read(tmp_path: Path) -> None:
    def words(name: str) -> list[str]:
        (tmp_path / name).mkdir()
        job = read(tmp_path / name, WHOLE)
        said = job.terms()
        for party in job.parties:
            said += [job.gives(party), job.learns(party), job.never(party)]
        return said

    assert words("bank") == words("tax")
    assert all(words("lender"))


def test_bounds_in_place_of_sizes_are_compared_and_said(tmp_path: Path) -> None:
    job = read(tmp_path, WHOLE.replace("reasons = 2", "pad_to = { tax = 1_000, bank = 20 }"))
    assert job.parameters()["pad_to"] == ["bank 20", "tax 1000"]
    assert read(tmp_path, WHOLE).parameters()["pad_to"] == []
    assert (
        "In place of how many ids it has, bank shows 20 and tax shows 1,000, a bound that it does "
        "not exceed."
    ) in job.terms()
    assert job.learns("bank").endswith("; how long lists and tables are (of tax: at most 1,000)")
    assert job.learns("lender") == "how many applicants there are (of bank: at most 20)"
    bare = read(tmp_path, WHOLE)
    assert "at most" not in " ".join([*bare.terms(), bare.learns("bank"), bare.learns("lender")])
    with pytest.raises(
        ConfigError, match=r"pad_to.ta brings no ids .*; bank, lender, tax, utility"
    ):
        read(tmp_path, WHOLE.replace("reasons = 2", "pad_to = { ta = 20 }"))
