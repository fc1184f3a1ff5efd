# SPDX-License-Identifier: Apache-2.0
"""Multi-exponentiation by buckets: how outputs are cut into tasks, one for each lane, and joined.

Each window multiplies the bases of equal digit into buckets, and raises the buckets to their digits
by running products. An output is cut into tasks by runs of bits, by bases, and by kinds of digits:
those of equal lowest bits share no bucket with others, so that this cut costs next to nothing.

The highest digits are worked on first: the squarings that they need in the end are done while
another thread is at the lower ones.

Negative exponents are taken modulo a power of two, as two's complement has them: only the highest
digit has a sign, and the buckets of either sign are tasks of their own. Those of the negative are
joined apart from the others, and inverted at the end.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpc.kernels.bigint.buckets import pippenger_all
from mpc.kernels.bigint.limbs import Words, aligned, begin
from mpc.kernels.bigint.residues import LANES, Residues, lane_groups

if TYPE_CHECKING:
    from mpc.kernels.bigint.simd import SimdArithmetic

SQUARING = 0.7
"""What a squaring costs, in products. Where two elements are squared alone it is less, by which no
cut would be another."""

OWN = 1 << 14
"""Rows (1 MB) up to which each thread lays out the bases for itself: then what two have in common
costs them more."""

POWERS_OF_TWO = (1, 2, 4, 8, 16)
"""How many ways an output may be cut."""


class Cut(NamedTuple):
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
        """Buckets of a task."""
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
        if self.signed:
            # Of a negative number the digits above its highest are not 0.
            spans = self.kinds > 0 and self.windows(bits) == 1
            spans &= self.window * (self.spans - 1) < bits
        else:
            spans = self.spans == 1 or self.window * self.spans < 2 * bits
        return self.shares <= terms and self.kinds < self.window and spans

    def products(self, used: float, outputs: int, bits: int, threads: int) -> float:
        """Products of a lane group that the busiest thread does, where so many terms are not 0."""
        windows, blocks = self.windows(bits), -(-outputs * self.tasks // (LANES * self.block))
        within, between = self._joining(bits)
        each = windows * (1 + (1 + SQUARING) * self.kinds) * (self.kinds > 0)
        each += (windows - 1) * (1 + SQUARING * self.window) + within
        terms = used / (self.shares << self.kinds)
        apart = windows == 1 and self._groups_of_span > 0
        busiest = self._of_one_span if apart else self._of_all_spans
        return busiest(terms, outputs, bits, threads, each) + -(-blocks // threads) * between

    @property
    def _groups_of_span(self) -> int:
        """How many groups hold the tasks of one span of an output, and nothing else, or 0."""
        return (self.shares << self.kinds) // LANES

    def _of_all_spans(
        self, terms: float, outputs: int, bits: int, threads: int, each: float
    ) -> float:
        """Products of the busiest thread where all groups are much alike, until they are joined."""
        windows, (full, rest) = self.windows(bits), divmod(bits - 1, self.window)
        groups, rest = -(-outputs * self.tasks // LANES), rest + 1
        busy = outputs * self.tasks / (LANES * groups)
        whole = busy * full * self._filling(terms, self.window) / self.spans
        whole += max(busy * self._filling(terms, rest) / self.spans, self._chain(terms, rest))
        # Lanes keep step: all raise as many buckets as the lowest, and so widest, digit has.
        raised = min(full, windows) * self.entries + (windows > full) * self._buckets(rest)
        return -(-groups // threads) * (whole + 2 * raised + each)

    def _of_one_span(
        self, terms: float, outputs: int, bits: int, threads: int, each: float
    ) -> float:
        """The same where each group is of one digit: those of the highest come first and are less
        work, or none."""
        full, rest = divmod(bits - 1, self.window)
        rest += 1
        whole = self._filling(terms, self.window) + 2 * self.entries + each
        part = max(self._filling(terms, rest), self._chain(terms, rest))
        part += 2 * self._buckets(rest) + each
        parts = outputs * self._groups_of_span
        wholes, rounds = full * parts, -(-(full + 1) * parts // threads)
        even = (wholes * whole + parts * part) / threads
        return max(even, -(-wholes // threads) * whole, (rounds - 1) * whole + part)

    def _buckets(self, width: int) -> int:
        """Of the digits of one kind that have so many bits."""
        return 1 << max(0, width - self.kinds)

    def _filling(self, terms: float, width: int) -> float:
        """Products that put the terms whose digits are not 0 into buckets, which the first fill."""
        buckets, used = self._buckets(width), terms * (1 - 0.5**width)
        return used - buckets * (1 - (1 - 1 / buckets) ** used)

    def _chain(self, terms: float, width: int) -> float:
        """Products, each of the one before, by which a bucket of the highest digit gets more terms
        than those of the others."""
        return terms * (2.0 ** (self.kinds - width) - 2.0 ** (self.kinds - self.window))

    def _joining(self, bits: int) -> tuple[float, float]:
        """Products by which the tasks of a group are joined, and then the groups of an output."""
        lanes, squarings = min(self.tasks, LANES), SQUARING * self.windows(bits) * self.window
        spans = max(1, lanes // (self.shares << self.kinds))
        within = lanes.bit_length() - 1 + squarings * (spans - 1)
        return within, self.block - 1 + squarings * (self.spans - spans)


def halves(count: int) -> list[int]:
    """count/2, count/4, ... 1 for a power of two."""
    return [count >> i for i in range(1, count.bit_length())]


def pippenger(
    arithmetic: SimdArithmetic,
    bases: Residues,
    exponents: NDArray[np.uint8],
    shape: tuple[int, int],
    bits: int,
    cut: Cut,
) -> Residues:
    """Of each row of bases the outputs, of ``shape`` outputs and terms.

    Exponents (outputs * terms, width), in whole words one after the other, are of so many bits;
    signed ones are wrapped to all the bits of the cut.
    """
    rows, lines = len(bases) // shape[1], -(-arithmetic.rows // LANES)  # lines of an element
    laid = len(bases.data) * LANES * lines
    own = laid <= OWN
    layout = _layout(cut, rows, shape, bits, lines, laid * own)
    out = lane_groups(layout.groups, arithmetic.rows)
    flat = out[:0] if own else lane_groups(len(bases.data) * LANES, lines)
    arithmetic.run(
        pippenger_all,
        layout.products,
        out,
        bases.data,
        flat,
        np.zeros(2 + layout.groups, np.int64),
        (begin(exponents), exponents.shape[1] // 8),
        layout.cut,
        layout.masks,
        cut.entries,
        layout.room,
        extra=layout.extra,
    )
    first, tasks = max(0, cut.tasks - LANES), layout.cut[0]
    found = Residues(out, tasks)
    if cut.signed:
        above, below = range(first, tasks, cut.tasks), range(first + 1, tasks, cut.tasks)
        return arithmetic.quotient(found, above, below)
    return found[first :: cut.tasks] if cut.tasks > 1 else found


class _Layout(NamedTuple):
    """What :func:`pippenger_all` takes, and how many groups there are, of about so many products
    each."""

    groups: int
    products: float
    cut: tuple[int, ...]
    masks: Words
    room: int
    extra: int


@lru_cache(maxsize=16)
def _layout(
    cut: Cut, rows: int, shape: tuple[int, int], bits: int, lines: int, laid: int
) -> _Layout:
    """Of rows of bases, whose elements take so many lines, with so many rows of scratch to lay out
    the bases."""
    (outputs, terms), windows, entries = shape, cut.windows(bits), cut.entries
    most, tasks = -(-terms // cut.shares), rows * outputs * cut.tasks
    groups, held = -(-tasks // LANES), most << cut.signed  # a term may be in a bucket twice
    # Four rows for addresses of elements and for what comes after the last key.
    extra = 4 + 3 * entries + 2 * held + 3 * LANES * lines + lines
    return _Layout(
        groups=groups,
        products=windows * (most / (1 << cut.kinds) + 2 * entries),
        cut=(
            *(tasks, outputs, terms, cut.shares, cut.kinds),
            *(cut.spans, windows, cut.window, int(cut.signed)),
        ),
        masks=_masks(cut, groups),
        room=LANES * held,
        extra=extra + entries * LANES * lines + laid,
    )


def _masks(cut: Cut, groups: int) -> Words:
    """For each task, and each lower bit that tells kinds apart: if it has it, and if that is 1."""
    if cut.kinds == 0:
        return lane_groups(0, 1)
    kind = np.arange(groups * LANES)
    signed = (kind % cut.tasks < cut.shares << cut.kinds) & cut.signed
    columns = []
    for bit in reversed(range(cut.kinds)):
        has = ~signed | (bit < cut.kinds - 1)
        columns += [has, has & (kind >> (bit + signed) & 1 == 1)]
    masks = -np.stack(columns).astype(np.int64)
    return aligned(masks.reshape(2 * cut.kinds, groups, LANES).transpose(1, 0, 2))
