# SPDX-License-Identifier: Apache-2.0
"""The prime-order group ristretto255 (RFC 9496) and its scalars, over vectors.

    secret = scalar(rng)                              one uniform nonzero scalar
    points = hash_to_group(items, dst)                nobody knows their logarithms
    sent = encode(mul(points, secret))                uint8 (n, 32)
    other = decode(received)                          CryptoError unless all are elements
    points + other, points - other, -points           row by row; one of two lengths may be 1
    base(scalars(rng, 5))                             multiples of the generator
    blinds = scalars(rng, n); invert(blinds)          as a vector; mul takes one scalar or n
    FixedBase.of(point).mul(blinds)                   many multiples of one element
    public_sums((points, weights), ...)               sums of multiples of what is no secret
    combs.sums(received, ((0, 1), (1,)), scalars)     the same of few elements, and of secrets

Elements are compared by their encodings, which are canonical: equal bytes, equal elements.

**Time and secrets.** Multiples, hashing, encoding and decoding do not branch on secrets on the
simd kernels, but for ``public_sums``, and are not constant-time on the portable ones
(``mpc.kernels.ristretto``). Arithmetic on scalars is GMP's: a product takes a time that depends on
how many words its operands have, as does handing a scalar to the kernels, and inversion is by a
constant-time power. A uniform scalar has four words but for a chance of 2**-60. ``Scalars`` have no
``==``, no truth value and no revealing ``repr``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, chain, repeat

import gmpy2
import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from mpc import kernels
from mpc.errors import ConfigError, CryptoError
from mpc.kernels import ristretto as kernel
from mpc.kernels.ristretto.constants import BASE_X, BASE_Y, L, P
from mpc.primitives import rng as randomness
from mpc.primitives.items import Items
from mpc.primitives.rng import Rng

ENCODED_BYTES = 32
SCALAR_BYTES = 32
UNIFORM_BYTES = 64
NONE = np.empty((0, ENCODED_BYTES), np.uint8)
ORDER = L


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Points:
    """A vector of elements. ``array`` is the kernels' own form: pass it on, do not look inside."""

    array: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.array)

    def __bool__(self) -> bool:
        raise TypeError("a vector of elements has no truth value; use len()")

    def __getitem__(self, index: slice | NDArray[np.intp]) -> Points:
        """The elements of a slice, or at an array of positions."""
        array = self.array[index]
        if array.ndim != self.array.ndim:
            raise TypeError("elements are indexed by a slice or by an array of positions")
        return Points(array)

    def __add__(self, other: Points) -> Points:
        left, right = _aligned(self.array, other.array)
        return Points(kernel.add(left, right))

    def __sub__(self, other: Points) -> Points:
        return self + -other

    def __neg__(self) -> Points:
        return Points(kernel.negate(self.array))

    def __repr__(self) -> str:
        return f"Points(<{len(self)} elements>)"


_NO_POINTS = np.empty((0, 4, 4), np.uint64)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Scalars:
    """A vector of integers modulo the order of the group; a single scalar is a vector of one.

    ``+``, ``-`` and ``*`` work element by element; one of two lengths may be 1.
    """

    _values: tuple[mpz, ...]

    def __len__(self) -> int:
        return len(self._values)

    def __bool__(self) -> bool:
        raise TypeError("scalars have no truth value; use len()")

    def __getitem__(self, index: slice) -> Scalars:
        return Scalars(self._values[index])

    def __add__(self, other: Scalars) -> Scalars:
        return Scalars(tuple((x + y) % L for x, y in self._paired(other)))

    def __sub__(self, other: Scalars) -> Scalars:
        return Scalars(tuple((x - y) % L for x, y in self._paired(other)))

    def __mul__(self, other: Scalars) -> Scalars:
        return Scalars(tuple(x * y % L for x, y in self._paired(other)))

    def __repr__(self) -> str:
        return f"Scalars(<{len(self)} secrets>)"

    def _paired(self, other: Scalars) -> Iterable[tuple[mpz, mpz]]:
        left, right = self._values, other._values
        if len(left) == len(right):
            return zip(left, right, strict=True)
        if len(left) == 1:
            return zip(repeat(left[0]), right, strict=False)
        if len(right) == 1:
            return zip(left, repeat(right[0]), strict=False)
        raise ConfigError(f"{len(left)} scalars do not go with {len(right)}")


def scalar(rng: Rng) -> Scalars:
    """One uniform nonzero scalar."""
    return scalars(rng, 1)


def scalars(rng: Rng, count: int) -> Scalars:
    """``count`` uniform nonzero scalars."""
    return Scalars(tuple(mpz(value + 1) for value in randomness.below(rng, L - 1, count)))


def joined(*vectors: Scalars) -> Scalars:
    """One vector of all scalars, in order."""
    return Scalars(tuple(chain.from_iterable(vector._values for vector in vectors)))


def scalars_of(values: Sequence[int]) -> Scalars:
    """Scalars of public integers, reduced."""
    return Scalars(tuple(mpz(value) % L for value in values))


def invert(values: Scalars) -> Scalars:
    """Inverses. Raises ``CryptoError`` for a zero, which has none.

    One power for all (Montgomery's trick), with an exponent that is public.
    """
    partial = list(accumulate(values._values, lambda x, y: x * y % L, initial=mpz(1)))
    if partial[-1] == 0:
        raise CryptoError("zero has no inverse")
    inverse = gmpy2.powmod_sec(partial[-1], L - 2, L)
    out = []
    for value, before in zip(values._values[::-1], partial[-2::-1], strict=True):
        out.append(inverse * before % L)
        inverse = inverse * value % L
    return Scalars(tuple(out[::-1]))


def reduce(uniform: NDArray[np.uint8]) -> Scalars:
    """Scalars of (n, 64) uniform bytes, little-endian, modulo the order (RFC 9496, section 4.4)."""
    return Scalars(tuple(mpz.from_bytes(row.tobytes(), "little") % L for row in uniform))


def scalar_bytes(values: Scalars) -> NDArray[np.uint8]:
    """The 32 little-endian bytes of each scalar, (n, 32): secrets in the open."""
    data = b"".join([value.to_bytes(SCALAR_BYTES, "little") for value in values._values])
    return np.frombuffer(data, np.uint8).reshape(len(values), SCALAR_BYTES)


def scalars_from_bytes(data: NDArray[np.uint8]) -> Scalars:
    """Scalars of (n, 32) bytes. Raises ``CryptoError`` for one that is not below the order."""
    values = tuple(mpz.from_bytes(row.tobytes(), "little") for row in data)
    for position, value in enumerate(values):
        if value >= L:
            raise CryptoError(f"scalar {position} of {len(values)} is not below the group's order")
    return Scalars(values)


def generator() -> Points:
    """The generator, as a vector of one."""
    coordinates = BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P
    data = b"".join(value.to_bytes(32, "little") for value in coordinates)
    return Points(np.frombuffer(data, "<u8").reshape(1, 4, 4))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FixedBase:
    """An element to be multiplied often: a table makes its multiples four times as fast.

    Made by ``of``, under the kernels' backend of then.
    """

    _table: NDArray[np.uint64]

    @classmethod
    def of(cls, point: Points) -> FixedBase:
        """The table, of 80 kB, takes some 50 µs. ``point`` is a vector of one."""
        return cls(kernel.fixed_table(point.array))

    def mul(self, values: Scalars) -> Points:
        """Multiples by each scalar."""
        return Points(kernel.mul_fixed(self._table, _words(values)))


def base(values: Scalars) -> Points:
    """Multiples of the generator."""
    return _fixed_generator(kernels.backend()).mul(values)


@cache
def _fixed_generator(_backend: str) -> FixedBase:
    return FixedBase.of(generator())


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Combs:
    """Elements of which a few multiples are wanted, alone or in sums, and only their encodings.

    It begins with ``EMPTY``; under the kernels' backend that the first were decoded under.
    """

    _known: NDArray[np.uint64] | None

    def sums(
        self,
        encodings: NDArray[np.uint8],
        places: tuple[tuple[int, ...], ...],
        values: Scalars,
        plus: Points | None = None,
    ) -> tuple[NDArray[np.uint8], Combs]:
        """Encodings (n, 32) of sums, and these elements with those of ``encodings`` behind them.

        A sum is of the elements at some ``places`` among these and those, each times the next of
        ``values``, and for the first sums of an element of ``plus`` each.
        Raises ``CryptoError`` as ``decode`` does.
        """
        added = _NO_POINTS if plus is None else plus.array
        out, known, valid = kernel.comb_sums(self._known, encodings, places, _words(values), added)
        _check_valid(encodings, valid, identity=False)
        return out, Combs(known)


EMPTY = Combs(None)


def mul(points: Points, values: Scalars) -> Points:
    """Multiples of the points by one scalar each, or by a single one."""
    if len(points) == 1 < len(values):
        points = points[np.zeros(len(values), np.intp)]
    return Points(kernel.mul(points.array, _words(values)))


def public_sums(*terms: tuple[Points, Scalars]) -> Points:
    """For each pair the sum of its multiples, one element a pair, **in variable time**.

    For points and scalars that the other side may know; there a term costs a quarter of ``mul``.
    """
    bounds = np.array([*accumulate((len(points) for points, _ in terms), initial=0)])
    words = np.concatenate([_words(values) for _, values in terms])
    together = concatenate([points for points, _ in terms])
    return Points(kernel.sums(together.array, words, bounds))


def concatenate(vectors: Sequence[Points]) -> Points:
    """One vector of all elements, in order."""
    return Points(np.concatenate([vector.array for vector in vectors]))


def encode(points: Points) -> NDArray[np.uint8]:
    """Canonical encodings, (n, 32): equal if and only if the elements are."""
    return kernel.encode(points.array)


def decode(encodings: NDArray[np.uint8], *, identity: bool = False) -> Points:
    """Elements of (n, 32) encodings.

    Raises ``CryptoError``, with how many and which is the first, unless all of them are canonical
    encodings of elements (RFC 9496, section 4.3.1) other than the identity, or with ``identity``
    of any element. In a protocol the identity is the mark of a peer that departs from it.
    """
    array, valid = kernel.decode(encodings)
    _check_valid(encodings, valid, identity=identity)
    return Points(array)


def _check_valid(encodings: NDArray[np.uint8], valid: NDArray[np.bool_], *, identity: bool) -> None:
    if len(encodings) and not identity:
        valid = valid & encodings.any(axis=1)
    if not valid.all():
        bad = np.flatnonzero(~valid)
        raise CryptoError(
            f"{len(bad)} of {len(valid)} are not encodings of a group element"
            f"{'' if identity else ' other than the identity'}; the first is number {bad[0]}"
        )


def from_uniform(uniform: NDArray[np.uint8]) -> Points:
    """Elements of (n, 64) uniform bytes: the one-way map of RFC 9496, section 4.3.4."""
    return Points(kernel.one_way_map(uniform))


def hash_to_group(items: Items, dst: bytes) -> Points:
    """hash_to_ristretto255 of RFC 9380, appendix B, with expand_message_xmd and SHA-512.

    ``dst`` is the domain separation tag, of 1 to 255 bytes: every use has its own.
    """
    return from_uniform(kernel.expand(items.data, items.offsets, dst))


def hash_to_scalar(message: bytes, dst: bytes) -> Scalars:
    """``hash_to_scalars`` of one item."""
    return Scalars((mpz.from_bytes(kernel.expand_one(message, dst), "little") % L,))


def hash_to_scalars(items: Items, dst: bytes) -> Scalars:
    """HashToScalar of RFC 9497, section 4.1: 64 bytes of expand_message_xmd, reduced."""
    return reduce(kernel.expand(items.data, items.offsets, dst))


def _words(values: Scalars) -> NDArray[np.uint64]:
    return scalar_bytes(values).view("<u8")


def _aligned(
    left: NDArray[np.uint64], right: NDArray[np.uint64]
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    if len(left) == 1 != len(right):
        return np.repeat(left, len(right), axis=0), right
    if len(right) == 1 != len(left):
        return left, np.repeat(right, len(left), axis=0)
    return left, right
