# SPDX-License-Identifier: Apache-2.0
"""Bits shared by XOR: what is local, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from mpc.errors import ConfigError, KeyMismatch
from mpc.kernels import bits
from mpc.primitives import xor_sharing
from mpc.primitives.xor_sharing import XorShare
from mpc.testing import seeded

rng = np.random.default_rng(3)


def drawn(*shape):
    return rng.integers(0, 2, shape, np.uint8)


@pytest.mark.parametrize("parties", [1, 2, 3, 5])
@pytest.mark.parametrize("shape", [(0,), (1,), (63,), (64,), (65,), (3, 70), (2, 3, 5)])
def test_split_and_reconstruct(parties, shape):
    x = drawn(*shape)
    shares = xor_sharing.split(x, parties)
    assert all(share.shape == shape for share in shares)
    assert xor_sharing.reconstruct(shares[::-1]).tolist() == x.tolist()


@pytest.mark.parametrize("parties", [2, 3])
def test_local_operations(parties):
    x, y, z = drawn(2, 70), drawn(2, 70), drawn(2, 70)
    packed = bits.pack(z)
    left, right = (xor_sharing.split(v, parties, rng=seeded(i)) for i, v in enumerate((x, y)))

    def each(operate):
        return xor_sharing.reconstruct([operate(*pair) for pair in zip(left, right, strict=True)])

    assert each(lambda a, b: a ^ b).tolist() == (x ^ y).tolist()
    assert each(lambda a, _b: a ^ packed).tolist() == (x ^ z).tolist()
    assert each(lambda a, _b: ~a).tolist() == (1 - x).tolist()
    assert each(lambda a, _b: a & packed).tolist() == (x & z).tolist()
    assert each(lambda a, _b: a[1]).tolist() == x[1].tolist()
    public = [xor_sharing.public(z, party, parties) for party in range(parties)]
    assert xor_sharing.reconstruct(public).tolist() == z.tolist()


@pytest.mark.parametrize(("rows", "length"), [(1, 70), (7, 10), (70, 1), (2, 64), (3, 0)])
def test_bits_cut_into_rows(rows, length):
    x = drawn(rows * length)
    shares = [share.rows(rows) for share in xor_sharing.split(x, 2)]
    assert xor_sharing.reconstruct(shares).tolist() == x.reshape(rows, length).tolist()


def test_what_communicates_or_shows_is_refused():
    x = xor_sharing.split(drawn(4), 2)[0]
    with pytest.raises(TypeError, match="AND of shares communicates"):
        x & x
    with pytest.raises(TypeError, match="communicates"):
        _ = x == x
    with pytest.raises(TypeError, match="no truth value"):
        bool(x)
    with pytest.raises(TypeError):
        hash(x)
    assert repr(x) == "XorShare(<secret>, shape=(4,), party=0 of 2)"


def test_what_does_not_fit_is_refused():
    words = np.zeros(1, np.uint64)
    for bad in (
        lambda: XorShare(words.astype(np.int64), 4, 0, 2),
        lambda: XorShare(words, 65, 0, 2),
        lambda: XorShare(words, 4, 2, 2),
        lambda: XorShare(words, 4, 0, 2)[0],
    ):
        with pytest.raises(ConfigError):
            bad()
    one, two = xor_sharing.split(drawn(4), 2)
    for wrong in (
        lambda: one ^ two,
        lambda: one ^ xor_sharing.split(drawn(5), 2)[0],
        lambda: xor_sharing.reconstruct([one]),
        lambda: xor_sharing.reconstruct([one, one]),
        lambda: xor_sharing.reconstruct([one, xor_sharing.split(drawn(5), 2)[1]]),
    ):
        with pytest.raises(KeyMismatch):
            wrong()
