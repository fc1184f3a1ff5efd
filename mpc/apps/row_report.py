# SPDX-License-Identifier: Apache-2.0
"""How errors about rows are worded: by number, never by value, lest a log hold an identifier."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SHOWN = 5


def first_rows(indices: NDArray[np.integer]) -> str:
    """``row 3`` or ``rows 3, 7, 9, ...``: the first of ``indices`` (from zero), counted from one.

    Rows are those of the data: the header of a CSV file, and blank lines, are not counted.
    """
    numbers = [f"{int(index) + 1:,}" for index in indices[:SHOWN]]
    more = ", ..." if len(indices) > SHOWN else ""
    return f"row{'s' if len(indices) > 1 else ''} {', '.join(numbers)}{more}"
