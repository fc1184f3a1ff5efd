# SPDX-License-Identifier: Apache-2.0
"""A random band matrix store: n pairs encoded in about 1.06 n values that look like noise.

Bienstock, Patel, Seo, Yeo, "Near-Optimal Oblivious Key-Value Stores for Efficient PSI, PSU and
Volume-Hiding Multi-Maps" (USENIX Security 2023, eprint 2023/903): a key's row is a band of uniform
bits that begins at a uniform column.

    parameters = Parameters.of(n)
    store = Rows.of(keys, seed, parameters).encode(values)      keys (n, 2) uniform, seed after them
    Rows.of(others, seed, parameters).decode(store)             at a key of ``keys`` its value

It does what ``okvs`` does in less space, 1.06 rather than 1.28 times what it holds, but a value is
the sum of some 190 columns rather than of three and a few: it is for long values. As there, a row
is a public function of the seed, and decoding is linear. For uniform values, and an ``rng`` that
the reader does not know, the store of keys that have one is uniform; it tells the number of values
it was made for, not the keys.

**Parameters.** The store is in clusters, which threads solve side by side: of 2^19 keys, since the
smaller they are, the larger is the share of keys that one may get above its due. Two ways to fail
share 2^-security:

* a cluster gets more keys than its part is made for, by Chernoff's bound on each;
* its rows, which begin at one of 1.0525 times as many places, are dependent.

Of the second there is a bound for any width w of the band. Take rows by where they begin, and let D
be how many combinations of those so far are zero before column c and not yet solved for. Rows that
begin at c add to D; then all D have a bit there that is uniform and new, so that one is solved for
unless none is set: with probability 1 - 2^-D. A row depends on those before it with probability
2^(D - w). So the rows are dependent with at most the probability that D, which is a Markov chain of
known law, ever gets to w - 4, plus the sum of 2^(D - w) over the rows before that. For a Poisson
number of rows, at a factor of two (Mitzenmacher, Upfal, "Probability and Computing", section 5.4),
this is below places * 2^(6.37 - 0.1463 w) where w >= 64: the slope is Lundberg's exponent of the
walk of D, the offset is computed from the chain. Few keys do with w = n + security + 1, as at most
2^(n - w) fail.

The authors fit w = 383 to their counts of failures for 1.05 and 2^20 keys, where the bound asks for
390. In 58,000 systems with 1.05 and bands of 64 to 104 we counted failures 0.4 to 0.6 bits below
the bound, with slope 0.1394 for 0.1397. The tests compute the bound and count failures again.
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
_EXPANSION = 1.0525
_SLOPE, _OFFSET = 0.1463, 6.37  # bits of security for each column of the band, and at its beginning
_NARROWEST = 64
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
        bits = security + 2 + math.log2(clusters * starts) - _OFFSET
        band = min(max(_NARROWEST, math.ceil(bits / _SLOPE)), load + security + 1)
        return cls(items, clusters, starts, band)

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
        order = (ranks & _LOW).astype(np.int64)
        begins = (ranks >> _HALF).astype(np.int64)
        firsts = begins + (p.band - 1) * (begins // p.starts)
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
    """Uniform words to uniform numbers below ``bound`` < 2^32, but for bound / 2^64."""
    most = np.uint64(bound)
    return (chance >> _HALF) * most + ((chance & _LOW) * most >> _HALF) >> _HALF


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
