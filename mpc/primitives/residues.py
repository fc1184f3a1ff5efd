# SPDX-License-Identifier: Apache-2.0
"""Vectors of residues below 2^29, uint32: drawn without bias, and packed for the wire.

Packed, a residue takes its 29 bits and no more. A row of n, a multiple of eight, is a part of the
lowest 16 bits of each, little-endian, then one of the next 8 bits, one of the next 4 and one of the
last, each part with the residues in order and the first in the lowest bits of an octet.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mpc.errors import CryptoError
from mpc.primitives.rng import Rng

Residues = NDArray[np.uint32]
Octets = NDArray[np.uint8]

BITS = 29


def below(rng: Rng, bound: int, count: int) -> Residues:
    """``count`` uniform integers in [0, ``bound``), by rejection, for a bound of up to 32 bits."""
    mask = np.uint32((1 << (bound - 1).bit_length()) - 1)
    out, have = np.empty(count, np.uint32), 0
    while have < count:
        drawn = np.frombuffer(rng.bytes(4 * (count - have)), "<u4") & mask
        kept = drawn[drawn < bound]
        out[have : have + len(kept)] = kept
        have += len(kept)
    return out


def uniform(rng: Rng, primes: Sequence[int], count: int, size: int) -> Residues:
    """Uniform residues (count, primes, size)."""
    out = np.empty((count, len(primes), size), np.uint32)
    for place, prime in enumerate(primes):
        out[:, place] = below(rng, prime, count * size).reshape(count, size)
    return out


def width(size: int) -> int:
    """How many octets a row of ``size`` residues takes, a multiple of eight."""
    if size % 8:
        raise ValueError(f"a row of {size} residues")
    return BITS * size // 8


def pack(rows: Residues) -> Octets:
    """Rows (..., size) as octets (..., width(size))."""
    size = rows.shape[-1]
    out = np.empty((*rows.shape[:-1], width(size)), np.uint8)
    parts = _parts(out, size)
    parts[0][:] = rows.astype("<u2").view(np.uint8)
    parts[1][:] = (rows >> 16).astype(np.uint8)
    fours = (rows >> 24).astype(np.uint8)
    parts[2][:] = fours[..., ::2] & 15 | fours[..., 1::2] << 4
    parts[3][:] = np.packbits(fours >> 4 & 1, axis=-1, bitorder="little")
    return out


def unpack(octets: Octets, primes: Sequence[int], size: int) -> Residues:
    """Rows (..., primes, size) of octets (..., primes, width(size)).

    Raises ``CryptoError`` where one is not below its prime.
    """
    if octets.dtype != np.uint8 or octets.shape[-2:] != (len(primes), width(size)):
        raise ValueError(f"rows of {size} residues in {octets.dtype} {octets.shape}")
    parts = _parts(octets, size)
    rows = np.ascontiguousarray(parts[0]).view("<u2").astype(np.uint32)
    high = np.unpackbits(parts[3], axis=-1, bitorder="little")
    high <<= 4
    high[..., ::2] |= parts[2] & 15
    high[..., 1::2] |= parts[2] >> 4
    rows |= high.astype(np.uint32) << 24
    rows |= parts[1].astype(np.uint32) << 16
    if (rows >= np.array(primes, np.uint32)[:, None]).any():
        raise CryptoError("a residue is not below its prime")
    return rows


def _parts(octets: Octets, size: int) -> list[Octets]:
    """Views of a row's four parts: of two octets, an octet, half of one and a bit for each."""
    ends = np.cumsum([2 * size, size, size // 2])
    return np.split(octets, ends, axis=-1)
