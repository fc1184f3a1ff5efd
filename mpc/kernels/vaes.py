# SPDX-License-Identifier: Apache-2.0
"""Whether kernels on 128-bit blocks may use VAES and VPCLMULQDQ, which some CPUs with AVX2 lack."""

from __future__ import annotations

from mpc import kernels


def simd() -> bool:
    """True where the simd backend is chosen and the CPU has the instructions on blocks."""
    return kernels.backend() == "simd" and {"vaes", "vpclmulqdq"} <= kernels.features()


def width() -> int:
    """Bits of the registers that these instructions take here: 512, or 256."""
    return 512 if {"avx512f", "avx512bw", "avx512vl"} <= kernels.features() else 256
