# SPDX-License-Identifier: Apache-2.0
"""Opening shares to all parties: from each to each, in one round for each 8 MiB of words.

    every party  Opening (its words, in blocks)  <------>  Opening  every other party

Learns: all parties the sum, or the XOR, of the words; so what is opened is a result or is hidden
under a mask that is uniform and used once. A lying party changes what the others take for the sum,
unnoticed: computing on shares is semi-honest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ProtocolError
from mpc.net import columns
from mpc.net.link import CAPACITY_BYTES
from mpc.net.mesh import Mesh
from mpc.pb.v1 import arith_pb2 as pb
from mpc.tracing import spanned

Words = NDArray[np.uint64]

BLOCK_BYTES = 1 << 20
"""Words of one message."""
AHEAD = CAPACITY_BYTES // 2 // BLOCK_BYTES
"""Messages to all before any is read: a link holds them, so nobody waits for one who sends too."""


def sums(mesh: Mesh, step: str, arrays: Sequence[Words]) -> list[Words]:
    """The sums over the parties of each of ``arrays``, all in one round for each 8 MiB.

    ``step`` is the operation. Raises ProtocolError for a peer that is at another one or sends
    another number of words.
    """
    return together(mesh, step, sums=arrays)[0]


def xors(mesh: Mesh, step: str, arrays: Sequence[Words]) -> list[Words]:
    """The same with XOR for the sum."""
    return together(mesh, step, xors=arrays)[1]


@spanned("opening")
def together(
    mesh: Mesh, step: str, *, sums: Sequence[Words] = (), xors: Sequence[Words] = ()
) -> tuple[list[Words], list[Words]]:
    """Both at once."""
    arrays = [*sums, *xors]
    total = np.concatenate([np.empty(0, np.uint64), *(array.reshape(-1) for array in arrays)])
    added = sum(array.size for array in sums)
    for place, theirs in _exchanged(mesh, step, total):
        own, few = total[place], max(0, added - place.start)
        own[:few] += theirs[:few]
        own[few:] ^= theirs[few:]
    ends = np.cumsum([array.size for array in arrays])[:-1]
    opened = [
        part.reshape(array.shape) for part, array in zip(np.split(total, ends), arrays, strict=True)
    ]
    return opened[: len(sums)], opened[len(sums) :]


@spanned("opening")
def residues(mesh: Mesh, step: str, words: Words, bits: int) -> Words:
    """The sum of ``words`` (n,) over the parties modulo 2^``bits``, of 1 to 64 bits.

    Nothing above those bits is sent, and a number takes 1, 2, 4 or 8 bytes.
    """
    low = np.uint64((1 << bits) - 1)
    size = next(size for size in (1, 2, 4, 8) if bits <= 8 * size)
    total = words & low
    for place, theirs in _exchanged(mesh, step, total.astype(f"<u{size}")):
        total[place] += theirs
    return np.asarray(total & low)


def _exchanged(mesh: Mesh, step: str, words: NDArray[Any]) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Send ``words`` (n,) to all; each party's words at some of these places, until all are here.

    Words go in blocks that stay in the caches while they are written and read. Once they were sent,
    the caller may change them.
    """
    block = BLOCK_BYTES // words.itemsize
    places = [slice(at, at + block) for at in range(0, max(1, len(words)), block)]
    for group in range(0, len(places), AHEAD):
        ahead = places[group : group + AHEAD]
        for place in ahead:
            mesh.broadcast(pb.Opening(step=step), words=words[place])
        for place in ahead:
            for name, message in mesh.gather(pb.Opening).items():
                yield place, _checked(name, step, message, words[place])


def _checked(peer: str, step: str, message: pb.Opening, like: NDArray[Any]) -> NDArray[Any]:
    if message.step != step:
        raise ProtocolError(peer, f"is at the step {message.step[:40]!r}, we are at {step!r}")
    words = columns.unpack(message.words, width=like.itemsize, count=len(like), peer=peer)
    return words.reshape(-1).view(like.dtype)
