# SPDX-License-Identifier: Apache-2.0
"""Chinese remainders of vectors of elements: into the rings of the factors, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mpc.kernels.bigint.limbs import Words, powers_of_radix, radix, side_by_side
from mpc.kernels.bigint.residues import LANES, Residues, zero_groups

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
            padded = _padded(x, self.whole, chunks * part.limbs)
            out.append(part.combine(padded, len(x), factors))
        return out

    def join(self, parts: Sequence[Residues]) -> Residues:
        columns = [
            _padded(x, part, self.whole.limbs) for part, x in zip(self.parts, parts, strict=True)
        ]
        return self.whole.combine(side_by_side(columns), len(parts[0]), self.joining)


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


def _padded(x: Residues, arithmetic: SimdArithmetic, limbs: int) -> Words:
    """Each digit's limbs, followed by zeros up to ``limbs``."""
    groups, digits, size = len(x.data), arithmetic.digits, arithmetic.limbs
    out = zero_groups(groups, digits * limbs)
    places = out.reshape(groups, digits, limbs, LANES)
    places[:, :, :size] = x.data.reshape(groups, digits, size, LANES)
    return out
