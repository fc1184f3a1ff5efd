# SPDX-License-Identifier: Apache-2.0
"""A party's own tables, opened and their ids read, before it connects to anyone."""

from __future__ import annotations

from pathlib import Path

from mpc.apps import identifiers, tables
from mpc.apps.holding import Holding
from mpc.errors import ConfigError
from mpc.party.config import Dataset
from mpc.party.outcome import Notify

SCHEMES = {"uscc": identifiers.CREDIT_CODE, "resident": identifiers.RESIDENT_NUMBER}


def holding(
    dataset: Dataset | None,
    kind: str,
    input: Path | None = None,
    *,
    key: str = "data",
    notify: Notify,
) -> Holding:
    """The table of ``dataset``, or of ``input`` in its place; ``notify`` is told of rows left out.

    Raises ConfigError where a job of ``kind`` is granted none under ``key``, and what reading does.
    """
    if dataset is None:
        raise ConfigError(f'[jobs.{kind}] needs {key} = "NAME", of a [data.NAME] table')
    table = tables.Table.open(input or dataset.file, delimiter=dataset.delimiter)
    scheme = None if dataset.identifier is None else SCHEMES[dataset.identifier]
    ids = table.ids(dataset.id, scheme=scheme, duplicates=dataset.duplicates, nulls=dataset.nulls)
    if len(ids.dropped):
        notify(
            f"left out of {table.path.name}: {ids.nulls:,} rows without an id, {ids.repeats:,} "
            "with that of an earlier row"
        )
    return Holding(table, ids, dataset.dates)
