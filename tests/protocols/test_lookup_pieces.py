# SPDX-License-Identifier: Apache-2.0
"""Rows as pieces: what masks leave of them adds up to the row, whatever the roundings did."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from queue import Queue

import numpy as np
import pytest

from mpc.protocols.lookup.pieces import TAGS, Pieces

WIDTHS = range(1, 9)


def uniform(rng, *shape):
    return rng.integers(0, 2**64, shape, dtype=np.uint64)


def joined(pieces, left, right, rng):
    """What both sides get of their shares: products of bits are shared at random."""
    asked, given = Queue(), Queue()
    products = []

    def times_left(bits, octets):
        asked.put((bits, octets))
        return given.get(timeout=60)

    def times_right(bits, octets):
        other, same = asked.get(timeout=60)
        assert octets == same
        assert max(bits.max(), other.max()) <= 1
        products.append(bits.shape[1])
        drawn, beyond = uniform(rng, *bits.shape), uniform(rng, *bits.shape)
        # What is beyond the octets of a product is anything.
        rest = beyond << np.uint64(8 * octets) if octets < 8 else np.uint64(0)
        given.put(drawn)
        return (bits & other).astype(np.uint64) - drawn + rest

    with ThreadPoolExecutor(1) as pool:
        ours = pool.submit(pieces.join, left, times_left)
        theirs = pieces.join(right, times_right)
        assert sum(products) == pieces.transfers
        return ours.result(), theirs


@pytest.mark.parametrize("octets", WIDTHS)
@pytest.mark.parametrize("columns", [1, 3, 8])
def test_shares_of_a_row_become_shares_of_its_values(octets, columns):
    rng, pieces = np.random.default_rng(octets), Pieces(columns, octets)
    values = uniform(rng, 400, columns) & np.uint64(2 ** (8 * octets) - 1)
    values[0], values[1] = 0, 2 ** (8 * octets) - 1
    count = len(pieces.bits)
    for more in range(4):
        masks, own = uniform(rng, 400, count), uniform(rng, 400, count)
        # The smallest and largest shares, beside random ones.
        own[::7], own[1::7] = 0, 2**64 - 1
        stored = pieces.unpack(pieces.pack(pieces.of(values) + masks))
        roundings = np.full((400, count), more, np.uint64)
        roundings[200:] = rng.integers(0, 4, (200, count), dtype=np.uint64)
        left, right = stored * np.uint64(2) - own, own - masks * np.uint64(2) + roundings
        (tag, held), (other, rest) = joined(pieces, left, right, rng)
        assert np.array_equal(tag, pieces.opposite(other))
        assert np.array_equal(held + rest & np.uint64(2 ** (8 * octets) - 1), values)


def test_another_row_has_another_word():
    rng, pieces = np.random.default_rng(1), Pieces(2, 8)
    left, right = uniform(rng, 2000, len(pieces.bits)), uniform(rng, 2000, len(pieces.bits))
    (tag, _), (other, _) = joined(pieces, left, right, rng)
    assert not np.any(tag == pieces.opposite(other))


@pytest.mark.parametrize("tag", range(TAGS))
@pytest.mark.parametrize("value", [1, 2**31, 2**32 - 1])
def test_each_piece_that_tells_a_key_is_looked_at(tag, value):
    rng, pieces = np.random.default_rng(3), Pieces(1, 4)
    rows, left = pieces.of(np.zeros((50, 1), np.uint64)), uniform(rng, 50, TAGS + 1)
    rows[:, tag] += np.uint64(value << pieces.bits[tag] - 32)
    (word, _), (other, _) = joined(pieces, left, np.uint64(2) * rows - left, rng)
    assert not np.any(word == pieces.opposite(other))


@pytest.mark.parametrize("octets", WIDTHS)
def test_rows_are_packed_without_gaps(octets):
    rng, pieces = np.random.default_rng(2), Pieces(5, octets)
    drawn = uniform(rng, 9, len(pieces.bits))
    words = pieces.pack(drawn)
    kept = [
        sum(
            int(piece) % 2**bits << at
            for piece, bits, at in zip(row, pieces.bits, ends, strict=True)
        )
        for ends in [np.cumsum([0, *pieces.bits[:-1]]).tolist()]
        for row in drawn
    ]
    assert [int.from_bytes(row.tobytes(), "little") for row in words] == kept
    assert words.shape == (9, -(-pieces.width // 8))
    assert np.array_equal(pieces.pack(pieces.unpack(words)), words)


@pytest.mark.parametrize(
    ("columns", "octets", "count", "width", "masks"),
    [
        (8, 8, 18, 76, 1),
        (9, 8, 20, 84, 2),
        (8, 4, 10, 42, 1),
        (16, 4, 18, 75, 1),
        (17, 1, 19, 28, 2),
    ],
)
def test_sizes(columns, octets, count, width, masks):
    pieces = Pieces(columns, octets)
    assert (len(pieces.bits), pieces.width, pieces.masks) == (count, width, masks)
    assert len(pieces.bits) == TAGS + columns * (2 if octets > 4 else 1)
