# SPDX-License-Identifier: Apache-2.0
"""For tests only: reproducible randomness. Never pass ``seeded`` to code that guards real data."""

from __future__ import annotations

import hashlib

from mpc.primitives.rng import Prg


def seeded(seed: int | str) -> Prg:
    """A generator that gives the same values for the same ``seed``."""
    return Prg(hashlib.sha256(f"mpc:v1:testing:{seed}".encode()).digest())
