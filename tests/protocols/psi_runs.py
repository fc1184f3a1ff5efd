# SPDX-License-Identifier: Apache-2.0
"""What tests of the intersection share: ids, the plain answer, runs, a link that watches."""

from __future__ import annotations

from mpc.protocols import psi
from mpc.testing import run_pair, seeded


def intersect(left, right, seed=0, **options):
    return run_pair(
        lambda channel: psi.receiver(channel, left, rng=seeded(f"r{seed}"), **options),
        lambda channel: psi.sender(channel, right, rng=seeded(f"s{seed}"), **options),
    )


def expected(left, right):
    other = set(right)
    return [i for i, item in enumerate(left) if item in other]


def ids(start, stop):
    return [f"91{number:016d}" for number in range(start, stop)]


class Counting:
    """A link that notes how long each frame is, both ways."""

    def __init__(self, link, sizes):
        self.link, self.sizes, self.peer = link, sizes, link.peer

    def put(self, frame, timeout=None):
        self.sizes.append(("put", len(frame)))
        self.link.put(frame, timeout)

    def get(self, timeout=None):
        frame = self.link.get(timeout)
        self.sizes.append(("get", len(frame)))
        return frame

    def close(self, timeout=None):
        self.link.close()


def run(left_link, right_link, left, right, **options):
    return run_pair(
        lambda channel: psi.receiver(channel, left, **options),
        lambda channel: psi.sender(channel, right, **options),
        links=lambda: (left_link, right_link),
    )
