# SPDX-License-Identifier: Apache-2.0
"""Oblivious evaluation of a pseudorandom function: RFC 9497, suite ristretto255-SHA512.

The evaluator holds a key k, the querier items x; ``r`` is a fresh secret scalar for every item::

    querier                                    evaluator
      OprfParameters    <------------------>   OprfParameters: suite, mode, public key agree
      OprfRequest       -- how many -------->
      for every block of ``BLOCK`` items:
        {r H(x)}        -- OprfBlinded ----->
                        <- OprfEvaluated ---   {k r H(x)}, same order; proof for the block

The output of x is SHA-512 of x and k H(x). Blocks are sent one ahead of the answers. Bytes: 32 an
item each way, and 64 a block for the proof.

**Who learns what.** The querier learns the outputs of its items, the evaluator how many there are.

**Security: malicious querier, malicious evaluator**, each as far as the mode goes. Nothing sent by
the querier depends on its items, whatever the evaluator does. A querier learns the output of one
item for each element it sends. In mode ``VOPRF`` an evaluator that does not use the key of
``public_key`` on every element is found out; in mode ``OPRF`` it is not, and the outputs are then
not those of one key, so it has to be asked for. What the mathematics rests on is in
``primitives.oprf``. Limit what a key answers to all peers together: ``limit`` counts one call.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError, CryptoError, ParameterMismatch, ProtocolError
from mpc.net import columns
from mpc.net.channel import Channel
from mpc.pb.v1 import oprf_pb2 as pb
from mpc.pb.v1.columns_pb2 import Column
from mpc.primitives import oprf
from mpc.primitives.items import Items
from mpc.primitives.oprf import Mode, Query, SecretKey
from mpc.primitives.ristretto import ENCODED_BYTES
from mpc.primitives.rng import SYSTEM, Rng

BLOCK = 1 << 14


def querier(
    channel: Channel,
    items: Any,
    *,
    public_key: bytes = b"",
    mode: Mode = Mode.VOPRF,
    rng: Rng = SYSTEM,
) -> NDArray[np.uint8]:
    """The outputs (n, 64) of ``items`` (whatever ``Items.of`` takes) under the evaluator's key.

    Mode VOPRF needs the evaluator's ``public_key``, had beforehand; a proof that does not fit it
    is a ``ProtocolError``. Mode OPRF takes none.
    """
    if mode is Mode.VOPRF:
        oprf.check_public_key(public_key)
    elif public_key:
        raise ConfigError("mode OPRF proves nothing about a public key: leave it out")
    mine = Items.of(items)
    _agree(channel, mode, public_key)
    channel.send(pb.OprfRequest(count=len(mine)))
    outputs = [np.empty((0, oprf.OUTPUT_BYTES), np.uint8)]
    asked: Query | None = None
    for start in range(0, len(mine), BLOCK):
        block = mine[start : start + BLOCK]
        query = oprf.mask(block, rng) if mode is Mode.VOPRF else oprf.blind(mode, block, rng)
        channel.send(pb.OprfBlinded(elements=columns.pack(query.elements)))
        if mode is Mode.VOPRF:
            query = oprf.ahead(query, public_key)
        if asked is not None:
            outputs.append(_answer(channel, asked, public_key))
        asked = query
    if asked is not None:
        outputs.append(_answer(channel, asked, public_key))
    return np.concatenate(outputs)


def evaluator(channel: Channel, secret: SecretKey, *, limit: int, rng: Rng = SYSTEM) -> int:
    """Answer one querier, up to ``limit`` items; how many it asked for.

    More than ``limit`` is a ``ProtocolError``, before anything is evaluated.
    """
    _agree(channel, secret.mode, secret.public if secret.mode is Mode.VOPRF else b"")
    count = int(channel.recv(pb.OprfRequest).count)
    if count > limit:
        raise ProtocolError(channel.peer, f"asks for {count} evaluations, {limit} are allowed")
    for start in range(0, count, BLOCK):
        blinded = _fetch(channel, channel.recv(pb.OprfBlinded).elements, min(BLOCK, count - start))
        try:
            evaluated, proof = oprf.blind_evaluate(secret, blinded, rng)
        except CryptoError as error:
            raise ProtocolError(channel.peer, f"elements from {start} on: {error}") from None
        channel.send(pb.OprfEvaluated(elements=columns.pack(evaluated), proof=proof))
    return count


def _agree(channel: Channel, mode: Mode, public_key: bytes) -> None:
    ours = pb.OprfParameters(
        suite=oprf.SUITE.decode(), mode=mode, public_key=public_key, block_items=BLOCK
    )
    theirs = channel.exchange(ours)
    for field in ("suite", "mode", "public_key", "block_items"):
        us, them = getattr(ours, field), getattr(theirs, field)
        if us != them:
            raise ParameterMismatch(channel.peer, field, _shown(us), _shown(them))


def _shown(value: Any) -> str:
    return value[:ENCODED_BYTES].hex() if isinstance(value, bytes) else repr(value)[:100]


def _fetch(channel: Channel, column: Column, count: int) -> NDArray[np.uint8]:
    return columns.unpack(column, width=ENCODED_BYTES, peer=channel.peer, count=count)


def _answer(channel: Channel, query: Query, public_key: bytes) -> NDArray[np.uint8]:
    """The outputs of one block."""
    message = channel.recv(pb.OprfEvaluated)
    elements = _fetch(channel, message.elements, len(query.items))
    try:
        return oprf.finalize(query, elements, message.proof, public_key)
    except CryptoError as error:
        raise ProtocolError(channel.peer, f"evaluations: {error}") from None
