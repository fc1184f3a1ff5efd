# SPDX-License-Identifier: Apache-2.0
"""What a backend of :mod:`mpc.kernels.bigint` provides. Arguments are checked before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from mpc.kernels.bigint.residues import Residues

COMB_BYTES = 36 << 20
"""The most that the table of a comb takes by default, at any n, for half as many bits as n has."""


class CombTable(Protocol):
    """Powers of one base, or products of powers of several."""

    @property
    def nbytes(self) -> int: ...

    def power(self, exponents: NDArray[np.uint8]) -> Residues: ...


class CrtPlan(Protocol):
    """The constants of one Chinese remainder theorem."""

    def split(self, x: Residues) -> list[Residues]: ...

    def join(self, parts: Sequence[Residues]) -> Residues: ...


class FermatPlan(Protocol):
    """The constants of powers to p - 1."""

    def power(self, vectors: Sequence[Residues]) -> list[Residues]:
        """Each vector to its own; there are as many elements in all."""
        ...


class Arithmetic(Protocol):
    """One ring: integers modulo n, or modulo n**2."""

    @classmethod
    def of(cls, moduli: tuple[int, ...], *, square: bool) -> Self:
        """Modulo each of ``moduli``, or their squares."""
        ...

    def part(self, positions: list[int]) -> Self:
        """The ring of some of the elements, where each has its own modulus."""
        ...

    def holds(self, x: Residues) -> bool:
        """Whether a vector has the shape of this ring's; of two rings alike it does not tell."""
        ...

    def load(self, packed: NDArray[np.uint8]) -> Residues:
        """Reduced little-endian integers of any width."""
        ...

    def load_folded(self, packed: NDArray[np.uint8]) -> tuple[Residues, Residues]:
        """The same, and a few elements modulo n whose product is that of all, for one modulus.

        One of them may be multiplied in more than once.
        """
        ...

    def store(self, x: Residues) -> NDArray[np.uint8]:
        """Canonical little-endian integers of the width of the modulus."""
        ...

    def mul(self, x: Residues, y: Residues) -> Residues:
        """Products; y has as many elements as x, or one."""
        ...

    def square(self, x: Residues, times: int = 1) -> Residues:
        """x**(2**times)."""
        ...

    def power(self, x: Residues, exponents: NDArray[np.uint8], bits: int) -> Residues:
        """x**exponents, of which there are as many as elements, or one."""
        ...

    def comb(self, base: Residues, bits: int, window: int | None) -> CombTable: ...

    def joint_comb(self, bases: Residues, window: int) -> CombTable:
        """For exponents that are those of all bases, of ``window`` bits each, lowest first."""
        ...

    def survey(self, integers: NDArray[Any]) -> tuple[int, int, int]:
        """The least and the largest of integers, at least one, and how many are not 0."""
        ...

    def multiexp(
        self, bases: Residues, exponents: NDArray[np.uint8], bits: int, used: int
    ) -> Residues:
        """For exponents (m, d, width) and b*d bases: b*m products of d powers.

        Exponents are of so many bits, in whole words one after the other, and about so many are
        ``used``, which are not 0.
        """
        ...

    def multiexp_signed(
        self, bases: Residues, exponents: NDArray[Any], bits: int, used: int
    ) -> Residues:
        """The same for integers (m, d) of either sign, the largest of so many bits beside it, with
        one inversion for all."""
        ...

    def product(self, x: Residues) -> Residues:
        """The product of all elements, of which there is at least one, modulo one number."""
        ...

    def inverse(self, x: Residues) -> Residues:
        """Inverses modulo one number, or CryptoError."""
        ...

    def embed(self, m: Residues) -> Residues:
        """1 + m*n modulo n**2; m is of the ring modulo n."""
        ...

    def log(self, x: Residues) -> Residues:
        """m of 1 + m*n."""
        ...

    def modulo_root(self, x: Residues) -> Residues:
        """Elements modulo n**2, modulo n."""
        ...

    def crt(self, parts: Sequence[Self], scales: Sequence[int]) -> CrtPlan: ...

    @classmethod
    def fermat(cls, parts: Sequence[Self]) -> FermatPlan: ...
