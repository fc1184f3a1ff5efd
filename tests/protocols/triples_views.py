# SPDX-License-Identifier: Apache-2.0
"""What a party receives and holds while correlations are made, and whether it is uniform."""

from __future__ import annotations

import numpy as np
from tampering import Tampering

from mpc.net.channel import Channel
from mpc.pb.v1 import ot_pb2, triples_pb2
from mpc.protocols.triples.partners import Partner
from mpc.testing import run_pair, seeded
from tests.protocols.computing import chi_square


class Views:
    """Everything a party receives, by message and field, and whatever else is noted."""

    def __init__(self) -> None:
        self.seen: dict[str, bytearray] = {}

    def note(self, name: str, data: bytes) -> None:
        self.seen.setdefault(name, bytearray()).extend(data)

    def channel(self, channel: Channel) -> Channel:
        """``channel``, with what it receives noted."""
        return Noting(channel, self)

    def uniform(self, *expected: str) -> None:
        for name in expected:
            assert any(held.startswith(name) for held in self.seen), f"{name}: {list(self.seen)}"
        for name, data in self.seen.items():
            if len(data) >= 256 * 5:
                assert abs(chi_square(bytes(data))) < 6, name


class Noting(Tampering):
    # Public, or encodings of points, which are not uniform bytes; others are random by themselves.
    PLAIN = (triples_pb2.CorrelationRequest, ot_pb2.TransferKey, ot_pb2.TransferChoices)

    def __init__(self, channel: Channel, views: Views) -> None:
        super().__init__(channel, {})
        self._views = views

    def recv(self, kind):
        message = super().recv(kind)
        if kind not in self.PLAIN:
            for field, value in message.ListFields():
                data = value if isinstance(value, bytes) else value.data
                if field.name == "holes":
                    # In correlated transfer the lowest bit of a tree's hole is always one, as
                    # leaves are even and delta odd: a constant, but one that a count of bytes sees.
                    data = np.frombuffer(data, np.uint8).reshape(-1, 16)[:, 1:].tobytes()
                self._views.note(f"{kind.__name__}.{field.name}", data)
        return message


def pair_views(sender, receiver, seeds=6):
    """What both roles receive and return, with the same inputs, over seeds."""
    views = Views()

    def role(work, side, seed, first):
        def play(channel):
            partner = Partner(views.channel(channel), seeded(f"{side}{seed}"), first=first)
            results = work(partner)
            for i, array in enumerate(results if isinstance(results, tuple) else (results,)):
                views.note(f"{side} holds {i}", np.ascontiguousarray(array).tobytes())

        return play

    for seed in range(seeds):
        run_pair(role(sender, "sender", seed, True), role(receiver, "receiver", seed, False))
    return views
