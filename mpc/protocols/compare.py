# SPDX-License-Identifier: Apache-2.0
"""Comparisons, choices and order of shared numbers, n parties; semi-honest.

A comparison is the sign of a difference: the parties open c = x + r under a random word r that is
shared as bits too (``convert.subtraction``), and the sign of x = c - r is c63 ^ r63 ^ borrow, where
the borrow is one prefix of generate and propagate bits (``boolean.carry``): 1 + 6 rounds and 124
ANDs a number, in one batch whatever its size. Numbers known to be narrow are masked, opened and
compared modulo a smaller power of two, which is as safe and takes fewer random bits. The result is
bits shared by XOR, so that comparisons can be combined cheaply; ``select`` takes them as they are,
``convert.to_number`` makes numbers.

    is_negative, less_than                    1 + log2(width) rounds
    equal                                     1 + log2(width) rounds
    select                                    1 round
    maximum, argmax       over k columns      8 log2 k rounds, k - 1 comparisons a row
    ranks                 over k columns      8 rounds, k (k - 1) / 2 comparisons a row
    top_k, the m largest  over k columns      10 + log2 log2 k rounds, and m k equalities a row
    sort                  over k columns      the same, with m = k

Numbers compared must differ by less than 2^63 as encoded, so |x| < 2^62 is always right.

Learns: nobody anything but the sizes; not even which of two numbers was taken, nor any order.
"""

from __future__ import annotations

import numpy as np

from mpc.errors import ConfigError, KeyMismatch
from mpc.kernels import bits
from mpc.net.mesh import Mesh
from mpc.primitives.sharing import Share, concatenate
from mpc.primitives.xor_sharing import XorShare
from mpc.protocols import boolean, convert, opening
from mpc.protocols.triples import Selections, Triples
from mpc.tracing import spanned

SIGN = bits.WORD - 1


def is_negative(mesh: Mesh, x: Share, triples: Triples, *, width: int = SIGN) -> XorShare:
    """For each of the n elements of x, in order, whether it is below zero: bits (n,).

    ``width``: where x, as encoded, is known to be in [-2^width, 2^width), its bit of that number is
    its sign, and takes fewer rounds and ANDs.
    """
    if not 1 <= width <= SIGN:
        raise ConfigError(f"the sign is behind 1 to {SIGN} bits, not {width}")
    held = convert.subtraction(mesh, x, triples, width=width + 1)
    below = slice(0, width)
    borrow = boolean.carry(mesh, held.generates[below], held.propagates[below], triples)
    return held.differences[width] ^ borrow


def less_than(
    mesh: Mesh, x: Share, y: Share | float, triples: Triples, *, width: int = SIGN
) -> XorShare:
    """Whether x < y in each place: bits (n,). y may be public. ``width`` is that of x - y."""
    return is_negative(mesh, x - y, triples, width=width)


def equal(
    mesh: Mesh, x: Share, y: Share | float, triples: Triples, *, width: int = bits.WORD
) -> XorShare:
    """Whether x = y in each place, as encoded: bits (n,).

    ``width``: where x - y is known to be below 2^width in size, so many bits are looked at.
    """
    if not 1 <= width <= bits.WORD:
        raise ConfigError(f"numbers have 1 to {bits.WORD} bits, not {width}")
    held = convert.subtraction(mesh, x - y, triples, width=width)
    # No bit may differ: then c = r, and there is no borrow either.
    return boolean.all_of(mesh, held.propagates, triples)


def select(mesh: Mesh, which: XorShare, x: Share, y: Share | float, triples: Triples) -> Share:
    """x where the bit is one, y elsewhere. One round.

    ``which`` has a bit for each place along the first axis of x; further axes go with it.
    """
    difference = x - y
    return y + times_bit(mesh, which, difference, triples)


@spanned("select")
def times_bit(mesh: Mesh, which: XorShare, x: Share, triples: Triples) -> Share:
    """x where the bit is one, zero elsewhere; shapes as for ``select``. One round.

    With a random bit r in both forms, a word a and their product shared, the parties open e = b ^ r
    and d = x - a, and b x = e x + (1 - 2 e) (r d + r a).
    """
    if (which.party, which.parties) != (x.party, x.parties):
        raise KeyMismatch("the bits and the numbers are shares of different parties")
    if which.words.ndim != 1 or not x.shape or which.count != len(x):
        raise ConfigError(f"bits {which.shape} do not choose among numbers {x.shape}")
    flat = x.words.reshape(-1)
    each = len(flat) // max(1, which.count)
    packed = bits.pack(np.repeat(bits.unpack(which.words, which.count), each))
    t = triples.draw(Selections(bits.WORD * len(packed))).take()
    a, r, product = (t[name][: len(flat)] for name in ("a", "number", "product"))
    masked = packed ^ t["packed"]
    # Both openings in one message: XOR for the bits, sums for the words.
    (d,), (opened,) = opening.together(mesh, "times_bit", sums=[flat - a], xors=[masked])
    e = bits.unpack(opened, len(flat)).astype(np.uint64)
    inner = r * d + product
    words = e * flat + inner - ((e * inner) << np.uint64(1))
    return x.holding(words.reshape(x.shape))


def maximum(mesh: Mesh, x: Share, triples: Triples) -> Share:
    """The largest along the last axis of x (..., k), k at least 1: (...,)."""
    require_columns(x)
    return _winners(mesh, x.reshape(-1, x.shape[-1], 1), triples).reshape(*x.shape[:-1])


def argmax(mesh: Mesh, x: Share, triples: Triples) -> Share:
    """The place of the largest along the last axis of x (..., k), the first of equals: (...,).

    Places are whole numbers, so the result has no fraction bits. k is at least 1.
    """
    require_columns(x)
    rows, k = x.reshape(-1, x.shape[-1]), x.shape[-1]
    places = np.zeros(rows.shape, np.uint64)
    if x.party == 0:
        places += np.arange(k, dtype=np.uint64)
    winners = _winners(mesh, x.holding(np.stack([rows.words, places], axis=2)), triples)
    return Share(winners.words[:, 1].reshape(x.shape[:-1]), x.party, x.parties)


def require_columns(x: Share) -> None:
    """ConfigError where x has no last axis, or nothing along it."""
    if not x.shape or not x.shape[-1]:
        raise ConfigError(f"there is no largest of numbers {x.shape}")


def _winners(mesh: Mesh, x: Share, triples: Triples) -> Share:
    """Of x (n, k, m) for each n the row of m numbers of which the first is largest: (n, m)."""
    while x.shape[1] > 1:
        even = x.shape[1] // 2 * 2
        left, right, rest = x[:, 0:even:2], x[:, 1:even:2], x[:, even:]
        n, pairs, m = left.shape
        greater = less_than(mesh, left[:, :, 0], right[:, :, 0], triples)
        left, right = left.reshape(n * pairs, m), right.reshape(n * pairs, m)
        won = select(mesh, greater, right, left, triples)
        x = concatenate([won.reshape(n, pairs, m), rest], axis=1)
    return x[:, 0]


def ranks(mesh: Mesh, x: Share, triples: Triples) -> Share:
    """How many of the k numbers in its row come before each of x (n, k), in ascending order.

    Whole numbers from 0 to k - 1, each once in a row: of equals the first comes first. For short
    rows, as it compares every two.
    """
    if len(x.shape) != 2:
        raise ConfigError(f"rows to rank are (n, k), not {x.shape}")
    n, k = x.shape
    i, j = np.triu_indices(k, 1)
    later_is_less = less_than(mesh, x[:, j], x[:, i], triples)
    before = convert.to_number(mesh, later_is_less, triples).reshape(n, len(i))
    # Of each pair the one that is not less has one more before it.
    words = np.zeros((k, n), np.uint64)
    np.add.at(words, i, before.words.T)
    np.subtract.at(words, j, before.words.T)
    if x.party == 0:
        words += np.arange(k, dtype=np.uint64)[:, None]
    return Share(np.ascontiguousarray(words.T), x.party, x.parties)


def sort(mesh: Mesh, x: Share, triples: Triples) -> Share:
    """Each row of x (n, k) in ascending order; for short rows."""
    order = ranks(mesh, x, triples)
    return _taken(mesh, x, _at(mesh, order, x.shape[1], triples), triples)


def top_k(mesh: Mesh, x: Share, k: int, triples: Triples) -> tuple[Share, XorShare]:
    """The k largest of each row of x (n, columns), the largest first, and ``top_places`` of them.

    Values (n, k). For short rows; for k = 1 of long ones ``maximum`` and ``argmax`` compare less.
    """
    places = top_places(mesh, x, k, triples)
    return _taken(mesh, x, places, triples), places


def top_places(mesh: Mesh, x: Share, k: int, triples: Triples) -> XorShare:
    """Where the k largest of each row of x (n, columns) stand, of equals the first first.

    Bits (n * k * columns), of which each row of columns has a single one: at the place of the
    largest, then of the next. Only so many are placed, and not all columns.
    """
    if len(x.shape) != 2 or not 1 <= k <= x.shape[1]:
        raise ConfigError(f"the {k} largest of rows of numbers {x.shape}")
    return _at(mesh, ranks(mesh, -x, triples), k, triples)


def _at(mesh: Mesh, order: Share, count: int, triples: Triples) -> XorShare:
    """For each row of ranks (n, k) and the first ``count`` of them where they are: bits
    (n * count * k)."""
    n, k = order.shape
    wanted = order.reshape(n, 1, k) - np.arange(count, dtype=np.int64)[:, None]
    return equal(mesh, wanted, 0, triples, width=k.bit_length())


def _taken(mesh: Mesh, x: Share, places: XorShare, triples: Triples) -> Share:
    """Of each row of x (n, k) what is at the places (n * count * k): (n, count). One round."""
    n, k = x.shape
    count = places.count // max(1, n * k)
    spread = np.ascontiguousarray(np.broadcast_to(x.words[:, None, :], (n, count, k)))
    taken = times_bit(mesh, places, x.holding(spread.reshape(-1)), triples)
    return taken.reshape(n, count, k).sum(axis=2)
