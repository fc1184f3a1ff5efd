# SPDX-License-Identifier: Apache-2.0
"""MPyC: products and comparisons of shared fixed-point numbers, three local parties; semi-honest.

Three is the fewest for which its Shamir shares hide anything. Its arrays of numbers are used, and
its parties talk over loopback TCP.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from answering import Measured, answer, middle

LARGEST = {"mul": 1 << 20, "less_than": 1 << 12}
REPEAT = 3


def _asked(params: Mapping[str, Any]) -> Measured | None:
    """Three processes of this script; the first of them prints what it measured."""
    operation, count = params["operation"], params["size"]
    if count > LARGEST.get(operation, 0):
        return None
    port = str(random.randrange(20_000, 50_000))
    parties = ["-M", "3", "-B", port, "--no-log"]
    command = [sys.executable, __file__, "party", operation, str(count), *parties]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=120, check=True)
    seconds, right = json.loads(done.stdout.splitlines()[-1])
    return "s", *middle(seconds), right


def _work(operation: str, count: int) -> None:
    import time

    import numpy as np
    from mpyc.runtime import mpc

    number = mpc.SecFxp(64, 16)
    values = np.random.default_rng(1).integers(-500, 500, (2, count)).astype(float)

    async def run() -> None:
        await mpc.start()
        x, y = (mpc.input(number.array(row), senders=0) for row in values)
        seconds, right = [], True
        for _ in range(REPEAT):
            await mpc.barrier()
            begun = time.perf_counter()
            found = await mpc.output(x * y if operation == "mul" else x < y)
            seconds.append(time.perf_counter() - begun)
            wanted = values[0] * values[1] if operation == "mul" else values[0] < values[1]
            right = right and bool(np.allclose(np.array(found, float), wanted, atol=0.01))
        await mpc.shutdown()
        if mpc.pid == 0:
            print(json.dumps([seconds, right]))

    mpc.run(run())


if __name__ == "__main__":
    if sys.argv[1:2] == ["party"]:
        _work(sys.argv[2], int(sys.argv[3]))
    else:
        answer({"computing.wall": _asked})
