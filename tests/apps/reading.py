# SPDX-License-Identifier: Apache-2.0
"""What the tests of tables read, as plain Python."""

from __future__ import annotations

from pathlib import Path

from mpc.apps.tables import Table


def ids_of(path: Path, *args, **options) -> list[str]:
    return Table.open(path).ids(*args, **options).array().to_pylist()
