# SPDX-License-Identifier: Apache-2.0
"""Correlations that the computing parties make among themselves, by oblivious transfer and vector
OLE between every two of them (``products``, ``matrices``, ``sines``); semi-honest, any number may
collude.

Each party draws its shares of the free arrays. What follows from them is a sum of what each party
computes alone and of products of two parties' numbers. With parties i < j, i always the sender:

    products, squares, ands     a_i b_j + a_j b_i for every two
    against                     (rows of i) (matrix of j), and the other way; with a holder, the
                                rows of the holder times the first party's matrix
    bits in both forms          [x ^ b] = [x] + b - 2 [x] b, one party's bits b after the other's,
                                where [x] b takes a product with every party that holds a share
    selections                  the same, and [(x ^ b) a] = [x a] + b [a - 2 x a]
    numbers, truncations        64 bits in both forms, of which the rest are sums
    sines                       one party's angle after the other's

A share of a square or of a bit has the lowest bit of what the party drew itself. With two parties
that tells nothing: who opens one has the sum and its own share. Among three or more, every two add
and take off a pseudorandom share of zero (``seeds.zero``), so that the shares of all parties but
one are uniform, whatever else of the correlation is opened.

Before each batch all parties say what they are about to make (``CorrelationRequest``), and stop
with ParameterMismatch where that is not the same.

Learns: a party nothing of what others hold, even together with all parties but one; sizes and kinds
are public. A pair makes 128 base transfers once, and then takes 1 silent transfer for a bit, 2 for
a bit of ands or a selection, 64 for a number or a truncation, 128 for a product, 64 for a square,
and 2 (f + 2) for a sine with its cosine of f fraction bits. A party that deviates makes what it
gets wrong, unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mpc.errors import ConfigError, ParameterMismatch
from mpc.kernels import bits, ring
from mpc.net import columns
from mpc.net.mesh import Mesh
from mpc.pb.v1 import triples_pb2 as pb
from mpc.primitives.rng import SEED_BYTES, SYSTEM, Prg, Rng, uint64
from mpc.protocols import seeds
from mpc.protocols.triples import Maker, Triples, kinds, matrices, products, sines
from mpc.protocols.triples.kinds import Arrays, Kind, Words
from mpc.protocols.triples.partners import Partner
from mpc.tracing import ThreadPool

_LARGEST = {kinds.Truncations: 1 << 14, kinds.Sines: 1 << 14}
_OTHERS = 1 << 20  # at most so many of one kind in a batch: it bounds memory

_ROWS_BY_VOLE = 256  # from so many rows on a run of vector OLE is cheaper, as measured


def source(mesh: Mesh, *, rng: Rng = SYSTEM) -> Triples:
    """Triples made with the other parties of ``mesh`` when they are prepared or drawn.

    Raises ConfigError where there is no other party.
    """
    maker: Maker = _Pairwise(mesh, rng)
    return Triples(maker)


class _Pairwise:
    """Makes correlations over ``mesh``, and remembers this party's shares of fixed operands."""

    __slots__ = ("_mesh", "_operands", "_partners", "_rng", "_seeds", "_turn")

    def __init__(self, mesh: Mesh, rng: Rng) -> None:
        if not mesh.peers:
            raise ConfigError("correlations are made by at least two parties")
        self._mesh = mesh
        # Expanded from a seed: large batches would wait for the system's generator.
        self._rng = Prg(rng.bytes(SEED_BYTES))
        self._turn = mesh.names.index(mesh.me)
        self._partners = {
            name: Partner(
                mesh.channel(name),
                Prg(rng.bytes(SEED_BYTES)),
                first=self._turn < mesh.names.index(name),
                partners=len(mesh.peers),
            )
            for name in mesh.peers
        }
        self._operands: dict[int, Words] = {}
        self._seeds: seeds.Seeds | None = None

    def close(self, *, failed: bool = False) -> None:
        """There is nobody to tell."""

    def make(self, kind: Kind) -> Arrays:
        kind = kinds.whole(kind, min(kind.count, _most(kind)))
        self._agree(kind)
        made = self._made(kind)
        if len(self._mesh.names) == 2:
            return made
        if self._seeds is None:
            self._seeds = seeds.agree(self._mesh, rng=self._rng)
        for field in kind.fields():
            if not (field.free or field.xor or field.held):
                made[field.name] = made[field.name] + self._seeds.zero(made[field.name].shape)
        return made

    def _made(self, kind: Kind) -> Arrays:
        if isinstance(kind, kinds.Numbers | kinds.Truncations):
            return self._from_bits(kind)
        if isinstance(kind, kinds.Against) and self._draws_rows(kind):
            # Its rows are random, so they may as well be those that come out of vector OLE.
            b = self._operands[kind.number]
            a, shares = _both_ways(next(iter(self._partners.values())), kind.count, b)
            return {"a": a, "c": shares}
        free = {
            field.name: uint64(self._rng, kinds.shape(kind, field))
            if field.held_by(self._turn)
            else kinds.absent(kind, field)
            for field in kind.fields()
            if field.free
        }
        if isinstance(kind, kinds.Against) and kind.holder:
            return self._between(kind, free)
        return free | self._rest(kind, free)

    def _rest(self, kind: Kind, free: Arrays) -> Arrays:
        """What follows from the free arrays."""
        rest: Arrays = {}
        match kind:
            case kinds.Products():
                rest = {"c": self._products(free["a"], free["b"])}
            case kinds.Squares():
                rest = {"c": self._squares(free["a"])}
            case kinds.Ands():
                rest = {"c": self._ands(free["a"], free["b"])}
            case kinds.Bits():
                rest = {"number": self._bits(free["packed"])}
            case kinds.Selections():
                rest = self._selections(free["packed"], free["a"])
            case kinds.Sines():
                rest = self._sines(kind, free["angle"])
            case kinds.Operand(number=number):
                self._operands[number] = free["b"][0]
            case kinds.Against(number=number):
                rest = self._against(free["a"], self._operands[number])
        return rest

    def _agree(self, kind: Kind) -> None:
        """Stop where another party makes something else, which might fit and be wrong."""
        mine = kinds.request(kind)
        for name, theirs in self._mesh.exchange(mine).items():
            if theirs != mine:
                raise ParameterMismatch(name, "correlation", str(kind), kinds.told(theirs))

    def _each(self, work: Callable[[Partner], Words]) -> list[Words]:
        """What ``work`` gives with every partner; with all at once."""
        return self._with(list(self._partners.values()), work)

    @staticmethod
    def _with(partners: list[Partner], work: Callable[[Partner], Words]) -> list[Words]:
        if len(partners) < 2:
            return [work(partner) for partner in partners]
        with ThreadPool(len(partners)) as pool:
            return list(pool.map(work, partners))

    def _products(self, a: Words, b: Words) -> Words:
        return np.asarray(a * b + _total(self._each(lambda partner: _cross(partner, a, b))))

    def _squares(self, a: Words) -> Words:
        def cross(partner: Partner) -> Words:
            role = products.words_sender if partner.first else products.words_receiver
            return role(partner, a)

        return np.asarray(a * a + np.uint64(2) * _total(self._each(cross)))

    def _ands(self, a: Words, b: Words) -> Words:
        def cross(partner: Partner) -> Words:
            if partner.first:
                shares = products.ands_sender(partner, np.concatenate([a, b]))
            else:
                shares = products.ands_receiver(partner, np.concatenate([b, a]))
            return shares[: len(a)] ^ shares[len(a) :]

        return np.asarray(a & b ^ np.bitwise_xor.reduce(self._each(cross)))

    def _against(self, a: Words, b: Words) -> Arrays:
        """Without a @ b, as ``Against`` says."""
        (count, inside), width = a.shape, b.shape[1]
        if 0 in (count, inside, width):
            return {"c": np.zeros((count, width), np.uint64)}
        if count < _ROWS_BY_VOLE:
            left = np.repeat(a[:, None, :], width, axis=1).reshape(-1)
            right = np.broadcast_to(b.T, (count, width, inside)).reshape(-1)
            spread = _total(self._each(lambda partner: _cross(partner, left, right)))
            return {"c": _summed(spread.reshape(count, width, inside))}

        def corrected(partner: Partner) -> Words:
            return _corrected(partner, a, b)

        return {"c": _total(self._each(corrected))}

    def _between(self, kind: kinds.Against, free: Arrays) -> Arrays:
        """Rows that the holder knows, and their products with the first party's matrix."""
        count, inside, width = kind.count, kind.rows, kind.columns
        share: Words = np.broadcast_to(np.uint64(0), (count, width))
        if self._turn not in (0, kind.holder) or 0 in (count, inside, width):
            return free | {"c": share}
        partner = self._partners[self._mesh.names[kind.holder - self._turn]]
        few, matrix = count < _ROWS_BY_VOLE, self._operands[kind.number]
        if self._turn == 0:
            if not few:
                return free | {"c": matrices.sender(partner, matrix, count)}
            spread = np.broadcast_to(matrix.T, (count, width, inside)).reshape(-1)
            share = products.words_sender(partner, spread)
        else:
            if not few:
                # Its rows are random, so they may as well be those that come out of vector OLE.
                rows, share = matrices.receiver(partner, inside, width, count)
                return {"a": rows, "c": share}
            spread = np.repeat(free["a"][:, None, :], width, axis=1).reshape(-1)
            share = products.words_receiver(partner, spread)
        return free | {"c": _summed(share.reshape(count, width, inside))}

    def _draws_rows(self, kind: kinds.Against) -> bool:
        """Whether vector OLE with the one other party gives the rows as well."""
        large = kind.count >= _ROWS_BY_VOLE and kind.rows and kind.columns
        return bool(large) and not kind.holder and len(self._partners) == 1

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
            partners = [p for p in self._partners.values() if later or not p.first]
            width = shares.shape[1]
            theirs = self._with(partners, lambda p: products.bits_receiver(p, mine, width))
            return _total([mine[:, None] * shares, *theirs])
        if turn < self._turn and not later:
            return np.zeros_like(shares)
        return products.bits_sender(self._partners[self._mesh.names[turn]], shares)

    def _sines(self, kind: kinds.Sines, angle: Words) -> Arrays:
        parties = len(self._mesh.names)
        words = sines.length(parties, kind.fraction_bits)
        factors = sines.own(kind, angle, words)
        held = factors
        if self._turn:
            before = [p for p in self._partners.values() if not p.first]
            held = sines.total(
                self._with(before, lambda p: sines.receiver(p, kind, factors, words))
            )
        for name in self._mesh.names[self._turn + 1 :]:
            held = sines.sender(self._partners[name], kind, held)
        sine, cosine = sines.cut(kind, held, parties, leads=self._turn == 0)
        return {"sine": sine, "cosine": cosine}

    def _from_bits(self, kind: kinds.Numbers | kinds.Truncations) -> Arrays:
        width = kind.width if isinstance(kind, kinds.Numbers) else bits.WORD
        word = uint64(self._rng, kind.count)
        used = bits.unpack(word[:, None], width).reshape(-1)
        number = self._bits(bits.pack(used))[: len(used)].reshape(kind.count, width)
        weights = np.uint64(1) << np.arange(width, dtype=np.uint64)
        total = ring.matmul(number, weights)
        if isinstance(kind, kinds.Numbers):
            return {"word": word, "number": total}
        high = ring.matmul(
            np.ascontiguousarray(number[:, kind.shift : 63]), weights[: 63 - kind.shift]
        )
        return {"number": total, "high": high, "top": number[:, 63].copy()}


def _most(kind: Kind) -> int:
    if isinstance(kind, kinds.Against):
        return matrices.most_rows(max(1, kind.rows))
    if isinstance(kind, kinds.Numbers):
        return _OTHERS // kind.width
    return _LARGEST.get(type(kind), _OTHERS)


def _cross(partner: Partner, a: Words, b: Words) -> Words:
    """Shares of this party's a times the partner's b, and the other way, place by place."""
    if partner.first:
        shares = products.words_sender(partner, np.concatenate([a, b]))
    else:
        shares = products.words_receiver(partner, np.concatenate([b, a]))
    return shares[: len(a)] + shares[len(a) :]


def _both_ways(partner: Partner, count: int, b: Words) -> tuple[Words, Words]:
    """Rows (count, inside), and shares of these times the partner's b and of its rows times b."""
    inside, width = b.shape
    if partner.first:
        sent = matrices.sender(partner, b, count)
        rows, received = matrices.receiver(partner, inside, width, count)
    else:
        rows, received = matrices.receiver(partner, inside, width, count)
        sent = matrices.sender(partner, b, count)
    return rows, sent + received


def _corrected(partner: Partner, a: Words, b: Words) -> Words:
    """As ``_both_ways``, for given rows: each tells its own minus its pseudorandom ones."""
    channel = partner.channel
    rows, shares = _both_ways(partner, len(a), b)
    channel.send(pb.MatrixCorrection(rows=columns.pack(a - rows)))
    moved = columns.unpack(
        channel.recv(pb.MatrixCorrection).rows,
        width=8 * a.shape[1],
        count=len(a),
        peer=channel.peer,
    )
    return shares + ring.matmul(moved.view("<u8").astype(np.uint64), b)


def _summed(products_: Words) -> Words:
    return np.asarray(products_.sum(axis=2, dtype=np.uint64))


def _total(shares: list[Words]) -> Words:
    return np.asarray(np.sum(np.stack(shares), axis=0, dtype=np.uint64))
