# SPDX-License-Identifier: Apache-2.0
"""Learning parity with noise: a code that makes sparse noise look uniform, and how much it needs.

Dual LPN with regular noise: a vector e of ``points`` blocks with one non-zero value in each, times
a public matrix H with half as many rows as columns, is taken to be pseudorandom. The map is linear,
so whoever holds additive shares of e, or of a multiple of it, compresses them with the same H.

**The code.** H = [I | B A], expand-convolute (Raghuraman, Rindal, Tanguy, "Expand-Convolute Codes
for Pseudorandom Correlation Generators from LPN", CRYPTO 2023, eprint 2023/882), in the parameters
that their library libOTe calls conservative (``ExConv21x24``): every row of B has 21 ones, one in
each of 21 equal segments (the regular expander), and A convolves twice, around the end, with 24
random taps. The same 0/1 matrix serves words modulo 2^64. It is drawn anew, from a seed that both
know, for every run. The faster codes are not offered: Silver has low-weight codewords that are
easily found, and expand-accumulate codes of small weight a smaller distance than was conjectured
(both: eprint 2023/882).

**How much noise.** A linear test multiplies the output by a vector v, and is blind to the noise
where the codeword v H is zero at all points. For a codeword of relative weight D the bias left is
(1 - 2 D)^t with t points, if the values are bits (or odd modulo 2^64, which modulo 2 are bits: Liu,
Wang, Yang, Yu, "The Hardness of LPN over Any Integer Ring and Field for PCG Applications",
EUROCRYPT 2024, eprint 2022/712; even values would vanish under that reduction, so the noise here is
odd); and (1 - D)^t if they are uniform in GF(2)^k, k > 1, since a functional of the value that an
attacker picks vanishes at half of the points. For D we take 0.2, what libOTe takes for this code.
It is below 0.25, the weight of a sum of rows found by elimination, by what a search for colliding
rows among 2^20 could gain: two rows meet in two of the 21 segments, which leaves 0.25 (1 - 3/21).
128 bits then need 174 points for bits and odd words, and 398 for values of 64 or 128 bits.

**Other attacks**, checked for the same t. Values in GF(2)^k under a 0/1 matrix are k interleaved
instances with the same points; linear algebra on them takes away at most k - 1 of the points, and
all of them if t <= k, so t >= 128 + k is needed, and 398 has it. Guessing noise-free places
(information-set decoding) costs 2^t at rate one half, times linear algebra. The algebraic attack on
regular noise (Briaud, Øygarden, EUROCRYPT 2023, eprint 2023/176) is strong for small blocks: an
estimate by the degree of regularity with guessed places gives 119 bits for 174 blocks of 8, and 170
for blocks of 32, so a block here has at least 32 places. Output that is not needed is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2

import numpy as np
from numpy.typing import NDArray

from mpc.kernels import aes, lpn
from mpc.tracing import spanned

Words = NDArray[np.uint64]

SECURITY_BITS = 128
PSEUDO_DISTANCE = 0.2
ROW_WEIGHT = 21
LEAST_BLOCK = 32
SEED_BYTES = 16


@dataclass(frozen=True, slots=True)
class Noise:
    """``points`` blocks of ``block`` places, with a value other than zero at one place of each."""

    points: int
    block: int

    @property
    def length(self) -> int:
        """Places in all: what goes into ``compress``."""
        return self.points * self.block

    @property
    def outputs(self) -> int:
        """How many values come out of ``compress``."""
        return self.length // 2


def points(value_bits: int) -> int:
    """How many points make linear tests fail up to 2^-128.

    ``value_bits`` is 1 where the values are ones, or odd; k > 1 where they are uniform in GF(2)^k.
    """
    if value_bits < 1:
        raise ValueError(f"a value has at least one bit, not {value_bits}")
    miss = 1 - 2 * PSEUDO_DISTANCE if value_bits == 1 else 1 - PSEUDO_DISTANCE
    return max(ceil(SECURITY_BITS / -log2(miss)), SECURITY_BITS + value_bits)


def noise(count: int, value_bits: int) -> Noise:
    """The noise whose compression has at least ``count`` values."""
    if count < 1:
        raise ValueError(f"at least one value, not {count}")
    needed = points(value_bits)
    block = max(LEAST_BLOCK, -(-2 * count // needed))
    # A multiple of a power of two, at most 1/64 more: the lower levels of the trees are then full.
    step = 1 << max(0, block.bit_length() - 7)
    return Noise(needed, -(-block // step) * step)


@spanned("code")
def compress(shares: Words, count: int, seed: bytes, *, modular: bool = False) -> Words:
    """The first ``count`` values of H times ``shares``, which are overwritten.

    ``shares`` is uint64 of the length that ``noise`` says: (n, 2) for 128-bit values, (n,) for
    words, added by XOR or, where ``modular``, modulo 2^64. ``seed`` is 16 bytes; the first values
    do not depend on ``count`` except through the length. Returns a view into ``shares``.
    """
    rows = len(shares) // 2
    if not 0 <= count <= rows:
        raise ValueError(f"{count} values out of {rows}")
    top, rest = shares[:rows], shares[rows:]
    keys = aes.schedules(aes.counter(aes.schedule(seed), 3))
    for turn in range(2):
        lpn.accumulate(rest, _uint32(keys[turn], 0, len(rest)), modular=modular)
    top = top[:count]
    # Drawn for all rows, so that a prefix is the same whatever the count.
    stride = -(-rows // 4)
    for segment in range(ROW_WEIGHT):
        first = len(rest) * segment // ROW_WEIGHT
        length = len(rest) * (segment + 1) // ROW_WEIGHT - first
        picks = _uint32(keys[2], segment * stride, count)
        lpn.gather(top, rest, picks, first=first, length=length, modular=modular)
    return top


def _uint32(keys: Words, first: int, count: int) -> NDArray[np.uint32]:
    """``count`` uniform 32-bit integers, from block ``first`` of the keystream."""
    return aes.counter(keys, -(-count // 4), first).view(np.uint32).reshape(-1)[:count]
