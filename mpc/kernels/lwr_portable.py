# SPDX-License-Identifier: Apache-2.0
"""Learning with rounding on whole arrays: the reference; what each function does: ``lwr``."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from mpc.kernels import aes

Words = NDArray[np.uint64]
Residues = NDArray[np.uint32]

MODULI = (6635521, 5308417)
"""t1 and t2, primes that are 1 modulo 27 * 2^14."""

Q = MODULI[0] * MODULI[1]
SIZE = 18
"""The degree of X^18 + X^9 + 1, the polynomial of the primitive 27th roots of unity."""

RANK = 80

LIMITS = tuple(2**32 // modulus * modulus for modulus in MODULI)
"""The words below these have uniform residues."""

WORDS = RANK * SIZE  # of a seed, for each modulus
BLOCKS = 2 * WORDS // 4
_SPARE_BLOCKS = 8
_ROWS = 1 << 10  # at a time


def roots(modulus: int) -> list[int]:
    """The primitive 27th roots of unity, in the order of the hat domain: powers of the first."""
    powers = (pow(x, (modulus - 1) // 27, modulus) for x in range(2, modulus))
    first = next(root for root in powers if pow(root, 9, modulus) != 1)
    return [pow(first, e, modulus) for e in range(27) if e % 3]


@cache
def interpolation(modulus: int) -> NDArray[np.float64]:
    """The matrix (SIZE, SIZE) by which values in the hat domain, a row, become coefficients.

    Lagrange: with F = X^18 + X^9 + 1, F / ((X - r) F'(r)) is 1 at the root r and 0 at the others.
    """
    rows = []
    for root in roots(modulus):
        top_down = [1]  # the coefficients of F / (X - r), by Horner's rule
        for power in range(SIZE - 1, 0, -1):
            top_down.append((top_down[-1] * root + (power == 9)) % modulus)
        slope = 18 * pow(root, 17, modulus) + 9 * pow(root, 8, modulus)
        scale = pow(slope, -1, modulus)
        rows.append([scale * coefficient % modulus for coefficient in reversed(top_down)])
    return np.array(rows, np.float64)


def _spares(seed: Words) -> Iterator[int]:
    """The words of a seed's stream that replace others, in turn."""
    keys = aes.schedules(seed.reshape(1, 2))[0]
    first = BLOCKS
    while True:
        yield from aes.counter(keys, _SPARE_BLOCKS, first).view(np.uint32).ravel().tolist()
        first += _SPARE_BLOCKS


def _stream(seeds: Words) -> Residues:
    """The words of each seed from which residues are taken, (n, 2, WORDS)."""
    words = aes.expand_seeds(seeds, BLOCKS).view(np.uint32).reshape(len(seeds), 2, WORDS)
    rejected = words >= np.array(LIMITS, np.uint32)[:, None]
    for row in np.flatnonzero(rejected.any(axis=(1, 2))):
        spares = _spares(seeds[row])
        for which, place in np.argwhere(rejected[row]):
            words[row, which, place] = next(w for w in spares if w < LIMITS[which])
    return words


def expand(seeds: Words) -> Residues:
    out = np.empty((2, len(seeds), RANK, SIZE), np.uint32)
    for start in range(0, len(seeds), _ROWS):
        words = _stream(seeds[start : start + _ROWS])
        for which, modulus in enumerate(MODULI):
            residues = words[:, which] % np.uint32(modulus)
            out[which, start : start + _ROWS] = residues.reshape(-1, RANK, SIZE)
    return out


def products(secret: Residues, seeds: Words) -> Residues:
    out = np.empty((2, len(seeds), SIZE), np.uint32)
    for start in range(0, len(seeds), _ROWS):
        words = _stream(seeds[start : start + _ROWS]).reshape(-1, 2, RANK, SIZE)
        # A word of 32 bits by a residue of 23, 80 times: below 2^62.
        sums = np.einsum("ntki,tki->tni", words.astype(np.uint64), secret.astype(np.uint64))
        out[:, start : start + _ROWS] = sums % np.array(MODULI, np.uint64)[:, None, None]
    return out


def rounded(values: Residues, bits: int, dither: Words) -> Words:
    t1, t2 = MODULI
    # Sums of 18 products of residues are below 2^53, where doubles are exact.
    first, second = (
        (of.astype(np.float64) @ interpolation(t) % t).astype(np.uint64)
        for of, t in zip(values, MODULI, strict=True)
    )
    # By the Chinese remainder theorem, y = first + t1 ((second - first) / t1 mod t2).
    inverse = np.uint64(pow(t1, -1, t2))
    y = first + np.uint64(t1) * ((second + np.uint64(2 * t2) - first) * inverse % np.uint64(t2))
    # 2^bits y does not fit a word. The quotient in doubles is at most one off, and what that leaves
    # of it, between -q and 2 q, is right modulo 2^64.
    quotient = (y.astype(np.float64) * (2.0**bits / Q)).astype(np.uint64)
    rest = ((y << np.uint64(bits)) - quotient * np.uint64(Q)).view(np.int64)
    quotient += (rest >= Q).astype(np.uint64) - (rest < 0)
    missing = np.uint64(Q) - (rest % Q).astype(np.uint64)
    # 2^bits dither / 2^64 is below 2^bits, and so may reach what is missing to the next.
    near = missing < np.uint64(1 << bits)
    return quotient + (near & (dither >= missing << np.uint64(64 - bits)))
