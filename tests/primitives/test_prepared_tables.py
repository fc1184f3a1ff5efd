# SPDX-License-Identifier: Apache-2.0
"""Compressed tags: found where they are, and elsewhere as often as the formula says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.kernels import matching
from mpc.primitives.prepared.faults import ListCorrupt
from mpc.primitives.prepared.store import row_width
from mpc.primitives.prepared.tables import Table, bucket_bits, compress
from mpc.primitives.rng import uint64
from mpc.testing import seeded


def random_tags(count, seed="tags"):
    return matching.sort(uint64(seeded(seed), (count, 2)))


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("count", [0, 1, 2, 15, 16, 31, 32, 33, 1000, 65_536])
def test_every_tag_is_found_in_its_row_and_no_other(count, sparse):
    tags = random_tags(count)
    table = compress(tags, bucket_bits(count, sparse=sparse), 8)
    table.check()
    shuffled = seeded_order(count)
    assert np.array_equal(table.positions(tags[shuffled]), shuffled)
    assert not (table.positions(random_tags(2000, "others")) >= 0).any()
    for row in shuffled[:20]:
        assert table.position(tags[row].tobytes()) == row
    assert {table.position(tag.tobytes()) for tag in random_tags(20, "others")} == {-1}


def seeded_order(count):
    return np.random.default_rng(1).permutation(count)


@given(st.lists(st.tuples(*[st.integers(0, 2**64 - 1)] * 2), max_size=60, unique=True), st.data())
def test_edges_of_words_and_buckets(pairs, data):
    tags = matching.sort(np.array(pairs, np.uint64).reshape(-1, 2))
    bits = data.draw(st.integers(0, len(tags).bit_length()))
    table = compress(tags, bits, 8)
    found = table.positions(tags)
    # Two tags that differ in hidden bits of the first word only share a row's contents.
    assert (found >= 0).all()
    assert np.array_equal(tags[found, 1], tags[:, 1])
    assert [table.position(tag.tobytes()) for tag in tags] == found.tolist()


@pytest.mark.parametrize(("width", "count"), [(1, 1000), (1, 1023), (1, 8192), (2, 20_000)])
@pytest.mark.parametrize("sparse", [False, True])
def test_false_positives_follow_the_formula(width, count, sparse):
    """Binomial: within four and a half standard deviations, over 2^19 others."""
    table = compress(random_tags(count), bucket_bits(count, sparse=sparse), width)
    queries = 1 << 19
    others = uint64(seeded(f"{width} {count}"), (queries, 2))
    met = int((table.positions(others) >= 0).sum())
    # The formula adds up the rows of a bucket, which may both match: at most half its square more.
    expected = table.chance * queries
    spread = 4.5 * expected**0.5
    assert expected * (1 - table.chance) - spread < met < expected + spread
    assert table.chance <= 2.0 ** ((0 if sparse else 5) - 8 * width)


@pytest.mark.parametrize(("queries", "width"), [(1, 6), (4, 6), (5, 7), (1024, 7), (1 << 18, 8)])
def test_the_width_of_rows_for_a_number_of_queries(queries, width):
    assert row_width(queries) == width
    worst = 32 + 32  # rows of the base's bucket, and one of each delta's
    assert queries * worst * 2.0 ** (-8 * width) <= 2.0**-40


def test_a_tag_takes_about_fifty_bits():
    for count in (10_000, 65_535, 65_536, 100_000):
        table = compress(random_tags(count), bucket_bits(count, sparse=False), 6)
        assert 49 <= 8 * (table.rows.nbytes + table.directory.nbytes) / count <= 50.1


def test_only_the_set_shows_not_its_order():
    tags = random_tags(500)
    again = compress(matching.sort(tags[seeded_order(500)]), 4, 6)
    first = compress(tags, 4, 6)
    assert np.array_equal(first.directory, again.directory)
    assert np.array_equal(first.rows, again.rows)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.__setitem__(0, 1),
        lambda d: d.__setitem__(-1, 999),
        lambda d: d.__setitem__(-1, 1001),
        lambda d: d.__setitem__(3, d[4] + 1),
        lambda d: d.__setitem__(slice(1, -1), 1000),
        lambda d: d.__setitem__(5, 2**32 - 1),
    ],
)
def test_a_directory_that_no_honest_holder_makes(spoil):
    table = compress(random_tags(1000), bucket_bits(1000, sparse=False), 6)
    directory = table.directory.copy()
    spoil(directory)
    with pytest.raises(ListCorrupt):
        Table(directory, table.rows).check()


def test_a_directory_is_checked_across_blocks(monkeypatch):
    monkeypatch.setattr("mpc.primitives.prepared.tables._BLOCK", 8)
    table = compress(random_tags(1000), 5, 6)
    table.check()
    for place in range(1, 32):
        directory = table.directory.copy()
        directory[place] = directory[place + 1] + 1
        with pytest.raises(ListCorrupt):
            Table(directory, table.rows).check()
