# SPDX-License-Identifier: Apache-2.0
"""Shares of the sines and cosines of a sum of private angles; semi-honest.

The angle of all is the sum of the parties' angles, so its e^(ik angle) is the product of theirs.
The first party's is its own; then each party in its turn multiplies what those before it hold by
its own, a number of ``fraction_bits`` f, by oblivious transfer as in ``products``: for each bit of
its cosine and of its sine, one transfer of both parts of a share, from everyone before it.

Nothing is rounded on the way: n factors have n f fraction bits, and shares are taken modulo 2^(64 +
(n - 1) f) or more, in words of 64 bits. At the end each party drops the last (n - 1) f bits of its
share. What the sum of the shares has above the modulus is then a multiple of 2^64, and vanishes: so
this cannot fail, for any number of parties. It rounds each share down, by at most a unit, half of
which is added back.

Error: a factor is off by half a unit 2^-f in each part, so their product by n / sqrt(2) units;
with the n shares rounded, at most **1.25 n units** in each sine and cosine (``ERROR_UNITS``).
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from mpc.kernels import aes, bits
from mpc.net import columns
from mpc.pb.v1 import triples_pb2 as pb
from mpc.protocols.triples import products
from mpc.protocols.triples.kinds import Sines, turns
from mpc.protocols.triples.partners import Partner

Words = NDArray[np.uint64]
Bits = NDArray[np.uint8]

ERROR_UNITS = 1.25
"""For each party, of 2^-fraction_bits."""

_TRANSFERS = 1 << 18
_ONE = np.uint64(1)


def length(parties: int, fraction_bits: int) -> int:
    """Words of a share."""
    return bits.words(bits.WORD + (parties - 1) * fraction_bits)


def own(kind: Sines, angle: Words, words: int) -> Words:
    """A party's e^(ik angle) as long numbers (words, 2, count * frequencies), cosines first."""
    parts = np.stack(turns(kind, angle)[::-1]).reshape(2, -1)
    sign = np.asarray(parts.view(np.int64) >> 63).view(np.uint64)
    return np.stack([parts, *[sign] * (words - 1)])


def sender(partner: Partner, kind: Sines, held: Words) -> Words:
    """This party's new share: of ``held``, its share so far, times the receiver's factors."""
    out = np.empty_like(held)
    for part in _parts(kind, held.shape[2]):
        real, imaginary = held[:, 0, part], held[:, 1, part]
        # For the bits of the cosines, then for those of the sines.
        by = np.stack(
            [np.stack([real, imaginary], 1), np.stack([_negative(imaginary), real], 1)], 2
        )
        count = by[0, 0].size * _width(kind)
        zero, one = (
            _expanded(keys, len(held), partner.sending().transcript).reshape(
                len(held), 2, 2, -1, _width(kind)
            )
            for keys in products.ordered_keys(partner, count)
        )
        message = _sum(_sum(by[..., None], zero), _negative(one))
        partner.channel.send(pb.MaskedFactors(factors=columns.pack(message.reshape(-1))))
        out[:, :, part] = _negative(_weighed(zero))
    return out


def receiver(partner: Partner, kind: Sines, factors: Words, words: int) -> Words:
    """This party's share of the sender's share times its own ``factors``, as of ``own``."""
    channel, out = partner.channel, np.empty((words, 2, factors.shape[2]), np.uint64)
    for part in _parts(kind, factors.shape[2]):
        chosen = _bits(factors[0, :, part], _width(kind))
        keys = products.chosen_keys(partner, chosen.reshape(-1))
        pads = _expanded(keys, words, partner.receiving().transcript)
        shape = (words, 2, *chosen.shape)
        message = columns.unpack_uint64(
            channel.recv(pb.MaskedFactors).factors, count=pads.size, peer=channel.peer
        )
        masks: Words = np.negative(chosen.astype(np.uint64))
        taken: Words = masks & message.reshape(shape)
        out[:, :, part] = _weighed(_sum(pads.reshape(shape), taken))
    return out


def total(shares: list[Words]) -> Words:
    """The sum of long numbers."""
    out = shares[0]
    for share in shares[1:]:
        out = _sum(out, share)
    return out


def cut(kind: Sines, held: Words, parties: int, *, leads: bool) -> tuple[Words, Words]:
    """Sines and cosines (count, frequencies) at the scale of ``kind``, from a share of products."""
    shift = (parties - 1) * kind.fraction_bits
    if leads:
        half = np.zeros_like(held)
        at, up = divmod(shift - 1, bits.WORD)
        # Half a unit for each party; the sum of them may carry into the next word.
        for _ in range(parties):
            half[at] = _ONE << np.uint64(up)
            held = _sum(held, half)
    first, down = divmod(shift, bits.WORD)
    out = held[first] >> np.uint64(down)
    if down:
        out |= held[first + 1] << np.uint64(bits.WORD - down)
    cosines, sines = out.reshape(2, kind.count, kind.frequencies)
    return sines, cosines


def _width(kind: Sines) -> int:
    """Bits of a factor from -1 to 1, with its sign."""
    return kind.fraction_bits + 2


def _parts(kind: Sines, count: int) -> list[slice]:
    most = max(1, _TRANSFERS // (2 * _width(kind)))
    return [slice(start, min(count, start + most)) for start in range(0, count, most)]


def _bits(numbers: Words, width: int) -> Bits:
    return np.ascontiguousarray(
        bits.unpack(np.ascontiguousarray(numbers)[..., None], bits.WORD)[..., :width]
    )


def _expanded(keys: Words, words: int, session: bytes) -> Words:
    """Keys (n, 2) as pads (words, 2, n): two long numbers each."""
    pads = [aes.correlation_robust(_schedule(word, session), keys) for word in range(words)]
    return np.ascontiguousarray(np.stack(pads).transpose(0, 2, 1))


def _schedule(word: int, session: bytes) -> Words:
    label = b"mpc:v1:triples:sines\0" + bytes((word,)) + session
    return aes.schedule(hashlib.sha256(label).digest()[: aes.KEY_BYTES])


def _weighed(terms: Words) -> Words:
    """The sum over the last axis of 2^i times term i, and over the one for cosines and sines.

    ``terms`` is (words, 2, 2, n, width), [word, part, cosine or sine, number, bit]; the last bit of
    two's complement counts as negative.
    """
    width = terms.shape[-1]
    acc = _negative(terms[..., width - 1])
    for bit in reversed(range(width - 1)):
        acc = _sum(_sum(acc, acc), terms[..., bit])
    return _sum(acc[:, :, 0], acc[:, :, 1])


def _sum(x: Words, y: Words) -> Words:
    """Long numbers (words, ...) added modulo 2^(64 words)."""
    out = np.empty(np.broadcast_shapes(x.shape, y.shape), np.uint64)
    carry = np.zeros(out.shape[1:], np.uint64)
    for word in range(len(out)):
        low = x[word] + y[word]
        out[word] = low + carry
        carry = ((low < x[word]) | (out[word] < low)).astype(np.uint64)
    return out


def _negative(x: Words) -> Words:
    one = np.zeros_like(x)
    one[0] = 1
    return _sum(np.asarray(~x, np.uint64), one)
