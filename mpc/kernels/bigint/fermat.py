# SPDX-License-Identifier: Apache-2.0
"""Powers to p - 1 modulo p**2, for a secret prime p: by factors of one digit, less what they lack.

Fixed windows take one digit d of the exponent after the other, and multiply by T[d] = x**d. In
Montgomery form T[d] is t[d] + l[d]*p, and here the factor is t[d] alone: one product of the size of
p less, of five with the reductions, and tables of half the size. That the product then lacks

    1 + p * sum over d of V[d] * l[d]/t[d]         V[d] = sum of 32**i where the i-th digit is d

is made good at the end. Not even l[d] is needed: from t[d-1]*t[1] + m[d]*p = R*t[d] follows

    l[d]/t[d] = l[d-1]/t[d-1] + l[1]/t[1] - m[d] / (R*t[d])        modulo p

so that the sum is one of m[d] / t[d] with the weights W[d] = V[d] + ... + V[31], and of l[1]/t[1],
whose weights add up to the exponent. Nor is there an inversion: t[d]*t[31-d] is R**2 * x**31 modulo
p for all d, and the ladder goes up to p - 1 - 31, where its first digit is R * x**-31. The last
factor, t[31], counts in V like the others. With a vector of weights for each prime

    U[0] = V[0] * l[0]    U[1] = -R    U[d] = -W[d] for d > 1

and m[0] = t[0], m[1] = l[1] beside the other m[d], the sum over all d of U[d]*m[d]*t[31-d], times
that digit over R**3, is R times what is lacking; l[0] is that of one, which is R modulo p**2.

Weights are secret as the exponent is. For x divisible by p the result means nothing. First digits
are below 2p but for t[1], which is below 10p as all that comes in, and second digits below 4p; the
sum is of numbers below 2p, and so below R.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate as sums_of
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from mpc.kernels.bigint.combs import Steps, comb_routines, pair, reduce_sum
from mpc.kernels.bigint.limbs import aligned, cut, radix, side_by_side, split_integers
from mpc.kernels.bigint.lookups import scan_twice
from mpc.kernels.bigint.loops import add_limbs
from mpc.kernels.bigint.montgomery import (
    SCRATCH,
    Routines,
    factors_of,
    long_products,
    mul,
    one_of,
    products,
    square,
)
from mpc.kernels.bigint.residues import LANES, Residues, lane_groups
from mpc.kernels.bigint.rows import ROW, accumulate, clear, copy
from mpc.kernels.compiled import call, inner, kernel, routine
from mpc.kernels.lanes import address, emits

if TYPE_CHECKING:
    from mpc.kernels.bigint.simd import SimdArithmetic

WINDOW = 5
ENTRIES = 1 << WINDOW
LAST = ENTRIES - 1

Words = NDArray[np.uint64]


@routine
def _scale(out: int, x: int, y: int, n: int, scratch: int, limbs: int) -> None:
    """x*y, of which y has one digit; ``out`` may be x."""
    low, m, high = scratch, scratch + ROW * 2 * limbs, scratch + ROW * 3 * limbs
    modulus, work = factors_of(n, limbs), scratch + ROW * 5 * limbs
    clear(m, limbs)
    long_products.put_long(low, x, y, high, work, limbs)
    products.reduce(low, m, m, modulus, 1, limbs)
    long_products.put_long(high, x + ROW * limbs, y, low, work, limbs)
    products.fold(high, m, m, modulus, 1, limbs)
    products.carry_folded(out + ROW * limbs, high, 2, limbs)
    products.carry_upper(out, low, 2, limbs)


@emits(types.none, types.intp, *[types.intp] * 6)
def scale(
    builder: Any, routine: Any, out: Any, x: Any, y: Any, n: Any, scratch: Any, limbs: Any
) -> None:
    """x*y, of which y has one digit; ``out`` may be x."""
    call(builder, routine, [out, x, y, n, scratch, limbs])


@inner
def put_table(
    table: int, multiples: int, x: int, modulus: int, work: int, limbs: int, pairs: Steps
) -> None:
    """First digits t[d] of all powers, and the multiples m[d] of p that they took."""
    one, size = one_of(modulus, limbs), ROW * limbs
    copy(table, one, limbs)
    copy(multiples, one, limbs)
    copy(table + size, x, limbs)
    copy(multiples + size, x + size, limbs)
    for d in range(2, ENTRIES):
        before, first = table + size * (d - 1), table + size
        pair(pairs, table + size * d, multiples + size * d, before, first, modulus, work, limbs)


@inner
def put_sum(
    total: int,
    table: int,
    multiples: int,
    weights: int,
    term: int,
    modulus: int,
    work: int,
    limbs: int,
    routines: Routines,
) -> None:
    """The sum of U[d]*m[d]*t[31-d] over R**2, below 2p; ``term`` is scratch."""
    clear(total, limbs)
    for d in range(ENTRIES):
        at, t = ROW * limbs * d, table + ROW * limbs * (LAST - d)
        mul(routines, term, t, weights + at, modulus, work, limbs, 1)
        mul(routines, term, term, multiples + at, modulus, work, limbs, 1)
        accumulate(total, term, limbs)
    reduce_sum(total, modulus, work, limbs, routines)


@kernel
def fermat_all(
    start: int,
    stop: int,
    out: Words,
    x: Words,
    exponents: Words,
    windows: int,
    weights: Words,
    groups: int,
    pairs: Steps,
    step: int,
    n: Words,
    n_step: int,
    limbs: int,
    digits: int,
    routines: Routines,
    scratch: Words,
) -> None:
    """out = x**(p - 1), of ``groups`` groups for each p.

    Of each p there are the digits of p - 32, lowest first, and the weights.
    """
    rows, size, work = limbs * digits, ROW * limbs, address(scratch)
    factor = work + SCRATCH * size
    total, table = factor + 2 * size, factor + 3 * size
    multiples = table + size * ENTRIES
    for group in range(start, stop):
        p = group // groups
        modulus, to = address(n) + n_step * p, address(out) + ROW * rows * group
        exponent = address(exponents) + ROW * windows * p
        weight = address(weights) + size * ENTRIES * p
        put_table(table, multiples, address(x) + ROW * rows * group, modulus, work, limbs, pairs)
        for i in range(windows - 1, -1, -2):
            digit, other = exponent + ROW * i, exponent + ROW * max(i - 1, 0)
            scan_twice(factor, factor + size, table, digit, other, ENTRIES, limbs)
            for place in range(min(i + 1, 2)):
                if i - place == windows - 1:
                    copy(to, factor, limbs)
                    clear(to + size, limbs)
                    continue
                for _ in range(WINDOW):
                    square(routines, to, to, modulus, work, limbs, digits)
                scale(step, to, to, factor + size * place, modulus, work, limbs)
        put_sum(total, table, multiples, weight, factor, modulus, work, limbs, routines)
        mul(routines, total, total, to, modulus, work, limbs, 1)
        scale(step, to, to, table + size * LAST, modulus, work, limbs)
        add_limbs(to + size, total, limbs)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SimdFermat:
    """The digits of p - 32 and the weights of each p; ``together`` has the p of all parts."""

    together: SimdArithmetic
    exponents: Words
    weights: Words

    @classmethod
    def of(cls, parts: Sequence[SimdArithmetic]) -> SimdFermat:
        primes = [part.roots[0] for part in parts]
        limbs, width = parts[0].limbs, -(-primes[0].bit_length() // 8)
        packed = b"".join((p - 1 - LAST).to_bytes(width, "little") for p in primes)
        rows = np.frombuffer(packed, np.uint8).reshape(len(primes), width)
        exponents = cut(np.repeat(rows, LANES, axis=0), primes[0].bit_length(), WINDOW)
        modulus = aligned(np.concatenate([part.modulus for part in parts]))
        weights = [
            side_by_side([split_integers([w], limbs) for w in _weights(p, digits, limbs)])
            for p, digits in zip(primes, exponents[:, :, 0].tolist(), strict=True)
        ]
        together = replace(parts[0], modulus=modulus)
        return cls(together, exponents, aligned(np.concatenate(weights)))

    def power(self, vectors: Sequence[Residues]) -> list[Residues]:
        arithmetic, groups = self.together, len(vectors[0].data)
        x = aligned(np.concatenate([vector.data for vector in vectors]))
        out, windows = lane_groups(len(x), arithmetic.rows), self.exponents.shape[1]
        arithmetic.run(
            fermat_all,
            (WINDOW + 1) * windows,
            out,
            x,
            self.exponents,
            windows,
            self.weights,
            groups,
            comb_routines(),
            _scale.address,
            extra=(3 + 2 * ENTRIES) * arithmetic.limbs,
        )
        return [
            Residues(out[groups * i : groups * (i + 1)], len(vector))
            for i, vector in enumerate(vectors)
        ]


def _weights(p: int, digits: Sequence[int], limbs: int) -> list[int]:
    """U, of the digits of p - 32."""
    one = radix(limbs) % p**2
    found = [sum(1 << WINDOW * i for i, e in enumerate(digits) if e == d) for d in range(ENTRIES)]
    found[LAST] += 1
    first = found[0] * (one // p)
    above = list(sums_of(reversed(found)))[::-1]
    return [weight % p for weight in (first, -one, *(-w for w in above[2:]))]
