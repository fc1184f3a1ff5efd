# SPDX-License-Identifier: Apache-2.0
"""python-flint: products, squares and powers modulo a number, by FLINT's own modular integers."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from answering import Measured, answer, rate
from flint import fmpz, fmpz_mod_ctx

COUNT = 256


def _modulo(params: Mapping[str, Any]) -> tuple[Any, list[Any], int]:
    bits = params["bits"] * (2 if params["ring"] == "square" else 1)
    rng = random.Random(bits)
    n = rng.getrandbits(bits) | 1 << (bits - 1) | 1
    context = fmpz_mod_ctx(fmpz(n))
    return context, [context(fmpz(rng.randrange(n))) for _ in range(COUNT)], n


def _product(params: Mapping[str, Any]) -> Measured:
    _, xs, n = _modulo(params)
    pairs = list(zip(xs, xs[::-1]))
    right = int(xs[0] * xs[-1]) == int(xs[0]) * int(xs[-1]) % n
    return rate(lambda: [x * y for x, y in pairs], COUNT, right)


def _square(params: Mapping[str, Any]) -> Measured:
    _, xs, n = _modulo(params)
    return rate(lambda: [x * x for x in xs], COUNT, int(xs[0] * xs[0]) == int(xs[0]) ** 2 % n)


def _power(params: Mapping[str, Any]) -> Measured:
    _, xs, n = _modulo(params)
    exponent = (1 << params["bits"]) - 1
    right = int(xs[0] ** exponent) == pow(int(xs[0]), exponent, n)
    return rate(lambda: [x**exponent for x in xs[:4]], 4, right)


if __name__ == "__main__":
    answer({"kernels.product": _product, "kernels.squaring": _square, "kernels.power": _power})
