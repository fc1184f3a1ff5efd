# SPDX-License-Identifier: Apache-2.0
"""Opening shares to all parties: one message from each to each, in one round.

    every party  Opening (its words)  <------>  Opening  every other party

Learns: all parties the sum, or the XOR, of the words; so what is opened is a result or is hidden
under a mask that is uniform and used once. A lying party changes what the others take for the sum,
unnoticed: computing on shares is semi-honest.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ProtocolError
from mpc.net import columns
from mpc.net.mesh import Mesh
from mpc.pb.v1 import arith_pb2 as pb

Words = NDArray[np.uint64]


def sums(mesh: Mesh, step: str, arrays: Sequence[Words]) -> list[Words]:
    """The sums over the parties of each of ``arrays``, all in one round.

    ``step`` is the operation. Raises ProtocolError for a peer that is at another one or sends
    another number of words.
    """
    return together(mesh, step, sums=arrays)[0]


def xors(mesh: Mesh, step: str, arrays: Sequence[Words]) -> list[Words]:
    """The same with XOR for the sum."""
    return together(mesh, step, xors=arrays)[1]


def together(
    mesh: Mesh, step: str, *, sums: Sequence[Words] = (), xors: Sequence[Words] = ()
) -> tuple[list[Words], list[Words]]:
    """Both in one round."""
    arrays = [*sums, *xors]
    flat = [np.ascontiguousarray(array).reshape(-1) for array in arrays]
    total = flat[0] if len(flat) == 1 else np.concatenate([np.empty(0, np.uint64), *flat])
    theirs = mesh.exchange(pb.Opening(step=step, words=columns.pack(total)))
    added = sum(array.size for array in sums)
    if len(flat) == 1:
        total = total.copy()
    for name, message in theirs.items():
        _check_step(name, step, message)
        words = columns.unpack_uint64(message.words, count=len(total), peer=name)
        total[:added] += words[:added]
        total[added:] ^= words[added:]
    ends = np.cumsum([len(part) for part in flat])[:-1]
    opened = [
        part.reshape(array.shape) for part, array in zip(np.split(total, ends), arrays, strict=True)
    ]
    return opened[: len(sums)], opened[len(sums) :]


def residues(mesh: Mesh, step: str, words: Words, bits: int) -> Words:
    """The sum of ``words`` (n,) over the parties modulo 2^``bits``, of 1 to 64 bits.

    Nothing above those bits is sent, and a number takes 1, 2, 4 or 8 bytes.
    """
    low = np.uint64((1 << bits) - 1)
    size = next(size for size in (1, 2, 4, 8) if bits <= 8 * size)
    total = words & low
    held = total.astype(f"<u{size}")
    for name, message in mesh.exchange(pb.Opening(step=step, words=columns.pack(held))).items():
        _check_step(name, step, message)
        theirs = columns.unpack(message.words, width=size, count=len(held), peer=name)
        total = total + theirs.reshape(-1).view(held.dtype)
    return np.asarray(total & low)


def _check_step(peer: str, step: str, message: pb.Opening) -> None:
    if message.step != step:
        raise ProtocolError(peer, f"is at the step {message.step!r}, we are at {step!r}")
