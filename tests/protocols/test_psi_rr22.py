# SPDX-License-Identifier: Apache-2.0
"""Intersection by store and vector OLE: equal to Python sets, and what cheats and accidents do."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from psi_runs import Counting, expected, ids, intersect, run

from mpc import kernels
from mpc.errors import (
    ConfigError,
    DataError,
    ParameterMismatch,
    ProtocolError,
)
from mpc.net import memory as memory_link
from mpc.pb.v1 import rr22_pb2 as pb
from mpc.protocols import psi
from mpc.protocols.psi import agreement
from mpc.testing import run_pair

FORMS = [("malicious", False), ("malicious", True), ("semi-honest", False), ("semi-honest", True)]
SIMD = kernels.backend() == "simd"


@pytest.mark.parametrize(("security", "to_both"), FORMS)
@pytest.mark.parametrize(
    ("left", "right"),
    [
        (ids(0, 0), ids(0, 0)),
        (ids(0, 0), ids(0, 5)),
        (ids(0, 5), ids(0, 0)),
        (ids(0, 1), ids(0, 1)),
        (ids(0, 1), ids(1, 2)),
        (ids(0, 2), ids(1, 3)),
        (ids(0, 300), ids(0, 300)),
        (ids(0, 300), ids(300, 600)),
        (ids(0, 1000), ids(900, 1500)),
        ([""], ["", "a"]),
    ],
)
def test_intersection(left, right, security, to_both):
    mine, theirs = intersect(left, right, security=security, to_both=to_both)
    assert mine.tolist() == expected(left, right)
    assert theirs.tolist() == (expected(right, left) if to_both else [])


@pytest.mark.parametrize("backend", kernels.BACKENDS)
def test_both_backends(backend):
    if backend == "simd" and not SIMD:
        pytest.skip("no simd kernels here")
    with kernels.use(backend):
        mine, _ = intersect(ids(0, 200), ids(150, 400))
    assert mine.tolist() == list(range(150, 200))


def test_a_hundred_seeds():
    # The portable kernels take a second each.
    for seed in range(100 if SIMD else 10):
        rng = np.random.default_rng(seed)
        left = [str(i) for i in rng.choice(400, rng.integers(0, 120), replace=False)]
        right = [str(i) for i in rng.choice(400, rng.integers(0, 120), replace=False)]
        security, to_both = FORMS[seed % 4]
        mine, theirs = intersect(left, right, seed, security=security, to_both=to_both)
        assert mine.tolist() == expected(left, right)
        assert theirs.tolist() == (expected(right, left) if to_both else [])


@pytest.mark.parametrize(("few", "many"), [(1, 100_000), (3, 100_003)])
def test_sizes_far_apart(few, many):
    small, large = ids(5, 5 + few), ids(0, many)
    assert intersect(small, large)[0].tolist() == list(range(few))
    assert intersect(large, small)[0].tolist() == list(range(5, 5 + few))


def test_items_that_differ_in_one_bit():
    base = bytearray(b"91350211M000100Y43")
    flipped = []
    for bit in range(8 * len(base)):
        other = bytearray(base)
        other[bit // 8] ^= 1 << bit % 8
        flipped.append(bytes(other))
    assert intersect([bytes(base)], flipped)[0].tolist() == []
    assert intersect(flipped, [bytes(base), flipped[17]])[0].tolist() == [17]


def test_every_sort_of_items():
    names = ids(0, 50)
    forms = [
        names,
        [name.encode() for name in names],
        np.array(names),
        np.array(names, dtype="S"),
        pa.array(names),
        pa.array(names, pa.large_string()),
        pa.array([name.encode() for name in names]),
    ]
    for form in forms:
        assert intersect(form, ids(40, 60))[0].tolist() == list(range(40, 50))


def test_duplicates_are_an_error_or_their_first_row():
    left = ["a", "b", "a", "c", "b", "a"]
    with pytest.raises(DataError, match=r"3 of 6 items repeat an earlier one, the first in row 2"):
        intersect(left, ["b"])
    with pytest.raises(DataError, match="repeat"):
        intersect(["b"], left)
    mine, theirs = intersect(left, ["x", "b", "b", "a"], duplicates="first", to_both=True)
    assert mine.tolist() == [0, 1]
    assert theirs.tolist() == [1, 3]


def test_padding_hides_sizes():
    def watched(count):
        sizes = []
        left, right = memory_link.pair()
        counted = Counting(left, sizes)
        run(counted, right, ids(0, count), ids(0, 2 * count), pad_to=500)
        return sizes

    assert watched(3) == watched(200)


def test_padding_of_an_empty_set():
    for left, right in (([], ["a"]), (["a"], []), ([], [])):
        mine, theirs = intersect(left, right, pad_to=5, to_both=True)
        assert (mine.tolist(), theirs.tolist()) == ([], [])


@pytest.mark.parametrize(("left", "right"), [([], ["a"]), (["a"], []), ([], []), (["a"], ["a"])])
def test_nothing_is_left_on_the_channel(left, right):
    """Base transfers begin before either side knows that the other's set is empty."""

    def after(role, items):
        def turn(channel):
            role(channel, items)
            return channel.exchange(pb.IntersectSeed(seed=b"next")).seed

        return turn

    assert run_pair(after(psi.receiver, left), after(psi.sender, right)) == (b"next", b"next")


def test_a_peer_that_says_it_has_no_memory_gets_buckets_no_smaller():
    """Each bucket has a store, and room in it for more items than were announced."""
    assert [agreement._buckets(n, 1) for n in (0, 170, 1 << 15, 1 << 20)] == [1, 1, 2, 64]
    assert agreement._buckets(1 << 20, 1 << 28) == 2
    mine, _ = intersect(["a", "b"], ["b"], pad_to=1 << 15, memory=1)
    assert mine.tolist() == [1]


def test_a_bound_below_the_count_is_refused():
    with pytest.raises(ConfigError, match="public bound"):
        intersect(ids(0, 5), ids(0, 3), pad_to=4)


@pytest.mark.parametrize(
    "options", [{"security": "none"}, {"duplicates": "last"}, {"memory": 0}], ids=str
)
def test_wrong_options_are_refused_before_anything_is_sent(options):
    with pytest.raises(ConfigError):
        psi.receiver(None, [], **options)


def test_different_terms_are_named():
    with pytest.raises(ParameterMismatch, match="security"):
        run_pair(
            lambda channel: psi.receiver(channel, ["a"], security="semi-honest"),
            lambda channel: psi.sender(channel, ["a"]),
        )
    with pytest.raises(ParameterMismatch, match="to_both"):
        run_pair(
            lambda channel: psi.receiver(channel, ["a"], to_both=True),
            lambda channel: psi.sender(channel, ["a"]),
        )
    with pytest.raises(ProtocolError, match="fits a receiver"):
        run_pair(
            lambda channel: psi.receiver(channel, ["a"]),
            lambda channel: psi.receiver(channel, ["a"]),
        )


def test_types_of_ids_that_differ_end_at_once():
    with pytest.raises(DataError, match="not a string"):
        intersect(["1", "2"], [1, 2])
