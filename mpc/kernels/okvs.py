# SPDX-License-Identifier: Apache-2.0
"""Which backend works on a key-value store: ``place``, ``encode``, ``decode``, ``peel``.

What they do is written at the reference, ``okvs_portable``; the compiled loops are ``okvs_simd``.
They need no instruction beyond numba's own and run wherever the simd backend is chosen.
"""

from __future__ import annotations

from types import ModuleType

from mpc import kernels


def kernel() -> ModuleType:
    """The module of the chosen backend."""
    if kernels.backend() == "simd":
        from mpc.kernels import okvs_simd

        return okvs_simd
    from mpc.kernels import okvs_portable

    return okvs_portable
