# SPDX-License-Identifier: Apache-2.0
"""Products of 52-bit integers by fused multiply-adds of doubles, for CPUs without IFMA.

A double holds 53 bits, and a fused multiply-add rounds once. So for x and y below 2^52

    high = fma(x, y, 2^104)           2^104 + h * 2^52, h the nearest integer to x*y / 2^52
    low  = fma(x, y, 2^104 - high)    x*y - h * 2^52, exactly, between -2^51 and 2^51

give x*y = h * 2^52 + l in two integers, of which the lower is signed. Emmart, Zheng and Weems
("Faster Modular Exponentiation Using Double Precision Floating Point Arithmetic on the GPU", ARITH
2018, section III) have this with rounding towards zero; here it is to the nearest, as everywhere in
the process. Doubles between 2^k and 2^(k+1) are spaced evenly, so their bits less those of 2^k are
integers that can be added: integers go to doubles and back by additions. Nothing branches on
values, and no double here is subnormal, which is what would take longer.

NEON has the same instruction for two lanes, and nothing here is of one processor; the lookups are,
and ARM, where none of this was run, is served by the portable backend.

Functions take llvmlite's builder and vectors of any number of lanes.
"""

from __future__ import annotations

import struct
from typing import Any

from llvmlite import ir

_LOW_BIAS = 3.0 * 2.0**51
_HIGH_BIAS = 2.0**104
_WHOLE = 2.0**52


def bits(value: float) -> int:
    """A double's bits."""
    return int(struct.unpack("<Q", struct.pack("<d", value))[0])


LOW_ZERO, HIGH_ZERO = bits(_LOW_BIAS), bits(_HIGH_BIAS)
"""What is to be taken from each ``biased`` half."""


def _splat(value: float, lanes: int) -> Any:
    return ir.Constant(ir.VectorType(ir.DoubleType(), lanes), [value] * lanes)


def double(builder: Any, x: Any) -> Any:
    """Doubles of integers below 2^52."""
    lanes = x.type.count
    joined = builder.or_(x, ir.Constant(x.type, [bits(_WHOLE)] * lanes))
    whole = _splat(_WHOLE, lanes)
    return builder.fsub(builder.bitcast(joined, whole.type), whole)


def _fused(builder: Any, x: Any, y: Any, z: Any) -> Any:
    """x*y + z, rounded once."""
    of = ir.FunctionType(x.type, [x.type] * 3)
    name = f"llvm.fma.v{x.type.count}f64"
    return builder.call(builder.module.declare_intrinsic(name, (), of), [x, y, z])


def biased(builder: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Low and high halves of the products of doubles, as integers more by the constants above."""
    lanes = x.type.count
    words = ir.VectorType(ir.IntType(64), lanes)
    high = _fused(builder, x, y, _splat(_HIGH_BIAS, lanes))
    low = _fused(builder, x, y, builder.fsub(_splat(_HIGH_BIAS, lanes), high))
    low = builder.fadd(low, _splat(_LOW_BIAS, lanes))
    return builder.bitcast(low, words), builder.bitcast(high, words)


def halves(builder: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Of the products of doubles: the low halves, between -2^51 and 2^51, and the high halves."""
    low, high = biased(builder, x, y)
    lanes = x.type.count
    return (
        builder.sub(low, ir.Constant(low.type, [LOW_ZERO] * lanes)),
        builder.sub(high, ir.Constant(high.type, [HIGH_ZERO] * lanes)),
    )


def plus(builder: Any, total: Any, half: Any) -> Any:
    """``total + half``, added here and now.

    LLVM else orders long sums anew, and keeps their terms in memory until the end.
    """
    of = ir.VectorType(ir.DoubleType(), total.type.count)
    name = f"llvm.arithmetic.fence.v{total.type.count}f64"
    fence = builder.module.declare_intrinsic(name, (), ir.FunctionType(of, [of]))
    kept = builder.call(fence, [builder.bitcast(builder.add(total, half), of)])
    return builder.bitcast(kept, total.type)
