# SPDX-License-Identifier: Apache-2.0
"""ristretto255 (RFC 9496) over vectors, and the hash of RFC 9380 in front of it.

A vector of n points is a uint64 array (n, 4, 4): extended coordinates X, Y, Z, T of a point of the
curve, each four little-endian words. It comes from these functions only and is opaque to callers;
both backends take each other's. Scalars are uint64 (n, 4), little-endian and below 2^253.

**Time and secrets.** The simd backend takes no branch and touches no address that depends on
points, scalars or bytes hashed; of these only counts and lengths show. ``sums`` is the exception,
and says so. The portable backend is GMP's, not constant-time: where it runs, keep timing out of an
adversary's sight.
"""

from __future__ import annotations

from functools import cache, lru_cache
from itertools import accumulate, chain
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc import kernels
from mpc.errors import ConfigError
from mpc.kernels.ristretto import portable

MAX_DST_BYTES = 255


def decode(encodings: NDArray[np.uint8]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Points of (n, 32) encodings (section 4.3.1), and which of them are valid.

    Where an encoding is not valid the point is the identity.
    """
    _check(encodings, np.uint8, (32,))
    out: tuple[NDArray[np.uint64], NDArray[np.bool_]] = _backend().decode(encodings)
    return out


def encode(points: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Canonical (n, 32) encodings (section 4.3.2): equal if and only if the elements are."""
    _check(points, np.uint64, (4, 4))
    return _array(_backend().encode(points))


def one_way_map(uniform: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Points of (n, 64) uniform bytes (section 4.3.4)."""
    _check(uniform, np.uint8, (64,))
    return _array(_backend().one_way_map(uniform))


def add(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Sums, row by row."""
    _check(left, np.uint64, (4, 4))
    _check(right, np.uint64, (4, 4))
    if len(left) != len(right):
        raise ConfigError(f"{len(left)} points cannot be added to {len(right)}")
    return _array(_backend().add(left, right))


def negate(points: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Inverses."""
    _check(points, np.uint64, (4, 4))
    return _array(_backend().negate(points))


def mul(points: NDArray[np.uint64], scalars: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Multiples by one scalar each, or of all by a single one."""
    _check(points, np.uint64, (4, 4))
    _check(scalars, np.uint64, (4,))
    if len(scalars) not in (1, len(points)):
        raise ConfigError(f"{len(points)} points cannot be multiplied by {len(scalars)} scalars")
    return _array(_backend().mul(points, scalars))


def fixed_table(point: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """What ``mul_fixed`` needs of a point (1, 4, 4), under the same backend."""
    _check(point, np.uint64, (4, 4))
    if len(point) != 1:
        raise ConfigError(f"a table is of one point, not of {len(point)}")
    return _array(_backend().fixed_table(point))


def mul_fixed(table: NDArray[np.uint64], scalars: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Multiples of the point of a table by (n, 4) scalars: a quarter of what ``mul`` takes."""
    _check(scalars, np.uint64, (4,))
    return _array(_backend().mul_fixed(table, scalars))


def sums(
    points: NDArray[np.uint64], scalars: NDArray[np.uint64], bounds: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """For each group the sum of ``scalars[i] * points[i]``, i from ``bounds[group]`` to the next.

    **In variable time**: for points and scalars that the other side may know. A term takes a
    quarter of what ``mul`` takes.
    """
    _check(points, np.uint64, (4, 4))
    _check(scalars, np.uint64, (4,))
    if len(points) != len(scalars):
        raise ConfigError(f"{len(points)} points do not go with {len(scalars)} scalars")
    ends = np.ascontiguousarray(bounds, dtype=np.int64)
    if ends.ndim != 1 or not _ascend(ends, len(points)):
        raise ConfigError(f"the bounds of groups do not fit {len(points)} points")
    return _array(_backend().sums(points, scalars, ends))


def comb_sums(
    known: NDArray[np.uint64] | None,
    encodings: NDArray[np.uint8],
    places: tuple[tuple[int, ...], ...],
    scalars: NDArray[np.uint64],
    plus: NDArray[np.uint64],
) -> tuple[NDArray[np.uint8], NDArray[np.uint64], NDArray[np.bool_]]:
    """Encodings of sums of multiples by combs: what few elements at a time take.

    A sum is of the points at some ``places``, each times the next of (n, 4) ``scalars``, and for
    the first sums of a point of ``plus`` each. Places count the points of ``known``, which a former
    call returned under the same backend, and then those of ``encodings`` (n, 32). Returns the sums'
    encodings, what is ``known`` of all these points, and which encodings are valid; the identity
    stands for one that is not.
    """
    _check(encodings, np.uint8, (32,))
    _check(scalars, np.uint64, (4,))
    _check(plus, np.uint64, (4, 4))
    which, bounds, past = _terms(places)
    points = len(encodings) + (0 if known is None else len(known))
    if past > points or len(which) != len(scalars) or len(plus) > len(places):
        raise ConfigError(f"{len(scalars)} scalars and {points} points do not fit the sums")
    out: tuple[NDArray[np.uint8], NDArray[np.uint64], NDArray[np.bool_]] = _backend().comb_sums(
        known, encodings, which, scalars, bounds, plus
    )
    return out


@lru_cache(maxsize=64)
def _terms(
    places: tuple[tuple[int, ...], ...],
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """The places one after another, where each sum ends, and what all places are below."""
    which = [*chain.from_iterable(places)]
    if any(place < 0 for place in which):
        raise ConfigError("the place of a point is not negative")
    bounds = [*accumulate(map(len, places), initial=0)]
    return np.array(which, np.int64), np.array(bounds, np.int64), max(which, default=-1) + 1


def expand(data: NDArray[np.uint8], offsets: NDArray[np.int64], dst: bytes) -> NDArray[np.uint8]:
    """expand_message_xmd with SHA-512 (RFC 9380, section 5.3.1) to 64 bytes of each item.

    Item i is ``data[offsets[i]:offsets[i + 1]]``; ``dst`` is the domain separation tag, of 1 to
    255 bytes.
    """
    if not 0 < len(dst) <= MAX_DST_BYTES:
        raise ConfigError(f"a tag has 1 to {MAX_DST_BYTES} bytes, not {len(dst)}")
    return _array(_backend().expand(*_strings(data, offsets), dst))


def expand_one(message: bytes, dst: bytes) -> bytes:
    """What ``expand`` makes of one item, by OpenSSL."""
    return portable.expand_one(message, dst, 64)


def digests(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], tail: bytes = b""
) -> NDArray[np.uint8]:
    """SHA-512 of each item followed by ``tail``, (n, 64); items are as in ``expand``."""
    return _array(_backend().digests(*_strings(data, offsets), tail))


def _backend() -> Any:
    return _compiled() if kernels.backend() == "simd" else portable


@cache
def _compiled() -> ModuleType:
    from mpc.kernels.ristretto import simd

    return simd


def _array(values: Any) -> NDArray[Any]:
    out: NDArray[Any] = values
    return out


def _check(array: NDArray[Any], kind: type, shape: tuple[int, ...]) -> None:
    if array.dtype != kind or array.shape[1:] != shape:
        wanted = ", ".join(map(str, ("n", *shape)))
        raise ConfigError(f"expected {kind.__name__} ({wanted}), got {array.dtype} {array.shape}")


def _strings(
    data: NDArray[np.uint8], offsets: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Checked before the kernels read memory by them."""
    ends = np.ascontiguousarray(offsets, dtype=np.int64)
    if data.dtype != np.uint8 or data.ndim != 1 or ends.ndim != 1 or len(ends) < 1:
        raise ConfigError(f"strings are in uint8 (bytes,), not {data.dtype} {data.shape}")
    if not _ascend(ends, len(data)):
        raise ConfigError(f"the offsets of {len(ends) - 1} strings do not fit {len(data)} bytes")
    return data, ends


def _ascend(ends: NDArray[np.int64], most: int) -> bool:
    """Whether these cut ``most`` things, or the first of them, into runs."""
    return (
        bool(len(ends)) and ends[0] >= 0 and ends[-1] <= most and not (ends[1:] < ends[:-1]).any()
    )
