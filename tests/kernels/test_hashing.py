# SPDX-License-Identifier: Apache-2.0
"""Hashing of strings in one buffer: RFC 7693's vector, hashlib as the oracle, every length."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc import kernels
from mpc.kernels import hashing
from mpc.primitives.rng import uint64
from mpc.testing import seeded

BACKENDS = ["portable"] + (["simd"] if kernels.backend() == "simd" else [])


@pytest.fixture(params=BACKENDS)
def backend(request):
    with kernels.use(request.param):
        yield request.param


def laid_out(items):
    offsets = np.concatenate([[0], np.cumsum([len(item) for item in items])]).astype(np.int64)
    return np.frombuffer(b"".join(items), np.uint8), offsets


def test_rfc_7693_appendix_b(backend):
    data, offsets = laid_out([b"abc"])
    assert hashing.digests(data, offsets).tobytes().hex() == (
        "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982"
    )


@pytest.mark.parametrize("key", [b"", b"k", b"\1" * 32])
@pytest.mark.parametrize("size", hashing.SIZES)
def test_every_length_up_to_four_blocks(backend, key, size):
    items = [bytes((i * 7 + j) % 256 for j in range(i)) for i in range(260)]
    items += [b"", b"", items[100]]
    got = hashing.digests(*laid_out(items), key=key, person=b"label", size=size)
    for item, digest in zip(items, got, strict=True):
        want = hashlib.blake2s(item, key=key, person=b"label", digest_size=size).digest()
        assert digest.tobytes() == want


@settings(deadline=None, max_examples=40)
@given(st.lists(st.binary(max_size=200), max_size=40), st.binary(max_size=32))
def test_backends_are_hashlib(items, key):
    for name in BACKENDS:
        with kernels.use(name):
            got = hashing.digests(*laid_out(items), key=key)
        want = [hashlib.blake2s(item, key=key).digest() for item in items]
        assert [digest.tobytes() for digest in got] == want


def test_a_slice_of_a_larger_buffer(backend):
    data, offsets = laid_out([b"before", b"x" * 18, b"", b"y" * 70, b"after"])
    got = hashing.digests(data, offsets[1:5])
    assert [digest.tobytes() for digest in got] == [
        hashlib.blake2s(item).digest() for item in (b"x" * 18, b"", b"y" * 70)
    ]


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 100])
@pytest.mark.parametrize(("left", "right"), [(2, 4), (1, 0), (4, 4), (0, 3)])
def test_joined_rows(backend, count, left, right):
    rng = seeded(f"{count},{left},{right}")
    x, y = uint64(rng, (count, left)), uint64(rng, (count, right))
    got = hashing.joined(x, y, key=b"key", person=b"rows", size=16)
    for a, b, digest in zip(x, y, got, strict=True):
        want = hashlib.blake2s(
            a.tobytes() + b.tobytes(), key=b"key", person=b"rows", digest_size=16
        ).digest()
        assert digest.tobytes() == want


def test_wrong_arguments_are_refused():
    data, offsets = laid_out([b"ab", b"c"])
    for arguments, options in (
        ((data, offsets[::-1].copy()), {}),
        ((data[:2], offsets), {}),
        ((data, offsets - 1), {}),
        ((data.astype(np.int8), offsets), {}),
        ((data, offsets[:0]), {}),
        ((data, offsets), {"key": bytes(33)}),
        ((data, offsets), {"person": bytes(9)}),
        ((data, offsets), {"size": 20}),
    ):
        with pytest.raises(ValueError):
            hashing.digests(*arguments, **options)
    rows = np.zeros((3, 4), np.uint64)
    for left, right in ((rows, rows[:2]), (rows, np.zeros((3, 5), np.uint64)), (rows[0], rows)):
        with pytest.raises(ValueError, match="join"):
            hashing.joined(left, right)


def test_threads_do_not_share_what_a_kernel_works_on(backend):
    """A kernel that let go of its scratch too early gave wrong digests beside other threads."""
    data, offsets = laid_out([b"%012d" % number for number in range(20_000)])
    want = hashing.digests(data, offsets, key=b"k")
    rows = want[:, :2].copy()
    joined = hashing.joined(rows, rows, key=b"k")

    def work(_turn):
        same = np.array_equal(hashing.digests(data, offsets, key=b"k"), want)
        return same and np.array_equal(hashing.joined(rows, rows, key=b"k"), joined)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(24)))
