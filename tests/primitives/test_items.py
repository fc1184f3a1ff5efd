# SPDX-License-Identifier: Apache-2.0
"""Items from everything they may come as, and nothing dropped on the way."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import DataError
from mpc.primitives.items import Items
from mpc.testing import seeded
from tests.protocols.computing import looks_uniform

TEXTS = ["a", "bc", "", "déjà", "公司" * 9, "x" * 300]
BYTES = [text.encode() for text in TEXTS]


def listed(items):
    return [items[i] for i in range(len(items))]


ARROW = {
    "string": pa.string(),
    "large_string": pa.large_string(),
    "string_view": pa.string_view(),
    "binary": pa.binary(),
    "large_binary": pa.large_binary(),
    "binary_view": pa.binary_view(),
    "dictionary": pa.dictionary(pa.int32(), pa.string()),
}


@pytest.mark.parametrize("name", ARROW)
def test_arrow_columns(name):
    kind = ARROW[name]
    column = pa.array(BYTES if "binary" in name else TEXTS, type=kind)
    assert listed(Items.of(column)) == BYTES
    assert listed(Items.of(column[2:5])) == BYTES[2:5]
    assert listed(Items.of(column[:0])) == []
    assert listed(Items.of(pa.chunked_array([column[3:], column]))) == BYTES[3:] + BYTES
    assert listed(Items.of(pa.chunked_array([], type=kind))) == []


def test_arrow_fixed_width_and_no_copy():
    assert listed(Items.of(pa.array([b"abc", b"def"], type=pa.binary(3)))) == [b"abc", b"def"]
    column = pa.array(BYTES, type=pa.large_binary())
    items = Items.of(column)
    assert items.data.ctypes.data == column.buffers()[2].address


@pytest.mark.parametrize("values", [TEXTS, BYTES, tuple(TEXTS), [bytearray(b) for b in BYTES]])
def test_sequences(values):
    assert listed(Items.of(values)) == BYTES


def test_text_and_bytes_are_the_same_item():
    assert listed(Items.of(["a", b"a"])) == [b"a", b"a"]
    with pytest.raises(DataError, match="row 1, which repeats row 0"):
        Items.of(["a", b"a"]).check_distinct()


@pytest.mark.parametrize(
    "array",
    [
        np.array(TEXTS),
        np.array(TEXTS, dtype=">U300"),
        np.array(BYTES),
        np.array(TEXTS, dtype=object),
        np.array(TEXTS, dtype=np.dtypes.StringDType()),
        np.array([x for pair in zip(TEXTS, TEXTS, strict=True) for x in pair])[::2],
    ],
)
def test_numpy_arrays(array):
    assert listed(Items.of(array)) == BYTES


def test_plain_ascii_numpy_arrays():
    assert listed(Items.of(np.array(["abc", "", "de"]))) == [b"abc", b"", b"de"]
    assert listed(Items.of(np.array([], dtype="S4"))) == []
    assert listed(Items.of(np.array([], dtype="U4"))) == []


def test_items_pass_through_unchanged():
    items = Items.of(TEXTS)
    assert Items.of(items) is items
    assert listed(Items.of([])) == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["a", None, 3, "b"], "2 of 4 .* row 1: a NoneType"),
        ([1.5], "1 of 1 .* row 0: a float"),
        (pa.array(["a", "b", None, None]), "2 of 4 .* row 2: null"),
        (pa.DictionaryArray.from_arrays([0, 1], ["a", None]), "1 of 2 .* row 1: null"),
        (pa.DictionaryArray.from_arrays([0, None], ["a", "b"]), "1 of 2 .* row 1: null"),
        (pa.chunked_array([["a"], ["b", None]]), "1 of 3 .* row 2: null"),
        (np.array(["a", None], dtype=object), "1 of 2 .* row 1: a NoneType"),
        (np.arange(3), "not int64"),
        (np.array([["a"]]), "one dimension"),
        (pa.array([1, 2]), "not int64"),
        (pa.table({"id": ["a"]}), "one column, not a Table"),
        ("abc", "one string"),
        (b"abc", "one string"),
        (["ok", "\ud800"], "row 1 is not Unicode"),
    ],
)
def test_what_cannot_be_compared_is_refused(values, message):
    with pytest.raises(DataError, match=message):
        Items.of(values)


@given(st.lists(st.binary(max_size=9), max_size=20), st.data())
def test_taking_rows(values, data):
    rows = data.draw(st.lists(st.integers(0, max(0, len(values) - 1)), max_size=20 * bool(values)))
    items = Items.of(values).take(np.array(rows, dtype=np.intp))
    assert listed(items) == [values[row] for row in rows]


def test_parts():
    items = Items.of(TEXTS)
    assert listed(items[1:4]) == BYTES[1:4]
    assert listed(items[1:4][1:]) == BYTES[2:4]
    assert listed(items[4:2]) == []
    assert items[-1] == BYTES[-1]
    assert listed(items[2:].take(np.array([1, 0]))) == [BYTES[3], BYTES[2]]
    with pytest.raises(IndexError):
        items[6]
    with pytest.raises(ValueError, match="steps"):
        items[::2]


@given(st.lists(st.sampled_from([b"", b"a", b"b", b"aa", b"ab"]), max_size=12))
def test_duplicates_are_counted_and_the_first_named(values):
    repeats = [row for row, value in enumerate(values) if value in values[:row]]
    if not repeats:
        Items.of(values).check_distinct()
        return
    first = repeats[0]
    with pytest.raises(DataError) as caught:
        Items.of(values).check_distinct()
    assert str(caught.value) == (
        f"{len(repeats)} of {len(values)} items repeat an earlier one; the first is row {first}, "
        f"which repeats row {values.index(values[first])}"
    )


def test_items_do_not_show_themselves():
    assert repr(Items.of(["secret"])) == "Items(<1 items>)"


def test_padding_with_random_items():
    held = Items.of(["a", "bb", "", "cccc"])[1:]
    padded = held.padded(7, seeded("padding"))
    assert [padded[i] for i in range(3)] == [b"bb", b"", b"cccc"]
    drawn = [padded[i] for i in range(3, 7)]
    assert [len(item) for item in drawn] == [32] * 4
    assert len(set(drawn)) == 4
    assert looks_uniform(b"".join(held.padded(1000, seeded("many"))[i] for i in range(3, 1000)))
    assert held.padded(3, seeded(1)) is held
