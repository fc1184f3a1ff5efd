# SPDX-License-Identifier: Apache-2.0
"""Additive secret sharing over Z_2^64 among n parties.

A vector x is split into n vectors of words that add up to it modulo 2^64; any n - 1 of them are
uniform and independent of x, so all n parties must collude to learn it. Security is perfect and
semi-honest: a party that changes its share changes the result, unnoticed at this layer.

    x, y = shares of this party
    w = 3.5 * x + y          local: public factors, sums of shares, public terms, public matrices
    x * y                    TypeError: a product of shares takes a round, a verb of a protocol

Real numbers are fixed point (`mpc.primitives.fixed`): ``fraction_bits`` is public, the same at all
parties, and tracked. Sums align the scales; a product by a float adds its own fraction bits, and
only a protocol's truncation takes bits away again. Whether the hidden sum or product still fits 64
bits cannot be seen on shares; the caller chooses scales with room for the values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn, SupportsIndex, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpc.errors import ConfigError, EncodingOverflow, KeyMismatch
from mpc.primitives import fixed
from mpc.primitives.rng import SYSTEM, Rng, uint64

R = TypeVar("R")

DEFAULT_FRACTION_BITS = 20
"""The scale of a public float term or factor of shares that are whole numbers themselves."""

MAX_FRACTION_BITS = 62


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Share:
    """What party number ``party`` of ``parties`` holds of a shared array.

    ``words`` is the secret part, and the only thing that a protocol puts on the wire. Public terms
    are added by party 0 alone, so every party runs the same expression.
    """

    words: NDArray[np.uint64]
    party: int
    parties: int
    fraction_bits: int = 0

    # NumPy must not take an array on the left apart and call us once per element.
    __array_ufunc__ = None

    def __post_init__(self) -> None:
        if self.words.dtype != np.uint64:
            raise ConfigError(f"a share is an array of uint64, not {self.words.dtype}")
        if not 0 <= self.party < self.parties:
            raise ConfigError(f"party {self.party} is not one of {self.parties}")
        checked_scale(self.fraction_bits)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.words.shape

    def __len__(self) -> int:
        return len(self.words)

    def __getitem__(self, index: Any) -> Share:
        return self.holding(self.words[index])

    def reshape(self, *shape: SupportsIndex) -> Share:
        return self.holding(self.words.reshape(shape))  # an empty shape too: one number

    @property
    def T(self) -> Share:  # noqa: N802 -- NumPy's name for the transpose
        return self.holding(self.words.T)

    def sum(self, axis: int | None = None) -> Share:
        return self.holding(self.words.sum(axis=axis, dtype=np.uint64))

    def rescaled(self, fraction_bits: int) -> Share:
        """The same numbers at a finer scale: exact, local. A coarser one takes a protocol."""
        if fraction_bits < self.fraction_bits:
            raise ConfigError("a coarser scale needs a truncation protocol")
        added = fraction_bits - self.fraction_bits
        return self.holding(np.left_shift(self.words, np.uint64(added)), added)

    def __neg__(self) -> Share:
        return self.holding(np.negative(self.words))

    def __add__(self, other: Share | ArrayLike) -> Share:
        x, y = self._aligned(other)
        return x.holding(fitted(np.add, x.words, y.words))

    __radd__ = __add__

    def __sub__(self, other: Share | ArrayLike) -> Share:
        x, y = self._aligned(other)
        return x.holding(fitted(np.subtract, x.words, y.words))

    def __rsub__(self, other: ArrayLike) -> Share:
        return -self + other

    def __mul__(self, factor: ArrayLike) -> Share:
        words, bits = self._factor(factor, "multiplying shares communicates; use arith.mul")
        return self.holding(fitted(np.multiply, self.words, words), bits)

    __rmul__ = __mul__

    def __matmul__(self, factor: ArrayLike) -> Share:
        words, bits = self._factor(factor, _MATMUL)
        return self.holding(fitted(np.matmul, self.words, words), bits)

    def __rmatmul__(self, factor: ArrayLike) -> Share:
        words, bits = self._factor(factor, _MATMUL)
        return self.holding(fitted(np.matmul, words, self.words), bits)

    def holding(self, words: ArrayLike, more_bits: int = 0) -> Share:
        """Other words of the same party, at this scale or a finer one."""
        # A 0-d result stays an array: NumPy warns when its scalars wrap, and ours are meant to.
        bits = self.fraction_bits + more_bits
        return replace(self, words=np.asarray(words, dtype=np.uint64), fraction_bits=bits)

    def _aligned(self, other: Share | ArrayLike) -> tuple[Share, Share]:
        if not isinstance(other, Share):
            bits = max(self.fraction_bits, self._scale(other))
            other = public(other, self.party, self.parties, fraction_bits=bits)
        if (self.party, self.parties) != (other.party, other.parties):
            raise KeyMismatch("the operands are shares of different parties")
        bits = max(self.fraction_bits, other.fraction_bits)
        return self.rescaled(bits), other.rescaled(bits)

    def _factor(self, factor: ArrayLike, on_share: str) -> tuple[NDArray[np.uint64], int]:
        if isinstance(factor, Share):
            raise TypeError(on_share)
        bits = self._scale(factor)
        return fixed.encode(factor, bits), bits

    def _scale(self, values: ArrayLike) -> int:
        """The fraction bits of public numbers beside this share: floats get its own, if any."""
        return (self.fraction_bits or DEFAULT_FRACTION_BITS) if fixed.has_floats(values) else 0

    def __repr__(self) -> str:
        return (
            f"Share(<secret>, shape={self.shape}, party={self.party} of {self.parties}, "
            f"fraction_bits={self.fraction_bits})"
        )

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError("comparing shares communicates; use a comparison protocol")

    def __bool__(self) -> NoReturn:
        raise TypeError("a share has no truth value; reveal the result of a protocol instead")

    __hash__ = None  # type: ignore[assignment]  # the way to say that it has no hash


def checked_scale(fraction_bits: int) -> int:
    """``fraction_bits``; EncodingOverflow where a share cannot have so many."""
    if not 0 <= fraction_bits <= MAX_FRACTION_BITS:
        raise EncodingOverflow(
            f"{fraction_bits} fraction bits leave no room in 64-bit words; truncate first"
        )
    return fraction_bits


_MATMUL = "multiplying shared matrices communicates; use arith.matmul"


def fitted(operation: Callable[..., R], x: NDArray[Any], y: NDArray[Any]) -> R:
    """``operation(x, y)`` of NumPy; a ConfigError where their shapes do not fit each other."""
    try:
        return operation(x, y)
    except ValueError:
        raise ConfigError(f"shapes {x.shape} and {y.shape} do not fit each other") from None


def public(values: ArrayLike, party: int, parties: int, *, fraction_bits: int = 0) -> Share:
    """A public array as a trivial sharing: party 0 holds it and the others hold zeros."""
    words = fixed.encode(values, fraction_bits)
    held = words if party == 0 else np.zeros_like(words)
    return Share(held, party, parties, fraction_bits)


def concatenate(shares: Sequence[Share], axis: int = 0) -> Share:
    """``np.concatenate`` of shares of one party, at the finest of their scales."""
    first, *others = shares
    for share in others:
        if (share.party, share.parties) != (first.party, first.parties):
            raise KeyMismatch("the operands are shares of different parties")
    bits = max(share.fraction_bits for share in shares)
    scaled = [share.rescaled(bits) for share in shares]
    return scaled[0].holding(np.concatenate([share.words for share in scaled], axis=axis))


def split(
    values: ArrayLike, parties: int, *, fraction_bits: int = 0, rng: Rng = SYSTEM
) -> tuple[Share, ...]:
    """Shares of ``values`` for parties 0 to ``parties`` - 1.

    Raises DataError or EncodingOverflow where ``fixed.encode`` does.
    """
    if parties < 1:
        raise ConfigError(f"cannot split among {parties} parties")
    words = fixed.encode(values, fraction_bits)
    random = [uint64(rng, words.shape) for _ in range(parties - 1)]
    rest = np.asarray(words - _total(random)) if random else words
    return tuple(
        Share(held, party, parties, fraction_bits) for party, held in enumerate([rest, *random])
    )


def reconstruct(shares: Sequence[Share]) -> NDArray[Any]:
    """The shared numbers, from the shares of all parties in any order.

    int64 where ``fraction_bits`` is 0, else float64. Raises KeyMismatch unless the shares are one
    of each party and agree on shape and scale.
    """
    if not shares:
        raise KeyMismatch("no shares to reconstruct from")
    first = shares[0]
    if sorted(share.party for share in shares) != list(range(first.parties)):
        raise KeyMismatch(f"need one share of each of {first.parties} parties")
    if len({(share.parties, share.fraction_bits, share.shape) for share in shares}) != 1:
        raise KeyMismatch("the shares differ in parties, scale or shape")
    return fixed.decode(_total([share.words for share in shares]), first.fraction_bits)


def _total(words: Sequence[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    return np.asarray(np.sum(np.stack(words), axis=0, dtype=np.uint64))
