# SPDX-License-Identifier: Apache-2.0
"""Products of 52-bit integers by fused multiply-adds of doubles, for CPUs without IFMA.

A double holds 53 bits, and a fused multiply-add rounds once. So for x and y below 2^52

    high = fma(x, y, 2^104)           2^104 + h * 2^52, h the nearest integer to x*y / 2^52
    low  = fma(x, y, 2^104 - high)    x*y - h * 2^52, exactly, between -2^51 and 2^51

give x*y = h * 2^52 + l in two integers, of which the lower is signed. Emmart, Zheng and Weems
("Faster Modular Exponentiation Using Double Precision Floating Point Arithmetic on the GPU", ARITH
2018, section III) have this with rounding towards zero, where h is the whole part and l is not
negative, and which takes an instruction less. A process rounds to the nearest: ``halves`` is for
that, and ``truncated`` for code that is called ``rounding_down``. Doubles between 2^k and 2^(k+1)
are spaced evenly, so their bits less those of 2^k are integers that can be added: integers go to
doubles and back by additions. Nothing branches on values, and no double here is subnormal, which is
what would take longer.

NEON has the same instruction for two lanes, and nothing here is of one processor; the lookups are,
and ARM, where none of this was run, is served by the portable backend.

Functions take llvmlite's builder and vectors of any number of lanes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba.core import cgutils

_LOW_BIAS = 3.0 * 2.0**51
_HIGH_BIAS = 2.0**104
_WHOLE = 2.0**52
_TOWARDS_ZERO = 0x6000  # in MXCSR


def bits(value: float) -> int:
    """A double's bits."""
    return int(struct.unpack("<Q", struct.pack("<d", value))[0])


LOW_ZERO, HIGH_ZERO = bits(_WHOLE), bits(_HIGH_BIAS)
"""What is to be taken from each half of ``truncated``."""


def _splat(value: float, lanes: int) -> Any:
    return ir.Constant(ir.VectorType(ir.DoubleType(), lanes), [value] * lanes)


def double(builder: Any, x: Any) -> Any:
    """Doubles of integers below 2^52."""
    lanes = x.type.count
    return less_whole(builder, builder.or_(x, ir.Constant(x.type, [LOW_ZERO] * lanes)))


def less_whole(builder: Any, x: Any) -> Any:
    """Doubles of integers below 2^52, of words that are ``LOW_ZERO`` more."""
    whole = _splat(_WHOLE, x.type.count)
    return builder.fsub(builder.bitcast(x, whole.type), whole)


def _fused(builder: Any, x: Any, y: Any, z: Any) -> Any:
    """x*y + z, rounded once."""
    of = ir.FunctionType(x.type, [x.type] * 3)
    name = f"llvm.fma.v{x.type.count}f64"
    return builder.call(builder.module.declare_intrinsic(name, (), of), [x, y, z])


def truncated(builder: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Low and high halves of products where rounding is towards zero, each more by a constant.

    Both are below 2^52, and not negative.
    """
    lanes = x.type.count
    words = ir.VectorType(ir.IntType(64), lanes)
    high = _fused(builder, x, y, _splat(_HIGH_BIAS, lanes))
    low = _fused(builder, x, y, builder.fsub(_splat(_HIGH_BIAS + _WHOLE, lanes), high))
    return builder.bitcast(low, words), builder.bitcast(high, words)


@contextmanager
def rounding_down(builder: Any) -> Iterator[None]:
    """Emit code between, that is a call by address, to run with rounding towards zero.

    LLVM does not know of it, and moves arithmetic of its own across: so there is to be none.
    """
    word = ir.IntType(32)
    kept, changed = (cgutils.alloca_once(builder, word) for _ in range(2))
    _mxcsr(builder, "st", kept)
    builder.store(builder.or_(builder.load(kept), ir.Constant(word, _TOWARDS_ZERO)), changed)
    _mxcsr(builder, "ld", changed)
    yield
    _mxcsr(builder, "ld", kept)


def _mxcsr(builder: Any, way: str, place: Any) -> None:
    octet = ir.IntType(8).as_pointer()
    of = ir.FunctionType(ir.VoidType(), [octet])
    function = builder.module.declare_intrinsic(f"llvm.x86.sse.{way}mxcsr", (), of)
    builder.call(function, [builder.bitcast(place, octet)])


def halves(builder: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Of the products of doubles: the low halves, between -2^51 and 2^51, and the high halves."""
    lanes = x.type.count
    words = ir.VectorType(ir.IntType(64), lanes)
    high = _fused(builder, x, y, _splat(_HIGH_BIAS, lanes))
    low = _fused(builder, x, y, builder.fsub(_splat(_HIGH_BIAS, lanes), high))
    low = builder.fadd(low, _splat(_LOW_BIAS, lanes))
    return (
        builder.sub(builder.bitcast(low, words), ir.Constant(words, [bits(_LOW_BIAS)] * lanes)),
        builder.sub(builder.bitcast(high, words), ir.Constant(words, [HIGH_ZERO] * lanes)),
    )


def plus(builder: Any, total: Any, half: Any) -> Any:
    """``total + half``, added here and now.

    LLVM else makes all products first and keeps their halves in memory, since it orders long sums
    anew. It does not look into assembly, of which there is none here but its place among others.
    """
    of = ir.FunctionType(total.type, [total.type])
    return builder.asm(of, "", "=x,0", [builder.add(total, half)], side_effect=True)
