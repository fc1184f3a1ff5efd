# SPDX-License-Identifier: Apache-2.0
"""Chinese remainders of vectors of elements: into the rings of the factors, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mpc.kernels.bigint.limbs import Words, powers_of_radix, radix
from mpc.kernels.bigint.residues import LANES, Residues, lane_groups

if TYPE_CHECKING:
    from mpc.kernels.bigint.simd import SimdArithmetic


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SimdCrt:
    """Both ways as sums of chunks times constants: an element is its limbs times powers of 2."""

    whole: SimdArithmetic
    parts: tuple[SimdArithmetic, ...]
    splitting: tuple[Words, ...]
    joining: Words

    @classmethod
    def of(
        cls, whole: SimdArithmetic, parts: Sequence[SimdArithmetic], scales: Sequence[int]
    ) -> SimdCrt:
        weights = (_joining(whole, *of) for of in zip(parts, scales, strict=True))
        joining = [weight for weights_of_part in weights for weight in weights_of_part]
        splitting = [part.constants(_splitting(whole, part)) for part in parts]
        return cls(whole, tuple(parts), tuple(splitting), whole.constants(joining))

    def split(self, x: Residues) -> list[Residues]:
        out = []
        for part, factors in zip(self.parts, self.splitting, strict=True):
            chunks = -(-self.whole.limbs // part.limbs)
            padded = _padded([x], [self.whole], chunks * part.limbs)
            out.append(part.combine(padded, len(x), factors))
        return out

    def join(self, parts: Sequence[Residues]) -> Residues:
        padded = _padded(parts, self.parts, self.whole.limbs)
        return self.whole.combine(padded, len(parts[0]), self.joining)


def _splitting(whole: SimdArithmetic, part: SimdArithmetic) -> list[int]:
    """For each digit and each chunk of it: its weight, out of one form and into the other."""
    leave = pow(radix(whole.limbs), -1, part.moduli[0])
    chunks = -(-whole.limbs // part.limbs)
    return [
        leave * whole.roots[0] ** digit * power
        for digit in range(whole.digits)
        for power in powers_of_radix(part.limbs, chunks)
    ]


def _joining(whole: SimdArithmetic, part: SimdArithmetic, scale: int) -> list[int]:
    """For each digit: its weight, times what is ``scale`` modulo the part, 0 modulo the others."""
    modulus = part.moduli[0]
    cofactor = whole.moduli[0] // modulus
    change = radix(whole.limbs) * pow(radix(part.limbs), -1, whole.moduli[0])
    scale *= cofactor * pow(cofactor, -1, modulus) * change
    return [scale * part.roots[0] ** digit for digit in range(part.digits)]


def _padded(vectors: Sequence[Residues], of: Sequence[SimdArithmetic], limbs: int) -> Words:
    """For each element the digits of all vectors: their limbs, followed by zeros up to ``limbs``.

    Each is written once: all of this is done while other threads wait.
    """
    groups, digits = len(vectors[0].data), sum(arithmetic.digits for arithmetic in of)
    out = lane_groups(groups, digits * limbs)
    places, end = out.reshape(groups, digits, limbs, LANES), 0
    for x, arithmetic in zip(vectors, of, strict=True):
        start, end, size = end, end + arithmetic.digits, arithmetic.limbs
        places[:, start:end, :size] = x.data.reshape(groups, end - start, size, LANES)
        places[:, start:end, size:] = 0
    return out
