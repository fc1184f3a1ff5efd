# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import collections
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from mpc.apps import alignment, blacklist, companies, scorecard_file
from mpc.apps.companies import in_the_open, write_demo
from mpc.apps.identifiers import CREDIT_CODE
from mpc.apps.tables import Table
from mpc.errors import ConfigError
from mpc.protocols import scoring
from mpc.testing import run_mesh


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return write_demo(tmp_path_factory.mktemp("demo"), 3000, seed=7)


def opened(source):
    table = Table.open(source.path)
    return table, table.ids(source.id_column, scheme=CREDIT_CODE).array().to_pylist()


def test_each_party_has_files_of_its_own(demo):
    files = sorted(str(p.relative_to(demo.folder)) for p in demo.folder.rglob("*") if p.is_file())
    assert files == [
        "bank/applicants.csv",
        "bank/scorecard.json",
        "lender_b/defaulters.parquet",
        "lender_c/late_payers.csv",
        "power_utility/customers.csv",
        "tax_office/offenders.csv",
        "tax_office/taxpayers.parquet",
    ]
    for party, source in [*demo.tables.items(), *demo.lists.items()]:
        assert source.path.parent == demo.folder / party


def test_files_overlap_in_part_and_differ_in_order(demo):
    ids = {party: opened(source)[1] for party, source in demo.tables.items()}
    bank, tax, power = (set(ids[p]) for p in ("bank", "tax_office", "power_utility"))
    assert len(bank) == 3000
    assert 0.9 < len(tax) / 3000 < 1
    assert 0.87 < len(power) / 3000 < 0.97
    assert tax < bank
    assert power < bank
    assert tax - power
    assert power - tax
    common = tax & power
    orders = [[i for i in ids[p] if i in common] for p in ids]
    assert len({tuple(order) for order in orders}) == 3
    assert all(order != sorted(order) for order in orders)


def test_lists_overlap_and_are_rare(demo):
    listed = {holder: set(opened(source)[1]) for holder, source in demo.lists.items()}
    assert all(0.02 < len(ids) / 3000 < 0.12 for ids in listed.values())
    assert listed["tax_office"] & listed["lender_b"]
    assert listed["tax_office"] ^ listed["lender_b"]


def test_some_codes_are_written_in_another_form(demo):
    source = demo.tables["power_utility"]
    raw = Table.open(source.path).ids(source.id_column, normalise=False).array().to_pylist()
    odd = [
        code for code in raw if not (len(code) == 18 and code.isascii() and code == code.upper())
    ]
    assert 0.02 < len(odd) / len(raw) < 0.06
    assert any(code.strip() != code for code in odd)
    assert any(not code.strip().isascii() for code in odd)
    assert any(code != code.upper() for code in odd)


def test_the_scorecard_fits_the_tables(demo):
    card = scorecard_file.load(demo.scorecard, owners=list(demo.tables))
    assert set(card.owners) == set(demo.tables)
    for owner, features in card.owners.items():
        table, _ = opened(demo.tables[owner])
        names = [feature.name for feature in features]
        means, scales = card.standardisation(names)
        z = (table.features(names) - means) / scales
        # Standardised features have mean 0 and spread 1 or so, and are far from the limit of 128.
        assert np.abs(z.mean(axis=0)).max() < 0.15
        assert np.abs(z.std(axis=0) - 1).max() < 0.25
        assert np.abs(z).max() < 30


def test_answers_in_the_open_agree_with_the_library(demo):
    """Two ways to the same answers: dictionaries here, columns there."""
    card = scorecard_file.load(demo.scorecard)
    answers = in_the_open(demo)
    bank = opened(demo.tables["bank"])[1]
    assert list(answers) == bank
    rows = {p: {i: r for r, i in enumerate(opened(s)[1])} for p, s in demo.tables.items()}
    common = [i for i in bank if all(i in own for own in rows.values())]
    values = np.hstack(
        [
            Table.open(demo.tables[owner].path).features(
                [f.name for f in features], np.array([rows[owner][i] for i in common])
            )
            for owner, features in card.owners.items()
        ]
    )
    probabilities = scoring.logistic(card.logit(values))
    bands = scorecard_file.band(card.bands, probabilities)
    assert [i for i, a in answers.items() if a.band is not None] == common
    np.testing.assert_allclose([answers[i].probability for i in common], probabilities, rtol=1e-12)
    assert [answers[i].band for i in common] == bands
    listed = {holder: set(opened(source)[1]) for holder, source in demo.lists.items()}
    for code, answer in answers.items():
        assert answer.listed_by == tuple(h for h in companies.HOLDERS if code in listed[h])


def test_every_kind_of_answer_occurs(demo):
    answers = in_the_open(demo).values()
    bands = collections.Counter(answer.band for answer in answers)
    assert set(bands) == {"low", "moderate", "high", None}
    assert min(bands.values()) > 150
    assert {len(answer.listed_by) for answer in answers} == {0, 1, 2, 3}
    outcomes = collections.Counter(answer.outcome for answer in answers)
    assert set(outcomes) == {"approve", "refer", "decline"}
    assert min(outcomes.values()) > 300
    assert {answer.probability is None for answer in answers if answer.reasons} == {True, False}
    assert {answer.reasons is None for answer in answers if answer.outcome == "decline"} == {False}


def test_unhealthy_companies_are_listed_more_often(demo):
    answers = [a for a in in_the_open(demo).values() if a.band]
    share = {
        band: np.mean([bool(a.listed_by) for a in answers if a.band == band])
        for band in ("low", "moderate", "high")
    }
    assert share["low"] < share["moderate"] < share["high"]


def test_the_same_seed_gives_the_same_files(demo, tmp_path):
    again = write_demo(tmp_path / "again", 3000, seed=7)
    other = write_demo(tmp_path / "other", 3000, seed=8)
    for path in demo.folder.rglob("*.*"):
        name = path.relative_to(demo.folder)
        assert (again.folder / name).read_bytes() == path.read_bytes()
        if path.suffix != ".json":
            assert (other.folder / name).read_bytes() != path.read_bytes()


def test_fewer_applicants_than_companies(demo, tmp_path):
    some = write_demo(tmp_path, 3000, seed=7, applicants=100)
    assert len(opened(some.tables["bank"])[1]) == 100
    assert len(in_the_open(some)) == 100
    none = write_demo(tmp_path, 200, applicants=0)
    assert in_the_open(none) == {}
    for wrong in (-1, 201):
        with pytest.raises(ConfigError, match="applicants of 200"):
            write_demo(tmp_path, 200, applicants=wrong)


def test_the_answers_are_not_taken_from_the_generator(demo, tmp_path):
    """A changed file changes the answers: they come from what is on disk."""
    copy = write_demo(tmp_path, 3000, seed=7)
    source = copy.lists["lender_b"]
    pq.write_table(pq.read_table(source.path).slice(0, 0), source.path)
    card = json.loads(copy.scorecard.read_text())
    card["intercept"] = 50.0
    copy.scorecard.write_text(json.dumps(card))
    answers = in_the_open(copy).values()
    assert not any("lender_b" in answer.listed_by for answer in answers)
    assert {answer.band for answer in answers} == {"high", None}


def test_the_joint_jobs_find_what_is_true_in_the_open(tmp_path):
    """From the files of each party to the answers, through the library."""
    small = write_demo(tmp_path, 400, seed=3, applicants=300)
    held = {p: Table.open(s.path).ids(s.id_column) for p, s in small.tables.items()}
    listed = {h: Table.open(s.path).ids(s.id_column) for h, s in small.lists.items()}
    answers, followers = in_the_open(small), ["tax_office", "power_utility"]

    def bank(mesh):
        found = blacklist.asker(mesh, held["bank"].array(), list(listed))
        return found, alignment.leader(mesh, held["bank"].array(), followers)

    def holder(name):
        def role(mesh):
            channel = mesh.channel("bank")
            asked = blacklist.holder(channel, listed[name].array()) if name in listed else None
            if name not in held:
                return asked, None
            return asked, alignment.follower(mesh, held[name].array(), "bank", followers)

        return role

    others = ("tax_office", "power_utility", "lender_b", "lender_c")
    played = run_mesh({"bank": bank, **{name: holder(name) for name in others}})
    result, agreed = played["bank"]
    by_holder = zip(*result.by_holder.values(), strict=True)
    named = [tuple(h for h, hit in zip(listed, hits, strict=True) if hit) for hits in by_holder]
    assert named == [answer.listed_by for answer in answers.values()]
    assert [bool(names) for names in named] == result.listed.tolist()
    assert {played[h][0] for h in listed} == {300}

    common = held["bank"].array().take(agreed).to_pylist()
    assert sorted(common) == sorted(code for code, a in answers.items() if a.band is not None)
    for name in ("tax_office", "power_utility"):
        assert held[name].array().take(played[name][1]).to_pylist() == common
