# SPDX-License-Identifier: Apache-2.0
"""Multi-exponentiation by buckets: how outputs are cut into tasks, one for each lane, and rejoined.

Each window multiplies the bases of equal digit into buckets, and raises the buckets to their digits
by running products. An output is cut into tasks by runs of bits, by bases, and by kinds of digits:
those of equal lowest bits share no bucket with others, so that this cut costs next to nothing.

Negative exponents are taken modulo a power of two, as two's complement has them: only the highest
digit has a sign, and the buckets of either sign are tasks of their own. One product of an output is
then inverted, before it is rejoined with the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mpc.kernels.bigint.buckets import pippenger_all
from mpc.kernels.bigint.folds import rejoin_all
from mpc.kernels.bigint.limbs import Words, aligned, by_element
from mpc.kernels.bigint.residues import LANES, Residues, lane_groups, zero_groups

if TYPE_CHECKING:
    from mpc.kernels.bigint.simd import SimdArithmetic

Positions = NDArray[np.intp]

SQUARING = 0.7
"""What a squaring costs, in products."""

POWERS_OF_TWO = (1, 2, 4, 8, 16)
"""How many ways an output may be cut."""


@dataclass(frozen=True, slots=True)
class Cut:
    """An output is cut into tasks: ``spans`` runs of windows, ``shares`` of the bases, and 2**kinds
    kinds of digits, told apart by their lowest bits.

    If exponents are ``signed``, so is the highest digit, its sign stands for the lowest bit of its
    kind, and a span is one window.
    """

    window: int
    spans: int = 1
    shares: int = 1
    kinds: int = 0
    signed: bool = False

    @property
    def tasks(self) -> int:
        """Of an output."""
        return self.spans * self.shares << self.kinds

    @property
    def entries(self) -> int:
        """Buckets of a task: one more for the magnitude of the lowest of signed digits."""
        return self._buckets(self.window)

    @property
    def block(self) -> int:
        """Groups that hold the tasks of an output."""
        return -(-self.tasks // LANES)

    def windows(self, bits: int) -> int:
        """Of a span."""
        return -(-bits // (self.window * self.spans))

    def serves(self, terms: int, bits: int) -> bool:
        """Whether less would not do."""
        spans = self.spans == 1 or self.window * self.spans < 2 * bits
        signs = not self.signed or (self.kinds > 0 and self.windows(bits) == 1)
        return self.shares <= terms and self.kinds < self.window and spans and signs

    def products(self, used: float, outputs: int, bits: int, threads: int) -> float:
        """Products of a lane group that the busiest thread does, where so many terms are not 0."""
        groups = -(-outputs * self.tasks // LANES)
        terms = used / (self.shares << self.kinds)
        busy = outputs * self.tasks / (LANES * groups)
        windows, (full, rest) = self.windows(bits), divmod(bits, self.window)
        filled = full * self._filling(terms, self.window) + self._filling(terms, rest)
        # Lanes keep step: all raise as many buckets as the lowest, and so widest, digit has.
        raised = min(full, windows) * self.entries + (windows > full) * self._buckets(rest)
        whole = busy * filled / self.spans + 2 * raised
        whole += windows * (1 + (1 + SQUARING) * self.kinds) * (self.kinds > 0)
        whole += (windows - 1) * (1 + SQUARING * self.window)
        blocks = -(-groups // self.block) if self.tasks > 1 else 0
        return -(-groups // threads) * whole + -(-blocks // threads) * self.rejoining(bits)

    def _buckets(self, width: int) -> int:
        """Of the digits of one kind that have so many bits."""
        return (1 << max(0, width - self.kinds)) + self.signed

    def _filling(self, terms: float, width: int) -> float:
        """Products that put the terms whose digits are not 0 into buckets, which the first fill."""
        buckets, used = self._buckets(width), terms * (1 - 0.5**width)
        return used - buckets * (1 - (1 - 1 / buckets) ** used)

    def rejoining(self, bits: int) -> float:
        """Products that it takes to rejoin a block of groups."""
        joins = sum(-(-tasks // LANES) for tasks in halves(self.tasks))
        squarings = self.windows(bits) * self.window * (self.spans - 1)
        return joins + SQUARING * squarings


def halves(count: int) -> list[int]:
    """count/2, count/4, ... 1 for a power of two."""
    return [count >> i for i in range(1, count.bit_length())]


def pippenger(
    arithmetic: SimdArithmetic,
    bases: Residues,
    digits: Words,
    shape: tuple[int, int],
    bits: int,
    cut: Cut,
) -> Residues:
    """Of each row of bases the outputs, of ``shape`` outputs and terms, whose digits these are."""
    outputs, terms = shape
    tasks = len(bases) // terms * outputs * cut.tasks
    windows, most = cut.windows(bits), -(-terms // cut.shares)
    out = lane_groups(-(-tasks // LANES), arithmetic.rows)
    flat = _room(arithmetic, len(bases.data))
    pitch, entries, room = LANES * flat.shape[1], cut.entries, LANES * most
    arithmetic.run(
        pippenger_all,
        windows * (most / (1 << cut.kinds) + 2 * entries),
        out,
        bases.data,
        flat,
        zero_groups(1, 1),
        digits,
        (
            *(tasks, outputs, terms, cut.shares, cut.kinds),
            *(cut.spans, windows, cut.window, int(cut.signed)),
        ),
        _masks(cut, len(out)),
        entries,
        room,
        extra=3 * entries + 3 + most + 3 * pitch + entries * pitch,
    )
    if cut.signed:
        _invert_negative(arithmetic, out, tasks, cut)
    return _rejoined(arithmetic, Residues(out, tasks), cut, windows)


def _room(arithmetic: SimdArithmetic, groups: int) -> Words:
    """For the limbs of each base in a row, all as far apart; and a last group of ones, filled."""
    rows = arithmetic.rows
    flat = lane_groups((groups + 1) * LANES, -(-rows // LANES))
    flat.reshape(len(flat), -1)[-LANES:, :rows] = arithmetic.modulus[0, -rows:, 0]
    return flat


@lru_cache(maxsize=16)
def _masks(cut: Cut, groups: int) -> Words:
    """For each task, and each lower bit that tells kinds apart: if it has it, and if that is 1."""
    if cut.kinds == 0:
        return lane_groups(0, 1)
    tasks = np.arange(groups * LANES)
    kind, highest = tasks // cut.spans, tasks % cut.spans == cut.spans - 1
    signed = highest & cut.signed
    columns = []
    for bit in reversed(range(cut.kinds)):
        has = ~signed | (bit < cut.kinds - 1)
        columns += [has, has & (kind >> (bit + signed) & 1 == 1)]
    masks = -np.stack(columns).astype(np.int64)
    return aligned(masks.reshape(2 * cut.kinds, groups, LANES).transpose(1, 0, 2))


def _invert_negative(arithmetic: SimdArithmetic, out: Words, tasks: int, cut: Cut) -> None:
    """In place, of each output and share and magnitude's kind the task of negative digits."""
    negative, group, lane = _negative(cut, tasks)
    if len(negative) < 2 * LANES:
        out[group, :, lane] = arithmetic.inverses(out[group, :, lane])
    else:
        found = arithmetic.inverse(Residues(out, tasks)[negative])
        out[group, :, lane] = by_element(found)


@lru_cache(maxsize=16)
def _negative(cut: Cut, tasks: int) -> tuple[Positions, Positions, Positions]:
    """Which tasks have negative digits, and their lane groups and lanes."""
    every = np.arange(tasks)
    found = every[(every % cut.spans == cut.spans - 1) & (every // cut.spans % 2 == 1)]
    return found, *np.divmod(found, LANES)


def _rejoined(arithmetic: SimdArithmetic, x: Residues, cut: Cut, windows: int) -> Residues:
    """From tasks (outputs, shares, kinds, spans) to outputs."""
    if cut.tasks == 1:
        return x
    bits = windows * cut.window
    blocks = x.data.reshape(-1, cut.block * arithmetic.rows, LANES)
    args = (cut.block, cut.tasks, cut.spans, bits)
    products = cut.rejoining(bits * cut.spans)
    arithmetic.run(rejoin_all, products, blocks, *args, extra=arithmetic.rows)
    return x[:1] if len(x) == cut.tasks else x[:: cut.tasks]
