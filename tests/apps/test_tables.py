# SPDX-License-Identifier: Apache-2.0
"""Columns of a table, as features, ids and days; tables written and read again."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pytest

from mpc.apps import tables
from mpc.apps.tables import Table
from mpc.errors import ConfigError, DataError
from mpc.primitives.whole_file import replacing
from tests.apps.reading import ids_of


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
    with pytest.raises(ConfigError, match=r"cannot write .*a\.csv: No space left on device"):
        tables.write(path, pa.table({"a": [1]}))
    with monkeypatch.context() as patch:
        patch.setattr(tables.os, "open", full)
        with pytest.raises(ConfigError, match="No space left"):
            tables.write(path, pa.table({"a": [1]}))

    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(pa.csv, "write_csv", interrupted)
    with pytest.raises(KeyboardInterrupt):
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


_KILLED = """
import os, sys
import pyarrow as pa, pyarrow.csv, pyarrow.parquet
from mpc.apps import tables
if sys.argv[2] == "named":
    os.O_TMPFILE = 0
def killed(table, file):
    file.write(b"row of the result"); file.flush(); os.kill(os.getpid(), 9)
pyarrow.csv.write_csv = pyarrow.parquet.write_table = killed
tables.write(sys.argv[1], pa.table({"a": [1]}))
"""


def killed_write(path, files):
    command = [sys.executable, "-c", _KILLED, str(path), files]
    assert subprocess.run(command, check=False).returncode == -9
    return sorted(p.name for p in path.parent.iterdir() if b"row" in p.read_bytes())


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_killed_write_leaves_the_old_file_and_nothing_else(tmp_path, name):
    path = tmp_path / name
    path.write_text("old")
    assert killed_write(path, "unnamed") == []
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert path.read_text() == "old"


def test_where_files_need_names_the_next_write_clears_up(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    (left,) = killed_write(path, "named")
    assert left.startswith(".a.csv.")
    monkeypatch.setattr(tables.os, "O_TMPFILE", 0)
    with replacing(path) as file:
        # Another that is still writing keeps its file.
        tables.write(path, pa.table({"a": [1]}))
        assert len(list(tmp_path.iterdir())) == 2
        file.write(b"a\n2\n")
    assert path.read_bytes() == b"a\n2\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


# Days


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


def test_infinite_days_are_none(csv_file, parquet_file):
    """Exports write them for what never ends; datetime64 has no place for them."""
    text = csv_file("d\n2026-01-01\ninfinity\n-infinity\n0044-03-15 (BC)")
    with pytest.raises(DataError, match=r"3 of 4 rows have no date \(rows 2, 3, 4\)"):
        Table.open(text).days("d", np.arange(4))
    held = parquet_file({"d": pa.array([2**31 - 1, 0], pa.int32()).cast(pa.date32())})
    with pytest.raises(DataError, match=r"1 of 2 rows have no date \(row 1\)"):
        Table.open(held).days("d", np.arange(2))


def test_the_day_of_a_moment_does_not_depend_on_the_machine(parquet_file, monkeypatch):
    moments = np.array(["2023-12-31T23:30", "2024-01-01T00:30"], "datetime64[us]")
    path = parquet_file({"d": pa.array(moments, pa.timestamp("us", tz="UTC"))})
    for zone in ("Asia/Shanghai", "America/New_York"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        found = Table.open(path).days("d", np.arange(2))
        assert found.tolist() == moments.astype("datetime64[D]").tolist()
    monkeypatch.undo()
    time.tzset()
