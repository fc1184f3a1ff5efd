# SPDX-License-Identifier: Apache-2.0
"""Eight 32-bit lanes, as a type of numba, for residues modulo primes below 2^30.

As in ``lanes``, addresses are integers and nothing is checked; ``load`` and ``store`` count words
of 32 bits from there. LLVM has instructions for these on any processor.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import models, register_model

from mpc.kernels.lanes import emits

COUNT = 8
BYTES = 4

_WORD, _LONG = ir.IntType(32), ir.IntType(64)
_VECTOR, _PAIRS = ir.VectorType(_WORD, COUNT), ir.VectorType(_LONG, COUNT // 2)
_HALF = ir.Constant(_PAIRS, [32] * (COUNT // 2))
_LOW = ir.Constant(_PAIRS, [0xFFFFFFFF] * (COUNT // 2))
_HIGH = ir.Constant(_PAIRS, [0xFFFFFFFF << 32] * (COUNT // 2))


class Lanes32Type(types.Type):
    """The type of a register of eight words of 32 bits."""

    def __init__(self) -> None:
        super().__init__(name="Lanes32")


lanes32 = Lanes32Type()


@register_model(Lanes32Type)
class _Lanes32Model(models.PrimitiveModel):
    def __init__(self, manager: Any, of: Any) -> None:
        super().__init__(manager, of, _VECTOR)


def _pointer(builder: Any, address: Any, word: Any, of: Any) -> Any:
    begin = builder.inttoptr(address, _WORD.as_pointer())
    return builder.bitcast(builder.gep(begin, [word]), of.as_pointer())


def _shuffled(builder: Any, x: Any, y: Any, places: list[int]) -> Any:
    return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(_WORD, COUNT), places))


@emits(lanes32, types.intp, types.intp)
def load(builder: Any, address: Any, word: Any) -> Any:
    """The eight words from ``word`` words after an address."""
    return builder.load(_pointer(builder, address, word, _VECTOR), align=4)


@emits(types.none, types.intp, types.intp, lanes32)
def store(builder: Any, address: Any, word: Any, value: Any) -> None:
    """Write eight words to ``word`` words after an address."""
    builder.store(value, _pointer(builder, address, word, _VECTOR), align=4)


@emits(lanes32, types.intp, types.intp)
def load_all(builder: Any, address: Any, word: Any) -> Any:
    """The one ``word`` words after an address, in all lanes."""
    one = builder.load(_pointer(builder, address, word, _WORD), align=4)
    nothing = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(nothing, one, ir.Constant(_WORD, 0))
    return _shuffled(builder, first, nothing, [0] * COUNT)


@emits(lanes32, lanes32, lanes32)
def add(builder: Any, x: Any, y: Any) -> Any:
    return builder.add(x, y)


@emits(lanes32, lanes32, lanes32)
def sub(builder: Any, x: Any, y: Any) -> Any:
    return builder.sub(x, y)


@emits(lanes32, lanes32, lanes32)
def lowered(builder: Any, x: Any, bound: Any) -> Any:
    """x less ``bound`` where x is not below it; both are below 2^32."""
    less = builder.sub(x, bound)
    return builder.select(builder.icmp_unsigned("<", x, less), x, less)


@emits(lanes32, lanes32, lanes32, lanes32, lanes32)
def times(builder: Any, x: Any, power: Any, companion: Any, prime: Any) -> Any:
    """x times ``power`` modulo ``prime``, in [0, 2 prime), as Shoup does it (see ``ntt``)."""
    even, odd = _products(builder, x, companion)
    quotient = _joined(builder, builder.lshr(even, _HALF), odd)
    return builder.sub(builder.mul(x, power), builder.mul(quotient, prime))


def _products(builder: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Products of 64 bits of the even lanes and of the odd ones."""
    x, y = builder.bitcast(x, _PAIRS), builder.bitcast(y, _PAIRS)
    even = builder.mul(builder.and_(x, _LOW), builder.and_(y, _LOW))
    return even, builder.mul(builder.lshr(x, _HALF), builder.lshr(y, _HALF))


def _joined(builder: Any, low: Any, high: Any) -> Any:
    """The lower words of the one, and the upper ones of the other."""
    both = builder.or_(builder.and_(low, _LOW), builder.and_(high, _HIGH))
    return builder.bitcast(both, _VECTOR)


def _sums(builder: Any, address: Any, word: Any) -> list[Any]:
    """Where the eight words of 64 bits are that belong to lanes: even ones, then odd ones."""
    begin = builder.inttoptr(address, _LONG.as_pointer())
    first = builder.bitcast(builder.gep(begin, [word]), _PAIRS.as_pointer())
    return [first, builder.gep(first, [ir.Constant(_WORD, 1)])]


@emits(types.none, types.intp, types.intp, lanes32, lanes32)
def add_product(builder: Any, address: Any, word: Any, x: Any, y: Any) -> None:
    """Add x y to eight sums of 64 bits from ``word`` sums after an address."""
    for place, product in zip(_sums(builder, address, word), _products(builder, x, y), strict=True):
        builder.store(builder.add(builder.load(place, align=8), product), place, align=8)


@emits(types.none, types.intp, types.intp, lanes32)
def store_sums(builder: Any, address: Any, word: Any, x: Any) -> None:
    """Set the eight sums to x."""
    pairs = builder.bitcast(x, _PAIRS)
    parts = builder.and_(pairs, _LOW), builder.lshr(pairs, _HALF)
    for place, part in zip(_sums(builder, address, word), parts, strict=True):
        builder.store(part, place, align=8)


@emits(lanes32, types.intp, types.intp)
def low_sums(builder: Any, address: Any, word: Any) -> Any:
    """The lower halves of eight sums."""
    even, odd = (builder.load(place, align=8) for place in _sums(builder, address, word))
    return _joined(builder, even, builder.shl(odd, _HALF))


@emits(lanes32, types.intp, types.intp)
def high_sums(builder: Any, address: Any, word: Any) -> Any:
    """The upper halves of eight sums."""
    even, odd = (builder.load(place, align=8) for place in _sums(builder, address, word))
    return _joined(builder, builder.lshr(even, _HALF), odd)


@emits(lanes32, lanes32, lanes32)
def zip_low(builder: Any, x: Any, y: Any) -> Any:
    """Of both halves of x and y, the first two lanes of each in turn."""
    return _shuffled(builder, x, y, [0, 8, 1, 9, 4, 12, 5, 13])


@emits(lanes32, lanes32, lanes32)
def zip_high(builder: Any, x: Any, y: Any) -> Any:
    """Of both halves of x and y, the last two lanes of each in turn."""
    return _shuffled(builder, x, y, [2, 10, 3, 11, 6, 14, 7, 15])


@emits(lanes32, lanes32, lanes32)
def pairs_low(builder: Any, x: Any, y: Any) -> Any:
    """Of both halves of x and y, the first two lanes of x, then of y."""
    return _shuffled(builder, x, y, [0, 1, 8, 9, 4, 5, 12, 13])


@emits(lanes32, lanes32, lanes32)
def pairs_high(builder: Any, x: Any, y: Any) -> Any:
    """Of both halves of x and y, the last two lanes of x, then of y."""
    return _shuffled(builder, x, y, [2, 3, 10, 11, 6, 7, 14, 15])


@emits(lanes32, lanes32, lanes32)
def halves_low(builder: Any, x: Any, y: Any) -> Any:
    """The first four lanes of x, then of y."""
    return _shuffled(builder, x, y, [0, 1, 2, 3, 8, 9, 10, 11])


@emits(lanes32, lanes32, lanes32)
def halves_high(builder: Any, x: Any, y: Any) -> Any:
    """The last four lanes of x, then of y."""
    return _shuffled(builder, x, y, [4, 5, 6, 7, 12, 13, 14, 15])
