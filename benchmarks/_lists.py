# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks of joint lists and decisions are measured on: keys, and which are where."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

ASKER = "asker"
Numbers = NDArray[np.int64]


def names(holders: int) -> tuple[str, ...]:
    """The asker, and so many holders."""
    return (ASKER, *(f"holder_{place}" for place in range(holders)))


def keys(numbers: Numbers) -> Any:
    """18 characters for each number, in an Arrow array."""
    digits = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width=16, padding="0")
    return pc.binary_join_element_wise("91", digits, "")


def listed(place: int, asked: int, rows: int) -> Numbers:
    """The list of one holder: about a quarter of the applicants, and others that nobody else has.

    Applicants are the numbers below ``asked``.
    """
    generator = np.random.default_rng([place, asked, rows])
    among = np.flatnonzero(generator.random(asked) < 0.25)[:rows]
    others = (place + 1 << 40) + np.arange(rows - len(among))
    return np.concatenate([among, others])
