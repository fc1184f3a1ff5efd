# SPDX-License-Identifier: Apache-2.0
"""The code for AVX-512, where there is none: tests of kernels again, on emulated wide lanes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mpc import kernels

HERE = Path(__file__).parent
FILES = [
    "test_lanes.py",
    "test_lwr_kernels.py",
    "test_bigint.py",
    "test_bigint_fermat.py",
    "test_bigint_forms.py",
    "test_bigint_powers.py",
    "test_bigint_threads.py",
    "test_ring.py",
    "test_ristretto_field.py",
    "test_ristretto_kernels.py",
]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(kernels.backend() != "simd", reason="there are no lanes")
def test_kernels_on_wide_lanes(tmp_path: Path) -> None:
    if kernels.wide():
        pytest.skip("this CPU has them, so every test is one of them")
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    options = ["-q", "-p", "tests.wide_lanes", "-p", "no:cacheprovider", "-k", "not portable"]
    options += ["-n", "2", "--dist", "loadfile"]
    options += ["--timeout", "900"]  # of one test, with compiling, which takes long here
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *(str(HERE / name) for name in FILES)],
        cwd=HERE.parent.parent,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:]
