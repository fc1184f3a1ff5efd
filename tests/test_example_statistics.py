# SPDX-License-Identifier: Apache-2.0
"""The example of three processes tells each of them what NumPy says of all their data together."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "joint_statistics.py"


def test_every_party_is_told_the_figures() -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLE], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    made = runpy.run_path(str(EXAMPLE))
    told = {name: [] for name in made["PARTIES"]}  # type: dict[str, list[str]]
    for line in done.stdout.splitlines():
        name, _, said = line.partition(": ")
        told[name].append(said)
    assert told["bank"] == told["tax_office"] == told["power_utility"]
    correlation, *bins, median, withheld = told["bank"]

    columns = made["columns"]()
    late = columns["bank"] == 1
    wanted = np.corrcoef(columns["tax_office"][late], columns["power_utility"][late])[0, 1]
    assert abs(float(re.findall(r"-?0\.\d+", correlation)[0]) - wanted) < 0.002
    delays = np.concatenate([made["delays"](name) for name in made["PARTIES"]])[:, 0]
    counts = np.histogram(np.rint(delays * 256) / 256, made["DELAYS"])[0]
    assert [said.rpartition(": ")[2] for said in bins] == [str(count) for count in counts]
    assert abs(float(re.findall(r"\d+\.\d", median)[0]) - np.median(delays)) < 0.5
    assert withheld.endswith("withheld, the group has fewer than 10 rows")
