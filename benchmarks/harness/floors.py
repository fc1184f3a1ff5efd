# SPDX-License-Identifier: Apache-2.0
"""What a figure is held against: the machine's own speed at the work that cannot be left out.

None of it runs code of this library, so a ratio to a floor changes when the library does, and much
less when the machine is slower or busy.
"""

from __future__ import annotations

import hashlib
import random

import gmpy2
import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from .timing import Work

_COPIED = 1 << 22
_BLOCKS = 1 << 14


def gmp_product(bits: int, count: int = 256) -> Work:
    """Products modulo an odd number of ``bits``: one ``mpz`` after the other."""
    rng = random.Random(bits)
    n = gmpy2.mpz(rng.getrandbits(bits) | 1 << (bits - 1) | 1)
    xs = [gmpy2.mpz(rng.randrange(int(n))) for _ in range(count)]
    pairs = list(zip(xs, xs[::-1], strict=True))
    return Work(lambda: [x * y % n for x, y in pairs], count)


def gmp_power(bits: int, exponent_bits: int, count: int = 1) -> Work:
    """Powers modulo an odd number of ``bits``, each by an exponent of ``exponent_bits``."""
    rng = random.Random(bits)
    n = gmpy2.mpz(rng.getrandbits(bits) | 1 << (bits - 1) | 1)
    exponent = gmpy2.mpz(rng.getrandbits(exponent_bits) | 1 << (exponent_bits - 1))
    xs = [gmpy2.mpz(rng.randrange(int(n))) for _ in range(count)]
    return Work(lambda: [gmpy2.powmod(x, exponent, n) for x in xs], count)


def aes(blocks: int = _BLOCKS) -> Work:
    """AES-128 in counter mode by OpenSSL, which uses AES-NI or VAES: blocks of 16 bytes."""
    zeros, out = bytes(16 * blocks), bytearray(16 * blocks + 15)
    encryptor = Cipher(algorithms.AES(bytes(16)), modes.CTR(bytes(16))).encryptor()
    return Work(lambda: encryptor.update_into(zeros, out), blocks)


def copy(size: int = _COPIED) -> Work:
    """Bytes copied from memory to memory."""
    source, target = np.ones(size, np.uint8), np.empty(size, np.uint8)
    return Work(lambda: np.copyto(target, source), size)


def sha256(size: int = 18, count: int = 2000) -> Work:
    """Messages of ``size`` bytes hashed by OpenSSL, one call each."""
    messages = [i.to_bytes(size, "little") for i in range(count)]
    return Work(lambda: [hashlib.sha256(m).digest() for m in messages], count)


def python(count: int = 1024) -> Work:
    """Turns of a loop in the interpreter."""

    def loop() -> int:
        total = 0
        for number in range(count):
            total ^= number
        return total

    return Work(loop, count)
