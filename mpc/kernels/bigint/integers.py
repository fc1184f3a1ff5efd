# SPDX-License-Identifier: Apache-2.0
"""Python and numpy integers as packed little-endian bytes, and what is asked of them."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError

Exponents = int | NDArray[np.uint8]
Integers = Sequence[int] | NDArray[Any]


def packed_exponents(exponents: Exponents, bits: int | None) -> tuple[NDArray[np.uint8], int]:
    """Exponents as uint8 (count or 1, width), and how many bits of them count."""
    if isinstance(exponents, np.ndarray):
        if exponents.ndim != 2 or exponents.dtype != np.uint8:
            raise ConfigError("exponents are uint8 of shape (count, width), little-endian")
        return exponents, 8 * exponents.shape[1] if bits is None else bits
    if exponents < 0:
        raise ConfigError("a secret exponent is not negative")
    bits = exponents.bit_length() if bits is None else bits
    width = -(-max(bits, exponents.bit_length()) // 8)
    packed = np.frombuffer(exponents.to_bytes(width, "little"), np.uint8).reshape(1, width)
    return packed, bits


def magnitudes(integers: Integers) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Magnitudes as uint8 (count, width), and which are negative."""
    array = np.asarray(integers)
    if array.dtype.kind in "iub":
        # -2**63 has no int64 magnitude, but its two's complement is right once read as unsigned.
        sizes = np.abs(array.astype(np.int64)) if array.dtype.kind == "i" else array
        words = sizes.astype("<u8").reshape(-1, 1)
        return words.view(np.uint8), array < 0
    values = [index(value) for value in integers]
    width = max((abs(value).bit_length() + 7) // 8 for value in values) if values else 0
    packed = b"".join(abs(value).to_bytes(width, "little") for value in values)
    negative = np.array([value < 0 for value in values], dtype=np.bool_)
    return np.frombuffer(packed, np.uint8).reshape(len(values), width), negative


def raise_all(integers: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """Integers of at most ``bits`` bits, plus 2**bits: as uint8 (*shape, width)."""
    small = integers.dtype.kind != "O" and bits < 63
    array = integers.astype(np.int64 if small else object) + (1 << bits)
    return magnitudes(array.ravel())[0].reshape(*integers.shape, -1)


def bit_length(packed: NDArray[np.uint8]) -> int:
    """The bit length of the largest of public little-endian integers."""
    columns = packed.max(axis=tuple(range(packed.ndim - 1)), initial=0)
    used = np.flatnonzero(columns)
    return int(8 * used[-1] + int(columns[used[-1]]).bit_length()) if used.size else 0


def exceeds(packed: NDArray[np.uint8], bits: int) -> bool:
    """Whether any of some little-endian integers, which may be secret, has more than ``bits`` bits.

    All are read alike, and nothing but the answer comes of it.
    """
    whole, part = divmod(bits, 8)
    above = packed[:, whole:]
    lowest = above[:, :1] >> np.uint8(part)
    return bool(
        np.bitwise_or.reduce(lowest, axis=None) | np.bitwise_or.reduce(above[:, 1:], axis=None)
    )


def below(packed: NDArray[np.uint8], bounds: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether each little-endian integer is below its bound (one bound for all, or one each)."""
    words, limits = spaced_words(packed), spaced_words(bounds)
    differs = (words != limits)[:, ::-1]
    first = words.shape[1] - 1 - np.argmax(differs, axis=1)
    rows = np.arange(len(words))
    return differs.any(axis=1) & (
        words[rows, first] < np.broadcast_to(limits, words.shape)[rows, first]
    )


def spaced_words(packed: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Little-endian words of each element (count, width), and one of zero."""
    count, width = packed.shape
    words = np.zeros((count, -(-width // 8) + 1), np.uint64)
    words.view(np.uint8)[:, :width] = packed
    return words
