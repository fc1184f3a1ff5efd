# SPDX-License-Identifier: Apache-2.0
"""Words that begin a line of the cache, as vectors of eight are read and written fastest."""

from __future__ import annotations

from ctypes import addressof, c_char
from math import prod

import numpy as np
from numpy.typing import NDArray

LINE = 8
"""Words of 64 bits."""


def words(*shape: int) -> NDArray[np.uint64]:
    """Uint64 of any content."""
    raw = np.empty(prod(shape) + LINE, np.uint64)
    begin = addressof(c_char.from_buffer(raw.data))  # the quickest way to tell
    return np.ndarray(shape, np.uint64, raw, -begin % (8 * LINE))
