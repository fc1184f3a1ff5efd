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
    size = prod(shape)
    raw = np.empty(size + LINE, dtype=np.uint64)
    skip = -addressof(c_char.from_buffer(raw.data)) % (8 * LINE) // 8  # the quickest way to tell
    return raw[skip : skip + size].reshape(shape)
