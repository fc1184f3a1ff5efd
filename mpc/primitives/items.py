# SPDX-License-Identifier: Apache-2.0
"""The items of a set as one buffer of bytes, whatever they came as.

What two parties compare is bytes. A ``str`` is its UTF-8 encoding, so ``"a"`` and ``b"a"`` are the
same item and two parties with other column types still find each other. Nothing else is made
equal: normal forms, case and spaces are the business of whoever prepares the ids.

Nothing is dropped or converted silently: a null, a number or a string that is not Unicode is a
``DataError`` that counts the rows and names the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from mpc.errors import DataError
from mpc.kernels import hashing
from mpc.primitives.rng import Rng

_RANDOM_BYTES = 32


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Items:
    """n byte strings: item i is ``data[offsets[i]:offsets[i + 1]]``, the layout of Arrow."""

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, values: Any) -> Items:
        """Items of a sequence of ``str`` or ``bytes``, a numpy array of strings (``S``, ``U`` or
        object; numpy takes zeros off the end of ``S``), or an Arrow array of strings or binary,
        whose buffers are not copied where they have this layout.

        Raises ``DataError`` for nulls and for values that are neither.
        """
        if isinstance(values, Items):
            return values
        if isinstance(values, str | bytes | bytearray | memoryview):
            raise DataError("one string is not a set of items; pass a list of them")
        if type(values).__module__.split(".")[0] == "pyarrow":
            return _of_arrow(values)
        if hasattr(values, "__array__"):
            return _of_numpy(np.asarray(values))
        return _of_objects(list(values))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> Items: ...
    def __getitem__(self, index: int | slice) -> bytes | Items:
        """One item as ``bytes``, or a run of them as a view."""
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step != 1:
                raise ValueError("items are sliced in steps of one; use take")
            return Items(self.data, self.offsets[start : max(start, stop) + 1])
        row = range(len(self))[index]
        return self.data[self.offsets[row] : self.offsets[row + 1]].tobytes()

    def __repr__(self) -> str:
        return f"Items(<{len(self)} items>)"

    def take(self, rows: NDArray[np.intp]) -> Items:
        """The items at ``rows``, in that order, copied."""
        starts = self.offsets[rows]
        lengths = self.offsets[rows + 1] - starts
        offsets = _offsets(lengths)
        places = np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])
        return Items(self.data[places], offsets)

    def padded(self, count: int, rng: Rng) -> Items:
        """These items, and after them as many random ones as make ``count``.

        Each is 32 random bytes, so it equals no item of anyone, but with probability 2^-256 each.
        """
        more = count - len(self)
        if more <= 0:
            return self
        first, last = self.offsets[0], self.offsets[-1]
        drawn = np.frombuffer(rng.bytes(_RANDOM_BYTES * more), np.uint8)
        ends = last - first + _RANDOM_BYTES * np.arange(1, more + 1)
        offsets = np.concatenate([self.offsets - first, ends]).astype(np.int64)
        return Items(np.concatenate([self.data[first:last], drawn]), offsets)

    def check_distinct(self) -> None:
        """Raise ``DataError`` when an item occurs twice.

        Compares 128-bit BLAKE2s digests: equal items always show, and unequal ones are taken for
        equal with probability below n^2 / 2^129.
        """
        digests = hashing.digests(self.data, self.offsets, person=b"mpc:item", size=16)
        order = np.lexsort((digests[:, 1], digests[:, 0]))
        ranked = digests[order]
        repeats = np.flatnonzero((ranked[1:] == ranked[:-1]).all(axis=1))
        if len(repeats):
            # Sorting is stable, so of two equal items the later row stands second.
            first = repeats[np.argmin(order[repeats + 1])]
            raise DataError(
                f"{len(repeats)} of {len(self)} items repeat an earlier one; the first is row "
                f"{order[first + 1]}, which repeats row {order[first]}"
            )


def _offsets(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    out = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=out[1:])
    return out


def _of_objects(values: Sequence[Any]) -> Items:
    wrong = [i for i, value in enumerate(values) if not isinstance(value, str | bytes | bytearray)]
    if wrong:
        kind = type(values[wrong[0]]).__name__
        raise _unusable(len(wrong), len(values), wrong[0], f"a {kind}, not a string or bytes")
    encoded = list(_encoded(values))
    lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
    return Items(np.frombuffer(b"".join(encoded), np.uint8), _offsets(lengths))


def _encoded(values: Iterable[str | bytes | bytearray]) -> Iterable[bytes | bytearray]:
    for row, value in enumerate(values):
        try:
            yield value.encode() if isinstance(value, str) else value
        except UnicodeEncodeError:
            raise DataError(f"row {row} is not Unicode text: it holds a lone surrogate") from None


def _of_numpy(array: NDArray[Any]) -> Items:
    if array.ndim != 1:
        raise DataError(f"items come in one dimension, not in shape {array.shape}")
    if array.dtype.kind not in "SUOT":
        raise DataError(f"items are strings or bytes, not {array.dtype}")
    if array.dtype.kind == "S":
        return _of_columns(np.ascontiguousarray(array).view(np.uint8), np.char.str_len(array))
    if array.dtype.kind == "U":
        points = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("=")).view(np.uint32)
        if not bool(np.any(points > 127)):
            return _of_columns(points.astype(np.uint8), np.char.str_len(array))
    return _of_objects(array.tolist())


def _of_columns(cells: NDArray[np.uint8], lengths: NDArray[Any]) -> Items:
    """Items of equal room, each padded with zeros."""
    width = len(cells) // max(1, len(lengths))
    table = cells.reshape(len(lengths), width)
    return Items(table[np.arange(width) < lengths[:, None]], _offsets(lengths.astype(np.int64)))


def _of_arrow(values: Any) -> Items:
    import pyarrow as pa

    if not isinstance(values, pa.Array | pa.ChunkedArray):
        raise DataError(f"items are one column, not a {type(values).__name__}")
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)  # its values may be null as its indices may
    if values.null_count:
        first = values.is_null().index(True).as_py()
        raise _unusable(values.null_count, len(values), first, "null")
    if not any(test(values.type) for test in _text_tests(pa.types)):
        raise DataError(f"items are strings or bytes, not {values.type}")
    wide = values.cast(pa.large_binary())
    if isinstance(wide, pa.ChunkedArray):
        wide = wide.combine_chunks()
    _, offsets, data = wide.buffers()
    bounds = np.frombuffer(offsets, np.int64)[wide.offset : wide.offset + len(wide) + 1]
    return Items(np.frombuffer(data or b"", np.uint8), bounds)


def _text_tests(types: Any) -> list[Callable[[Any], bool]]:
    return [
        types.is_string,
        types.is_large_string,
        types.is_string_view,
        types.is_binary,
        types.is_large_binary,
        types.is_binary_view,
        types.is_fixed_size_binary,
    ]


def _unusable(count: int, rows: int, first: int, what: str) -> DataError:
    return DataError(f"{count} of {rows} items cannot be used; the first is row {first}: {what}")
