# SPDX-License-Identifier: Apache-2.0
"""Files of tables: names, broken ones, bounds of memory and of disk."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mpc.apps import id_columns
from mpc.apps.engine import Bounds, connect
from mpc.apps.tables import Table
from mpc.errors import ConfigError, DataError
from tests.apps.reading import ids_of


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
    with pytest.raises(
        ConfigError, match=r"takes more than 64 MB .* set TMPDIR .* raise Bounds.memory_mb"
    ):
        Table.open(path, bounds=Bounds(memory_mb=64)).ids("id")


def test_a_full_temp_folder_is_an_error_of_ours(monkeypatch, csv_file):
    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(id_columns.tempfile, "SpooledTemporaryFile", lambda *a, **o: Full())
    with pytest.raises(
        ConfigError, match=r"No space left .* set TMPDIR to a folder on another disk"
    ):
        Table.open(csv_file("id\n1\n")).ids("id")


def test_long_queries_draw_no_progress_bar(capfd):
    with connect(Bounds()) as engine:
        engine.execute("SET progress_bar_time = 1")
        engine.sql("SELECT sum(hash(i)) FROM range(50_000_000) t(i)").fetchall()
    assert capfd.readouterr() == ("", "")


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
