# SPDX-License-Identifier: Apache-2.0
"""AES-128 through ``cryptography``, and its key schedule in NumPy: the reference.

Blocks are arrays (n, 2) of uint64, round keys (11, 2), in the order of their bytes in memory.
"""

from __future__ import annotations

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

Words = NDArray[np.uint64]

ENCRYPT, DAVIES_MEYER, TWEAKED = 0, 1, 2


def _s_box() -> NDArray[np.uint8]:
    """SubBytes (FIPS 197, section 5.1.1): the inverse in GF(2^8), then an affine map."""
    exponential, logarithm, value = [0] * 255, [0] * 256, 1
    for power in range(255):
        exponential[power], logarithm[value] = value, power
        value ^= (value << 1 ^ (0x11B if value & 0x80 else 0)) & 0xFF
    box = []
    for value in range(256):
        x = exponential[-logarithm[value] % 255] if value else 0
        spread = x | x << 8
        box.append((x ^ spread >> 4 ^ spread >> 5 ^ spread >> 6 ^ spread >> 7 ^ 0x63) & 0xFF)
    return np.array(box, np.uint8)


_S_BOX = _s_box()


def schedules(keys: Words) -> Words:
    """The 11 round keys of each (FIPS 197, section 5.2), by four words: the key, and then the sums
    of one, two, three and four words of the one before, each with its last word through the box."""
    octets = np.empty((len(keys), 11, 4, 4), np.uint8)
    octets[:, 0] = keys.view(np.uint8).reshape(octets[:, 0].shape)
    constant = 1
    for number in range(1, 11):
        before, now = octets[:, number - 1], octets[:, number]
        turned = _S_BOX[before[:, 3, [1, 2, 3, 0]]]
        turned[:, 0] ^= constant
        now[:] = np.bitwise_xor.accumulate(before, axis=1) ^ turned[:, None]
        constant = constant << 1 ^ (0x11B if constant & 0x80 else 0)
    return octets.reshape(len(keys), 11, 16).view(np.uint64)


def _encrypt(key: bytes, data: bytes) -> Words:
    # ECB is the bare permutation; the modes that callers see are built on it.
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305
    return np.frombuffer(bytearray(encryptor.update(data)), np.uint64).reshape(-1, 2)


def map_blocks(keys: Words, blocks: Words, tweaks: Words | None, mode: int) -> Words:
    key = keys[0].tobytes()
    y = _encrypt(key, blocks.tobytes()).reshape(blocks.shape)
    if mode == DAVIES_MEYER:
        return y ^ blocks
    if mode == TWEAKED and tweaks is not None:
        return _encrypt(key, (y ^ tweaks).tobytes()).reshape(blocks.shape) ^ y
    return y


def counter(keys: Words, first: int, count: int) -> Words:
    blocks = np.zeros((count, 2), np.uint64)
    blocks[:, 0] = np.arange(first, first + count, dtype=np.uint64)
    return map_blocks(keys, blocks, None, ENCRYPT)


def expand_seeds(seeds: Words, count: int) -> Words:
    blocks = np.zeros((count, 2), np.uint64)
    blocks[:, 0] = np.arange(count, dtype=np.uint64)
    data = blocks.tobytes()
    out = np.empty((len(seeds), count, 2), np.uint64)
    for row, seed in zip(out, seeds, strict=True):
        row[:] = _encrypt(seed.tobytes(), data)
    return out


def grow(left: Words, right: Words, parents: Words, batch: int) -> tuple[Words, Words]:
    trees, width = parents.shape[:2]
    halves = np.empty((trees, width, 2, 2), np.uint64)
    for index, pair in enumerate(zip(left, right, strict=True)):
        held = slice(index * batch, (index + 1) * batch)
        for side, keys in enumerate(pair):
            halves[held, :, side] = map_blocks(keys, parents[held], None, DAVIES_MEYER)
    sums = np.bitwise_xor.reduce(halves, axis=1)
    return halves.reshape(trees, 2 * width, 2), sums
