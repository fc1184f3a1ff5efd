# SPDX-License-Identifier: Apache-2.0
"""Types of the benchmarks' options, so that what is wrong is said before anything is measured."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable


def whole(text: str) -> int:
    """A whole number, at least 1."""
    return _whole(text, 1)


def several(text: str, least: int = 1) -> tuple[int, ...]:
    """Whole numbers, with commas between."""
    return tuple(_whole(word, least) for word in text.split(","))


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


def _whole(text: str, least: int) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) < least:
        raise ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
    return int(text)
