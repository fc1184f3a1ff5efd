# SPDX-License-Identifier: Apache-2.0
"""The example of a prepared list gives the labels of those listed, before and after an update."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "prepared_blacklist.py"


def test_the_bank_reads_the_labels_of_its_listed_applicants() -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLE], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("bank")] == [
        "bank: 91350100M000100Y43 is listed: arrears, 2026-08-30 (version 1)",
        "bank: 91310000MA1FL1FC3F is not listed (version 1)",
        "bank: 914403001922038216 is listed: fraud, 2026-03-02 (version 1)",
        "bank: 91350100M000100Y43 is not listed (version 2)",
        "bank: 91310000MA1FL1FC3F is listed: fraud, 2026-11-24 (version 2)",
        "bank: 914403001922038216 is listed: fraud, 2026-03-02 (version 2)",
    ]
    assert lines.count("lender: the bank looked up 3 ids") == 2
