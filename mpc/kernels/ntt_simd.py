# SPDX-License-Identifier: Apache-2.0
"""Number-theoretic transforms on eight residues at a time; what they do: ``ntt``.

A forward transform takes groups of coefficients apart, from one of all to those of eight, two
levels in one pass over memory; the last three levels work on eight groups at once, of which each
register holds one place. Back it goes the other way. Between, forward, residues are below 4 q, and
back below 2 q (Harvey 2014, sections 2 and 3).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.kernels.compiled import Kernel, inner, kernel
from mpc.kernels.lanes import address
from mpc.kernels.lanes32 import (
    add,
    add_product,
    halves_high,
    halves_low,
    high_sums,
    load,
    load_all,
    low_sums,
    lowered,
    pairs_high,
    pairs_low,
    store,
    store_sums,
    sub,
    times,
    zip_high,
    zip_low,
)
from mpc.kernels.ntt import Transform

Residues = NDArray[np.uint32]
Way = tuple[Residues, Residues]
Scratch = tuple[Residues, Residues, NDArray[np.uint64]]

LIFTING = 7
BYTES = 4
SECONDS = 15e-6
"""What a transform of 8192 places takes."""


@cache
def _tables(transform: Transform) -> Residues:
    """``transform.roots``, those of the last two levels in the order of ``_apart_eight``."""
    size = transform.size
    pairs, singles = slice(size // 4, size // 2), slice(size // 2, size)
    shape = transform.roots.shape[:3]
    out = transform.roots.copy()
    for part, each in ((pairs, 2), (singles, 4)):
        groups = transform.roots[..., part].reshape(*shape, -1, 8, each)
        out[..., part] = groups.swapaxes(-1, -2).reshape(*shape, -1)
    return out


@inner
def _transposed(rows: Any) -> Any:
    a, b, c, d, e, f, g, h = rows
    a, b, c, d = zip_low(a, b), zip_high(a, b), zip_low(c, d), zip_high(c, d)
    e, f, g, h = zip_low(e, f), zip_high(e, f), zip_low(g, h), zip_high(g, h)
    a, c, b, d = pairs_low(a, c), pairs_high(a, c), pairs_low(b, d), pairs_high(b, d)
    e, g, f, h = pairs_low(e, g), pairs_high(e, g), pairs_low(f, h), pairs_high(f, h)
    return (
        halves_low(a, e),
        halves_low(c, g),
        halves_low(b, f),
        halves_low(d, h),
        halves_high(a, e),
        halves_high(c, g),
        halves_high(b, f),
        halves_high(d, h),
    )


@inner
def _load_eight(source: int, i: int) -> Any:
    return (
        load(source, i),
        load(source, i + 8),
        load(source, i + 16),
        load(source, i + 24),
        load(source, i + 32),
        load(source, i + 40),
        load(source, i + 48),
        load(source, i + 56),
    )


@inner
def _store_eight(target: int, i: int, rows: Any) -> None:
    a, b, c, d, e, f, g, h = rows
    store(target, i, a)
    store(target, i + 8, b)
    store(target, i + 16, c)
    store(target, i + 24, d)
    store(target, i + 32, e)
    store(target, i + 40, f)
    store(target, i + 48, g)
    store(target, i + 56, h)


@inner
def _apart(x: Any, y: Any, power: Any, companion: Any, q: Any, q2: Any) -> Any:
    """x + w y and x - w y: from below 4 q to below 4 q."""
    x, y = lowered(x, q2), times(y, power, companion, q)
    return add(x, y), add(sub(x, y), q2)


@inner
def _together(x: Any, y: Any, power: Any, companion: Any, q: Any, q2: Any) -> Any:
    """x + y and w (x - y): from below 2 q to below 2 q."""
    return lowered(add(x, y), q2), times(add(sub(x, y), q2), power, companion, q)


@inner
def _apart_pass(
    source: int, target: int, size: int, groups: int, powers: int, companions: int, q: Any, q2: Any
) -> None:
    """Two levels, from ``groups`` groups on."""
    length = size // groups
    step = length // 4
    for group in range(groups):
        at, pair = groups + group, 2 * (groups + group)
        w, c = load_all(powers, at), load_all(companions, at)
        w0, c0 = load_all(powers, pair), load_all(companions, pair)
        w1, c1 = load_all(powers, pair + 1), load_all(companions, pair + 1)
        for i in range(group * length, group * length + step, 8):
            k, m, n = i + step, i + 2 * step, i + 3 * step
            x0, x2 = _apart(load(source, i), load(source, m), w, c, q, q2)
            x1, x3 = _apart(load(source, k), load(source, n), w, c, q, q2)
            x0, x1 = _apart(x0, x1, w0, c0, q, q2)
            x2, x3 = _apart(x2, x3, w1, c1, q, q2)
            store(target, i, x0)
            store(target, k, x1)
            store(target, m, x2)
            store(target, n, x3)


@inner
def _apart_once(
    source: int, target: int, size: int, powers: int, companions: int, q: Any, q2: Any
) -> None:
    """The first level."""
    w, c = load_all(powers, 1), load_all(companions, 1)
    for i in range(0, size // 2, 8):
        k = i + size // 2
        x, y = _apart(load(source, i), load(source, k), w, c, q, q2)
        store(target, i, x)
        store(target, k, y)


@inner
def _apart_eight(target: int, size: int, powers: int, companions: int, q: Any, q2: Any) -> None:
    """The last three levels, and below q."""
    for i in range(0, size, 64):
        a, b, c, d, e, f, g, h = _transposed(_load_eight(target, i))
        at = (size + i) // 8
        w, v = load(powers, at), load(companions, at)
        a, e = _apart(a, e, w, v, q, q2)
        b, f = _apart(b, f, w, v, q, q2)
        c, g = _apart(c, g, w, v, q, q2)
        d, h = _apart(d, h, w, v, q, q2)
        at = (size + i) // 4
        w, v = load(powers, at), load(companions, at)
        a, c = _apart(a, c, w, v, q, q2)
        b, d = _apart(b, d, w, v, q, q2)
        w, v = load(powers, at + 8), load(companions, at + 8)
        e, g = _apart(e, g, w, v, q, q2)
        f, h = _apart(f, h, w, v, q, q2)
        at = (size + i) // 2
        a, b = _apart(a, b, load(powers, at), load(companions, at), q, q2)
        c, d = _apart(c, d, load(powers, at + 8), load(companions, at + 8), q, q2)
        e, f = _apart(e, f, load(powers, at + 16), load(companions, at + 16), q, q2)
        g, h = _apart(g, h, load(powers, at + 24), load(companions, at + 24), q, q2)
        a, b, c, d, e, f, g, h = _transposed((a, b, c, d, e, f, g, h))
        a, b = lowered(lowered(a, q2), q), lowered(lowered(b, q2), q)
        c, d = lowered(lowered(c, q2), q), lowered(lowered(d, q2), q)
        e, f = lowered(lowered(e, q2), q), lowered(lowered(f, q2), q)
        g, h = lowered(lowered(g, q2), q), lowered(lowered(h, q2), q)
        _store_eight(target, i, (a, b, c, d, e, f, g, h))


@inner
def _forward(source: int, target: int, size: int, roots: int, prime: int) -> None:
    """Coefficients below 4 q to slots below q."""
    powers, companions = roots, roots + BYTES * size
    q = load_all(prime, 0)
    q2 = add(q, q)
    # From one group to size / 8, by fours: where that is no power of four, by two first.
    groups = size // 8
    while groups >= 4:
        groups //= 4
    if groups == 2:
        _apart_once(source, target, size, powers, companions, q, q2)
        source = target
    while 8 * groups < size:
        _apart_pass(source, target, size, groups, powers, companions, q, q2)
        source, groups = target, 4 * groups
    _apart_eight(target, size, powers, companions, q, q2)


@inner
def _together_eight(
    source: int, target: int, size: int, powers: int, companions: int, q: Any, q2: Any
) -> None:
    """The first three levels back."""
    for i in range(0, size, 64):
        a, b, c, d, e, f, g, h = _transposed(_load_eight(source, i))
        at = (size + i) // 2
        a, b = _together(a, b, load(powers, at), load(companions, at), q, q2)
        c, d = _together(c, d, load(powers, at + 8), load(companions, at + 8), q, q2)
        e, f = _together(e, f, load(powers, at + 16), load(companions, at + 16), q, q2)
        g, h = _together(g, h, load(powers, at + 24), load(companions, at + 24), q, q2)
        at = (size + i) // 4
        w, v = load(powers, at), load(companions, at)
        a, c = _together(a, c, w, v, q, q2)
        b, d = _together(b, d, w, v, q, q2)
        w, v = load(powers, at + 8), load(companions, at + 8)
        e, g = _together(e, g, w, v, q, q2)
        f, h = _together(f, h, w, v, q, q2)
        at = (size + i) // 8
        w, v = load(powers, at), load(companions, at)
        a, e = _together(a, e, w, v, q, q2)
        b, f = _together(b, f, w, v, q, q2)
        c, g = _together(c, g, w, v, q, q2)
        d, h = _together(d, h, w, v, q, q2)
        _store_eight(target, i, _transposed((a, b, c, d, e, f, g, h)))


@inner
def _together_pass(
    target: int, size: int, groups: int, powers: int, companions: int, q: Any, q2: Any
) -> None:
    """Two levels back, to ``groups`` groups."""
    length = size // groups
    step = length // 4
    for group in range(groups):
        at, pair = groups + group, 2 * (groups + group)
        w, c = load_all(powers, at), load_all(companions, at)
        w0, c0 = load_all(powers, pair), load_all(companions, pair)
        w1, c1 = load_all(powers, pair + 1), load_all(companions, pair + 1)
        for i in range(group * length, group * length + step, 8):
            k, m, n = i + step, i + 2 * step, i + 3 * step
            x0, x1 = _together(load(target, i), load(target, k), w0, c0, q, q2)
            x2, x3 = _together(load(target, m), load(target, n), w1, c1, q, q2)
            x0, x2 = _together(x0, x2, w, c, q, q2)
            x1, x3 = _together(x1, x3, w, c, q, q2)
            store(target, i, x0)
            store(target, k, x1)
            store(target, m, x2)
            store(target, n, x3)


@inner
def _together_once(target: int, size: int, powers: int, companions: int, q: Any, q2: Any) -> None:
    """The last level back."""
    w, c = load_all(powers, 1), load_all(companions, 1)
    for i in range(0, size // 2, 8):
        k = i + size // 2
        x, y = _together(load(target, i), load(target, k), w, c, q, q2)
        store(target, i, x)
        store(target, k, y)


@inner
def _inverse(source: int, target: int, size: int, roots: int, prime: int) -> None:
    """Slots below 2 q to coefficients below q."""
    powers, companions = roots, roots + BYTES * size
    q = load_all(prime, 0)
    q2 = add(q, q)
    _together_eight(source, target, size, powers, companions, q, q2)
    groups = size // 8
    while groups >= 4:
        groups //= 4
        _together_pass(target, size, groups, powers, companions, q, q2)
    if groups == 2:
        _together_once(target, size, powers, companions, q, q2)
    w, c = load_all(powers, 0), load_all(companions, 0)
    for i in range(0, size, 8):
        store(target, i, lowered(times(load(target, i), w, c, q), q))


def _forwards(
    start: int, stop: int, rows: Residues, tables: Residues, moduli: Residues, out: Residues, _: int
) -> None:
    primes, size = len(moduli), rows.shape[1]
    for row in range(start, stop):
        limb = row % primes
        source, target = address(rows) + BYTES * size * row, address(out) + BYTES * size * row
        roots = address(tables) + 2 * BYTES * size * limb
        _forward(source, target, size, roots, address(moduli) + BYTES * limb)


def _inverses(
    start: int, stop: int, rows: Residues, tables: Residues, moduli: Residues, out: Residues, _: int
) -> None:
    primes, size = len(moduli), rows.shape[1]
    for row in range(start, stop):
        limb = row % primes
        source, target = address(rows) + BYTES * size * row, address(out) + BYTES * size * row
        roots = address(tables) + 2 * BYTES * size * limb
        _inverse(source, target, size, roots, address(moduli) + BYTES * limb)


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
    scratch: Scratch,
) -> None:
    terms, size = plain.shape[1], plain.shape[3]
    polynomials, primes = ciphertexts.shape[1], ciphertexts.shape[2]
    row = BYTES * size
    digits, values, sums = address(scratch[0]), address(scratch[1]), address(scratch[2])
    for block in range(start, stop):
        for term in range(terms):
            for limb in range(2):
                source = address(plain) + row * (2 * (block * terms + term) + limb)
                roots = address(slots[0]) + 2 * row * limb
                target = digits + row * (2 * term + limb)
                _inverse(source, target, size, roots, address(slots[1]) + BYTES * limb)
            _mixed(digits + 2 * row * term, size, address(mixing))
        for limb in range(primes):
            prime, roots = address(ring[1]) + BYTES * limb, address(ring[0]) + 2 * row * limb
            lifts = address(lifting) + BYTES * LIFTING * limb
            q = load_all(prime, 0)
            for i in range(0, polynomials * size, 8):
                store_sums(sums, i, sub(q, q))
            for term in range(terms):
                _lifted(digits + 2 * row * term, values, size, lifts, q)
                _forward(values, values, size, roots, prime)
                for poly in range(polynomials):
                    factors = address(ciphertexts) + row * (
                        (term * polynomials + poly) * primes + limb
                    )
                    for i in range(0, size, 8):
                        add_product(sums, poly * size + i, load(values, i), load(factors, i))
                if (term + 1) % most == 0:
                    for i in range(0, polynomials * size, 8):
                        store_sums(sums, i, _reduced(sums, i, lifts, q))
            for poly in range(polynomials):
                target = address(out) + row * ((block * polynomials + poly) * primes + limb)
                for i in range(0, size, 8):
                    store(target, i, _reduced(sums, poly * size + i, lifts, q))


_forward_kernel, _inverse_kernel = kernel(_forwards), kernel(_inverses)
_combine_kernel = kernel(_combine)


def forward(rows: Residues, transform: Transform) -> Residues:
    return _transformed(_forward_kernel, rows, transform, 0)


def inverse(rows: Residues, transform: Transform) -> Residues:
    return _transformed(_inverse_kernel, rows, transform, 1)


def _transformed(way: Kernel, rows: Residues, transform: Transform, roots: int) -> Residues:
    out = np.empty_like(rows)
    flat = (-1, transform.size)
    seconds = SECONDS * transform.size / 8192
    args = rows.reshape(flat), _tables(transform)[roots], transform.moduli, out.reshape(flat)
    way.over(len(args[0]), seconds, *args, scratch=lambda: 0)
    return out


def combine(plain: Residues, ciphertexts: Residues, slots: Transform, ring: Transform) -> Residues:
    (blocks, terms), (polynomials, primes, size) = plain.shape[:2], ciphertexts.shape[1:]
    out = np.empty((blocks, polynomials, primes, size), np.uint32)
    largest = max(ring.primes) - 1
    _combine_kernel.over(
        blocks,
        terms * (2 + primes) * SECONDS * size / 8192,
        plain,
        ciphertexts,
        (_tables(slots)[1], slots.moduli),
        (_tables(ring)[0], ring.moduli),
        _mixing(*slots.primes),
        np.array([_lifting(*slots.primes, prime) for prime in ring.primes], np.uint32),
        # A sum below q, and so many products, are below 2^64.
        ((1 << 64) - 1 - largest) // largest**2,
        out,
        scratch=lambda: (
            np.empty((terms, 2, size), np.uint32),
            np.empty(size, np.uint32),
            np.empty((polynomials, size), np.uint64),
        ),
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
