# SPDX-License-Identifier: Apache-2.0
"""Arrays in messages: equal after the way, and nothing accepted that does not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mpc.errors import ProtocolError
from mpc.net.columns import (
    pack,
    ragged_pack,
    ragged_unpack,
    strings_pack,
    strings_unpack,
    unpack,
    unpack_uint64,
)
from mpc.pb.v1.columns_pb2 import Column, Strings


@given(arrays.arrays(np.uint64, st.integers(0, 50)))
def test_words(array: Any) -> None:
    column = Column.FromString(Column(**pack(array)).SerializeToString())
    assert (column.width, column.count) == (8, len(array))
    got = unpack_uint64(column, peer="p", count=len(array))
    assert got.dtype == np.dtype("<u8")
    assert np.array_equal(got, array)


@given(arrays.arrays(np.uint8, st.tuples(st.integers(0, 20), st.integers(1, 40))))
def test_rows_of_bytes(array: Any) -> None:
    assert np.array_equal(unpack(Column(**pack(array)), width=array.shape[1], peer="p"), array)


@pytest.mark.parametrize("kind", ["<i8", ">i8", "<f8", ">f8", ">u8"])
def test_other_numbers_of_eight_bytes(kind: str) -> None:
    array = np.array([1, 2**40, 0, 7], kind)
    got = unpack_uint64(Column(**pack(array)), peer="p").view(f"<{kind[1:]}")
    assert np.array_equal(got, array)


def test_layout_is_little_endian_and_packed() -> None:
    column = Column(**pack(np.array([1, 2**56 + 2], np.uint64)))
    assert column.data.hex() == "0100000000000000" + "0200000000000001"


def test_an_array_that_is_not_contiguous() -> None:
    array = np.arange(24, dtype=np.uint8).reshape(4, 6)[::2, ::3]
    assert np.array_equal(unpack(Column(**pack(array)), width=2, peer="p"), array)


def test_matrices_go_by_rows() -> None:
    array = np.arange(6, dtype=np.uint64).reshape(2, 3)
    column = Column(**pack(array))
    assert (column.width, column.count) == (24, 2)
    assert np.array_equal(unpack(column, width=24, peer="p").view("<u8"), array)


@pytest.mark.parametrize(
    "array", [np.array(1), np.array(["a"]), np.array([None]), np.array([1j]), np.array([True])]
)
def test_what_is_no_column(array: Any) -> None:
    with pytest.raises(TypeError, match="a column holds numbers along an axis"):
        pack(array)


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (Column(width=4, count=2, data=bytes(8)), "expected elements of 8 bytes, got 4"),
        (Column(width=8, count=2, data=bytes(15)), "announced 2 elements of 8 bytes, sent 15"),
        (Column(width=8, count=1 << 63, data=bytes(8)), "announced 9223372036854775808 elements"),
        (Column(width=8, count=1, data=bytes(8)), "expected 3 elements, got 1"),
        (Column(), "expected elements of 8 bytes, got 0"),
    ],
)
def test_columns_that_do_not_fit(column: Column, text: str) -> None:
    with pytest.raises(ProtocolError, match=f"^mallory: {text}"):
        unpack_uint64(column, peer="mallory", count=3)


@given(st.lists(st.binary(max_size=20), max_size=20))
def test_strings(items: list[bytes]) -> None:
    strings = Strings.FromString(Strings(**strings_pack(items)).SerializeToString())
    assert strings_unpack(strings, peer="p", count=len(items)) == items


def _ends(*values: int) -> Column:
    return Column(**pack(np.array(values, np.uint64)))


@pytest.mark.parametrize(
    "strings",
    [
        Strings(ends=_ends(2, 1), data=b"a"),
        Strings(ends=_ends(1, 3), data=b"ab"),
        Strings(ends=_ends(1), data=b"ab"),
        Strings(ends=_ends(), data=b"ab"),
        Strings(ends=_ends(2**64 - 1, 2), data=b"ab"),
    ],
)
def test_strings_that_do_not_fit(strings: Strings) -> None:
    with pytest.raises(ProtocolError, match="mallory: the ends of"):
        ragged_unpack(strings, peer="mallory")


def test_strings_without_ends() -> None:
    with pytest.raises(ProtocolError, match="mallory: expected elements of 8 bytes, got 0"):
        strings_unpack(Strings(data=b"x"), peer="mallory")


def test_ragged_data_stays_in_one_piece() -> None:
    ends, data = ragged_unpack(
        Strings(**ragged_pack(np.array([1, 1, 3], np.uint64), b"abc")), peer="p"
    )
    assert (ends.tolist(), data) == ([1, 1, 3], b"abc")
