# SPDX-License-Identifier: Apache-2.0
"""One other party, and the base transfers that all products with it stand on.

Base transfers cost a party some hundreds of group operations, more than a small batch of products,
and the rows that grow from them are cheap. So each direction has one set for as long as the source
lives (``ot.bases_sender``), made when it is first needed.
"""

from __future__ import annotations

import numpy as np

from mpc.net.channel import Channel
from mpc.primitives.rng import Rng, uint64
from mpc.protocols import ot

# Transfers of a run, with one partner and with all together: about 100 bytes of memory for each.
_MOST, _ALL = 1 << 20, 1 << 21


class Partner:
    """A channel, randomness for what runs over it, and whether this party comes first of the two.

    Partners do not share their randomness, so that one thread may work with each. They share
    memory: ``batch`` is how many transfers a run with one of them takes at most.
    """

    __slots__ = ("_receiving", "_sending", "batch", "channel", "first", "rng")

    def __init__(self, channel: Channel, rng: Rng, *, first: bool, partners: int = 1) -> None:
        self.channel = channel
        self.rng = rng
        self.first = first
        self.batch = min(_MOST, _ALL // partners)
        self._sending: ot.SenderBases | None = None
        self._receiving: ot.ReceiverBases | None = None

    def sending(self) -> ot.SenderBases:
        """The bases of what this party sends, when the partner calls ``receiving``."""
        if self._sending is None:
            delta = uint64(self.rng, 2)
            delta[0] |= np.uint64(1)
            self._sending = ot.bases_sender(self.channel, delta, rng=self.rng)
        return self._sending

    def receiving(self) -> ot.ReceiverBases:
        """The bases of what this party receives, when the partner calls ``sending``."""
        if self._receiving is None:
            self._receiving = ot.bases_receiver(self.channel, rng=self.rng)
        return self._receiving

    def __repr__(self) -> str:
        return f"Partner({self.channel.peer}, <secret>)"
