# SPDX-License-Identifier: Apache-2.0
"""Number-theoretic transforms, compiled; what they do: ``ntt``, and how: ``ntt_levels``.

``combine`` works on one block after the other: all its plaintexts come back from slots and are
kept as digits x1 and y; then the ring's primes have their turn, so that the sums of one, and its
roots, stay in the second-level cache while all terms are added to them. Sums have 64 bits and are
reduced only when they could no longer hold another product.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.kernels import ntt_levels
from mpc.kernels.compiled import inner, kernel
from mpc.kernels.lanes import address
from mpc.kernels.lanes32 import (
    BYTES,
    add,
    add_product,
    high_sums,
    load,
    load_all,
    low_sums,
    lowered,
    store,
    store_sums,
    sub,
    times,
)
from mpc.kernels.ntt import Transform
from mpc.kernels.ntt_levels import Residues, tables

Way = tuple[Residues, Residues]
"""The tables of one way, and the primes."""

SECONDS = 12e-6 / 8192
"""What a transform takes for each place."""

LIFTING = 7
"""How many constants ``_lifting`` has."""

_forward, _inverse = ntt_levels.forward, ntt_levels.inverse


def _transforms(
    start: int,
    stop: int,
    rows: Residues,
    roots: Residues,
    moduli: Residues,
    back: bool,
    out: Residues,
    _scratch: NDArray[np.uint64],
) -> None:
    primes, size = len(moduli), rows.shape[1]
    row = BYTES * size
    for i in range(start, stop):
        limb = i % primes
        source, target = address(rows) + row * i, address(out) + row * i
        powers, prime = address(roots) + 2 * row * limb, address(moduli) + BYTES * limb
        if back:
            _inverse(source, target, size, powers, prime)
        else:
            _forward(source, target, size, powers, prime)


@inner
def _coefficients(plain: int, target: int, terms: int, size: int, roots: int, moduli: int) -> None:
    """Of the plaintexts of a block, modulo t1 and t2."""
    row = BYTES * size
    for i in range(2 * terms):
        limb = i % 2
        prime = moduli + BYTES * limb
        _inverse(plain + row * i, target + row * i, size, roots + 2 * row * limb, prime)


@inner
def _mixed(target: int, size: int, mixing: int) -> None:
    """Coefficients modulo t1 and t2 to their digits x1 and y, the latter plus (t2 - 1) / 2."""
    w, c, above = load_all(mixing, 0), load_all(mixing, 1), load_all(mixing, 2)
    t2, half = load_all(mixing, 3), load_all(mixing, 4)
    for i in range(0, size, 8):
        x = sub(add(load(target, size + i), above), load(target, i))
        y = lowered(times(x, w, c, t2), t2)
        store(target, size + i, lowered(add(y, half), t2))


@inner
def _lifted(source: int, target: int, size: int, lifting: int, q: Any) -> None:
    """Digits to the coefficients modulo a prime of the ring, below 4 q."""
    w, c, offset = load_all(lifting, 0), load_all(lifting, 1), load_all(lifting, 2)
    for i in range(0, size, 8):
        y = times(load(source, size + i), w, c, q)
        store(target, i, add(add(load(source, i), offset), y))


@inner
def _reduced(sums: int, i: int, lifting: int, q: Any) -> Any:
    """Eight sums, below q."""
    high = times(high_sums(sums, i), load_all(lifting, 3), load_all(lifting, 4), q)
    low = times(low_sums(sums, i), load_all(lifting, 5), load_all(lifting, 6), q)
    return lowered(lowered(add(high, low), add(q, q)), q)


@inner
def _add_products(
    values: int, ciphertexts: int, stride: int, size: int, polynomials: int, sums: int
) -> None:
    """Add the products of a plaintext with the polynomials of a ciphertext, at each ``stride``."""
    for poly in range(polynomials):
        factors = ciphertexts + stride * poly
        for i in range(0, size, 8):
            add_product(sums, poly * size + i, load(values, i), load(factors, i))


def _combine(
    start: int,
    stop: int,
    plain: Residues,
    ciphertexts: Residues,
    slots: Way,
    ring: Way,
    mixing: Residues,
    lifting: Residues,
    most: int,
    out: Residues,
    scratch: NDArray[np.uint64],
) -> None:
    terms, size = plain.shape[1], plain.shape[3]
    polynomials, primes = ciphertexts.shape[1], ciphertexts.shape[2]
    row, places = BYTES * size, polynomials * size
    # Sums of several polynomials, one polynomial, and the digits of a block's plaintexts.
    sums = address(scratch)
    values = sums + 8 * places
    digits = values + row
    for block in range(start, stop):
        plaintexts = address(plain) + 2 * row * terms * block
        _coefficients(plaintexts, digits, terms, size, address(slots[0]), address(slots[1]))
        for term in range(terms):
            _mixed(digits + 2 * row * term, size, address(mixing))
        for limb in range(primes):
            roots, prime = address(ring[0]) + 2 * row * limb, address(ring[1]) + BYTES * limb
            lifts = address(lifting) + BYTES * LIFTING * limb
            factors = address(ciphertexts) + row * limb
            q = load_all(prime, 0)
            for i in range(0, places, 8):
                store_sums(sums, i, sub(q, q))
            for term in range(terms):
                _lifted(digits + 2 * row * term, values, size, lifts, q)
                _forward(values, values, size, roots, prime)
                at = factors + row * primes * polynomials * term
                _add_products(values, at, row * primes, size, polynomials, sums)
                if (term + 1) % most == 0:
                    for i in range(0, places, 8):
                        store_sums(sums, i, _reduced(sums, i, lifts, q))
            for poly in range(polynomials):
                target = address(out) + row * ((block * polynomials + poly) * primes + limb)
                for i in range(0, size, 8):
                    store(target, i, _reduced(sums, poly * size + i, lifts, q))


_transforms_kernel, _combine_kernel = kernel(_transforms), kernel(_combine)


def forward(rows: Residues, transform: Transform) -> Residues:
    return _transformed(rows, transform, back=False)


def inverse(rows: Residues, transform: Transform) -> Residues:
    return _transformed(rows, transform, back=True)


def _transformed(rows: Residues, transform: Transform, *, back: bool) -> Residues:
    out = np.empty_like(rows)
    flat, size = rows.reshape(-1, transform.size), transform.size
    args = flat, tables(transform)[int(back)], transform.moduli, back, out.reshape(-1, size)
    _transforms_kernel.over(len(flat), SECONDS * size, *args)
    return out


def combine(plain: Residues, ciphertexts: Residues, slots: Transform, ring: Transform) -> Residues:
    (blocks, terms), (polynomials, primes, size) = plain.shape[:2], ciphertexts.shape[1:]
    t1, t2 = slots.primes
    out = np.empty((blocks, polynomials, primes, size), np.uint32)
    largest = max(ring.primes) - 1
    _combine_kernel.over(
        blocks,
        terms * (2 + primes) * SECONDS * size,
        plain,
        ciphertexts,
        (tables(slots)[1], slots.moduli),
        (tables(ring)[0], ring.moduli),
        _mixing(t1, t2),
        np.array([_lifting(t1, t2, prime) for prime in ring.primes], np.uint32),
        # A sum below q, and so many products, are below 2^64.
        ((1 << 64) - 1 - largest) // largest**2,
        out,
        scratch=polynomials * size + (1 + 2 * terms) * size // 2,
        least=1,
    )
    return out


def _mixing(t1: int, t2: int) -> Residues:
    """1/t1 and its companion; a multiple of t2 above t1, t2, and (t2 - 1) / 2."""
    inverse = pow(t1, -1, t2)
    return np.array([inverse, (inverse << 32) // t2, (t1 // t2 + 1) * t2, t2, t2 // 2], np.uint32)


def _lifting(t1: int, t2: int, q: int) -> list[int]:
    """t1 and its companion, and what takes (t2 - 1) / 2 out of y; then those of 2^32 and of 1."""
    carry = (1 << 32) % q
    return [t1, (t1 << 32) // q, -t1 * (t2 // 2) % q, carry, (carry << 32) // q, 1, (1 << 32) // q]
