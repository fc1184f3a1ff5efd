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

Many rows times one matrix are cheaper by vector OLE over Z_2^64: one run per entry of the matrix,
which is the sender's factor. The receiver sends its rows minus the run's pseudorandom values::

      delta, b           <- protocols.vole ->   r, c = r * delta + b
                         <-- MatrixCorrection   a - r
      (a - r) * delta - b                       c

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
from mpc.primitives.rng import Rng
from mpc.protocols import vole

Words = NDArray[np.uint64]
Bits = NDArray[np.uint8]

BATCH = 1 << 20
"""Transfers of one run: what bounds memory, at about 100 bytes for each."""

_PACKED = 33
_ROWS_BY_VOLE = 768  # from so many rows on a run of vector OLE is cheaper, as measured
_UP = np.arange(1, 32, dtype=np.uint64)


def bits_sender(channel: Channel, factors: Words, rng: Rng) -> Words:
    """Shares of bit * factor: ``factors`` (n, 1) or (n, 2), one transfer for both of a row."""
    shares = np.empty_like(factors)
    for part in _parts(len(factors), BATCH):
        first, second = _ordered_keys(channel, len(factors[part]), rng)
        width = factors.shape[1]
        message = factors[part] + first[:, :width] - second[:, :width]
        channel.send(pb.MaskedFactors(factors=columns.pack(message.reshape(-1))))
        shares[part] = np.negative(first[:, :width])
    return shares


def bits_receiver(channel: Channel, chosen: Bits, width: int, rng: Rng) -> Words:
    """Shares (n, ``width``) of bit * factor, for this party's bits ``chosen`` (n,)."""
    shares = np.empty((len(chosen), width), np.uint64)
    for part in _parts(len(chosen), BATCH):
        keys = _chosen_keys(channel, chosen[part], rng)[:, :width]
        message = _masked(channel, keys.size).reshape(keys.shape)
        shares[part] = keys + chosen[part, None] * message
    return shares


def words_sender(channel: Channel, factors: Words, rng: Rng) -> Words:
    """Shares (n,) of the products with the receiver's words."""
    shares = np.empty_like(factors)
    for part in _parts(len(factors), BATCH // bits.WORD):
        count = len(factors[part])
        first, second = _ordered_keys(channel, bits.WORD * count, rng)
        zero = first[:, 0].reshape(count, bits.WORD)
        masked = zero - second[:, 0].reshape(count, bits.WORD) + factors[part, None]
        channel.send(pb.MaskedFactors(factors=columns.pack(_packed(masked).reshape(-1))))
        shares[part] = np.negative(_weighed(zero))
    return shares


def words_receiver(channel: Channel, factors: Words, rng: Rng) -> Words:
    """Shares (n,) of the products with the sender's words."""
    shares = np.empty_like(factors)
    for part in _parts(len(factors), BATCH // bits.WORD):
        count = len(factors[part])
        chosen = _bits_of(factors[part])
        keys = _chosen_keys(channel, chosen.reshape(-1), rng)[:, 0].reshape(count, bits.WORD)
        masked = _unpacked(_masked(channel, _PACKED * count).reshape(count, _PACKED))
        shares[part] = _weighed(keys + chosen * masked)
    return shares


def ands_sender(channel: Channel, factors: Words, rng: Rng) -> Words:
    """Shares by XOR of ``factors`` (n,) AND the receiver's words."""
    shares = np.empty_like(factors)
    for part in _parts(len(factors), BATCH // bits.WORD):
        count = bits.WORD * len(factors[part])
        first, second = (_low_bits(keys) for keys in _ordered_keys(channel, count, rng))
        channel.send(pb.MaskedFactors(factors=columns.pack(first ^ second ^ factors[part])))
        shares[part] = first
    return shares


def ands_receiver(channel: Channel, factors: Words, rng: Rng) -> Words:
    """Shares by XOR of ``factors`` (n,) AND the sender's words."""
    shares = np.empty_like(factors)
    for part in _parts(len(factors), BATCH // bits.WORD):
        words = factors[part]
        keys = _low_bits(_chosen_keys(channel, _bits_of(words).reshape(-1), rng))
        shares[part] = keys ^ words & _masked(channel, len(words))
    return shares


def matrix_sender(channel: Channel, matrix: Words, rows: int, rng: Rng) -> Words:
    """Shares (rows, columns) of the receiver's rows times this party's ``matrix``."""
    inside, width = matrix.shape
    if rows < _ROWS_BY_VOLE:
        spread = np.broadcast_to(matrix.T, (rows, width, inside)).reshape(-1)
        return _sums(words_sender(channel, spread, rng), rows, width, inside)
    shares = np.zeros((rows, width), np.uint64)
    for k in range(inside):
        for column in range(width):
            delta = matrix[k, column : column + 1].reshape(())
            _, b = vole.sender(channel, rows, ring=vole.Z64, delta=delta, rng=rng)
            message = channel.recv(pb.MatrixCorrection)
            moved = columns.unpack_uint64(message.words, count=rows, peer=channel.peer)
            shares[:, column] += moved * delta - b
    return shares


def matrix_receiver(channel: Channel, rows: Words, width: int, rng: Rng) -> Words:
    """Shares (rows, ``width``) of this party's ``rows`` times the sender's matrix."""
    count, inside = rows.shape
    if count < _ROWS_BY_VOLE:
        spread = np.repeat(rows[:, None, :], width, axis=1).reshape(-1)
        return _sums(words_receiver(channel, spread, rng), count, width, inside)
    shares = np.zeros((count, width), np.uint64)
    for k in range(inside):
        for column in range(width):
            values, c = vole.receiver(channel, count, ring=vole.Z64, rng=rng)
            channel.send(pb.MatrixCorrection(words=columns.pack(rows[:, k] - values)))
            shares[:, column] += c
    return shares


def _parts(count: int, most: int) -> list[slice]:
    return [slice(start, min(count, start + most)) for start in range(0, count, most)]


def _sums(products: Words, rows: int, width: int, inside: int) -> Words:
    return np.asarray(products.reshape(rows, width, inside).sum(axis=2, dtype=np.uint64))


def _ordered_keys(channel: Channel, count: int, rng: Rng) -> tuple[Words, Words]:
    """The sender's keys (count, 2): those for a bit of 0, and those for 1."""
    keys = vole.transfers_sender(channel, count, rng=rng)
    words = bits.words(count)
    flips = columns.unpack_uint64(
        channel.recv(pb.ChoiceFlips).flips, count=words, peer=channel.peer
    )
    turned = bits.unpack(flips, count).astype(np.uint64)[:, None]
    changes = np.negative(turned) & (keys[:, 0] ^ keys[:, 1])
    return keys[:, 0] ^ changes, keys[:, 1] ^ changes


def _chosen_keys(channel: Channel, chosen: Bits, rng: Rng) -> Words:
    """The receiver's keys (count, 2) for its own bits."""
    choices, keys = vole.transfers_receiver(channel, len(chosen), rng=rng)
    channel.send(pb.ChoiceFlips(flips=columns.pack(bits.pack(choices ^ chosen))))
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
