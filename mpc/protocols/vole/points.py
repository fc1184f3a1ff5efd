# SPDX-License-Identifier: Apache-2.0
"""Shares of a vector that is zero but at one place of each block, from punctured trees; checked.

One block: the sender grows a tree of seeds, and the receiver, by one oblivious transfer a level,
learns all leaves but that of its point (Boyle et al., CCS 2019, eprint 2019/1159). The sender adds
the sum of the leaves and its share of (value * delta), so that at the point the receiver gets the
leaf plus value * delta, and elsewhere both hold the same.

A dishonest sender may have used other trees in some transfers, or another sum. So the receiver
draws coefficients once the trees are fixed, and both sides compare the combination of all leaves:
the check of the single-point protocol of Weng, Yang, Katz, Wang, "Wolverine" (IEEE S&P 2021, eprint
2020/925, section 5), over GF(2^128), where the sender shows its side as a hash: there is no secret
of the receiver's in it, and delta has too much entropy to be searched for. (That of Boyle et al.,
figure 13, grows one level more and compares a hash of half of it.) The coefficient at place i of
tree j is psi_j * chi_i, so errors fixed before pass with probability 2^-127 at most. What is left
to the sender is to guess, for some trees, sets that hold their points, and see an abort if it is
wrong: one bit on average, which the noise parameters bear, as in the papers.

The check passes for any delta. Where the receiver takes its values from the lowest bits of its
leaves, of which the sender's are zero (``cleared``), they must come out of the products as they
went in, so it compares them at its points: under a delta of which these bits are zero, say, all its
choices would be zeros, and what it sends masked by them would be in the clear.

Between parties that follow the protocol nothing is checked (``checked=False``): the trees are the
only message, and the code is named by a hash of the messages before, which no noise goes into but
masked. The receiver's values are then fixed before any of the sender's messages.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ProtocolError
from mpc.kernels import aes, gf128
from mpc.net import columns
from mpc.net.channel import Channel
from mpc.pb.v1 import vole_pb2 as pb
from mpc.primitives import lpn, puncturable
from mpc.primitives.rng import Rng, below, uint64
from mpc.protocols import ot
from mpc.protocols.vole.rings import combined
from mpc.tracing import spanned

Words = NDArray[np.uint64]
Places = NDArray[np.int64]

MASK_ROWS = 128
"""Correlated rows that hide the receiver's combination: one uniform element."""

_SEED_BYTES = 16
_ELEMENT_BYTES = 16
_LABEL = b"mpc:v1:vole:points\0"


@dataclass(frozen=True, slots=True)
class Secret:
    """What the receiver chose: a place in each block, and the value there (points, 2).

    ``shares`` (points, 2) are its shares of value * delta, and ``mask_rows`` its correlated rows
    for the bits of ``mask`` (2,), where the trees are checked.
    """

    places: Places
    values: Words
    shares: Words
    mask: Words
    mask_rows: Words

    def __repr__(self) -> str:
        return "Secret()"


def side_rows(noise: lpn.Noise) -> int:
    """How many transfers the trees take; they use the first rows."""
    return noise.points * puncturable.depth(noise.block)


def draw(noise: lpn.Noise, rng: Rng) -> Places:
    """Uniform places, one in each block."""
    return np.array(below(rng, noise.block, noise.points), np.int64)


@spanned("trees")
def sender(
    channel: Channel,
    noise: lpn.Noise,
    correlated: ot.Correlated,
    delta: Words,
    value_shares: Words,
    mask_rows: Words,
    *,
    cleared: int = 0,
    checked: bool = True,
    rng: Rng,
) -> tuple[Words, bytes]:
    """The sender's leaves (points, block, 2), and the seed of the code, which the receiver drew.

    They are the receiver's but for its places, where it has value * delta more; ``value_shares``
    (points, 2) are the sender's shares of that. The ``cleared`` lowest bits of every leaf are
    made zero.
    """
    roots = uint64(rng, (noise.points, 2))
    leaves, sums = puncturable.grow(roots, noise.block, _tree_seed(correlated.session))
    rows = correlated.rows[: side_rows(noise)]
    pads = np.stack([ot.pads(row, correlated.session) for row in (rows, rows ^ delta)], axis=1)
    totals = sums[:, -1, 0] ^ sums[:, -1, 1]
    _clear(leaves, totals, cleared)
    locked = sums.reshape(-1, 2, 2) ^ pads
    channel.send(
        pb.PuncturedTrees(
            sums=columns.pack(locked.reshape(len(rows), 4)),
            holes=columns.pack(totals ^ value_shares),
        )
    )
    if not checked:
        return leaves, code_of(correlated.session)
    challenge = channel.recv(pb.TreeChallenge)
    shifted = gf128.multiply(_element(channel, challenge.combined), delta)
    total = _checksum(leaves, _seed(channel, challenge.seed)) ^ combined(mask_rows, MASK_ROWS)[0]
    channel.send(pb.TreeAnswer(digest=_digest(correlated.session, total ^ shifted)))
    return leaves, _seed(channel, challenge.code)


@spanned("trees")
def receiver(
    channel: Channel,
    noise: lpn.Noise,
    correlated: ot.Correlated,
    secret: Secret,
    code: bytes,
    *,
    cleared: int = 0,
    checked: bool = True,
    rng: Rng,
) -> Words:
    """The receiver's leaves (points, block, 2). ``code`` is the seed it sends with the challenge.

    The ``cleared`` lowest bits are its values at its places, and zero elsewhere.
    """
    session, places = correlated.session, secret.places
    known, holes = _unlocked(channel, noise, correlated, places)
    if not checked:
        return _leaves(noise, session, secret, known, holes, cleared)
    seed = rng.bytes(_SEED_BYTES)
    # The combination of values does not wait for the leaves, so the sender can go on at once.
    shown = gf128.dot(_coefficients(seed, noise, places), secret.values) ^ secret.mask
    channel.send(pb.TreeChallenge(seed=seed, combined=shown.tobytes(), code=code))
    leaves = _leaves(noise, session, secret, known, holes, cleared)
    total = _checksum(leaves, seed) ^ combined(secret.mask_rows, MASK_ROWS)[0]
    digest = channel.recv(pb.TreeAnswer).digest
    if not hmac.compare_digest(digest, _digest(session, total)):
        raise ProtocolError(channel.peer, "its trees are inconsistent")
    lowest = leaves[np.arange(noise.points), places, 0] ^ secret.values[:, 0]
    if np.any(lowest & np.uint64((1 << cleared) - 1)):
        raise ProtocolError(channel.peer, "the lowest bits of its delta are not those of one")
    return leaves


def _leaves(
    noise: lpn.Noise, session: bytes, secret: Secret, known: Words, holes: Words, cleared: int
) -> Words:
    """All leaves of the receiver, from the sums off its paths and what fills the holes."""
    leaves, totals = puncturable.recover(secret.places, known, noise.block, _tree_seed(session))
    _clear(leaves, totals, cleared)
    leaves[np.arange(noise.points), secret.places] = holes ^ totals ^ secret.shares
    return leaves


def code_of(session: bytes) -> bytes:
    """The seed of the code where nothing is checked: no message is spent on it."""
    return hashlib.sha256(_LABEL + b"code" + session).digest()[:_SEED_BYTES]


def compressed(
    noise: lpn.Noise,
    places: Places,
    values: Words,
    count: int,
    code: bytes,
    *,
    modular: bool = False,
) -> Words:
    """The sparse vector with ``values`` at ``places``, compressed to ``count`` values."""
    sparse = np.zeros((noise.length, *values.shape[1:]), np.uint64)
    sparse[np.arange(noise.points) * noise.block + places] = values
    return lpn.compress(sparse, count, code, modular=modular)


def _unlocked(
    channel: Channel,
    noise: lpn.Noise,
    correlated: ot.Correlated,
    places: Places,
) -> tuple[Words, Words]:
    """The sums off the paths (points, depth, 2), and what fills the holes (points, 2)."""
    message = channel.recv(pb.PuncturedTrees)
    count = side_rows(noise)
    locked = columns.unpack(message.sums, width=32, count=count, peer=channel.peer)
    holes = columns.unpack(
        message.holes, width=_ELEMENT_BYTES, count=noise.points, peer=channel.peer
    )
    sides = puncturable.sides(places, noise.block).reshape(-1)
    chosen = locked.view(np.uint64).reshape(count, 2, 2)[np.arange(count), sides]
    known = chosen ^ ot.pads(correlated.rows[:count], correlated.session)
    return known.reshape(noise.points, -1, 2), holes.view(np.uint64)


def _clear(leaves: Words, totals: Words, bits: int) -> None:
    """Make the ``bits`` lowest bits of each leaf zero, and of their sums."""
    if bits:
        mask = ~np.uint64((1 << bits) - 1)
        leaves[..., 0] &= mask
        totals[..., 0] &= mask


def _drawn(seed: bytes, trees: int, block: int) -> tuple[Words, Words]:
    """The coefficients psi (trees, 2) and chi (block, 2)."""
    stream = aes.counter(aes.schedule(seed), trees + block)
    return stream[:trees], stream[trees:]


def _coefficients(seed: bytes, noise: lpn.Noise, places: Places) -> Words:
    psi, chi = _drawn(seed, noise.points, noise.block)
    return gf128.multiply(psi, chi[places])


def _checksum(leaves: Words, seed: bytes) -> Words:
    """The sum of psi_j * chi_i * leaf i of tree j."""
    psi, chi = _drawn(seed, len(leaves), leaves.shape[1])
    return gf128.dot(psi, gf128.dots(leaves, chi))


def _digest(session: bytes, total: Words) -> bytes:
    return hashlib.sha256(_LABEL + session + total.tobytes()).digest()


def _tree_seed(session: bytes) -> bytes:
    return hashlib.sha256(_LABEL + b"trees" + session).digest()[:_SEED_BYTES]


def _seed(channel: Channel, data: bytes) -> bytes:
    if len(data) != _SEED_BYTES:
        raise ProtocolError(channel.peer, f"a seed has {_SEED_BYTES} bytes, not {len(data)}")
    return data


def _element(channel: Channel, data: bytes) -> Words:
    if len(data) != _ELEMENT_BYTES:
        raise ProtocolError(channel.peer, f"an element has 16 bytes, not {len(data)}")
    return np.frombuffer(data, np.uint64)
