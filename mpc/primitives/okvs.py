# SPDX-License-Identifier: Apache-2.0
"""An oblivious key-value store: n pairs encoded in about 1.28 n values that look like noise.

Raghuraman and Rindal, "Blazing Fast PSI from Improved OKVS and Subfield VOLE" (CCS 2022), figure 1,
with rows of weight 3, clusters ("separate", section 2.1) and binary dense columns (lemma 2.1):

    parameters = Parameters.of(n)
    rows = Rows.of(keys, seed, parameters)       keys (n, 2) uniform, seed drawn after them
    store = rows.encode(values[rows.order], rng)
    rows.decode(store) == values[rows.order]

A key's row is a public function of the seed. ``decode`` is linear: of a sum (XOR) of stores it is
the sum of what they decode to, which is all that the protocols use. Values are vectors over GF(2)
of any number of 64-bit words. For uniform values, and an ``rng`` that the reader does not know, the
store is uniform but for the rows that another set of keys would not solve, a difference below the
failure probability; it tells the number of values it was made for, not the keys.

**Parameters.** Clusters of about 2^16 keys, whose parts of the store fit a second-level cache. The
three ways to fail share 2^-security:

* a cluster gets more keys than its part is made for: 2^-(security+2), by Chernoff's bound on each;
* its sparse rows leave a gap above ``gap``: 2^-(security+1) over all, by equations (2) and
  (3) of the paper, which its authors fitted to up to 2^27 trials a point for the range of 2^6
  to 2^30 keys: lambda = slope * (e - 1.223) - 9.2, log2 slope = 0.55 log2 n + 2.331. The gap is two
  more than theirs, which counts repeated rows alone: other short cycles add to it in small sets;
* its dense bits do not close the gap: 2^-(security+2), by lemma 2.1, ``gap`` + that many columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mpc.errors import CryptoError
from mpc.kernels import aes, okvs
from mpc.primitives.rng import SYSTEM, Rng

Words = NDArray[np.uint64]

SEED_BYTES = 16
STATISTICAL_SECURITY = 40

_CLUSTER = 1 << 16
_FEWEST = 1 << 6  # where the fit of the parameters begins; a smaller set gets the store of this one
_THRESHOLD, _AT_THRESHOLD = 1.223, -9.2  # section 3.2: the phase transition point for weight 3
_MOST_DENSE = 64


@dataclass(frozen=True, slots=True)
class Parameters:
    """The public shape of a store: ``clusters`` parts of ``width`` sparse and ``dense`` values."""

    items: int
    clusters: int
    capacity: int
    width: int
    dense: int
    gap: int

    @classmethod
    def of(cls, items: int, security: int = STATISTICAL_SECURITY) -> Parameters:
        """The smallest shape for up to ``items`` keys that fails with probability 2^-security."""
        if items < 0:
            raise ValueError(f"a store for {items} keys")
        clusters = max(1, round(items / _CLUSTER))
        spread = math.log2(clusters)
        load = max(_FEWEST, capacity(items, clusters, security + 2 + spread))
        peeling = security + 1 + spread
        expansion = _THRESHOLD + (peeling - _AT_THRESHOLD) / _slope(load)
        gap = int(peeling / math.log2(expansion * load)) + 2
        dense = gap + math.ceil(security + 2 + spread)
        if dense > _MOST_DENSE:
            raise ValueError(f"{security} bits for {items} keys need {dense} dense columns")
        return cls(items, clusters, load, math.ceil(expansion * load), dense, gap)

    @property
    def size(self) -> int:
        """The number of values in a store."""
        return self.clusters * (self.width + self.dense)


def _slope(keys: int) -> float:
    """Bits of security per unit of expansion (equation 3, for weight 3)."""
    weight = math.log2(3)
    offset = 0.093 * weight**3 - 1.01 * weight**2 + 2.92 * weight - 0.13
    return float(2.0 ** (0.55 * math.log2(keys) + offset))


def capacity(items: int, clusters: int, bits: float) -> int:
    """A load that each of ``clusters`` exceeds with probability 2^-bits at most.

    Chernoff: of n uniform keys, more than c fall in one of k clusters with probability at most
    exp(-n D(c/n || 1/k)).
    """
    if clusters == 1:
        return items
    share = 1 / clusters

    def exponent(load: int) -> float:
        part = load / items
        rest = (1 - part) * math.log((1 - part) / (1 - share)) if part < 1 else 0.0
        return items * (part * math.log(part / share) + rest)

    low, high = math.ceil(items * share), items
    while low < high:
        middle = (low + high) // 2
        if exponent(middle) >= bits * math.log(2):
            high = middle
        else:
            low = middle + 1
    return low


@dataclass(frozen=True, slots=True, repr=False)
class Rows:
    """The rows of a vector of keys, sorted by cluster: values go in and come out in ``order``."""

    parameters: Parameters
    _rows: NDArray[np.uint32]
    _bits: Words
    _starts: NDArray[np.int64]

    @classmethod
    def of(cls, keys: Words, seed: bytes, parameters: Parameters) -> Rows:
        """The rows of ``keys`` (n, 2) under ``seed`` (16 bytes), by AES: columns from one block,
        dense bits from a hash of that.

        The seed is drawn when the keys are fixed: keys chosen in its knowledge may have no store.
        """
        schedule = aes.schedule(seed)
        places = aes.encrypt(schedule, keys)
        dense = aes.correlation_robust(schedule, places)
        p = parameters
        placed = okvs.kernel().place(places, dense, p.clusters, p.width, p.dense)
        return cls(parameters, *placed)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def order(self) -> NDArray[np.uint32]:
        """Row i is that of ``keys[order[i]]``."""
        return self._rows[:, 3]

    def parts(self) -> Iterator[tuple[slice, slice, Rows]]:
        """The clusters: which rows, which places of the store, and the rows on that part alone.

        The parts of a store stand one after another, so a large one can be made, sent and read in
        turn.
        """
        p = self.parameters
        size, one = p.width + p.dense, replace(p, clusters=1)
        for cluster in range(p.clusters):
            mine = slice(int(self._starts[cluster]), int(self._starts[cluster + 1]))
            inside = np.array([0, mine.stop - mine.start])
            rows = Rows(one, self._rows[mine], self._bits[mine], inside)
            yield mine, slice(cluster * size, (cluster + 1) * size), rows

    def encode(self, values: Words, rng: Rng = SYSTEM) -> Words:
        """A store (size, words) in which row i has ``values[i]``, of shape (n,) or (n, words).

        Free values are drawn from ``rng``. Raises ``CryptoError`` with probability below
        2^-security for distinct keys, and always for two equal keys with different values.
        """
        p = self.parameters
        if len(self) > p.items:
            raise ValueError(f"{len(self)} keys in a store for {p.items}")
        words = as_words(values, len(self))
        store = uniform(p.size, words.shape[1], rng)
        failed = okvs.kernel().encode(
            self._rows, self._bits, self._starts, words, store, p.width, p.dense, p.gap
        )
        if failed >= 0:
            raise CryptoError("the store has no solution: keys repeat, or the seed was unlucky")
        return store

    def decode(self, store: Words) -> Words:
        """The values (n, words) that the rows have in ``store``."""
        p = self.parameters
        words = as_words(store, p.size)
        kernel = okvs.kernel()
        out: Words = kernel.decode(self._rows, self._bits, self._starts, words, p.width, p.dense)
        return out


def as_words(values: Words, count: int) -> Words:
    """``count`` values (count, words), from those or from one word each; else ``ValueError``."""
    columns = values.reshape(-1, 1) if values.ndim == 1 else values
    if columns.dtype != np.uint64 or columns.ndim != 2 or len(columns) != count:
        raise ValueError(f"expected {count} values of uint64 words, got {values.shape}")
    return np.ascontiguousarray(columns)


def uniform(count: int, words: int, rng: Rng) -> Words:
    """Values (count, words) of a keystream whose key is drawn from ``rng``."""
    blocks = aes.counter(aes.schedule(rng.bytes(aes.KEY_BYTES)), (count * words + 1) // 2)
    return blocks.reshape(-1)[: count * words].reshape(count, words)
