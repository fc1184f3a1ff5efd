# SPDX-License-Identifier: Apache-2.0
"""Arithmetic on additive shares over Z_2^64, n parties; semi-honest, all but one may collude.

What is linear is local (``primitives.sharing``). What is not takes a round of ``opening`` and
correlations of ``triples``, which were made before the inputs were known:

    mul, products     Beaver (CRYPTO 1991): opens x - a and y - b, with c = a b
    square            the same with one factor: opens x - a, with c = a^2
    matmul            the same for matrices; against a ``Factor``, only the left one is opened
    truncate          opens x + r, with the parts of r
    reveal            opens the result, to all or to one

Learns: every opening but the last kind is masked by a uniform word that is used once, so it says
nothing; sizes, scales and the order of operations are public. Any n - 1 parties together learn what
was revealed to them, and what follows from it.

**Truncation** takes s fraction bits off shares of x, |x| < 2^62, in the manner of Escudero, Ghosh,
Keller, Rachuri, Scholl, "Improved Primitives for MPC over Mixed Arithmetic-Binary Circuits" (CRYPTO
2020, section 5.1), and cannot fail. Let x' = x + 2^62, a number of 63 bits, and r = r' + 2^63 b be
uniform, r' of 63 bits. The parties open c = x' + r mod 2^64 = c' + 2^63 t. As x' + r' < 2^64,

    x' + r' = c' + 2^63 v  with  v = t XOR b = t + b - 2 t b,   so   x' = c' + 2^63 v - r'

over the integers, and v is linear in the shared b, t being public. Hence

    floor(x' / 2^s) = floor(c' / 2^s) + 2^(63-s) v - floor(r' / 2^s) - [c' mod 2^s < r' mod 2^s]

of which all terms but the last are known or linear in shares. The last one is dropped: the result
is floor(x / 2^s) or one more, **off by less than one unit**, never by more, whatever the parties'
shares are. Which of the two is chance, by c and r: one result tells x to a unit, as a floor would,
but t results for one x tell it to a t-th of one. (The local truncation of SecureML, each party
shifting its share, is wildly wrong with probability |x| / 2^63 and is not used.) Where |x| >= 2^62
the result is wrong, which nobody sees on shares: the caller's scales must leave room for the
values, as ``primitives.sharing`` says.

**Batches.** A round costs a journey, so independent operations belong together: shares are vectors,
and ``products`` takes many pairs of any shapes in one round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError, KeyMismatch
from mpc.kernels import ring
from mpc.net import columns
from mpc.net.mesh import Mesh
from mpc.pb.v1 import arith_pb2 as pb
from mpc.primitives import fixed
from mpc.primitives.sharing import Share, checked_scale, fitted
from mpc.protocols import opening
from mpc.protocols.triples import Fixed, Products, Squares, Triples, Truncations
from mpc.tracing import spanned

Words = NDArray[np.uint64]

ROOM = np.uint64(1 << 62)  # what is truncated is below this in size


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Factor:
    """A shared matrix (rows, columns), opened under a mask once, for many products."""

    opened: Words
    fixed: Fixed
    fraction_bits: int

    def __repr__(self) -> str:
        return f"Factor({self.opened.shape}, <secret>)"


def reveal(mesh: Mesh, x: Share, *, to: str | None = None) -> NDArray[Any] | None:
    """The numbers of x, at all parties; or at party ``to`` alone, where the others get None.

    int64 where x has no fraction bits, else float64. One round.
    """
    _check(mesh, x)
    if to is None:
        (words,) = opening.sums(mesh, "reveal", [x.words])
        return fixed.decode(words, x.fraction_bits)
    flat = np.ascontiguousarray(x.words).reshape(-1)
    if to != mesh.me:
        mesh.channel(to).send(pb.HandedShares(words=columns.pack(flat)))
        return None
    for name, message in mesh.gather(pb.HandedShares).items():
        flat = flat + columns.unpack_uint64(message.words, count=len(flat), peer=name)
    return fixed.decode(flat.reshape(x.shape), x.fraction_bits)


def mul(mesh: Mesh, x: Share, y: Share, triples: Triples) -> Share:
    """x * y in each place, with NumPy's broadcasting; scales add up. One round, one triple each."""
    return products(mesh, [(x, y)], triples)[0]


@spanned("products")
def products(mesh: Mesh, pairs: Sequence[tuple[Share, Share]], triples: Triples) -> list[Share]:
    """The products of many pairs, as ``mul``, all in one round."""
    left, right, made = [], [], []
    for x, y in pairs:
        _check(mesh, x, y)
        p, q = fitted(np.broadcast_arrays, x.words, y.words)
        left.append(p.reshape(-1))
        right.append(q.reshape(-1))
        made.append((p.shape, checked_scale(x.fraction_bits + y.fraction_bits)))
    if not pairs:
        return []
    u, v = _joined(left), _joined(right)
    t = triples.draw(Products(len(u))).take()
    d, e = opening.sums(mesh, "products", [u - t["a"], v - t["b"]])
    leads = mesh.me == mesh.names[0]
    z = ring.beaver(t["c"], d, t["b"], e, t["a"], leads=leads)
    parts = np.split(z, np.cumsum([len(part) for part in left])[:-1])
    return [
        _share(mesh, part.reshape(shape), bits)
        for part, (shape, bits) in zip(parts, made, strict=True)
    ]


@spanned("square")
def square(mesh: Mesh, x: Share, triples: Triples) -> Share:
    """x * x in each place, at half the cost of ``mul``. One round."""
    _check(mesh, x)
    fraction_bits = checked_scale(2 * x.fraction_bits)
    flat = x.words.reshape(-1)
    t = triples.draw(Squares(len(flat))).take()
    (d,) = opening.sums(mesh, "square", [flat - t["a"]])
    # x^2 = d^2 + 2 d a + a^2; the two factors of d are added up before the one product.
    lead = d if mesh.me == mesh.names[0] else np.zeros_like(d)
    z = ring.multiply_add(t["c"], d, lead + t["a"] + t["a"])
    return _share(mesh, z.reshape(x.shape), fraction_bits)


@spanned("factor")
def factor(mesh: Mesh, y: Share, triples: Triples) -> Factor:
    """The matrix y (rows, columns) or (rows,), ready for many products ``x @ y``. One round."""
    _check(mesh, y)
    fixed_ = triples.fixed(*_matrix(y.words).shape)
    (opened,) = opening.sums(mesh, "factor", [_matrix(y.words) - fixed_.mask])
    return Factor(opened, fixed_, y.fraction_bits)


@spanned("matmul")
def matmul(mesh: Mesh, x: Share, y: Share | Factor, triples: Triples) -> Share:
    """x @ y for matrices or vectors; scales add up. One round.

    A y that serves in many products is made a ``factor`` once; then each opens its x alone. Its
    columns stay a matrix: x (n, rows) gives (n, columns).
    """
    _check(mesh, x)
    fraction_bits = checked_scale(x.fraction_bits + y.fraction_bits)
    rows = np.atleast_2d(x.words)
    if isinstance(y, Factor):
        _check_inside(rows, y.opened)
        a, c = _rows(triples, y.fixed, len(rows))
        (d,) = opening.sums(mesh, "matmul", [rows - a])
        z = _product(mesh, d, y.opened, y.fixed.mask, a, c)
        return _share(mesh, z.reshape(*x.shape[:-1], z.shape[1]), fraction_bits)
    _check(mesh, y)
    columns_ = _matrix(y.words)
    _check_inside(rows, columns_)
    once = triples.fixed(*columns_.shape)
    a, c = _rows(triples, once, len(rows))
    d, e = opening.sums(mesh, "matmul", [rows - a, columns_ - once.mask])
    z = _product(mesh, d, e, once.mask, a, c)
    shape = x.shape[:-1] + y.shape[1:]
    return _share(mesh, z.reshape(shape), fraction_bits)


@spanned("truncate")
def truncate(mesh: Mesh, x: Share, fraction_bits: int, triples: Triples) -> Share:
    """x at a coarser scale of ``fraction_bits``, off by less than one unit of it. One round.

    Each encoded number of x must be below 2^62 in size: |x| < 2^(62 - x.fraction_bits).
    """
    _check(mesh, x)
    shift = x.fraction_bits - fraction_bits
    if not 0 <= shift <= x.fraction_bits:
        raise ConfigError(f"truncation from {x.fraction_bits} to {fraction_bits} fraction bits")
    if shift == 0:
        return x
    flat, leads = x.words.reshape(-1), mesh.me == mesh.names[0]
    t = triples.draw(Truncations(shift, len(flat))).take()
    masked = flat + t["number"]
    (c,) = opening.sums(mesh, "truncate", [masked + ROOM if leads else masked])
    top, step = c >> np.uint64(63), np.uint64(63 - shift)
    carry = t["top"] - ((top * t["top"]) << np.uint64(1))
    z = (carry << step) - t["high"]
    if leads:
        below = (c & np.uint64(2**63 - 1)) >> np.uint64(shift)
        z += below + (top << step) - (ROOM >> np.uint64(shift))
    return _share(mesh, z.reshape(x.shape), fraction_bits)


def _check(mesh: Mesh, *shares: Share) -> None:
    for share in shares:
        if (share.party, share.parties) != (mesh.names.index(mesh.me), len(mesh.names)):
            raise KeyMismatch(f"a share of party {share.party} of {share.parties} in {mesh.names}")


def _check_inside(rows: Words, columns_: Words) -> None:
    if rows.ndim > 2 or rows.shape[1] != len(columns_):
        raise ConfigError(f"a matrix product of {rows.shape} and {columns_.shape}")


def _matrix(words: Words) -> Words:
    if not 1 <= words.ndim <= 2:
        raise ConfigError(f"a factor is a matrix or a vector, not {words.shape}")
    return words[:, None] if words.ndim == 1 else words


def _rows(triples: Triples, fixed_: Fixed, count: int) -> tuple[Words, Words]:
    t = triples.against(fixed_, count).take()
    return t["a"], t["c"]


def _product(mesh: Mesh, d: Words, e: Words, b: Words, a: Words, c: Words) -> Words:
    """A share of (d + a) (e + b), where the shares of c are without each party's own a b.

    Each party adds (d + its a) (e + its b), one product where Beaver's form takes two. Of n parties
    together that has d e n times, so each takes n - 1 times its part of the rows of d e off. It is
    Beaver's share but for multiples of d e, which all know. What d holds is used up.
    """
    parties, party = len(mesh.names), mesh.names.index(mesh.me)
    mine = slice(len(d) * party // parties, len(d) * (party + 1) // parties)
    surplus = np.uint64(parties - 1) * ring.matmul(d[mine], e)
    d += a
    z = ring.matmul(d, e + b)
    z += c
    z[mine] -= surplus
    return z


def _joined(parts: list[Words]) -> Words:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _share(mesh: Mesh, words: Words, fraction_bits: int) -> Share:
    return Share(words, mesh.names.index(mesh.me), len(mesh.names), fraction_bits)
