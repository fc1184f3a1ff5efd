# SPDX-License-Identifier: Apache-2.0
"""Many small signed integers in the digits of one large one.

A plaintext of ``count`` slots of ``width`` bytes is sum_r value_r * 2^(8 * width * r), a signed
integer; adding plaintexts adds slot by slot, and multiplying by an integer multiplies every slot,
as long as each result keeps |value| < 2^(8 * width - 1), which the caller has to know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpc.errors import EncodingOverflow

VALUE_BITS = 62  # of what pack() takes


@dataclass(frozen=True, slots=True)
class Slots:
    """``count`` signed slots of ``width`` bytes, 8 <= width <= 16, in one plaintext."""

    width: int
    count: int

    @classmethod
    def fitting(cls, plaintext_bits: int, *, value_bits: int) -> Slots:
        """As many slots for |value| <= 2^value_bits as a signed plaintext modulo n can carry."""
        width = max(8, (value_bits + 2 + 7) // 8)
        count = (plaintext_bits - 2) // (8 * width)
        if width > 16 or count < 1:
            raise EncodingOverflow(f"no slots for {value_bits}-bit values in {plaintext_bits} bits")
        return cls(width, count)

    @property
    def ones(self) -> int:
        """The plaintext with 1 in every slot."""
        return sum(1 << (8 * self.width * slot) for slot in range(self.count))

    def plaintexts(self, rows: int) -> int:
        """How many plaintexts ``rows`` rows take."""
        return -(-rows // self.count)

    def pack(self, values: NDArray[np.int64]) -> NDArray[np.object_]:
        """rows x d integers, |value| < 2^62, into plaintexts x d Python integers."""
        rows, columns = values.shape
        offset = 1 << VALUE_BITS
        if rows and columns and not (-offset < values.min() <= values.max() < offset):
            raise EncodingOverflow(f"a slot takes integers below 2^{VALUE_BITS} in size")
        used = self.plaintexts(rows)
        shifted = np.full((used * self.count, columns), offset, "<i8")
        shifted[:rows] += values
        digits = np.zeros((used, columns, self.count, self.width), np.uint8)
        by_column = np.ascontiguousarray(shifted.reshape(used, self.count, columns).swapaxes(1, 2))
        digits[..., :8] = by_column.view(np.uint8).reshape(used, columns, self.count, 8)
        packed, bias = np.empty((used, columns), object), offset * self.ones
        for index in np.ndindex(used, columns):
            packed[index] = int.from_bytes(digits[index].tobytes(), "little") - bias
        return packed

    def unpack(self, plaintexts: Sequence[int], rows: int) -> NDArray[np.float64]:
        """The first ``rows`` slot values of signed ``plaintexts``, each to 53 bits.

        Raises OverflowError where a plaintext does not fit its slots.
        """
        size = self.count * self.width
        bias = self.ones << (8 * self.width - 1)
        data = b"".join((int(value) + bias).to_bytes(size, "little") for value in plaintexts)
        slots = np.frombuffer(data, np.uint8).reshape(-1, self.width)[:rows]
        wide = np.zeros((len(slots), 16), np.uint8)
        wide[:, : self.width] = slots
        # Taking the bias off again turns each slot into two's complement, whose sign is extended.
        wide[:, self.width - 1] ^= 0x80
        wide[wide[:, self.width - 1] >= 0x80, self.width :] = 0xFF
        words = wide.view("<u8")
        high = words[:, 1].astype(np.int64).astype(np.float64)
        return high * 2.0**64 + words[:, 0].astype(np.float64)
