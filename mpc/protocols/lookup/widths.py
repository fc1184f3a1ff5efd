# SPDX-License-Identifier: Apache-2.0
"""Values of fewer than 8 octets: as they are looked up, and as shares modulo 2^64 afterwards.

With w octets a value v is one of 8 w - 1 bits, its sign among them: -h <= v < h, where h is
2^(8 w - 2). It is looked up as v + h, modulo 2^(8 w) = M. What comes out are shares x0 + x1 = s
modulo M of s = b (v + h), b being whether the key is in the table, of which the highest bit is
always zero. With a and c the highest bits of the two shares::

      x0 + x1 = s + M (a or c)                 over the integers
      a or c  = a + c - a c                    a c by transfers with the asker's choice a
      b v     = x0 + x1 - M (a + c - a c) - h b

Were just one of a and c set and nothing carried, s would be x0 + x1 and its highest bit set. So the
first line is exact, and so are the results. a c is needed modulo 2^64 / M only, so that 8 - w
octets are sent for each. This is the extension of signed numbers of SiRNN (Rathee, Rathee, Goli,
Gupta, Sharma, Chandran, Rastogi, IEEE S&P 2021, eprint 2021/459), sections IV-A and, where the
highest bit is known, IV-E, with the wrap's arithmetic shares made at once.

Both messages are those of ``transfers``: choices masked by random ones, words by keys that the
other side does not have. To each side they are uniform, whatever the bits are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpc.errors import EncodingOverflow
from mpc.protocols.lookup.transfers import Times

Words = NDArray[np.uint64]

WHOLE = 8
"""Octets of a value of any size, which needs no lifting."""


def lowered(values: Words, octets: int) -> Words:
    """Values (n, d), modulo 2^64, as they are looked up. EncodingOverflow for those out of range,
    which names their columns and not them."""
    if octets == WHOLE:
        return values
    raised = values + _half(octets)
    if beyond := np.flatnonzero((raised >> np.uint64(8 * octets - 1)).any(axis=0)).tolist():
        named = ", ".join(str(column) for column in beyond[:8])
        raise EncodingOverflow(
            f"values of columns {named} need more than the {8 * octets - 1} bits of "
            f"value_bytes={octets}; value_bytes={_needed(values)} holds all"
        )
    return raised


def _needed(values: Words) -> int:
    """How many octets all values fit in."""
    signed = values.view(np.int64)
    largest = int(np.maximum(signed, ~signed).max()).bit_length()
    return min(WHOLE, -(-(largest + 2) // 8))


def count(results: int, columns: int, octets: int) -> int:
    """How many transfers lifting takes."""
    return 0 if octets == WHOLE else results * columns


def lift(times: Times, member: Words, shares: Words, octets: int) -> Words:
    """Shares (n, d) modulo 2^64 of the values, from ``shares`` modulo 2^(8 ``octets``) of what was
    looked up and ``member`` (n,) modulo 2^64."""
    if octets == WHOLE:
        return shares
    low = shares & np.uint64((1 << 8 * octets) - 1)
    top = low >> np.uint64(8 * octets - 1)
    carries = top - times(top.astype(np.uint8), WHOLE - octets) << np.uint64(8 * octets)
    lifted: Words = low - carries - _half(octets) * member[:, None]
    return lifted


def _half(octets: int) -> np.uint64:
    return np.uint64(1 << (8 * octets - 2))
