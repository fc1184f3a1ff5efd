# SPDX-License-Identifier: Apache-2.0
"""A plugin of pytest: the lanes as AVX-512 has them, on a CPU that has it not.

LLVM lays registers of eight words out as pairs of AVX2's, and the two instructions of AVX-512
that have no such form are put together from plain ones here. So all that is written for wide lanes
runs, though not at their speed. Needs a cache of compiled kernels of its own, since numba takes
these for those of this CPU (``test_other_lanes``).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from mpc import kernels
from mpc.kernels import lanes

_DOUBLE_WORDS = ir.VectorType(ir.IntType(128), lanes.COUNT)
_instruction = lanes.instruction


def _emulated(builder: Any, name: str, args: list[Any]) -> Any:
    if name in ("avx512.vpmadd52l.uq.512", "avx512.vpmadd52h.uq.512"):
        return _multiply_add(builder, *args, high=name.endswith("h.uq.512"))
    assert not name.startswith("avx512"), name
    return _instruction(builder, name, args)


def _multiply_add(builder: Any, total: Any, x: Any, y: Any, *, high: bool) -> Any:
    limb = lanes.splat((1 << lanes.LIMB_BITS) - 1)
    product = builder.mul(*(builder.zext(builder.and_(v, limb), _DOUBLE_WORDS) for v in (x, y)))
    if high:
        product = builder.lshr(product, _DOUBLE_WORDS([lanes.LIMB_BITS] * lanes.COUNT))
    return builder.add(total, builder.and_(builder.trunc(product, lanes.VECTOR), limb))


kernels.wide = lambda: True
lanes.instruction = _emulated
