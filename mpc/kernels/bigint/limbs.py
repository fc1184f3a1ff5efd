# SPDX-License-Identifier: Apache-2.0
"""Between packed bytes and rows of limbs in lanes, on whole vectors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import numpy as np
from gmpy2 import pack, unpack
from numpy.typing import NDArray

from mpc.kernels.bigint.digits import digits_all
from mpc.kernels.bigint.integers import spaced_words
from mpc.kernels.bigint.loops import split_all
from mpc.kernels.bigint.residues import LANES, Residues, in_all_lanes, lane_groups, zero_groups
from mpc.kernels.lanes import LIMB_BITS

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


def joined(element: Words, root: Any, limbs: int) -> Any:
    """The number, not reduced, whose digits of ``limbs`` limbs an element (rows) is: as mpz."""
    rows, number = element.tolist(), 0
    for place in range(len(rows) - limbs, -1, -limbs):
        number = number * root + pack(rows[place : place + limbs], LIMB_BITS)
    return number


def apart(number: Any, root: Any, digits: int, limbs: int) -> Words:
    """A number below root**digits, an mpz, as an element in every lane of one group."""
    words = b""
    for place in range(1, digits + 1):
        number, digit = divmod(number, root) if place < digits else (0, number)
        words += pack(unpack(digit, LIMB_BITS), 64).to_bytes(8 * limbs, "little")
    return in_all_lanes(np.frombuffer(words, np.uint64)[:, np.newaxis], 0)


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
