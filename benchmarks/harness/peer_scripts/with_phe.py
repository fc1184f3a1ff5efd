# SPDX-License-Identifier: Apache-2.0
"""python-paillier (phe): the operations of the Paillier benchmark, one value at a time."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from typing import Any

from answering import Measured, answer, rate
from phe import paillier

TERMS = 1000


@cache
def _key(bits: int) -> tuple[Any, Any]:
    return paillier.generate_paillier_keypair(n_length=bits)


def _values(count: int, seed: int = 7) -> list[int]:
    rng = random.Random(seed)
    return [rng.randrange(-(1 << 31), 1 << 31) for _ in range(count)]


def _encrypt(params: Mapping[str, Any]) -> Measured:
    public, secret = _key(params["bits"])
    values = _values(5)
    right = [secret.decrypt(public.encrypt(v)) for v in values] == values
    return rate(lambda: [public.encrypt(v) for v in values], len(values), right)


def _decrypt(params: Mapping[str, Any]) -> Measured:
    public, secret = _key(params["bits"])
    values = _values(10)
    held = [public.encrypt(v) for v in values]
    right = [secret.decrypt(c) for c in held] == values
    return rate(lambda: [secret.decrypt(c) for c in held], len(values), right)


def _add(params: Mapping[str, Any]) -> Measured:
    public, secret = _key(params["bits"])
    values = _values(20)
    held = [public.encrypt(v) for v in values]
    right = secret.decrypt(held[0] + held[1]) == values[0] + values[1]
    return rate(lambda: [a + b for a, b in pairwise(held)], len(held) - 1, right)


def _multiply(params: Mapping[str, Any], *, negative: bool = False) -> Measured:
    public, secret = _key(params["bits"])
    values = _values(10)
    factors = [-abs(f) if negative else f for f in _values(10, 9)]
    held = [public.encrypt(v) for v in values]
    right = secret.decrypt(held[0] * factors[0]) == values[0] * factors[0]
    pairs = list(zip(held, factors))
    return rate(lambda: [c * f for c, f in pairs], len(pairs), right)


def _dot(params: Mapping[str, Any]) -> Measured:
    public, secret = _key(params["bits"])
    few = [public.encrypt(v) for v in _values(10)]
    held, weights = few * (TERMS // 10), _values(TERMS, 9)

    def dot() -> Any:
        return sum((c * w for c, w in zip(held, weights)), 0)

    expected = sum(v * w for v, w in zip(_values(10) * (TERMS // 10), weights))
    return rate(dot, 1, secret.decrypt(dot()) == expected)


if __name__ == "__main__":
    answer(
        {
            "paillier.encrypt_public": _encrypt,
            "paillier.encrypt_owner": _encrypt,
            "paillier.encrypt_packed_public": _encrypt,
            "paillier.encrypt_packed_owner": _encrypt,
            "paillier.decrypt": _decrypt,
            "paillier.add": _add,
            "paillier.multiply_32_bit": _multiply,
            "paillier.multiply_32_bit_negative": lambda p: _multiply(p, negative=True),
            "paillier.dot_1000": _dot,
        }
    )
