# SPDX-License-Identifier: Apache-2.0
"""Arithmetic on residues, on whole arrays: the reference; what each function does: ``rns``.

Vectors are (n, primes, size). To round a quotient to the nearest integer, half of the divisor is
added before and its rest taken away, which needs no look at which half the rest is in.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Residues = NDArray[np.uint32]
Words = NDArray[np.uint64]
Primes = tuple[int, ...]


def _column(values: Iterable[int]) -> Words:
    return np.array(list(values), np.uint64)[:, None]


def multiply_add(total: Residues, x: Residues, y: Residues, primes: Primes) -> Residues:
    return ((x.astype(np.uint64) * y + total) % _column(primes)).astype(np.uint32)


def scale(values: Residues, source: Primes, target: Primes) -> Residues:
    (p, q), divisor = source, math.prod(source)
    half, factor = divisor // 2, math.prod(target)
    grown = values * _column(factor % prime for prime in source)
    grown = (grown + _column(half % prime for prime in source)) % _column(source)
    low, high = grown[:, :1], grown[:, 1:]
    apart = high + np.uint64(-(-p // q) * q) - low
    rest = low + p * (apart * pow(p, -1, q) % q)
    t = _column(target)
    inverses = _column(pow(divisor, -1, prime) for prime in target)
    return ((_column(half % prime for prime in target) + t - rest % t) * inverses % t).astype(
        np.uint32
    )


def rescale(values: Residues, primes: Primes, keep: int) -> Residues:
    left = values.astype(np.uint64)
    for last in range(len(primes) - 1, keep - 1, -1):
        prime, q = primes[last], _column(primes[:last])
        half = np.uint64(prime // 2)
        rest = (left[:, last:] + half) % np.uint64(prime)
        inverses = _column(pow(prime, -1, other) for other in primes[:last])
        left = (left[:, :last] + half + 2 * q - rest) * inverses % q
    return left.astype(np.uint32)


def wide(words: Residues, offset: int, primes: Primes) -> Residues:
    q = _column(primes)
    out = np.zeros((len(words), len(primes), words.shape[2]), np.uint64)
    for place in range(3, -1, -1):
        out = (out * _column((1 << 32) % prime for prime in primes) + words[:, place, None]) % q
    return ((out + _column(-offset % prime for prime in primes)) % q).astype(np.uint32)
