# SPDX-License-Identifier: Apache-2.0
"""A set of pseudorandom 128-bit tags in about 50 bits each, to be looked up where it lies.

A tag's first word says its bucket, by its top bits; of the second word the lowest 6 to 8 bytes are
kept. The rows stand bucket after bucket, and a directory says where each bucket begins::

    directory  uint32 (2^bits + 1)     rows  uint8 (n, width)

With ``bits`` from ``bucket_bits``, a bucket of a large table (``sparse=False``) holds 16 to 32 tags
on average and its directory costs 1 to 2 bits a tag: 49 to 50 bits with rows of 6 bytes. A lookup
reads two entries of the directory and one bucket. A table whose size does not matter (``sparse``)
has buckets of less than one tag.

**False positives.** A tag outside the set meets, on average, n / 2^bits rows, each of which equals
its own with probability 2^-(8 width): ``chance`` is below 2^(5 - 8 width), and 2^-(8 width) if
``sparse``.

Elias–Fano coding would take 2 bits less (directory in unary, buckets of one) and a binary fuse
filter (Graf, Lemire 2022) of 43 bits a row 1.5 less; the first is decoded bit by bit, the second
has no rank, by which a label is found, and cannot be checked or merged row by row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpc.primitives.prepared.faults import ListCorrupt

WIDTHS = (1, 2, 3, 4, 5, 6, 7, 8)
MOST = (1 << 32) - 1
# With 32 a bucket expected, one of 2^32 buckets has as many with probability below 2^-400.
_FULLEST = 256
_BLOCK = 1 << 16

Words = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Table:
    """``directory`` and ``rows`` may lie in a mapped file: only what is looked up is read."""

    directory: NDArray[np.uint32]
    rows: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def bits(self) -> int:
        """How many bits of a tag say its bucket."""
        return (len(self.directory) - 1).bit_length() - 1

    @property
    def chance(self) -> float:
        """The probability that a tag outside the set is taken for one of it."""
        return float(len(self) * 2.0 ** -(self.bits + 8 * self.rows.shape[1]))

    def positions(self, tags: Words) -> NDArray[np.int64]:
        """For each tag the row that holds it, or -1."""
        bucket = _buckets(tags, self.bits)
        starts = self.directory[bucket].astype(np.int64)
        counts = self.directory[bucket + 1] - starts
        first = np.cumsum(counts) - counts
        asked = np.repeat(np.arange(len(tags)), counts)
        at = np.arange(len(asked)) + np.repeat(starts - first, counts)
        hit = (self.rows[at] == _kept(tags, self.rows.shape[1])[asked]).all(axis=1)
        found = np.full(len(tags), -1, np.int64)
        found[asked[hit]] = at[hit]
        return found

    def position(self, tag: bytes) -> int:
        """What ``positions`` says of one tag, given as its 16 bytes."""
        bucket = int.from_bytes(tag[:8], "little") >> (64 - self.bits)
        start, stop = self.directory[bucket : bucket + 2].tolist()
        width = self.rows.shape[1]
        held, kept = self.rows[start:stop].tobytes(), tag[8 : 8 + width]
        hits = [at for at in range(0, len(held), width) if held.startswith(kept, at)]
        return start + hits[-1] // width if hits else -1

    def check(self) -> None:
        """Raise ``ListCorrupt`` unless lookups stay in the table, and are as quick as they should.

        Reads the directory once, block by block.
        """
        ends = self.directory[0], self.directory[-1]
        fits = ends == (0, len(self.rows))
        for start in range(0, len(self.directory) - 1, _BLOCK):
            loads = np.diff(self.directory[start : start + _BLOCK + 1].astype(np.int64))
            fits = fits and bool(np.all((loads >= 0) & (loads <= _FULLEST)))
        if not fits:
            raise ListCorrupt("the directory does not fit the rows of a prepared list")


def bucket_bits(count: int, *, sparse: bool) -> int:
    """How many bits of a tag say its bucket, in a table of ``count`` tags."""
    return max(0, count.bit_length() - (0 if sparse else 5))


def compress(tags: Words, bits: int, width: int) -> Table:
    """The table of ``tags``, which ascend."""
    loads = np.bincount(_buckets(tags, bits), minlength=1 << bits)
    directory = np.zeros((1 << bits) + 1, np.uint32)
    np.cumsum(loads, out=directory[1:], dtype=np.uint32)
    return Table(directory, _kept(tags, width))


def _buckets(tags: Words, bits: int) -> NDArray[np.intp]:
    # By 64 bits a word cannot be shifted.
    return ((tags[:, 0] >> np.uint64(1)) >> np.uint64(63 - bits)).astype(np.intp)


def _kept(tags: Words, width: int) -> NDArray[np.uint8]:
    second = np.ascontiguousarray(tags[:, 1]).astype("<u8")
    return second.view(np.uint8).reshape(-1, 8)[:, :width]
