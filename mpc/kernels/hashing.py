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

import numpy as np
from numpy.typing import NDArray

from mpc.kernels import vaes

SIZES = (8, 16, 32)
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
    if len(key) > 32 or len(person) > 8 or size not in SIZES:
        raise ValueError(f"a key of {len(key)}, a label of {len(person)}, digests of {size} bytes")
    if data.dtype != np.uint8 or data.ndim != 1 or len(offsets) < 1:
        raise ValueError(f"strings are in uint8 (bytes,), not {data.dtype} {data.shape}")
    ends = np.ascontiguousarray(offsets, np.int64)
    lengths = np.diff(ends)
    if ends[0] < 0 or ends[-1] > len(data) or bool(np.any((lengths < 0) | (lengths > _MAX_STRING))):
        raise ValueError(f"the offsets of {len(lengths)} strings do not fit {len(data)} bytes")
    if vaes.simd():
        from mpc.kernels import hashing_simd

        return hashing_simd.digests(np.ascontiguousarray(data), ends, key, person, size)
    from mpc.kernels import hashing_portable

    return hashing_portable.digests(np.ascontiguousarray(data), ends, key, person, size)
