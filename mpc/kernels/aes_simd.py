# SPDX-License-Identifier: Apache-2.0
"""AES-128 on four blocks at a time with VAES; what each function does: ``aes``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mpc.kernels.blocks import (
    add,
    aes_last_round,
    aes_round,
    last_word_rotated,
    load,
    next_block,
    spread,
    store,
    store_block,
    word_up,
    xor,
    zip_high,
    zip_low,
)

Words = NDArray[np.uint64]

# What ``map_blocks`` does with a block x, where p is AES under the fixed key.
ENCRYPT, DAVIES_MEYER, TWEAKED = 0, 1, 2

# Round constants of the key schedule (FIPS 197, section 5.2), once for each 32-bit word of a block.
_RCON = np.array([1, 2, 4, 8, 16, 32, 64, 128, 27, 54], np.uint64)
RCON = np.repeat(_RCON | _RCON << np.uint64(32), 2).reshape(10, 2)


@njit(inline="always")
def _spread_keys(keys: Any) -> Any:
    return (
        spread(keys, 0),
        spread(keys, 2),
        spread(keys, 4),
        spread(keys, 6),
        spread(keys, 8),
        spread(keys, 10),
        spread(keys, 12),
        spread(keys, 14),
        spread(keys, 16),
        spread(keys, 18),
        spread(keys, 20),
    )


@njit(inline="always")
def _permute(x: Any, keys: Any) -> Any:
    x = aes_round(xor(x, keys[0]), keys[1])
    x = aes_round(aes_round(x, keys[2]), keys[3])
    x = aes_round(aes_round(x, keys[4]), keys[5])
    x = aes_round(aes_round(x, keys[6]), keys[7])
    x = aes_round(aes_round(x, keys[8]), keys[9])
    return aes_last_round(x, keys[10])


@njit(inline="always")
def _mapped(x: Any, tweak: Any, keys: Any, mode: int) -> Any:
    y = _permute(x, keys)
    if mode == DAVIES_MEYER:
        return xor(y, x)
    if mode == TWEAKED:
        return xor(_permute(xor(y, tweak), keys), y)
    return y


@njit(nogil=True, cache=True)
def _map_blocks(keys: Words, blocks: Words, tweaks: Words, out: Words, mode: int) -> None:
    k = _spread_keys(keys)
    words = blocks.size
    full = words - words % 32
    for i in range(0, full, 32):
        a, b, c, d = (
            load(blocks, i),
            load(blocks, i + 8),
            load(blocks, i + 16),
            load(blocks, i + 24),
        )
        # Without a tweak the array of tweaks is the input itself, and is not used.
        s, t = load(tweaks, i), load(tweaks, i + 8)
        u, v = load(tweaks, i + 16), load(tweaks, i + 24)
        store(out, i, _mapped(a, s, k, mode))
        store(out, i + 8, _mapped(b, t, k, mode))
        store(out, i + 16, _mapped(c, u, k, mode))
        store(out, i + 24, _mapped(d, v, k, mode))
    if full == words:
        return
    rest = np.zeros((3, 32), np.uint64)
    rest[0, : words - full] = blocks.ravel()[full:]
    rest[1, : words - full] = tweaks.ravel()[full:]
    for i in range(0, words - full, 8):
        store(rest, 64 + i, _mapped(load(rest, i), load(rest, 32 + i), k, mode))
    out.ravel()[full:] = rest[2, : words - full]


@njit(nogil=True, cache=True)
def fill_counter(keys: Words, first: int, out: Words) -> None:
    k = _spread_keys(keys)
    steps = np.zeros((2, 8), np.uint64)
    for lane in range(4):
        steps[0, 2 * lane] = first + lane
        steps[1, 2 * lane] = 4
    count, step = load(steps, 0), load(steps, 8)
    words = out.size
    full = words - words % 8
    for i in range(0, full, 8):
        store(out, i, _permute(count, k))
        count = add(count, step)
    y = _permute(count, k)
    for i in range(full, words, 2):
        store_block(out, i, y)
        y = next_block(y)


@njit(inline="always")
def _next_key(key: Any, constant: Any) -> Any:
    # AESENCLAST on four equal columns is SubBytes alone, since ShiftRows then changes nothing.
    turned = aes_last_round(last_word_rotated(key), constant)
    y = xor(key, word_up(key))
    y = xor(y, word_up(word_up(y)))
    return xor(y, turned)


@njit(nogil=True, cache=True)
def fill_schedules(constants: Words, keys: Words, out: Words) -> None:
    count = keys.shape[0]
    source = keys.ravel()
    scratch = np.zeros(8, np.uint64)
    for first in range(0, count, 4):
        lanes = min(4, count - first)
        scratch[: 2 * lanes] = source[2 * first : 2 * (first + lanes)]
        key = load(scratch, 0)
        for r in range(11):
            y = key
            for lane in range(first, first + lanes):
                store_block(out, 22 * lane + 2 * r, y)
                y = next_block(y)
            if r < 10:
                key = _next_key(key, spread(constants, 2 * r))


@njit(nogil=True, cache=True)
def _expand_seeds(constants: Words, seeds: Words, out: Words) -> None:
    trees, length = out.shape[0], out.shape[1]
    source = seeds.ravel()
    scratch = np.zeros(8, np.uint64)
    steps = np.array([0, 0, 1, 0], np.uint64)
    step = spread(steps, 2)
    for first in range(0, trees, 4):
        lanes = min(4, trees - first)
        scratch[: 2 * lanes] = source[2 * first : 2 * (first + lanes)]
        k0 = load(scratch, 0)
        k1 = _next_key(k0, spread(constants, 0))
        k2 = _next_key(k1, spread(constants, 2))
        k3 = _next_key(k2, spread(constants, 4))
        k4 = _next_key(k3, spread(constants, 6))
        k5 = _next_key(k4, spread(constants, 8))
        k6 = _next_key(k5, spread(constants, 10))
        k7 = _next_key(k6, spread(constants, 12))
        k8 = _next_key(k7, spread(constants, 14))
        k9 = _next_key(k8, spread(constants, 16))
        k = (k0, k1, k2, k3, k4, k5, k6, k7, k8, k9, _next_key(k9, spread(constants, 18)))
        count = spread(steps, 0)
        for i in range(length):
            y = _permute(count, k)
            count = add(count, step)
            for lane in range(first, first + lanes):
                store_block(out, 2 * (lane * length + i), y)
                y = next_block(y)


@njit(inline="always")
def _add_blocks(scratch: Words, count: int, total: Words) -> None:
    for block in range(count):
        total[0] ^= scratch[2 * block]
        total[1] ^= scratch[2 * block + 1]


@njit(nogil=True, cache=True)
def _grow(left: Words, right: Words, parents: Words, children: Words, sums: Words) -> None:
    k, h = _spread_keys(left), _spread_keys(right)
    trees, width = parents.shape[0], parents.shape[1]
    full = width - width % 4
    source, target = parents.ravel(), children.ravel()
    scratch = np.zeros(32, np.uint64)
    for tree in range(trees):
        start, end = 2 * tree * width, 2 * (tree + 1) * width
        scratch[:16] = 0
        even, odd = load(scratch, 0), load(scratch, 0)
        for i in range(start, start + 2 * full, 8):
            x = load(parents, i)
            a, b = xor(_permute(x, k), x), xor(_permute(x, h), x)
            even, odd = xor(even, a), xor(odd, b)
            store(children, 2 * i, zip_low(a, b))
            store(children, 2 * i + 8, zip_high(a, b))
        store(scratch, 0, even)
        store(scratch, 8, odd)
        sums[tree] = 0
        _add_blocks(scratch, 4, sums[tree, 0])
        _add_blocks(scratch[8:], 4, sums[tree, 1])
        rest = width - full
        if rest:
            scratch[: 2 * rest] = source[end - 2 * rest : end]
            x = load(scratch, 0)
            a, b = xor(_permute(x, k), x), xor(_permute(x, h), x)
            store(scratch, 0, a)
            store(scratch, 8, b)
            _add_blocks(scratch, rest, sums[tree, 0])
            _add_blocks(scratch[8:], rest, sums[tree, 1])
            store(scratch, 16, zip_low(a, b))
            store(scratch, 24, zip_high(a, b))
            target[2 * end - 4 * rest : 2 * end] = scratch[16 : 16 + 4 * rest]


@njit(nogil=True, cache=True)
def _grow_batches(
    left: Words, right: Words, parents: Words, children: Words, sums: Words, batch: int
) -> None:
    for index in range(left.shape[0]):
        first, last = index * batch, min(parents.shape[0], (index + 1) * batch)
        _grow(
            left[index], right[index], parents[first:last], children[first:last], sums[first:last]
        )


def map_blocks(keys: Words, blocks: Words, tweaks: Words | None, mode: int) -> Words:
    out = np.empty_like(blocks)
    _map_blocks(keys, blocks, blocks if tweaks is None else tweaks, out, mode)
    return out


def counter(keys: Words, first: int, count: int) -> Words:
    out = np.empty((count, 2), np.uint64)
    fill_counter(keys, first, out)
    return out


def schedules(keys: Words) -> Words:
    out = np.empty((len(keys), 11, 2), np.uint64)
    fill_schedules(RCON, keys, out)
    return out


def expand_seeds(seeds: Words, count: int) -> Words:
    out = np.empty((len(seeds), count, 2), np.uint64)
    _expand_seeds(RCON, seeds, out)
    return out


def grow(left: Words, right: Words, parents: Words, batch: int) -> tuple[Words, Words]:
    trees, width = parents.shape[:2]
    children = np.empty((trees, 2 * width, 2), np.uint64)
    sums = np.empty((trees, 2, 2), np.uint64)
    _grow_batches(left, right, parents, children, sums, batch)
    return children, sums
