# SPDX-License-Identifier: Apache-2.0
"""What a job gave a party: sentences with counts, and a table to write, if any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from mpc.net.mesh import Mesh


@dataclass(frozen=True, slots=True)
class Outcome:
    """``findings`` name no company; ``table`` is the result, for the party that gets it."""

    findings: list[str]
    table: pa.Table | None = None


Notify = Callable[[str], None]
Play = Callable[[Mesh, Notify], Outcome]
"""A party's part in a job whose files have been read: what is done once all are connected."""
