# SPDX-License-Identifier: Apache-2.0
"""Between additive shares of two parties and Paillier ciphertexts; semi-honest.

Shares u (of the key's owner) and v add up to x + 2^62 modulo 2^64, once 2^62 was added to v. For
|x| < 2^62 the sum is below 2^63, so u + v wraps around 2^64 just where the top bit of u or of v is
set: two clear ones leave no wrap, two set ones make one, and with one of each the top bit of the
sum, which is clear, must have been carried out of. So::

    key_owner                                    holder
      Enc(u), Enc(u as signed)  ------------->   top bit of v clear: Enc(u as signed) + v - 2^62
                                                 top bit of v set:   Enc(u) + v - 2^64 - 2^62

gives Enc(x) exactly, with no chance of failure. The way back takes a mask of the holder's,
128 bits longer than the number, so that the sum is within 2^-128 of one that is independent of it::

    key_owner                                    holder of Enc(x), |x| <= bound
      decrypts              <-----------------   Enc(x + mask), rerandomised
      share: that mod 2^64                       share: -mask mod 2^64

Learns: nobody anything but the count; the holder sees ciphertexts under the owner's key, which
carries a proof that it is well formed, the owner sees masked numbers. A lying owner or holder
changes the result, as it can with its own share.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError, InvalidKey, ProtocolError
from mpc.net import columns
from mpc.net.channel import Channel
from mpc.pb.v1 import arith_pb2 as pb
from mpc.primitives import paillier
from mpc.primitives.rng import SYSTEM, Rng, below
from mpc.primitives.sharing import Share

ROOM = 1 << 62
MASK_MARGIN_BITS = 128
_WORD = 1 << 64


def encrypt_owner(
    channel: Channel, x: Share, secret: paillier.SecretKey, *, rng: Rng = SYSTEM
) -> None:
    """Give the holder Enc(x). The encoded numbers of x (n,) must be below 2^62 in size."""
    _check(x)
    twice = np.stack([x.words.astype(object), x.words.view(np.int64).astype(object)])
    ciphertexts = secret.encrypt(twice, rng=rng)
    channel.send(
        pb.EncryptedShares(
            public_key=secret.public.to_bytes(), ciphertexts=columns.pack(ciphertexts.to_array())
        )
    )


def encrypt_holder(channel: Channel, x: Share) -> paillier.Ciphertexts:
    """Get Enc(x), with the scale of x and a bound of 2^62, under the key of the other party.

    It was computed on, so it is rerandomised before it is sent anywhere. Raises ProtocolError for a
    key that fails its checks and for what is no ciphertext.
    """
    _check(x)
    message = channel.recv(pb.EncryptedShares)
    try:
        public = paillier.PublicKey.from_bytes(message.public_key)
    except InvalidKey as error:
        raise ProtocolError(channel.peer, f"sent a key that fails its checks: {error}") from None
    width, count = public.ciphertext_bytes, len(x)
    array = columns.unpack(message.ciphertexts, width=width, count=2 * count, peer=channel.peer)
    theirs = paillier.Ciphertexts.from_array(
        public, array, shape=(2, count), bound=_WORD, peer=channel.peer
    )
    v = x.words + np.uint64(ROOM)
    top = (v >> np.uint64(63)).astype(np.intp)
    chosen = theirs[1 - top, np.arange(count)]
    result: paillier.Ciphertexts = chosen + (v.astype(object) - top.astype(object) * _WORD - ROOM)
    return replace(result, fraction_bits=x.fraction_bits, bound=ROOM)


def decrypt_owner(
    channel: Channel, count: int, secret: paillier.SecretKey, *, fraction_bits: int = 0
) -> Share:
    """This party's share (count,) of what the holder has encrypted; it is party 0 of the two."""
    column = channel.recv(pb.MaskedCiphertexts).ciphertexts
    width = secret.public.ciphertext_bytes
    array = columns.unpack(column, width=width, count=count, peer=channel.peer)
    masked = paillier.Ciphertexts.from_array(secret.public, array, peer=channel.peer)
    return Share(_words(secret.decrypt_residues(masked)), 0, 2, fraction_bits)


def decrypt_holder(
    channel: Channel, ciphertexts: paillier.Ciphertexts, *, rng: Rng = SYSTEM
) -> Share:
    """This party's share (n,) of the numbers in ``ciphertexts`` (n,); it is party 1 of the two.

    Raises EncodingOverflow where the numbers and their masks might not fit the key.
    """
    if ciphertexts.ndim != 1 or ciphertexts.packing or ciphertexts.bound is None:
        raise ConfigError("takes a vector of ciphertexts with a bound, one number in each")
    room = (2 * ciphertexts.bound + 1) << MASK_MARGIN_BITS
    masks = below(rng, room, len(ciphertexts))
    # Above the bound no sum is negative, so it does not wrap around n.
    lifted = np.array([mask + ciphertexts.bound for mask in masks], object)
    hidden = replace(ciphertexts, fraction_bits=0) + lifted
    array = hidden.rerandomized(rng=rng).to_array()
    channel.send(pb.MaskedCiphertexts(ciphertexts=columns.pack(array)))
    return Share(np.negative(_words(lifted.tolist())), 1, 2, ciphertexts.fraction_bits)


def _words(numbers: list[int]) -> NDArray[np.uint64]:
    return np.array([number % _WORD for number in numbers], np.uint64)


def _check(x: Share) -> None:
    if x.parties != 2 or len(x.shape) != 1:
        raise ConfigError(f"takes shares (n,) of two parties, not {x.shape} of {x.parties}")
