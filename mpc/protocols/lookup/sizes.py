# SPDX-License-Identifier: Apache-2.0
"""What both sides of a lookup know of it, and which of its two forms that makes the smaller."""

from __future__ import annotations

from dataclasses import dataclass, field

from mpc.primitives import band, cuckoo, lwr, okvs, rlwe
from mpc.primitives.switches import Network
from mpc.protocols.lookup.packing import Packing
from mpc.protocols.lookup.pieces import PIECE_OCTETS, Pieces

BLOCK = rlwe.SLOTS // lwr.SIZE
"""Inputs whose masks one answer gives."""

MOST_BLOCKS = 2048
"""Of one run, some 900,000 inputs: up to 3,000 have room for the noise that hides them."""

MOST_STORED = 1 << 32
"""Octets of a store of masked rows, which an asker holds whole, for sizes that its peer says."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Numbers of keys and rows, values of a row and the octets of one, whether results are in the
    order of the keys, whether both sides allow masks, and a key of this run."""

    keys: int
    rows: int
    columns: int
    octets: int
    ordered: bool
    allowed: bool
    session: bytes = field(repr=False)

    @property
    def bins(self) -> int:
        return cuckoo.bins(self.keys)

    @property
    def hint(self) -> Packing:
        """How a hint of a programmed function has a row: its target, and its values."""
        return Packing(1, self.columns, self.octets)

    @property
    def pieces(self) -> Pieces:
        """How a masked row stands in a store."""
        return Pieces(self.columns, self.octets)

    @property
    def blocks(self) -> int:
        """How many answers give the masks of all keys."""
        return -(-self.keys * self.pieces.masks // BLOCK)

    @property
    def masked(self) -> bool:
        """Whether rows are sent once, under masks: where that takes fewer octets.

        Membership alone is always by bins, and so are results that stay in the order of these, more
        keys than answers under one secret can be hidden for, and stores that are too large to hold.
        """
        if not (self.allowed and self.ordered and self.columns and self.rows):
            return False
        if not 0 < self.blocks <= MOST_BLOCKS:
            return False
        return self._stored() <= MOST_STORED and self._by_masks() < self._by_bins()

    def _by_bins(self) -> int:
        """What is sent for the programmed function, and to put what it gives in order."""
        hints = cuckoo.HASHES * okvs.Parameters.of(self.rows).size * self.hint.width
        store = 16 * okvs.Parameters.of(self.keys).size
        return hints + store + Network(self.bins).switches() * self.columns * self.octets

    def _by_masks(self) -> int:
        """What is sent for the masks, and to make words of what they give."""
        pieces = self.pieces
        secret = (lwr.RANK + 1) * rlwe.POLYNOMIAL_BYTES
        answers = self.blocks * rlwe.ANSWER_BYTES
        # A product takes 1 to 8 octets, half of them those of a piece.
        joined = self.keys * pieces.transfers * PIECE_OCTETS
        return secret + answers + joined + self._stored()

    def _stored(self) -> int:
        return band.Parameters.of(self.rows).size * self.pieces.width
