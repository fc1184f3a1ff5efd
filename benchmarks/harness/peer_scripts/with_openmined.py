# SPDX-License-Identifier: Apache-2.0
"""OpenMined PSI (C++ below Python): both roles in one process, so without a network; semi-honest.

The sender's set-up is part of it, since a set is not kept from one intersection to the next. Large
sets take minutes, and are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import private_set_intersection.python as psi
from answering import Measured, answer, identifiers, middle, timed

LARGEST = 1 << 12


def _wall(params: Mapping[str, Any]) -> Measured | None:
    x, y = params["x"], params["y"]
    if max(x, y) > LARGEST or params["form"] != "semi-honest":
        return None
    mine, theirs = identifiers("receiver", x, y), identifiers("sender", x, y)
    found: list[int] = []

    def intersect() -> None:
        client = psi.client.CreateWithNewKey(True)
        server = psi.server.CreateWithNewKey(True)
        raw = psi.DataStructure.RAW
        setup = server.CreateSetupMessage(1e-12, x, theirs, raw)
        answered = server.ProcessRequest(client.CreateRequest(mine))
        found[:] = client.GetIntersection(setup, answered)

    seconds = timed(intersect)
    return "s", *middle(seconds), sorted(found) == list(range(min(x, y) // 10))


if __name__ == "__main__":
    answer({"psi.wall": _wall})
