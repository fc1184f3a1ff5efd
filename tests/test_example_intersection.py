# SPDX-License-Identifier: Apache-2.0
"""The example of two processes finds what a set would."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "private_intersection.py"


def test_the_bank_finds_the_listed_applicants() -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLE], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    bank, lender = sorted(done.stdout.splitlines())
    listed = "['91350100M000100Y43', '914403001922038216']"
    assert re.fullmatch(rf"bank: listed are {re.escape(listed)}; sent \d+ bytes", bank)
    assert lender == "lender: the bank asked about 4 applicants"
