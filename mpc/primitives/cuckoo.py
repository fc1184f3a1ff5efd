# SPDX-License-Identifier: Apache-2.0
"""Cuckoo hashing: n keys in a table of about 1.3 n bins, each key in one of three, none left over.

Pagh, Rodler (2001) with three hash functions (Fotakis, Pagh, Sanders, Spirakis 2005), no stash::

    table = Table.of(keys, rng)              keys (n, 4) uniform; draws the seed
    table.places                             the bin of each key
    table.choices                            which of its three bins that is
    positions(others, table.seed, bins)      the bins (m, 3) that any keys could be in

**Failure.** Published sizes (1.27 n in Pinkas, Schneider, Tkachenko, Yanai, "Efficient
Circuit-Based PSI with Linear Communication", EUROCRYPT 2019, after experiments with up to 2^30
tables) are extrapolated, and hold for many keys only. ``bins`` is a bound instead. By Hall's
theorem a set of keys finds no places only if some k of them have k - 1 bins in all; in the smallest
such set each of these bins is a bin of at least two of the k. With b bins the expected number of
such sets is at most the sum over k from 4 to n (three keys always find places) of the smaller of

    C(n, k) C(b, k - 1) (C(k - 1, 3) / C(b, 3))^k
    C(n, k) C(b, k - 1) (3k)! (e^x - 1 - x)^(k - 1) x^(-3k) b^(-3k) (b^2 / ((b - 1)(b - 2)))^k

for any x > 0: the number of ways in which 3k balls fill k - 1 bins at least twice each is below the
coefficient of x^(3k) in (3k)! (e^x - 1 - x)^(k - 1), and the last factor is for the three bins of a
key being distinct. ``bins`` is the least b for which that is below 2^-40: 1.3 n from 10^4 keys on,
where four keys in three bins are all that counts, 1.33 n for 1,000 and 2.3 n for 100. A
key's bins are 64 uniform bits modulo b, so that a bin is at most 1 + b / 2^64 times as likely as
another: for 2^28 keys that raises the bound by less than 2 %, and it is far below 2^-40 there.

A table is found if there is one: keys are peeled off as in ``primitives.okvs``, and the few left
over move others along augmenting paths. If there is none, another seed is drawn, so the seed tells
the reader of it that the keys have a table under it: a distance of 2^-40 from a uniform seed.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from mpc.errors import CryptoError
from mpc.kernels import aes, okvs
from mpc.primitives.rng import SYSTEM, Rng

Words = NDArray[np.uint64]
Places = NDArray[np.int64]

HASHES = 3
SEED_BYTES = 16
STATISTICAL_SECURITY = 40
MOST_SEEDS = 16
"""Seeds that are tried before a table is given up; each fails with probability 2^-40."""

_EXPANSION, _FROM = 1.3, 10_000
_MOST_LEFT = 4096  # of the keys that peeling leaves over

log = logging.getLogger("mpc.primitives.cuckoo")


@cache
def bins(keys: int) -> int:
    """The size of a table in which ``keys`` keys find no places with probability 2^-40 at most."""
    if keys < 4:
        return HASHES
    if keys >= _FROM:
        return math.ceil(_EXPANSION * keys)
    low, high = keys, 400 + 2 * keys
    while low < high:
        middle = (low + high) // 2
        if failure_bits(keys, middle) >= STATISTICAL_SECURITY:
            high = middle
        else:
            low = middle + 1
    return low


def failure_bits(keys: int, size: int) -> float:
    """Minus the binary logarithm of the bound above, for ``keys`` keys in ``size`` bins."""
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, 3 * max(keys, size) + 1)))])
    k = np.arange(4, keys + 1)

    def chosen(n: int | NDArray[np.int64], of: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(logs[n] - logs[of] - logs[n - of])

    x = _saddle(3 * k / (k - 1))
    distinct = 2 * math.log(size) - math.log((size - 1) * (size - 2))
    inside = chosen(k - 1, np.array(3)) - math.log(math.comb(size, 3))
    twice = (k - 1) * np.log(np.expm1(x) - x) - 3 * k * np.log(x * size) + logs[3 * k]
    terms = chosen(keys, k) + chosen(size, k - 1) + np.minimum(k * inside, twice + k * distinct)
    top = float(terms.max())
    return -(top + math.log(float(np.exp(terms - top).sum()))) / math.log(2)


def _saddle(mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """The x for which a Poisson number that is at least two is ``mean`` on average."""
    low, high = np.full_like(mean, 1e-6), np.full_like(mean, 64.0)
    for _ in range(60):
        x = (low + high) / 2
        above = x * np.expm1(x) > mean * (np.expm1(x) - x)
        low, high = np.where(above, low, x), np.where(above, x, high)
    return (low + high) / 2


def positions(keys: Words, seed: bytes, size: int) -> Places:
    """The three distinct bins (n, 3) of keys (n, 4), which are uniform: digests of items."""
    schedule = aes.schedule(seed)
    first = aes.correlation_robust(schedule, keys[:, :2])
    second = aes.correlation_robust(schedule, first ^ keys[:, 2:])
    out = np.empty((len(keys), HASHES), np.int64)
    for column, (word, bound) in enumerate(
        zip((first[:, 0], first[:, 1], second[:, 0]), range(size, size - HASHES, -1), strict=True)
    ):
        out[:, column] = (word % np.uint64(bound)).astype(np.int64)
    a, b, c = out.T
    b += b >= a
    c += c >= np.minimum(a, b)
    c += c >= np.maximum(a, b)
    return out


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Table:
    """Where each of n keys stands: bin ``places[i]`` of ``size``, the ``choices[i]``-th of its own.

    Both are secret, as the keys are. ``seed`` and ``size`` are public.
    """

    seed: bytes
    size: int
    places: Places
    choices: NDArray[np.uint8]

    @classmethod
    def of(cls, keys: Words, rng: Rng = SYSTEM, *, size: int | None = None) -> Table:
        """A table of distinct ``keys`` (n, 4), in ``bins(n)`` bins unless ``size`` says otherwise.

        Raises CryptoError when no seed out of ``MOST_SEEDS`` gives a table: the keys repeat, or
        ``size`` is too small for them.
        """
        size = bins(len(keys)) if size is None else size
        for _ in range(MOST_SEEDS if size >= max(HASHES, len(keys)) else 0):
            seed = rng.bytes(SEED_BYTES)
            candidates = positions(keys, seed, size)
            places = _placed(candidates, size)
            if places is not None:
                choices = np.argmax(candidates == places[:, None], axis=1).astype(np.uint8)
                return cls(seed, size, places, choices)
            log.warning("%d keys have no table of %d bins under this seed", len(keys), size)
        raise CryptoError(f"{len(keys)} keys have no table of {size} bins, or some are the same")

    def __repr__(self) -> str:
        return f"Table(<{len(self.places)} keys in {self.size} bins>)"


def _placed(candidates: Places, size: int) -> Places | None:
    """A bin for each key out of its candidates, or nothing where there is none."""
    limit = min(_MOST_LEFT, len(candidates))
    pivots = okvs.kernel().peel(candidates.astype(np.uint32), size, limit)
    if pivots is None:
        return None
    owner = np.full(size, -1, np.int64)
    held = np.flatnonzero(pivots >= 0)
    owner[pivots[held]] = held
    places: Places = pivots.copy()
    for key in np.flatnonzero(pivots < 0).tolist():
        if not _augment(key, candidates, owner, places):
            return None
    return places


def _augment(key: int, candidates: Places, owner: Places, places: Places) -> bool:
    """Place ``key`` by moving keys along a shortest path to a bin that is free."""
    came: dict[int, int] = {}
    queue = deque([key])
    while queue:
        moved = queue.popleft()
        for place in candidates[moved].tolist():
            if place in came:
                continue
            came[place] = moved
            if owner[place] >= 0:
                queue.append(int(owner[place]))
                continue
            free = place
            while True:
                mover = came[free]
                left = int(places[mover])
                places[mover], owner[free] = free, mover
                if mover == key:
                    return True
                free = left
    return False
