# SPDX-License-Identifier: Apache-2.0
"""A random band matrix store: n pairs encoded in about 1.08 n values that look like noise.

Bienstock, Patel, Seo, Yeo, "Near-Optimal Oblivious Key-Value Stores for Efficient PSI, PSU and
Volume-Hiding Multi-Maps" (USENIX Security 2023, eprint 2023/903), section 4: a key's row is a band
of uniform bits that begins at a uniform column.

    parameters = Parameters.of(n)
    store = Rows.of(keys, seed, parameters).encode(values)      keys (n, 2) uniform, seed after them
    Rows.of(others, seed, parameters).decode(store)             at a key of ``keys`` its value

It does what ``okvs`` does in less space: 1.08 rather than 1.28 times what it holds; a value takes
some hundred sums of columns rather than three. As there, decoding is linear, a row is a public
function of the seed, and for uniform values and an ``rng`` that the reader does not know the store
is uniform but for the sets of keys that have none, a difference below the failure probability.

**Parameters.** The ways to fail share 2^-security: with more than one cluster, that one gets more
keys than its part is made for, by Chernoff's bound, and that rows are dependent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpc.errors import CryptoError
from mpc.kernels import aes, band
from mpc.primitives.okvs import STATISTICAL_SECURITY, as_words, capacity, uniform
from mpc.primitives.rng import SYSTEM, Rng

Words = NDArray[np.uint64]

_CLUSTER = 1 << 19
_EXPANSION = 1.07
_SLOPE, _OFFSET = 0.19307, -5.8172
_HALF, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class Parameters:
    """The public shape of a store: ``clusters`` parts with bands at ``starts`` places of each."""

    items: int
    clusters: int
    starts: int
    band: int

    @classmethod
    def of(cls, items: int, security: int = STATISTICAL_SECURITY) -> Parameters:
        """The shape for up to ``items`` keys that fails with probability 2^-security."""
        if not 0 <= items < 1 << 31:
            raise ValueError(f"a store for {items} keys")
        clusters = max(1, round(items / _CLUSTER))
        load = capacity(items, clusters, security + 1 + math.log2(clusters))
        starts = max(1, math.ceil(_EXPANSION * load))
        bits = security + 2 + math.log2(clusters * starts) + _OFFSET
        return cls(items, clusters, starts, math.ceil(bits / _SLOPE))

    @property
    def width(self) -> int:
        """The number of values in a cluster's part."""
        return self.starts + self.band - 1

    @property
    def size(self) -> int:
        """The number of values in a store."""
        return self.clusters * self.width


@dataclass(frozen=True, slots=True, repr=False)
class Rows:
    """The rows of a vector of keys; values go in and come out in the order of the keys."""

    parameters: Parameters
    _bits: Words
    _firsts: NDArray[np.int64]
    _order: NDArray[np.int64]

    @classmethod
    def of(cls, keys: Words, seed: bytes, parameters: Parameters) -> Rows:
        """The rows of ``keys`` (n, 2) under ``seed`` (16 bytes), by AES: where a band begins from
        one block, its bits from hashes of that.

        The seed is drawn when the keys are fixed: keys chosen in its knowledge may have no store.
        """
        p = parameters
        schedule = aes.schedule(seed)
        places = aes.encrypt(schedule, keys)
        slots = _scaled(places[:, 0], p.clusters * p.starts)
        # Sorted as one number each: by slot, then in the order of the keys.
        ranks = np.sort(slots << _HALF | np.arange(len(slots), dtype=np.uint64))
        slots, order = (ranks >> _HALF).astype(np.int64), (ranks & _LOW).astype(np.int64)
        firsts: NDArray[np.int64] = slots + (p.band - 1) * (slots // p.starts)
        return cls(p, _bands(schedule, places[order], p.band), firsts, order)

    def __len__(self) -> int:
        return len(self._order)

    def encode(self, values: Words, rng: Rng = SYSTEM) -> Words:
        """A store (size, words) in which key i has ``values[i]``, of shape (n,) or (n, words).

        Free values are drawn from ``rng``. Raises ``CryptoError`` with probability below
        2^-security for distinct keys, and always for two equal keys.
        """
        p = self.parameters
        if len(self) > p.items:
            raise ValueError(f"{len(self)} keys in a store for {p.items}")
        words = as_words(values, len(self))
        store = uniform(p.size, words.shape[1], rng)
        starts = np.searchsorted(self._firsts, p.width * np.arange(p.clusters + 1))
        failed = band.kernel().encode(self._bits, self._firsts, self._order, starts, words, store)
        if failed >= 0:
            raise CryptoError("the store has no solution: keys repeat, or the seed was unlucky")
        return store

    def decode(self, store: Words) -> Words:
        """The values (n, words) that the keys have in ``store``."""
        words = as_words(store, self.parameters.size)
        out: Words = band.kernel().decode(self._bits, self._firsts, self._order, words)
        return out


def _scaled(chance: Words, bound: int) -> Words:
    """Uniform words to uniform numbers below ``bound`` < 2^32, but for 2^-32 of each."""
    return (chance >> _HALF) * np.uint64(bound) + ((chance & _LOW) * np.uint64(bound) >> _HALF) >> (
        _HALF
    )


def _bands(schedule: Words, places: Words, width: int) -> Words:
    """For each block ``width`` bits (n, words): the hash of its sum with 1, 2, ..."""
    words = -(-width // 64)
    blocks = np.empty((len(places), -(-words // 2), 2), np.uint64)
    for i in range(blocks.shape[1]):
        tweak = np.array([i + 1, 0], np.uint64)
        blocks[:, i] = aes.correlation_robust(schedule, places ^ tweak)
    bits = np.ascontiguousarray(blocks.reshape(len(places), 2 * blocks.shape[1])[:, :words])
    bits[:, -1] &= np.uint64((1 << (width - 64 * (words - 1))) - 1)
    return bits
