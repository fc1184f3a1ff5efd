# SPDX-License-Identifier: Apache-2.0
"""Arithmetic on residues, eight at a time; what each function does: ``rns``.

All factors but those of ``multiply_add`` are constants, so products are Shoup's (see ``ntt``):
below twice the prime, for any word. Sums of two such and a residue are below five primes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.kernels.compiled import Kernel, inner, kernel
from mpc.kernels.lanes import address
from mpc.kernels.lanes32 import (
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

Residues = NDArray[np.uint32]
Primes = tuple[int, ...]

BYTES = 4
LANES = 8
SECONDS = 0.5e-9
"""What one residue takes."""


@inner
def _below(x: Any, q: Any) -> Any:
    """From below five primes to below one."""
    q2 = add(q, q)
    return lowered(lowered(lowered(x, q2), q2), q)


@inner
def _constant(x: Any, constants: int, place: int, q: Any) -> Any:
    """x times the constant at ``place``, beside which its companion is."""
    return times(x, load_all(constants, place), load_all(constants, place + 1), q)


def _multiply_adds(
    start: int,
    stop: int,
    total: Residues,
    x: Residues,
    y: Residues,
    constants: Residues,
    out: Residues,
    scratch: NDArray[np.uint64],
) -> None:
    primes, size = y.shape
    sums = address(scratch)
    for row in range(start, stop):
        limb, at = row % primes, BYTES * size * row
        of = address(constants) + BYTES * constants.shape[1] * limb
        q = load_all(of, 0)
        for i in range(0, size, LANES):
            store_sums(sums, 0, load(address(total) + at, i))
            factor = load(address(y) + BYTES * size * limb, i)
            add_product(sums, 0, load(address(x) + at, i), factor)
            high = _constant(high_sums(sums, 0), of, 1, q)
            low = _constant(low_sums(sums, 0), of, 3, q)
            store(address(out) + at, i, _below(add(high, low), q))


def _scales(
    start: int,
    stop: int,
    values: Residues,
    source: Residues,
    target: Residues,
    out: Residues,
    _scratch: NDArray[np.uint64],
) -> None:
    size, primes, width = values.shape[2], target.shape[0], BYTES * target.shape[1]
    first, second = address(source), address(source) + BYTES * source.shape[1]
    p, q = load_all(first, 0), load_all(second, 0)
    for row in range(start, stop):
        held = address(values) + BYTES * 2 * size * row
        for i in range(0, size, LANES):
            x = _below(add(_constant(load(held, i), first, 1, p), load_all(first, 3)), p)
            y = _below(add(_constant(load(held, size + i), second, 1, q), load_all(second, 3)), q)
            y = sub(add(y, load_all(second, 4)), x)
            y = lowered(_constant(y, second, 5, q), q)
            for limb in range(primes):
                of = address(target) + width * limb
                t = load_all(of, 0)
                scaled = add(_constant(x, of, 1, t), _constant(y, of, 3, t))
                scaled = _below(add(scaled, load_all(of, 5)), t)
                store(address(out) + BYTES * size * (primes * row + limb), i, scaled)


def _rescales(
    start: int,
    stop: int,
    values: Residues,
    constants: NDArray[np.uint32],
    out: Residues,
    scratch: NDArray[np.uint64],
) -> None:
    primes, keep, size = values.shape[1], out.shape[1], values.shape[2]
    left, width = address(scratch), BYTES * constants.shape[2]
    for row in range(start, stop):
        for i in range(0, size, LANES):
            for limb in range(primes):
                source = address(values) + BYTES * size * (primes * row + limb)
                store(left, LANES * limb, load(source, i))
            for last in range(primes - 1, keep - 1, -1):
                of = address(constants) + width * primes * last
                own = of + width * last
                q = load_all(own, 0)
                rest = lowered(load(left, LANES * last), q)
                rest = lowered(add(rest, load_all(own, 1)), q)
                for limb in range(last):
                    to = of + width * limb
                    apart = sub(add(load(left, LANES * limb), load_all(to, 1)), rest)
                    store(left, LANES * limb, _constant(apart, to, 2, load_all(to, 0)))
            for limb in range(keep):
                target = address(out) + BYTES * size * (keep * row + limb)
                q = load_all(address(constants) + width * limb, 0)
                store(target, i, lowered(load(left, LANES * limb), q))


def _wides(
    start: int,
    stop: int,
    words: Residues,
    constants: Residues,
    out: Residues,
    _scratch: NDArray[np.uint64],
) -> None:
    size, primes = out.shape[2], out.shape[1]
    for row in range(start, stop):
        source = address(words) + BYTES * 4 * size * row
        for limb in range(primes):
            of = address(constants) + BYTES * constants.shape[1] * limb
            target = address(out) + BYTES * size * (primes * row + limb)
            q = load_all(of, 0)
            q2 = add(q, q)
            for i in range(0, size, LANES):
                x = _constant(load(source, i), of, 1, q)
                y = _constant(load(source, size + i), of, 3, q)
                low = lowered(add(x, y), q2)
                x = _constant(load(source, 2 * size + i), of, 5, q)
                y = _constant(load(source, 3 * size + i), of, 7, q)
                high = lowered(add(x, y), q2)
                store(target, i, _below(add(add(low, high), load_all(of, 9)), q))


_multiply_add_kernel, _scale_kernel = kernel(_multiply_adds), kernel(_scales)
_rescale_kernel, _wide_kernel = kernel(_rescales), kernel(_wides)


def multiply_add(total: Residues, x: Residues, y: Residues, primes: Primes) -> Residues:
    out, rows = np.empty(x.shape, np.uint32), (-1, x.shape[2])
    constants = _table([[q, *_shoup(1 << 32, q), *_shoup(1, q)] for q in primes])
    held = [np.ascontiguousarray(array).reshape(rows) for array in (total, x, y)]
    args = *held, constants, out.reshape(rows)
    count = len(held[0])
    _over(_multiply_add_kernel, count, out.size, *args, scratch=LANES)
    return out


def scale(values: Residues, source: Primes, target: Primes) -> Residues:
    (p, q), divisor, factor = source, math.prod(source), math.prod(target)
    half = divisor // 2
    above = [0, -(-p // q) * q]
    grown = [
        [prime, *_shoup(factor, prime), half % prime, above[i], *_shoup(pow(p, -1, q), q)]
        for i, prime in enumerate(source)
    ]
    rounded = []
    for prime in target:
        inverse = pow(divisor, -1, prime)
        apart = *_shoup(-inverse, prime), *_shoup(-p * inverse, prime)
        rounded.append([prime, *apart, half * inverse % prime])
    out = np.empty((len(values), len(target), values.shape[2]), np.uint32)
    args = np.ascontiguousarray(values), _table(grown), _table(rounded), out
    _over(_scale_kernel, len(out), out.size, *args)
    return out


def rescale(values: Residues, primes: Primes, keep: int) -> Residues:
    constants = np.zeros((len(primes), len(primes), 4), np.uint32)
    for last, prime in enumerate(primes):
        half = prime // 2
        for limb, q in enumerate(primes[:last]):
            constants[last, limb] = q, half % q + 2 * q, *_shoup(pow(prime, -1, q), q)
        constants[last, last] = prime, half, 0, 0
    constants[0, :, 0] = primes
    out = np.empty((len(values), keep, values.shape[2]), np.uint32)
    args = np.ascontiguousarray(values), constants, out
    _over(_rescale_kernel, len(out), values.size, *args, scratch=len(primes) * LANES // 2)
    return out


def wide(words: Residues, offset: int, primes: Primes) -> Residues:
    powers = [1 << 32 * place for place in range(4)]
    rows = [
        [q, *(word for power in powers for word in _shoup(power, q)), -offset % q] for q in primes
    ]
    out = np.empty((len(words), len(primes), words.shape[2]), np.uint32)
    _over(_wide_kernel, len(out), 2 * out.size, words, _table(rows), out)
    return out


def _over(loop: Kernel, count: int, size: int, *args: Any, scratch: int = 0) -> None:
    loop.over(count, SECONDS * size / max(count, 1), *args, scratch=scratch)


def _shoup(factor: int, q: int) -> tuple[int, int]:
    """A factor and its companion."""
    return factor % q, (factor % q << 32) // q


def _table(rows: list[list[int]]) -> Residues:
    return np.array(rows, np.uint32)
