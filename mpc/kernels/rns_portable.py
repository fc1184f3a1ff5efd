# SPDX-License-Identifier: Apache-2.0
"""Arithmetic on residues, on whole arrays: the reference; what each function does: ``rns``."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Residues = NDArray[np.uint32]
Words = NDArray[np.uint64]
Primes = tuple[int, ...]


def _column(values: list[int] | Primes) -> Words:
    return np.array(values, np.uint64)[:, None]


def multiply_add(total: Residues, x: Residues, y: Residues, primes: Primes) -> Residues:
    return ((x.astype(np.uint64) * y + total) % _column(primes)).astype(np.uint32)


def scale(values: Residues, source: Primes, target: Primes) -> Residues:
    p, q = source
    modulus = p * q
    grown = values * _column([math.prod(target) % prime for prime in source]) % _column(source)
    low, high = grown[..., :1, :], grown[..., 1:, :]
    apart = high + np.uint64(-(-p // q) * q) - low
    whole = low + p * (apart * pow(p, -1, q) % q)
    negative = (whole > modulus // 2) * _column([modulus % prime for prime in target])
    t = _column(target)
    inverses = _column([pow(modulus, -1, prime) for prime in target])
    return ((negative + t - whole % t) * inverses % t).astype(np.uint32)


def rescale(values: Residues, primes: Primes, keep: int) -> Residues:
    rest = values.astype(np.uint64)
    for last in range(len(primes) - 1, keep - 1, -1):
        prime, dropped = primes[last], rest[..., last:, :]
        q = _column(primes[:last])
        apart = rest[..., :last, :] + 2 * q - dropped + np.uint64(prime) * (dropped > prime // 2)
        rest = apart * _column([pow(prime, -1, other) for other in primes[:last]]) % q
    return rest.astype(np.uint32)


def wide(words: Words, bits: int, primes: Primes) -> Residues:
    q = _column(primes)
    low = words[:, :1] >> np.uint64(1)
    high = words[:, 1:] >> np.uint64(127 - bits)
    offset = _column([-(1 << (bits - 1)) % prime for prime in primes])
    step = _column([(1 << 63) % prime for prime in primes])
    return ((high % q * step + low % q + offset) % q).astype(np.uint32)
