# SPDX-License-Identifier: Apache-2.0
"""Learning with rounding, compiled; what each function does: ``lwr``.

The stream of a seed is 11 KiB and stays in the first cache while it is looked through and used.
``expand`` and ``products`` need VAES, ``rounded`` needs nothing beyond doubles.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpc.kernels.aes_simd import RCON, fill_counter, fill_schedules
from mpc.kernels.compiled import inner, kernel
from mpc.kernels.lanes import address, load, low_added, shift_right, store, zero
from mpc.kernels.lwr_portable import (
    BLOCKS,
    LIMITS,
    MODULI,
    RANK,
    SIZE,
    WORDS,
    Q,
    interpolation,
)

Words = NDArray[np.uint64]
Residues = NDArray[np.uint32]
Doubles = NDArray[np.float64]

_KEYS = 4  # of which the schedules are made at a time
_SPARES = 32  # words, drawn at a time
_PART = 96  # words of a stream that are looked through at once
_LEAST = 64  # rows that a thread takes at once
_PERIOD = 9  # registers of 16 words, after which words belong to the same places of polynomials
_STEPS = WORDS // (16 * _PERIOD)
_KEY_WORDS = 22 * _KEYS
_STREAM_END = _KEY_WORDS + 2 * BLOCKS
_SPARES_END = _STREAM_END + _SPARES // 2
_SCRATCH = _SPARES_END + 32 * _PERIOD
_PADDED = 20  # doubles of a row of an interpolation matrix

_EXPAND_SECONDS = 1.5e-6  # of a seed, on one core
_PRODUCT_SECONDS = 1.3e-6
_ROUNDED_SECONDS = 0.3e-6

_T1, _T2 = (np.uint64(modulus) for modulus in MODULI)
_D1, _D2 = (float(modulus) for modulus in MODULI)
_INVERSE = float(pow(MODULI[0], -1, MODULI[1]))


@inner
def _replace(words: Residues, keys: Words, spares: Words) -> None:
    """Put words of the stream that follow in the place of those that are not below a limit."""
    blocks, used = BLOCKS, _SPARES
    drawn = spares.view(np.uint32)
    for first in range(0, 2 * WORDS, _PART):
        limit = np.uint32(LIMITS[0] if first < WORDS else LIMITS[1])
        highest = np.uint32(0)
        for i in range(_PART):
            highest = max(highest, words[first + i])
        if highest < limit:
            continue
        for i in range(first, first + _PART):
            while words[i] >= limit:
                if used == _SPARES:
                    fill_counter(keys, blocks, spares)
                    blocks += _SPARES // 4
                    used = 0
                words[i] = drawn[used]
                used += 1


@inner
def _cut(scratch: Words) -> tuple[Words, Words, Words, Words]:
    """Key schedules, a stream, its spare words, and sums."""
    keys, stream = scratch[:_KEY_WORDS].reshape(_KEYS, 11, 2), scratch[_KEY_WORDS:_STREAM_END]
    spares = scratch[_STREAM_END:_SPARES_END]
    return keys, stream, spares, scratch[_SPARES_END:_SCRATCH].reshape(2, 16 * _PERIOD)


@inner
def _draw(
    i: int, lane: int, rcon: Words, seeds: Words, keys: Words, stream: Words, spares: Words
) -> None:
    """The words of seed i; in lane 0 the key schedules too, of this seed and those that follow."""
    if lane == 0:
        fill_schedules(rcon, seeds[i : i + _KEYS], keys)
    fill_counter(keys[lane], 0, stream)
    _replace(stream.view(np.uint32), keys[lane], spares)


@kernel
def _expand(
    start: int, stop: int, rcon: Words, seeds: Words, out: Residues, scratch: Words
) -> None:
    keys, stream, spares, _ = _cut(scratch)
    words = stream.view(np.uint32)
    for i in range(start, stop):
        _draw(i, (i - start) % _KEYS, rcon, seeds[:stop], keys, stream, spares)
        for k in range(WORDS):
            out[0, i, k] = np.uint64(words[k]) % _T1
        for k in range(WORDS):
            out[1, i, k] = np.uint64(words[WORDS + k]) % _T2


@inner
def _sums(stream: int, secret: int, out: Words) -> None:
    """Products of the words of half a stream and residues, summed up by place modulo 144."""
    to = address(out)
    for r in range(_PERIOD):
        even, odd = zero(), zero()
        for step in range(_STEPS):
            at = 8 * (step * _PERIOD + r)
            x, s = load(stream, at), load(secret, at)
            even = low_added(even, x, s)
            odd = low_added(odd, shift_right(x, np.uint64(32)), shift_right(s, np.uint64(32)))
        store(to, 16 * r, even)
        store(to, 16 * r + 8, odd)


@inner
def _folded(sums: Words, pair: int) -> np.uint64:
    """The sum of every ninth word from ``pair`` on, of every other register of eight."""
    total = np.uint64(0)
    for k in range(8):
        word = 9 * k + pair
        total += sums[word + (word >> 3 << 3)]
    return total


@kernel
def _products(
    start: int,
    stop: int,
    rcon: Words,
    seeds: Words,
    secret: Words,
    out: Residues,
    scratch: Words,
) -> None:
    keys, stream, spares, sums = _cut(scratch)
    for i in range(start, stop):
        _draw(i, (i - start) % _KEYS, rcon, seeds[:stop], keys, stream, spares)
        _sums(address(stream), address(secret), sums[0])
        _sums(address(stream) + 4 * WORDS, address(secret) + 4 * WORDS, sums[1])
        for place in range(0, SIZE, 2):
            out[0, i, place] = _folded(sums[0], place // 2) % _T1
            out[0, i, place + 1] = _folded(sums[0, 8:], place // 2) % _T1
            out[1, i, place] = _folded(sums[1], place // 2) % _T2
            out[1, i, place + 1] = _folded(sums[1, 8:], place // 2) % _T2


def expand(seeds: Words) -> Residues:
    out = np.empty((2, len(seeds), WORDS), np.uint32)
    args = RCON, seeds, out
    _expand.over(len(seeds), _EXPAND_SECONDS, *args, scratch=_SCRATCH, least=_LEAST)
    return out.reshape(2, len(seeds), RANK, SIZE)


def products(secret: Residues, seeds: Words) -> Residues:
    out = np.empty((2, len(seeds), SIZE), np.uint32)
    held = secret.reshape(-1).view(np.uint64)
    args = RCON, seeds, held, out
    _products.over(len(seeds), _PRODUCT_SECONDS, *args, scratch=_SCRATCH, least=_LEAST)
    return out


@inner
def _coefficients(
    values: Residues, matrix: Doubles, modulus: float, inverse: float, out: Doubles
) -> None:
    for k in range(_PADDED):
        out[k] = 0.0
    for i in range(0, SIZE, 3):
        a, b, c = np.float64(values[i]), np.float64(values[i + 1]), np.float64(values[i + 2])
        for k in range(_PADDED):
            out[k] += a * matrix[i, k] + b * matrix[i + 1, k] + c * matrix[i + 2, k]
    for k in range(_PADDED):
        out[k] = _reduced(out[k], modulus, inverse)


@inner
def _reduced(x: float, modulus: float, inverse: float) -> float:
    """A whole number below 2^52 modulo another; the quotient is at most one off."""
    rest = x - np.floor(x * inverse) * modulus
    rest += modulus if rest < 0.0 else 0.0
    return rest - (modulus if rest >= modulus else 0.0)


@kernel
def _rounded(
    start: int,
    stop: int,
    values: Residues,
    matrices: Doubles,
    bits: int,
    dither: Words,
    out: Words,
    scratch: Words,
) -> None:
    first, second = scratch[:_PADDED].view(np.float64), scratch[_PADDED:].view(np.float64)
    scale, shift, beyond = np.float64(1 << bits) / Q, np.uint64(bits), np.uint64(64 - bits)
    for i in range(start, stop):
        _coefficients(values[0, i], matrices[0], _D1, 1.0 / _D1, first)
        _coefficients(values[1, i], matrices[1], _D2, 1.0 / _D2, second)
        for k in range(_PADDED):
            step = _reduced((second[k] + 2.0 * _D2 - first[k]) * _INVERSE, _D2, 1.0 / _D2)
            first[k] += _D1 * step
        for k in range(SIZE):
            y = first[k]
            quotient = np.uint64(np.int64(y * scale))
            rest = np.int64((np.uint64(np.int64(y)) << shift) - quotient * np.uint64(Q))
            quotient += np.uint64(rest >= Q) - np.uint64(rest < 0)
            rest += Q if rest < 0 else 0
            missing = np.uint64(Q - (rest - (Q if rest >= Q else 0)))
            near = missing >> shift == 0
            out[i, k] = quotient + np.uint64(near & (dither[i, k] >= missing << beyond))


def rounded(values: Residues, bits: int, dither: Words) -> Words:
    out = np.empty((values.shape[1], SIZE), np.uint64)
    matrices = np.zeros((2, SIZE, _PADDED))
    for matrix, modulus in zip(matrices, MODULI, strict=True):
        matrix[:, :SIZE] = interpolation(modulus)
    _rounded.over(
        len(out),
        _ROUNDED_SECONDS,
        values,
        matrices,
        bits,
        dither,
        out,
        scratch=2 * _PADDED,
        least=_LEAST,
    )
    return out
