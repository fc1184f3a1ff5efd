# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the joint jobs' tests: files as a party has them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest


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
