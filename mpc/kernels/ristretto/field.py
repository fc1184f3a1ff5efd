# SPDX-License-Identifier: Apache-2.0
"""The field of 2^255 - 19, eight elements at a time, for numba code.

An element is a tuple of five ``lanes``: limbs in radix 2^52, one element per lane.

* *Tight*: limbs below 2^52, the top one below 2^47 + 2^11. Factors of a product are tight.
* *Loose*: limbs below 2^63. Products, sums and differences come out loose, so that a linear
  combination of products costs one ``carry``, and not one for each of them.

``vpmadd52`` multiplies the low 52 bits of two lanes and adds the low or the high 52 bits of the
product to a third. Twenty-five of each make a product of two elements in ten limbs, each a sum of
at most nine terms below 2^52. The upper five limbs count 2^260 = 608 times: they are folded in by
a few more multiply-adds. The bounds, limb by limb:

* a product: below 10 * 2^52 + 2^14. The top limb of the ten is below 2^43, because top limbs are
  below 2^47 + 2^11, so its 608-fold has no high part;
* ``loose_minus(x, y)``: x + 2^60 - y in every limb, so y is below 2^60 - 2^52: a product, a sum of
  products or a tight element, not another loose difference;
* ``tight`` of limbs below 2^63 gives limbs below 2^52, and a top one below 2^47 + 2^11.

Nothing here branches or addresses memory by a value.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any

from llvmlite import ir
from numba import types

from mpc.kernels.lanes import COUNT, LIMB_BITS, VECTOR, emits, high, lanes, low, read, splat, write
from mpc.kernels.ristretto.constants import P

LIMBS = 5
WORDS = LIMBS * COUNT  # of eight elements in memory
TOP_BITS = 255 - (LIMBS - 1) * LIMB_BITS
MASK = (1 << LIMB_BITS) - 1
TOP_MASK = (1 << TOP_BITS) - 1
FOLD = 19 << (LIMBS * LIMB_BITS - 255)

ELEMENT = types.UniTuple(lanes, LIMBS)
Limbs = list[Any]  # five llvmlite values


def limbs_of(value: int) -> list[int]:
    """The limbs of a number below 2^260."""
    return [value >> (LIMB_BITS * i) & MASK for i in range(LIMBS)]


def _bias() -> list[int]:
    """A multiple of P with every limb in (2^60 - 2^52, 2^60]."""
    whole = sum(1 << (60 + LIMB_BITS * i) for i in range(LIMBS))
    return [(1 << 60) - limb for limb in limbs_of(whole % P)]


def _unpack(builder: Any, element: Any) -> Limbs:
    return [builder.extract_value(element, i) for i in range(LIMBS)]


def _pack(builder: Any, limbs: Limbs) -> Any:
    out = ir.Constant(ir.ArrayType(VECTOR, len(limbs)), ir.Undefined)
    for i, limb in enumerate(limbs):
        out = builder.insert_value(out, limb, i)
    return out


def _of_elements(result: Any, emit: Callable[..., Any]) -> Any:
    """Make ``emit(builder, limbs, ...)`` callable in numba code, of elements."""

    @wraps(emit)
    def unpacked(builder: Any, *elements: Any) -> Any:
        out = emit(builder, *(_unpack(builder, element) for element in elements))
        return _pack(builder, out) if isinstance(out, list) else out

    count = len(signature(emit).parameters) - 1
    return emits(result, *[ELEMENT] * count)(unpacked)


def _operation(emit: Callable[..., Limbs]) -> Any:
    return _of_elements(ELEMENT, emit)


def _mask(emit: Callable[..., Any]) -> Any:
    """The result is a mask: all ones or zero in each lane."""
    return _of_elements(lanes, emit)


def constant(value: int) -> Any:
    """The element ``value`` in all lanes, for numba code: call it without arguments."""

    @_operation
    def emit(_builder: Any) -> Limbs:
        return [splat(limb) for limb in limbs_of(value % P)]

    return emit


def _folded(b: Any, z: Limbs) -> Limbs:
    """Ten limbs to five: the upper five times 608 onto the lower ones."""
    out = z[:LIMBS]
    for k in range(LIMBS):
        out[k] = low(b, out[k], z[LIMBS + k], splat(FOLD))
    for k in range(LIMBS - 1):
        out[k + 1] = high(b, out[k + 1], z[LIMBS + k], splat(FOLD))
        # The multiply-adds above saw 52 bits of a limb that may have up to 56.
        beyond = b.lshr(z[LIMBS + k], splat(LIMB_BITS))
        out[k + 1] = low(b, out[k + 1], beyond, splat(FOLD))
    return out


def _product(b: Any, x: Limbs, y: Limbs) -> Limbs:
    z = [splat(0)] * (2 * LIMBS)
    for i in range(LIMBS):
        for j in range(LIMBS):
            z[i + j] = low(b, z[i + j], x[i], y[j])
            z[i + j + 1] = high(b, z[i + j + 1], x[i], y[j])
    return _folded(b, z)


def _square(b: Any, x: Limbs) -> Limbs:
    z = [splat(0)] * (2 * LIMBS)
    for i in range(LIMBS):
        for j in range(i + 1, LIMBS):
            z[i + j] = low(b, z[i + j], x[i], x[j])
            z[i + j + 1] = high(b, z[i + j + 1], x[i], x[j])
    z = [b.add(limb, limb) for limb in z]
    for i in range(LIMBS):
        z[2 * i] = low(b, z[2 * i], x[i], x[i])
        z[2 * i + 1] = high(b, z[2 * i + 1], x[i], x[i])
    return _folded(b, z)


def _sum(b: Any, x: Limbs, y: Limbs) -> Limbs:
    return [b.add(p, q) for p, q in zip(x, y, strict=True)]


def _difference(b: Any, x: Limbs, y: Limbs) -> Limbs:
    biased = [b.add(p, splat(k)) for p, k in zip(x, _bias(), strict=True)]
    return [b.sub(p, q) for p, q in zip(biased, y, strict=True)]


def _carried(b: Any, limbs: Limbs) -> Limbs:
    """What is above 2^255 goes to the bottom 19 times, then carries run up once."""
    out = list(limbs)
    out[0] = low(b, out[0], b.lshr(out[-1], splat(TOP_BITS)), splat(19))
    out[-1] = b.and_(out[-1], splat(TOP_MASK))
    return _rippled(b, out)


def _rippled(b: Any, limbs: Limbs) -> Limbs:
    out = list(limbs)
    for k in range(LIMBS - 1):
        out[k + 1] = b.add(out[k + 1], b.lshr(out[k], splat(LIMB_BITS)))
        out[k] = b.and_(out[k], splat(MASK))
    return out


@_operation
def loose_times(b: Any, x: Limbs, y: Limbs) -> Limbs:
    """The product of tight elements, loose."""
    return _product(b, x, y)


@_operation
def loose_square(b: Any, x: Limbs) -> Limbs:
    """The square of a tight element, loose."""
    return _square(b, x)


@_operation
def loose_plus(b: Any, x: Limbs, y: Limbs) -> Limbs:
    """The sum, loose."""
    return _sum(b, x, y)


@_operation
def loose_minus(b: Any, x: Limbs, y: Limbs) -> Limbs:
    """The difference, loose. ``y`` is not itself a loose difference."""
    return _difference(b, x, y)


@_operation
def tight(b: Any, x: Limbs) -> Limbs:
    """A loose element made tight."""
    return _carried(b, x)


@_operation
def times(b: Any, x: Limbs, y: Limbs) -> Limbs:
    """The product of tight elements, tight."""
    return _carried(b, _product(b, x, y))


@_operation
def square(b: Any, x: Limbs) -> Limbs:
    """The square of a tight element, tight."""
    return _carried(b, _square(b, x))


@_operation
def plus(b: Any, x: Limbs, y: Limbs) -> Limbs:
    """The sum, tight."""
    return _carried(b, _sum(b, x, y))


@_operation
def minus(b: Any, x: Limbs, y: Limbs) -> Limbs:
    """The difference, tight. ``y`` is not a loose difference."""
    return _carried(b, _difference(b, x, y))


@_operation
def low_255_bits(b: Any, x: Limbs) -> Limbs:
    """What ``from_words`` gave without the top bit, which is tight."""
    return [*x[:-1], b.and_(x[-1], splat(TOP_MASK))]


@_operation
def frozen(b: Any, x: Limbs) -> Limbs:
    """The limbs of the number below P, of a tight element, or of any number below 2 P."""
    # q = (x + 19) // 2^255 is one where x is P or more, and x - q P = x + 19 q - 2^255 q.
    q = b.add(x[0], splat(19))
    for limb in x[1:]:
        q = b.add(limb, b.lshr(q, splat(LIMB_BITS)))
    out = list(x)
    out[0] = low(b, out[0], b.lshr(q, splat(TOP_BITS)), splat(19))
    out = _rippled(b, out)
    return [*out[:-1], b.and_(out[-1], splat(TOP_MASK))]


@_mask
def is_negative(b: Any, x: Limbs) -> Any:
    """Where a frozen element is negative in the sense of RFC 9496: odd."""
    return b.sub(splat(0), b.and_(x[0], splat(1)))


@_mask
def same(b: Any, x: Limbs, y: Limbs) -> Any:
    """Where all limbs are equal; for frozen elements, where the elements are."""
    difference = splat(0)
    for p, q in zip(x, y, strict=True):
        difference = b.or_(difference, b.xor(p, q))
    return b.sext(b.icmp_unsigned("==", difference, splat(0)), VECTOR)


@emits(ELEMENT, lanes, ELEMENT, ELEMENT)
def select(b: Any, mask: Any, chosen: Any, other: Any) -> Any:
    """``chosen`` in lanes where ``mask`` is all ones, ``other`` where it is zero."""
    # A mask and two exclusive ors: no branch, and one ternary logic instruction.
    pairs = zip(_unpack(b, chosen), _unpack(b, other), strict=True)
    return _pack(b, [b.xor(q, b.and_(mask, b.xor(p, q))) for p, q in pairs])


@emits(ELEMENT, types.intp, types.intp)
def load_element(b: Any, address: Any, word: Any) -> Any:
    """Eight elements from ``WORDS`` words of memory."""
    words = [b.add(word, ir.Constant(word.type, COUNT * i)) for i in range(LIMBS)]
    return _pack(b, [read(b, address, at) for at in words])


@emits(types.none, types.intp, types.intp, ELEMENT)
def store_element(b: Any, address: Any, word: Any, element: Any) -> None:
    """Write eight elements to ``WORDS`` words of memory."""
    for i, limb in enumerate(_unpack(b, element)):
        write(b, address, b.add(word, ir.Constant(word.type, COUNT * i)), limb)


@emits(ELEMENT, types.intp, types.intp)
def load_number(b: Any, address: Any, word: Any) -> Any:
    """Eight 256-bit numbers, word by word: eight lowest words first. Exact, not reduced."""
    words = [read(b, address, b.add(word, ir.Constant(word.type, COUNT * i))) for i in range(4)]
    limbs = [b.and_(words[0], splat(MASK))]
    for i in range(1, 4):
        joined = b.or_(b.lshr(words[i - 1], splat(64 - 12 * i)), b.shl(words[i], splat(12 * i)))
        limbs.append(b.and_(joined, splat(MASK)))
    return _pack(b, [*limbs, b.lshr(words[3], splat(16))])


@emits(types.none, types.intp, types.intp, ELEMENT)
def store_number(b: Any, address: Any, word: Any, element: Any) -> None:
    """Write eight tight elements as 256-bit numbers, word by word."""
    limbs = _unpack(b, element)
    for i in range(4):
        upper = b.shl(limbs[i + 1], splat(LIMB_BITS - 12 * i))
        joined = b.or_(b.lshr(limbs[i], splat(12 * i)), upper)
        write(b, address, b.add(word, ir.Constant(word.type, COUNT * i)), joined)
