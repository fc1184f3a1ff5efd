# SPDX-License-Identifier: Apache-2.0
"""Randomness as an argument: the system's, or AES-CTR expanded from a seed.

``SYSTEM`` is the default of every role and every primitive. ``Prg`` expands a 256-bit seed with
AES-256 in counter mode (NIST SP 800-38A, section 6.5, initial counter zero), which is how two
parties that share a seed draw equal masks. Each ``Prg`` is one keystream read from its start, so
the same sequence of calls gives the same values on every machine.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Protocol

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

from mpc.kernels.bigint import integers

SEED_BYTES = 32


class Rng(Protocol):
    """A source of uniform bytes; everything else is derived from ``bytes``."""

    def bytes(self, count: int) -> bytes:
        """Return ``count`` uniform bytes."""
        ...


class SystemRng:
    """The operating system's generator (``secrets``)."""

    __slots__ = ()

    def bytes(self, count: int) -> bytes:
        return secrets.token_bytes(count)


SYSTEM: Rng = SystemRng()


class Prg:
    """AES-256-CTR keystream of ``seed`` (32 bytes). Not for use by two threads at once."""

    __slots__ = ("_stream",)

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise ValueError(f"a seed has {SEED_BYTES} bytes, not {len(seed)}")
        self._stream = Cipher(algorithms.AES(seed), modes.CTR(bytes(16))).encryptor()

    def bytes(self, count: int) -> bytes:
        return self._stream.update(bytes(count))

    def __repr__(self) -> str:
        return "Prg(<secret>)"


def derive(seed: bytes, label: str) -> Prg:
    """A generator of its own for ``label``, so that one shared seed serves several uses."""
    return Prg(hashlib.sha256(b"mpc:v1:rng:derive\0" + seed + label.encode()).digest())


def uint64(rng: Rng, shape: int | tuple[int, ...]) -> NDArray[np.uint64]:
    """Uniform elements of Z_2^64 in an array of ``shape``."""
    count = int(np.prod(shape))
    words = np.frombuffer(bytearray(rng.bytes(8 * count)), dtype="<u8")
    return words.reshape(shape)


def below(rng: Rng, bound: int, count: int) -> list[int]:
    """``count`` uniform integers in [0, ``bound``), by rejection, so without modulo bias."""
    if bound < 1:
        raise ValueError(f"the bound must be at least 1, not {bound}")
    bits = (bound - 1).bit_length()
    width, mask = (bits + 7) // 8, (1 << bits) - 1
    out: list[int] = []
    while len(out) < count:
        block = rng.bytes(width * (count - len(out)))
        starts = range(0, len(block), width or 1)
        drawn = [int.from_bytes(block[at : at + width], "little") & mask for at in starts]
        out.extend(value for value in drawn if value < bound)
        if width == 0:
            out = [0] * count
    return out


def packed_below(rng: Rng, bound: int, count: int) -> NDArray[np.uint8]:
    """What ``below`` draws, of a bound above 1, as uint8 (count, width), little-endian.

    The quicker way to many.
    """
    bits = (bound - 1).bit_length()
    width, have = -(-bits // 8), 0
    out = np.empty((count, width), np.uint8)
    while have < count:
        rows = np.frombuffer(bytearray(rng.bytes(width * (count - have))), np.uint8)
        rows = rows.reshape(-1, width)
        rows[:, -1] &= 0xFF >> (8 * width - bits)
        if bound >> bits == 0:
            limit = np.frombuffer(bound.to_bytes(width, "little"), np.uint8)
            rows = rows[integers.below(rows, limit.reshape(1, width))]
        out[have : have + len(rows)] = rows
        have += len(rows)
    return out


def permutation(rng: Rng, count: int) -> NDArray[np.intp]:
    """A uniform permutation of ``range(count)``.

    Sorts 128-bit random keys: two of 2^32 keys collide with probability below 2^-64, and only a
    collision would make the order depend on the input order.
    """
    keys = uint64(rng, (count, 2))
    return np.lexsort((keys[:, 0], keys[:, 1]))
