# SPDX-License-Identifier: Apache-2.0
"""Correlations that the computing parties make among themselves, by oblivious transfer and vector
OLE between every two of them (``products``); semi-honest, any number may collude.

Each party draws its shares of the free arrays. What follows from them is a sum of what each party
computes alone and of products of two parties' numbers. With parties i < j, i always the sender:

    products, squares, ands     a_i b_j + a_j b_i for every two
    against                     (rows of i) (matrix of j), and the other way
    bits in both forms          [x ^ b] = [x] + b - 2 [x] b, one party's bits b after the other's,
                                where [x] b takes a product with every party that holds a share
    selections                  the same, and [(x ^ b) a] = [x a] + b [a - 2 x a]
    numbers, truncations        64 bits in both forms, of which the rest are sums

Learns: a party nothing of what others hold, even together with all parties but one. Per pair it
takes 1 silent transfer for a bit, 2 for a bit of ands or a selection, 64 for a number or a
truncation, 128 for a product, and 64 for a square.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from mpc.kernels import bits, ring
from mpc.net.channel import Channel
from mpc.net.mesh import Mesh
from mpc.primitives.rng import SEED_BYTES, SYSTEM, Prg, Rng, uint64
from mpc.protocols.triples import Maker, Triples, kinds, products
from mpc.protocols.triples.kinds import (
    Against,
    Ands,
    Arrays,
    Bits,
    Kind,
    Numbers,
    Operand,
    Products,
    Selections,
    Squares,
    Truncations,
    Words,
)

_LARGEST = {Numbers: 1 << 14, Truncations: 1 << 14}
_OTHERS = 1 << 20  # at most so many of one kind in a batch: it bounds memory

Pair = Callable[[Channel, bool, Rng], Words]
"""What two parties do: over their channel, whether this one is the sender, randomness; a share."""


def source(mesh: Mesh, *, rng: Rng = SYSTEM) -> Triples:
    """Triples made with the other parties of ``mesh`` when they are prepared or drawn."""
    maker: Maker = _Pairwise(mesh, rng)
    return Triples(maker)


class _Pairwise:
    """Makes correlations over ``mesh``, and remembers this party's shares of fixed operands."""

    __slots__ = ("_mesh", "_operands", "_rng", "_turn")

    def __init__(self, mesh: Mesh, rng: Rng) -> None:
        self._mesh = mesh
        self._rng = rng
        self._turn = mesh.names.index(mesh.me)
        self._operands: dict[int, Words] = {}

    def close(self) -> None:
        """There is nobody to tell."""

    def make(self, kind: Kind) -> Arrays:
        kind = kinds.whole(kind, min(kind.count, _LARGEST.get(type(kind), _OTHERS)))
        if isinstance(kind, Numbers | Truncations):
            return self._from_bits(kind)
        free = self._free(kind)
        return free | self._rest(kind, free)

    def _rest(self, kind: Kind, free: Arrays) -> Arrays:
        """What follows from the free arrays."""
        rest: Arrays = {}
        match kind:
            case Products():
                rest = {"c": self._products(free["a"], free["b"])}
            case Squares():
                rest = {"c": self._squares(free["a"])}
            case Ands():
                rest = {"c": self._ands(free["a"], free["b"])}
            case Bits():
                rest = {"number": self._bits(free["packed"])}
            case Selections():
                rest = self._selections(free["packed"], free["a"])
            case Operand(number=number):
                self._operands[number] = free["b"][0]
            case Against(number=number):
                rest = {"c": self._against(free["a"], self._operands[number])}
        return rest

    def _free(self, kind: Kind) -> Arrays:
        return {
            field.name: uint64(self._rng, kinds.shape(kind, field))
            for field in kind.fields()
            if field.free
        }

    def _each(self, work: Pair) -> list[Words]:
        """What ``work`` gives with every peer; with all at once, each with its own randomness."""
        rngs = [Prg(self._rng.bytes(SEED_BYTES)) for _ in self._mesh.peers]
        turns = [self._mesh.names.index(name) for name in self._mesh.peers]
        channels = [self._mesh.channel(name) for name in self._mesh.peers]
        sends = [self._turn < turn for turn in turns]
        with ThreadPoolExecutor(len(channels)) as pool:
            return list(pool.map(work, channels, sends, rngs))

    def _products(self, a: Words, b: Words) -> Words:
        def cross(channel: Channel, sends: bool, rng: Rng) -> Words:
            if sends:
                shares = products.words_sender(channel, np.concatenate([a, b]), rng)
            else:
                shares = products.words_receiver(channel, np.concatenate([b, a]), rng)
            return shares[: len(a)] + shares[len(a) :]

        return np.asarray(a * b + _total(self._each(cross)))

    def _squares(self, a: Words) -> Words:
        def cross(channel: Channel, sends: bool, rng: Rng) -> Words:
            role = products.words_sender if sends else products.words_receiver
            return role(channel, a, rng)

        return np.asarray(a * a + np.uint64(2) * _total(self._each(cross)))

    def _ands(self, a: Words, b: Words) -> Words:
        def cross(channel: Channel, sends: bool, rng: Rng) -> Words:
            if sends:
                shares = products.ands_sender(channel, np.concatenate([a, b]), rng)
            else:
                shares = products.ands_receiver(channel, np.concatenate([b, a]), rng)
            return shares[: len(a)] ^ shares[len(a) :]

        return np.asarray(a & b ^ np.bitwise_xor.reduce(self._each(cross)))

    def _against(self, a: Words, b: Words) -> Words:
        rows, width = len(a), b.shape[1]

        def cross(channel: Channel, sends: bool, rng: Rng) -> Words:
            if sends:
                mine = products.matrix_sender(channel, b, rows, rng)
                return mine + products.matrix_receiver(channel, a, width, rng)
            mine = products.matrix_receiver(channel, a, width, rng)
            return mine + products.matrix_sender(channel, b, rows, rng)

        return np.asarray(ring.matmul(a, b) + _total(self._each(cross)))

    def _bits(self, packed: Words) -> Words:
        mine = bits.unpack(packed, bits.WORD * len(packed))
        number = np.zeros((len(mine), 1), np.uint64)
        for turn in range(len(self._mesh.names)):
            share = self._times(turn, mine, number, later=False)
            number = number - np.uint64(2) * share
            if turn == self._turn:
                number += mine[:, None]
        return number[:, 0]

    def _selections(self, packed: Words, a: Words) -> Arrays:
        mine = bits.unpack(packed, bits.WORD * len(packed))
        number, product = np.zeros_like(a), np.zeros_like(a)
        for turn in range(len(self._mesh.names)):
            rest = a - np.uint64(2) * product
            share = self._times(turn, mine, np.stack([number, rest], axis=1), later=True)
            number = number - np.uint64(2) * share[:, 0]
            product = product + share[:, 1]
            if turn == self._turn:
                number += mine
        return {"number": number, "product": product}

    def _times(self, turn: int, mine: bits.Bits, shares: Words, *, later: bool) -> Words:
        """Shares of the product of one party's bits with what all ``shares`` add up to.

        Unless ``later``, the shares of the parties after it are zero, and they take no part.
        """
        if turn == self._turn:
            own = mine[:, None] * shares
            peers = [
                name for name in self._mesh.peers if later or self._mesh.names.index(name) < turn
            ]
            for name in peers:
                own = own + products.bits_receiver(
                    self._mesh.channel(name), mine, shares.shape[1], self._rng
                )
            return own
        if turn < self._turn and not later:
            return np.zeros_like(shares)
        channel = self._mesh.channel(self._mesh.names[turn])
        return products.bits_sender(channel, shares, self._rng)

    def _from_bits(self, kind: Numbers | Truncations) -> Arrays:
        word = uint64(self._rng, kind.count)
        number = self._bits(word).reshape(kind.count, bits.WORD)
        weights = np.uint64(1) << np.arange(bits.WORD, dtype=np.uint64)
        total = ring.matmul(number, weights)
        if isinstance(kind, Numbers):
            return {"word": word, "number": total}
        high = ring.matmul(
            np.ascontiguousarray(number[:, kind.shift : 63]), weights[: 63 - kind.shift]
        )
        return {"number": total, "high": high, "top": number[:, 63].copy()}


def _total(shares: list[Words]) -> Words:
    return np.asarray(np.sum(np.stack(shares), axis=0, dtype=np.uint64))
