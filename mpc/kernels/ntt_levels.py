# SPDX-License-Identifier: Apache-2.0
"""The levels of a number-theoretic transform, on eight residues at a time.

A forward transform takes groups of coefficients apart, from one of all to those of eight, two
levels in one pass over memory; the last three levels work on eight groups at once, of which each
register holds one place. Back it goes the other way. Between, forward, residues are below 4 q, and
back below 2 q (Harvey 2014, section 3, as cited in ``ntt``).

``source`` and ``target`` are addresses of polynomials of ``size`` residues, at least 64, and may be
the same; ``roots`` is that of powers and their companions as ``tables`` has them for one way and
prime, ``prime`` that of the prime.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.kernels.compiled import inner
from mpc.kernels.lanes32 import (
    BYTES,
    add,
    halves_high,
    halves_low,
    load,
    load_all,
    lowered,
    pairs_high,
    pairs_low,
    store,
    sub,
    times,
    zip_high,
    zip_low,
)
from mpc.kernels.ntt import Transform

Residues = NDArray[np.uint32]


@cache
def tables(transform: Transform) -> Residues:
    """``transform.roots``, those of the last levels in the order of their registers.

    Eight groups of eight take 8 powers at the last level but two, 16 at the next and 32 at the
    last: the first power of each group comes first, then the second.
    """
    size = transform.size
    out = transform.roots.copy()
    for part, each in ((slice(size // 4, size // 2), 2), (slice(size // 2, size), 4)):
        groups = transform.roots[..., part].reshape(*out.shape[:3], -1, 8, each)
        out[..., part] = groups.swapaxes(-1, -2).reshape(*out.shape[:3], -1)
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
def forward(source: int, target: int, size: int, roots: int, prime: int) -> None:
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
def inverse(source: int, target: int, size: int, roots: int, prime: int) -> None:
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
