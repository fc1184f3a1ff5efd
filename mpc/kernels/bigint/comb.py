# SPDX-License-Identifier: Apache-2.0
"""Tables of powers for one pass over an exponent, without squarings, in the simd backend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mpc.errors import CryptoError
from mpc.kernels.bigint import multiexp
from mpc.kernels.bigint.limbs import aligned, cut
from mpc.kernels.bigint.residues import LANES, Residues, concatenate

if TYPE_CHECKING:
    from mpc.kernels.bigint.simd import SimdArithmetic


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SimdComb:
    """A table for each window of the exponent.

    ``split`` says that its entries, modulo n**2, are as :mod:`mpc.kernels.bigint.combs` takes them.
    """

    arithmetic: SimdArithmetic
    window: int
    tables: NDArray[np.uint8]
    split: bool

    @classmethod
    def of(cls, arithmetic: SimdArithmetic, bases: Residues, window: int) -> SimdComb:
        """The window of each of the bases."""
        powers = multiexp.powers(arithmetic, bases, window)
        inverses = _inverses(arithmetic, bases) if arithmetic.digits == 2 else None
        if inverses is not None:
            powers = _split(arithmetic, powers, inverses, window)
        tables = multiexp.laid_out(arithmetic, powers)
        return cls(arithmetic, window, tables, inverses is not None)

    @property
    def nbytes(self) -> int:
        return self.tables.nbytes

    def power(self, exponents: NDArray[np.uint8]) -> Residues:
        slab = LANES * max(1, multiexp.SLAB // (LANES * len(self.tables)))
        starts = range(0, max(len(exponents), 1), slab)
        return concatenate([self._power(exponents[start : start + slab]) for start in starts])

    def _power(self, exponents: NDArray[np.uint8]) -> Residues:
        digits = cut(exponents, len(self.tables) * self.window, self.window)
        return multiexp.straus(
            self.arithmetic,
            self.tables,
            digits,
            self.window,
            passes=1,
            count=len(exponents),
            split=self.split,
        )


def _inverses(arithmetic: SimdArithmetic, bases: Residues) -> Residues | None:
    """Of the bases modulo n; None if one has none."""
    try:
        return arithmetic.root().inverse(arithmetic.modulo_root(bases))
    except CryptoError:
        return None


def _split(
    arithmetic: SimdArithmetic, powers: list[Residues], inverses: Residues, window: int
) -> list[Residues]:
    """In place of t0 + t1*n: t0, and t1/t0 modulo n."""
    root, limbs = arithmetic.root(), arithmetic.limbs
    out = []
    for x, inverse in zip(powers, multiexp.powers(root, inverses, window), strict=True):
        second = Residues(aligned(x.data[:, limbs:]), len(x))
        rows = [x.data[:, :limbs], root.mul(second, inverse).data]
        out.append(Residues(aligned(np.concatenate(rows, axis=1)), len(x)))
    return out
