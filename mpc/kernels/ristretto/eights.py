# SPDX-License-Identifier: Apache-2.0
"""The field of 2^255 - 19, eight elements at a time: what ``field`` emits for lanes.

An element is five ``lanes``: limbs in radix 2^52, one element per lane.

* *Tight*: limbs below 2^52, the top one below 2^47 + 2^11. *Factors* of a product are tight.
* *Loose*: limbs below 2^63. Products, sums and differences come out loose, so that a linear
  combination of products costs one ``tight``, and not one for each of them.

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

from typing import Any

from numba import types

from mpc.kernels.lanes import COUNT, LIMB_BITS, VECTOR, high, lanes, low, splat, spread

__all__ = ["COUNT", "ELEMENT", "LIMB_BITS", "LINE", "TYPE", "WORD", "opaque", "splat", "spread"]

LIMBS = 5
TOP_BITS = 255 - (LIMBS - 1) * LIMB_BITS
FOLD = 19 << (LIMBS * LIMB_BITS - 255)
BIAS_BITS = 60

TYPE = LINE = VECTOR
WORD = lanes
ELEMENT = types.UniTuple(WORD, LIMBS)
Limbs = list[Any]  # five llvmlite values


def opaque(_b: Any, mask: Any) -> Any:
    """``mask``: between vectors LLVM makes no branches (see ``ones.opaque``)."""
    return mask


def lined(_b: Any, word: Any) -> Any:
    return word


def words_of(_b: Any, lines: list[Any]) -> list[Any]:
    return lines


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


def loose_times(b: Any, x: Limbs, y: Limbs) -> Limbs:
    """The product of tight elements, loose."""
    z = [splat(0)] * (2 * LIMBS)
    for i in range(LIMBS):
        for j in range(LIMBS):
            z[i + j] = low(b, z[i + j], x[i], y[j])
            z[i + j + 1] = high(b, z[i + j + 1], x[i], y[j])
    return _folded(b, z)


def loose_square(b: Any, x: Limbs) -> Limbs:
    """The square of a tight element, loose."""
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


def times(b: Any, x: Limbs, y: Limbs) -> Limbs:
    """The product of tight elements, tight."""
    return tight(b, loose_times(b, x, y))


def square(b: Any, x: Limbs) -> Limbs:
    """The square of a tight element, tight."""
    return tight(b, loose_square(b, x))


def tight(b: Any, x: Limbs) -> Limbs:
    """A loose element made tight."""
    out = list(x)
    # What is above 2^255 goes to the bottom 19 times, then carries run up once.
    out[0] = plus_19(b, out[0], b.lshr(out[-1], splat(TOP_BITS)))
    out[-1] = b.and_(out[-1], splat((1 << TOP_BITS) - 1))
    for k in range(LIMBS - 1):
        out[k + 1] = b.add(out[k + 1], b.lshr(out[k], splat(LIMB_BITS)))
        out[k] = b.and_(out[k], splat((1 << LIMB_BITS) - 1))
    return out


factor = tight
"""A loose element as a factor."""


def plus_19(b: Any, total: Any, x: Any) -> Any:
    """``total`` plus 19 times a number below 2^47."""
    return low(b, total, x, splat(19))
