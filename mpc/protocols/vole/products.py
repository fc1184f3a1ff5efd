# SPDX-License-Identifier: Apache-2.0
"""Products modulo 2^64 from correlated rows, and the check that they are of one factor.

Gilboa (CRYPTO 1999): for bit k of a value y the sender's two pads are made to differ by 2^k delta,
so the receiver's sum is the sender's plus y delta. A dishonest sender may use other differences in
some places. Against that, both sides compare ``CHECKS`` sums over random subsets, each masked by a
random product of its own: errors that were fixed before the subsets cancel in all of them with
probability 2^-40 at most. The receiver commits to its sums before it sees the sender's, and opens
them after comparing, so that neither can use the comparison as an oracle: a sender that errs learns
about the receiver's bits only what an abort tells, and a receiver that lies in its combination must
guess what the lie times delta is, and so learns b bits of delta with probability 2^-b, unseen.
Where it guesses wrong it is caught, but the sender's sums have told it delta: so a delta serves
once, unless no other run's results matter after an abort.

    receiver                                          sender
                         <-- WordCorrections --         per row: pad_0 - pad_1 + 2^k delta
      (what uses the products)
      subset sums of y, plus masks; H(nonce, sums) --- WordCheck --->
                         <-- WordSums ---------         its sums, plus delta times those of y
      compares; nonce    --- WordOpening ----->         compares
"""

from __future__ import annotations

import hashlib
import hmac

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ProtocolError
from mpc.kernels import aes
from mpc.net import columns
from mpc.net.channel import Channel
from mpc.pb.v1 import vole_pb2 as pb
from mpc.primitives.rng import Rng
from mpc.protocols import ot
from mpc.protocols.vole.rings import bits_of
from mpc.tracing import spanned

Words = NDArray[np.uint64]

CHECKS = 40
"""Statistical security in bits of the check on the sender."""

VALUE_BITS = 64
NONCE_BYTES = 32
SEED_BYTES = 16
_LABEL = b"mpc:v1:vole:words\0"


@spanned("products")
def sender(
    channel: Channel, correlated: ot.Correlated, first: int, row_delta: Words, delta: Words
) -> Words:
    """From the rows from ``first``: the sender's shares x, one for each 64 rows; sends."""
    rows = correlated.rows[first:]
    zero = ot.pads(rows, correlated.session, first=first)[:, 0]
    one = ot.pads(rows ^ row_delta, correlated.session, first=first)[:, 0]
    scaled = delta << np.arange(VALUE_BITS, dtype=np.uint64)
    differences = (zero - one).reshape(-1, VALUE_BITS) + scaled
    channel.send(pb.WordCorrections(differences=columns.pack(differences.reshape(-1))))
    return sums_of(zero.reshape(-1, VALUE_BITS))


@spanned("products")
def receiver(channel: Channel, correlated: ot.Correlated, first: int, values: Words) -> Words:
    """The receiver's shares z = x + y * delta, for the ``values`` y the rows' bits were made of."""
    pads = ot.pads(correlated.rows[first:], correlated.session, first=first)[:, 0]
    message = channel.recv(pb.WordCorrections)
    differences = columns.unpack_uint64(message.differences, count=len(pads), peer=channel.peer)
    chosen = pads + bits_of(values) * differences
    return sums_of(chosen.reshape(-1, VALUE_BITS))


def sums_of(rows: Words) -> Words:
    """The sum modulo 2^64 of each row."""
    sums: Words = rows.sum(axis=1, dtype=np.uint64)
    return sums


@spanned("check")
def check_receiver(
    channel: Channel, values: Words, shares: Words, masks: Words, mask_shares: Words, rng: Rng
) -> None:
    """Hold that shares = theirs + values * delta, using up ``CHECKS`` masks with their shares."""
    seed, nonce = rng.bytes(SEED_BYTES), rng.bytes(NONCE_BYTES)
    subsets = _subsets(seed, len(values))
    sums = subsets @ shares + mask_shares
    channel.send(
        pb.WordCheck(
            seed=seed,
            combined=columns.pack(subsets @ values + masks),
            commitment=_commitment(nonce, sums),
        )
    )
    theirs = columns.unpack_uint64(channel.recv(pb.WordSums).sums, count=CHECKS, peer=channel.peer)
    if not np.array_equal(theirs, sums):
        raise ProtocolError(channel.peer, "its products modulo 2^64 are not of one factor")
    channel.send(pb.WordOpening(nonce=nonce))


@spanned("check")
def check_sender(channel: Channel, shares: Words, mask_shares: Words, delta: Words) -> None:
    """The other side of ``check_receiver``."""
    message = channel.recv(pb.WordCheck)
    if len(message.seed) != SEED_BYTES:
        raise ProtocolError(channel.peer, f"a seed has {SEED_BYTES} bytes, not {len(message.seed)}")
    combined = columns.unpack_uint64(message.combined, count=CHECKS, peer=channel.peer)
    sums = _subsets(message.seed, len(shares)) @ shares + mask_shares + combined * delta
    channel.send(pb.WordSums(sums=columns.pack(sums)))
    nonce = channel.recv(pb.WordOpening).nonce
    if not hmac.compare_digest(_commitment(nonce, sums), message.commitment):
        raise ProtocolError(channel.peer, "its combination of products is not of its values")


def _subsets(seed: bytes, count: int) -> Words:
    """``CHECKS`` random subsets of ``count`` things, as zeros and ones (CHECKS, count)."""
    blocks = -(-count // 128)
    stream = aes.counter(aes.schedule(seed), CHECKS * blocks).view(np.uint8)
    bits = np.unpackbits(stream.reshape(CHECKS, -1), axis=1, count=count, bitorder="little")
    return bits.astype(np.uint64)


def _commitment(nonce: bytes, sums: Words) -> bytes:
    return hashlib.sha256(_LABEL + nonce + sums.tobytes()).digest()
