# SPDX-License-Identifier: Apache-2.0
"""Number-theoretic transforms on whole arrays: the reference; what they do: ``ntt``.

Rows are (n, primes, size).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpc.kernels.ntt import Transform

Residues = NDArray[np.uint32]
Words = NDArray[np.uint64]


def forward(rows: Residues, transform: Transform) -> Residues:
    x = rows.astype(np.uint64)
    count, primes, size = x.shape
    q, roots = transform.moduli.astype(np.uint64)[:, None, None], transform.roots[0]
    groups, reach = 1, size // 2
    while reach:
        pairs = x.reshape(count, primes, groups, 2, reach)
        powers = roots[:, 0, groups : 2 * groups, None]
        left, right = pairs[:, :, :, 0], pairs[:, :, :, 1] * powers % q
        x = np.stack([(left + right) % q, (left + q - right) % q], axis=3)
        groups, reach = 2 * groups, reach // 2
    return x.reshape(rows.shape).astype(np.uint32)


def inverse(rows: Residues, transform: Transform) -> Residues:
    x = rows.astype(np.uint64)
    count, primes, size = x.shape
    q, roots = transform.moduli.astype(np.uint64)[:, None, None], transform.roots[1]
    groups, reach = size // 2, 1
    while groups:
        pairs = x.reshape(count, primes, groups, 2, reach)
        powers = roots[:, 0, groups : 2 * groups, None]
        left, right = pairs[:, :, :, 0], pairs[:, :, :, 1]
        x = np.stack([(left + right) % q, (left + q - right) * powers % q], axis=3)
        groups, reach = groups // 2, 2 * reach
    x = x.reshape(rows.shape) * roots[:, 0, :1] % q[:, 0]
    return x.astype(np.uint32)


def combine(plain: Residues, ciphertexts: Residues, slots: Transform, ring: Transform) -> Residues:
    q = ring.moduli.astype(np.uint64)[:, None]
    out = np.empty((len(plain), *ciphertexts.shape[1:]), np.uint32)
    for block, factors in enumerate(plain):
        total = np.zeros(ciphertexts.shape[1:], np.uint64)
        lifted = _lift(inverse(factors, slots), slots, ring)
        for factor, ciphertext in zip(forward(lifted, ring), ciphertexts, strict=True):
            total = (total + factor.astype(np.uint64) * ciphertext) % q
        out[block] = total
    return out


def _lift(coefficients: Residues, slots: Transform, ring: Transform) -> Residues:
    """Coefficients (terms, 2, size) modulo two primes, modulo each of the ring's."""
    t1, t2 = slots.primes
    first = coefficients[:, 0].astype(np.int64)
    second = (coefficients[:, 1] - first) * pow(t1, -1, t2) % t2
    centred = second - t2 * (second > t2 // 2)
    whole = (first + t1 * centred)[:, None, :]
    return np.mod(whole, ring.moduli.astype(np.int64)[:, None]).astype(np.uint32)
