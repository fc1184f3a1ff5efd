# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import threading
import unicodedata
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.apps import id_columns, tables
from mpc.apps.engine import Bounds, connect
from mpc.apps.identifiers import CREDIT_CODE
from mpc.apps.tables import Table
from mpc.errors import ConfigError, DataError

GOOD = "91110108551385082Q"


@pytest.fixture
def csv_file(tmp_path):
    def write(text: str | bytes, name: str = "loans.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.fixture
def parquet_file(tmp_path):
    def write(columns: dict, name: str = "loans.parquet") -> Path:
        path = tmp_path / name
        pq.write_table(pa.table(columns), path)
        return path

    return write


def ids_of(path: Path, *args, **options) -> list[str]:
    return Table.open(path).ids(*args, **options).array().to_pylist()


# The form of ids


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


# Features


def test_features_of_csv_and_parquet(csv_file, parquet_file):
    csv_path = csv_file("a,b\n1,2.5\n-3e2, 4 \n")
    parquet_path = parquet_file({"a": pa.array([1, -300], pa.int32()), "b": [2.5, 4.0]})
    for path in (csv_path, parquet_path):
        values = Table.open(path).features(["b", "a"])
        assert values.dtype == np.float64
        assert values.tolist() == [[2.5, 1.0], [4.0, -300.0]]
        again = Table.open(path).features(["a"], np.array([1, 0, 1]))
        assert again.tolist() == [[-300.0], [1.0], [-300.0]]
        assert Table.open(path).features(["a"], np.array([], np.intp)).shape == (0, 1)
        assert Table.open(path).features([]).shape == (2, 0)


def test_bad_features_are_counted_per_column(csv_file):
    path = csv_file('a,b\n1,1\n,2\nnan,3\n-inf,x\n1e400,5\n1_000,6\n"1,000",7\nsecret,8\n0x10,9\n')
    with pytest.raises(DataError) as caught:
        Table.open(path).features(["a", "b"])
    assert str(caught.value) == (
        f"{path}, column 'a': 1 of 9 rows have no value (row 2); "
        "column 'a': 7 of 9 rows are not a finite number (rows 3, 4, 5, 6, 7, ...); "
        "column 'b': 1 of 9 rows are not a finite number (row 4). Mend these rows, or leave "
        "them out."
    )
    # Rows that the job does not use are nobody's concern.
    assert Table.open(path).features(["b"], np.array([0, 2])).tolist() == [[1.0], [3.0]]


def test_bad_features_of_parquet(parquet_file):
    path = parquet_file({"a": [1.0, None, float("nan")], "t": ["1", "x", None]})
    with pytest.raises(
        DataError, match=r"'a': 1 .* no value \(row 2\); .*'a': 1 .* \(row 3\); .*'t'"
    ):
        Table.open(path).features(["a", "t"])


@pytest.mark.parametrize("rows", [[2], [-1], [0, 5]])
def test_rows_that_are_not_there(csv_file, rows):
    with pytest.raises(ConfigError, match="has 2 rows"):
        Table.open(csv_file("a\n1\n2\n")).features(["a"], np.array(rows))


# Parquet columns


def test_parquet_ids_of_every_fitting_type(parquet_file):
    path = parquet_file(
        {
            "text": ["007", "a"],
            "large": pa.array(["x", "y"], pa.large_string()),
            "coded": pa.array(["p", "q"]).dictionary_encode(),
            "number": pa.array([2**63 - 1, -1]),
        }
    )
    assert ids_of(path, "text") == ["007", "A"]
    assert ids_of(path, "large") == ["X", "Y"]
    assert ids_of(path, "coded") == ["P", "Q"]
    assert ids_of(path, "number") == [str(2**63 - 1), "-1"]


def test_parquet_columns_of_other_types_are_errors(parquet_file):
    path = parquet_file(
        {"f": [1.0], "l": [[1]], "b": [b"x"], "d": pa.array([0], pa.timestamp("s")), "t": [True]}
    )
    table = Table.open(path)
    with pytest.raises(DataError, match="'f' holds numbers, but ids are text"):
        table.ids("f")
    with pytest.raises(DataError, match="'l' holds list"):
        table.ids("l")
    with pytest.raises(DataError, match="'b' holds binary"):
        table.ids("b")
    with pytest.raises(DataError, match="'d' holds dates"):
        table.features(["d"])
    assert table.features(["t"]).tolist() == [[1.0]]


# Names of columns and files


def test_missing_column_names_it_the_file_and_what_is_there(csv_file):
    path = csv_file("id,name\n1,2\n")
    Table.open(path).require(["name", "id"])
    asks = (
        lambda t: t.ids("uscc"),
        lambda t: t.features(["uscc"]),
        lambda t: t.require(["id", "uscc"]),
    )
    for ask in asks:
        with pytest.raises(DataError) as caught:
            ask(Table.open(path))
        assert str(caught.value) == f"{path} has no column 'uscc'; it has columns 'id', 'name'"
    wide = Table.open(csv_file(",".join(f"c{i}" for i in range(30)) + "\n"))
    with pytest.raises(DataError, match=r"'c19' and 10 more$"):
        wide.ids("ID")
    with pytest.raises(ConfigError, match="at least one column"):
        wide.ids([])


def test_columns_with_strange_names(csv_file, parquet_file):
    names = ['a"b', "a'); DROP TABLE x; --", "\u516c\u53f8", "a,b", "ID", "id", " id"]
    header = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    csv_path = csv_file(f"{header}\n{','.join('1234567')}\n")
    parquet_path = parquet_file({name: [str(i + 1)] for i, name in enumerate(names)})
    for path in (csv_path, parquet_path):
        assert Table.open(path).columns == tuple(names)
        for i, name in enumerate(names):
            assert ids_of(path, name) == [str(i + 1)]
            assert Table.open(path).features([name]).tolist() == [[i + 1]]


def test_a_column_that_is_there_twice(csv_file):
    table = Table.open(csv_file("id,x,id\n1,2,3\n"))
    assert table.features(["x"]).tolist() == [[2]]
    with pytest.raises(DataError, match="more than one column 'id'"):
        table.ids("id")


@pytest.mark.parametrize(
    "name",
    [
        "a[1]*?.csv",
        "{a}!^.csv",
        "back\\slash.csv",
        "o'brien $path.csv",
        "year=2020.csv",
        "\u8d37\u6b3e.csv",
        "-- x.csv",
    ],
)
def test_files_with_strange_names(csv_file, name):
    csv_file("id\nother\n", "a1xx.csv")
    assert ids_of(csv_file("id\nx\n", name), "id") == ["X"]


def test_files_that_cannot_be_opened(csv_file, tmp_path):
    with pytest.raises(ConfigError, match=r"none\.csv does not exist; give the path"):
        Table.open(tmp_path / "none.csv")
    with pytest.raises(ConfigError, match="is a folder"):
        Table.open(tmp_path)
    with pytest.raises(ConfigError, match=r"must end in \.csv"):
        Table.open(csv_file("id\n1\n", "a.xlsx"))
    with pytest.raises(ConfigError, match="delimiter"):
        Table.open(csv_file("id\n1\n"), delimiter="'")
    if os.geteuid() != 0:
        closed = csv_file("id\n1\n", "closed.csv")
        closed.chmod(0)
        with pytest.raises(ConfigError, match="may not be read"):
            Table.open(closed)


# Broken files


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "is empty, or has no header"),
        (b"\n1\n", "is empty, or has no header"),
        ("id,n\n1,2\n\u516c\u53f8,2\n".encode("gb18030"), "line 3 is not UTF-8; convert it"),
        ("\u7f16\u53f7\n1\n".encode("gb18030"), "the file is not UTF-8; convert it"),
        ("id\n1\n".encode("utf-16"), "the file is not UTF-8; convert it"),
        (b"id,n\n1,2\nsecret\n", "line 3 has 1 columns, but the header has 2"),
        (b"id,n\n1,2,secret\n", "line 2 has 3 columns, but the header has 2"),
        (b'id,n\n1,2\n"secret,3\n', "line 3 opens a quote that is never closed"),
        (b'"id,n\n1,2\n', "cannot be read"),
    ],
)
def test_broken_csv(csv_file, text, message):
    with pytest.raises(DataError, match=message) as caught:
        Table.open(csv_file(text)).ids("id")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_csv_forms(csv_file, tmp_path):
    assert ids_of(csv_file("\ufeffid,n\r\na,1\r\nb,2\r\n"), "id") == ["A", "B"]
    assert ids_of(csv_file('id,n\n"a,""b""\nc",1'), "id") == ['A,"B"\nC']
    assert ids_of(csv_file("id\n"), "id") == []
    assert Table.open(csv_file("id,x\n")).features(["x"]).shape == (0, 1)
    assert Table.open(csv_file("id;x\n1;2\n"), delimiter=";").features(["x"]).tolist() == [[2.0]]
    zipped = tmp_path / "a.csv.gz"
    zipped.write_bytes(gzip.compress(b"id\nx\n"))
    assert ids_of(zipped, "id") == ["X"]
    zipped.write_bytes(gzip.compress(b"id\n" + os.urandom(99_999).hex().encode())[:-500])
    with pytest.raises(DataError, match="cannot be read"):
        Table.open(zipped).ids("id")


def test_broken_parquet(parquet_file, tmp_path):
    path = parquet_file({"id": [str(i) for i in range(10_000)]})
    whole = path.read_bytes()
    for cut in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match=r"cannot be read .* copy or export the file again"):
            Table.open(path)
    path.write_bytes(whole[:100] + b"\xff" * 2000 + whole[2100:])
    with pytest.raises(DataError, match="cannot be read"):
        Table.open(path).ids("id")
    (tmp_path / "text.parquet").write_text("id\n1\n")
    with pytest.raises(DataError, match="cannot be read"):
        Table.open(tmp_path / "text.parquet")
    pq.write_table(pa.table({}), tmp_path / "none.parquet")
    with pytest.raises(DataError, match="no columns"):
        Table.open(tmp_path / "none.parquet")
    assert ids_of(parquet_file({"id": pa.array([], pa.string())}), "id") == []


def test_bounds(csv_file, tmp_path):
    with pytest.raises(ConfigError, match="at least 64"):
        Bounds(memory_mb=1)
    with pytest.raises(ConfigError, match="does not exist; make it first"):
        Bounds(temp_folder=tmp_path / "none")
    spill = tmp_path / "spill"
    spill.mkdir()
    table = Table.open(csv_file("id\n1\n2\n"), bounds=Bounds(temp_folder=spill))
    assert len(table.ids("id")) == 2
    assert list(spill.iterdir()) == []


def test_the_name_of_a_file_does_not_change_what_is_wrong_with_it(csv_file):
    path = csv_file("id,n\n1\n", "not utf-8 encoded, Out of Memory, Line: 7.csv")
    with pytest.raises(DataError, match=r"7\.csv: line 2 has 1 columns"):
        Table.open(path).ids("id")


def test_too_little_memory_is_an_error_of_ours(monkeypatch, csv_file):
    path = csv_file("id\n" + "the same\n" * 3_000_000)
    spill = "SET max_temp_directory_size = '1MB'"
    original = id_columns.connect

    @contextmanager
    def small(bounds):
        with original(bounds) as engine:
            engine.execute(spill)
            yield engine

    monkeypatch.setattr(id_columns, "connect", small)
    with pytest.raises(ConfigError, match=r"takes more than 64 MB .* raise memory_mb"):
        Table.open(path, bounds=Bounds(memory_mb=64)).ids("id")


def test_a_full_temp_folder_is_an_error_of_ours(monkeypatch, csv_file):
    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(id_columns.tempfile, "SpooledTemporaryFile", lambda *a, **o: Full())
    with pytest.raises(ConfigError, match=r"No space left .* name a temp_folder elsewhere"):
        Table.open(csv_file("id\n1\n")).ids("id")


def test_long_queries_draw_no_progress_bar(capfd):
    with connect(Bounds()) as engine:
        engine.execute("SET progress_bar_time = 1")
        engine.sql("SELECT sum(hash(i)) FROM range(50_000_000) t(i)").fetchall()
    assert capfd.readouterr() == ("", "")


# Writing


def test_written_tables_are_read_again(tmp_path):
    table = pa.table({"id": ["007", 'a"b', "\u516c\u53f8"], "p": [0.1, 1 / 3, 5e-324]})
    for name in ("a.csv", "a.parquet"):
        path = tmp_path / name
        path.write_text("old")
        tables.write(path, table)
        assert ids_of(path, "id", normalise=False) == table["id"].to_pylist()
        assert Table.open(path).features(["p"]).ravel().tolist() == table["p"].to_pylist()
        assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.csv", "a.parquet"]


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(pa.ArrowException):
        tables.write(path, pa.table({"nested": [[1]]}))

    def full(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tables.os, "fsync", full)
    with pytest.raises(ConfigError, match=r"a\.csv cannot be written: No space left on device"):
        tables.write(path, pa.table({"a": [1]}))
    monkeypatch.setattr(tables.tempfile, "mkstemp", full)
    with pytest.raises(ConfigError, match="cannot be written: No space left"):
        tables.write(path, pa.table({"a": [1]}))
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


def test_targets_that_cannot_be_written(tmp_path):
    tables.check_target(tmp_path / "a.csv")
    with pytest.raises(ConfigError, match="none does not exist; make it first"):
        tables.check_target(tmp_path / "none" / "a.csv")
    with pytest.raises(ConfigError, match=r"must end in \.csv or \.parquet"):
        tables.check_target(tmp_path / "a.xlsx")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ConfigError, match="is a folder"):
        tables.write(tmp_path / "folder.csv", pa.table({"a": [1]}))
    if os.geteuid() != 0:
        (tmp_path / "folder.csv").chmod(0o500)
        with pytest.raises(ConfigError, match="may not write"):
            tables.check_target(tmp_path / "folder.csv" / "a.csv")


def test_a_killed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("old")
    program = (
        "import os, sys, signal, pyarrow as pa, pyarrow.csv\n"
        "from mpc.apps import tables\n"
        "def killed(table, file): file.write(b'half'); file.flush(); os.kill(os.getpid(), 9)\n"
        "pyarrow.csv.write_csv = killed\n"
        "tables.write(sys.argv[1], pa.table({'a': [1]}))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert done.returncode == -9
    assert path.read_text() == "old"
    assert not [p for p in tmp_path.iterdir() if p.suffix == ".csv" and p != path]


# Memory

_READER = """
import resource, sys, tempfile
from pathlib import Path
from mpc.apps.engine import Bounds
from mpc.apps.tables import Table
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
Path(sys.argv[2]).write_text("id,x\\n1,1\\n")
Table.open(sys.argv[2]).ids("id")
before = peak()
bounds = Bounds(memory_mb=int(sys.argv[3]), temp_folder=Path(sys.argv[2]).parent)
ids = Table.open(sys.argv[1], bounds=bounds).ids("id")
print(len(ids), sum(len(batch) for batch in ids.batches()), peak() - before)
"""


def _write_ids(path: Path, count: int) -> None:
    """``count`` different ids of 18 digits, in a scattered order, in a file of 19 bytes each."""
    with path.open("wb") as file:
        file.write(b"id\n")
        for start in range(0, count, 1 << 20):
            numbers = np.arange(start, min(start + (1 << 20), count), dtype=np.uint64)
            # An odd factor permutes the residues modulo a power of two, and 2^59 < 10^18.
            scattered = numbers * np.uint64(0x9E3779B97F4A7C15) & np.uint64((1 << 59) - 1)
            digits = np.empty((len(numbers), 19), np.uint8)
            digits[:, 18] = ord("\n")
            for place in range(17, -1, -1):
                digits[:, place] = scattered % np.uint64(10) + np.uint64(48)
                scattered //= np.uint64(10)
            file.write(digits.tobytes())


def _memory_to_read(path: Path, count: int, memory_mb: int) -> int:
    """How many MiB a process takes, above what a small file takes, for the ids of a big one."""
    small = path.with_name("small.csv")
    command = [sys.executable, "-c", _READER, str(path), str(small), str(memory_mb)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found, streamed, taken = map(int, done.stdout.split())
    assert found == streamed == count
    return taken


def test_memory_stays_below_the_size_of_the_file(tmp_path):
    path, count = tmp_path / "ids.csv", 10_000_000
    _write_ids(path, count)
    assert path.stat().st_size > 190_000_000
    assert _memory_to_read(path, count, memory_mb=64) < 160


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_gigabyte_of_ids_is_read_in_bounded_memory(tmp_path):
    path, count = tmp_path / "ids.csv", 56_000_000
    _write_ids(path, count)
    assert path.stat().st_size > 1_060_000_000
    assert _memory_to_read(path, count, memory_mb=256) < 400


# --- days ----------------------------------------------------------------------------------------


def test_days_of_text_and_of_dates(csv_file, parquet_file):
    days = np.array(["2026-11-25", "1999-12-31", "2024-02-29"], "datetime64[D]")
    rows = np.array([2, 0])
    text = csv_file("d\n" + "\n".join(map(str, days)))
    assert Table.open(text).days("d", rows).tolist() == days[rows].tolist()
    held = parquet_file({"d": pa.array(days), "t": pa.array(days.astype("datetime64[s]"))})
    for column in ("d", "t"):
        assert Table.open(held).days(column, rows).tolist() == days[rows].tolist()


def test_rows_without_a_day_are_named(csv_file, parquet_file):
    table = Table.open(csv_file("d\n2026-01-01\n25.11.2026\n2026-02-30\n2026-01-02"))
    with pytest.raises(DataError, match=r"column 'd': 2 of 4 rows have no date \(rows 2, 3\)"):
        table.days("d", np.arange(4))
    assert len(table.days("d", np.array([0, 3]))) == 2
    with pytest.raises(DataError, match="holds numbers, not dates"):
        Table.open(parquet_file({"d": [1.5]})).days("d", np.arange(1))
