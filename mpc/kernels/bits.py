# SPDX-License-Identifier: Apache-2.0
"""Bits packed in words of uint64: bit j of word i is bit 64 * i + j of a vector.

A *plane* is one bit of each of many numbers. ``planes`` turns numbers of 64 bits into 64 planes,
on which a circuit computes for 64 numbers with one operation of a word; ``from_planes`` is its
inverse. Time depends on shapes alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpc import kernels

Words = NDArray[np.uint64]
Bits = NDArray[np.uint8]

WORD = 64


def words(count: int) -> int:
    """How many words hold ``count`` bits."""
    return -(-count // WORD)


def pack(bits: Bits) -> Words:
    """Zeros and ones, uint8 (..., n), as words (..., words(n)); the bits left over are zero."""
    if bits.dtype != np.uint8 or bits.ndim < 1:
        raise ValueError(f"bits are uint8 along an axis, not {bits.dtype} {bits.shape}")
    octets = np.packbits(bits, axis=-1, bitorder="little")
    padded = np.zeros((*bits.shape[:-1], 8 * words(bits.shape[-1])), np.uint8)
    padded[..., : octets.shape[-1]] = octets
    return padded.view("<u8").astype(np.uint64, copy=False)


def unpack(packed: Words, count: int) -> Bits:
    """The first ``count`` bits of words (..., w), as zeros and ones, uint8 (..., count)."""
    _check(packed)
    if count > WORD * packed.shape[-1]:
        raise ValueError(f"{count} bits in {packed.shape[-1]} words")
    octets = np.ascontiguousarray(packed, "<u8").view(np.uint8)
    return np.unpackbits(octets, axis=-1, count=count, bitorder="little")


def planes(numbers: Words) -> Words:
    """Numbers (n,) as planes (64, words(n)): bit i of number j is bit j of plane i."""
    _check(numbers)
    if numbers.ndim != 1:
        raise ValueError(f"numbers are (n,), not {numbers.shape}")
    padded = np.zeros(WORD * words(len(numbers)), np.uint64)
    padded[: len(numbers)] = numbers
    return np.ascontiguousarray(_transposed(padded).T)


def from_planes(held: Words, count: int) -> Words:
    """The first ``count`` of the numbers that planes (64, w) hold."""
    _check(held)
    if held.ndim != 2 or len(held) != WORD or count > WORD * held.shape[1]:
        raise ValueError(f"{count} numbers in planes {held.shape}")
    return _transposed(np.ascontiguousarray(held.T).reshape(-1)).reshape(-1)[:count]


def and_step(c: Words, d: Words, b: Words, e: Words, a: Words, *, leads: bool) -> Words:
    """``c ^ d & b ^ e & a``, and ``^ d & e`` where ``leads``: ``ring.beaver`` on bits."""
    for array in (c, d, b, e, a):
        _check(array)
        if array.shape != c.shape:
            raise ValueError(f"arrays of shapes {c.shape} and {array.shape}")
    if kernels.backend() == "simd":
        from mpc.kernels import bits_simd

        return bits_simd.and_step(c, d, b, e, a, leads)
    return np.asarray(c ^ d & b ^ e & (a ^ d if leads else a))


def _transposed(square: Words) -> Words:
    """Squares of 64 words (64 * n,), each transposed as a matrix of bits: (n, 64)."""
    if kernels.backend() == "simd":
        from mpc.kernels import bits_simd

        return bits_simd.transposed(square)
    octets = square.astype("<u8").view(np.uint8).reshape(-1, WORD, 8)
    turned = np.unpackbits(octets, axis=2, bitorder="little").transpose(0, 2, 1)
    # Packing what lies apart would take four times as long as moving it first.
    packed = np.packbits(np.ascontiguousarray(turned), axis=2, bitorder="little")
    return packed.view("<u8").reshape(-1, WORD).astype(np.uint64)


def _check(array: Words) -> None:
    if array.dtype != np.uint64 or array.ndim < 1:
        raise ValueError(f"words are uint64 along an axis, not {array.dtype} {array.shape}")
