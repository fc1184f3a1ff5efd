# SPDX-License-Identifier: Apache-2.0
"""Numbers as plaintexts: signed integers at a scale, within what a plaintext or a slot holds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpc.errors import ConfigError, EncodingOverflow
from mpc.primitives import fixed
from mpc.primitives.fixed import Integers
from mpc.primitives.paillier.packing import Packing

FRACTION_BITS = 32
"""The scale of floats where the caller names none."""


def limit(n: int, packing: Packing | None) -> int:
    """The largest magnitude that decrypts to itself."""
    return packing.limit if packing else n // 2


def layout(shape: tuple[int, ...], packing: Packing | None) -> tuple[int, ...]:
    """The shape of the array of ciphertexts that hold numbers of ``shape``."""
    if packing is None:
        return shape
    if not shape:
        raise ConfigError("a single number has no axis to pack")
    return (*shape[:-1], packing.ciphertexts(shape[-1]))


def scaled(values: ArrayLike, fraction_bits: int | None) -> tuple[Integers, int]:
    """``values`` as integers, and their fraction bits: by default those floats need."""
    if fraction_bits is None:
        fraction_bits = FRACTION_BITS if fixed.has_floats(values) else 0
    return fixed.integers(values, fraction_bits), fraction_bits


def bounded(signed: Integers, bound: int | None, n: int, packing: Packing | None) -> int:
    """The bound of newly encrypted values, checked.

    Without one from the caller it is what the packing provides for, or else the first of 2**64 - 1,
    2**128 - 1, ... to hold them: coarse, so that what is refused later hardly depends on the data.
    """
    if bound is None and packing:
        bound = (1 << packing.value_bits) - 1
    if bound is None:
        words = max(1, -(-fixed.magnitude(signed).bit_length() // 64))
        bound = min((1 << (64 * words)) - 1, n // 2)
    bound = checked_bound(bound, n, packing)
    fixed.require_within(signed, -bound, bound, "exceeds the bound of its encryption")
    return bound


def checked_bound(bound: int | None, n: int, packing: Packing | None) -> int:
    """``bound``, or the limit where there is none. Raises EncodingOverflow above the limit, and
    ConfigError for the packing of a longer key."""
    if packing:
        packing.check_fits(n.bit_length())
    most = limit(n, packing)
    if bound is None:
        return most
    if not 0 <= bound <= most:
        raise EncodingOverflow("the bound exceeds what a plaintext can hold")
    return bound


def plaintexts(signed: Integers, packing: Packing | None) -> list[int]:
    """One signed plaintext per ciphertext, row by row."""
    if packing is None:
        values: list[int] = signed.ravel().tolist()
        return values
    layout(signed.shape, packing)
    return packing.pack(signed)


def from_residues(
    residues: list[int], n: int, shape: tuple[int, ...], packing: Packing | None
) -> NDArray[Any]:
    """The signed integers of ``shape`` in decrypted plaintexts."""
    signed = [value - n if value > n // 2 else value for value in residues]
    if packing:
        return packing.unpack(signed, shape)
    out = np.empty(len(signed), dtype=object)
    out[:] = signed
    return out.reshape(shape)
