# SPDX-License-Identifier: Apache-2.0
"""Eight 64-bit lanes, as a type of numba with the instructions we need.

Inside a function that numba compiles, a value of this type is one register of AVX-512, or two of
AVX2, as LLVM lays it out::

    @njit(nogil=True, cache=True, error_model="numpy")
    def weigh(out, x, y, groups):
        to, left, right = address(out), address(x), address(y)
        for i in range(groups):
            product = madd_low(zero(), load(left, 8 * i), load(right, 8 * i))
            store(to, 8 * i, product)

``address(array)`` is where a contiguous uint64 array begins, as a plain integer; ``load`` and
``store`` count words from there and check nothing. Its caller's caller holds the array: numba frees
one that the function makes itself after its last use by name, which ``address`` is.
Unaligned access is right; access aligned to 64 bytes is fast.

``madd_low(total, x, y)`` and ``madd_high`` add the low and the high 52 bits of a product of 52-bit
numbers to ``total``, where AVX-512 IFMA has no instruction for it as ``doubles`` says.

Functions for use inside other intrinsics, on llvmlite's builder, are those that take ``builder``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model

from mpc import kernels
from mpc.kernels import doubles

COUNT = 8
WORD = ir.IntType(64)
VECTOR = ir.VectorType(WORD, COUNT)
LIMB_BITS = 52

_LIMB = (1 << LIMB_BITS) - 1
_NOTHING = ir.Constant(VECTOR, ir.Undefined)


class LanesType(types.Type):
    """The type of a register of eight words."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


lanes = LanesType()


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, of: Any) -> None:
        super().__init__(manager, of, VECTOR)


def splat(value: int) -> Any:
    """A constant in all lanes."""
    return ir.Constant(VECTOR, [value] * COUNT)


def spread(builder: Any, word: Any) -> Any:
    """A word in all lanes."""
    first = builder.insert_element(
        ir.Constant(VECTOR, ir.Undefined), word, ir.Constant(ir.IntType(32), 0)
    )
    order = ir.Constant(ir.VectorType(ir.IntType(32), COUNT), [0] * COUNT)
    return builder.shuffle_vector(first, ir.Constant(VECTOR, ir.Undefined), order)


def pointer(builder: Any, address: Any, word: Any, of: Any = VECTOR) -> Any:
    """A pointer to ``word`` (an int or a value) words after an address."""
    if isinstance(word, int):
        word = ir.Constant(WORD, word)
    begin = builder.inttoptr(address, WORD.as_pointer())
    return builder.bitcast(builder.gep(begin, [word]), of.as_pointer())


def read(builder: Any, address: Any, word: Any) -> Any:
    return builder.load(pointer(builder, address, word), align=8)


def write(builder: Any, address: Any, word: Any, value: Any) -> None:
    builder.store(value, pointer(builder, address, word), align=8)


def instruction(builder: Any, name: str, args: list[Any]) -> Any:
    """A call of the LLVM intrinsic ``llvm.x86.<name>``, with a result like its first argument."""
    of = ir.FunctionType(args[0].type, [arg.type for arg in args])
    return builder.call(builder.module.declare_intrinsic(f"llvm.x86.{name}", (), of), args)


def by_halves(builder: Any, args: list[Any], emit: Callable[[list[Any]], Any]) -> Any:
    """What ``emit`` gives for the lower and for the upper half of registers, joined."""
    halves = []
    for half in (0, 1):
        places = _places(range(half * COUNT // 2, (half + 1) * COUNT // 2))
        halves.append(emit([builder.shuffle_vector(x, _NOTHING, places) for x in args]))
    return builder.shuffle_vector(*halves, _places(range(COUNT)))


def low(builder: Any, total: Any, x: Any, y: Any) -> Any:
    """``total`` plus the low 52 bits of the products of two 52-bit numbers."""
    if kernels.wide():
        return instruction(builder, "avx512.vpmadd52l.uq.512", [total, x, y])
    rest, _ = _halves_of_product(builder, x, y)
    return builder.add(total, builder.and_(rest, splat(_LIMB)))


def high(builder: Any, total: Any, x: Any, y: Any) -> Any:
    """``total`` plus the high 52 bits of the products of two 52-bit numbers."""
    if kernels.wide():
        return instruction(builder, "avx512.vpmadd52h.uq.512", [total, x, y])
    rest, nearest = _halves_of_product(builder, x, y)
    # Where the nearest multiple of 2^52 is the one above, the rest is negative.
    return builder.add(builder.add(total, nearest), builder.ashr(rest, splat(63)))


def _halves_of_product(builder: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Of the low 52 bits of x and y. LLVM does the same for ``low`` and ``high`` only once."""
    limbs = (builder.and_(factor, splat(_LIMB)) for factor in (x, y))
    return doubles.halves(builder, *(doubles.double(builder, limb) for limb in limbs))


def _places(places: range) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(32), len(places)), list(places))


def emits(result: Any, *args: Any) -> Callable[[Callable[..., Any]], Any]:
    """Make a numba intrinsic of a function on (builder, values) that emits LLVM instructions."""

    def wrap(emit: Callable[..., Any]) -> Any:
        def codegen(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            value = emit(builder, *values)
            return context.get_dummy_value() if value is None else value

        def typed(_context: Any, *_values: Any) -> Any:
            return result(*args), codegen

        # numba reads the number of arguments from the signature, which here is that of ``emit``.
        return intrinsic(wraps(emit)(typed))

    return wrap


def _address(_context: Any, array: Any) -> Any:
    """Where a contiguous array begins. Typing fails for any other: a view has gaps."""
    if not isinstance(array, types.Array) or array.layout != "C":
        return None

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        return builder.ptrtoint(data, WORD)

    return types.intp(array), codegen


address: Any = intrinsic(_address)


@emits(lanes, types.intp, types.intp)
def load(builder: Any, address: Any, word: Any) -> Any:
    """The eight words from ``word`` words after an address."""
    return read(builder, address, word)


@emits(types.uint64, types.intp, types.intp)
def load_word(builder: Any, address: Any, word: Any) -> Any:
    """The one ``word`` words after an address."""
    return builder.load(pointer(builder, address, word, WORD), align=1)


@emits(types.none, types.intp, types.intp, lanes)
def store(builder: Any, address: Any, word: Any, value: Any) -> None:
    """Write eight words to ``word`` words after an address."""
    write(builder, address, word, value)


@emits(types.none, types.intp, types.intp, types.int64)
def store_word(builder: Any, address: Any, word: Any, value: Any) -> None:
    """Write the one ``word`` words after an address."""
    builder.store(value, pointer(builder, address, word, WORD), align=8)


@emits(lanes)
def zero(_builder: Any) -> Any:
    """Zero in all lanes."""
    return splat(0)


@emits(lanes, types.uint64)
def broadcast(builder: Any, word: Any) -> Any:
    """One word in all lanes."""
    return spread(builder, word)


@emits(lanes, lanes, lanes)
def add(builder: Any, x: Any, y: Any) -> Any:
    return builder.add(x, y)


@emits(lanes, lanes, lanes)
def sub(builder: Any, x: Any, y: Any) -> Any:
    return builder.sub(x, y)


@emits(lanes, lanes, lanes)
def bit_and(builder: Any, x: Any, y: Any) -> Any:
    return builder.and_(x, y)


@emits(lanes, lanes, lanes)
def bit_xor(builder: Any, x: Any, y: Any) -> Any:
    return builder.xor(x, y)


@emits(lanes, lanes, types.uint64)
def shift_right(builder: Any, x: Any, bits: Any) -> Any:
    """Shift unsigned words: zeros come in from above."""
    return builder.lshr(x, spread(builder, bits))


@emits(lanes, lanes, types.uint64)
def shift_signed(builder: Any, x: Any, bits: Any) -> Any:
    """Shift signed words: copies of the sign come in from above."""
    return builder.ashr(x, spread(builder, bits))


@emits(lanes, lanes, lanes, lanes)
def madd_low(builder: Any, total: Any, x: Any, y: Any) -> Any:
    """``total`` plus the low 52 bits of the products of the low 52 bits of x and y."""
    return low(builder, total, x, y)


@emits(lanes, lanes, lanes, lanes)
def madd_high(builder: Any, total: Any, x: Any, y: Any) -> Any:
    """``total`` plus the high 52 bits of the products of the low 52 bits of x and y."""
    return high(builder, total, x, y)


@emits(lanes, lanes, lanes, lanes)
def low_added(builder: Any, total: Any, x: Any, y: Any) -> Any:
    """``total`` and the products of the low 32 bits of x and y (``vpmuludq``)."""
    half = splat(2**32 - 1)
    return builder.add(total, builder.mul(builder.and_(x, half), builder.and_(y, half)))


@emits(lanes, lanes, lanes)
def equal(builder: Any, x: Any, y: Any) -> Any:
    """All ones in lanes where x equals y, zero elsewhere."""
    return builder.sext(builder.icmp_unsigned("==", x, y), VECTOR)


@emits(lanes, lanes, lanes, lanes)
def select(builder: Any, mask: Any, x: Any, y: Any) -> Any:
    """x in lanes where the mask's top bit is set, y elsewhere; takes the same time for both."""
    return builder.select(builder.icmp_signed("<", mask, splat(0)), x, y)
