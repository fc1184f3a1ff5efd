# SPDX-License-Identifier: Apache-2.0
"""The simd backend of :mod:`mpc.kernels.bigint`: arrays and constants around the kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from mpc import kernels
from mpc.kernels.bigint import multiexp
from mpc.kernels.bigint.arithmetic import COMB_BYTES
from mpc.kernels.bigint.blocks import BLOCK, ROW
from mpc.kernels.bigint.comb import SimdComb
from mpc.kernels.bigint.crt import SimdCrt
from mpc.kernels.bigint.fermat import SimdFermat
from mpc.kernels.bigint.folds import across_all, apart_all, chain_all, fold_all, unchain_all
from mpc.kernels.bigint.integers import inverted, survey
from mpc.kernels.bigint.ladders import power_all
from mpc.kernels.bigint.limbs import (
    Words,
    aligned,
    apart,
    begin,
    cut,
    in_digits,
    joined,
    powers_of_radix,
    radix,
    side_by_side,
    split_integers,
    survey_all,
    whole_words,
)
from mpc.kernels.bigint.lookups import BYTES
from mpc.kernels.bigint.loops import (
    combine_all,
    embed_all,
    finish_all,
    load_all,
    log_all,
    multiply_all,
    square_all,
)
from mpc.kernels.bigint.montgomery import INVERSE, SCRATCH, routines
from mpc.kernels.bigint.residues import (
    LANES,
    Positions,
    Residues,
    concatenate,
    in_all_lanes,
    lane_groups,
)
from mpc.kernels.compiled import Kernel
from mpc.kernels.helpers import threads_for
from mpc.kernels.lanes import LIMB_BITS

SPARE_BITS = 8
"""R is at least 2**8 times the modulus: see the bounds in :mod:`mpc.kernels.bigint.montgomery`."""

SECONDS_PER_MADD = 0.32e-9, 0.65e-9
"""About what one multiply-add of eight lanes takes, with IFMA and without; decides only how batches
are cut."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SimdArithmetic:
    """Modulo ``roots`` (``digits`` 1) or their squares (``digits`` 2), in limbs of 52 bits.

    ``modulus`` is what the kernels take, for every lane: n, -1/n modulo 2**260 and 2**-260 modulo
    n, all these as factors, and the element one; ``entry`` are the factors that bring numbers of
    the size of the modulus into Montgomery form.
    """

    roots: tuple[int, ...]
    digits: int
    limbs: int
    modulus: Words
    entry: Words

    @classmethod
    def of(
        cls, moduli: tuple[int, ...], *, square: bool, limbs: int | None = None
    ) -> SimdArithmetic:
        if limbs is None:
            bits = max(n.bit_length() for n in moduli) + SPARE_BITS
            limbs = -(-bits // (BLOCK * LIMB_BITS)) * BLOCK
        digits, base = 2 if square else 1, 1 << (INVERSE * LIMB_BITS)
        inverses = [-pow(n, -1, base) % base for n in moduli]
        modulus = [
            split_integers(moduli, limbs),
            split_integers(inverses, INVERSE),
            split_integers([pow(base, -1, n) for n in moduli], limbs),
        ]
        modulus += [as_factors(rows) for rows in modulus]
        modulus.append(_constants(moduli, digits, limbs, [1]))
        entry = _constants(moduli, digits, limbs, powers_of_radix(limbs, digits))
        return cls(moduli, digits, limbs, side_by_side(modulus), entry)

    def part(self, positions: list[int]) -> SimdArithmetic:
        roots = tuple(self.roots[position] for position in positions)
        return self.of(roots, square=self.digits == 2, limbs=self.limbs)

    def root(self) -> SimdArithmetic:
        """Modulo the roots."""
        return self.of(self.roots, square=False, limbs=self.limbs)

    @property
    def moduli(self) -> tuple[int, ...]:
        return tuple(root**self.digits for root in self.roots)

    @property
    def rows(self) -> int:
        return self.digits * self.limbs

    def holds(self, x: Residues) -> bool:
        return x.data.ndim == 3 and x.data.shape[1] == self.rows

    def load(self, packed: NDArray[np.uint8]) -> Residues:
        return self._load(packed)

    def load_folded(self, packed: NDArray[np.uint8]) -> tuple[Residues, Residues]:
        one, products = self.modulus[0, -self.rows :][: self.limbs], list[Words]()

        def start(scratch: Words) -> None:
            products.append(scratch[:, -self.limbs :])
            products[0][:] = one

        x = self._load(packed, start)
        return x, Residues(aligned(products[0]), LANES * len(products[0]))

    def _load(
        self, packed: NDArray[np.uint8], start: Callable[[Words], None] | None = None
    ) -> Residues:
        """With ``start`` for where each thread multiplies modulo the root what it loads."""
        chunks, factors = max(1, -(-8 * packed.shape[1] // (LIMB_BITS * self.limbs))), self.entry
        if chunks != self.digits:
            factors = self.constants(powers_of_radix(self.limbs, chunks))
        words, out = whole_words(packed), lane_groups(-(-len(packed) // LANES), self.rows)
        self.run(
            load_all,
            chunks,
            out,
            *(begin(words), len(words), words.shape[1] // 8),
            *(chunks, factors, _step(factors), int(start is not None)),
            extra=2 * self.rows + (chunks + 1) * self.limbs,
            start=start,
        )
        return Residues(out, len(packed))

    def store(self, x: Residues) -> NDArray[np.uint8]:
        width, words = max(-(-n.bit_length() // 8) for n in self.moduli), self.words(len(x))
        self.run(finish_all, 1, x.data, words, extra=3 * self.rows)
        return np.ascontiguousarray(words.view(np.uint8)[:, :width])

    def words(self, count: int) -> Words:
        """Room for numbers modulo the largest modulus."""
        return np.empty((count, max(-(-n.bit_length() // 64) for n in self.moduli)), np.uint64)

    def mul(self, x: Residues, y: Residues) -> Residues:
        out, others, step = self._new(x), y.data, ROW * self.rows
        if len(y) == 1 != len(x):
            others, step = in_all_lanes(y.data[0], 0), 0
        self.run(multiply_all, 1, out, x.data, others, step)
        return Residues(out, len(x))

    def square(self, x: Residues, times: int = 1) -> Residues:
        """x**(2**times)."""
        out = self._new(x)
        self.run(square_all, times, out, x.data, times)
        return Residues(out, len(x))

    def power(self, x: Residues, exponents: NDArray[np.uint8], bits: int) -> Residues:
        if bits == 0:
            return self.ones(len(x))
        window = min(range(1, 6), key=lambda w: (1 << w) + -(-bits // w) * (1 + (1 << w) / 80))
        if len(exponents) == 1:
            exponents = np.repeat(exponents, LANES, axis=0)
        digits = cut(exponents, bits, window)
        out, windows, extra = self._new(x), digits.shape[1], self.rows * (2 + (1 << window))
        args = (x.data, digits, _step(digits), window, windows)
        self.run(power_all, bits + windows, out, *args, extra=extra)
        return Residues(out, len(x))

    def ones(self, count: int) -> Residues:
        out = lane_groups(-(-count // LANES), self.rows)
        out[...] = self.modulus[:, -self.rows :]
        return Residues(out, count)

    def comb(self, base: Residues, bits: int, window: int | None) -> SimdComb:
        if window is None:
            fitting = (
                w
                for w in range(4, 9)
                if -(-bits // w) * multiexp.entries(1 << w) * BYTES * self.rows <= COMB_BYTES
            )
            window = max(fitting, default=4)
        powers = [base]
        for _ in range(-(-bits // window) - 1):
            powers.append(self.square(powers[-1], window))
        return self.joint_comb(concatenate(powers), window)

    def joint_comb(self, bases: Residues, window: int) -> SimdComb:
        return SimdComb.of(self, bases, window)

    def survey(self, integers: NDArray[Any]) -> tuple[int, int, int]:
        if integers.dtype == np.int64:
            return survey_all(integers.ravel())
        return survey(integers)

    def multiexp(
        self, bases: Residues, exponents: NDArray[np.uint8], bits: int, used: int
    ) -> Residues:
        return multiexp.multiexp(self, bases, exponents, bits, used)

    def multiexp_signed(
        self, bases: Residues, exponents: NDArray[Any], bits: int, used: int
    ) -> Residues:
        return multiexp.multiexp_signed(self, bases, exponents, bits, used)

    def product(self, x: Residues) -> Residues:
        groups, rest = divmod(len(x), LANES)
        threads = threads_for(self.seconds(groups))
        tasks = groups if threads == 1 else min(groups, threads)
        parts = lane_groups(tasks + 1, self.rows)
        if tasks < groups:
            self.run(fold_all, groups / tasks, parts[:tasks], x.data, groups)
        else:
            parts[:groups] = x.data[:groups]
        if rest:
            parts[tasks:] = self._last(x)
            tasks += 1
        return Residues(self._across(parts[:tasks])[:, -self.rows :], 1)

    def _across(self, x: Words) -> Words:
        """See :func:`across_all`."""
        steps = lane_groups(1, 4 * self.rows)
        self.run(across_all, len(x) + 3, steps, x, len(x), extra=self.rows)
        return steps

    def _last(self, x: Residues) -> Words:
        """The last group, with ones in the lanes that are left."""
        rest, group = len(x) % LANES or LANES, self.ones(1).data
        group[0, :, :rest] = x.data[-1, :, :rest]
        return group

    def inverse(self, x: Residues) -> Residues:
        if len(x) == 0:
            return x
        if len(x) == 1:
            return Residues(self._inverted(x.data), 1)
        groups = x.data
        if len(x) % LANES:
            groups = aligned(np.concatenate([groups[:-1], self._last(x)]))
        return Residues(self._inverse(groups), len(x))

    def _inverse(self, x: Words) -> Words:
        """Of every lane of these groups."""
        count = len(x)
        if count == 1:
            steps = self._across(x)
            out = self._inverted(steps[:, -self.rows :])
            self.run(apart_all, 3, out, steps, extra=self.rows)
            return out
        runs = max(1, min(count // 2, threads_for(self.seconds(count))))
        ends, before = lane_groups(runs, self.rows), lane_groups(count, self.rows)
        self.run(chain_all, count / runs, ends, x, before)
        inverses, out = self._inverse(ends), lane_groups(count, self.rows)
        self.run(unchain_all, 2 * count / runs, inverses, x, before, out)
        return out

    def quotient(self, x: Residues, above: Positions, below: Positions) -> Residues:
        """The elements of x, which may be written over, at some positions over those at others."""
        if len(above) == 1:
            # What x*R over y*R is: elements are kept times R.
            value, by = self._elements(x.data, int(above[0]), int(below[0]))
            out = x.data[:1]
            self._divide(out, value, by)
            return Residues(out, 1)
        return self.mul(x[above], self.inverse(x[below]))

    def _inverted(self, x: Words) -> Words:
        """The inverse of the first element, in every lane."""
        out = lane_groups(1, self.rows)
        self._divide(out, radix(self.limbs), *self._elements(x, 0))
        return out

    def _divide(self, out: Words, value: Any, by: Any) -> None:
        """The element ``value/by`` in every lane: by an extended gcd, in integers."""
        n = mpz(self.roots[0])
        modulus, inverse = n, inverted(by, n)
        if self.digits == 2:
            modulus = n**2
            inverse = inverse * (2 - by * inverse) % modulus  # Newton's step
        scaled = (value * inverse << LIMB_BITS * self.limbs) % modulus
        apart(out, scaled, n, self.limbs)

    def _elements(self, x: Words, *places: int) -> list[Any]:
        """What elements are kept as: they times R, not reduced."""
        return joined(x, places, self.roots[0], self.limbs)

    def modulo_root(self, x: Residues) -> Residues:
        out = lane_groups(len(x.data), self.limbs)
        out[...] = x.data[:, : self.limbs]
        return Residues(out, len(x))

    def embed(self, m: Residues) -> Residues:
        out = lane_groups(len(m.data), self.rows)
        self.run(embed_all, 0.1, out, m.data)
        return Residues(out, len(m))

    def log(self, x: Residues) -> Residues:
        out = lane_groups(len(x.data), self.limbs)
        self.run(log_all, 1, out, x.data, extra=self.rows)
        return Residues(out, len(x))

    def crt(self, parts: Sequence[SimdArithmetic], scales: Sequence[int]) -> SimdCrt:
        return SimdCrt.of(self, parts, scales)

    @classmethod
    def fermat(cls, parts: Sequence[SimdArithmetic]) -> SimdFermat:
        return SimdFermat.of(parts)

    def constants(self, values: Sequence[int]) -> Words:
        """The factors of :meth:`combine`."""
        return _constants(self.roots, self.digits, self.limbs, values)

    def combine(self, chunks: Words, count: int, factors: Words) -> Residues:
        """Sum of chunks of ``limbs`` limbs, each times one of some constants, over R.

        With R as the constant, that is a number's way into Montgomery form.
        """
        terms = factors.shape[1] // self.rows
        out = lane_groups(len(chunks), self.rows)
        args = (chunks, terms, factors, _step(factors))
        self.run(combine_all, terms, out, *args, extra=2 * self.rows)
        return Residues(out, count)

    def seconds(self, products: float) -> float:
        """About what so many products of a lane group take."""
        madds = (4 if self.digits == 1 else 10) * self.limbs**2
        return products * madds * SECONDS_PER_MADD[not kernels.wide()]

    def run(
        self,
        kernel: Kernel,
        products: float,
        out: Words,
        *args: Any,
        extra: int = 0,
        least: int = 1,
        start: Callable[[Words], None] | None = None,
    ) -> None:
        """Run a kernel of this ring over the groups of ``out``, with ``extra`` rows of scratch.

        A thread takes ``least`` groups at a time, or more; ``start`` fills the scratch of all
        threads, (threads, rows, 8).
        """
        kernel.over(
            len(out),
            self.seconds(products),
            out,
            *args,
            self.modulus,
            _step(self.modulus),
            self.limbs,
            self.digits,
            routines(),
            scratch=LANES * (SCRATCH * self.limbs + extra),
            start=start and (lambda own: start(own.reshape(len(own), -1, LANES))),
            least=least,
        )

    def _new(self, x: Residues) -> Words:
        return lane_groups(len(x.data), self.rows)


def as_factors(rows: Words) -> Words:
    """Limbs as products take them."""
    return rows if kernels.wide() else rows.astype(np.float64).view(np.uint64)


def _step(array: Words) -> int:
    """Bytes from one group to the next, or 0 where one group serves all."""
    return 0 if len(array) == 1 else ROW * array.shape[1]


def _constants(roots: Sequence[int], digits: int, limbs: int, values: Sequence[int]) -> Words:
    """Elements in Montgomery form, the same for each modulus: their digits one after the other."""
    places = []
    for value in values:
        scaled = [value * radix(limbs) % root**digits for root in roots]
        places.append(in_digits(scaled, roots, digits, limbs))
    return side_by_side(places)
