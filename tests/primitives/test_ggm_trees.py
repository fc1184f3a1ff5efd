# SPDX-License-Identifier: Apache-2.0
"""Puncturable trees against a recursion over one node at a time, with AES from ``cryptography``."""

from __future__ import annotations

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc import kernels
from mpc.primitives import puncturable

SEED = bytes(range(16))
BACKENDS = ["portable"] + (["simd"] if kernels.backend() == "simd" else [])


def encrypt(key: bytes, block: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(block)


def xor(x: bytes, y: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(x, y, strict=True))


def plain_tree(root: bytes, tree: int, leaves: int) -> tuple[list[bytes], list[list[bytes]]]:
    """The leaves, and for each level the sums of left and of right children that lead to one."""
    depth = (leaves - 1).bit_length()
    nodes, sums = [root], []
    for level in range(depth):
        at = (tree // puncturable.BATCH * depth + level) * 2
        keys = [encrypt(SEED, (at + side).to_bytes(16, "little")) for side in range(2)]
        width = -(-leaves >> depth - 1 - level)
        nodes = [xor(encrypt(key, node), node) for node in nodes for key in keys][:width]
        total = [bytes(16), bytes(16)]
        for i, node in enumerate(nodes):
            total[i & 1] = xor(total[i & 1], node)
        sums.append(total)
    return nodes, sums


def grown(trees: int, leaves: int):
    roots = np.random.default_rng(leaves).integers(0, 2**64, (trees, 2), dtype=np.uint64)
    return roots, *puncturable.grow(roots, leaves, SEED)


def chosen(sums: np.ndarray, points: np.ndarray, leaves: int) -> np.ndarray:
    sides = puncturable.sides(points, leaves)
    return np.take_along_axis(sums, sides[:, :, None, None].astype(np.intp), 2)[:, :, 0]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("leaves", [2, 3, 4, 5, 7, 8, 9, 33])
def test_leaves_and_sums_are_those_of_the_recursion(leaves, backend):
    with kernels.use(backend):
        roots, out, sums = grown(34, leaves)
    for tree in (0, 1, 31, 32, 33):
        nodes, totals = plain_tree(roots[tree].tobytes(), tree, leaves)
        assert out[tree].tobytes() == b"".join(nodes)
        assert sums[tree].tobytes() == b"".join(side for level in totals for side in level)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 70), st.integers(1, 70), st.integers(0, 2**32), st.sampled_from(BACKENDS))
def test_all_but_the_point_is_recovered(leaves, trees, seed, backend):
    rng = np.random.default_rng(seed)
    points = rng.integers(0, leaves, trees)
    points[0] = leaves - 1
    with kernels.use(backend):
        _, out, sums = grown(trees, leaves)
        recovered, totals = puncturable.recover(points, chosen(sums, points, leaves), leaves, SEED)
    out[np.arange(trees), points] = 0
    assert np.array_equal(recovered, out)
    assert np.array_equal(totals, np.bitwise_xor.reduce(out, axis=1))


def test_sides_are_off_the_path():
    points = np.array([0, 1, 5, 6])
    assert puncturable.sides(points, 8).tolist() == [[1, 1, 1], [1, 1, 0], [0, 1, 0], [0, 0, 1]]


def test_the_hole_takes_the_sum_on_its_own_path():
    """Sums on the wrong side give other leaves: the hole is not among what is known."""
    points = np.array([3, 4])
    _, out, sums = grown(2, 8)
    wrong = chosen(sums, points ^ 1, 8)
    recovered, _ = puncturable.recover(points, wrong, 8, SEED)
    assert not np.any(recovered[0, 2] == out[0, 2])


def test_keys_differ_by_level_and_batch():
    roots = np.zeros((33, 2), np.uint64)
    out, _ = puncturable.grow(roots, 2, SEED)
    assert np.array_equal(out[0], out[31])
    assert not np.any(out[0] == out[32])


def test_a_tree_has_two_leaves():
    with pytest.raises(ValueError, match="two leaves"):
        puncturable.depth(1)
