# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parent.parent / "examples" / "paillier_sum.py"


def test_the_sums_are_right() -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLE, "2048"], capture_output=True, text=True, check=True, timeout=100
    )
    assert done.stdout.splitlines() == [
        "owed to each supplier: [1243.5, 349.75, 1310.25, 87.75]",
        "weighted by risk: 1474.5625",
    ]
