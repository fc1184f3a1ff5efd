# SPDX-License-Identifier: Apache-2.0
"""Vector oblivious linear evaluation with sublinear communication ("silent"); malicious.

The sender holds delta and b, the receiver a and c, all pseudorandom, with c = a * delta + b in each
place. Boyle et al., "Compressing Vector OLE" (CCS 2018, eprint 2019/273) and "Efficient Two-Round
OT Extension and Silent Non-Interactive Secure Computation" (CCS 2019, eprint 2019/1159)::

    sender                                             receiver
      TransferChoices          <- one round ->           TransferKey           protocols.ot
                               <-- CorrelatedRows ---    for its secret points, values, and a mask
      PuncturedTrees           --- t log(2n/t) * 32 B ->                       vole.points
                               <-- TreeChallenge ----    and the seed of the code
      TreeAnswer               --- hash ------------->   compares
      compress(leaves)                                   compress(leaves), compress(values)

The receiver picks t points and values. From correlated rows under delta come the sender's shares
of each value times delta, and the transfers that puncture the trees, whose leaves are then shares
of a sparse vector times delta. Both compress them with the matrix of an LPN-friendly code; which,
with how many points, and the security estimate: ``primitives.lpn``. Few values are cheaper without
trees: then the rows of the second message are all there is.

One implementation for five rings: ``BITS`` (a in GF(2): correlated OT), ``NIBBLES``, ``WORDS`` and
``BLOCKS`` (a a polynomial of degree below 4, 64 or 128 over GF(2)), all with products in GF(2^128)
modulo X^128 + X^7 + X^2 + X + 1 (``kernels.gf128``), and ``Z64``: all modulo 2^64. A word of
``WORDS`` is the low half of an element. These 2^64 elements are a space over GF(2), not a subfield:
sums of values are values, products are not, and all that is done here is sums. In ``BITS`` and
``NIBBLES`` a is also the lowest bits of c, where b has zeros and delta the bits of one
(``Ring.fitted``), so that the receiver compresses once.

For ``Z64`` the trees are made with a delta of their own in GF(2^128), and checked as they are. Then
leaves are hashed to words, and three more messages check the products modulo 2^64 (``products``).

Learns: nobody anything but its own output; the count and the ring are public. A **malicious** party
that deviates is caught with probability at least 1 - 2^-40 (``Z64``; 1 - 2^-120 in the others), or
has only chosen its own output; but the receiver may guess b bits of delta, and the sender sets that
hold the receiver's points, each at the risk of an abort where the guess is wrong. A caught cheat is
a ProtocolError, and delta must then go with the session. Neither checks that the other's delta or
values are uniform; the receiver does check the bits that ``Ring.fitted`` sets, since its a is made
with them.

**semi-honest** (``lazy_sender`` and ``lazy_receiver`` alone, where the caller says so): challenge
and answer are left out, and the code is named by a hash of the messages before the trees. So the
receiver's a waits for nothing of the sender's but its base transfers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError
from mpc.net.channel import Channel
from mpc.primitives.rng import SYSTEM, Rng, uint64
from mpc.protocols import ot
from mpc.protocols.vole import fields, integers
from mpc.protocols.vole.rings import BITS, BLOCKS, NIBBLES, WORDS, Z64, Ring

__all__ = [
    "BITS",
    "BLOCKS",
    "NIBBLES",
    "WORDS",
    "Z64",
    "Ring",
    "lazy_receiver",
    "lazy_sender",
    "receiver",
    "sender",
    "transfers_receiver",
    "transfers_sender",
]

Words = NDArray[np.uint64]
Bits = NDArray[np.uint8]
Security = Literal["malicious", "semi-honest"]

_LABEL = b"mpc:v1:vole\0"


def sender(
    channel: Channel,
    count: int,
    *,
    ring: Ring = BLOCKS,
    delta: Words | None = None,
    bases: ot.SenderBases | None = None,
    rng: Rng = SYSTEM,
) -> tuple[Words, Words]:
    """(delta, b): uint64 (2,) and (count, 2); for ``Z64``, () and (count,).

    ``delta`` is uniform when not given, but for the bits that ``Ring.fitted`` sets. ``bases`` of an
    earlier run, with their delta, spare a run base transfers of its own; ``Z64`` takes none. Raises
    ProtocolError when the receiver deviates, ConfigError for a delta that is not of the ring.
    """
    factor, b = lazy_sender(channel, count, ring=ring, delta=delta, bases=bases, rng=rng)
    return factor, b()


def receiver(
    channel: Channel,
    count: int,
    *,
    ring: Ring = BLOCKS,
    bases: ot.ReceiverBases | None = None,
    rng: Rng = SYSTEM,
) -> tuple[Words | Bits, Words]:
    """(a, c): c uint64 (count, 2), or (count,) for ``Z64``; a as the ring has it.

    That is uint8 (count,) for ``BITS``, uint64 (count, 2) for ``BLOCKS``, and (count,) for the
    others. Raises ProtocolError when the sender deviates.
    """
    a, c = lazy_receiver(channel, count, ring=ring, bases=bases, rng=rng)
    return a, c()


def lazy_sender(
    channel: Channel,
    count: int,
    *,
    ring: Ring = BLOCKS,
    delta: Words | None = None,
    bases: ot.SenderBases | None = None,
    security: Security = "malicious",
    rng: Rng = SYSTEM,
) -> tuple[Words, Callable[[], Words]]:
    """As ``sender``, but b is computed by the call of what is returned for it, once: the exchange
    is over, so what does not need b can be sent before. Both sides ask for the same ``security``;
    ``Z64`` is malicious only."""
    checked = _checked(ring, security)
    factor = _factor(ring, bases.delta if bases is not None else delta, rng)
    if _nothing(count):
        return factor, lambda: np.empty((0,) if ring.modular else (0, 2), np.uint64)
    if ring.modular:
        words = integers.sender(channel, count, factor, rng)
        return factor, lambda: words
    return factor, fields.sender(channel, count, ring, factor, rng, bases, checked=checked)[0]


def lazy_receiver(
    channel: Channel,
    count: int,
    *,
    ring: Ring = BLOCKS,
    bases: ot.ReceiverBases | None = None,
    security: Security = "malicious",
    rng: Rng = SYSTEM,
) -> tuple[Words | Bits, Callable[[], Words]]:
    """As ``receiver``, but c is computed by the call of what is returned for it, once.

    With ``security="semi-honest"`` that call also awaits the sender's trees, unless a is inside c:
    nothing of the sender's went into a, so what is masked with it can be sent before.
    """
    checked = _checked(ring, security)
    if _nothing(count):
        shape = (0, 2) if ring == BLOCKS else (0,)
        empty = np.empty(shape, np.uint8 if ring == BITS else np.uint64)
        return empty, lambda: np.empty((0,) if ring.modular else (0, 2), np.uint64)
    if ring.modular:
        a, c = integers.receiver(channel, count, rng)
        return a, lambda: c
    return fields.receiver(channel, count, ring, rng, bases, checked=checked)[:2]


def transfers_sender(
    channel: Channel, count: int, *, bases: ot.SenderBases | None = None, rng: Rng = SYSTEM
) -> Words:
    """Random oblivious transfer: uint64 (count, 2, 2), both keys of each, [transfer, choice].

    ``bases`` of an earlier run, for a delta whose lowest bit is 1, spare it transfers of its own.
    """
    if _nothing(count):
        return np.empty((0, 2, 2), np.uint64)
    delta = _factor(BITS, None if bases is None else bases.delta, rng)
    compress, session = fields.sender(channel, count, BITS, delta, rng, bases)
    rows = compress()
    session = _transfer_session(session)
    return np.stack([ot.pads(rows, session), ot.pads(rows ^ delta, session)], axis=1)


def transfers_receiver(
    channel: Channel, count: int, *, bases: ot.ReceiverBases | None = None, rng: Rng = SYSTEM
) -> tuple[Bits, Words]:
    """Random oblivious transfer: random choices uint8 (count,), and the keys (count, 2) chosen."""
    if _nothing(count):
        return np.empty(0, np.uint8), np.empty((0, 2), np.uint64)
    choices, compress, session = fields.receiver(channel, count, BITS, rng, bases)
    return choices.astype(np.uint8), ot.pads(compress(), _transfer_session(session))


def _checked(ring: Ring, security: Security) -> bool:
    if security not in ("malicious", "semi-honest") or (ring.modular and security != "malicious"):
        raise ConfigError(f"there is no vector OLE over {ring.name} for security {security!r}")
    return security == "malicious"


def _nothing(count: int) -> bool:
    if count < 0:
        raise ConfigError(f"a vector OLE has a count of at least 0, not {count}")
    return count == 0


def _factor(ring: Ring, delta: Words | None, rng: Rng) -> Words:
    shape = () if ring.modular else (2,)
    if delta is None:
        drawn = uint64(rng, shape)
        return drawn if ring.modular else ring.fitted(drawn)
    if delta.dtype != np.uint64 or delta.shape != shape:
        raise ConfigError(
            f"delta for {ring.name} is uint64 {shape}, not {delta.dtype} {delta.shape}"
        )
    if not ring.modular and not np.array_equal(delta, ring.fitted(delta)):
        raise ConfigError(f"delta for {ring.name} has bits that are not as Ring.fitted sets them")
    return delta


def _transfer_session(session: bytes) -> bytes:
    """Keys the pads of the output apart from those that the trees used."""
    return hashlib.sha256(_LABEL + b"transfers" + session).digest()
