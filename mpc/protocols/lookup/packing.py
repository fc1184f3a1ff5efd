# SPDX-License-Identifier: Apache-2.0
"""Words on the wire: those of a row side by side, of some only the lowest octets.

What is added, taken away and multiplied modulo 2^64 is so modulo 2^(8 w) too, so that all that is
computed with narrow words is computed as with others, and only their lowest w octets are sent. What
the others hold then says nothing, and is not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Octets = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Packing:
    """Rows of ``wide`` whole words, and then ``narrow`` words of which ``octets`` are sent."""

    wide: int
    narrow: int
    octets: int

    @property
    def words(self) -> int:
        """How many words a row has."""
        return self.wide + self.narrow

    @property
    def width(self) -> int:
        """How many octets a row takes."""
        return 8 * self.wide + self.octets * self.narrow

    def pack(self, words: Words) -> Octets:
        """Rows (n, ``words``) as octets (n, ``width``)."""
        whole = np.ascontiguousarray(words, "<u8")
        if self.octets == 8:
            return whole.view(np.uint8)
        rows = np.empty(len(words), self._row)
        rows["wide"] = whole[:, : self.wide]
        rows["narrow"] = whole.view(self._lowest)["lowest"][:, self.wide :]
        return rows.view(np.uint8).reshape(len(words), self.width)

    def unpack(self, octets: Octets) -> Words:
        """Rows (n, ``words``) of octets (n, ``width``); what was not sent is zeros."""
        packed = np.ascontiguousarray(octets)
        if self.octets == 8:
            return packed.view("<u8")
        rows = packed.view(self._row)[:, 0]
        words = np.zeros((len(octets), self.words), "<u8")
        words[:, : self.wide] = rows["wide"]
        words.view(self._lowest)["lowest"][:, self.wide :] = rows["narrow"]
        return words

    @property
    def _row(self) -> np.dtype[Any]:
        some = f"V{self.octets}"
        return np.dtype([("wide", "<u8", (self.wide,)), ("narrow", some, (self.narrow,))])

    @property
    def _lowest(self) -> np.dtype[Any]:
        """A word of which the lowest octets are a field."""
        some = f"V{self.octets}"
        return np.dtype({"names": ["lowest"], "formats": [some], "offsets": [0], "itemsize": 8})
