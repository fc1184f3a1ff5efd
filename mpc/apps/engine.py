# SPDX-License-Identifier: Apache-2.0
"""DuckDB as the tables use it: bounded memory, a spill that ends with the query, no network."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from mpc.errors import ConfigError

BATCH_ROWS = 1 << 16


@dataclass(frozen=True, slots=True)
class Bounds:
    """What reading a table may take: ``memory_mb`` for DuckDB, and where it may spill beyond.

    DuckDB's limit does not count Arrow's batches and the process itself, which add some 200 MB.
    ``temp_folder`` is the system's by default. Choose one on a disk that is fit for the data: ids
    go there in a file without a name, and hashes of ids in a folder that only this user can read,
    which a killed process leaves behind.
    """

    memory_mb: int = 256
    temp_folder: Path | None = None

    def __post_init__(self) -> None:
        if self.memory_mb < 64:
            raise ConfigError(f"memory_mb is {self.memory_mb}; DuckDB needs at least 64")
        if self.temp_folder is not None and not self.temp_folder.is_dir():
            raise ConfigError(f"the temp folder {self.temp_folder} does not exist; make it first")


@contextmanager
def connect(bounds: Bounds) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty in-memory database that ends, with all that it spilled, when the block does.

    Raises ``ConfigError`` when the block runs out of memory and of room to spill.
    """
    with tempfile.TemporaryDirectory(prefix="mpc-spill-", dir=bounds.temp_folder) as folder:
        connection = duckdb.connect(
            config={
                "memory_limit": f"{bounds.memory_mb}MB",
                "temp_directory": folder,
                "threads": "2",  # each thread holds buffers of its own, and two saturate parsing
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
            }
        )
        try:
            # It would draw its bar on standard output, amid what a command prints there.
            connection.execute("SET enable_progress_bar_print = false")
            # The day of a moment is not to depend on where the machine stands.
            connection.execute("SET TimeZone = 'UTC'")
            yield connection
        except (duckdb.Error, pa.ArrowException) as fault:
            if "Out of Memory" not in str(fault).partition("\n")[0]:
                raise
            raise ConfigError(
                f"reading the table takes more than {bounds.memory_mb} MB and the room in {folder};"
                " set TMPDIR to a folder on a bigger disk, or in code raise Bounds.memory_mb"
            ) from None
        finally:
            connection.close()
