# SPDX-License-Identifier: Apache-2.0
"""Which backend works on a band matrix store: ``encode`` and ``decode``.

What they do is written at the reference, ``band_portable``; the compiled loops are ``band_simd``.
How long they take, and where they read, depends on the rows, so on keys and seed, and on no value.
"""

from __future__ import annotations

from types import ModuleType

from mpc import kernels


def kernel() -> ModuleType:
    """The module of the chosen backend."""
    if kernels.backend() == "simd":
        from mpc.kernels import band_simd

        return band_simd
    from mpc.kernels import band_portable

    return band_portable
