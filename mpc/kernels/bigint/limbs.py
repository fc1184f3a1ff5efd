# SPDX-License-Identifier: Apache-2.0
"""Between packed bytes and rows of limbs in lanes, on whole vectors."""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import addressof, c_char
from itertools import cycle
from typing import Any

import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from mpc.kernels.bigint.digits import digits_all
from mpc.kernels.bigint.integers import spaced_words
from mpc.kernels.bigint.loops import put_words, split, split_all
from mpc.kernels.bigint.residues import LANES, Residues, lane_groups, zero_groups
from mpc.kernels.compiled import small
from mpc.kernels.lanes import LIMB_BITS, address

Words = NDArray[np.uint64]

_SECONDS = 3e-9  # About what one word, limb or digit takes here.


def split_packed(packed: NDArray[np.uint8], limbs: int) -> Words:
    """The lowest ``limbs`` limbs of little-endian integers (count, width), in lane groups."""
    words = whole_words(packed)
    out = zero_groups(-(-len(packed) // LANES), limbs)
    split_all.over(
        len(packed),
        _SECONDS * limbs,
        *(out, begin(words), words.shape[1] // 8, limbs),
        least=LANES,
    )
    return out


def whole_words(packed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Little-endian integers (count, width), one after the other, each in whole words."""
    if packed.shape[1] % 8 == 0:
        return np.ascontiguousarray(packed)
    return spaced_words(packed).view(np.uint8)


def begin(array: NDArray[Any]) -> int:
    """Where a contiguous array begins; whoever passes that on holds the array."""
    try:
        return addressof(c_char.from_buffer(array.data))  # three times as quick
    except (TypeError, ValueError):  # it may not be written, or is empty
        found: int = array.__array_interface__["data"][0]
        return found


def split_integers(values: Sequence[int], limbs: int) -> Words:
    """One value for all lanes of one group, or one for each lane of as many groups as it takes."""
    width = max((-(-value.bit_length() // 8) for value in values), default=0) or 1
    packed = b"".join(value.to_bytes(width, "little") for value in values)
    array = np.frombuffer(packed, np.uint8).reshape(len(values), width)
    return split_packed(np.repeat(array, LANES, axis=0) if len(values) == 1 else array, limbs)


def in_digits(values: Sequence[int], roots: Sequence[int], digits: int, limbs: int) -> Words:
    """Numbers of so many digits modulo a root, one for all or one each, as rows of lanes.

    The lanes that are left get the last of them.
    """
    width = 8 * -(-max(root.bit_length() for root in roots) // 64)
    left, packed = -len(values) % LANES, b""
    for place in range(digits):
        rows = [v // n**place % n for v, n in zip(values, cycle(roots), strict=False)]
        listed = [row.to_bytes(width, "little") for row in rows]
        packed += b"".join(listed + listed[-1:] * left)
    found = split_packed(np.frombuffer(packed, np.uint8).reshape(-1, width), limbs)
    groups = len(found) // digits
    if groups <= 1:
        return found.reshape(groups, digits * limbs, LANES)
    return side_by_side(found.reshape(digits, groups, limbs, LANES))


def lane_groups_of(columns: NDArray[np.integer]) -> Words:
    """(count, columns) as (groups, columns, 8), zero in the lanes that are left."""
    count, width = columns.shape
    out = zero_groups(-(-count // LANES), width)
    whole = count // LANES
    out[:whole] = columns[: whole * LANES].reshape(whole, LANES, width).transpose(0, 2, 1)
    if count % LANES:
        out[whole, :, : count % LANES] = columns[whole * LANES :].T
    return out


def by_element(x: Residues) -> Words:
    """Limbs of each element: (count, rows)."""
    return x.data.transpose(0, 2, 1).reshape(-1, x.data.shape[1])[: len(x)]


@small
def survey_all(integers: NDArray[np.int64]) -> tuple[int, int, int]:
    """:func:`mpc.kernels.bigint.integers.survey`."""
    least, most, used = integers[0], integers[0], 0
    for integer in integers:
        least, most, used = min(least, integer), max(most, integer), used + (integer != 0)
    return least, most, used


@small
def _join(out: Words, x: Words, places: tuple[int, ...], limbs: int) -> None:
    """Words (elements, digits, words) of the elements at some places."""
    for i, place in enumerate(places):
        group, lane = divmod(place, LANES)
        for digit in range(out.shape[1]):
            put_words(out[i, digit], x[group, limbs * digit : limbs * (digit + 1)], limbs, lane)


def joined(x: Words, places: tuple[int, ...], root: Any, limbs: int) -> list[Any]:
    """The numbers, not reduced, that elements of one or two digits of so many limbs are: as mpz."""
    digits, width = x.shape[1] // limbs, -(-LIMB_BITS * limbs // 64)
    words = np.empty((len(places), digits, width), np.uint64)
    _join(words, x, places, limbs)
    packed, step = words.tobytes(), 8 * width
    numbers = [mpz.from_bytes(packed[i : i + step], "little") for i in range(0, len(packed), step)]
    if digits == 1:
        return numbers
    return [low + root * high for low, high in zip(numbers[::2], numbers[1::2], strict=True)]


@small
def _part(out: Words, words: Words, limbs: int) -> None:
    """Limbs of digits, each of as many words, in every lane of one group."""
    digits = out.shape[1] // limbs
    for digit in range(digits):
        split(out[0], limbs * digit, digit, 0, address(words), len(words) // digits, limbs)
    for row in range(out.shape[1]):
        out[0, row, 1:] = out[0, row, 0]


def apart(out: Words, number: Any, root: Any, limbs: int) -> None:
    """A number below root**digits, an mpz, as an element in every lane of one group."""
    width = 8 * -(-LIMB_BITS * limbs // 64)
    parts = [number] if out.shape[1] == limbs else divmod(number, root)[::-1]
    packed = b"".join(part.to_bytes(width, "little") for part in parts)
    _part(out, np.frombuffer(packed, np.uint64), limbs)


def cut(exponents: NDArray[np.uint8], bits: int, window: int) -> Words:
    """The lowest ``bits`` of exponents (count, width) in digits: (groups, windows, 8)."""
    words, windows = whole_words(exponents), -(-bits // window)
    out = zero_groups(-(-len(exponents) // LANES), windows)
    digits_all.over(
        len(exponents),
        _SECONDS * windows,
        *(out, begin(words), words.shape[1] // 8, bits, window, windows),
        least=LANES,
    )
    return out


def aligned(array: NDArray[Any]) -> Words:
    """A copy that begins on a cache line's boundary."""
    out = lane_groups(*array.shape[:2])
    out[...] = array
    return out


def side_by_side(arrays: Sequence[Words] | Words) -> Words:
    """The rows of all, group by group."""
    if len(arrays) == 1:
        return arrays[0]
    return aligned(np.concatenate(arrays, axis=1))


def radix(limbs: int) -> int:
    """R of Montgomery form."""
    return 1 << (LIMB_BITS * limbs)


def powers_of_radix(limbs: int, chunks: int) -> list[int]:
    """The constants that a number's chunks are multiplied by on the way into Montgomery form."""
    return [radix(limbs) ** (chunk + 1) for chunk in range(chunks)]
