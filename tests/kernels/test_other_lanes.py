# SPDX-License-Identifier: Apache-2.0
"""Tests of kernels again, as they are compiled for the other width of lanes than this CPU's.

Where there is no AVX-512 the code for it runs on emulated wide lanes (:mod:`tests.wide_lanes`);
where there is, that for AVX2 runs as it is, which numba is told to stay within.
"""

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


def within_avx2() -> dict[str, str]:
    """The environment in which numba compiles for a CPU that is this one without AVX-512."""
    from llvmlite import binding

    has = binding.get_host_cpu_features()
    signs = {name: "+" if on and "avx512" not in name else "-" for name, on in has.items()}
    features = ",".join(sign + name for name, sign in signs.items())
    return {"NUMBA_CPU_NAME": "x86-64-v3", "NUMBA_CPU_FEATURES": features}


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(kernels.backend() != "simd", reason="there are no lanes")
def test_kernels_on_the_other_lanes(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    options = ["-q", "-p", "no:cacheprovider", "-k", "not portable"]
    options += ["-n", "2", "--dist", "loadfile"]
    options += ["--timeout", "900"]  # of one test, with compiling, which takes long here
    if kernels.wide():
        environment |= within_avx2()
        asked = [sys.executable, "-c", "from mpc import kernels as k; print(k.backend(), k.wide())"]
        told = subprocess.run(asked, env=environment, capture_output=True, text=True, check=True)
        assert told.stdout.split() == ["simd", "False"]
    else:
        options += ["-p", "tests.wide_lanes"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *(str(HERE / name) for name in FILES)],
        cwd=HERE.parent.parent,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:]
