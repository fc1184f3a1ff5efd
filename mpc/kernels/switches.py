# SPDX-License-Identifier: Apache-2.0
"""Which backend works on switching networks: ``differences``, ``switch`` and ``route``.

What they do is written at the reference, ``switches_portable``. The first two take time and touch
addresses by shapes alone; ``route`` depends on the permutation, which the one who routes it knows.
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
