# SPDX-License-Identifier: Apache-2.0
"""Common secrets of every two parties: masks that cancel, and private arrays shared for nothing.

    every two parties    SeedHalf  <------>  SeedHalf        once, in one round

Their seed is a hash of both halves, which go over the pair's own channel, so a third party knows
nothing of it (Bonawitz et al. 2017, section 4, agree on theirs by Diffie-Hellman, since a server
carries the messages there). From then on both expand it alike, AES-256 in counter mode, and keep in
step because all parties call the same functions with the same shapes in the same order.

Learns: nobody anything. The streams of two parties are known to these two only, so what is made of
them is safe against any parties but those: ``zero`` and ``share`` against all but one colluding.
"""

from __future__ import annotations

import hashlib
from typing import NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpc.errors import ConfigError, DataError, ProtocolError
from mpc.kernels import bits
from mpc.net.mesh import Mesh
from mpc.pb.v1 import arith_pb2 as pb
from mpc.primitives import fixed, forks
from mpc.primitives.rng import SEED_BYTES, SYSTEM, Prg, Rng, uint64
from mpc.primitives.sharing import Share
from mpc.primitives.xor_sharing import XorShare

Words = NDArray[np.uint64]


class Seeds:
    """One stream with every other party, the same at both. Not for use by two threads at once.

    A child process, after ``os.fork``, agrees on its own: these raise CryptoError there.
    """

    __slots__ = ("_held", "_made", "me", "names")

    def __init__(self, me: str, names: tuple[str, ...], streams: dict[str, Prg]) -> None:
        self.me = me
        self.names = names
        self._held = streams
        self._made = forks.count()

    @property
    def _streams(self) -> dict[str, Prg]:
        forks.require_none_since(self._made, "this agreement on seeds")
        return self._held

    def zero(self, shape: int | tuple[int, ...]) -> Words:
        """Shares of zeros: uniform words that add up to zero over all parties."""
        total = np.zeros(shape, np.uint64)
        for name, stream in self._streams.items():
            words = uint64(stream, total.shape)
            total = total + words if self._before(name) else total - words
        return total

    def zero_bits(self, shape: int | tuple[int, ...]) -> Words:
        """Uniform words whose XOR over all parties is zero."""
        total = np.zeros(shape, np.uint64)
        for stream in self._streams.values():
            total = total ^ uint64(stream, total.shape)
        return total

    def share(
        self,
        values: ArrayLike | None = None,
        *,
        owner: str,
        shape: int | tuple[int, ...],
        fraction_bits: int = 0,
    ) -> Share:
        """Shares of the private array of ``owner``, who gives ``values`` of ``shape``; no message.

        The others' shares are their streams with the owner, and the owner's is the rest. Raises
        ConfigError unless just the owner gives values, DataError for another shape, and what
        ``fixed.encode`` does for NaN, infinity and what does not fit.
        """
        if owner not in self.names or (values is not None) != (owner == self.me):
            raise ConfigError(f"{self.me}: just the owner, {owner!r}, gives the values")
        shape = (shape,) if isinstance(shape, int) else shape
        party, parties = self.names.index(self.me), len(self.names)
        if values is None:
            return Share(uint64(self._streams[owner], shape), party, parties, fraction_bits)
        words = fixed.encode(values, fraction_bits)
        if words.shape != shape:
            raise DataError(f"the values have the shape {words.shape}, the others expect {shape}")
        for stream in self._streams.values():
            words = words - uint64(stream, shape)
        return Share(words, party, parties, fraction_bits)

    def share_bits(self, flags: ArrayLike | None = None, *, owner: str, count: int) -> XorShare:
        """Shares by XOR of the private bits (count,) of ``owner``, as zeros and ones; no message.

        Raises as ``share``, and DataError for what is neither zero nor one.
        """
        if owner not in self.names or (flags is not None) != (owner == self.me):
            raise ConfigError(f"{self.me}: just the owner, {owner!r}, gives the bits")
        party, parties = self.names.index(self.me), len(self.names)
        if flags is None:
            words = uint64(self._streams[owner], bits.words(count))
            return XorShare(words, count, party, parties)
        given = np.asarray(flags)
        if given.shape != (count,) or not np.isin(given, (0, 1)).all():
            raise DataError(f"{given.shape} flags, of zeros and ones alone: expected ({count},)")
        words = bits.pack(given.astype(np.uint8))
        for stream in self._streams.values():
            words = words ^ uint64(stream, words.shape)
        return XorShare(words, count, party, parties)

    def _before(self, name: str) -> bool:
        return self.names.index(self.me) < self.names.index(name)

    def __reduce__(self) -> NoReturn:
        raise TypeError("streams of two parties serve once, so they are not copied")

    def __repr__(self) -> str:
        return f"Seeds({self.me}, <secret>)"


def agree(mesh: Mesh, *, rng: Rng = SYSTEM) -> Seeds:
    """A seed with every other party of ``mesh``, in one round.

    Raises ProtocolError for a half of another length.
    """
    halves = {name: rng.bytes(SEED_BYTES) for name in mesh.peers}
    theirs = mesh.exchange({name: pb.SeedHalf(seed=half) for name, half in halves.items()})
    streams = {}
    for name, half in halves.items():
        if len(theirs[name].seed) != SEED_BYTES:
            raise ProtocolError(name, f"sent half a seed of {len(theirs[name].seed)} bytes")
        ordered = sorted(
            [(mesh.names.index(mesh.me), half), (mesh.names.index(name), theirs[name].seed)]
        )
        both = b"".join(part for _, part in ordered)
        streams[name] = Prg(hashlib.sha256(b"mpc:v1:seeds\0" + both).digest())
    return Seeds(mesh.me, mesh.names, streams)
