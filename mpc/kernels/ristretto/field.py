# SPDX-License-Identifier: Apache-2.0
"""The field of 2^255 - 19 for numba code: eight elements at a time, or one.

An element is a tuple of five limbs, each ``lanes`` (``eights``) or a single word (``ones``), and
every operation here takes either kind: the types of its arguments say which. Where no argument is
an element, ``like`` is one, or a word, or what a kernel is given from outside to say the kind:
``EIGHTS`` or ``ONES``. A *word* is eight words in lanes, or one, and a *mask* is a word of all ones
or zero, in each lane.

Elements are *tight* or *loose*, and a linear combination of products is made tight once, or what a
*factor* of a product may be, which takes less. Both modules give the bounds.

Nothing here branches or addresses memory by a value.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import Signature, signature
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from mpc.kernels.lanes import pointer
from mpc.kernels.ristretto import eights, ones
from mpc.kernels.ristretto.constants import P

LIMBS = 5
EIGHTS, ONES = None, np.uint64(1)
"""As an argument of a kernel: the kind of elements it works on."""

_KINDS = {
    types.none: eights,
    eights.WORD: eights,
    eights.ELEMENT: eights,
    ones.WORD: ones,
    ones.ELEMENT: ones,
}
Limbs = list[Any]  # five llvmlite values


def operation(result: str) -> Callable[[Callable[..., Any]], Any]:
    """Make an intrinsic of ``emit(kind, builder, ...)``, of elements as lists of limbs.

    ``result`` is "element", "elements" (four), "word", "index" or "none".
    """

    def wrap(emit: Callable[..., Any]) -> Any:
        def typed(_context: Any, *args: Any) -> Any:
            kind = next(_KINDS[arg] for arg in args if arg in _KINDS)
            given = [types.unliteral(arg) for arg in args]
            results = {
                "element": kind.ELEMENT,
                "elements": types.UniTuple(kind.ELEMENT, 4),
                "word": kind.WORD,
                "index": types.intp,
            }
            return results.get(result, types.none)(*given), partial(_generated, kind, emit)

        # numba reads the number of arguments from the signature.
        typed.__signature__ = Signature(list(signature(emit).parameters.values())[1:])  # type: ignore[attr-defined]
        typed.__name__ = emit.__name__
        return intrinsic(typed)

    return wrap


def _generated(
    kind: Any, emit: Callable[..., Any], context: Any, builder: Any, of: Any, values: Any
) -> Any:
    given = [
        [builder.extract_value(value, i) for i in range(LIMBS)] if arg == kind.ELEMENT else value
        for arg, value in zip(of.args, values, strict=True)
    ]
    out = emit(kind, builder, *given)
    if not isinstance(out, list):
        return context.get_dummy_value() if out is None else out
    if isinstance(out[0], list):
        return _packed(builder, [_packed(builder, element) for element in out])
    return _packed(builder, out)


def _packed(builder: Any, values: list[Any]) -> Any:
    packed = ir.Constant(ir.ArrayType(values[0].type, len(values)), ir.Undefined)
    for i, value in enumerate(values):
        packed = builder.insert_value(packed, value, i)
    return packed


def limbs_of(value: int, bits: int) -> list[int]:
    """The limbs of a number, but for what is above the last."""
    return [value >> (bits * i) & (1 << bits) - 1 for i in range(LIMBS)]


def constant(value: int) -> Any:
    """The element ``value``, for numba code: call it with an element of the kind that is wanted."""

    @operation("element")
    def emit(kind: Any, _b: Any, _like: Any) -> Limbs:
        return [kind.splat(limb) for limb in limbs_of(value % P, kind.LIMB_BITS)]

    return emit


@operation("element")
def loose_times(kind: Any, b: Any, x: Limbs, y: Limbs) -> Limbs:
    """The product of factors, loose."""
    return list(kind.loose_times(b, x, y))


@operation("element")
def loose_square(kind: Any, b: Any, x: Limbs) -> Limbs:
    """The square of a factor, loose."""
    return list(kind.loose_square(b, x))


@operation("element")
def loose_plus(_kind: Any, b: Any, x: Limbs, y: Limbs) -> Limbs:
    """The sum, loose."""
    return _sum(b, x, y)


@operation("element")
def loose_minus(kind: Any, b: Any, x: Limbs, y: Limbs) -> Limbs:
    """The difference, loose. ``y`` is not itself a loose difference."""
    return _difference(kind, b, x, y)


@operation("element")
def tight(kind: Any, b: Any, x: Limbs) -> Limbs:
    """A loose element made tight."""
    return list(kind.tight(b, x))


@operation("element")
def factor(kind: Any, b: Any, x: Limbs) -> Limbs:
    """A loose element that is a combination of a few products, as a factor."""
    return list(kind.factor(b, x))


@operation("element")
def factor_plus(kind: Any, b: Any, x: Limbs, y: Limbs) -> Limbs:
    """The sum of products, as a factor."""
    return list(kind.factor(b, _sum(b, x, y)))


@operation("element")
def factor_minus(kind: Any, b: Any, x: Limbs, y: Limbs) -> Limbs:
    """The difference of products, as a factor; ``y`` may be the sum of two."""
    return list(kind.factor(b, _difference(kind, b, x, y)))


@operation("element")
def times(kind: Any, b: Any, x: Limbs, y: Limbs) -> Limbs:
    """The product of factors, tight."""
    return list(kind.times(b, x, y))


@operation("element")
def square(kind: Any, b: Any, x: Limbs) -> Limbs:
    """The square of a factor, tight."""
    return list(kind.square(b, x))


@operation("element")
def plus(kind: Any, b: Any, x: Limbs, y: Limbs) -> Limbs:
    """The sum, tight."""
    return list(kind.tight(b, _sum(b, x, y)))


@operation("element")
def minus(kind: Any, b: Any, x: Limbs, y: Limbs) -> Limbs:
    """The difference, tight. ``y`` is not a loose difference."""
    return list(kind.tight(b, _difference(kind, b, x, y)))


def _sum(b: Any, x: Limbs, y: Limbs) -> Limbs:
    return [b.add(p, q) for p, q in zip(x, y, strict=True)]


def _difference(kind: Any, b: Any, x: Limbs, y: Limbs) -> Limbs:
    """With a multiple of P added whose limbs are at most one limb's range below 2^BIAS_BITS."""
    least = 1 << kind.BIAS_BITS
    whole = sum(least << (kind.LIMB_BITS * i) for i in range(LIMBS))
    bias = [least - limb for limb in limbs_of(whole % P, kind.LIMB_BITS)]
    biased = [b.add(p, kind.splat(k)) for p, k in zip(x, bias, strict=True)]
    return [b.sub(p, q) for p, q in zip(biased, y, strict=True)]


@operation("element")
def low_255_bits(kind: Any, b: Any, x: Limbs) -> Limbs:
    """What ``load_number`` gave without the top bit, which is tight."""
    return [*x[:-1], b.and_(x[-1], _ones(kind, kind.TOP_BITS))]


@operation("element")
def frozen(kind: Any, b: Any, x: Limbs) -> Limbs:
    """The limbs of the number below P, of a tight element, or of any number below 2 P."""
    # q = (x + 19) // 2^255 is one where x is P or more, and x - q P = x + 19 q - 2^255 q.
    q = b.add(x[0], kind.splat(19))
    for limb in x[1:]:
        q = b.add(limb, b.lshr(q, kind.splat(kind.LIMB_BITS)))
    first = kind.plus_19(b, x[0], b.lshr(q, kind.splat(kind.TOP_BITS)))
    out = _rippled(kind, b, [first, *x[1:]])
    return [*out[:-1], b.and_(out[-1], _ones(kind, kind.TOP_BITS))]


def _rippled(kind: Any, b: Any, limbs: Limbs) -> Limbs:
    """Carries run up once, and the last limb keeps what comes to it."""
    out = list(limbs)
    for k in range(LIMBS - 1):
        out[k + 1] = b.add(out[k + 1], b.lshr(out[k], kind.splat(kind.LIMB_BITS)))
        out[k] = b.and_(out[k], _ones(kind, kind.LIMB_BITS))
    return out


def _ones(kind: Any, bits: int) -> Any:
    return kind.splat((1 << bits) - 1)


@operation("word")
def is_negative(kind: Any, b: Any, x: Limbs) -> Any:
    """Where a frozen element is negative in the sense of RFC 9496: odd."""
    return b.sub(kind.splat(0), b.and_(x[0], kind.splat(1)))


@operation("word")
def same(kind: Any, b: Any, x: Limbs, y: Limbs) -> Any:
    """Where all limbs are equal; for frozen elements, where the elements are."""
    difference = kind.splat(0)
    for p, q in zip(x, y, strict=True):
        difference = b.or_(difference, b.xor(p, q))
    return b.sext(b.icmp_unsigned("==", difference, kind.splat(0)), kind.TYPE)


@operation("word")
def both(_kind: Any, b: Any, mask: Any, other: Any) -> Any:
    """Where both masks are set."""
    return b.and_(mask, other)


@operation("word")
def either(_kind: Any, b: Any, mask: Any, other: Any) -> Any:
    """Where one of two masks is set."""
    return b.or_(mask, other)


@operation("word")
def opposite(kind: Any, b: Any, mask: Any) -> Any:
    """Where a mask is not set."""
    return b.xor(mask, kind.splat((1 << 64) - 1))


@operation("element")
def select(kind: Any, b: Any, mask: Any, chosen: Limbs, other: Limbs) -> Limbs:
    """``chosen`` in lanes where ``mask`` is all ones, ``other`` where it is zero."""
    # A mask and two exclusive ors: no branch, and one ternary logic instruction.
    mask = kind.opaque(b, mask)
    pairs = zip(chosen, other, strict=True)
    return [b.xor(q, b.and_(mask, b.xor(p, q))) for p, q in pairs]


@operation("index")
def lanes_of(kind: Any, _b: Any, _like: Any) -> Any:
    """How many elements there are side by side."""
    return ir.Constant(ir.IntType(64), kind.COUNT)


def _read(kind: Any, b: Any, address: Any, first: Any, count: int) -> Limbs:
    """Words ``first`` and on from an address; of each, all lanes lie together."""
    places = (b.add(first, ir.Constant(first.type, i)) for i in range(count))
    lanes = ir.Constant(first.type, kind.COUNT)
    return [b.load(pointer(b, address, b.mul(at, lanes), kind.TYPE), align=8) for at in places]


def _write(kind: Any, b: Any, address: Any, first: Any, values: Limbs) -> None:
    lanes = ir.Constant(first.type, kind.COUNT)
    for i, value in enumerate(values):
        at = b.mul(b.add(first, ir.Constant(first.type, i)), lanes)
        b.store(value, pointer(b, address, at, kind.TYPE), align=8)


@operation("word")
def load_word(kind: Any, b: Any, address: Any, index: Any, _like: Any) -> Any:
    """Word ``index`` in memory."""
    return _read(kind, b, address, index, 1)[0]


@operation("none")
def store_word(kind: Any, b: Any, address: Any, index: Any, word: Any) -> None:
    """Write word ``index`` to memory."""
    _write(kind, b, address, index, [word])


@operation("element")
def load_element(kind: Any, b: Any, address: Any, index: Any, _like: Any) -> Limbs:
    """Element ``index`` in memory, of ``LIMBS`` words."""
    return _read(kind, b, address, b.mul(index, ir.Constant(index.type, LIMBS)), LIMBS)


@operation("none")
def store_element(kind: Any, b: Any, address: Any, index: Any, element: Limbs) -> None:
    """Write element ``index`` to memory."""
    _write(kind, b, address, b.mul(index, ir.Constant(index.type, LIMBS)), element)


@operation("element")
def load_number(kind: Any, b: Any, address: Any, index: Any, _like: Any) -> Limbs:
    """Number ``index`` in memory, of four words, the lowest first. Exact, not reduced."""
    read = _read(kind, b, address, b.mul(index, ir.Constant(index.type, 4)), 4)
    limbs = []
    for i in range(LIMBS):
        word, shift = divmod(kind.LIMB_BITS * i, 64)
        limb = b.lshr(read[word], kind.splat(shift))
        if word + 1 < len(read) and 64 - shift < kind.LIMB_BITS:
            limb = b.or_(limb, b.shl(read[word + 1], kind.splat(64 - shift)))
        limbs.append(limb if i == LIMBS - 1 else b.and_(limb, _ones(kind, kind.LIMB_BITS)))
    return limbs


@operation("none")
def store_number(kind: Any, b: Any, address: Any, index: Any, element: Limbs) -> None:
    """Write tight elements as number ``index``."""
    limbs, written = _rippled(kind, b, element), []
    for i in range(4):
        limb, shift = divmod(64 * i, kind.LIMB_BITS)
        upper = b.shl(limbs[limb + 1], kind.splat(kind.LIMB_BITS - shift))
        written.append(b.or_(b.lshr(limbs[limb], kind.splat(shift)), upper))
    _write(kind, b, address, b.mul(index, ir.Constant(index.type, 4)), written)
