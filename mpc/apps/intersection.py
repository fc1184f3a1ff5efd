# SPDX-License-Identifier: Apache-2.0
"""Two-party intersection by whichever protocol is the faster one for the sizes at hand.

    both     SetSize    exchanged
    small sets          protocols.psi_dh: Diffie-Hellman, no set-up, some 20 µs an item
    all others          protocols.psi: OKVS and silent vector OLE, some 15 ms and 0.5 µs an item

``SMALL`` is where the two take the same time, measured between two threads of one machine (1,000
and 1,000 items: 23 ms and 30 ms; 2,000 and 2,000: 39 ms and 31 ms); processes and networks move it
little, since both send a few dozen bytes an item in a few rounds.

Learns: the receiver, which of its items the sender holds; both, the number of the other's items.
Semi-honest, as ``psi_dh`` is: ``psi`` holds against malicious peers as well, and a caller who needs
that for small sets too uses ``psi`` itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.net.channel import Channel
from mpc.pb.v1.intersection_pb2 import SetSize
from mpc.primitives.items import Items
from mpc.primitives.rng import SYSTEM, Rng
from mpc.protocols import psi, psi_dh
from mpc.protocols.psi import Progress

SMALL = 2_500  # items of both sides together


def receiver(
    channel: Channel,
    items: Any,
    *,
    memory: int = psi.MEMORY,
    progress: Progress | None = None,
    rng: Rng = SYSTEM,
) -> NDArray[np.intp]:
    """The rows of ``items`` that the sender holds too, in ascending order.

    ``memory`` and ``progress`` are those of ``psi``; small sets need neither.
    """
    mine = Items.of(items)
    mine.check_distinct()
    small, _ = _agree(channel, len(mine))
    if small:
        return psi_dh.receiver(channel, mine, rng=rng)
    return psi.receiver(channel, mine, memory=memory, progress=progress, rng=rng)


def sender(
    channel: Channel,
    items: Any,
    *,
    memory: int = psi.MEMORY,
    progress: Progress | None = None,
    rng: Rng = SYSTEM,
) -> int:
    """Let the receiver find out which of its items are among ``items``; how many it has."""
    mine = Items.of(items)
    mine.check_distinct()
    small, others = _agree(channel, len(mine))
    if small:
        psi_dh.sender(channel, mine, rng=rng)
    else:
        psi.sender(channel, mine, memory=memory, progress=progress, rng=rng)
    return others


def _agree(channel: Channel, count: int) -> tuple[bool, int]:
    """Whether the protocol is that for small sets, and the peer's size."""
    others = int(channel.exchange(SetSize(items=count)).items)
    return count + others <= SMALL, others
