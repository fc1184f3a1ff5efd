# SPDX-License-Identifier: Apache-2.0
"""What a measurement was made on: processor, versions, commit."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from mpc import __version__, kernels

from .catalog import FOLDER

_VERSIONS = ("numpy", "numba", "gmpy2", "cryptography", "grpcio", "protobuf", "pyarrow", "phe")
_FEATURES = ("avx2", "avx512f", "avx512ifma", "vaes", "vpclmulqdq", "bmi2", "adx")


def lanes() -> str:
    """What the kernels are here: ``portable``, or ``simd-256`` or ``-512`` by their registers."""
    if kernels.backend() == "portable":
        return "portable"
    return "simd-512" if kernels.wide() else "simd-256"


def processor() -> str:
    """Maker, family and model: what a ratio of times depends on, besides the code."""
    fields = _cpu_fields()
    names = ("vendor_id", "cpu family", "model")
    return " ".join(fields.get(name, "?") for name in names) if fields else platform.machine()


def core_counts() -> list[int]:
    """1, 2, 4 and so on, and all cores that kernels may use."""
    most = kernels.threads()
    return sorted({most, *(1 << power for power in range(most.bit_length()))})


def facts() -> dict[str, str]:
    """What a report says of the machine, in words."""
    fields = _cpu_fields()
    flags = set(fields.get("flags", "").split())
    return {
        "processor": f"{fields.get('model name', platform.machine())} ({processor()})",
        "instructions": ", ".join(name for name in _FEATURES if name in flags)
        or "none of interest",
        "cores": str(len(os.sched_getaffinity(0))),
        "load": f"{os.getloadavg()[0]:.1f} in the last minute, the benchmarks included",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "kernels": lanes(),
        "python": platform.python_version(),
        "versions": ", ".join(_versions()),
        "mpc": f"{__version__}, {commit()}",
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def commit() -> str:
    """The commit that was measured, and whether there was more than it; of a checkout only."""
    git = ["git", "-C", str(FOLDER), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        found = subprocess.run(git, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return "installed"
    return f"commit {found.stdout.strip()}"


def _versions() -> Iterator[str]:
    for name in _VERSIONS:
        try:
            yield f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue


def _cpu_fields() -> dict[str, str]:
    try:
        first = Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
