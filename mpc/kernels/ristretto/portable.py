# SPDX-License-Identifier: Apache-2.0
"""The reference: ristretto255 (RFC 9496) and expand_message_xmd (RFC 9380) on GMP integers.

Reads like the RFCs and is what the lanes are tested against. It is *not* constant-time: a product
of GMP integers takes time that depends on their values. Points are the same arrays as those of the
lanes, (n, 4, 4) uint64: the coordinates X, Y, Z, T, each 256 bits little-endian, reduced below P.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import reduce
from itertools import pairwise

import gmpy2
import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from mpc.kernels.ristretto import constants

P, D, TWO_D = mpz(constants.P), mpz(constants.D), mpz(2 * constants.D % constants.P)
SQRT_M1, SQRT_AD_MINUS_ONE, INVSQRT_A_MINUS_D, ONE_MINUS_D_SQ, D_MINUS_ONE_SQ = map(
    mpz,
    (
        constants.SQRT_M1,
        constants.SQRT_AD_MINUS_ONE,
        constants.INVSQRT_A_MINUS_D,
        constants.ONE_MINUS_D_SQ,
        constants.D_MINUS_ONE_SQ,
    ),
)

Point = tuple[mpz, mpz, mpz, mpz]  # extended coordinates: x = X/Z, y = Y/Z, T = XY/Z

IDENTITY: Point = (mpz(0), mpz(1), mpz(1), mpz(0))
BLOCK = 128  # bytes of a SHA-512 block


def _negative(x: mpz) -> bool:
    return bool(x % P & 1)


def _absolute(x: mpz) -> mpz:
    return -x % P if _negative(x) else x % P


def sqrt_ratio(u: mpz, v: mpz) -> tuple[bool, mpz]:
    """RFC 9496, section 4.2: is u/v a square, and the nonnegative root of it, else of i u/v."""
    r = u * v**3 * gmpy2.powmod(u * v**7, (P - 5) // 8, P) % P
    check = v * r * r % P
    flipped = check == -u % P
    if flipped or check == -u * SQRT_M1 % P:
        r = SQRT_M1 * r % P
    return bool(flipped or check == u % P), _absolute(r)


def decode_one(encoding: bytes) -> Point | None:
    """RFC 9496, section 4.3.1; ``None`` where the encoding is to be rejected."""
    s = mpz(int.from_bytes(encoding, "little"))
    if s >= P or _negative(s):
        return None
    u1, u2 = (1 - s * s) % P, (1 + s * s) % P
    v = (-(D * u1 * u1) - u2 * u2) % P
    square, invsqrt = sqrt_ratio(mpz(1), v * u2 * u2 % P)
    den_x = invsqrt * u2 % P
    den_y = invsqrt * den_x * v % P
    x = _absolute(2 * s * den_x)
    y = u1 * den_y % P
    t = x * y % P
    return None if not square or _negative(t) or y == 0 else (x, y, mpz(1), t)


def encode_one(point: Point) -> bytes:
    """RFC 9496, section 4.3.2."""
    x0, y0, z0, t0 = point
    u1 = (z0 + y0) * (z0 - y0) % P
    u2 = x0 * y0 % P
    _, invsqrt = sqrt_ratio(mpz(1), u1 * u2 * u2 % P)
    den1, den2 = invsqrt * u1 % P, invsqrt * u2 % P
    z_inv = den1 * den2 * t0 % P
    x, y, den_inv = x0, y0, den2
    if _negative(t0 * z_inv):
        x, y, den_inv = y0 * SQRT_M1, x0 * SQRT_M1, den1 * INVSQRT_A_MINUS_D
    if _negative(x * z_inv):
        y = -y
    return int(_absolute(den_inv * (z0 - y))).to_bytes(32, "little")


def map_one(half: bytes) -> Point:
    """RFC 9496, section 4.3.4: MAP, of 32 bytes whose top bit is ignored."""
    t = mpz(int.from_bytes(half, "little") & (2**255 - 1))
    r = SQRT_M1 * t * t % P
    u = (r + 1) * ONE_MINUS_D_SQ % P
    v = (-1 - r * D) * (r + D) % P
    square, s = sqrt_ratio(u, v)
    c = mpz(-1)
    if not square:
        s, c = -_absolute(s * t) % P, r
    n = c * (r - 1) * D_MINUS_ONE_SQ - v
    w0, w1 = 2 * s * v % P, n * SQRT_AD_MINUS_ONE % P
    w2, w3 = (1 - s * s) % P, (1 + s * s) % P
    return w0 * w3 % P, w2 * w1 % P, w1 * w3 % P, w0 * w2 % P


def add_two(p: Point, q: Point) -> Point:
    """The unified, complete sum of Hisil, Wong, Carter and Dawson (2008), section 3.1."""
    (x1, y1, z1, t1), (x2, y2, z2, t2) = p, q
    a, b = (y1 - x1) * (y2 - x2), (y1 + x1) * (y2 + x2)
    c, d = TWO_D * t1 % P * t2, 2 * z1 * z2
    e, f, g, h = (b - a) % P, (d - c) % P, (d + c) % P, (b + a) % P
    return e * f % P, g * h % P, f * g % P, e * h % P


def double(p: Point) -> Point:
    """Section 3.3 there: what ``add_two`` of a point and itself gives, sooner."""
    x, y, z, _ = p
    a, b = x * x, y * y
    e, f, g, h = 2 * x * y % P, (2 * z * z + a - b) % P, (b - a) % P, (b + a) % P
    return e * f % P, g * h % P, f * g % P, e * h % P


def mul_one(point: Point, scalar: int) -> Point:
    """Windows of four bits from the top, over a table of all sixteen multiples."""
    table = [IDENTITY]
    for _ in range(15):
        table.append(add_two(table[-1], point))
    out = IDENTITY
    for shift in range(252, -4, -4):
        for _ in range(4):
            out = double(out)
        out = add_two(out, table[scalar >> shift & 15])
    return out


def expand_one(message: bytes, dst: bytes, length: int) -> bytes:
    """RFC 9380, section 5.3.1: expand_message_xmd with SHA-512."""
    suffix = dst + bytes([len(dst)])
    first = hashlib.sha512(
        bytes(BLOCK) + message + length.to_bytes(2, "big") + b"\0" + suffix
    ).digest()
    out = block = hashlib.sha512(first + b"\1" + suffix).digest()
    for i in range(2, -(-length // 64) + 1):
        mixed = bytes(a ^ b for a, b in zip(first, block, strict=True))
        block = hashlib.sha512(mixed + bytes([i]) + suffix).digest()
        out += block
    return out[:length]


def _points(array: NDArray[np.uint64]) -> Iterator[Point]:
    data = np.ascontiguousarray(array, dtype="<u8").tobytes()
    for at in range(0, len(data), 128):
        x, y, z, t = (mpz.from_bytes(data[i : i + 32], "little") for i in range(at, at + 128, 32))
        yield x, y, z, t


def _array(points: Iterable[Point]) -> NDArray[np.uint64]:
    data = b"".join(int(c % P).to_bytes(32, "little") for point in points for c in point)
    return np.frombuffer(bytearray(data), dtype="<u8").reshape(-1, 4, 4)


def decode(encodings: NDArray[np.uint8]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Points of (n, 32) encodings, and which are valid; the identity stands for invalid ones."""
    found = [decode_one(row.tobytes()) for row in encodings]
    valid = np.array([point is not None for point in found], dtype=np.bool_)
    return _array(point or IDENTITY for point in found), valid


def encode(points: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """(n, 32) encodings of (n, 4, 4) points."""
    data = b"".join(encode_one(point) for point in _points(points))
    return np.frombuffer(bytearray(data), dtype=np.uint8).reshape(-1, 32)


def one_way_map(uniform: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """RFC 9496, section 4.3.4: points of (n, 64) uniform bytes."""
    rows = (row.tobytes() for row in uniform)
    return _array(add_two(map_one(row[:32]), map_one(row[32:])) for row in rows)


def add(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Sums of points, row by row."""
    pairs = zip(_points(left), _points(right), strict=True)
    return _array(add_two(p, q) for p, q in pairs)


def negate(points: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Inverses of points."""
    return _array((-x, y, z, -t) for x, y, z, t in _points(points))


def mul(points: NDArray[np.uint64], scalars: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Multiples of points by (n, 4) scalars below 2^253, or by a single one of shape (1, 4)."""
    values = [int.from_bytes(row.astype("<u8").tobytes(), "little") for row in scalars]
    if len(values) == 1:
        values *= len(points)
    pairs = zip(_points(points), values, strict=True)
    return _array(mul_one(point, value) for point, value in pairs)


def fixed_table(point: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The point itself."""
    return point


def mul_fixed(table: NDArray[np.uint64], scalars: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Multiples by (n, 4) scalars of the point that a table is of."""
    return mul(np.repeat(table, len(scalars), axis=0), scalars)


def sums(
    points: NDArray[np.uint64], scalars: NDArray[np.uint64], bounds: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """The sum of multiples of each group of rows."""
    products = list(_points(mul(points, scalars)))
    groups = (products[start:stop] for start, stop in pairwise(bounds.tolist()))
    return _array(reduce(add_two, group, IDENTITY) for group in groups)


def comb_sums(
    known: NDArray[np.uint64] | None,
    encodings: NDArray[np.uint8],
    which: NDArray[np.int64],
    scalars: NDArray[np.uint64],
    bounds: NDArray[np.int64],
    plus: NDArray[np.uint64],
) -> tuple[NDArray[np.uint8], NDArray[np.uint64], NDArray[np.bool_]]:
    """Encodings of sums of multiples; what is known of points are the points."""
    points, valid = decode(encodings)
    if known is not None:
        points = np.concatenate([known, points])
    totals = sums(points[which], scalars, bounds)
    totals[: len(plus)] = add(totals[: len(plus)], plus)
    return encode(totals), points, valid


def expand(data: NDArray[np.uint8], offsets: NDArray[np.int64], dst: bytes) -> NDArray[np.uint8]:
    """expand_message_xmd to 64 bytes of each item ``data[offsets[i]:offsets[i + 1]]``."""
    bounds = pairwise(offsets.tolist())
    rows = (expand_one(data[start:stop].tobytes(), dst, 64) for start, stop in bounds)
    return np.frombuffer(bytearray(b"".join(rows)), dtype=np.uint8).reshape(-1, 64)


def digests(data: NDArray[np.uint8], offsets: NDArray[np.int64], tail: bytes) -> NDArray[np.uint8]:
    """SHA-512 of each item followed by ``tail``."""
    bounds = pairwise(offsets.tolist())
    rows = (hashlib.sha512(data[start:stop].tobytes() + tail).digest() for start, stop in bounds)
    return np.frombuffer(bytearray(b"".join(rows)), dtype=np.uint8).reshape(-1, 64)
