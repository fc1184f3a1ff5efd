# SPDX-License-Identifier: Apache-2.0
"""Python and numpy integers as packed little-endian bytes, and what is asked of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from operator import index
from typing import Any

import gmpy2
import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError, CryptoError

Exponents = int | NDArray[np.uint8]
Integers = Sequence[int] | NDArray[Any]

_WORD = np.dtype("<i8")


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
    """Magnitudes as uint8 (count, width), in whole words, and which are negative."""
    array = np.asarray(integers)
    if array.dtype.kind in "iub":
        # -2**63 has no int64 magnitude, but its two's complement is right once read as unsigned.
        sizes = np.abs(array.astype(np.int64)) if array.dtype.kind == "i" else array
        words = sizes.astype("<u8").reshape(-1, 1)
        return words.view(np.uint8), array < 0
    values = [index(value) for value in integers]
    width = 8 * max(-(-abs(value).bit_length() // 64) for value in values) if values else 0
    packed = b"".join(abs(value).to_bytes(width, "little") for value in values)
    negative = np.array([value < 0 for value in values], dtype=np.bool_)
    return np.frombuffer(packed, np.uint8).reshape(len(values), width), negative


def raise_all(integers: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """Integers of at most ``bits`` bits, plus 2**bits: as uint8 (*shape, width)."""
    if integers.dtype.kind == "O" or bits > 62:
        packed, _ = magnitudes((integers.astype(object) + (1 << bits)).ravel())
        return packed.reshape(*integers.shape, -1)
    raised = integers.astype("<i8", order="C")
    raised += 1 << bits
    return raised[..., np.newaxis].view(np.uint8)


def wrap_all(integers: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """Integers of either sign modulo a power of two of at least ``bits`` bits, (count, width).

    Those of 64 bits may be shared with the array.
    """
    count = -(-bits // 64)
    if integers.dtype.kind == "i":
        words = np.ascontiguousarray(integers, _WORD).reshape(-1, 1)
        if count > 1:
            words = np.concatenate([words, *[words >> 63] * (count - 1)], axis=-1)
        return words.view(np.uint8)
    packed = b"".join(
        index(value).to_bytes(8 * count, "little", signed=True) for value in integers.ravel()
    )
    return np.frombuffer(packed, np.uint8).reshape(integers.size, -1)


def inverted(value: Any, modulus: Any) -> Any:
    """Raises CryptoError if there is no inverse."""
    try:
        return gmpy2.invert(value, modulus)
    except ZeroDivisionError:
        raise CryptoError("an element shares a factor with the modulus") from None


def inverted_all(values: Iterable[Any], modulus: Any) -> list[Any]:
    """The inverse of each value modulo an mpz, by one extended gcd, and three products for each
    further one."""
    if not (left := list(values)):
        return []
    before = list(accumulate(left, lambda a, b: a * b % modulus))
    inverse, found = inverted(before.pop(), modulus), []
    while before:
        found.append(inverse * before.pop() % modulus)
        inverse = inverse * left.pop() % modulus
    return [inverse, *found[::-1]]


def bit_length(packed: NDArray[np.uint8]) -> int:
    """The bit length of the largest of public little-endian integers."""
    rows = packed.reshape(-1, packed.shape[-1]) if packed.size else np.zeros((1, 1), np.uint8)
    rows = rows.view(np.uint64) if rows.shape[1] % 8 == 0 else rows
    seen = np.bitwise_or.reduce(rows, axis=0).tobytes()
    return int.from_bytes(seen, "little").bit_length()


def survey(integers: NDArray[Any]) -> tuple[int, int, int]:
    """The least and the largest of public integers, at least one, and how many are not 0."""
    return int(integers.min()), int(integers.max()), int(np.count_nonzero(integers))


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
    # Most are told by their highest eight bytes.
    highest, limit = map(_highest, (packed, bounds))
    found = highest < limit
    if (alike := np.flatnonzero(highest == limit)).size:
        limits = bounds if len(bounds) == 1 else bounds[alike]
        found[alike] = _below(packed[alike], limits)
    return found


def _highest(packed: NDArray[np.uint8]) -> NDArray[np.uint64]:
    if packed.shape[1] < 8:
        return spaced_words(packed)[:, 0]
    return np.ascontiguousarray(packed[:, -8:]).view("<u8")[:, 0]


def _below(packed: NDArray[np.uint8], bounds: NDArray[np.uint8]) -> NDArray[np.bool_]:
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
    if width % 8 == 0 and packed.flags.c_contiguous:
        words[:, :-1] = packed.view(np.uint64)
    else:
        words.view(np.uint8)[:, :width] = packed
    return words
