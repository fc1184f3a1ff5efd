# SPDX-License-Identifier: Apache-2.0
"""The field of 2^255 - 19, one element at a time: what ``field`` emits for single words.

An element is five words, limbs in radix 2^51 (Bernstein, Duif, Lange, Schwabe, Yang, "High-speed
high-security signatures", CHES 2011, section 3.1; in the layout of their amd64-51). A product is 25
multiplications of 64 by 64 bits, of which those that pass 2^255 have a factor that is 19 times
itself, in five sums of 128 bits.

* *Tight*: limbs below 2^51 + 2^17. Products are.
* *Loose*: limbs below 2^63. Sums and differences come out loose.
* *Factors* of a product: limbs below 2^54. A difference is one, and a sum of up to three, where
  what is added is tight: they are not made tight first.

The bounds, limb by limb:

* the sums of a product: below (1 + 4 * 19) * 2^108 + 2^64, so their carries are words, and what is
  above 2^255 is below 2^59.4, for only the fifth sum, which is without a 19, has it. 19 times that
  is a word, and carried one limb further up: it leaves limbs below 2^51 + 2^13;
* ``loose_minus(x, y)``: x + 2^53 - y in every limb, so y is below 2^53 - 2^51: a tight element, or
  the sum of two;
* ``tight`` of limbs below 2^63 carries at once from all: 2^51 + 19 * 2^12 at most.

The multiplier takes the same time for all numbers on the processors that this is compiled for, and
nothing here branches or addresses memory by a value.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from mpc.kernels import lanes

COUNT = 1
LIMBS = 5
LIMB_BITS = 51
TOP_BITS = 51
BIAS_BITS = 53

TYPE = lanes.WORD
LINE = ir.VectorType(TYPE, 4)  # what tables are read by
WORD = types.uint64
ELEMENT = types.UniTuple(WORD, LIMBS)
Limbs = list[Any]  # five llvmlite values

_MASK = (1 << LIMB_BITS) - 1
_TWICE = ir.IntType(128)
_LANES = [ir.Constant(ir.IntType(32), lane) for lane in range(LINE.count)]


def splat(value: int) -> Any:
    """A constant."""
    return ir.Constant(TYPE, value)


def spread(_builder: Any, word: Any) -> Any:
    return word


def opaque(b: Any, mask: Any) -> Any:
    """``mask``, in a register that LLVM knows nothing of.

    Where it saw a mask come of a comparison, it would take the logic on masks for a choice, and
    compile choices between what is in memory as branches, which take times that depend on secrets.
    """
    return b.asm(ir.FunctionType(TYPE, [TYPE]), "", "=r,0", [mask], side_effect=False)


def lined(b: Any, word: Any) -> Any:
    """A word all along a line."""
    first = b.insert_element(ir.Constant(LINE, ir.Undefined), word, _LANES[0])
    order = ir.Constant(ir.VectorType(ir.IntType(32), LINE.count), [0] * LINE.count)
    return b.shuffle_vector(first, ir.Constant(LINE, ir.Undefined), order)


def words_of(b: Any, lines: list[Any]) -> list[Any]:
    """The words of lines, in order."""
    return [b.extract_element(line, lane) for line in lines for lane in _LANES]


def times(b: Any, x: Limbs, y: Limbs) -> Limbs:
    """The product of factors, tight."""
    y19 = [plus_19(b, splat(0), limb) for limb in y]
    pairs = [
        [(x[i], y[k - i] if i <= k else y19[k - i + LIMBS]) for i in range(LIMBS)]
        for k in range(LIMBS)
    ]
    return _carried(b, [_total(b, row) for row in pairs])


def square(b: Any, x: Limbs) -> Limbs:
    """The square of a factor, tight."""
    twice = [b.add(limb, limb) for limb in x]
    x19 = [plus_19(b, splat(0), limb) for limb in x]
    rows: list[list[tuple[Any, Any]]] = [[] for _ in x]
    for i in range(LIMBS):
        for j in range(i, LIMBS):
            right = x[j] if i + j < LIMBS else x19[j]
            rows[(i + j) % LIMBS].append((x[i] if i == j else twice[i], right))
    return _carried(b, [_total(b, row) for row in rows])


loose_times, loose_square = times, square


def tight(b: Any, x: Limbs) -> Limbs:
    """A loose element made tight."""
    above = [b.lshr(limb, splat(LIMB_BITS)) for limb in x]
    out = [b.and_(limb, splat(_MASK)) for limb in x]
    return [
        plus_19(b, out[0], above[-1]),
        *(b.add(limb, carry) for limb, carry in zip(out[1:], above, strict=False)),
    ]


def factor(_b: Any, x: Limbs) -> Limbs:
    """A sum or difference as a factor, which it is."""
    return x


def plus_19(b: Any, total: Any, x: Any) -> Any:
    """``total`` plus 19 times a number below 2^59."""
    return b.add(total, b.mul(x, splat(19)))


def _total(b: Any, pairs: list[tuple[Any, Any]]) -> Any:
    """The sum of products, of 128 bits."""
    out = None
    for x, y in pairs:
        product = b.mul(b.zext(x, _TWICE), b.zext(y, _TWICE))
        out = product if out is None else b.add(out, product)
    return out


def _carried(b: Any, sums: list[Any]) -> Limbs:
    """Five sums of 128 bits to limbs."""
    out, carry = [], splat(0)
    for each in sums:
        whole = b.add(each, b.zext(carry, _TWICE))
        carry = b.trunc(b.lshr(whole, ir.Constant(_TWICE, LIMB_BITS)), TYPE)
        out.append(b.and_(b.trunc(whole, TYPE), splat(_MASK)))
    first = plus_19(b, out[0], carry)
    out[0] = b.and_(first, splat(_MASK))
    out[1] = b.add(out[1], b.lshr(first, splat(LIMB_BITS)))
    return out
