# SPDX-License-Identifier: Apache-2.0
"""BLAKE2s of many strings through ``hashlib``: the reference for ``hashing_simd``."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


def joined(
    left: NDArray[np.uint64], right: NDArray[np.uint64], key: bytes, person: bytes, size: int
) -> NDArray[np.uint64]:
    records = np.concatenate([left, right], axis=1).view(np.uint8)
    ends = np.arange(len(records) + 1) * records.shape[1]
    return digests(records.ravel(), ends, key, person, size)


def digests(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], key: bytes, person: bytes, size: int
) -> NDArray[np.uint64]:
    start = hashlib.blake2s(key=key, person=person, digest_size=size)
    whole, ends = memoryview(data.data), offsets.tolist()
    out = bytearray()
    for begin, end in pairwise(ends):
        one = start.copy()
        one.update(whole[begin:end])
        out += one.digest()
    return np.frombuffer(out, np.uint64).reshape(len(offsets) - 1, size // 8)
