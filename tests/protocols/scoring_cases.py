# SPDX-License-Identifier: Apache-2.0
"""Joint scores to play: the roles in every combination, random features and weights, the answer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from mpc.net import memory
from mpc.net.channel import Channel
from mpc.net.mesh import Mesh
from mpc.net.traced import Traced
from mpc.protocols.scoring import Model, Roles

ROLES = {
    "bank owns the model and receives": Roles("bank", "bank", {"tax": 3, "utility": 2}),
    "one feature owner": Roles("bank", "bank", {"tax": 4}),
    "all apart": Roles("model", "receiver", {"tax": 1, "utility": 2, "bank": 3}),
    "the receiver owns features": Roles("model", "bank", {"bank": 2, "tax": 2}),
    "the receiver is the only other owner": Roles("model", "bank", {"bank": 2}),
    "the model owner owns features": Roles("model", "bank", {"model": 2, "tax": 3}),
    "everyone owns features": Roles("model", "bank", {"bank": 1, "model": 2, "tax": 3}),
    "bank owns all but some features": Roles("bank", "bank", {"bank": 5, "tax": 1}),
}


class Case:
    """Random features and weights for ``roles``, and the plain answer."""

    def __init__(self, roles: Roles, rows: int, seed: int = 0) -> None:
        draw = np.random.default_rng(seed)
        self.roles, self.rows = roles, rows
        self.features = {k: draw.normal(0, 3, (rows, d)) for k, d in roles.features.items()}
        self.model = Model({k: draw.normal(0, 2, d) for k, d in roles.features.items()}, -0.75)

    @property
    def table(self) -> NDArray[np.float64]:
        """All features, in the order of the roles."""
        return np.concatenate(list(self.features.values()), axis=1)

    @property
    def weights(self) -> NDArray[np.float64]:
        return np.concatenate(list(self.model.weights.values()))

    @property
    def logits(self) -> NDArray[np.float64]:
        return np.asarray(self.table @ self.weights + self.model.intercept)


def transcripts(
    parties: tuple[str, ...], play: Callable[[Mesh], object]
) -> tuple[dict[tuple[str, str], tuple[int, int, int]], str]:
    """Sent, received and messages at the first of each pair, and SHA-256 over all transcripts."""
    traced: dict[tuple[str, str], Traced] = {}
    ends: dict[str, dict[str, Channel]] = {name: {} for name in parties}
    for left, right in combinations(parties, 2):
        to_right, to_left = memory.pair(left, right)
        traced[left, right] = Traced(to_right)
        ends[left][right], ends[right][left] = Channel(traced[left, right]), Channel(to_left)
    with ThreadPoolExecutor(len(parties)) as pool:
        list(pool.map(play, [Mesh(n, parties, ends[n]) for n in parties], timeout=60))
    seen = {pair: link.traffic for pair, link in traced.items()}
    counted = {pair: (t.sent_bytes, t.received_bytes, t.messages) for pair, t in seen.items()}
    digests = b"".join(traced[pair].digest() for pair in sorted(traced))
    return counted, hashlib.sha256(digests).hexdigest()
