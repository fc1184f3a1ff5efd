# SPDX-License-Identifier: Apache-2.0
"""The halves of an expand-convolute code in plain Python and numpy; what they do: ``lpn``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_WORD = (1 << 64) - 1


def accumulate(values: Words, taps: NDArray[np.uint32], modular: bool) -> None:
    size = len(values)
    packed = values.tobytes()
    width = len(packed) // size
    state = [int.from_bytes(packed[i : i + width], "little") for i in range(0, len(packed), width)]
    for i, tap in enumerate(taps.tolist()):
        value, bits, place = state[i], tap & 0xFFFFFF | 1 << 24, i + 1
        while bits:
            if bits & 1:
                target = place if place < size else place - size
                if modular:
                    state[target] = state[target] + value & _WORD
                else:
                    state[target] ^= value
            bits >>= 1
            place += 1
    joined = b"".join(value.to_bytes(width, "little") for value in state)
    values[:] = np.frombuffer(joined, np.uint64).reshape(values.shape)


def gather(
    out: Words, values: Words, picks: NDArray[np.uint32], first: int, length: int, modular: bool
) -> None:
    places = picks.astype(np.uint64) * np.uint64(length) >> np.uint64(32)
    chosen = values[first : first + length][places.astype(np.intp)]
    if modular:
        out += chosen
    else:
        out ^= chosen
