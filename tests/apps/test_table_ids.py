# SPDX-License-Identifier: Apache-2.0
"""Ids of a table: their form, and rows without one, repeated or malformed."""

from __future__ import annotations

import threading
import unicodedata
from functools import partial

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.apps import id_columns
from mpc.apps.engine import Bounds
from mpc.apps.identifiers import CREDIT_CODE
from mpc.apps.tables import Table
from mpc.errors import ConfigError, DataError
from tests.apps.reading import ids_of

GOOD = "91110108551385082Q"


def test_ids_keep_leading_zeros_and_are_normalised(csv_file):
    path = csv_file("code,x\n007,1\n 0ab\u3000,2\n\uff10\uff11,3\n\u00e9,4\ne\u0301e,5\n")
    assert ids_of(path, "code") == ["007", "0AB", "01", "\u00c9", "\u00c9E"]
    assert ids_of(path, "code", normalise=False)[1:3] == [" 0ab\u3000", "\uff10\uff11"]


@given(st.lists(st.none() | st.text()))
def test_normal_form_is_that_of_the_unicode_standard(texts):
    array = pa.array(texts, pa.string())
    once = id_columns.normal_form(array)
    assert once.to_pylist() == [plain_normal_form(text) for text in texts]
    assert id_columns.normal_form(once).equals(once)
    spaced = pa.array([None if t is None else f" \t{t}\u3000" for t in texts], pa.string())
    if not any(unicodedata.combining(t[0]) for t in texts if t):
        assert id_columns.normal_form(spaced).equals(once)


def plain_normal_form(text):
    if text is None:
        return None
    nfkc = partial(unicodedata.normalize, "NFKC")
    return nfkc(nfkc(text).upper()).strip() or None


def test_normal_form_of_every_character():
    characters = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    once = id_columns.normal_form(pa.array(characters))
    assert once.to_pylist() == [plain_normal_form(c) for c in characters]
    assert id_columns.normal_form(once).equals(once)
    lower = id_columns.normal_form(pa.array([c.upper() for c in characters]))
    assert lower.equals(once)


@given(st.lists(st.text(st.characters(min_codepoint=33, max_codepoint=126)), min_size=1))
def test_normal_form_of_ascii_is_its_upper_case(texts):
    wide = [t.translate({i: i + 0xFEE0 for i in range(33, 127)}) for t in texts]
    expected = [t.upper() or None for t in texts]
    for form in (texts, wide, [t.lower() for t in texts]):
        assert id_columns.normal_form(pa.array(form, pa.string())).to_pylist() == expected


@given(st.lists(st.lists(st.text(":0123ab", min_size=1), min_size=2, max_size=3)))
def test_composite_ids_are_unambiguous(rows):
    for width in (2, 3):
        here = [tuple(row) for row in rows if len(row) == width]
        parts = [pa.array(part, pa.string()) for part in zip(*here, strict=True)]
        if parts:
            assert len(set(id_columns.joined(parts).to_pylist())) == len(set(here))


def test_composite_ids(csv_file):
    path = csv_file("a,b\n1,23\n12,3\n\u516c\u53f8,x\n")
    assert ids_of(path, ["a", "b"]) == ["1:12:23", "2:121:3", "2:\u516c\u53f81:X"]
    assert ids_of(path, ["b", "a"])[0] == "2:231:1"
    path = csv_file("a,b\n1,2\n,3\n4,\n")
    assert ids_of(path, ["a", "b"], nulls="drop") == ["1:11:2"]


# Nulls, duplicates, malformed codes


def test_all_that_is_wrong_is_in_one_error_without_any_id(csv_file):
    path = csv_file(f"code\nsecret\n\n{GOOD}\n  \n{GOOD.lower()}\nsecret\n{GOOD}\n")
    with pytest.raises(DataError) as caught:
        Table.open(path).ids("code", scheme=CREDIT_CODE)
    assert str(caught.value) == (
        f"{path}, column 'code': 2 of 7 rows have no id (rows 2, 4; nulls=\"drop\" skips them); "
        "2 of 7 rows have no valid unified social credit code (GB 32100-2015) (rows 1, 6); "
        "3 of 7 rows have the id of an earlier row (rows 5, 6, 7; row 5 has that of row 3; "
        'duplicates="first" skips them)'
    )


def test_rows_left_out_on_request_are_counted_and_the_others_found_again(csv_file):
    path = csv_file("code,n\na,0\n,1\nb,2\nA,3\nc,4\n,5\nb,6\nd,7\n")
    ids = Table.open(path).ids("code", nulls="drop", duplicates="first")
    assert ids.array().to_pylist() == ["A", "B", "C", "D"]
    assert (len(ids), ids.nulls, ids.repeats) == (4, 2, 2)
    assert ids.dropped.tolist() == [1, 3, 5, 6]
    rows = ids.rows(np.array([3, 0, 2, 1]))
    assert rows.tolist() == [7, 0, 4, 2]
    assert Table.open(path).features(["n"], rows).ravel().tolist() == [7, 0, 4, 2]
    assert ids.rows(np.array([], np.intp)).tolist() == []
    with pytest.raises(DataError, match="no id"):
        Table.open(path).ids("code", duplicates="first")
    with pytest.raises(DataError, match="an earlier row"):
        Table.open(path).ids("code", nulls="drop")


@given(st.lists(st.none() | st.text("abAB ", max_size=2), max_size=40))
def test_dropping_agrees_with_plain_python(values):
    half = len(values) // 2
    ids = id_columns.collect(
        [[pa.array(values[:half], pa.string())], [pa.array(values[half:], pa.string())]],
        where="x",
        bounds=Bounds(),
        nulls="drop",
        duplicates="first",
    )
    first: dict[str, int] = {}
    for row, value in enumerate(values):
        text = (value or "").strip().upper()
        if text:
            first.setdefault(text, row)
    assert ids.array().to_pylist() == list(first)
    assert ids.rows(np.arange(len(ids))).tolist() == list(first.values())


def test_a_collision_of_hashes_is_not_a_duplicate(monkeypatch, csv_file):
    """DuckDB's own hash cannot be made to collide here, so a poorer one stands in for it."""
    monkeypatch.setattr(id_columns, "_HASH", "length(id)")
    path = csv_file("code\nab\ncd\nab\nefg\n")
    with pytest.raises(DataError, match=r"1 of 4 rows have the id of an earlier row \(row 3;"):
        Table.open(path).ids("code")
    assert ids_of(csv_file("code\nab\ncd\n"), "code") == ["AB", "CD"]


def test_ids_across_batches(csv_file):
    count = 3 * (1 << 16) + 5
    path = csv_file("id,x\n" + "".join(f"k{i},{i}\n" for i in range(count)))
    table = Table.open(path)
    ids = table.ids("id")
    assert len(ids) == table.count() == count
    assert ids.array().to_pylist() == [f"K{i}" for i in range(count)]
    rows = np.random.default_rng(1).permutation(count)[:1000]
    assert table.features(["x"], rows).ravel().tolist() == rows.tolist()
    path = csv_file(path.read_text() + "K70000,1\n")
    with pytest.raises(DataError, match="row 196,614 has that of row 70,001"):
        Table.open(path).ids("id")
    dropped = Table.open(path).ids("id", duplicates="first")
    assert len(dropped) == count
    assert dropped.array().to_pylist() == ids.array().to_pylist()


def test_ids_are_not_shown(csv_file):
    assert repr(Table.open(csv_file("code\nsecret\n")).ids("code")) == "Ids(nulls=0, repeats=0)"


def test_ids_may_be_read_by_several_threads(csv_file):
    path = csv_file("id\n" + "".join(f"{i}\n" for i in range(200_000)))
    ids = Table.open(path).ids("id")
    expected = ids.array()
    same: list[bool] = []
    threads = [
        threading.Thread(target=lambda: same.append(ids.array().equals(expected))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert same == [True] * 4


@pytest.mark.parametrize("options", [{"nulls": "skip"}, {"duplicates": "last"}])
def test_unknown_options_are_errors(csv_file, options):
    with pytest.raises(ConfigError, match=r"skip|last"):
        Table.open(csv_file("code\na\n")).ids("code", **options)
