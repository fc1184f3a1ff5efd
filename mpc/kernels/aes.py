# SPDX-License-Identifier: Apache-2.0
"""AES-128 over vectors of blocks: encryption, fixed-key hashes, generators, and trees of seeds.

A block is 16 bytes held as two uint64 words in memory order, a vector of them an array (..., 2).
``schedule`` turns a key into the 11 round keys that the other functions take.

Fixed-key hashes, with p the permutation under a public key, after Guo, Katz, Wang, Yu, "Efficient
and Secure Multiparty Computation from Fixed-Key Block Ciphers" (IEEE S&P 2020, eprint 2019/074),
secure where p is modelled as a random permutation:

    correlation_robust(x)        p(x) ^ x                        section 7.2
    tweakable_circular(x, i)     p(p(x) ^ i) ^ p(x)              section 7.4

``grow`` is one level of the tree of Goldreich, Goldwasser and Micali with the generator
x -> p0(x) ^ x, p1(x) ^ x.

With 2^q calls under one key, each of these is at most about 2^(2q - 128) from ideal; a caller that
makes many sessions draws the key anew for each.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from mpc.kernels import vaes
from mpc.kernels.aes_portable import DAVIES_MEYER, ENCRYPT, TWEAKED

Words = NDArray[np.uint64]

KEY_BYTES = 16
ROUND_KEYS = 11


def _kernel() -> ModuleType:
    if vaes.simd():
        from mpc.kernels import aes_simd

        return aes_simd
    from mpc.kernels import aes_portable

    return aes_portable


def schedule(key: bytes) -> Words:
    """The round keys (11, 2) of a 16-byte ``key`` (FIPS 197, section 5.2)."""
    if len(key) != KEY_BYTES:
        raise ValueError(f"an AES-128 key has {KEY_BYTES} bytes, not {len(key)}")
    return schedules(np.frombuffer(key, np.uint64).reshape(1, 2))[0]


def schedules(keys: Words) -> Words:
    """The round keys (n, 11, 2) of n keys (n, 2)."""
    return _kernel().schedules(_blocks(keys))


def encrypt(keys: Words, blocks: Words) -> Words:
    """AES-128 of each block under one key: the permutation itself, not a mode for messages."""
    return _map(keys, blocks, None, ENCRYPT)


def correlation_robust(keys: Words, blocks: Words) -> Words:
    """p(x) ^ x: pseudorandom at x ^ delta for a secret delta of high min-entropy."""
    return _map(keys, blocks, None, DAVIES_MEYER)


def tweakable_circular(keys: Words, blocks: Words, tweaks: Words) -> Words:
    """p(p(x) ^ i) ^ p(x): circular correlation robust for each tweak i, a block."""
    if tweaks.shape != blocks.shape:
        raise ValueError(f"{blocks.shape} blocks and {tweaks.shape} tweaks")
    return _map(keys, blocks, tweaks, TWEAKED)


def counter(keys: Words, count: int, first: int = 0) -> Words:
    """The keystream blocks (count, 2) of counters first, first + 1, ... (little-endian)."""
    return _kernel().counter(_round_keys(keys), first, count)


def expand_seeds(seeds: Words, count: int) -> Words:
    """The first ``count`` keystream blocks of each of n seeds (n, 2) as keys: (n, count, 2)."""
    return _kernel().expand_seeds(_blocks(seeds), count)


def grow(left: Words, right: Words, parents: Words, batch: int) -> tuple[Words, Words]:
    """One level of trees: from ``parents`` (trees, width, 2) the children and the level's sums.

    Node j has children 2j = p0(x) ^ x under the round keys ``left`` and 2j + 1 = p1(x) ^ x under
    ``right``; both are (batches, 11, 2), one for every ``batch`` trees. Returns children (trees,
    2 * width, 2), and (trees, 2, 2): the sum (XOR) of the even children and of the odd ones.
    """
    if parents.ndim != 3:
        raise ValueError(f"parents are (trees, width, 2), not {parents.shape}")
    batches = -(-len(parents) // batch)
    for keys in (left, right):
        if keys.shape != (batches, ROUND_KEYS, 2) or keys.dtype != np.uint64:
            raise ValueError(
                f"round keys are uint64 ({batches}, 11, 2), not {keys.dtype} {keys.shape}"
            )
    left, right = np.ascontiguousarray(left), np.ascontiguousarray(right)
    return _kernel().grow(left, right, _blocks(parents), batch)


def _map(keys: Words, blocks: Words, tweaks: Words | None, mode: int) -> Words:
    held = None if tweaks is None else _blocks(tweaks)
    return _kernel().map_blocks(_round_keys(keys), _blocks(blocks), held, mode)


def _blocks(array: Words) -> Words:
    if array.dtype != np.uint64 or array.ndim < 2 or array.shape[-1] != 2:
        raise ValueError(f"blocks are uint64 (..., 2), not {array.dtype} {array.shape}")
    return np.ascontiguousarray(array)


def _round_keys(keys: Words) -> Words:
    if keys.shape != (ROUND_KEYS, 2) or keys.dtype != np.uint64:
        raise ValueError(f"round keys are uint64 (11, 2), not {keys.dtype} {keys.shape}")
    return np.ascontiguousarray(keys)
