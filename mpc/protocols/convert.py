# SPDX-License-Identifier: Apache-2.0
"""Between the forms of shares: numbers modulo 2^64 and bits by XOR; n parties, semi-honest.

    to_number      a bit b becomes b in Z_2^64. With a random bit r in both forms (daBit, Rotaru and
                   Wood 2019) the parties open e = b ^ r, and b = e + (1 - 2 e) r. One round.
    to_planes      a number x becomes its 64 bits. With a random word r in both forms (edaBit,
                   Escudero et al., CRYPTO 2020) they open c = x + r and subtract r from it as bits,
                   which takes 6 rounds more.
    from_planes    bits become the number they make: ``to_number`` and a sum. One round.

Learns: nobody anything; what is opened is masked by uniform words that are used once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError
from mpc.kernels import bits, ring
from mpc.net.mesh import Mesh
from mpc.primitives.sharing import Share
from mpc.primitives.xor_sharing import XorShare
from mpc.protocols import boolean, opening
from mpc.protocols.triples import Bits, Numbers, Triples
from mpc.tracing import spanned

Words = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Subtraction:
    """The planes (width, n) of c - r, before borrows: c is public, r is shared."""

    generates: XorShare
    propagates: XorShare

    @property
    def differences(self) -> XorShare:
        """c ^ r, which with the borrows into each plane is c - r."""
        return ~self.propagates


@spanned("to_number")
def to_number(mesh: Mesh, x: XorShare, triples: Triples) -> Share:
    """Zeros and ones (..., n), whole numbers, from bits of that shape. One round, a daBit each."""
    # The bits of a row end in a word of their own, and a mask has no gaps.
    packed = bits.pack(bits.unpack(x.words, x.count).reshape(-1))
    t = triples.draw(Bits(bits.WORD * len(packed))).take()
    (opened,) = opening.xors(mesh, "to_number", [packed ^ t["packed"]])
    count = int(np.prod(x.shape))
    e = bits.unpack(opened, count).astype(np.uint64)
    r = t["number"][:count]
    number = r - ((e * r) << np.uint64(1))
    if mesh.me == mesh.names[0]:
        number += e
    return Share(number.reshape(x.shape), x.party, x.parties)


def to_planes(mesh: Mesh, x: Share, triples: Triples) -> XorShare:
    """The 64 bits of each of x, of any shape with n elements, as planes (64, n), lowest first.

    Two's complement, of the encoded number: fraction bits come first. 7 rounds.
    """
    held = subtraction(mesh, x, triples)
    borrows = boolean.carries(mesh, held.generates, held.propagates, triples)
    return held.differences ^ boolean.moved_up(borrows)


def from_planes(mesh: Mesh, x: XorShare, triples: Triples, *, fraction_bits: int = 0) -> Share:
    """The numbers (n,) that planes (k, n) hold, lowest first, k at most 64; signed if it is 64."""
    if x.words.ndim != 2 or len(x.words) > bits.WORD:
        raise ConfigError(f"planes are (k, n) with k up to 64, not {x.shape}")
    number = to_number(mesh, x, triples)
    weights = np.uint64(1) << np.arange(len(x.words), dtype=np.uint64)
    words = ring.matmul(weights[None, :], number.words)[0]
    return Share(words, x.party, x.parties, fraction_bits)


@spanned("subtraction")
def subtraction(mesh: Mesh, x: Share, triples: Triples, *, width: int = bits.WORD) -> Subtraction:
    """Open c = x + r under a random word r, so that x = c - r is a circuit on bits. One round.

    Where ``width`` low bits of x are enough, r has as many, and c is opened modulo 2^width.
    """
    flat = x.words.reshape(-1)
    t = triples.draw(Numbers(width, len(flat))).take()
    c = bits.planes(opening.residues(mesh, "subtraction", flat + t["number"], width))[:width]
    r = XorShare(bits.planes(t["word"])[:width], len(flat), x.party, x.parties)
    return Subtraction(r & ~c, ~(r ^ c))
