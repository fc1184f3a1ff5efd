# SPDX-License-Identifier: Apache-2.0
"""Puncturable pseudorandom functions: trees of seeds, opened everywhere but at one leaf.

Goldreich, Goldwasser, Micali (1986), punctured as in Boyle et al., "Efficient Two-Round OT
Extension and Silent Non-Interactive Secure Computation" (CCS 2019, eprint 2019/1159): a node x has
children p0(x) ^ x and p1(x) ^ x, where p0 and p1 are AES under public keys. The owner of the roots
has every leaf, and at each level the sum of the left children and that of the right ones. Whoever
learns, at each level, the sum on the side off the path to a point recovers every leaf but the
point's own, which stays pseudorandom.

The keys are drawn from a public seed, anew for each level and each 32 trees, so that guessing a
node on a punctured path has at most 32 targets under one key: 2^123 guesses, times the chance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpc.kernels import aes

Words = NDArray[np.uint64]
Points = NDArray[np.int64]

BATCH = 32
"""Trees under one key at each level."""

_TOGETHER = 1 << 18
"""So many leaves, or one batch, are grown together: what stays in the last level of the cache."""


def depth(leaves: int) -> int:
    """How many levels lie below the root of a tree with ``leaves`` leaves."""
    if leaves < 2:
        raise ValueError(f"a tree has at least two leaves, not {leaves}")
    return (leaves - 1).bit_length()


def sides(points: Points, leaves: int) -> NDArray[np.uint8]:
    """Which side's sum each tree needs at each level, top first: (trees, depth), 0 left, 1 right.

    That is the side off the path to the tree's point.
    """
    levels = np.arange(depth(leaves) - 1, -1, -1)
    return (points[:, None] >> levels & 1 ^ 1).astype(np.uint8)


def grow(roots: Words, leaves: int, seed: bytes) -> tuple[Words, Words]:
    """All leaves (trees, leaves, 2) below ``roots`` (trees, 2), and the sums at every level.

    The sums are (trees, depth, 2, 2): per level, top first, the XOR of left and of right children.
    """
    out = np.empty((len(roots), leaves, 2), np.uint64)
    sums = np.empty((len(roots), depth(leaves), 2, 2), np.uint64)
    for trees, keys in _batches(len(roots), leaves, seed):
        nodes = roots[trees, None, :]
        for level, width in enumerate(_widths(leaves)):
            nodes, sums[trees, level] = _level(keys[:, level], nodes, width)
        out[trees] = nodes
    return out, sums


def recover(points: Points, known: Words, leaves: int, seed: bytes) -> tuple[Words, Words]:
    """All leaves (trees, leaves, 2) but that of ``points`` in each tree, which is zero; their sums.

    ``known`` (trees, depth, 2) is the sum on the side that ``sides`` says, at each level. Returns
    also, per tree, the XOR (trees, 2) of the leaves recovered.
    """
    out = np.empty((len(points), leaves, 2), np.uint64)
    totals = np.empty((len(points), 2), np.uint64)
    for trees, keys in _batches(len(points), leaves, seed):
        path, sum_off_path = points[trees], known[trees]
        rows = np.arange(len(path))
        # The node on the path is not known; zero stands for it, and what grows from it is replaced.
        nodes = np.zeros((len(path), 1, 2), np.uint64)
        for level, width in enumerate(_widths(leaves)):
            nodes, sums = _level(keys[:, level], nodes, width)
            hole = path >> depth(leaves) - 1 - level
            sibling, side = hole ^ 1, hole & 1 ^ 1
            there = sibling < width
            rest = sums[rows, side][there] ^ nodes[rows[there], sibling[there]]
            nodes[rows[there], sibling[there]] = sum_off_path[there, level] ^ rest
            if level == depth(leaves) - 1:
                # What stands at the hole grew from zero, and is in the sum on its side.
                on_path = sums[rows, hole & 1] ^ nodes[rows, hole]
                totals[trees] = on_path ^ sum_off_path[:, level]
            nodes[rows, hole] = 0
        out[trees] = nodes
    return out, totals


def _widths(leaves: int) -> list[int]:
    """How many nodes of each level below the root lead to one of the leaves."""
    last = depth(leaves) - 1
    return [-(-leaves >> last - level) for level in range(last + 1)]


def _batches(trees: int, leaves: int, seed: bytes) -> list[tuple[slice, Words]]:
    """Trees to grow together, and their round keys (batches, depth, 2, 11, 2)."""
    batches, levels = -(-trees // BATCH), depth(leaves)
    drawn = aes.schedules(aes.counter(aes.schedule(seed), batches * levels * 2))
    keys = drawn.reshape(batches, levels, 2, aes.ROUND_KEYS, 2)
    step = max(1, _TOGETHER // (BATCH * leaves))
    return [
        (slice(first * BATCH, min(trees, (first + step) * BATCH)), keys[first : first + step])
        for first in range(0, batches, step)
    ]


def _level(keys: Words, nodes: Words, width: int) -> tuple[Words, Words]:
    """The children of ``nodes``, ``width`` of them, and the sums of the left and the right ones."""
    children, sums = aes.grow(keys[:, 0], keys[:, 1], nodes, BATCH)
    if width < children.shape[1]:
        # No leaf lies below the last child, which is a right one.
        sums[:, 1] ^= children[:, width]
        children = children[:, :width]
    return children, sums
