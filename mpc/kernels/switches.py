# SPDX-License-Identifier: Apache-2.0
"""Which backend works on switching networks.

What each function does is written at the reference, ``switches_portable``. They take time and touch
addresses by shapes alone, but ``route``, which depends on the permutation: who routes it knows it.
"""

from __future__ import annotations

from types import ModuleType

from mpc import kernels


def kernel() -> ModuleType:
    """The module of the chosen backend."""
    if kernels.backend() == "simd":
        from mpc.kernels import switches_simd

        return switches_simd
    from mpc.kernels import switches_portable

    return switches_portable
