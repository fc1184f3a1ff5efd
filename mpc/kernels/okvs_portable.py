# SPDX-License-Identifier: Apache-2.0
"""The loops of the key-value store on whole arrays: the reference.

A store of ``clusters`` parts of ``width`` sparse and ``dense`` dense columns is an array of values
of any number of words each. A row is three distinct sparse columns of one cluster and a word whose
bits choose dense columns of that cluster; its value is the sum (XOR) of what they hold. ``rows``
(n, 4) holds the three columns within the cluster, then the item's index; rows are sorted by
cluster, rows ``starts[c]`` to ``starts[c + 1]`` being cluster c's.

``place``   rows, dense words and starts from two uniform blocks per item
``encode``  fill the store so that every row has its value; columns that are free keep what the
            store held. Returns -1, or the cluster that has no solution.
``decode``  the value of every row
``peel``    for rows (n, 3) of one cluster, a column for each that no other row gets, or -1 for up
            to ``limit`` rows; None when more are left over
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Rows = NDArray[np.uint32]
Placed = tuple[Rows, Words, NDArray[np.int64]]

_HALF, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)


def place(places: Words, dense: Words, clusters: int, width: int, bits: int) -> Placed:
    def scaled(chance: Words, bound: int) -> Words:
        return (chance & _LOW) * np.uint64(bound) >> _HALF

    cluster = scaled(places[:, 1] >> _HALF, clusters)
    a = scaled(places[:, 0], width)
    b = scaled(places[:, 0] >> _HALF, width - 1)
    c = scaled(places[:, 1], width - 2)
    b += b >= a
    c += c >= np.minimum(a, b)
    c += c >= np.maximum(a, b)
    order = np.argsort(cluster, kind="stable")
    rows = np.stack([a[order], b[order], c[order], order.astype(np.uint64)], axis=1)
    starts = np.concatenate(
        [[0], np.cumsum(np.bincount(cluster.astype(np.int64), minlength=clusters))]
    )
    return rows.astype(np.uint32), dense[order, 0] & np.uint64((1 << bits) - 1), starts


def encode(
    rows: Rows,
    bits: Words,
    starts: NDArray[np.int64],
    values: Words,
    store: Words,
    width: int,
    dense: int,
    limit: int,
) -> int:
    for cluster in range(len(starts) - 1):
        mine = slice(starts[cluster], starts[cluster + 1])
        part = store[cluster * (width + dense) : (cluster + 1) * (width + dense)]
        sparse = rows[mine, :3].astype(np.int64)
        peeled = _peel(sparse, width, limit)
        if peeled is None:
            return cluster
        rounds, gap = peeled
        if len(gap) and not _solve_gap(sparse, bits[mine], values[mine], rounds, gap, part, width):
            return cluster
        _backfill(sparse, values[mine] ^ _chosen(bits[mine], part[width:]), rounds, part)
    return -1


def decode(
    rows: Rows, bits: Words, starts: NDArray[np.int64], store: Words, width: int, dense: int
) -> Words:
    out = np.empty((len(rows), store.shape[1]), np.uint64)
    for cluster in range(len(starts) - 1):
        mine = slice(starts[cluster], starts[cluster + 1])
        part = store[cluster * (width + dense) : (cluster + 1) * (width + dense)]
        sparse = np.bitwise_xor.reduce(part[rows[mine, :3]], axis=1)
        out[mine] = sparse ^ _chosen(bits[mine], part[width:])
    return out


def peel(rows: Rows, width: int, limit: int) -> NDArray[np.int64] | None:
    peeled = _peel(rows.astype(np.int64), width, limit)
    if peeled is None:
        return None
    pivots = np.full(len(rows), -1, np.int64)
    for taken, columns in peeled[0]:
        pivots[taken] = columns
    return pivots


def _chosen(bits: Words, dense: Words) -> Words:
    """For each word, the sum of the dense values that its bits choose."""
    out = np.zeros((len(bits), dense.shape[1]), np.uint64)
    for bit, value in enumerate(dense):
        out ^= -(bits >> np.uint64(bit) & np.uint64(1))[:, None] & value
    return out


Rounds = list[tuple[NDArray[np.int64], NDArray[np.int64]]]


def _peel(sparse: NDArray[np.int64], width: int, limit: int) -> tuple[Rounds, list[int]] | None:
    """Rounds of (rows, their pivots) such that no later row has an earlier pivot, and the gap."""
    alive = np.arange(len(sparse))
    rounds: Rounds = []
    gap: list[int] = []
    while len(alive):
        columns = sparse[alive].ravel()
        weight = np.bincount(columns, minlength=width)
        # The sum of the indices of a column's rows is the index itself where the weight is one.
        owner = np.bincount(columns, np.repeat(alive, 3), minlength=width).astype(np.int64)
        single = np.flatnonzero(weight == 1)
        if len(single):
            taken, first = np.unique(owner[single], return_index=True)
            rounds.append((taken, single[first]))
            alive = np.setdiff1d(alive, taken, assume_unique=True)
            continue
        column = np.flatnonzero(weight == weight[weight > 0].min())[0]
        aside = alive[np.any(sparse[alive] == column, axis=1)][1:]
        gap += aside.tolist()
        if len(gap) > limit:
            return None
        alive = np.setdiff1d(alive, aside, assume_unique=True)
    return rounds, gap


def _backfill(sparse: NDArray[np.int64], values: Words, rounds: Rounds, part: Words) -> None:
    """Solve for the pivots, last round first; a round's pivots are in one row of it each."""
    for taken, pivots in reversed(rounds):
        part[pivots] = 0
        part[pivots] = values[taken] ^ np.bitwise_xor.reduce(part[sparse[taken]], axis=1)


def _solve_gap(
    sparse: NDArray[np.int64],
    bits: Words,
    values: Words,
    rounds: Rounds,
    gap: list[int],
    part: Words,
    width: int,
) -> bool:
    """Choose the dense values so that the rows of the gap hold too."""
    masks = np.zeros((width, 1), np.uint64)
    _backfill(sparse, bits[:, None], rounds, masks)
    _backfill(sparse, values, rounds, part)
    lefts = (bits[gap] ^ np.bitwise_xor.reduce(masks[sparse[gap], 0], axis=1)).tolist()
    rights = values[gap] ^ np.bitwise_xor.reduce(part[sparse[gap]], axis=1)
    chosen: list[int] = []
    for i in range(len(lefts)):
        for k, bit in enumerate(chosen):
            if lefts[i] >> bit & 1:
                lefts[i] ^= lefts[k]
                rights[i] ^= rights[k]
        left = lefts[i]
        if left == 0:
            return False
        bit = (left & -left).bit_length() - 1
        for k in range(i):
            if lefts[k] >> bit & 1:
                lefts[k] ^= left
                rights[k] ^= rights[i]
        chosen.append(bit)
    dense = part[width:]
    for left, right, bit in zip(lefts, rights, chosen, strict=True):
        others = np.array([left & ~(1 << bit)], np.uint64)
        dense[bit] = right ^ _chosen(others, dense)[0]
    return True
