# SPDX-License-Identifier: Apache-2.0
"""Which rows of several parties' tables belong together: the ids that all of them hold.

The party that gets the result of the job leads::

    leader                                             followers
      intersection.receiver or  <------------------->    intersection.sender, of a single one;
      psi_many.leader                                    psi_many.follower
      the ids that all of them hold, shuffled
                       ---- CommonIds, in blocks ---->   looks them up

Learns:

* the leader, which of its ids all followers hold, and how many ids each follower has;
* a follower, which of its own ids all parties hold, and how many ids the leader has. When it knows
  the leader's ids by other means, it sees which of them some other party lacks.

What the leader has in common with one of several followers, or two followers with each other, shows
nowhere, not even how much; see ``psi_many`` for what a leader learns that colludes with followers.

Sizes that leak: every table's to its peer, or the public bound that its party shows in its place
(``pad_to``), and the number of common ids to all. The agreed order is
random, so nobody learns in which order the rows stand in another's table.

Semi-honest. A lying leader can leave common ids out, or name ids that it guessed: an id that the
follower does not hold ends the job with ProtocolError, so a leader who is caught at it learns
that one guess was wrong, and one who is not, nothing more than the intersection showed it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mpc.apps import intersection
from mpc.errors import ProtocolError
from mpc.net import columns
from mpc.net.channel import Channel, encode
from mpc.net.mesh import Mesh
from mpc.pb.v1.alignment_pb2 import CommonIds
from mpc.primitives.items import Items
from mpc.primitives.rng import SYSTEM, Rng, permutation
from mpc.protocols import psi_many
from mpc.protocols.psi_many import NO_BOUNDS

BLOCK_IDS = 1 << 16
Positions: TypeAlias = NDArray[np.intp]


def leader(
    mesh: Mesh,
    ids: Any,
    followers: Sequence[str],
    *,
    pad_to: Mapping[str, int] = NO_BOUNDS,
    rng: Rng = SYSTEM,
) -> Positions:
    """The positions, in the leader's ``ids``, of those that all ``followers`` hold too.

    ``ids`` are strings or bytes, in whatever form ``Items.of`` takes. The positions come in the
    agreed order; ``np.sort`` brings back the leader's own. ``pad_to`` has the public bound of each
    party that shows one in place of how many ids it has. Raises, before anything is sent,
    ``DataError`` for an id that is null or there twice and ``ConfigError`` for more than our bound;
    ``ParameterMismatch`` for a party that shows another bound than its own.
    """
    own = Items.of(ids)
    own.check_distinct()

    if len(followers) > 1:
        common = psi_many.leader(mesh, own, followers, pad_to=pad_to, rng=rng)
    elif followers:
        name, mine = followers[0], pad_to.get(mesh.me)
        common = intersection.receiver(
            mesh.channel(name), own, pad_to=mine, peer_bound=pad_to.get(name), rng=rng
        )
    else:
        common = np.arange(len(own))
    agreed = common[permutation(rng, len(common))]
    shuffled = own.take(agreed)
    for start in range(0, max(len(agreed), 1), BLOCK_IDS):
        block = CommonIds(total=len(agreed), ids=_packed(shuffled[start : start + BLOCK_IDS]))
        frame = encode(block)
        for name in followers:
            mesh.channel(name).put(frame)
    return agreed


def follower(
    mesh: Mesh,
    ids: Any,
    leader: str,
    followers: Sequence[str],
    *,
    pad_to: Mapping[str, int] = NO_BOUNDS,
    rng: Rng = SYSTEM,
) -> Positions:
    """The positions, in the follower's ``ids``, of those that all parties hold, in agreed order.

    ``followers`` are all of them, this party included. Raises what ``leader`` does, and
    ``ProtocolError`` when the leader names an id twice, or one that is not here.
    """
    own, channel = Items.of(ids), mesh.channel(leader)
    if len(followers) > 1:
        psi_many.follower(mesh, own, leader, followers, pad_to=pad_to, rng=rng)
    else:
        mine, peers = pad_to.get(mesh.me), pad_to.get(leader)
        intersection.sender(channel, own, pad_to=mine, peer_bound=peers, rng=rng)
    named = _receive(channel, limit=len(own))
    found = pc.index_in(named, value_set=_arrow(own.offsets, own.data))
    if found.null_count:
        raise ProtocolError(
            channel.peer, f"named {found.null_count:,} ids in common that are not in our table"
        )
    positions: Positions = found.to_numpy(zero_copy_only=False).astype(np.intp)
    if len(np.unique(positions)) < len(positions):
        raise ProtocolError(channel.peer, "named an id in common twice")
    return positions


def _packed(block: Items) -> Any:
    first, last = block.offsets[0], block.offsets[-1]
    ends = (block.offsets[1:] - first).astype(np.uint64)
    return columns.ragged_pack(ends, block.data[first:last].tobytes())


def _receive(channel: Channel, *, limit: int) -> pa.Array:
    """All blocks of common ids, of which there are at most ``limit``."""
    first = channel.recv(CommonIds)
    total = first.total
    if total > limit:
        raise ProtocolError(channel.peer, f"named {total:,} ids in common; we have {limit:,}")
    blocks = [_unpacked(channel, first, total)]
    for start in range(BLOCK_IDS, total, BLOCK_IDS):
        message = channel.recv(CommonIds)
        if message.total != total:
            raise ProtocolError(channel.peer, "changed the number of ids in common")
        blocks.append(_unpacked(channel, message, total - start))
    return pa.concat_arrays(blocks)


def _unpacked(channel: Channel, message: CommonIds, rest: int) -> pa.Array:
    count = min(rest, BLOCK_IDS)
    ends, data = columns.ragged_unpack(message.ids, peer=channel.peer, count=count)
    return _arrow(np.concatenate([np.zeros(1, np.uint64), ends]).astype(np.int64), data)


def _arrow(offsets: NDArray[np.int64], data: Any) -> pa.Array:
    """Byte strings as an Arrow array over the same memory."""
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(offsets) - 1, buffers)
