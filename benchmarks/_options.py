# SPDX-License-Identifier: Apache-2.0
"""Types of the benchmarks' options, so that what is wrong is said before anything is measured."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable
from math import inf, nan

from mpc.primitives.paillier.keys import MAX_BITS, TOY_BITS

_LARGEST = 30  # 2**30 items of 18 bytes are all the memory of this kind of machine


def whole(text: str) -> int:
    """A whole number, at least 1."""
    return _whole(text, 1)


def several(text: str, least: int = 1) -> tuple[int, ...]:
    """Whole numbers, with commas between."""
    return tuple(_whole(word, least) for word in text.split(","))


def exponents(text: str) -> tuple[int, ...]:
    """Sizes as powers of two, with commas between."""
    return tuple(_whole(word, 1, _LARGEST) for word in text.split(","))


def key_bits(text: str) -> int:
    """The length of a Paillier key."""
    bits = _whole(text, TOY_BITS, MAX_BITS)
    if bits % 2:
        raise ArgumentTypeError(f"{text!r} is odd: a modulus is of two primes of equal length")
    return bits


def several_key_bits(text: str) -> tuple[int, ...]:
    """Lengths of Paillier keys, with commas between."""
    return tuple(key_bits(word) for word in text.split(","))


def seconds(text: str) -> float:
    """A time, of 0 or more."""
    try:
        found = float(text)
    except ValueError:
        found = nan
    if not 0 <= found < inf:
        raise ArgumentTypeError(f"{text!r} is no number of seconds")
    return found


def two_or_more(text: str) -> tuple[int, ...]:
    """Whole numbers of at least 2, of parties or holders, with commas between."""
    return several(text, least=2)


def sizes(*of: str) -> Callable[[str], tuple[tuple[int, ...], ...]]:
    """What a size is made of, with an x between, as in 4096x65536; sizes with commas between."""

    def parsed(text: str) -> tuple[tuple[int, ...], ...]:
        found = tuple(tuple(_whole(n, 0) for n in word.split("x")) for word in text.split(","))
        for word, size in zip(text.split(","), found, strict=True):
            if len(size) != len(of):
                raise ArgumentTypeError(f"{word!r} is not {' x '.join(of)}")
        return found

    return parsed


def some_of(*known: str) -> Callable[[str], tuple[str, ...]]:
    """Some of ``known``, with commas between."""

    def parsed(text: str) -> tuple[str, ...]:
        for word in text.split(","):
            if word not in known:
                raise ArgumentTypeError(f"{word!r} is none of {', '.join(known)}")
        return tuple(text.split(","))

    return parsed


def _whole(text: str, least: int, most: int | None = None) -> int:
    # Of a length that `int` takes.
    good = text.isascii() and text.isdecimal() and len(text) < 100
    if not good or int(text) < least or (most is not None and int(text) > most):
        range_ = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise ArgumentTypeError(f"{text!r} is not a whole number {range_}")
    return int(text)
