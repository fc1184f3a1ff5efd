# SPDX-License-Identifier: Apache-2.0
"""Tables in CSV and Parquet files, read by DuckDB in a stream, so that a file may exceed memory.

What a file holds is never guessed. The columns of a CSV file are text, so that an id keeps its
leading zeros; a feature becomes a number where a number is asked for, and what is none is an
error. Every error says how many rows are concerned and which come first, counted from one without
the header, and never what they hold. Paths and column names do not enter any SQL text.
"""

from __future__ import annotations

import csv
import gzip
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from mpc.apps import id_columns
from mpc.apps.engine import BATCH_ROWS, Bounds, connect
from mpc.apps.id_columns import Ids
from mpc.apps.identifiers import Scheme
from mpc.apps.row_report import first_rows
from mpc.errors import ConfigError, DataError
from mpc.primitives.whole_file import replacing, sweep

_CSV_SUFFIXES = (".csv", ".csv.gz")
# Two threads read blocks of this size; DuckDB's own choice, 32 MB, needs twice the memory.
_BLOCK_BYTES = 8 << 20
_DELIMITERS = (",", ";", "\t", "|")
# The kinds of column that serve as an id, a feature or a day; any other is called by its type.
TEXT, WHOLE, NUMBER, DATE = "text", "whole numbers", "numbers", "dates"


@dataclass(frozen=True, slots=True)
class Table:
    """A file of rows. ``open`` looks at its columns, and no more; each method reads it anew."""

    path: Path
    columns: tuple[str, ...]
    kinds: tuple[str, ...]
    bounds: Bounds
    _source: str

    @classmethod
    def open(cls, path: str | Path, *, delimiter: str = ",", bounds: Bounds | None = None) -> Table:
        """The table in the file ``path``: .csv or .csv.gz (UTF-8, with a header), or .parquet."""
        path = Path(path).absolute()
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "does not exist"
            raise ConfigError(f"{path} {what}; give the path of a CSV or Parquet file")
        if not os.access(path, os.R_OK):
            raise ConfigError(f"{path} may not be read by this user; change its permissions")
        if path.name.endswith(_CSV_SUFFIXES):
            columns, kinds, source = _describe_csv(path, delimiter)
        elif path.suffix == ".parquet":
            columns, kinds, source = _describe_parquet(path)
        else:
            raise ConfigError(f"{path}: the name must end in .csv, .csv.gz or .parquet")
        return cls(path, columns, kinds, bounds or Bounds(), source)

    def require(self, columns: Iterable[str]) -> None:
        """Raise ``DataError`` for the first of ``columns`` that is not there."""
        for name in columns:
            self._position(name)

    def count(self) -> int:
        """How many rows there are."""
        return sum(batch.num_rows for batch in self._stream(["true"]))

    def ids(
        self,
        columns: str | Sequence[str],
        *,
        normalise: bool = True,
        duplicates: Literal["error", "first"] = "error",
        nulls: Literal["error", "drop"] = "error",
        scheme: Scheme | None = None,
    ) -> Ids:
        """The ids in one column, or joined from several; see ``id_columns`` for their form.

        ``scheme`` (``identifiers.CREDIT_CODE``, say) is what each id must be. Raises ``DataError``
        for rows that have no id, a malformed one, or that of an earlier row.
        """
        names = [columns] if isinstance(columns, str) else list(columns)
        if not names:
            raise ConfigError(f"{self.path}: name at least one column for the ids")
        texts = [self._text(name) for name in names]
        return id_columns.collect(
            (batch.columns for batch in self._stream(texts)),
            where=f"{self.path}, {_named(names)}",
            bounds=self.bounds,
            normalise=normalise,
            duplicates=duplicates,
            nulls=nulls,
            scheme=scheme,
        )

    def features(
        self, columns: Sequence[str], rows: NDArray[np.integer] | None = None
    ) -> NDArray[np.float64]:
        """The numbers in ``columns``, an array of shape (rows, columns) of finite floats.

        ``rows`` (from zero, in any order) says which rows are wanted, and in which order they are
        given; the others are not looked at. Without it, all are. Raises ``DataError`` for
        a column where one of them is missing, not a number, infinite or NaN.
        """
        values = [self._number(name) for name in columns]
        absent = [f"c{self._position(name)} IS NULL" for name in columns]
        wanted = np.arange(self.count()) if rows is None else rows.astype(np.int64)
        out = np.full((len(wanted), len(columns)), np.nan)
        blank = np.zeros((len(wanted), len(columns)), np.bool_)
        order = np.argsort(wanted, kind="stable")
        ascending, start = wanted[order], 0
        for batch in self._stream([*values, *absent, "true"]):
            low, high = np.searchsorted(ascending, [start, start + batch.num_rows])
            here, there = ascending[low:high] - start, order[low:high]
            for j in range(len(columns)):
                out[there, j] = batch.column(j).to_numpy(zero_copy_only=False)[here]
                flags = batch.column(len(columns) + j).to_numpy(zero_copy_only=False)
                blank[there, j] = flags[here]
            start += batch.num_rows
        if len(wanted) and (ascending[0] < 0 or ascending[-1] >= start):
            raise ConfigError(
                f"{self.path} has {start:,} rows; one that was asked for is not there"
            )
        self._require_numbers(columns, wanted, out, blank)
        return out

    def days(self, column: str, rows: NDArray[np.integer]) -> NDArray[np.datetime64]:
        """The dates in ``column`` of ``rows`` (from zero, in any order), as datetime64[D].

        Dates, or text as 2026-11-25; of a timestamp with a time zone the day in UTC. Raises
        ``DataError`` for rows that have none.
        """
        position = self._position(column)
        if self.kinds[position] not in (TEXT, DATE):
            raise DataError(
                f"{self.path}, column {column!r} holds {self.kinds[position]}, not dates"
            )
        found_as = f"TRY_CAST(c{position} AS DATE)"
        # Infinite days, and those before our era, have no place in datetime64.
        named = f"{found_as} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'"
        day = f"CAST(CASE WHEN {named} THEN {found_as} END AS VARCHAR)"
        held = [batch.column(0).to_pylist() for batch in self._stream([day])]
        every = np.array([day for batch in held for day in batch], dtype="datetime64[D]")
        found: NDArray[np.datetime64] = every[rows]
        if len(missing := rows[np.isnat(found)]):
            raise DataError(
                f"{self.path}, column {column!r}: {len(missing):,} of {len(rows):,} rows have no "
                f"date ({first_rows(np.sort(missing))}); write them as 2026-11-25"
            )
        return found

    def _require_numbers(
        self,
        columns: Sequence[str],
        rows: NDArray[np.int64],
        values: NDArray[np.float64],
        blank: NDArray[np.bool_],
    ) -> None:
        problems = []
        for j, name in enumerate(columns):
            absent = rows[blank[:, j]]
            strange = rows[~np.isfinite(values[:, j]) & ~blank[:, j]]
            for wrong, what in ((absent, "have no value"), (strange, "are not a finite number")):
                if len(wrong):
                    count = f"{len(wrong):,} of {len(rows):,} rows {what}"
                    problems.append(f"column {name!r}: {count} ({first_rows(np.sort(wrong))})")
        if problems:
            raise DataError(
                f"{self.path}, {'; '.join(problems)}. Mend these rows, or leave them out."
            )

    def _position(self, name: str) -> int:
        if self.columns.count(name) == 1:
            return self.columns.index(name)
        if name in self.columns:
            raise DataError(f"{self.path} has more than one column {name!r}; rename all but one")
        raise DataError(f"{self.path} has no column {name!r}; it has {_named(self.columns)}")

    def _text(self, name: str) -> str:
        """The SQL expression for a column of ids."""
        position = self._position(name)
        if self.kinds[position] not in (TEXT, WHOLE):
            raise DataError(
                f"{self.path}, column {name!r} holds {self.kinds[position]}, but ids are text or"
                " whole numbers; export it as text, before it loses digits"
            )
        return f"CAST(c{position} AS VARCHAR)"

    def _number(self, name: str) -> str:
        """The SQL expression for a feature: null where the text is none, or not a number."""
        position = self._position(name)
        if self.kinds[position] not in (TEXT, WHOLE, NUMBER):
            raise DataError(
                f"{self.path}, column {name!r} holds {self.kinds[position]}; a feature is a number"
            )
        # DuckDB also takes 1_000 for a number; in data it is more likely a slip.
        column = f"c{position}"
        number = f"TRY_CAST({column} AS DOUBLE)"
        if self.kinds[position] != TEXT:
            return number
        return f"CASE WHEN NOT contains({column}, '_') THEN {number} END"

    def _stream(self, expressions: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The rows in order, in batches, as what ``expressions`` over c0, c1, ... make of them."""
        try:
            with connect(self.bounds) as engine:
                source = engine.sql(f"FROM {self._source}", params={"path": _literal(self.path)})
                yield from source.project(", ".join(expressions)).to_arrow_reader(BATCH_ROWS)
        except (duckdb.Error, pa.ArrowException, OSError) as fault:
            # Without the cause: DuckDB's message shows the line that it could not read.
            raise _unreadable(self.path, fault) from None


def _describe_csv(path: Path, delimiter: str) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """The names and kinds of the columns, and the SQL that reads them as c0, c1, ..."""
    if delimiter not in _DELIMITERS:
        raise ConfigError(
            f"the delimiter {delimiter!r} is none of {', '.join(map(repr, _DELIMITERS))}"
        )
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rb") as file:
            # Line by line, so that a fault further down is not taken for one of the header.
            lines = (line.decode() for line in iter(lambda: file.readline(1 << 20), b""))
            names = next(csv.reader(lines, delimiter=delimiter, strict=True), [])
    except (UnicodeDecodeError, csv.Error, EOFError, OSError) as fault:
        raise _unreadable(path, fault) from None
    names[:1] = [name.removeprefix("\ufeff") for name in names[:1]]
    if not any(name.strip() for name in names):
        raise DataError(f"{path} is empty, or has no header; its first line must name the columns")
    columns = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(names)))
    source = (
        f"read_csv($path, columns={{{columns}}}, delim='{delimiter}', quote='\"', escape='\"',"
        f" buffer_size={_BLOCK_BYTES}, header=true, auto_detect=false, strict_mode=true,"
        " hive_partitioning=false)"
    )
    return tuple(names), (TEXT,) * len(names), source


def _describe_parquet(path: Path) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    try:
        schema = pa.parquet.read_schema(path)
    except (pa.ArrowException, OSError) as fault:
        raise _unreadable(path, fault) from None
    if not schema.names:
        raise DataError(f"{path} has no columns")
    aliases = ", ".join(f"c{i}" for i in range(len(schema.names)))
    source = f"read_parquet($path, hive_partitioning=false) AS t({aliases})"
    return tuple(schema.names), tuple(_kind(field.type) for field in schema), source


def _kind(kind: Any) -> str:
    """What a column may serve as; for those that serve as nothing, their type."""
    types = pa.types
    if types.is_dictionary(kind):
        return _kind(kind.value_type)
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return TEXT
    if types.is_integer(kind):
        return WHOLE
    if types.is_floating(kind) or types.is_decimal(kind) or types.is_boolean(kind):
        return NUMBER
    if types.is_date(kind) or types.is_timestamp(kind):
        return DATE
    return str(kind)


def write(path: str | Path, table: pa.Table) -> None:
    """Write ``table`` to the CSV or Parquet file ``path``, whole or not at all.

    The file is readable by its owner only; of one whose writer is killed no row stays behind, or
    where the file system knows only files with names, until the next one is written to ``path``.
    Raises ``ConfigError`` when it cannot be written.
    """
    path = Path(path)
    check_target(path)
    sweep(path.parent, path.name)
    with replacing(path) as file:
        if path.suffix == ".parquet":
            pa.parquet.write_table(table, file)
        else:
            pa.csv.write_csv(table, file)


def check_target(path: str | Path) -> None:
    """Raise ``ConfigError`` when ``write`` could not write to ``path``: for before a long job."""
    path = Path(path).absolute()
    if path.suffix not in (".csv", ".parquet"):
        raise ConfigError(f"{path}: the name of a result must end in .csv or .parquet")
    if path.is_dir():
        raise ConfigError(f"{path} is a folder; give the path of a file")
    if not path.parent.is_dir():
        raise ConfigError(f"the folder {path.parent} does not exist; make it first")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ConfigError(f"this user may not write into {path.parent}; choose another folder")


def _unreadable(path: Path, fault: Exception) -> DataError:
    """What is wrong with the file, and how to mend it, without the line that DuckDB would show."""
    text = str(fault)
    found = re.search(r"^.*CSV Error on Line: (\d+)", text)
    line = f"line {found[1]}" if found else "the file"
    if isinstance(fault, UnicodeDecodeError) or "\nInvalid unicode" in text:
        return DataError(
            f"{path}: {line} is not UTF-8; convert it, for example with iconv -f GB18030 -t UTF-8"
        )
    counts = re.search(r"^Expected Number of Columns: (\d+) Found: (\d+)", text, re.MULTILINE)
    if counts:
        return DataError(f"{path}: {line} has {counts[2]} columns, but the header has {counts[1]}")
    if "\nValue with unterminated quote" in text:
        return DataError(f"{path}: {line} opens a quote that is never closed")
    reason = text.partition("\n")[0][:200]
    return DataError(f"{path}: {line} cannot be read ({reason}); copy or export the file again")


def _literal(path: Path) -> str:
    """``path`` with the characters quoted that DuckDB would take for a pattern of many files."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))


def _named(columns: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in columns[:20])
    more = f" and {len(columns) - 20} more" if len(columns) > 20 else ""
    return f"column{'s' if len(columns) > 1 else ''} {shown}{more}"
