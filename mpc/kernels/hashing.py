# SPDX-License-Identifier: Apache-2.0
"""A keyed cryptographic hash of many byte strings, without a Python object per string.

The strings lie one after another in a buffer, string i from ``offsets[i]`` to ``offsets[i + 1]``,
which is the layout of Arrow. The hash is BLAKE2s (RFC 7693) with a key and a personal label, so
that ``hashlib.blake2s(item, key=key, person=person, digest_size=size)`` is each digest.

Why a cryptographic hash, where a universal one (a polynomial in a secret point, say) is faster:
the key is known to both parties, and one that departs from the protocol may look for strings that
collide under it. With a universal hash it finds as many as it likes, and then one place of its set
stands for all of them. BLAKE2s is collision resistant under a known key, and indifferentiable from
a random oracle when its block cipher is ideal (Luykx, Mennink, Neves, "Security Analysis of
BLAKE2's Modes of Operation", ToSC 2016). To find two strings with one 256-bit digest takes 2^128
work; 2^25 honest strings have two with one 128-bit half with probability below 2^-78.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from mpc.kernels import vaes

SIZES = (8, 16, 32)
_FEW = 8  # below it, one by one with OpenSSL's speed is sooner than to begin with lanes
_MAX_STRING = (1 << 32) - 1 - 64


def digests(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    *,
    key: bytes = b"",
    person: bytes = b"",
    size: int = 32,
) -> NDArray[np.uint64]:
    """The digests of ``len(offsets) - 1`` strings as (n, size / 8) words, in memory order.

    ``key`` has at most 32 bytes, ``person`` at most 8, ``size`` is 8, 16 or 32. Strings may not
    overlap backwards, leave the buffer, or exceed 4 GiB.
    """
    _check(key, person, size)
    if data.dtype != np.uint8 or data.ndim != 1 or len(offsets) < 1:
        raise ValueError(f"strings are in uint8 (bytes,), not {data.dtype} {data.shape}")
    ends = np.ascontiguousarray(offsets, np.int64)
    lengths = np.diff(ends)
    if ends[0] < 0 or ends[-1] > len(data) or bool(np.any((lengths < 0) | (lengths > _MAX_STRING))):
        raise ValueError(f"the offsets of {len(lengths)} strings do not fit {len(data)} bytes")
    return _kernel(len(lengths)).digests(np.ascontiguousarray(data), ends, key, person, size)


def joined(
    left: NDArray[np.uint64],
    right: NDArray[np.uint64],
    *,
    key: bytes = b"",
    person: bytes = b"",
    size: int = 32,
) -> NDArray[np.uint64]:
    """The digests of ``left[i]`` followed by ``right[i]``: rows of one to eight words together."""
    _check(key, person, size)
    fits = left.ndim == 2 and right.ndim == 2 and left.dtype == right.dtype == np.uint64
    if not fits or len(left) != len(right) or not 1 <= left.shape[1] + right.shape[1] <= 8:
        raise ValueError(f"cannot join rows of {left.shape} and {right.shape} to a block each")
    left, right = np.ascontiguousarray(left), np.ascontiguousarray(right)
    return _kernel(len(left)).joined(left, right, key, person, size)


def _check(key: bytes, person: bytes, size: int) -> None:
    if len(key) > 32 or len(person) > 8 or size not in SIZES:
        raise ValueError(f"a key of {len(key)}, a label of {len(person)}, digests of {size} bytes")


def _kernel(count: int) -> ModuleType:
    if count >= _FEW and vaes.simd():
        from mpc.kernels import hashing_simd

        return hashing_simd
    from mpc.kernels import hashing_portable

    return hashing_portable
