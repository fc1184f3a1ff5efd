# SPDX-License-Identifier: Apache-2.0
"""Products of two parties' private numbers, as sums of a share each; semi-honest.

Random oblivious transfers (``protocols.vole``, silent) give the sender two keys and the receiver
one of them, chosen by a random bit. Gilboa, "Two Party RSA Key Generation" (CRYPTO 1999, section
4.1): with keys K_0 and K_1, as the receiver's bit has ordered them, and the sender's factor x::

    sender                                      receiver
                         <-- ChoiceFlips ---    random choices XOR its bits
      x + K_0 - K_1      --- MaskedFactors -->  K_bit + bit * that
      its share: -K_0                           its share: bit * x + K_0

A product of words is the sum over the bits of the receiver's: 2^i times (x times bit i). Of that
x counts modulo 2^(64 - i) only, so bits i and 64 - i share a word of the message, which is 33 words
rather than 64. Products of packed bits are the same with XOR and keys of one bit.

Many rows times one matrix are cheaper by vector OLE (``matrices``).

Learns: nobody anything; the counts are public. The transfers are secure against malicious parties,
what is built on them here is not: a party may use other factors than it should, unnoticed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpc.kernels import bits, ring
from mpc.net import columns
from mpc.net.channel import Channel
from mpc.pb.v1 import triples_pb2 as pb
from mpc.protocols import vole
from mpc.protocols.triples.partners import Partner

Words = NDArray[np.uint64]
Bits = NDArray[np.uint8]

_PACKED = 33
_UP = np.arange(1, 32, dtype=np.uint64)


def bits_sender(partner: Partner, factors: Words) -> Words:
    """Shares of bit * factor: ``factors`` (n, 1) or (n, 2), one transfer for both of a row."""
    shares = np.empty_like(factors)
    for part in _parts(len(factors), partner.batch):
        first, second = ordered_keys(partner, len(factors[part]))
        width = factors.shape[1]
        message = factors[part] + first[:, :width] - second[:, :width]
        partner.channel.send(pb.MaskedFactors(factors=columns.pack(message.reshape(-1))))
        shares[part] = np.negative(first[:, :width])
    return shares


def bits_receiver(partner: Partner, chosen: Bits, width: int) -> Words:
    """Shares (n, ``width``) of bit * factor, for this party's bits ``chosen`` (n,)."""
    shares = np.empty((len(chosen), width), np.uint64)
    for part in _parts(len(chosen), partner.batch):
        keys = chosen_keys(partner, chosen[part])[:, :width]
        message = _masked(partner.channel, keys.size).reshape(keys.shape)
        shares[part] = keys + chosen[part, None] * message
    return shares


def words_sender(partner: Partner, factors: Words) -> Words:
    """Shares (n,) of the products with the receiver's words."""
    shares = np.empty_like(factors)
    for part in _parts(len(factors), partner.batch // bits.WORD):
        count = len(factors[part])
        first, second = ordered_keys(partner, bits.WORD * count)
        zero = first[:, 0].reshape(count, bits.WORD)
        masked = zero - second[:, 0].reshape(count, bits.WORD) + factors[part, None]
        partner.channel.send(pb.MaskedFactors(factors=columns.pack(_packed(masked).reshape(-1))))
        shares[part] = np.negative(_weighed(zero))
    return shares


def words_receiver(partner: Partner, factors: Words) -> Words:
    """Shares (n,) of the products with the sender's words."""
    shares = np.empty_like(factors)
    for part in _parts(len(factors), partner.batch // bits.WORD):
        count = len(factors[part])
        chosen = _bits_of(factors[part])
        keys = chosen_keys(partner, chosen.reshape(-1))[:, 0].reshape(count, bits.WORD)
        masked = _unpacked(_masked(partner.channel, _PACKED * count).reshape(count, _PACKED))
        shares[part] = _weighed(keys + chosen * masked)
    return shares


def ands_sender(partner: Partner, factors: Words) -> Words:
    """Shares by XOR of ``factors`` (n,) AND the receiver's words."""
    shares = np.empty_like(factors)
    for part in _parts(len(factors), partner.batch // bits.WORD):
        count = bits.WORD * len(factors[part])
        first, second = (_low_bits(keys) for keys in ordered_keys(partner, count))
        partner.channel.send(pb.MaskedFactors(factors=columns.pack(first ^ second ^ factors[part])))
        shares[part] = first
    return shares


def ands_receiver(partner: Partner, factors: Words) -> Words:
    """Shares by XOR of ``factors`` (n,) AND the sender's words."""
    shares = np.empty_like(factors)
    for part in _parts(len(factors), partner.batch // bits.WORD):
        words = factors[part]
        keys = _low_bits(chosen_keys(partner, _bits_of(words).reshape(-1)))
        shares[part] = keys ^ words & _masked(partner.channel, len(words))
    return shares


def _parts(count: int, most: int) -> list[slice]:
    return [slice(start, min(count, start + most)) for start in range(0, count, most)]


def ordered_keys(partner: Partner, count: int) -> tuple[Words, Words]:
    """The sender's keys (count, 2): those for a bit of 0, and those for 1."""
    channel, bases = partner.channel, partner.sending()
    keys = vole.transfers_sender(channel, count, bases=bases, rng=partner.rng)
    words = bits.words(count)
    flips = columns.unpack_uint64(
        channel.recv(pb.ChoiceFlips).flips, count=words, peer=channel.peer
    )
    turned = np.negative(bits.unpack(flips, count).astype(np.uint64))
    first, second = keys[:, 0], keys[:, 1]
    changes = first ^ second
    changes &= turned[:, None]
    first ^= changes
    second ^= changes
    return first, second


def chosen_keys(partner: Partner, chosen: Bits) -> Words:
    """The receiver's keys (count, 2) for its own bits."""
    choices, keys = vole.transfers_receiver(
        partner.channel, len(chosen), bases=partner.receiving(), rng=partner.rng
    )
    partner.channel.send(pb.ChoiceFlips(flips=columns.pack(bits.pack(choices ^ chosen))))
    return keys


def _masked(channel: Channel, count: int) -> Words:
    message = channel.recv(pb.MaskedFactors)
    return columns.unpack_uint64(message.factors, count=count, peer=channel.peer)


def _bits_of(words: Words) -> Bits:
    """The bits (n, 64) of words (n,)."""
    return bits.unpack(np.ascontiguousarray(words).reshape(-1, 1), bits.WORD)


def _low_bits(keys: Words) -> Words:
    return bits.pack((keys[:, 0] & np.uint64(1)).astype(np.uint8))


def _weighed(columns_: Words) -> Words:
    """The sum over i of 2^i times column i."""
    return ring.matmul(columns_, np.uint64(1) << np.arange(bits.WORD, dtype=np.uint64))


def _packed(masked: Words) -> Words:
    """64 words, of which word i counts modulo 2^(64 - i), in 33."""
    out = masked[:, :_PACKED].copy()
    out[:, 1:32] = (out[:, 1:32] << _UP) >> _UP
    out[:, 1:32] |= masked[:, 63:32:-1] << (np.uint64(64) - _UP)
    return out


def _unpacked(packed: Words) -> Words:
    """The inverse of ``_packed``, up to what does not count."""
    out = np.empty((len(packed), bits.WORD), np.uint64)
    out[:, :_PACKED] = packed
    out[:, 63:32:-1] = packed[:, 1:32] >> (np.uint64(64) - _UP)
    return out
