# SPDX-License-Identifier: Apache-2.0
"""The pseudorandom function of ``primitives.lwr`` in Python's integers, from its definition."""

from __future__ import annotations

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

T = (6635521, 5308417)
Q = T[0] * T[1]
SIZE, RANK = 18, 80
WORDS = RANK * SIZE


def words(seed, count):
    """The first words of the stream of a seed, two words of 64 bits."""
    encryptor = Cipher(algorithms.AES(seed.tobytes()), modes.ECB()).encryptor()
    blocks = b"".join(block.to_bytes(16, "little") for block in range(-(-count // 4)))
    return np.frombuffer(encryptor.update(blocks), "<u4")[:count].tolist()


def expand(seed, limits=None):
    """The residues (2, WORDS) of a seed, and how many words were rejected for each modulus."""
    stream = words(seed, 8 * WORDS)
    later = iter(stream[2 * WORDS :])
    out, rejected = [[], []], [0, 0]
    for which, t in enumerate(T):
        limit = 2**32 // t * t if limits is None else limits[which]
        for word in stream[which * WORDS : (which + 1) * WORDS]:
            held = word
            rejected[which] += held >= limit
            while held >= limit:
                held = next(later)
            out[which].append(held % t)
    return out, rejected


def roots(t):
    """The primitive 27th roots of unity modulo t, in the order that all agree on."""
    first = next(r for r in (pow(x, (t - 1) // 27, t) for x in range(2, 100)) if pow(r, 9, t) != 1)
    return [pow(first, e, t) for e in range(27) if e % 3]


def hat(polynomials):
    """Values (2, n, SIZE) at the roots of polynomials (n, SIZE) modulo Q."""
    out = np.zeros((2, len(polynomials), SIZE), np.uint32)
    for which, t in enumerate(T):
        powers = np.array([[pow(r, k, t) for r in roots(t)] for k in range(SIZE)], object)
        out[which] = np.array(polynomials, object) @ powers % t
    return out


def from_hat(values):
    """The polynomials (n, SIZE) modulo Q of their values (2, n, SIZE)."""
    parts = []
    for of, t in zip(values, T, strict=True):
        parts.append(solved([[pow(r, k, t) for k in range(SIZE)] for r in roots(t)], of, t))
    first, second = parts
    return first + T[0] * ((second - first) * pow(T[0], -1, T[1]) % T[1])


def solved(matrix, rights, t):
    """x of matrix x = r modulo t, for each row r of ``rights``, by Gauss and Jordan."""
    rows = np.concatenate([np.array(matrix, object), rights.astype(object).T], axis=1)
    for k in range(len(rows)):
        pivot = next(i for i in range(k, len(rows)) if rows[i, k])
        rows[[k, pivot]] = rows[[pivot, k]]
        rows[k] = rows[k] * pow(int(rows[k, k]), -1, t) % t
        for i in range(len(rows)):
            if i != k:
                rows[i] = (rows[i] - rows[i, k] * rows[k]) % t
    return rows[:, len(rows) :].T


def product(x, y):
    """Of two polynomials, modulo X^18 + X^9 + 1 and Q."""
    long = [0] * (2 * SIZE - 1)
    for i, a in enumerate(x):
        for j, b in enumerate(y):
            long[i + j] += int(a) * int(b)
    for k in range(2 * SIZE - 2, SIZE - 1, -1):  # X^k = -X^(k - 9) - X^(k - 18)
        long[k - 9] -= long[k]
        long[k - 18] -= long[k]
    return [c % Q for c in long[:SIZE]]


def floors(polynomials, bits=35, dither=None):
    """floor(2^bits (c + d / 2^64) / Q) of coefficients c in [0, Q)."""
    added = np.zeros(np.shape(polynomials), object) if dither is None else dither.astype(object)
    total = (np.asarray(polynomials, object) * 2**64 + added) * 2**bits
    return (total // (Q * 2**64)).astype(np.uint64)
