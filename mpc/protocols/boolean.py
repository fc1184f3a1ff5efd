# SPDX-License-Identifier: Apache-2.0
"""AND, addition and opening of bits shared by XOR, n parties; semi-honest, all but one may collude.

What is linear over GF(2) is local (``primitives.xor_sharing``). An AND takes a round of ``opening``
and a triple of ``triples``: Beaver (CRYPTO 1991) over GF(2), 64 bits to a word, with the openings
x ^ a and y ^ b, and c = a & b.

Learns: what is opened is masked by bits that are uniform and used once, so nobody learns anything
but what is revealed. Sizes and the order of operations are public.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError
from mpc.kernels import bits
from mpc.net import columns
from mpc.net.mesh import Mesh
from mpc.pb.v1 import arith_pb2 as pb
from mpc.primitives.xor_sharing import XorShare
from mpc.protocols import opening
from mpc.protocols.triples import Ands, Triples
from mpc.tracing import spanned

Words = NDArray[np.uint64]


def reveal(mesh: Mesh, x: XorShare, *, to: str | None = None) -> NDArray[np.uint8] | None:
    """The bits of x as zeros and ones, at all parties, or at ``to`` alone. One round."""
    # What stands behind the last bit is left over from masks and belongs to nobody.
    words = np.ascontiguousarray(x.words)
    if x.count % bits.WORD:
        words = words.copy()
        words[..., -1] &= np.uint64((1 << x.count % bits.WORD) - 1)
    if to is None:
        (total,) = opening.xors(mesh, "reveal", [words])
        return bits.unpack(total, x.count)
    flat = words.reshape(-1)
    if to != mesh.me:
        mesh.channel(to).send(pb.HandedShares(words=columns.pack(flat)))
        return None
    for name, message in mesh.gather(pb.HandedShares).items():
        flat = flat ^ columns.unpack_uint64(message.words, count=len(flat), peer=name)
    return bits.unpack(flat.reshape(words.shape), x.count)


def both(mesh: Mesh, x: XorShare, y: XorShare, triples: Triples) -> XorShare:
    """x AND y, of one shape. One round, one bit of a triple each."""
    return ands(mesh, [(x, y)], triples)[0]


def ands(
    mesh: Mesh, pairs: Sequence[tuple[XorShare, XorShare]], triples: Triples
) -> list[XorShare]:
    """The ANDs of many pairs, each of one shape, all in one round."""
    if not pairs:
        return []
    for x, y in pairs:
        x.require_like(y)
        if x.words.shape != y.words.shape:
            raise ConfigError(f"an AND of {x.shape} and {y.shape}")
    u = _joined([x.words.reshape(-1) for x, _ in pairs])
    v = _joined([y.words.reshape(-1) for _, y in pairs])
    t = triples.draw(Ands(len(u))).take()
    d, e = opening.xors(mesh, "ands", [u ^ t["a"], v ^ t["b"]])
    leads = mesh.me == mesh.names[0]
    z = bits.and_step(t["c"], d, t["b"], e, t["a"], leads=leads)
    ends = np.cumsum([x.words.size for x, _ in pairs])[:-1]
    return [
        replace(x, words=part.reshape(x.words.shape))
        for part, (x, _) in zip(np.split(z, ends), pairs, strict=True)
    ]


def either(mesh: Mesh, x: XorShare, y: XorShare, triples: Triples) -> XorShare:
    """x OR y. One round."""
    return x ^ y ^ both(mesh, x, y, triples)


@spanned("all_of")
def all_of(mesh: Mesh, x: XorShare, triples: Triples) -> XorShare:
    """The AND over the first axis of x (k, ..., n), k at least 1, in log2 k rounds."""
    if not len(x.words):
        raise ConfigError("an AND of no bits")
    while len(x.words) > 1:
        half = len(x.words) // 2
        paired = both(mesh, x[:half], x[half : 2 * half], triples)
        x = replace(x, words=np.concatenate([paired.words, x.words[2 * half :]]))
    return x[0]


@spanned("carry")
def carry(mesh: Mesh, generates: XorShare, propagates: XorShare, triples: Triples) -> XorShare:
    """The carry out of the last of k planes (k, n), in log2 k rounds, with at most 2 k ANDs.

    Plane i makes a carry of its own where it ``generates`` (never where it also propagates), and
    passes one on where it ``propagates``. Neighbours are merged until one is left: the upper one's
    carry, or the lower one's where the upper passes it on (Ladner and Fischer 1980).
    """
    while len(generates.words) > 1:
        odd = len(generates.words) % 2  # the lowest plane waits for its turn
        lower, upper = slice(odd, None, 2), slice(odd + 1, None, 2)
        g, p = generates[upper], propagates[upper]
        through, passed = ands(mesh, [(p, generates[lower]), (p, propagates[lower])], triples)
        generates = _onto(generates[:odd], g ^ through)
        propagates = _onto(propagates[:odd], passed)
    return generates[0]


def add(mesh: Mesh, x: XorShare, y: XorShare, triples: Triples) -> XorShare:
    """Planes of x + y modulo 2^k, from the planes (k, n) of both, lowest first.

    1 + log2 k rounds with the prefix network of Sklansky (1960), k (1 + log2 k) ANDs.
    """
    generates, propagates = both(mesh, x, y, triples), x ^ y
    return propagates ^ moved_up(carries(mesh, generates, propagates, triples))


@spanned("carry")
def carries(mesh: Mesh, generates: XorShare, propagates: XorShare, triples: Triples) -> XorShare:
    """The carries out of each of k planes (k, n), in log2 k rounds; arguments as ``carry``."""
    g, p = generates.words.copy(), propagates.words.copy()
    places, step = np.arange(len(g)), 1
    while step < len(g):
        upper = places[(places & step) != 0]
        lower = (upper & ~(step - 1)) - 1  # the last of the block below
        passing = replace(generates, words=p[upper])
        through, passed = ands(
            mesh,
            [
                (passing, replace(generates, words=g[lower])),
                (passing, replace(generates, words=p[lower])),
            ],
            triples,
        )
        g[upper] ^= through.words
        p[upper] = passed.words
        step *= 2
    return replace(generates, words=g)


def moved_up(out: XorShare) -> XorShare:
    """Planes (k, n), each one place higher: the carries out of all as the carries into the next."""
    moved = np.zeros_like(out.words)
    moved[1:] = out.words[:-1]
    return replace(out, words=moved)


def _onto(lowest: XorShare, others: XorShare) -> XorShare:
    return replace(others, words=np.concatenate([lowest.words, others.words]))


def _joined(parts: list[Words]) -> Words:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
