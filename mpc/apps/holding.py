# SPDX-License-Identifier: Apache-2.0
"""A party's own table with its ids, as the jobs take it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpc.apps.id_columns import Ids
from mpc.apps.tables import Table


@dataclass(frozen=True, slots=True)
class Holding:
    """A table and its ids in the order of its rows; of a list, the column of its dates."""

    table: Table
    ids: Ids
    dates: str | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def rows(self) -> NDArray[np.int64]:
        """The row of each id."""
        return self.ids.rows(np.arange(len(self.ids)))
