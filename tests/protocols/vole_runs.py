# SPDX-License-Identifier: Apache-2.0
"""Vector OLE as tests play it, in every ring."""

from __future__ import annotations

import numpy as np
import pytest
from tampering import Tampering

from mpc.kernels import gf128
from mpc.protocols import vole
from mpc.protocols.vole import rings
from mpc.testing import run_pair, seeded

RINGS = [vole.BITS, vole.NIBBLES, vole.WORDS, vole.BLOCKS, vole.Z64]
NAMES = [ring.name for ring in RINGS]
every_ring = pytest.mark.parametrize("ring", RINGS, ids=NAMES)
# By way of trees in every ring.
TREES = 5000


def run(count, ring, *, seed=0, left=None, right=None, delta=None, **options):
    """Both roles; ``left`` and ``right`` change what the sender and the receiver send."""
    return run_pair(
        lambda channel: vole.sender(
            Tampering(channel, left or {}), count, ring=ring, delta=delta, rng=seeded(f"s{seed}")
        ),
        lambda channel: vole.receiver(
            Tampering(channel, right or {}), count, ring=ring, rng=seeded(f"r{seed}")
        ),
        **options,
    )


def correct(ring, delta, b, a, c):
    """c = a * delta + b in every place, exactly."""
    if ring.modular:
        return np.array_equal(c, a * delta + b)
    product = gf128.multiply(rings.elements(a.astype(np.uint64)), delta)
    return np.array_equal(c, product ^ b)


def checked(count, ring, **how):
    (delta, b), (a, c) = run(count, ring, **how)
    assert len(a) == len(b) == len(c) == count
    assert correct(ring, delta, b, a, c)
    return delta, b, a, c
