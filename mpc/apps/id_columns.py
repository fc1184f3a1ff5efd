# SPDX-License-Identifier: Apache-2.0
"""Identifiers out of a table: one form for all parties, and every row accounted for.

Two institutions find a company in common only if both write its identifier in the same bytes. So
ids are brought to a *normal form* first: Unicode NFKC (which makes full-width digits plain ones),
capital letters, NFKC again, and no white space at either end. An id made of several columns joins
their normal forms, each after its length in characters (``4:ABCD2:17``), so that no two different
rows can join to the same id; an id of one column is that column's normal form alone.

Beyond ASCII the rules are those of Python's Unicode tables. They agree between versions on all
characters that both know, Chinese ones among them; parties whose ids hold characters younger than
the oldest Python in use should run one version.

Rows without an id (null, or nothing but white space) and rows that repeat an earlier id are
reported by count and row number, and are left out only on request. Nothing here shows an id.
"""

from __future__ import annotations

import tempfile
import threading
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc
from numpy.typing import NDArray

from mpc.apps.engine import Bounds, connect
from mpc.apps.identifiers import Scheme
from mpc.apps.row_report import first_rows
from mpc.errors import ConfigError, DataError

Rows: TypeAlias = NDArray[np.int64]
_SCHEMA = pa.schema([("id", pa.string())])
_HASH = "hash(id)"
_IN_MEMORY = 16 << 20
_NONE = np.empty(0, np.int64)


def normal_form(array: pa.Array) -> pa.Array:
    """The strings of ``array`` in normal form; those that have nothing left become null."""
    text = pc.utf8_trim_whitespace(pc.ascii_upper(array))
    rare = pc.fill_null(pc.invert(pc.string_is_ascii(array)), False)
    if pc.any(rare).as_py():
        # Arrow's own NFKC differs between its versions, and parties may run different ones.
        formed = [_normal_form(value) for value in array.filter(rare).to_pylist()]
        text = pc.replace_with_mask(text, rare, pa.array(formed, text.type))
    return _without_blanks(text)


def _normal_form(text: str) -> str:
    capital = unicodedata.normalize("NFKC", text).upper()
    return unicodedata.normalize("NFKC", capital).strip()


def joined(parts: Sequence[pa.Array]) -> pa.Array:
    """One id per row out of the columns ``parts``: null where any of them is."""
    if len(parts) == 1:
        return parts[0]
    pieces: list[Any] = []
    for part in parts:
        pieces += [pc.cast(pc.utf8_length(part), pa.string()), ":", part]
    return pc.binary_join_element_wise(*pieces, "")


def _without_blanks(array: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(pc.binary_length(array), 0), pa.scalar(None, array.type), array)


class _Spool:
    """Record batches in a nameless temporary file (in memory while small), read one at a time."""

    __slots__ = ("_file", "_lock", "_reader", "_writer", "rows")

    def __init__(self, bounds: Bounds) -> None:
        folder = str(bounds.temp_folder or tempfile.gettempdir())
        # The file lives as long as the spool, which no block of code encloses.
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=folder)  # noqa: SIM115
        self._writer = pa.ipc.new_file(pa.PythonFile(self._file, "w"), _SCHEMA)
        self._reader: Any = None
        self._lock = threading.Lock()
        self.rows = 0

    def write(self, ids: pa.Array) -> None:
        try:
            self._writer.write(pa.record_batch([ids], schema=_SCHEMA))
        except OSError as fault:
            raise ConfigError(
                f"the ids cannot be kept in the temp folder ({fault}); set TMPDIR to a folder on "
                "another disk, or Bounds.temp_folder in code"
            ) from fault
        self.rows += len(ids)

    def finish(self) -> None:
        self._writer.close()
        self._reader = pa.ipc.open_file(pa.PythonFile(self._file, "r"))

    def batches(self) -> Iterator[tuple[int, pa.Array]]:
        """Each batch and the number of its first row."""
        start = 0
        for index in range(self._reader.num_record_batches):
            with self._lock:
                ids = self._reader.get_batch(index).column(0)
            yield start, ids
            start += len(ids)


@dataclass(frozen=True, slots=True, eq=False)
class Ids:
    """The ids of a table in normal form, in the order of its rows.

    Many ids wait on disk, so ``batches`` takes the memory of one batch, and ``array`` that of all.
    ``dropped`` has the rows that were left out on request, from zero, ascending: ``nulls`` without
    an id and ``repeats`` with that of an earlier row.
    """

    _spool: _Spool = field(repr=False)
    dropped: Rows = field(repr=False)
    nulls: int
    repeats: int

    def __len__(self) -> int:
        return self._spool.rows - len(self.dropped)

    def batches(self) -> Iterator[pa.Array]:
        """String arrays of some ten thousand ids."""
        for start, ids in self._spool.batches():
            low, high = np.searchsorted(self.dropped, [start, start + len(ids)])
            if low == high:
                yield ids
                continue
            kept = np.ones(len(ids), np.bool_)
            kept[self.dropped[low:high] - start] = False
            yield ids.filter(pa.array(kept))

    def array(self) -> pa.Array:
        """All ids as one large_string array."""
        large = [batch.cast(pa.large_string()) for batch in self.batches()]
        return pa.concat_arrays(large) if large else pa.array([], pa.large_string())

    def rows(self, positions: NDArray[np.integer]) -> Rows:
        """The rows of the table (from zero) in which the ids at ``positions`` stand."""
        shifts = self.dropped - np.arange(len(self.dropped))
        wanted = positions.astype(np.int64)
        found: Rows = wanted + np.searchsorted(shifts, wanted, side="right")
        return found


def collect(
    batches: Iterable[Sequence[pa.Array]],
    *,
    where: str,
    bounds: Bounds,
    normalise: bool = True,
    duplicates: Literal["error", "first"] = "error",
    nulls: Literal["error", "drop"] = "error",
    scheme: Scheme | None = None,
) -> Ids:
    """The ids of a stream of rows, each batch a list of string columns that make the id.

    All that is wrong with the rows goes into one ``DataError``, which begins with ``where``.
    """
    if duplicates not in ("error", "first") or nulls not in ("error", "drop"):
        raise ConfigError(
            f'duplicates={duplicates!r} and nulls={nulls!r}: the first is "error" or "first", the'
            ' second "error" or "drop"'
        )
    form = normal_form if normalise else _without_blanks
    spool, none, bad = _spooled(
        (joined([form(c) for c in batch]) for batch in batches), bounds, scheme
    )
    repeats, earlier = _repeats(spool, bounds)
    problems = []
    if len(none) and nulls == "error":
        problems.append((none, "have no id", '; nulls="drop" skips them'))
    if len(bad) and scheme is not None:
        problems.append((bad, f"have no valid {scheme.name}", ""))
    if len(repeats) and duplicates == "error":
        pair = f"row {repeats[0] + 1:,} has that of row {earlier[0] + 1:,}"
        more = f'; {pair}; duplicates="first" skips them'
        problems.append((repeats, "have the id of an earlier row", more))
    if problems:
        told = (
            f"{len(rows):,} of {spool.rows:,} rows {what} ({first_rows(rows)}{more})"
            for rows, what, more in problems
        )
        raise DataError(f"{where}: {'; '.join(told)}")
    return Ids(spool, np.union1d(none, repeats), nulls=len(none), repeats=len(repeats))


def _spooled(
    batches: Iterable[pa.Array], bounds: Bounds, scheme: Scheme | None
) -> tuple[_Spool, Rows, Rows]:
    """The ids on disk, the rows that have none, and those whose id is not of ``scheme``."""
    spool = _Spool(bounds)
    none, bad = [_NONE], [_NONE]
    for ids in batches:
        absent = ids.is_null().to_numpy(zero_copy_only=False)
        none.append(spool.rows + np.flatnonzero(absent))
        if scheme is not None:
            bad.append(spool.rows + np.flatnonzero(~scheme.valid(ids) & ~absent))
        spool.write(ids)
    spool.finish()
    return spool, np.concatenate(none), np.concatenate(bad)


def _repeats(spool: _Spool, bounds: Bounds) -> tuple[Rows, Rows]:
    """The rows whose id stands in an earlier row, and for each the first row that has it.

    DuckDB groups 64-bit hashes of the ids, which is small and can spill, and then looks at the ids
    themselves where a hash occurs twice; so a collision of hashes costs time and nothing else.
    """
    schema = pa.schema([*_SCHEMA, ("row", pa.int64())])

    def numbered() -> Iterator[pa.RecordBatch]:
        for start, ids in spool.batches():
            numbers = pa.array(np.arange(start, start + len(ids)))
            yield pa.record_batch([ids, numbers], schema=schema)

    with connect(bounds) as engine:
        engine.register("ids", pa.RecordBatchReader.from_batches(schema, numbered()))
        engine.execute(
            f"CREATE TABLE twice AS FROM ids SELECT {_HASH} AS h WHERE id IS NOT NULL"
            " GROUP BY h HAVING count(*) > 1"
        ).fetchall()
        if not engine.execute("FROM twice LIMIT 1").fetchall():
            return _NONE, _NONE
        engine.register("ids", pa.RecordBatchReader.from_batches(schema, numbered()))
        found = engine.sql(
            f"FROM (FROM ids SEMI JOIN twice ON {_HASH} = h"
            "      SELECT row, min(row) OVER (PARTITION BY id) AS earlier)"
            " SELECT row, earlier WHERE row > earlier ORDER BY row"
        ).to_arrow_table()
    return found["row"].to_numpy(), found["earlier"].to_numpy()
