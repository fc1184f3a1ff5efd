# SPDX-License-Identifier: Apache-2.0
"""How signed integers lie in plaintexts: one each, or many in slots of one plaintext.

A plaintext is an integer modulo n, the upper half standing for the negative ones. Packed, the
slots of one plaintext hold v_0, v_1, ... as the signed sum of v_i * 2**(slot_bits * i), so sums,
differences and products by one factor act on all slots at once, negative values included. That is
right as long as every |v_i| < 2**(slot_bits - 1); the vector of ciphertexts tracks that bound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError, EncodingOverflow
from mpc.primitives.fixed import Integers

_BLOCK = 4096
"""Plaintexts whose bits are spread out at a time, a byte each."""


@dataclass(frozen=True, slots=True)
class Packing:
    """``slots`` values in one plaintext, each in a slot of ``slot_bits`` bits, of which
    ``value_bits`` and a sign are for the value as it is encrypted. Public: part of the agreed job.
    """

    value_bits: int
    slot_bits: int
    slots: int

    def __post_init__(self) -> None:
        if not 1 <= self.value_bits < self.slot_bits or self.slots < 1:
            raise ConfigError("a packing has slots, with room for a value and its sign")

    @classmethod
    def of(
        cls, modulus_bits: int, value_bits: int, headroom_adds: int = 0, scalar_bits: int = 0
    ) -> Packing:
        """Slots for |value| < 2**value_bits that are added to ``headroom_adds`` more of their kind
        and multiplied by factors below 2**scalar_bits in magnitude."""
        if value_bits < 1 or headroom_adds < 0 or scalar_bits < 0:
            raise ConfigError("packing takes at least one value bit, and no negative head-room")
        slot_bits = value_bits + headroom_adds.bit_length() + scalar_bits + 1
        slots = (modulus_bits - 1) // slot_bits
        if slots < 1:
            raise ConfigError(f"a slot of {slot_bits} bits does not fit a {modulus_bits}-bit key")
        return cls(value_bits, slot_bits, slots)

    def check_fits(self, modulus_bits: int) -> None:
        """ConfigError unless all slots lie within a plaintext of a key so long.

        Those of a packing that was made for a longer key do not, and would wrap around n.
        """
        if self.slots * self.slot_bits > modulus_bits - 1:
            raise ConfigError(
                f"{self.slots} slots of {self.slot_bits} bits do not fit a {modulus_bits}-bit key"
            )

    @property
    def limit(self) -> int:
        """The largest magnitude a slot can hold."""
        return (1 << (self.slot_bits - 1)) - 1

    @property
    def _middles(self) -> int:
        """Half of each slot's range, at its place: added, it makes every slot non-negative."""
        return sum(1 << (self.slot_bits * (i + 1) - 1) for i in range(self.slots))

    def ciphertexts(self, values: int) -> int:
        """How many ciphertexts hold a row of so many values."""
        return -(-values // self.slots)

    def pack(self, values: Integers) -> list[int]:
        """Signed plaintexts of ``values`` within the limit, packed along the last axis."""
        count = values.shape[-1]
        padded = np.zeros((*values.shape[:-1], self.ciphertexts(count) * self.slots), values.dtype)
        padded[..., :count] = values
        rows = padded.reshape(-1, self.slots)
        blocks = (rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK))
        return [plaintext for block in blocks for plaintext in self._packed(block)]

    def unpack(self, plaintexts: list[int], shape: tuple[int, ...]) -> Integers:
        """The values of shape ``shape`` in signed plaintexts."""
        starts = range(0, max(len(plaintexts), 1), _BLOCK)
        rows = np.concatenate([self._unpacked(plaintexts[at : at + _BLOCK]) for at in starts])
        padded = self.ciphertexts(shape[-1]) * self.slots
        return rows.reshape(*shape[:-1], padded)[..., : shape[-1]]

    def _packed(self, rows: Integers) -> list[int]:
        bits = _bits(rows, self.slot_bits)
        # Flipping the sign bit of a two's complement number adds half its range to it.
        bits[..., -1] ^= 1
        bits = bits.reshape(len(bits), self.slots * self.slot_bits)
        packed = np.packbits(bits, axis=1, bitorder="little")
        middles = self._middles
        data, width = packed.tobytes(), packed.shape[1]
        starts = range(0, len(data), width)
        return [int.from_bytes(data[at : at + width], "little") - middles for at in starts]

    def _unpacked(self, plaintexts: list[int]) -> Integers:
        middles = self._middles
        lifted = [plaintext + middles for plaintext in plaintexts]
        used = self.slot_bits * self.slots
        if any(value < 0 or value >> used for value in lifted):
            raise EncodingOverflow("a decrypted value exceeds its slots")
        width = -(-used // 8)
        data = b"".join(value.to_bytes(width, "little") for value in lifted)
        rows = np.frombuffer(data, np.uint8).reshape(len(lifted), width)
        bits = np.unpackbits(rows, axis=1, count=used, bitorder="little")
        bits = bits.reshape(len(lifted), self.slots, self.slot_bits)
        bits[..., -1] ^= 1
        return _signed(bits)


def _bits(values: Integers, count: int) -> NDArray[np.uint8]:
    """The lowest ``count`` two's complement bits, lowest first, on a new last axis."""
    if values.dtype != object:
        width, octets = 8, np.ascontiguousarray(values, dtype="<i8").view(np.uint8)
    else:
        width = max((int(value).bit_length() for value in values.flat), default=0) // 8 + 1
        data = b"".join(int(value).to_bytes(width, "little", signed=True) for value in values.flat)
        octets = np.frombuffer(data, np.uint8)
    octets = octets.reshape(*values.shape, width)
    have = min(count, 8 * width)
    bits = np.unpackbits(octets, axis=-1, count=have, bitorder="little")
    return _sign_extended(bits, count)


def _sign_extended(bits: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """The lowest ``count`` bits of two's complement numbers, as many as it takes added on top."""
    have = bits.shape[-1]
    if have >= count:
        return np.ascontiguousarray(bits[..., :count])
    sign = np.broadcast_to(bits[..., -1:], (*bits.shape[:-1], count - have))
    return np.concatenate([bits, sign], axis=-1)


def _signed(bits: NDArray[np.uint8]) -> Integers:
    """The numbers of two's complement bits: int64 if they have at most 64, else Python integers."""
    count = bits.shape[-1]
    padded = _sign_extended(bits, max(64, -(-count // 8) * 8))
    octets = np.packbits(padded, axis=-1, bitorder="little")
    if count <= 64:
        return octets.view("<i8")[..., 0].astype(np.int64)
    out = np.empty(octets.shape[:-1], dtype=object)
    for index in np.ndindex(out.shape):
        out[index] = int.from_bytes(octets[index].tobytes(), "little", signed=True)
    return out
