# SPDX-License-Identifier: Apache-2.0
"""Whether kernels on 128-bit blocks may use VAES and VPCLMULQDQ, which some CPUs with IFMA lack."""

from __future__ import annotations

from functools import cache

from mpc import kernels


def simd() -> bool:
    """True where the simd backend is chosen and the CPU has the instructions on blocks."""
    return kernels.backend() == "simd" and _supported()


@cache
def _supported() -> bool:
    from llvmlite import binding

    features = binding.get_host_cpu_features()
    return all(features.get(name) for name in ("avx512bw", "avx512vl", "vaes", "vpclmulqdq"))
