# SPDX-License-Identifier: Apache-2.0
"""Two-party intersection by whichever protocol is the faster one for the sizes at hand.

    both     SetSize    exchanged: |X| or |Y|, and what counts as small here
    small sets          protocols.psi_dh: Diffie-Hellman, no set-up, the same for every item
    all others          protocols.psi: OKVS and silent vector OLE, a set-up and little an item
    sets with a bound   protocols.psi

``small`` says up to how many items of both sides together the first takes less time. Each side
sends what it is for its own kernels, and the smaller one counts, so that both choose alike. By
``python -m benchmarks intersection``, CPU of both sides for as many items on each (with AVX-512
IFMA: time, between two threads):

    items of a side      psi_dh    psi        and they meet at, items of both
    AVX-512   1,000       23 ms    30 ms
              2,000       39 ms    31 ms      2,500
    AVX2        250       58 ms    57 ms
                800      174 ms    60 ms        490
    portable    400      1.1 s    2.2 s
              1,600      4.3 s    2.2 s       1,630

Learns: the receiver, which of its items the sender holds; both, the number of the other's items, or
the public bound that it shows in its place (``pad_to``): then neither a SetSize nor what follows
depends on the number. Semi-honest, as ``psi_dh`` is: ``psi`` holds against malicious peers as well,
and a caller who needs that for small sets too uses ``psi`` itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc import kernels
from mpc.errors import ParameterMismatch
from mpc.net.channel import Channel
from mpc.pb.v1.intersection_pb2 import SetSize
from mpc.primitives.items import Items
from mpc.primitives.rng import SYSTEM, Rng
from mpc.protocols import psi, psi_dh
from mpc.protocols.psi import Progress
from mpc.protocols.psi.agreement import shown

_SMALL = {"wide": 2_500, "narrow": 480, "portable": 1_600}


def small() -> int:
    """Up to how many items of both sides together ``psi_dh`` takes less time on these kernels."""
    if kernels.backend() == "portable":
        return _SMALL["portable"]
    return _SMALL["wide" if kernels.wide() else "narrow"]


def receiver(
    channel: Channel,
    items: Any,
    *,
    pad_to: int | None = None,
    peer_bound: int | None = None,
    memory: int = psi.MEMORY,
    progress: Progress | None = None,
    rng: Rng = SYSTEM,
) -> NDArray[np.intp]:
    """The rows of ``items`` that the sender holds too, in ascending order.

    ``pad_to`` is the public bound that the sender sees in place of their number, ``peer_bound`` the
    one that it has to show. ``memory`` and ``progress`` are those of ``psi``; small sets need
    neither. Raises, before anything is sent, DataError for items that are null or repeat, and
    ConfigError for more than ``pad_to``; ParameterMismatch for another bound than ``peer_bound``.
    """
    mine = Items.of(items)
    mine.check_distinct()
    few, others = _agree(channel, len(mine), pad_to, peer_bound)
    if few:
        return psi_dh.receiver(channel, mine, rng=rng)
    return psi.receiver(
        channel,
        mine,
        pad_to=pad_to,
        peer_bound=others,
        memory=memory,
        progress=progress,
        rng=rng,
    )


def sender(
    channel: Channel,
    items: Any,
    *,
    pad_to: int | None = None,
    peer_bound: int | None = None,
    memory: int = psi.MEMORY,
    progress: Progress | None = None,
    rng: Rng = SYSTEM,
) -> int:
    """Let the receiver find out which of its items are among ``items``; for how many of its items,
    or for which bound, the protocol was run. The rest is as for ``receiver``.

    That number is the protocol's, and not what the receiver says beforehand: ``psi_dh`` evaluates
    so many items and no more, and ``psi`` has stores of that size, with room for 1.3 times as many
    of a receiver that lies (more where they are few, see there).
    """
    mine = Items.of(items)
    mine.check_distinct()
    few, others = _agree(channel, len(mine), pad_to, peer_bound)
    if few:
        return psi_dh.sender(channel, mine, rng=rng)
    psi.sender(
        channel,
        mine,
        pad_to=pad_to,
        peer_bound=others,
        memory=memory,
        progress=progress,
        rng=rng,
    )
    return others


def _agree(
    channel: Channel, count: int, pad_to: int | None, peer_bound: int | None
) -> tuple[bool, int]:
    """Whether the protocol is that for small sets, and the size that the peer says it has, which
    the other protocol holds it to."""
    size = shown(count, pad_to)
    # The protocol for small sets tells how many there are, so none is small that has a bound.
    own = small() if pad_to is None else 0
    theirs = channel.exchange(SetSize(items=size, small=own))
    others = int(theirs.items)
    if peer_bound not in (None, others):
        raise ParameterMismatch(channel.peer, "pad_to", str(peer_bound), str(others))
    return size + others <= min(own, theirs.small), others
