# SPDX-License-Identifier: Apache-2.0
"""Oblivious transfer: a base on ristretto255, and correlated rows grown from it; malicious.

**Base** (``sender``, ``receiver``): the one-round protocol of Masny, Rindal, "Endemic Oblivious
Transfer" (CCS 2019, eprint 2019/706, figure 8) with Diffie–Hellman key agreement. Both messages go
at once; c is the receiver's choice in transfer i, and H(i, j, .) hashes to the group::

    sender                                     receiver
      A = a G            --- TransferKey ---->
                         <-- TransferChoices -   r_{1-c} uniform, r_c = b_i G - H(i, c, r_{1-c})
      k_j = KDF(i, j, A, r_0, r_1, a M_j),       k_c = KDF(i, c, A, r_0, r_1, b_i A)
          M_j = r_j + H(i, j, r_{1-j})

Why this one: no setup, one round, and a proof against malicious parties in the random oracle model
from the decisional Diffie–Hellman assumption. One A serves the batch. McQuoid, Rosulek, Roy,
"Batching Base Oblivious Transfers" (ASIACRYPT 2021, eprint 2021/682) show what goes wrong with that
in many libraries, and what it takes: the hash to the group and the key derivation carry the number
of the transfer, so that no message of one transfer serves in another, and the derivation carries
all messages. A dishonest party may choose its own keys ("endemic"); the rows below need no more.

**Correlated rows** (``correlated_sender``, ``correlated_receiver``): Ishai, Kilian, Nissim, Petrank
(CRYPTO 2003), which is the small-field vector OLE of Roy, "SoftSpokenOT" (CRYPTO 2022, eprint
2022/192, section 3.1) with k = 1, and the consistency check of section 4.1 there, which mends the
one of Keller, Orsini, Scholl (CRYPTO 2015; section 4.1.3 says what is wrong with that): a universal
hash applied to every column, its challenge drawn from the message it checks (Fiat–Shamir). The
sender holds delta in GF(2)^128 and w_i, the receiver chosen bits u_i and v_i = w_i + u_i delta::

    sender                                           receiver
      (receiver of 128 base transfers, by delta's bits)
                         <-- CorrelatedRows --         columns u + G(k_0) + G(k_1); hashes of u, v

One set of base transfers (``bases_sender``, ``bases_receiver``) serves any number of runs under one
delta: each run after the first expands keys of its own, hashed from those of the base with the
number of the run, and has its own challenge.

Learns: nobody anything; the number of rows is public. A receiver that uses other bits in some
columns is caught unless it guesses delta in as many places as it cheats in, so it learns b bits of
delta only by risking an abort with probability 1 - 2^-b, as in the paper's functionality.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError, CryptoError, ProtocolError
from mpc.kernels import aes, gf128, transpose
from mpc.net import columns
from mpc.net.channel import Channel
from mpc.pb.v1 import ot_pb2 as pb
from mpc.pb.v1.columns_pb2 import Column
from mpc.primitives import ristretto
from mpc.primitives.items import Items
from mpc.primitives.rng import SYSTEM, Rng, uint64
from mpc.tracing import spanned

Words = NDArray[np.uint64]
Bits = NDArray[np.uint8]

WIDTH = 128
"""Bits of delta, and so base transfers behind any number of correlated rows."""

BLOCK_BYTES = 16
_POINT_BYTES = 32
_LABEL = b"mpc:v1:ot:"


@dataclass(slots=True, repr=False, eq=False)
class SenderBases:
    """128 base transfers by the bits of ``delta`` (2,), behind runs of ``correlated_sender``."""

    delta: Words
    keys: Words
    transcript: bytes
    runs: int = 0

    def __repr__(self) -> str:
        return f"SenderBases({self.runs} runs, <secret>)"


@dataclass(slots=True, repr=False, eq=False)
class ReceiverBases:
    """Both keys (128, 2, 2) of the base transfers, behind runs of ``correlated_receiver``."""

    keys: Words
    transcript: bytes
    runs: int = 0

    def __repr__(self) -> str:
        return f"ReceiverBases({self.runs} runs, <secret>)"


@dataclass(frozen=True, slots=True)
class Correlated:
    """Rows (n, 2) of one party, and 32 bytes that both know and that belong to this run alone."""

    rows: Words
    session: bytes

    def __repr__(self) -> str:
        return f"Correlated({len(self.rows)} rows, <secret>)"


def sender(channel: Channel, count: int, *, rng: Rng = SYSTEM) -> Words:
    """Base transfers, both keys of each: uint64 (count, 2, 2), [transfer, choice, word]."""
    return _send(channel, count, rng)()[0]


def receiver(channel: Channel, choices: Bits, *, rng: Rng = SYSTEM) -> Words:
    """Base transfers, the key for each of ``choices`` (0 or 1): uint64 (n, 2)."""
    return _receive(channel, choices, rng)()[0]


@spanned("bases")
def bases_sender(channel: Channel, delta: Words, *, rng: Rng = SYSTEM) -> SenderBases:
    """What ``correlated_sender`` needs of base transfers, for as many runs as are wanted."""
    return lazy_bases_sender(channel, delta, rng=rng)()


@spanned("bases")
def bases_receiver(channel: Channel, *, rng: Rng = SYSTEM) -> ReceiverBases:
    """The other side of ``bases_sender``."""
    return lazy_bases_receiver(channel, rng=rng)()


def lazy_bases_sender(
    channel: Channel, delta: Words, *, rng: Rng = SYSTEM
) -> Callable[[], SenderBases]:
    """As ``bases_sender``, but the peer's message is awaited by the call of what is returned: ours
    has been sent, and what else does not wait for the peer can be done before."""
    finish = _receive(channel, _unpacked(delta), rng)
    return lambda: SenderBases(delta, *finish())


def lazy_bases_receiver(channel: Channel, *, rng: Rng = SYSTEM) -> Callable[[], ReceiverBases]:
    """The other side of ``lazy_bases_sender``, and likewise."""
    finish = _send(channel, WIDTH, rng)
    return lambda: ReceiverBases(*finish())


@spanned("rows")
def correlated_sender(
    channel: Channel,
    count: int,
    delta: Words,
    *,
    bases: SenderBases | None = None,
    rng: Rng = SYSTEM,
) -> Correlated:
    """``count`` rows w with w + v = u * delta, where the peer holds bits u and rows v.

    ``delta`` is uint64 (2,), that of ``bases`` where they are given. Raises ProtocolError if the
    peer's columns are not of the same bits.
    """
    if bases is None:
        bases = bases_sender(channel, delta, rng=rng)
    if not np.array_equal(delta, bases.delta):
        raise ConfigError("the base transfers are of another delta")
    bits = _unpacked(delta)
    keys, transcript = _of_run(bases)
    message = channel.recv(pb.CorrelatedRows)
    blocks = _column_blocks(count)
    corrections = columns.unpack(
        message.corrections, width=BLOCK_BYTES * blocks, count=WIDTH, peer=channel.peer
    )
    session = _session(transcript, message)
    held = aes.expand_seeds(keys, blocks)
    held[bits == 1] ^= _words(corrections.tobytes(), WIDTH, blocks)[bits == 1]
    tags = columns.unpack(
        message.column_tags, width=BLOCK_BYTES, count=WIDTH, peer=channel.peer
    ).view(np.uint64)
    expected = tags ^ bits[:, None] * _words(_sixteen(channel, message.bits_tag))
    if not np.array_equal(_hashed(held, session), expected):
        raise ProtocolError(channel.peer, "the columns of its correlated rows are inconsistent")
    return Correlated(transpose.rows(np.ascontiguousarray(held[:, 1:]))[:count], session)


@spanned("rows")
def correlated_receiver(
    channel: Channel, bits: Bits, *, bases: ReceiverBases | None = None, rng: Rng = SYSTEM
) -> Correlated:
    """Rows v with v + w = u * delta for the chosen ``bits`` u, where the peer holds delta and w."""
    if bases is None:
        bases = bases_receiver(channel, rng=rng)
    keys, transcript = _of_run(bases)
    blocks = _column_blocks(len(bits))
    chosen = np.zeros((blocks, 2), np.uint64)
    # The first block is uniform, and hides the bits in their hash.
    chosen[0] = uint64(rng, 2)
    chosen[1:].view(np.uint8).reshape(-1)[: -(-len(bits) // 8)] = np.packbits(
        bits, bitorder="little"
    )
    held = aes.expand_seeds(keys[:, 0], blocks)
    corrections = held ^ aes.expand_seeds(keys[:, 1], blocks) ^ chosen
    message = pb.CorrelatedRows(corrections=columns.pack(corrections.reshape(WIDTH, -1)))
    session = _session(transcript, message)
    message.bits_tag = _hashed(chosen[None], session).tobytes()
    message.column_tags.CopyFrom(Column(**columns.pack(_hashed(held, session))))
    channel.send(message)
    return Correlated(transpose.rows(np.ascontiguousarray(held[:, 1:]))[: len(bits)], session)


@spanned("pads")
def pads(rows: Words, session: bytes, *, first: int = 0) -> Words:
    """Rows made into independent one-time pads, tweaked by their number from ``first``: (n, 2).

    The sender's pads of w and of w + delta are the two keys of a random transfer, and the
    receiver's pad of v is the one its bit chose.
    """
    tweaks = np.zeros_like(rows)
    tweaks[:, 0] = np.arange(first, first + len(rows), dtype=np.uint64)
    return aes.tweakable_circular(aes.schedule(session[:BLOCK_BYTES]), rows, tweaks)


def _send(channel: Channel, count: int, rng: Rng) -> Callable[[], tuple[Words, bytes]]:
    """Sends A; what is returned awaits the choices, and makes all keys and the transcript."""
    secret = ristretto.scalar(rng)
    key = ristretto.encode(ristretto.base(secret)).tobytes()
    channel.send(pb.TransferKey(point=key))
    return partial(_all_keys, channel, count, secret, key)


def _all_keys(
    channel: Channel, count: int, secret: ristretto.Scalars, key: bytes
) -> tuple[Words, bytes]:
    message = channel.recv(pb.TransferChoices)
    pairs = columns.unpack(
        message.pairs, width=2 * _POINT_BYTES, count=count, peer=channel.peer
    ).reshape(count, 2, _POINT_BYTES)
    seeds = np.empty((count, 2, 2), np.uint64)
    for choice in range(2):
        masked = _decoded(channel, pairs[:, choice]) + _to_group(choice, pairs[:, 1 - choice])
        shared = ristretto.encode(ristretto.mul(masked, secret))
        seeds[:, choice] = _derived(np.full(count, choice, np.uint8), key, pairs, shared)
    return seeds, _transcript(key, pairs)


def _receive(channel: Channel, choices: Bits, rng: Rng) -> Callable[[], tuple[Words, bytes]]:
    """Sends the choices; what is returned awaits A, and makes the keys and the transcript."""
    count = len(choices)
    if choices.ndim != 1 or np.any(choices > 1):
        raise ConfigError("choices are a vector of zeros and ones")
    secrets = ristretto.scalars(rng, count)
    uniform = np.frombuffer(rng.bytes(64 * count), np.uint8).reshape(count, 64)
    shown = ristretto.encode(ristretto.from_uniform(uniform))
    # Both choices are computed and one is taken, so that no time depends on which.
    bare = ristretto.base(secrets)
    masked = [ristretto.encode(bare - _to_group(choice, shown)) for choice in range(2)]
    first = choices[:, None] == 0
    pairs = np.stack([np.where(first, masked[0], shown), np.where(first, shown, masked[1])], axis=1)
    channel.send(pb.TransferChoices(pairs=columns.pack(pairs.reshape(count, 2 * _POINT_BYTES))))
    return partial(_chosen_keys, channel, choices, secrets, pairs)


def _chosen_keys(
    channel: Channel, choices: Bits, secrets: ristretto.Scalars, pairs: Bits
) -> tuple[Words, bytes]:
    count = len(choices)
    key = channel.recv(pb.TransferKey).point
    if len(key) != _POINT_BYTES:
        raise ProtocolError(channel.peer, f"a point has {_POINT_BYTES} bytes, not {len(key)}")
    point = _decoded(channel, np.frombuffer(key, np.uint8).reshape(1, -1))
    repeated = point[np.zeros(count, np.intp)]
    shared = ristretto.encode(ristretto.mul(repeated, secrets))
    return _derived(choices, key, pairs, shared), _transcript(key, pairs)


def _decoded(channel: Channel, encodings: Bits) -> ristretto.Points:
    try:
        return ristretto.decode(np.ascontiguousarray(encodings))
    except CryptoError as error:
        raise ProtocolError(channel.peer, f"oblivious transfer: {error}") from None


def _to_group(choice: int, encodings: Bits) -> ristretto.Points:
    """H(i, choice, encoding) for each transfer i."""
    numbered = np.empty((len(encodings), 5 + _POINT_BYTES), np.uint8)
    numbered[:, :4] = np.arange(len(encodings), dtype="<u4").view(np.uint8).reshape(-1, 4)
    numbered[:, 4] = choice
    numbered[:, 5:] = encodings
    ends = np.arange(len(numbered) + 1, dtype=np.int64) * numbered.shape[1]
    return ristretto.hash_to_group(Items(numbered.reshape(-1), ends), _LABEL + b"group")


def _derived(choices: Bits, key: bytes, pairs: Bits, shared: Bits) -> Words:
    """KDF(i, choice, A, r_0, r_1, shared point) for each transfer i."""
    digests = [
        hashlib.sha256(
            _LABEL
            + b"key\0"
            + index.to_bytes(4, "little")
            + bytes((choice,))
            + key
            + pair.tobytes()
            + point.tobytes()
        ).digest()[:BLOCK_BYTES]
        for index, (choice, pair, point) in enumerate(
            zip(choices.tolist(), pairs, shared, strict=True)
        )
    ]
    return _words(b"".join(digests), len(choices))


def _transcript(key: bytes, pairs: Bits) -> bytes:
    return hashlib.sha256(_LABEL + b"transcript\0" + key + pairs.tobytes()).digest()


def _of_run(bases: SenderBases | ReceiverBases) -> tuple[Words, bytes]:
    """The keys and the transcript of the next run."""
    run = bases.runs
    bases.runs += 1
    if run == 0:
        return bases.keys, bases.transcript
    tweaks = np.zeros_like(bases.keys)
    tweaks[..., 0] = run
    fixed = aes.schedule(bases.transcript[:BLOCK_BYTES])
    name = _LABEL + b"run\0" + bases.transcript + run.to_bytes(8, "little")
    return aes.tweakable_circular(fixed, bases.keys, tweaks), hashlib.sha256(name).digest()


def _session(transcript: bytes, message: pb.CorrelatedRows) -> bytes:
    """What the challenge and the pads are keyed with: fixed once the corrections are."""
    return hashlib.sha256(_LABEL + b"rows\0" + transcript + message.corrections.data).digest()


def _hashed(held: Words, session: bytes) -> Words:
    """The universal hash (n, 2) of columns (n, blocks, 2): first + sum of chi^b * block b."""
    chi = np.frombuffer(hashlib.sha256(_LABEL + b"challenge\0" + session).digest()[:16], np.uint64)
    if held.shape[1] == 1:
        return held[:, 0].copy()
    powers = gf128.powers(chi, held.shape[1] - 1)
    return held[:, 0] ^ gf128.dots(held[:, 1:], powers)


def _column_blocks(count: int) -> int:
    """Blocks of one column: one that hides, and the rows' bits."""
    return 1 + -(-count // WIDTH)


def _sixteen(channel: Channel, data: bytes) -> bytes:
    if len(data) != BLOCK_BYTES:
        raise ProtocolError(channel.peer, f"expected a tag of {BLOCK_BYTES} bytes, got {len(data)}")
    return data


def _words(data: bytes, *shape: int) -> Words:
    return np.frombuffer(data, np.uint64).reshape(*shape, 2)


def _unpacked(delta: Words) -> Bits:
    return np.unpackbits(np.ascontiguousarray(delta).view(np.uint8), bitorder="little")
